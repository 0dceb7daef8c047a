"""A disk that is full under outputs/ ends the run with a clear error; the verdict is "failed", and what was written can be read."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from dpvsbook import records, runs
from dpvsbook.records import DiskFullError, Record

from .conftest import ATTACH, CONVERGED, PARAMS, Make, entry, states


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 1.5 MB."""
    if sys.platform != "linux":
        pytest.skip("needs Linux")
    path = tmp_path / "small"
    path.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=1536k", "tmpfs", str(path)]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("may not mount")
    try:
        yield path
    finally:
        subprocess.run(["umount", "-l", str(path)], check=True)


FILL = f"{ATTACH}\nfor number in range(1000):\n    record.event('note', number=number, text='x' * 10_000)"


@pytest.mark.root
def test_a_disk_that_fills_up_in_a_run(runbook: Make, small_disk: Path) -> None:
    found = runs.run(runbook(FILL, CONVERGED), PARAMS, mode="apply", outputs=small_disk / "outputs")
    assert found.verdict == "failed"
    assert "No space left on device" in found.detail
    assert states(found) == {"cell-0": "failed", "cell-1": "pending"}
    kept = entry(found)
    assert kept.verdict == "failed"
    assert "No space left" in kept.document["detail"]
    assert len(list(kept.journal().of("note"))) > 50
    assert kept.document["cells"][-1]["status"] == "pending"
    assert found.record is not None
    assert records.verify(found.record) == []


@pytest.mark.root
def test_a_disk_that_is_full_before_a_run(runbook: Make, small_disk: Path) -> None:
    (small_disk / "ballast").write_bytes(b"\0" * 1_500_000)
    with pytest.raises(DiskFullError, match="No space left on device"):
        runs.run(runbook("1"), PARAMS, outputs=small_disk / "outputs")


def test_no_room_for_the_notebook_stops_the_run(runbook: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real, calls = Record.write_json, [0]

    def write_json(self: Record, name: str, document: dict[str, object], *, sync: bool = True) -> None:
        calls[0] += name == "notebook.ipynb"
        if name == "notebook.ipynb" and calls[0] > 5:  # the parameters, and the start of the cell after them
            raise DiskFullError(self.path / name, OSError(28, "No space left on device"))
        real(self, name, document, sync=sync)

    monkeypatch.setattr(Record, "write_json", write_json)
    found = runs.run(runbook(ATTACH, CONVERGED, "1"), PARAMS, mode="apply", outputs=tmp_path)
    assert found.verdict == "failed"
    assert "No space left on device" in found.detail
    assert "pending" in states(found).values()
    assert entry(found).verdict == "failed"
