"""What is wrong with the parameters ends a run before a kernel starts and a record is made."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from dpvsbook import runs
from dpvsbook.errors import ParamsError
from dpvsbook.runs import kernel

from .conftest import PARAMS, Make


@pytest.fixture(autouse=True)
def _no_kernel(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise AssertionError("a kernel was started")

    monkeypatch.setattr(kernel, "manager", refuse)


@pytest.mark.parametrize(
    ("more", "problem"),
    [
        ({"mode": "destroy"}, "mode 'destroy' is not one of"),
        ({"extra": {"nope": 1}}, "parameter 'nope' is not known"),
        ({"extra": {"mode": 3}}, "parameter 'mode': 3 is not str"),
    ],
)
def test_refused(runbook: Make, tmp_path: Path, more: dict[str, Any], problem: str) -> None:
    outputs = tmp_path / "outputs"
    with pytest.raises(ParamsError) as caught:
        runs.run(runbook("1"), PARAMS, outputs=outputs, **more)
    assert problem in str(caught.value)
    assert not outputs.exists()


def test_a_runbook_without_a_params_parameter(runbook: Make, tmp_path: Path) -> None:
    with pytest.raises(ParamsError, match="parameter 'params' is not known"):
        runs.run(runbook("1", parameters="mode: str = 'preview'"), PARAMS, outputs=tmp_path)


def test_bad_params_are_a_verdict_of_their_own_among_many(runbook: Make, tmp_path: Path) -> None:
    bad = tmp_path / "bad.yaml"
    bad.write_text("version: 1\nname: [\n")
    (found,) = runs.run_many(runbook("1"), [bad], outputs=tmp_path / "outputs")
    assert (found.verdict, found.exit_code, found.record) == ("bad-params", 4, None)
    assert "bad.yaml" in found.detail
