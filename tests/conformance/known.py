"""The differences that are known and left: by name, with the reason (known.yaml)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from ruamel.yaml import YAML

from tests.conformance.compare import Difference
from tests.conformance.worlds import Command, Seen

PATH = Path(__file__).with_name("known.yaml")


@dataclass(frozen=True, slots=True)
class Known:
    """One known difference. `pattern` is searched in the command that differs; `real` in what real DPVS said, `emulated` in what the
    emulation said. `example` shows it: a test runs it, and fails when the two worlds agree on it by now; not where `timing` decides."""

    name: str
    reason: str
    pattern: str
    real: str
    emulated: str
    example: tuple[Command, ...]
    timing: bool = False

    def explains(self, found: Difference) -> bool:
        """Is the difference this one?"""
        searched = ((self.pattern, str(found.command)), (self.real, _said(found.real)), (self.emulated, _said(found.emulated)))
        return all(re.search(pattern, text) for pattern, text in searched)


def _said(seen: Seen) -> str:
    return "\n".join((f"exit {seen.exit}", seen.stdout, seen.stderr))


def read() -> tuple[Known, ...]:
    """All of known.yaml."""
    data = YAML(typ="safe").load(PATH.read_text()) or []
    return tuple(
        Known(
            entry["name"],
            entry["reason"],
            entry.get("command", ""),
            entry.get("real", ""),
            entry.get("emulated", ""),
            tuple(map(Command.parse, entry["example"])),
            entry.get("timing", False),
        )
        for entry in data
    )


KNOWN = read()


def explanation(found: Difference) -> Known | None:
    """Why the two differ, when that is known."""
    return next((one for one in KNOWN if one.explains(found)), None)
