"""One run: a notebook, a params file, a mode; a record in the end, whatever happens."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args

from dpvsbook import records
from dpvsbook.errors import DpvsbookError, ParamsError
from dpvsbook.records import EXIT_CODES, DiskFullError, Record, Verdict
from dpvsbook.records.journal import Follower, clean
from dpvsbook.runs import notebook as notebooks
from dpvsbook.runs.control import Control, signals
from dpvsbook.runs.engine import Execution, Hooks, Limits, execute
from dpvsbook.runs.kernel import Seedling
from dpvsbook.runs.verdict import Cell, judge

if TYPE_CHECKING:
    from dpvsbook.params import Params

OnEvent = Callable[[Mapping[str, Any]], None]
Mode = Literal["preview", "apply", "undo"]
_RESUMABLE = ("failed", "interrupted", "unreachable", "running")


@dataclass(frozen=True, slots=True)
class Run:
    """How a run ended. `record` is None only if it never began (bad params, no room for a record)."""

    notebook: Path
    params_file: Path
    mode: str
    verdict: Verdict
    detail: str = ""
    record: Path | None = None
    cells: tuple[Cell, ...] = ()
    seconds: float = 0.0
    root: str = ""  # the seal's root hash
    warnings: tuple[str, ...] = ()  # what went wrong beside the run itself (the report)

    @property
    def exit_code(self) -> int:
        return EXIT_CODES[self.verdict]

    @property
    def label(self) -> str:
        """What progress lines call it."""
        return self.params_file.stem

    @property
    def report(self) -> Path | None:
        """The report, if it was written."""
        path = self.record / "report.html" if self.record else None
        return path if path and path.exists() else None


def run(
    notebook: Path,
    params_file: Path,
    *,
    mode: str = "preview",
    outputs: Path = Path("outputs"),
    ssh_config: Path | None = None,
    resume: bool = False,
    extra: Mapping[str, Any] | None = None,
    on_event: OnEvent | None = None,
    control: Control | None = None,
    limits: Limits | None = None,
    seedling: Seedling | None = None,
) -> Run:
    """Executes a notebook, and gives the verdict. Ctrl-C and SIGTERM stop it in good order; a second one at once.

    `on_event` gets every event of the journal as it is written, and {"kind": "cell", …} as cells start and end.
    Raises ParamsError (before a kernel is started or a host touched) and RecordError; everything else is in the verdict.
    """
    from dpvsbook import params as parameters

    if mode not in get_args(Mode):
        raise ParamsError(f"mode {mode!r} is not one of {', '.join(get_args(Mode))}")
    book = notebooks.read(Path(notebook))
    desired = parameters.load(Path(params_file))
    document = book.prepared({"params": str(Path(params_file).absolute()), "mode": mode, **(extra or {})})
    _learn_secrets(desired)
    control = control or Control()
    record = Record.create(
        outputs,
        book.name,
        mode=mode,
        params=desired.model_dump(mode="json"),
        params_sha256=desired.sha256,
        params_file=params_file,
        notebook={"name": book.path.name, "sha256": book.sha256},
        parameters=document["metadata"]["papermill"]["parameters"],
        resumes=_resumed(outputs, book.name, desired.sha256, mode) if resume else None,
    )
    job = _Job(record, on_event or (lambda _: None))
    env = {"DPVSBOOK_RECORD": str(record.path), "DPVSBOOK_RESUME": "1" if resume else "", "DPVSBOOK_MODE": mode}
    if ssh_config is not None:
        env["DPVSBOOK_SSH_CONFIG"] = str(Path(ssh_config).absolute())
    with signals(control):
        try:
            done = _outside_any_loop(
                lambda: execute(
                    document,
                    cwd=book.path.absolute().parent,
                    env=env,
                    hooks=Hooks(job.write, job.cell, job.tick),
                    control=control,
                    limits=limits or Limits(),
                    seedling=seedling,
                )
            )
        except (DpvsbookError, OSError) as error:  # before the first cell: no kernel, no room
            done = Execution(document, stopped=str(error), error=error)
        job.tick()
        return _finish(job, Path(notebook), Path(params_file), mode, done)


class _Job:
    """What the engine reports to."""

    def __init__(self, record: Record, on_event: OnEvent) -> None:
        self.record, self.on_event = record, on_event
        self.follow = Follower(record.path)

    def write(self, document: Mapping[str, Any], last: bool) -> None:
        self.record.write_json("notebook.ipynb", document, sync=last)

    def cell(self, cell: Cell) -> None:
        self.tick()  # what happened in it comes before its end
        self.on_event({"kind": "cell", **clean(cell)})

    def tick(self) -> None:
        for event in self.follow():
            self.on_event(event)


def _finish(job: _Job, notebook: Path, params_file: Path, mode: str, done: Execution) -> Run:
    """The verdict, the record's last words, the report, the seal; on a full disk as much of that as there is room for."""
    record, warnings = job.record, []
    full = isinstance(done.error, DiskFullError)
    verdict, detail = judge(mode, done.cells, records.read(record.path).journal(), stopped=done.stopped, interrupted=done.interrupted)
    detail = str(clean(detail))
    cells = tuple(Cell(**clean(cell)) for cell in done.cells)
    summary = {"cells": cells, "kernel": {"transport": "ipc" if os.name == "posix" else "tcp (ipc is not to be had here)"}}
    seconds = 0.0
    try:
        seconds = float(record.finish(verdict, detail, **summary).get("seconds", 0.0))
    except DiskFullError as error:
        full, verdict, detail = True, "failed", str(error)
        warnings.append(f"the record isn't complete: {error}")
    if not full:
        warnings += _report(record)
    root = ""
    try:
        root = record.seal()
    except DpvsbookError as error:
        warnings.append(f"the record isn't sealed: {error}")
    job.tick()
    return Run(notebook, params_file, mode, verdict, detail, record.path, cells, seconds, root, tuple(warnings))


def _report(record: Record) -> list[str]:
    """Renders the report; a report that fails is told, and changes no verdict."""
    from dpvsbook import report

    try:
        report.write(record.path)
    except Exception as error:
        return [f"the report couldn't be written: {type(error).__name__}: {clean(str(error))}"]
    return []


def _resumed(outputs: Path, runbook: str, params_sha256: str, mode: str) -> str | None:
    """The record that this run goes on from: only said, never trusted; every step looks at the hosts again."""
    entry = records.latest(outputs, runbook, params_sha256, verdicts=_RESUMABLE, mode=mode)
    return entry.name if entry else None


def _learn_secrets(desired: Params) -> None:
    """Resolves what the params refer to, so that this process, too, can take it out of what it writes."""
    from dpvsbook import secrets

    secrets.learn(desired)


def _outside_any_loop(work: Callable[[], Execution]) -> Execution:
    """Calls `work`, in a thread of its own if an event loop runs in this one (in a notebook, in the panel)."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return work()
    found: list[Execution | BaseException] = []

    def call() -> None:
        try:
            found.append(work())
        except BaseException as error:
            found.append(error)

    thread = threading.Thread(target=call, name="dpvsbook-run")
    thread.start()
    thread.join()
    if isinstance(found[0], BaseException):
        raise found[0]
    return found[0]
