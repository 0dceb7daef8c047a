"""`ipvsadm -R`: rules from standard input, one a line (transcript 10).

The exit status is that of the last rule. A rule that dpvs refuses is told and passed over; one that ipvsadm itself can't make sense of ends
it all, and so does a comment, which it takes for a rule.
"""

from __future__ import annotations

from collections.abc import Iterator


def lines(text: str) -> Iterator[list[str]]:
    """The words of each rule. Blank lines are passed over; the word `ipvsadm` is dropped wherever it stands.

    A last line that ends in two or more blanks instead of a line feed is lost.
    """
    *whole, rest = text.split("\n")
    for line in whole:
        words = [word for word in line.split() if word != "ipvsadm"]
        if words:
            yield words
    if len(rest) - len(rest.rstrip(" \t\r")) < 2:
        words = [word for word in rest.split() if word != "ipvsadm"]
        if words:
            yield words
