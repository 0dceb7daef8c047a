"""journal.jsonl: what happened, a JSON object a line, written as it happens by the kernel and by the run around it.

{"t": "2026-03-01T12:00:00.123456Z", "kind": "plan", "step": "laddr", "director": "lb1", "changes": [...]}
"""

from __future__ import annotations

import contextlib
import dataclasses
import itertools
import json
import math
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from dpvsbook import secrets
from dpvsbook.secrets import scrub

NAME = "journal.jsonl"
_LINE = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":"))
Event = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Journal:
    """The events in order; `cut` is a last line that a crash or a full disk left unfinished ("" if there is none)."""

    events: tuple[Event, ...]
    cut: str = ""

    def of(self, *kinds: str) -> Iterator[Event]:
        """The events of some kinds."""
        return (event for event in self.events if event["kind"] in kinds)

    def last(self, kind: str) -> Event | None:
        """The last event of a kind."""
        return next((event for event in reversed(self.events) if event["kind"] == kind), None)


def now() -> str:
    """The time as records write it: UTC, ISO 8601, microseconds."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def parse_time(text: str) -> datetime:
    """The time that `now` wrote."""
    return datetime.fromisoformat(text)


def line(kind: str, data: Mapping[str, Any]) -> bytes:
    """An event as a line. Secrets are taken out of every string before it is quoted, so that quoting can't hide them."""
    event = {"t": now(), "kind": kind, **data}
    if not secrets.any_known():  # then as it is: a plan of 4,000 changes has 200,000 words to look at
        with contextlib.suppress(TypeError, ValueError):
            return _text(event)
    return _text(clean(event))


def _text(event: Mapping[str, Any]) -> bytes:
    return _LINE.encode(event).encode() + b"\n"


def clean(value: Any) -> Any:
    """`value` as JSON holds it, without secrets: mappings, sequences, dataclasses; anything else that JSON doesn't know as its text."""
    return _clean(value, {})


def _clean(value: Any, seen: dict[str, str]) -> Any:
    """`seen` has the texts met before: a plan of 4,000 changes says mostly the same few words."""
    if isinstance(value, str):
        found = seen.get(value)
        if found is None:
            found = seen[value] = scrub(value)
        return found
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else None  # JSON has no NaN
    if isinstance(value, Mapping):
        return {_clean(str(key), seen): _clean(item, seen) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_clean(item, seen) for item in value]
    if isinstance(value, set | frozenset):
        return sorted(_clean(item, seen) for item in value)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: _clean(getattr(value, field.name), seen) for field in dataclasses.fields(value)}
    return scrub(str(value))


def read(folder: Path) -> Journal:
    """A record's journal. A last line without its end is kept apart as `cut`; any other bad line is an event of kind "unreadable"."""
    path = folder / NAME
    if not path.exists():
        return Journal(())
    text = path.read_bytes().decode(errors="replace")
    *whole, rest = text.split("\n")
    return Journal(tuple(_parse(item) for item in whole if item), rest)


def beginning(folder: Path, lines: int = 100) -> Iterator[Event]:
    """The first events of a record's journal; none where it has no journal."""
    with contextlib.suppress(OSError), (folder / NAME).open("rb") as stream:
        for text in itertools.islice(stream, lines):
            yield _parse(text.decode(errors="replace"))


def is_cut(folder: Path) -> bool:
    """Whether the last line was left unfinished."""
    path = folder / NAME
    if not path.exists() or not path.stat().st_size:
        return False
    with path.open("rb") as stream:
        stream.seek(-1, os.SEEK_END)
        return stream.read() != b"\n"


def _parse(text: str) -> Event:
    try:
        event = json.loads(text)
    except ValueError:
        event = None
    return event if isinstance(event, dict) and "kind" in event else {"t": "", "kind": "unreadable", "text": text}


class Follower:
    """Reads a journal that somebody else is writing: each call gives the events added since the last one, whole lines only."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / NAME
        self.offset = 0

    def __call__(self) -> list[Event]:
        try:
            with self.path.open("rb") as stream:
                stream.seek(self.offset)
                data = stream.read()
        except FileNotFoundError:
            return []
        end = data.rfind(b"\n") + 1
        self.offset += end
        return [_parse(item) for item in data[:end].decode(errors="replace").split("\n") if item]
