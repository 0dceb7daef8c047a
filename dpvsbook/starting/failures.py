"""What went wrong in a start: the first real error of what dpvs wrote, and what is known about it. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass

from dpvsbook.known import Known, catalogue


@dataclass(frozen=True, slots=True)
class Failure:
    """`error`: the first real error with what belongs to it; `cause` and `fix` as far as they are known, with this error's own numbers."""

    error: str
    known: Known | None = None
    cause: str = ""
    fix: str = ""


_FATAL = re.compile(
    r"EAL: Error - exiting with code|^PANIC in |Assertion .*failed|Segmentation fault|dpvs is already running|EAL: FATAL|"
    r"error while loading shared libraries|(?:not found|No such file or directory|Permission denied)$|invalid option|unrecognized option|"
    r"smaller than system numa|: core dumped|Cannot (?:init|create|allocate)|EAL: (?:Cannot|invalid|Invalid|Error)|^Usage: ",
    re.MULTILINE,
)
_HARMLESS = re.compile(r"invalid rss_hf|invalid [tr]x_offload|Cannot update ethdev port \d+ RSS RETA")
"""What NICs can't do is masked, and said (F73)."""

LINES = 6


def explain(text: str) -> Failure:
    """The error that ended a start, and the first known failure whose pattern the text shows. Those that are fatal go before."""
    for known in sorted(catalogue("start"), key=lambda known: not known.fatal):
        if (found := known.pattern.search(text)) is not None:
            return _failure(text, known, found)
    return Failure(first(text))


def first(text: str) -> str:
    """The first line that says of an end, with those after it; the end of the text where none does."""
    lines = [line for line in text.splitlines() if line.strip() and not _HARMLESS.search(line)]
    at = next((i for i, line in enumerate(lines) if _FATAL.search(line)), None)
    if at is None:
        return "\n".join(lines[-LINES:]) or "nothing"
    return "\n".join(lines[at : at + LINES])


def complaints(text: str) -> tuple[Failure, ...]:
    """What a dpvs that runs has said of its dpvs.conf and its ports, each once: F10, F75 and their like."""
    found: dict[str, Failure] = {}
    for known in catalogue("start"):
        if not known.fatal:
            for match in known.pattern.finditer(text):
                failure = _failure(text, known, match)
                found.setdefault(failure.error, failure)
    return tuple(failure for failure in found.values() if not _HARMLESS.search(failure.error))


def _failure(text: str, known: Known, found: re.Match[str]) -> Failure:
    begin, end = text.rfind("\n", 0, found.start()) + 1, text.find("\n", found.end())
    line = text[begin : end if end >= 0 else len(text)].strip()
    groups = {name: value or "" for name, value in found.groupdict().items()}
    more = known.codes.get(groups.get("code", ""), "")
    cause = " ".join(part for part in (known.cause.format_map(_Given(groups)), more) if part)
    return Failure(line, known, cause, known.fix.format_map(_Given(groups)))


class _Given(dict[str, str]):
    """What a pattern didn't catch is written as "?"."""

    def __missing__(self, key: str) -> str:
        return "?"
