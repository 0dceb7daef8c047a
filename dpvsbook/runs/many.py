"""Many runs at once, each in its own process. They are forked from one that has imported what a run needs, where forking is to be had."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dpvsbook.errors import DpvsbookError
from dpvsbook.runs.control import Control, signals
from dpvsbook.runs.engine import Limits
from dpvsbook.runs.run import Run, run
from dpvsbook.runs.verdict import Cell

OnEvent = Callable[[str, Mapping[str, Any]], None]


@dataclass(frozen=True, slots=True)
class Job:
    """What one run is to do: the arguments of `run`, as text that can be sent to another process."""

    notebook: str
    params_file: str
    mode: str
    outputs: str
    ssh_config: str | None = None
    resume: bool = False
    extra: Mapping[str, Any] | None = None
    timeout: float | None = None
    cell_timeout: float | None = None

    def run(self, on_event: Callable[[Mapping[str, Any]], None], control: Control, seedling: Any = None) -> Run:
        """Does it in this process. Nothing that a person can mend is raised: it is the verdict."""
        try:
            return run(
                Path(self.notebook),
                Path(self.params_file),
                mode=self.mode,
                outputs=Path(self.outputs),
                ssh_config=Path(self.ssh_config) if self.ssh_config else None,
                resume=self.resume,
                extra=self.extra,
                on_event=on_event,
                control=control,
                limits=Limits(cell=self.cell_timeout, run=self.timeout),
                seedling=seedling,
            )
        except DpvsbookError as error:
            return self.failed(str(error), bad_params=error.exit_code == 4)

    def failed(self, detail: str, *, bad_params: bool = False, interrupted: bool = False) -> Run:
        """The result of a run that never began, or whose process is gone."""
        verdict = "bad-params" if bad_params else "interrupted" if interrupted else "failed"
        return Run(Path(self.notebook), Path(self.params_file), self.mode, verdict, detail)  # type: ignore[arg-type]


def run_many(
    notebook: Path,
    params_files: Sequence[Path],
    *,
    mode: str = "preview",
    outputs: Path = Path("outputs"),
    ssh_config: Path | None = None,
    resume: bool = False,
    extra: Mapping[str, Any] | None = None,
    timeout: float | None = None,
    cell_timeout: float | None = None,
    jobs: int = 1,
    on_event: OnEvent | None = None,
    control: Control | None = None,
) -> list[Run]:
    """Runs a notebook once for every params file, at most `jobs` at a time, and gives the results in their order.

    `on_event(label, event)` gets what `run`'s does, with the name of the run (its params file's stem). Ctrl-C and SIGTERM go to every run.
    One run alone is executed in this process.
    """
    ssh = None if ssh_config is None else str(Path(ssh_config).absolute())
    todo = [Job(str(notebook), str(file), mode, str(outputs), ssh, resume, extra, timeout, cell_timeout) for file in params_files]
    labels = _labels(params_files)
    tell = on_event or (lambda _label, _event: None)
    control = control or Control()
    if len(todo) == 1:
        return [todo[0].run(lambda event: tell(labels[0], event), control)]
    lock = threading.Lock()

    def one(number: int) -> Run:
        if control.requests:
            return todo[number].failed("interrupted before it began", interrupted=True)

        def report(event: Mapping[str, Any]) -> None:
            with lock:
                tell(labels[number], event)

        with pool.start(todo[number]) as worker:
            return worker.follow(todo[number], report)

    with (
        Pool() as pool,
        signals(control),
        control.listening(lambda: pool.interrupt(control.reason)),
        ThreadPoolExecutor(max_workers=jobs, thread_name_prefix="dpvsbook-run") as threads,
    ):
        futures = {threads.submit(one, number): number for number in range(len(todo))}
        results = {futures[future]: future.result() for future in as_completed(futures)}
    return [results[number] for number in range(len(todo))]


def _labels(files: Sequence[Path]) -> list[str]:
    stems = [Path(file).stem for file in files]
    return stems if len(set(stems)) == len(stems) else [f"{stem}#{number}" for number, stem in enumerate(stems, 1)]


class Worker:
    """The process of one run, seen from here: its events come as lines, requests to stop go as lines; a closed channel ends it."""

    def __init__(self, channel: socket.socket, process: subprocess.Popen[bytes] | None) -> None:
        self.channel, self.process = channel, process

    def interrupt(self, reason: str) -> None:
        with contextlib.suppress(OSError):
            self.channel.sendall(json.dumps({"interrupt": reason}).encode() + b"\n")

    def follow(self, job: Job, on_event: Callable[[Mapping[str, Any]], None]) -> Run:
        """Passes the events on until the result comes. A process that went without one has failed."""
        with self.channel.makefile("rb") as lines:
            for line in lines:
                message = json.loads(line)
                if "event" in message:
                    on_event(message["event"])
                elif "result" in message:
                    return decode(message["result"])
        return job.failed("the process of the run died; its record says how far it came (`dpvsbook records list`)")

    def close(self) -> None:
        self.channel.close()
        if self.process is not None:
            self.process.wait()


class Pool:
    """Starts workers: forked from one warm process where that is possible, else each as a fresh one."""

    def __init__(self, *, preload: bool = True) -> None:
        self._workers: set[Worker] = set()
        self._lock = threading.Lock()
        self._nursery = Nursery() if preload and hasattr(os, "fork") and hasattr(socket, "send_fds") else None

    def __enter__(self) -> Pool:
        return self

    def __exit__(self, *_: object) -> None:
        if self._nursery is not None:
            self._nursery.close()

    @contextlib.contextmanager
    def start(self, job: Job) -> Iterator[Worker]:
        """A worker for a job, which has begun."""
        worker = self._start(job)
        with self._lock:
            self._workers.add(worker)
        try:
            yield worker
        finally:
            with self._lock:
                self._workers.discard(worker)
            worker.close()

    def _start(self, job: Job) -> Worker:
        ours, theirs = socket.socketpair()
        with theirs:
            if self._nursery is not None and self._nursery.fork(job, theirs):
                return Worker(ours, None)
            process = _spawn("one", theirs)
        ours.sendall(encode(job) + b"\n")
        return Worker(ours, process)

    def interrupt(self, reason: str) -> None:
        """Passes a request to stop on to every run. Called from a signal handler, so it takes no lock."""
        for worker in tuple(self._workers):
            worker.interrupt(reason)


class Nursery:
    """The warm process: it has imported everything and does nothing but fork."""

    def __init__(self) -> None:
        self._socket, theirs = socket.socketpair()
        with theirs:
            self._process = _spawn("nursery", theirs)
        self._lock = threading.Lock()

    def fork(self, job: Job, channel: socket.socket) -> bool:
        """Has it fork a worker that talks over `channel`. False: it is gone, use another way."""
        order = encode(job)
        try:
            with self._lock:
                socket.send_fds(self._socket, [len(order).to_bytes(4, "big")], [channel.fileno()])
                self._socket.sendall(order)
        except OSError:
            return False
        return self._process.poll() is None

    def close(self) -> None:
        self._socket.close()
        self._process.wait()


def _spawn(role: str, channel: socket.socket) -> subprocess.Popen[bytes]:
    """A fresh process that talks over `channel`; in a session of its own, since Ctrl-C is passed on to it as a message."""
    command = [sys.executable, "-m", "dpvsbook.runs.worker", role]
    if os.name == "posix":
        return subprocess.Popen(
            [*command, str(channel.fileno())], stdin=subprocess.DEVNULL, pass_fds=[channel.fileno()], start_new_session=True
        )
    process = subprocess.Popen([*command, "-"], stdin=subprocess.PIPE)
    assert process.stdin is not None  # noqa: S101 - we asked for it
    process.stdin.write(channel.share(process.pid))  # type: ignore[attr-defined,unused-ignore]
    process.stdin.close()
    return process


def encode(job: Job) -> bytes:
    """A job as one line."""
    return json.dumps({name: getattr(job, name) for name in job.__dataclass_fields__}).encode()


def decode_job(data: bytes) -> Job:
    """What `encode` made."""
    return Job(**json.loads(data))


def encode_run(result: Run) -> dict[str, Any]:
    """A result as JSON holds it."""
    cells = [{name: getattr(cell, name) for name in cell.__dataclass_fields__} for cell in result.cells]
    return {
        "notebook": str(result.notebook),
        "params_file": str(result.params_file),
        "mode": result.mode,
        "verdict": result.verdict,
        "detail": result.detail,
        "record": None if result.record is None else str(result.record),
        "cells": cells,
        "seconds": result.seconds,
        "root": result.root,
        "warnings": list(result.warnings),
    }


def decode(data: Mapping[str, Any]) -> Run:
    """What `encode_run` made."""
    return Run(
        notebook=Path(data["notebook"]),
        params_file=Path(data["params_file"]),
        mode=data["mode"],
        verdict=data["verdict"],
        detail=data["detail"],
        record=None if data["record"] is None else Path(data["record"]),
        cells=tuple(Cell(**cell) for cell in data["cells"]),
        seconds=data["seconds"],
        root=data["root"],
        warnings=tuple(data["warnings"]),
    )
