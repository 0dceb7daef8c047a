"""The text of dpvs.conf to a tree with line numbers, and what stands there that dpvs reads otherwise than a person does.

DPVS reads by lines: the first word of a line is an item or opens a block, whether a brace follows or not; a line that begins with `}`
ends the innermost block; everything else of the line is arguments. `!` and `#` begin a comment where a word could begin, and `<…>` is
skipped, so `<init>` says something to people only. A block that it doesn't know is not skipped: its lines are read as lines of the block
around it, and its closing brace ends that one.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from dpvsbook.conf import items
from dpvsbook.errors import DpvsbookError

LINE_BYTES = 1024
"""What is longer, dpvs cuts, and takes the rest for a line of its own, comments too."""


@dataclass(frozen=True, slots=True)
class Node:
    """A line, and where it opens a block (`nodes` is not None) what stands in it. `end`: the line of the closing brace."""

    key: str
    args: tuple[str, ...] = ()
    line: int = 0
    nodes: tuple[Node, ...] | None = None
    init: bool = False
    end: int = 0

    @property
    def name(self) -> str:
        """The name of a named block, "" where it has none."""
        return self.args[0] if self.args else ""


@dataclass(frozen=True, slots=True)
class Problem:
    """Something in the text that dpvs reads otherwise: `silently` is what it makes of it."""

    line: int
    message: str
    silently: str
    fix: str


@dataclass(frozen=True, slots=True)
class Tree:
    """The file: its blocks, and the problems of its form. With problems the nodes are a best guess."""

    nodes: tuple[Node, ...]
    problems: tuple[Problem, ...] = ()


class ConfSyntax(DpvsbookError):
    """A file whose form dpvs reads otherwise than it looks; every place has its line."""

    exit_code = 4

    def __init__(self, source: str, problems: tuple[Problem, ...]) -> None:
        lines = [f"{source}:{problem.line}: {problem.message} (dpvs {problem.silently})" for problem in problems]
        super().__init__("\n".join(lines), remedy=problems[0].fix)
        self.problems = problems


@dataclass(slots=True)
class _Open:
    key: str
    args: tuple[str, ...]
    line: int
    init: bool
    path: str
    nodes: list[Node]


def parse(text: str, *, source: str = "dpvs.conf") -> tuple[Node, ...]:
    """The blocks of a file. Raises `ConfSyntax` with every problem of its form."""
    tree = parse_lenient(text)
    if tree.problems:
        raise ConfSyntax(source, tree.problems)
    return tree.nodes


def parse_lenient(text: str) -> Tree:
    """The same without raising."""
    problems: list[Problem] = []
    root = _Open("", (), 0, False, "", [])
    stack = [root]
    for number, line in enumerate(text.replace("\r\n", "\n").replace("\r", "\n").split("\n"), start=1):
        words, attributes = _words(line, number, problems)
        if not words:
            continue
        if words[0] == "}":
            if words[1:]:
                problems.append(_more(number, words[1:], "}"))
            if len(stack) == 1:
                problems.append(
                    Problem(number, "this brace closes nothing", "skips it", "Take it away, or look for the block that lost its begin.")
                )
            else:
                _close(stack, number)
            continue
        if words[0] == "{" and len(words) == 1 and _takes_brace(stack[-1].nodes, number):
            last = stack[-1].nodes.pop()
            stack.append(_Open(last.key, last.args, last.line, last.init, _path(stack[-1].path, last.key), []))
            continue
        _glued(words, number, problems)
        words, opens = _brace(words, number, problems)
        if not words:
            continue
        key, args = words[0], tuple(words[1:])
        _escaped(stack, key, number, problems)
        if opens:
            stack.append(_Open(key, args, number, "init" in attributes, _path(stack[-1].path, key), []))
        else:
            stack[-1].nodes.append(Node(key, args, number, None, "init" in attributes))
    last_line = text.count("\n") + 1
    while len(stack) > 1:
        opened = stack[-1]
        named = " ".join((opened.key, *opened.args))
        problems.append(
            Problem(
                opened.line,
                f"{named} is not closed",
                "takes every line after it for a line of this block",
                "Close it with a } of its own line.",
            )
        )
        _close(stack, last_line)
    return Tree(tuple(root.nodes), tuple(sorted(problems, key=lambda p: p.line)))


def walk(nodes: tuple[Node, ...], path: str = "") -> Iterator[tuple[str, Node]]:
    """Every node with its path, in the order of the file."""
    for node in nodes:
        here = _path(path, node.key)
        yield here, node
        yield from walk(node.nodes or (), here)


def _path(block: str, key: str) -> str:
    return f"{block}.{key}" if block else key


def _close(stack: list[_Open], line: int) -> None:
    done = stack.pop()
    stack[-1].nodes.append(Node(done.key, done.args, done.line, tuple(done.nodes), done.init, line))


def _escaped(stack: list[_Open], key: str, number: int, problems: list[Problem]) -> None:
    """A block of the file itself can't begin within another: that one lost its brace. Taken as closed here."""
    if len(stack) == 1 or key not in items.BLOCK or "." in key or key in items.keys_in(stack[-1].path):
        return
    outer = stack[1]
    problems.append(
        Problem(
            number,
            f"{key} begins within {outer.key} (line {outer.line}), which is not closed",
            f"skips {key} and what stands in it, as {stack[-1].key} has no such item",
            f"Close {stack[-1].key} (line {stack[-1].line}) before line {number}.",
        )
    )
    while len(stack) > 1:
        _close(stack, number)


