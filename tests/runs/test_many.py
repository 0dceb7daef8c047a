"""Many runs at once, each in a process of its own: what happens to one doesn't happen to the others."""

from __future__ import annotations

import json
import os
import shutil
import signal
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from dpvsbook import records, runs
from dpvsbook.runs import many

from .conftest import ATTACH, CONVERGED, PARAMS, Make, states

posix = pytest.mark.skipif(os.name != "posix", reason="signals and fork")


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
    fatal = f"{ATTACH}\nimport signal\nif 'south' in params:\n    os.kill(os.getppid(), signal.SIGKILL)\n    import time; time.sleep(60)"
    found = runs.run_many(runbook(fatal, CONVERGED), clusters, mode="apply", outputs=tmp_path / "outputs", jobs=3)
    assert [result.verdict for result in found] == ["converged", "failed", "converged"]
    assert "the process of the run died" in found[1].detail
    left = [entry for entry in records.listing(tmp_path / "outputs") if entry.verdict == "running"]
    assert len(left) == 1  # its record says that it never ended
    assert records.verify(left[0].path) != []


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
