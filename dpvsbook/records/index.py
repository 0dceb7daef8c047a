"""The records under outputs/: find them, read them."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dpvsbook.records import journal, seal
from dpvsbook.records.assemble import NOT_SENT, PLANNED, assemble
from dpvsbook.records.files import RecordError
from dpvsbook.records.write import Record


@dataclass(frozen=True, slots=True)
class Entry:
    """A record, as read from its record.json. `document` has all of it."""

    path: Path
    document: dict[str, Any]

    @property
    def name(self) -> str:
        return f"{self.path.parent.name}/{self.path.name}"

    @property
    def runbook(self) -> str:
        return str(self.document.get("runbook", self.path.parent.name))

    @property
    def run_id(self) -> str:
        return str(self.document.get("run_id", ""))

    @property
    def verdict(self) -> str:
        return str(self.document.get("verdict", "unreadable"))

    @property
    def mode(self) -> str:
        return str(self.document.get("mode", ""))

    @property
    def started(self) -> str:
        return str(self.document.get("started", ""))

    @property
    def seconds(self) -> float | None:
        value = self.document.get("seconds")
        return float(value) if value is not None else None

    @property
    def who(self) -> str:
        return str(self.document.get("who", ""))

    @property
    def params_sha256(self) -> str:
        return str(self.document.get("params_sha256", ""))

    @property
    def changes(self) -> list[dict[str, Any]]:
        return list(self.document.get("changes", ()))

    @property
    def sealed(self) -> bool:
        return (self.path / seal.NAME).exists()

    def journal(self) -> journal.Journal:
        return journal.read(self.path)


def read(path: Path | str) -> Entry:
    """The record in a folder. One that never ended is completed from its journal, and its verdict stays "running"."""
    path = Path(path).absolute()
    try:
        document = json.loads((path / "record.json").read_text())
    except FileNotFoundError:
        raise RecordError(f"{path} is not a record: it has no record.json", remedy="`dpvsbook records list` names them.") from None
    except (OSError, ValueError) as error:
        raise RecordError(f"{path / 'record.json'}: can't be read: {error}") from error
    if not isinstance(document, dict):
        raise RecordError(f"{path / 'record.json'}: not a record")
    if "ended" not in document and "started" in document:
        document = assemble(document, journal.read(path))
    return Entry(path, document)


def listing(outputs: Path | str, *, runbook: str | None = None) -> list[Entry]:
    """Every record under `outputs`, the newest first. One that can't be read is listed with the verdict "unreadable"."""
    return sorted(_entries(Path(outputs), runbook), key=lambda entry: (entry.path.name.partition("-")[0], entry.started), reverse=True)


def _entries(outputs: Path, runbook: str | None) -> Iterator[Entry]:
    for path in outputs.glob(f"{runbook or '*'}/*/record.json"):
        try:
            yield read(path.parent)
        except RecordError as error:
            yield Entry(path.parent.absolute(), {"verdict": "unreadable", "detail": error.message})


def locate(outputs: Path | str, which: str) -> Path:
    """A record's folder: named by the folder, its name under outputs, (the start of) its run id, a runbook (its newest), or "latest".

    Raises RecordError when there is none, or more than one.
    """
    outputs = Path(outputs)
    for candidate in (Path(which), outputs / which):
        if (candidate / "record.json").exists():
            return candidate
    entries = listing(outputs)
    found = [entry for entry in entries if which in ("latest", entry.runbook)][:1]
    found = found or [entry for entry in entries if which and (entry.run_id.startswith(which) or entry.path.name.startswith(which))]
    if not found:
        raise RecordError(f"there is no record {which!r} under {outputs}", remedy="`dpvsbook records list` names them.")
    if len(found) > 1:
        raise RecordError(f"{which!r} may be any of {', '.join(entry.name for entry in found)}", remedy="Write more of its name.")
    return found[0].path


def latest(outputs: Path | str, runbook: str, params_sha256: str, *, verdicts: tuple[str, ...], mode: str) -> Entry | None:
    """The newest record of a runbook with the same params and mode, and one of the verdicts."""
    for entry in listing(outputs, runbook=runbook):
        if entry.params_sha256 == params_sha256 and entry.verdict in verdicts and entry.mode == mode:
            return entry
    return None


def opened_before(record: Record, host: str, host_key: str | None) -> tuple[str, dict[str, Any]]:
    """The newest other record of the same runbook that reached a host: its name, and what it noted of the host. ("", {}) for none.

    The host key tells one machine from another of that name. Only the beginnings of journals are read.
    """
    journals = [path for path in record.path.parent.glob(f"*/{journal.NAME}") if path.parent != record.path]
    for path in sorted(journals, key=lambda path: path.stat().st_mtime_ns, reverse=True):
        for event in journal.beginning(path.parent):
            for row in event.get("hosts", ()) if event["kind"] == "open" else ():
                if row.get("host") == host and row.get("host_key") == host_key:
                    return f"{path.parent.parent.name}/{path.parent.name}", row
    return "", {}


def applied_changes(
    outputs: Path | str, params_name: str, *, before: Record, kinds: Collection[str] = ()
) -> dict[str, list[dict[str, Any]]]:
    """What an undo takes back: by director, the changes that the last applied run of a cluster may have made, in their order.

    That run is the newest in apply mode, older than `before`, whose params have this name, that sent anything, and that no undo has
    taken back since. With `kinds`, only changes of these count: a run that wrote files on the hosts is another matter. `before` (the
    undo's own record) notes which one it is. What became of each change isn't trusted: undo looks.
    """
    undone: set[str] = set()
    for entry in listing(outputs):
        if entry.path == before.path or (entry.document.get("params") or {}).get("name") != params_name:
            continue
        if entry.mode == "undo" and entry.verdict == "converged" and entry.document.get("undoes"):
            undone.add(str(entry.document["undoes"]))
        sent = [
            change for change in entry.changes if change["result"] not in (PLANNED, NOT_SENT) and (not kinds or change.get("kind") in kinds)
        ]
        if entry.mode != "apply" or entry.name in undone or not sent:
            continue
        before.event("undoes", record=entry.name)
        by_director: dict[str, list[dict[str, Any]]] = {}
        for change in sent:
            by_director.setdefault(str(change["director"]), []).append(change)
        return by_director
    return {}
