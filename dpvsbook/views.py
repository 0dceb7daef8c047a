"""What the results of a runbook look like: as text in a terminal, as a table in a notebook."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any

from dpvsbook.params import Params
from dpvsbook.plan import Plan

STYLE = """<style>
.dpvsbook{font-family:system-ui,sans-serif;font-size:13px;line-height:1.45;margin:.3em 0}
.dpvsbook table{border-collapse:collapse;margin:.4em 0}
.dpvsbook th,.dpvsbook td{text-align:left!important;padding:.25em .8em .25em 0;border-bottom:1px solid #8884;vertical-align:top}
.dpvsbook th{font-weight:600;opacity:.75}
.dpvsbook code{font-size:12px;background:#8881;padding:0 .25em;border-radius:3px;white-space:pre-wrap}
.dpvsbook .badge{display:inline-block;padding:.05em .6em;border-radius:1em;color:#fff;font-weight:600;font-size:12px}
.dpvsbook .note{opacity:.75}
</style>"""

LEFT = 'style="text-align:left"'
"""On each cell: JupyterLab takes the style sheet out of a notebook that it doesn't trust, an archived one say, and keeps these."""
COLOUR = {"ok": "#1a7f4b", "todo": "#b3730a", "bad": "#c0362c", "idle": "#64748b"}
TONE = {
    "converged": "ok",
    "applied": "ok",
    "taken back": "ok",
    "passed": "ok",
    "changes-pending": "todo",
    "planned": "todo",
    "warned": "todo",
    "failed": "bad",
    "nothing to do": "idle",
}
SHOWN = 40
"""Rows of a plan that a cell shows; the record and its report have them all."""


class View:
    """A result that shows itself: `title`, `badge` and a table."""

    title: str
    badge: str

    def rows(self) -> tuple[Sequence[str], list[Sequence[str]]]:
        """The header and the rows of the table."""
        raise NotImplementedError

    def notes(self) -> Iterable[str]:
        """Lines below the table."""
        return ()

    def __repr__(self) -> str:
        header, rows = self.rows()
        rows = [[str(cell).removeprefix("$ ").replace("\n$ ", "; ") for cell in row] for row in rows]
        widths = [max(len(str(row[i])) for row in [header, *rows]) for i in range(len(header))]
        lines = [f"{self.title}: {self.badge}"]
        lines += ["  " + "  ".join(str(cell).ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
        return "\n".join([*lines, *(f"  {note}" for note in self.notes())])

    def _repr_html_(self) -> str:
        header, rows = self.rows()
        head = "".join(f"<th {LEFT}>{escape(cell)}</th>" for cell in header)
        body = "".join("<tr>" + "".join(f"<td {LEFT}>{_cell(cell)}</td>" for cell in row) + "</tr>" for row in rows)
        table = f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>" if rows else ""
        notes = "".join(f"<div class='note'>{escape(note)}</div>" for note in self.notes())
        colour = COLOUR[TONE.get(self.badge, "idle")]
        badge = f"<span class='badge' style='background-color:{colour};color:#fff'>&nbsp;{escape(self.badge)}&nbsp;</span>"
        return f"{STYLE}<div class='dpvsbook'><b>{escape(self.title)}</b> {badge}{table}{notes}</div>"


def _cell(text: str) -> str:
    return "<br>".join(f"<code>{escape(line[2:])}</code>" if line.startswith("$ ") else escape(line) for line in str(text).split("\n"))


@dataclass(frozen=True, repr=False)
class StepView(View):
    """One step's plan on every director, and what became of it."""

    name: str
    title: str
    mode: str
    badge: str
    plans: tuple[Plan, ...]
    seconds: float

    def rows(self) -> tuple[Sequence[str], list[Sequence[str]]]:
        several = len(self.plans) > 1
        rows: list[Sequence[str]] = []
        for plan in self.plans:
            for change in plan.changes:
                commands = "\n".join(f"$ {' '.join(argv)}" for argv in change.commands)
                rows.append([*([plan.director] if several else []), change.action, change.key, change.reason, commands])
        return [*(["director"] if several else []), "", "what", "why", "commands"], rows[:SHOWN]

    def notes(self) -> Iterable[str]:
        changes = sum(len(plan.changes) for plan in self.plans)
        if changes > SHOWN:
            yield f"… and {changes - SHOWN} more: the record has them all."
        if self.mode == "preview" and changes:
            yield 'Preview: nothing was sent. mode = "apply" does this.'
        for plan in self.plans:
            for item in plan.drift[:SHOWN]:
                yield f"Drift, left alone: {item.detail} ({plan.director})"

    @property
    def changes(self) -> int:
        """How many changes the step has on all directors."""
        return sum(len(plan.changes) for plan in self.plans)


@dataclass(frozen=True, repr=False)
class ChecksView(View):
    """Checks: name, passed or not, what was seen."""

    title: str
    checks: Sequence[tuple[str, bool, str]]
    note: str = ""

    @property
    def badge(self) -> str:  # type: ignore[override]
        """Passed only if every check is."""
        return "failed" if any(not ok for _, ok, _ in self.checks) else "passed" if self.checks else "nothing to do"

    def rows(self) -> tuple[Sequence[str], list[Sequence[str]]]:
        return ["", "check", "seen"], [["✓" if ok else "✗", name, detail] for name, ok, detail in self.checks]

    def notes(self) -> Iterable[str]:
        return [self.note] if self.note else []


@dataclass(frozen=True, repr=False)
class OpenView(View):
    """What a book is bound to: the picture of the topology, the hosts and who they say they are."""

    params: Params
    mode: str
    hosts: Sequence[Mapping[str, Any]]
    record: Path

    @property
    def title(self) -> str:  # type: ignore[override]
        return self.params.name

    @property
    def badge(self) -> str:  # type: ignore[override]
        return self.mode

    def rows(self) -> tuple[Sequence[str], list[Sequence[str]]]:
        return ["host", "role", "says it is", "system", "dpvs", "host key"], [
            [row["host"], row["role"], row["hostname"], row["system"], row["dpvs"] or "", row["host_key"] or ""] for row in self.hosts
        ]

    def notes(self) -> Iterable[str]:
        directors = ", ".join(d.name for d in self.params.directors)
        touched = f"This run may change what dpvs holds on {directors}" + (
            ", and removes there what the params don't have (prune)." if self.params.prune else "."
        )
        yield touched if self.mode != "preview" else f"Preview: nothing is changed. Applied, it may change what dpvs holds on {directors}."
        yield from (f"{row['restarted']}." for row in self.hosts if row.get("restarted"))
        yield f"Record: {self.record}"

    def _repr_html_(self) -> str:
        from dpvsbook import plots

        # A picture by itself: JupyterLab shows it in an untrusted notebook too, where it takes an inline <svg> apart.
        svg = base64.b64encode(plots.topology(self.params).encode()).decode()
        return f'<img alt="topology of {escape(self.params.name)}" src="data:image/svg+xml;base64,{svg}">{super()._repr_html_()}'


@dataclass(frozen=True, repr=False)
class VerdictView(View):
    """How the run ended, and where its record is."""

    badge: str
    detail: str
    record: Path
    title: str = "Verdict"

    def rows(self) -> tuple[Sequence[str], list[Sequence[str]]]:
        return ["", ""], []

    def notes(self) -> Iterable[str]:
        return [self.detail, f"Record: {self.record}"]


@dataclass(frozen=True, repr=False)
class LooksView:
    """What commands printed, as they printed it: (host, command, output)."""

    looks: Sequence[tuple[str, str, str]]

    def __repr__(self) -> str:
        return "\n".join(f"{host}$ {command}\n{output}" for host, command, output in self.looks)

    def _repr_html_(self) -> str:
        blocks = (f"<code>{escape(host)}$ {escape(command)}</code><pre>{escape(output)}</pre>" for host, command, output in self.looks)
        return f"{STYLE}<div class='dpvsbook'>{''.join(blocks)}</div>"
