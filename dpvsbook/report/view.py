"""A record as its report shows it: read, grouped by step, cut where a page would burst. All of it was scrubbed when it was written."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from dpvsbook import records
from dpvsbook.plots.topology import topology

CHANGES_SHOWN = 300  # rows of a step's plan; the rest is in record.json
LOG_SHOWN = 400_000  # characters of a host's log; the rest is in log/

VERDICTS: Mapping[str, tuple[str, str]] = {
    "converged": ("good", "Converged"),
    "changes-pending": ("todo", "Changes pending"),
    "failed": ("bad", "Failed"),
    "interrupted": ("bad", "Interrupted"),
    "unreachable": ("bad", "Unreachable"),
    "bad-params": ("bad", "Bad params"),
    "running": ("idle", "Not ended"),
}
TONES: Mapping[str, str] = {
    "applied": "good",
    "passed": "good",
    "taken back": "good",
    "read back": "good",
    "completed": "good",
    "planned": "todo",
    "warned": "todo",
    "not sent": "idle",
    "nothing to do": "idle",
    "pending": "idle",
    "failed": "bad",
    "not there": "bad",
    "not known": "bad",
}


@dataclass
class Step:
    """One step: its changes (all directors), how many there are beyond those shown, and how it ended."""

    name: str
    title: str
    status: str
    tone: str
    seconds: float | None
    detail: str
    changes: list[dict[str, Any]]
    more: int
    drift: list[dict[str, Any]]
    results: str
    notes: list[str]


@dataclass
class Log:
    """A host's log, cut at the front if it is long."""

    host: str
    text: str
    commands: int
    cut: bool
    file: str


@dataclass
class Figure:
    """A plot: plotly's own JSON, and the file with its numbers ("" if there is none)."""

    name: str
    figure: dict[str, Any]
    title: str
    csv: str


@dataclass
class View:
    """What the template is given. `document` is record.json."""

    document: dict[str, Any]
    name: str
    tone: str
    verdict: str
    topology: str
    facts: list[tuple[str, str, str]]
    steps: list[Step]
    checks: list[dict[str, Any]]
    hosts: list[tuple[str, dict[str, Any]]]
    figures: list[Figure]
    logs: list[Log]
    cells: list[dict[str, Any]]
    params: str
    failed_cell: dict[str, Any] | None
    several_directors: bool
    plotly: str = ""
    tones: Mapping[str, str] = field(default_factory=lambda: TONES)


def build(path: Path) -> View:
    """Reads a record for its report."""
    entry = records.read(path)
    document = entry.document
    tone, verdict = VERDICTS.get(entry.verdict, ("idle", entry.verdict))
    if (entry.mode, entry.verdict) == ("undo", "converged"):
        verdict = "Taken back"
    params = document.get("params") or {}
    cells = list(document.get("cells", ()))
    journal = entry.journal()
    return View(
        document=document,
        name=entry.name,
        tone=tone,
        verdict=verdict,
        topology=topology(params) if params.get("directors") else "",
        facts=_facts(entry),
        steps=_steps(document),
        checks=list(document.get("checks", ())),
        hosts=list(document.get("hosts", {}).items()),
        figures=_figures(path, journal),
        logs=_logs(path, journal),
        cells=cells,
        params=json.dumps(params, indent=2, ensure_ascii=False),
        failed_cell=next((cell for cell in cells if cell["status"] == "failed"), None),
        several_directors=len(params.get("directors", ())) > 1,
    )


def when(text: str) -> str:
    """A time of the record, for people."""
    try:
        return f"{datetime.fromisoformat(text):%Y-%m-%d %H:%M:%S} UTC"
    except ValueError:
        return text


