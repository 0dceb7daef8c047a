"""What earlier records know of a director's dpvs: which one ran, and what it held beside the params when it was ended."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from dpvsbook.records import Record, read
from dpvsbook.records.journal import NAME, Journal

Extra = Mapping[str, Any]
"""One thing that a dpvs held and the params don't have: {"kind", "key", "value"}, in the words of the steps."""


def last(record: Record, director: str, host_key: str | None) -> tuple[str, str]:
    """The newest other record that reached the director, whatever its runbook, and which dpvs ran at its end ("" for none)."""
    for name, journal in _earlier(record):
        found = [row for event in journal.of("open") for row in event.get("hosts", ()) if _is(row, director, host_key)]
        if not found:
            continue
        running = str(found[-1].get("dpvs_started") or "")
        for event in journal.of("dpvs"):
            if event.get("director") == director:
                running = str(event.get("started") or "")
        return name, running
    return "", ""


def saved(record: Record, director: str, host_key: str | None) -> tuple[str, tuple[Extra, ...]]:
    """What the newest record that ended the director's dpvs saved and nobody has put back since, with that record's name."""
    for name, journal in _earlier(record):
        if not any(_is(row, director, host_key) for event in journal.of("open") for row in event.get("hosts", ())):
            continue
        events = [event for event in journal.of("saved", "kept") if event.get("director") == director]
        if events:
            return (name, tuple(events[-1].get("extras", ()))) if events[-1]["kind"] == "saved" else ("", ())
    return "", ()


def _is(row: Mapping[str, Any], director: str, host_key: str | None) -> bool:
    """The host key tells one machine from another of that name."""
    return bool(row.get("host") == director and row.get("host_key") == host_key)


def _earlier(record: Record) -> Iterator[tuple[str, Journal]]:
    paths = [path for path in record.outputs.glob(f"*/*/{NAME}") if path.parent != record.path]
    for path in sorted(paths, key=lambda path: path.stat().st_mtime_ns, reverse=True):
        entry = read(path.parent)
        yield entry.name, entry.journal()
