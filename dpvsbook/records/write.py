"""The record of one run, written as it goes: `outputs/<runbook>/<UTC time>-<run id>/`.

record.json   what the run was and how it ended (verdict "running" until it did)
journal.jsonl what happened, an event a line
log/<host>.log  every command and what came back, as text
data/         the numbers behind every plot: <name>.csv, <name>.plotly.json
notebook.ipynb, report.html, seal.json   written by the run around the notebook
"""

from __future__ import annotations

import getpass
import json
import os
import platform
import secrets as entropy
import socket
import sys
import threading
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol, Self

from dpvsbook import __version__, secrets
from dpvsbook.records import files, journal
from dpvsbook.records.assemble import assemble
from dpvsbook.records.files import RecordError
from dpvsbook.secrets import scrub

if TYPE_CHECKING:
    import pandas
    import plotly.graph_objects

Verdict = Literal["running", "converged", "changes-pending", "failed", "interrupted", "unreachable", "bad-params"]
EXIT_CODES: Mapping[str, int] = {
    "converged": 0,
    "changes-pending": 2,
    "failed": 3,
    "interrupted": 3,
    "running": 3,
    "bad-params": 4,
    "unreachable": 5,
}
FORMAT = 1
LASTING = frozenset({"applying", "apply", "lost", "readback", "error", "verdict"})
"""The events around a change, and the end. The others reach the disk with the next of these, or when the system writes them."""
_JOURNAL_TEXT = 2000  # a command's text in the journal; the log has the whole of it


class CommandResult(Protocol):
    """What `Record.command` needs of a result (hosts.Result has it)."""

    @property
    def command(self) -> str: ...
    @property
    def exit(self) -> int | None: ...
    @property
    def stdout(self) -> str: ...
    @property
    def stderr(self) -> str: ...
    @property
    def seconds(self) -> float: ...
    @property
    def started(self) -> float: ...


