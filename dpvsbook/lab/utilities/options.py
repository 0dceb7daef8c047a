"""Reading a command line, and opening the files that it names."""

from __future__ import annotations

import getopt
import os
import re
from collections.abc import Iterator

from dpvsbook.lab.shell.streams import Stream
from dpvsbook.lab.shell.system import Call


class UsageError(Exception):
    """A command line that the tool doesn't understand: it prints this and exits with `status`."""

    def __init__(self, message: str, status: int = 1) -> None:
        super().__init__(message)
        self.status = status


def options(
    call: Call, short: str = "", long: tuple[str, ...] = (), *, first: bool = False, status: int = 1
) -> tuple[dict[str, str], list[str]]:
    """({"-n": "5", "--all": ""}, operands). `first`: options end at the first operand (env, sudo, xargs)."""
    try:
        found, rest = (getopt.getopt if first else getopt.gnu_getopt)(list(call.argv[1:]), short, list(long))
    except getopt.GetoptError as error:
        if error.opt and len(error.opt) > 1:
            raise UsageError(f"unrecognized option '--{error.opt}'", status) from None
        what = "option requires an argument" if "requires argument" in error.msg else "invalid option"
        raise UsageError(f"{what} -- '{error.opt}'", status) from None
    return dict(found), rest


def repeated(call: Call, short: str, flag: str) -> list[str]:
    """Every value of one option that may be given more than once."""
    return [value for name, value in getopt.gnu_getopt(list(call.argv[1:]), short)[0] if name == flag]


def number(text: str, what: str = "number", *, base: int = 10, status: int = 1) -> int:
    """The value of an option; a complaint if it isn't a whole number."""
    try:
        return int(text, base)
    except ValueError:
        raise UsageError(f"invalid {what}: '{text}'", status) from None


def duration(text: str, status: int = 1) -> float:
    """The value of an option that is a time."""
    try:
        return float(text)
    except ValueError:
        raise UsageError(f"invalid time: '{text}'", status) from None


def compiled(expression: str, flags: int = 0, status: int = 2) -> re.Pattern[str]:
    """A regular expression from a command line."""
    try:
        return re.compile(expression, flags)
    except re.error:
        raise UsageError("Invalid regular expression", status) from None


def reason(error: OSError) -> str:
    return os.strerror(error.errno or 0)


class Inputs:
    """The files named as operands ('-' or none at all: standard input), one after the other; what can't be opened is reported."""

    def __init__(self, call: Call, paths: list[str]) -> None:
        self._call, self._paths = call, paths or ["-"]
        self.status = 0

    def __iter__(self) -> Iterator[tuple[str, Stream]]:
        call = self._call
        for path in self._paths:
            if path == "-":
                yield path, call.stdin
                continue
            try:
                yield path, call.system.files.open_read(path, call.cwd, uid=call.uid)
            except OSError as error:
                call.fail(f"{path}: {reason(error)}")
                self.status = 1

    def lines(self) -> Iterator[str]:
        for _, stream in self:
            while line := stream.readline():
                yield line


def basic_to_python(expression: str) -> str:
    """A POSIX basic regular expression as Python's."""
    out, at, bracket = [], 0, False
    while at < len(expression):
        char, following = expression[at], expression[at + 1 : at + 2]
        at += 1
        if bracket:
            out.append("\\\\" if char == "\\" else char)
            bracket = char != "]" or out[-2:-1] in (["["], ["^"])
        elif char == "[":
            bracket = True
            out.append(char)
        elif char == "\\" and following:
            at += 1
            out.append(following if following in "(){}|+?" else f"\\{following}")
        elif char in "(){}|+?" or (char == "*" and (not out or out[-1] in ("(", "^"))):
            out.append(f"\\{char}")
        else:
            out.append(char)
    return extended_to_python("".join(out))


def extended_to_python(expression: str) -> str:
    from dpvsbook.lab.shell.pattern import CLASSES

    expression = re.sub(r"\[:(\w+):\]", lambda m: CLASSES.get(m[1], ""), expression)
    return expression.replace(r"\<", r"\b(?=\w)").replace(r"\>", r"\b(?<=\w)")
