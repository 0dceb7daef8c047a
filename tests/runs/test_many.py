"""Many runs at once, each in a process of its own: what happens to one doesn't happen to the others."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from dpvsbook import records, runs
from dpvsbook.runs import many

from .conftest import ATTACH, CONVERGED, PARAMS, Make, states

posix = pytest.mark.skipif(os.name != "posix", reason="signals and fork")


@pytest.fixture(autouse=True)
def _own_temporary_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a run that is killed leaves behind goes with the test's own folder."""
    monkeypatch.setenv("TMPDIR", str(tmp_path))


@pytest.fixture
def clusters(tmp_path: Path) -> list[Path]:
    """Three params files."""
    return [Path(shutil.copy(PARAMS, tmp_path / f"{name}.yaml")) for name in ("north", "south", "west")]


def test_runs_at_once_each_with_its_process_and_its_record(runbook: Make, tmp_path: Path, clusters: list[Path]) -> None:
    told: dict[str, list[str]] = {}
    notebook = runbook(ATTACH, f"record.event('who', pid=os.getpid())\n{CONVERGED}")

    def on_event(label: str, event: Mapping[str, Any]) -> None:
        told.setdefault(label, []).append(str(event["kind"]))

    found = runs.run_many(notebook, clusters, mode="apply", outputs=tmp_path / "outputs", jobs=2, on_event=on_event)
    assert [result.verdict for result in found] == ["converged"] * 3
    assert [result.label for result in found] == ["north", "south", "west"]
    assert {result.warnings for result in found} == {()}
    assert set(told) == {"north", "south", "west"}
    assert all(kinds.count("verdict") == 1 and "cell" in kinds for kinds in told.values())
    paths = [result.record for result in found]
    assert len(set(paths)) == 3
    pids = {event["pid"] for path in paths if path for event in records.read(path).journal().of("who")}
    assert len(pids) == 3
    assert all(records.verify(path) == [] for path in paths if path)


