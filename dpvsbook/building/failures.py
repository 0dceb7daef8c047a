"""What went wrong in a build: the first real error of a log, and what is known about it. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass

from dpvsbook.known import Known, catalogue


@dataclass(frozen=True, slots=True)
class Failure:
    """`error`: the first real error with what belongs to it; `line`: where it stands in the log, from 1; `known`: what is known of it."""

    error: str
    line: int
    known: Known | None = None


_FULL = re.compile(r"No space left on device|Disk quota exceeded|not enough free space in")
"""First of all: on a full disk a compiler's own errors are only what follows from it."""

_ERRORS: tuple[re.Pattern[str], ...] = tuple(
    re.compile(text)
    for text in (
        r"^dpvsbook: ",
        r"Killed signal terminated program|^[^ ]*: internal compiler error",
        r"^[^ \n]+:\d+(?::\d+)?: (?:fatal )?error: ",  # gcc
        r"^(?:cc1|gcc|g\+\+|ld|/[^ ]*/ld|collect2|as): (?:fatal )?error: (?!ld returned)",
        r"\bld(?:\.\w+)?: (?:cannot find|.*undefined reference)|: undefined reference to ",
        r"^[^ \n]*meson\.build:\d+:\d+: ERROR: |^ERROR: |^meson: error: ",
        r"^configure(?:\.ac:\d+)?: error: |^configure\.ac:\d+: error: ",
        r"^Hunk #\d+ FAILED|^patch: \*\*\*\*|can't find file to patch|^Reversed \(or previously applied\) patch detected",
        r"^(?:fatal|error): |^remote: (?:Repository )?[Nn]ot [Ff]ound",  # git
        r"^E: |^Error: (?:Unable|Failed|No match|Cannot|Unknown)",  # apt, dnf
        r"^curl: \(\d+\)|^tar: (?!.*[Rr]emoving leading)|^gzip: |^xz: |: FAILED$|^sha256sum: ",
        r"^[^ \n]+:\d+: \*\*\* (?!\[)|^make(?:\[\d+\])?: \*\*\* (?!\[)",  # make's own: no rule, $(error …)
        r": (?:command )?not found$|: Permission denied$|: cannot (?:create|open)|: No such file or directory$",
        r"^(?:ModuleNotFoundError|ImportError|Exception): ",
    )
)
_LAST = re.compile(r"^FAILED: |^make(?:\[\d+\])?: \*\*\* \[|^ninja: (?:error|fatal)")
"""Only says that something failed: looked for where nothing says what."""

_COLOUR = re.compile(r"\x1b\[[0-9;]*[mK]")
_BELONGS = re.compile(r"^\s+(?:\d+ )?\||^\s+[~^]|^[^ \n]+: (?:In function|note: )|^\s+\S")
LINES, WIDTH = 12, 400
"""How much of an error is shown: a compiler's whole command line says nothing that its message doesn't."""


def first(log: str) -> tuple[str, int]:
    """The first real error of a log, with the lines that belong to it, and its line's number. The end of the log where none is found."""
    lines = _COLOUR.sub("", log).splitlines()
    found = next((i for i, line in enumerate(lines) if _FULL.search(line)), None)
    if found is None:
        found = next((i for i, line in enumerate(lines) if any(error.search(line) for error in _ERRORS)), None)
    if found is None:
        found = next((i for i, line in enumerate(lines) if _LAST.search(line)), None)
    if found is None:
        tail = [line for line in lines if line.strip()][-LINES:]
        return "\n".join(map(_short, tail)) or "the log is empty", max(1, len(lines) - len(tail) + 1)
    end = found + 1
    while end < min(len(lines), found + LINES) and _BELONGS.search(lines[end]):
        end += 1
    return "\n".join(_short(line) for line in lines[found:end]), found + 1


def _short(line: str) -> str:
    return line if len(line) <= WIDTH else f"{line[:WIDTH]} …"


def explain(log: str, stage: str) -> Failure:
    """The first real error, and the known failure whose pattern it shows. Other errors of the log may be of another kind."""
    error, line = first(log)
    fits = (known for known in catalogue("build") if stage in (known.stages or (stage,)) and known.pattern.search(error))
    return Failure(error, line, next(fits, None))
