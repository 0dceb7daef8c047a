"""A secret canary, shown in every way that a notebook can show something: found nowhere in the record."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from dpvsbook import runs

from .conftest import ATTACH, CONVERGED, PARAMS, Make

CANARY = 'canary "quoted" <tag> é'
SHOW = f"""\
{ATTACH}
import sys
import pandas as pd
from IPython.display import HTML, display
from dpvsbook import secrets
from dpvsbook.plots import shares
secret = secrets.resolve("env:CANARY")
print(secret)
print(secret, file=sys.stderr)
display(HTML(secret))
display({{"nested": [secret]}})
record.event("note", text=secret, **{{secret: [secret, {{"deep": secret}}]}})
record.table("numbers", pd.DataFrame([{{"text": secret, "number": 1}}]))
record.figure("figure", shares({{secret: 1}}, {{}}))
class Result:
    command, exit, stdout, stderr, seconds, started = secret, 0, secret, secret, 0.1, 0.0
record.command("lb1", Result)
record.event("check", name=secret, ok=True, detail=secret)
record.event("error", message=secret, exit_code=3)
raise ValueError(secret)
"""


@pytest.fixture
def secretive(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Params that refer to the secret."""
    monkeypatch.setenv("CANARY", CANARY)
    path = tmp_path / "secretive.yaml"
    path.write_text(PARAMS.read_text().replace("ssh: {user: root}", 'ssh: {user: root, password: "env:CANARY"}', 1))
    return path


def test_a_secret_is_nowhere_under_outputs(runbook: Make, secretive: Path, tmp_path: Path) -> None:
    outputs = tmp_path / "outputs"
    told: list[object] = []
    found = runs.run(runbook(SHOW, CONVERGED), secretive, mode="apply", outputs=outputs, on_event=told.append)
    assert found.verdict == "failed"
    assert found.warnings == ()
    files = [path for path in outputs.rglob("*") if path.is_file() and "_static" not in path.parts]
    assert {"record.json", "journal.jsonl", "notebook.ipynb", "report.html", "lb1.log", "numbers.csv"} <= {path.name for path in files}
    for path in files:
        assert "canary" not in path.read_text(), path
    assert "canary" not in str(told)
    assert "canary" not in found.detail
    assert "canary" not in str(found.cells)


def test_not_with_many_runs_either(runbook: Make, secretive: Path, tmp_path: Path) -> None:
    outputs, other = tmp_path / "outputs", tmp_path / "other.yaml"
    shutil.copy(secretive, other)
    told: list[object] = []
    found = runs.run_many(
        runbook(SHOW), [secretive, other], mode="apply", outputs=outputs, jobs=2, on_event=lambda _, event: told.append(event)
    )
    assert "canary" not in str(told) + str(found)
    for path in outputs.rglob("*"):
        assert path.is_dir() or "_static" in path.parts or "canary" not in path.read_text(), path