def test_without_fork_each_run_is_a_fresh_process(
    runbook: Make, tmp_path: Path, clusters: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(os, "fork", raising=False)
    found = runs.run_many(runbook(ATTACH, CONVERGED), clusters[:2], mode="apply", outputs=tmp_path / "outputs", jobs=2)
    assert [result.verdict for result in found] == ["converged"] * 2


@posix
def test_a_run_whose_process_is_killed_has_failed_and_the_others_have_not(runbook: Make, tmp_path: Path, clusters: list[Path]) -> None:
    fatal = (
        f"{ATTACH}\nimport signal, time\nif 'south' in params:\n    record.event('who', pid=os.getpid())\n"
        "    os.kill(os.getppid(), signal.SIGKILL)\n    time.sleep(60)"
    )
    found = runs.run_many(runbook(fatal, CONVERGED), clusters, mode="apply", outputs=tmp_path / "outputs", jobs=3)
    assert [result.verdict for result in found] == ["converged", "failed", "converged"]
    assert "the process of the run died" in found[1].detail
    left = [entry for entry in records.listing(tmp_path / "outputs") if entry.verdict == "running"]
    assert len(left) == 1  # its record says that it never ended
    assert records.verify(left[0].path) != []
    (kernel,) = left[0].journal().of("who")
    assert gone(kernel["pid"])


def gone(pid: int, seconds: float = 20) -> bool:
    """Whether a process ends in time."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return True
        threading.Event().wait(0.05)
    return False


MAIN = """
import sys
from pathlib import Path
from dpvsbook import runs
if __name__ == "__main__":
    book, *params, outputs = map(Path, sys.argv[1:])
    found = runs.run_many(book, params, mode="apply", outputs=outputs, jobs=2, on_event=lambda _, e: print(e["kind"], flush=True))
    sys.exit(max(result.exit_code for result in found))
"""


@posix
@pytest.mark.parametrize("clusters_at_once", [1, 2])
def test_sigterm_ends_the_program_with_its_records_in_order(
    runbook: Make, tmp_path: Path, clusters: list[Path], clusters_at_once: int
) -> None:
    slow = f"{ATTACH}\nrecord.event('ready', pid=os.getpid())\nimport time; time.sleep(60)"
    outputs = tmp_path / "outputs"
    command = [sys.executable, "-c", MAIN, str(runbook(slow, "1")), *map(str, clusters[:clusters_at_once]), str(outputs)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    ready = 0
    while ready < clusters_at_once:
        ready += process.stdout.readline() == "ready\n"
    process.terminate()
    process.communicate()
    assert process.returncode == 3
    entries = records.listing(outputs)
    assert [(entry.verdict, entry.document["detail"]) for entry in entries] == [("interrupted", "SIGTERM")] * clusters_at_once
    assert all(records.verify(entry.path) == [] for entry in entries)


@posix
def test_the_runs_of_a_program_that_is_killed_stop_and_say_so(runbook: Make, tmp_path: Path, clusters: list[Path]) -> None:
    slow = f"{ATTACH}\nrecord.event('ready', pid=os.getpid())\nimport time; time.sleep(60)"
    outputs = tmp_path / "outputs"
    command = [sys.executable, "-c", MAIN, str(runbook(slow, "1")), *map(str, clusters[:2]), str(outputs)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    ready = 0
    while ready < 2:
        ready += process.stdout.readline() == "ready\n"
    process.kill()
    process.communicate()
    pids = [event["pid"] for entry in records.listing(outputs) for event in entry.journal().of("ready")]
    assert all(gone(pid) for pid in pids)
    until = time.monotonic() + 20
    while time.monotonic() < until and not all(entry.sealed for entry in records.listing(outputs)):
        threading.Event().wait(0.05)
    assert {entry.verdict for entry in records.listing(outputs)} == {"interrupted"}


@posix
def test_a_warm_process_that_dies_is_not_missed(
    runbook: Make, tmp_path: Path, clusters: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    class Stillborn(many.Nursery):
        def __init__(self) -> None:
            super().__init__()
            self._process.kill()
            self._process.wait()

    monkeypatch.setattr(many, "Nursery", Stillborn)
    found = runs.run_many(runbook(ATTACH, CONVERGED), clusters[:2], mode="apply", outputs=tmp_path / "outputs", jobs=2)
    assert [result.verdict for result in found] == ["converged"] * 2


@posix
def test_ctrl_c_reaches_every_run_and_those_that_wait_never_begin(runbook: Make, tmp_path: Path, clusters: list[Path]) -> None:
    slow = f"{ATTACH}\nrecord.event('ready')\nimport time; time.sleep(60)"
    ready = threading.Semaphore(0)

    def on_event(_: str, event: Mapping[str, Any]) -> None:
        if event["kind"] == "ready":
            ready.release()

    def press() -> None:
        ready.acquire()
        ready.acquire()
        os.kill(os.getpid(), signal.SIGINT)

    threading.Thread(target=press, daemon=True).start()
    found = runs.run_many(runbook(slow, "1"), clusters, mode="apply", outputs=tmp_path / "outputs", jobs=2, on_event=on_event)
    assert [result.verdict for result in found] == ["interrupted"] * 3
    assert [states(result) for result in found] == [{"cell-0": "failed", "cell-1": "pending"}] * 2 + [{}]
    assert found[2].record is None


def test_a_job_and_a_result_survive_the_way(tmp_path: Path) -> None:
    job = many.Job("book.ipynb", "params.yaml", "apply", "outputs", extra={"rate": 2.5})
    assert many.decode_job(many.encode(job)) == job
    run = runs.Run(
        Path("a"), Path("b"), "apply", "failed", "why", tmp_path, (runs.Cell(0, "a", "t", "failed", error="é"),), 1.5, "ff", ("w",)
    )
    assert many.decode(json.loads(json.dumps(many.encode_run(run)))) == run
