"""Reading a tool's output line by line, strictly: a line that no pattern takes is an error with the line in it."""

from __future__ import annotations

import re
from collections.abc import Sequence

from dpvsbook.errors import ParseError
from dpvsbook.facts.ipvs import canonical

END = "(end of the output)"


class Lines:
    """A cursor over the lines of one output. Only a line feed ends a line: a stray control character is part of its line, and refused."""

    def __init__(self, parser: str, text: str) -> None:
        self.parser = parser
        self.lines = split(text)
        self.at = 0

    def __bool__(self) -> bool:
        return self.at < len(self.lines)

    def take(self, pattern: re.Pattern[str]) -> re.Match[str] | None:
        """The match, and on to the next line; None, and staying here, where the line is another one or there is none."""
        if self.at == len(self.lines):
            return None
        match = pattern.fullmatch(self.lines[self.at])
        if match is not None:
            self.at += 1
        return match

    def need(self, pattern: re.Pattern[str]) -> re.Match[str]:
        """The match, and on to the next line. Raises ParseError for any other line."""
        match = self.take(pattern)
        if match is None:
            raise self.unknown()
        return match

    def address(self, text: str) -> str:
        """An address of the line just taken, as `ipvs.canonical` writes it. Raises ParseError for the line where it is none."""
        try:
            return canonical(text)
        except ValueError:
            raise self.unknown(back=1) from None

    def unknown(self, back: int = 0) -> ParseError:
        """The error that names the line at the cursor, or `back` lines before it."""
        at = self.at - back
        return unknown(self.parser, self.lines, at)


def split(text: str) -> list[str]:
    """The lines of an output; the last one may lack its line feed."""
    if not text:
        return []
    return text.removesuffix("\n").split("\n")


def unknown(parser: str, lines: Sequence[str], at: int) -> ParseError:
    """The error for line `at` (from 0) of an output, or for its end."""
    return ParseError(parser, lines[at] if at < len(lines) else END, at + 1)