def _facts(entry: records.Entry) -> list[tuple[str, str, str]]:
    """Label, value, and a longer form for the tooltip."""
    document = entry.document
    tools = document.get("tools", {})
    notebook = document.get("notebook") or {}
    mode = {"preview": "preview: nothing was sent", "apply": "apply", "undo": "undo"}.get(entry.mode, entry.mode)
    versions = sorted({str(host["dpvs"]) for host in document.get("hosts", {}).values() if host.get("dpvs")})
    facts = [
        ("Mode", mode, ""),
        ("Started", when(entry.started), entry.started),
        ("Took", f"{entry.seconds:.1f} s" if entry.seconds is not None else "", ""),
        ("By", entry.who, ""),
        ("Params", str(document.get("params_file", "")), ""),
        ("Params SHA-256", entry.params_sha256[:16], entry.params_sha256),
        ("Notebook", str(notebook.get("name", "")), ""),
        ("Notebook SHA-256", str(notebook.get("sha256", ""))[:16], str(notebook.get("sha256", ""))),
        ("DPVS", ", ".join(versions), ""),
        ("dpvsbook", f"{tools.get('dpvsbook', '')} on Python {tools.get('python', '')}", str(tools.get("platform", ""))),
        ("Goes on from", str(document.get("resumes") or ""), ""),
        ("Takes back", str(document.get("undoes") or ""), ""),
    ]
    return [fact for fact in facts if fact[1]]


def _steps(document: Mapping[str, Any]) -> list[Step]:
    """The steps in the order in which they ran; a step that has a plan and no end is there too: it is where the run stopped."""
    ended: dict[str, dict[str, Any]] = {}
    for step in document.get("steps", ()):
        ended[str(step.get("step", ""))] = step
    changes: dict[str, list[dict[str, Any]]] = {}
    for change in document.get("changes", ()):
        changes.setdefault(str(change["step"]), []).append(change)
    drift: dict[str, list[dict[str, Any]]] = {}
    for item in document.get("drift", ()):
        drift.setdefault(str(item["step"]), []).append(item)
    return [_step(name, ended.get(name), changes.get(name, []), drift.get(name, [])) for name in dict.fromkeys([*ended, *changes, *drift])]


def _step(name: str, end: Mapping[str, Any] | None, changes: list[dict[str, Any]], drift: list[dict[str, Any]]) -> Step:
    status = str(end.get("status", "")) if end else "not ended"
    counts = Counter(str(change["result"]) for change in changes)
    return Step(
        name=name,
        title=str((end or {}).get("title") or name.capitalize()),
        status=status,
        tone=TONES.get(status, "bad" if end is None else "idle"),
        seconds=(end or {}).get("seconds"),
        detail=str((end or {}).get("detail") or ""),
        changes=changes[:CHANGES_SHOWN],
        more=max(0, len(changes) - CHANGES_SHOWN),
        drift=drift,
        results=", ".join(f"{count} {result}" for result, count in counts.items()),
        notes=[str(note) for note in (end or {}).get("notes") or ()],
    )


def _figures(path: Path, journal: records.Journal) -> list[Figure]:
    figures = []
    for name in dict.fromkeys(str(event["name"]) for event in journal.of("figure")):
        file = path / "data" / f"{name}.plotly.json"
        if not file.exists():
            continue
        figure = json.loads(file.read_text())
        title = figure.get("layout", {}).get("title", {})
        text = str(title.get("text", name) if isinstance(title, dict) else title)
        figure.get("layout", {}).pop("template", None)  # 7 kB of defaults each, none of them used
        numbers = next((f"data/{other}.csv" for other in (name, "connections") if (path / "data" / f"{other}.csv").exists()), "")
        figures.append(Figure(name, figure, text, numbers))
    return figures


def _logs(path: Path, journal: records.Journal) -> list[Log]:
    counts = Counter(str(event.get("host", "")) for event in journal.of("command"))
    logs = []
    for file in sorted((path / "log").glob("*.log")):
        text = file.read_text(errors="replace").rstrip()
        cut = len(text) > LOG_SHOWN
        logs.append(Log(file.stem, text[-LOG_SHOWN:] if cut else text, counts.get(file.stem, 0), cut, f"log/{file.name}"))
    return logs