class Record:
    """One run's record. Safe to use from several threads, and from the kernel and the run around it at once.

    Every text that it writes goes through `secrets.scrub`. Raises files.DiskFullError when there is no room left.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = threading.Lock()

    def __repr__(self) -> str:
        return f"Record({str(self.path)!r})"

    @property
    def outputs(self) -> Path:
        """The folder of all records."""
        return self.path.parent.parent

    @property
    def run_id(self) -> str:
        """The run's id, the end of the folder's name."""
        return self.path.name.partition("-")[2]

    @property
    def name(self) -> str:
        """`<runbook>/<time>-<run id>`: what other records call it."""
        return f"{self.path.parent.name}/{self.path.name}"

    @classmethod
    def create(
        cls,
        outputs: Path,
        runbook: str,
        *,
        mode: str,
        params: Mapping[str, Any],
        params_sha256: str,
        params_file: Path | str,
        run_id: str | None = None,
        **more: Any,
    ) -> Self:
        """Makes the folder and the first record.json. `more` goes into it as it is (notebook=…, resumes=…)."""
        started = datetime.now(UTC)
        run_id = run_id or entropy.token_hex(4)
        path = Path(outputs).absolute() / files.file_name(runbook) / f"{started:%Y%m%dT%H%M%SZ}-{files.file_name(run_id)}"
        try:
            path.mkdir(parents=True)
            (path / "log").mkdir()
            (path / "data").mkdir()
        except OSError as error:
            raise files.translate(path, error) from error
        record = cls(path)
        files.reserve(path)
        header = {
            "format": FORMAT,
            "runbook": runbook,
            "run_id": run_id,
            "mode": mode,
            "verdict": "running",
            "detail": "",
            "who": f"{_login()}@{socket.gethostname()}",
            "started": started.strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
            "params_file": str(params_file),
            "params_sha256": params_sha256,
            "params": params,
            "tools": {"dpvsbook": __version__, "python": platform.python_version()},  # finish has all of them
            **more,
        }
        record.write_json("record.json", header)
        record.event("start", mode=mode, runbook=runbook, params_file=str(params_file), params_sha256=params_sha256, pid=os.getpid())
        return record

    @classmethod
    def attach(cls, path: Path | str) -> Self:
        """The record of a run that is going on, made by somebody else (the kernel finds it by DPVSBOOK_RECORD)."""
        path = Path(path).absolute()
        if not (path / "record.json").exists():
            raise RecordError(f"{path} is not a record: it has no record.json")
        return cls(path)

    # -- as the run goes

    def event(self, kind: str, **data: Any) -> None:
        """Appends one event to the journal. What a power cut must not take away is on disk when this returns: see LASTING."""
        files.append(self.path / journal.NAME, journal.line(kind, data), sync=kind in LASTING)

    def command(self, host: str, result: CommandResult) -> None:
        """Appends a command with all that came back to the host's log, and a short event to the journal."""
        when = datetime.fromtimestamp(result.started, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        ended = "exit unknown: the connection was cut while it ran" if result.exit is None else f"exit={result.exit}"
        text = [f"# {when}", f"$ {result.command}"]
        if result.stdout:
            text.append(result.stdout.rstrip("\n"))
        if result.stderr:
            text += ["--stderr--", result.stderr.rstrip("\n")]
        text.append(f"[{ended} in {result.seconds:.3f} s]")
        with self._lock:
            log = self.path / "log" / f"{files.file_name(host)}.log"
            files.append(log, (scrub("\n".join(text)) + "\n\n").encode(errors="replace"))
        shown = result.command if len(result.command) <= _JOURNAL_TEXT else result.command[:_JOURNAL_TEXT] + " …"
        self.event("command", host=host, command=shown, exit=result.exit, seconds=round(result.seconds, 4))

    def table(self, name: str, frame: pandas.DataFrame) -> Path:
        """Keeps the numbers behind a plot or a check as data/<name>.csv."""
        path = self.path / "data" / f"{files.file_name(name)}.csv"
        texts = frame.select_dtypes(exclude=["number", "bool", "datetime"]).columns
        cleaned = frame.assign(**{column: frame[column].map(journal.clean) for column in texts})  # before quoting, which could hide them
        files.replace(path, cleaned.to_csv(index=False).encode())
        return path

    def figure(self, name: str, figure: plotly.graph_objects.Figure) -> Path:
        """Keeps a plot as data/<name>.plotly.json; the report draws it."""
        self.write_json(f"data/{files.file_name(name)}.plotly.json", json.loads(figure.to_json()))
        self.event("figure", name=files.file_name(name))
        return self.path / "data" / f"{files.file_name(name)}.plotly.json"

    # -- at the end

    def finish(self, verdict: Verdict, detail: str = "", **summary: Any) -> dict[str, Any]:
        """Writes the final record.json from the journal; `summary` goes into it as it is (cells=…, kernel=…). Gives it back.

        The room that was set aside at the start is freed first, so that this succeeds on a disk that is full.
        """
        files.release(self.path)
        try:
            if journal.is_cut(self.path):
                files.append(self.path / journal.NAME, b"\n")  # what follows must not be taken for the rest of a line that was cut
            self.event("finish", verdict=verdict, detail=detail)
        except files.DiskFullError:
            verdict = "failed" if verdict in ("converged", "changes-pending") else verdict
            detail = detail or "the disk is full"
        header = json.loads((self.path / "record.json").read_text())
        document = assemble(header, journal.read(self.path))
        document |= journal.clean(summary) | {
            "tools": _tools(),
            "verdict": verdict,
            "detail": scrub(detail),
            "exit_code": EXIT_CODES[verdict],
        }
        self.write_json("record.json", document)
        return document

    def seal(self) -> str:
        """Hashes every file into seal.json and makes them all read-only. Gives the root hash."""
        from dpvsbook.records.seal import seal

        files.release(self.path)
        return seal(self.path)

    def write(self, name: str, text: str) -> Path:
        """Writes another file of the record (the notebook, the report), atomically and without secrets."""
        path = self.path / name
        files.replace(path, scrub(text).encode())
        return path

    def write_json(self, name: str, document: Mapping[str, Any], *, sync: bool = True) -> None:
        """Writes a JSON file of the record, atomically and without secrets: a line for every key, and for every item of a list under it."""
        try:
            text = _document(journal.clean(document) if secrets.any_known() else document)
        except (TypeError, ValueError):
            text = _document(journal.clean(document))
        files.replace(self.path / name, text.encode(), sync=sync)


_JSON = json.JSONEncoder(ensure_ascii=False, allow_nan=False)


def _document(document: Mapping[str, Any]) -> str:
    lines = ",\n".join(f" {_JSON.encode(key)}: {_lines(value)}" for key, value in document.items())
    return f"{{\n{lines}\n}}\n"


def _lines(value: Any) -> str:
    """A value as JSON; a list of things that aren't plain has a line for each."""
    if isinstance(value, list) and any(isinstance(item, list | dict) for item in value):
        return "[\n" + ",\n".join(f"  {_JSON.encode(item)}" for item in value) + "\n ]"
    return _JSON.encode(value)


def _login() -> str:
    try:
        return os.environ.get("SUDO_USER") or getpass.getuser()
    except (OSError, KeyError):  # no such user id in a container
        return str(os.getuid()) if hasattr(os, "getuid") else "unknown"


def _tools() -> dict[str, str]:
    from importlib.metadata import PackageNotFoundError, version

    tools = {"python": platform.python_version(), "platform": f"{platform.system()} {platform.release()} {platform.machine()}"}
    for name in ("dpvsbook", "papermill", "nbclient", "ipykernel", "paramiko", "plotly"):
        try:
            tools[name] = version(name)
        except PackageNotFoundError:
            continue
    tools["executable"] = sys.executable
    return tools