def _takes_brace(nodes: list[Node], number: int) -> bool:
    return bool(nodes) and nodes[-1].nodes is None and nodes[-1].line < number


def _brace(words: list[str], number: int, problems: list[Problem]) -> tuple[list[str], bool]:
    """The words before the brace, and whether the line opens a block."""
    if "{" not in words:
        return words, False
    at = words.index("{")
    if words[at + 1 :]:
        problems.append(_more(number, words[at + 1 :], "{"))
    if at == 0:
        problems.append(Problem(number, "a brace without a block's name", "skips the line", "Put the name before the brace."))
    return words[:at], not (words[at + 1 :] and words[-1] == "}")


def _more(number: int, words: list[str], after: str) -> Problem:
    return Problem(
        number,
        f"{' '.join(words)!r} stands behind a {after} on the same line",
        "looks at the first word of a line only, so what follows is lost",
        "Give every item and every brace its own line.",
    )


def _glued(words: list[str], number: int, problems: list[Problem]) -> None:
    """`conn{` and `}}` are words of their own for dpvs. Taken apart here, so that the rest is read well."""
    for i, word in enumerate(words):
        if word not in ("{", "}") and (word.endswith("{") or (i == 0 and word.startswith("}"))):
            problems.append(
                Problem(
                    number,
                    f"{word!r}: a brace needs a space before it",
                    f"takes {word!r} for one word, and knows no such item",
                    "Put a space before the brace.",
                )
            )
    for i, word in reversed(list(enumerate(words))):
        if len(word) > 1 and word.endswith("{"):
            words[i : i + 1] = [word[:-1], "{"]


def _words(line: str, number: int, problems: list[Problem]) -> tuple[list[str], set[str]]:
    """The words of a line as dpvs takes it apart, without its comment; and the attributes in <…>."""
    if len(line.encode()) >= LINE_BYTES:
        problems.append(
            Problem(
                number,
                f"the line has more than {LINE_BYTES - 1} bytes",
                "cuts it, and takes the rest for another line, of a comment too",
                "Make it shorter.",
            )
        )
    words: list[str] = []
    attributes: set[str] = set()
    at, end = 0, len(line)
    while at < end:
        if line[at].isspace():
            at += 1
        elif line[at] in "!#":
            break
        elif line[at] == "<":
            close = line.find(">", at)
            if close < 0:
                problems.append(Problem(number, "< without its >", "skips the rest of the line", "Close it, or make it a comment with !."))
                break
            attributes.add(line[at + 1 : close].strip())
            at = close + 1
        elif line[at] == '"':
            close = line.find('"', at + 1)
            if close < 0:
                problems.append(Problem(number, 'a " without its partner', "takes what follows as it likes", 'Close it with a ".'))
                close = end
            words.append(" ".join(line[at + 1 : close].split()))
            at = close + 1
        else:
            begin = at
            while at < end and not line[at].isspace() and line[at] != '"':
                at += 1
            words.append(line[begin:at])
    return words, attributes
