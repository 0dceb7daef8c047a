"""Whatever ends a run, each cell is what it is: completed, failed or pending; in the result, in record.json and in the notebook."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path

import nbformat
import pytest

from dpvsbook import records, runs

from .conftest import ATTACH, CONVERGED, PARAMS, Make, entry, notebook, states

Go = Callable[..., runs.Run]
STUBBORN = "import time\nwhile True:\n    try:\n        time.sleep(60)\n    except KeyboardInterrupt:\n        pass"


def test_a_run_that_says_and_is_converged(run: Go) -> None:
    events: list[str] = []
    found = run(ATTACH, f"print(mode, params)\n{CONVERGED}", on_event=lambda event: events.append(event["kind"]))
    assert (found.verdict, found.detail, found.exit_code, found.warnings) == ("converged", "all is well", 0, ())
    assert states(found) == {"cell-0": "completed", "cell-1": "completed"}
    assert found.record is not None
    assert found.report == found.record / "report.html"
    assert records.verify(found.record) == []
    assert events.count("verdict") == 1
    assert events.index("verdict") < max(index for index, kind in enumerate(events) if kind == "cell")
    nbformat.validate(nbformat.reads((found.record / "notebook.ipynb").read_text(), as_version=4))
    shown = "".join(text for cell in notebook(found)["cells"] for out in cell.get("outputs", ()) for text in out.get("text", ""))
    assert f"apply {PARAMS}" in shown
    assert entry(found).document["kernel"] == {"transport": "ipc"}
    assert not (found.record / ".reserve").exists()


def test_a_run_that_verified_nothing_has_failed(run: Go) -> None:
    found = run("1 + 1")
    assert (found.verdict, found.exit_code) == ("failed", 3)
    assert "nothing was verified" in found.detail


@pytest.mark.parametrize(
    ("source", "detail"),
    [
        ("1 / 0", "ZeroDivisionError"),
        ("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", "the kernel was killed by SIGKILL"),
        ("import os; os._exit(7)", "the kernel exited with code 7"),
        ("raise SystemExit(0)", "SystemExit"),
    ],
)
def test_the_cell_that_broke_has_failed_and_the_rest_is_pending(run: Go, source: str, detail: str) -> None:
    found = run(ATTACH, f"{CONVERGED}\n{source}", "print('never')")
    assert found.verdict == "failed"
    assert detail in found.detail
    assert states(found) == {"cell-0": "completed", "cell-1": "failed", "cell-2": "pending"}
    assert {cell["id"]: cell["status"] for cell in entry(found).document["cells"] if cell["id"].startswith("cell")} == states(found)
    in_notebook = {cell["id"]: cell["metadata"]["papermill"]["status"] for cell in notebook(found)["cells"]}
    assert {name: in_notebook[name] for name in states(found)} == states(found)
    failed = next(cell for cell in notebook(found)["cells"] if cell["id"] == "cell-1")
    assert "error" in {out["output_type"] for out in failed["outputs"]}


def test_an_error_is_an_error_whatever_the_tag_says(runbook: Make, tmp_path: Path) -> None:
    path = runbook(ATTACH, CONVERGED + "; 1 / 0")
    path.write_text(path.read_text().replace('"tags": []', '"tags": ["raises-exception", "skip-execution"]'))
    found = runs.run(path, PARAMS, mode="apply", outputs=tmp_path / "outputs")
    assert states(found) == {"cell-0": "completed", "cell-1": "failed"}


@pytest.mark.parametrize(
    ("source", "limits", "detail"),
    [
        ("import time; time.sleep(60)", runs.Limits(cell=0.5), "the cell took longer than 0.5 s"),
        ("import time; time.sleep(60)", runs.Limits(run=8), "the run took longer than 8 s"),
        (STUBBORN, runs.Limits(cell=0.5, grace=0.5), "the cell took longer than 0.5 s"),
    ],
)
def test_a_timeout_is_a_failure(run: Go, source: str, limits: runs.Limits, detail: str) -> None:
    started = time.monotonic()
    found = run(source, "1", limits=limits)
    assert time.monotonic() - started < 30
    assert (found.verdict, found.detail) == ("failed", f"cell 'cell-0': {detail}")
    assert states(found) == {"cell-0": "failed", "cell-1": "pending"}


def interrupting(times: int) -> Callable[[object], None]:
    """An on_event that sends this process SIGINT, as Ctrl-C does, once a cell's "ready" event is seen."""
    sent = threading.Event()

    def on_event(event: object) -> None:
        if isinstance(event, dict) and event["kind"] == "ready" and not sent.is_set():
            sent.set()
            for _ in range(times):
                os.kill(os.getpid(), signal.SIGINT)

    return on_event


@pytest.mark.skipif(os.name != "posix", reason="signals")
@pytest.mark.parametrize(
    ("source", "times", "state"),
    [
        ("time.sleep(60)", 1, "failed"),
        ("try:\n    time.sleep(60)\nexcept KeyboardInterrupt:\n    record.event('batch', ended=True)", 1, "completed"),
        (STUBBORN, 2, "failed"),
    ],
)
def test_ctrl_c_lets_a_cell_end_what_it_is_doing_and_a_second_one_does_not(run: Go, source: str, times: int, state: str) -> None:
    handler = signal.getsignal(signal.SIGINT)
    cell = f"{ATTACH}\nimport time\nrecord.event('ready')\n{source}"
    found = run(cell, CONVERGED, on_event=interrupting(times))
    assert (found.verdict, found.detail, found.exit_code) == ("interrupted", "Ctrl-C", 3)
    assert states(found) == {"cell-0": state, "cell-1": "pending"}
    assert signal.getsignal(signal.SIGINT) is handler
    if state == "completed":
        assert next(entry(found).journal().of("batch"))["ended"] is True


def test_a_run_can_be_stopped_from_another_thread(run: Go) -> None:
    control = runs.Control()
    found = run("import time; time.sleep(60)", control=control, on_event=lambda event: _stop(control, event))
    assert found.verdict == "interrupted"
    assert found.detail == "enough"


def _stop(control: runs.Control, event: object) -> None:
    if isinstance(event, dict) and event.get("id") == "cell-0" and event.get("status") == "running":
        threading.Thread(target=control.interrupt, args=("enough",)).start()


def test_nothing_is_left_behind(run: Go, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import tempfile

    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    found = run("import os; print(os.getpid())")
    (text,) = [out["text"] for cell in notebook(found)["cells"] for out in cell.get("outputs", ())]
    with pytest.raises(ProcessLookupError):
        os.kill(int("".join(text)), 0)
    assert not list(tmp_path.glob("dpvsbook-*"))


def test_a_long_temporary_folder_does_not_break_the_sockets(run: Go, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import tempfile

    deep = tmp_path / ("d" * 90)
    deep.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(deep))
    assert states(run("1")) == {"cell-0": "completed"}


def test_a_resumed_run_says_what_it_goes_on_from(run: Go) -> None:
    first = run("1 / 0")
    found = run(f"{ATTACH}\nassert os.environ['DPVSBOOK_RESUME'] == '1'", CONVERGED, resume=True)
    assert found.verdict == "converged"
    assert entry(found).document["resumes"] == entry(first).name


def test_a_report_that_fails_is_told_and_changes_no_verdict(run: Go, monkeypatch: pytest.MonkeyPatch) -> None:
    from dpvsbook import report

    monkeypatch.setattr(report, "render", lambda _: 1 / 0)
    found = run(ATTACH, CONVERGED)
    assert found.verdict == "converged"
    assert "the report couldn't be written" in found.warnings[0]
