"""What `dpvsbook run` prints: a line per step as it ends, on a terminal with a spinner for the step that is going on."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

import typer

if TYPE_CHECKING:
    from rich.status import Status

    from dpvsbook.runs import Run

MARK = {"failed": "✗", "nothing to do": "·", "planned": "?", "warned": "!", "applied": "✓", "passed": "✓", "taken back": "✓"}


class Progress:
    """Prints events as they come. `several` puts each run's name before its lines."""

    def __init__(self, *, several: bool = False) -> None:
        self.several = several
        self._status: Status | None = None
        self._tenths: dict[str, int] = {}
        self._told: list[str] = []

    def __enter__(self) -> Self:
        if sys.stderr.isatty():
            from rich.console import Console

            self._status = Console(stderr=True).status("starting")
            self._status.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._status is not None:
            self._status.stop()

    def event(self, label: str, event: Mapping[str, Any]) -> None:
        """One event of a run's journal."""
        kind, prefix = event.get("kind"), f"{label}: " if self.several else ""
        if kind == "step":
            changes = event.get("changes") or 0
            what = event.get("detail") or (f"{changes} change{'' if changes == 1 else 's'}" if changes else "")
            self._line(f"{prefix}{MARK.get(event['status'], ' ')} {event['title']:<46} {event['status']:<14} {what}".rstrip())
        elif kind == "open":
            self._line(f"{prefix}✓ {'Hosts: ' + ', '.join(row['host'] for row in event['hosts']):<46} {'bound':<14} {event['mode']}")
        elif kind == "check" and not event["ok"] and event.get("verdict") != "undecided":
            self._line(f"{prefix}  {'✗' if event['ok'] is False else '!'} {event['name']}: {event['detail']}")
        elif kind in ("error", "lost"):
            message = str(event.get("message") or "the connection was cut while changes were sent")
            self._told.append(message)
            self._line("\n    ".join(f"{prefix}  ✗ {message}\n{event.get('remedy') or ''}".rstrip().splitlines()))
        elif kind == "progress":
            self._progress(prefix, event)
        elif kind == "cell" and self._status is not None:
            self._status.update(f"{prefix}{event.get('id', '')}")

    def _progress(self, prefix: str, event: Mapping[str, Any]) -> None:
        """How far a long stage is, by its own counter. Into a file or a pipe goes a line for each tenth, not one for each look."""
        name = f"{prefix}{event['director']}: {event['stage']}"
        done, total = event["count"] or (0, 0)
        share = f" {done}/{total} ({100 * done // total} %)" if total else ""
        if self._status is not None:
            from rich.text import Text

            self._status.update(Text(f"{name}{share or ' ' + str(event.get('last', ''))[:80]}"))  # a Text: [33/654] is no markup
        elif total and (tenth := 10 * done // total) != self._tenths.get(name):
            self._tenths[name] = tenth
            self._line(f"  {name}{share}")

    def verdict(self, run: Run) -> None:
        """How a run ended, and where its record and its report are."""
        prefix = f"{run.label}: " if self.several else ""
        told = any(message in run.detail for message in self._told)  # then its first line is enough
        detail = run.detail.partition("\n")[0] if told else run.detail
        _say(f"{prefix}{run.verdict}: {detail} ({run.seconds:.1f} s)")
        if run.record is not None:
            _say(f"{prefix}  record {run.record}")
        if run.report is not None:
            _say(f"{prefix}  report {run.report}")

    def _line(self, text: str) -> None:
        if self._status is not None:
            self._status.console.print(text, markup=False, highlight=False)
        else:
            _say(text)


def _say(text: str) -> None:
    """A line on standard output. Where nobody reads on (`| head`) the run goes on all the same: hosts are being changed."""
    try:
        typer.echo(text)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
