"""The verdict is never better than the truth: pure, from cells and a journal."""

from __future__ import annotations

from typing import Any

import pytest

from dpvsbook.records import Journal
from dpvsbook.runs.verdict import Cell, judge

DONE = (Cell(0, "a", "", "completed"), Cell(1, "b", "", "completed"))
BROKEN = (Cell(0, "a", "", "completed"), Cell(1, "b", "", "failed", error="ValueError: no"), Cell(2, "c", "", "pending"))
CHANGE = {"kind": "address", "key": "10.0.0.100/32 dev dpdk1", "action": "add"}
PLAN: dict[str, Any] = {"kind": "plan", "step": "address", "director": "lb1", "changes": [CHANGE]}
APPLY: dict[str, Any] = {"kind": "apply", "step": "address", "director": "lb1", "changes": [{**CHANGE, "result": "read back"}]}
STEP: dict[str, Any] = {"kind": "step", "step": "address", "status": "applied"}
GOOD: dict[str, Any] = {"kind": "verdict", "verdict": "converged", "detail": "fine"}
PENDING: dict[str, Any] = {"kind": "verdict", "verdict": "changes-pending", "detail": "1 change"}


def error(code: int) -> dict[str, Any]:
    return {"kind": "error", "message": "it broke", "exit_code": code}


@pytest.mark.parametrize(
    ("mode", "events", "verdict", "detail"),
    [
        ("apply", [PLAN, APPLY, STEP, GOOD], "converged", "fine"),
        ("preview", [GOOD], "converged", "fine"),
        ("preview", [PLAN, PENDING], "changes-pending", "1 change"),
        ("undo", [PLAN, APPLY, STEP, GOOD], "converged", "fine"),
        # the notebook says better than it is
        ("apply", [], "failed", "nothing was verified"),
        ("preview", [PLAN, GOOD], "changes-pending", "1 change planned"),
        ("apply", [PLAN, GOOD], "failed", "1 change not seen when read back"),
        ("apply", [PLAN, {**APPLY, "changes": [{**CHANGE, "result": "not there"}]}, GOOD], "failed", "(not there)"),
        ("apply", [PLAN, {"kind": "lost", "step": "address", "director": "lb1"}, GOOD], "failed", "(not known)"),
        ("apply", [PLAN, APPLY, STEP, PENDING], "failed", "1 change"),
        ("apply", [GOOD, PLAN, APPLY], "failed", "after the verdict"),
        ("apply", [GOOD, error(3)], "failed", "after the verdict"),
        ("apply", [{**STEP, "status": "failed"}, GOOD], "failed", "failed: address"),
        ("apply", [{"kind": "check", "name": "answers", "ok": False}, GOOD], "failed", "failed: answers"),
        ("apply", [{"kind": "verdict", "verdict": "failed", "detail": "2 checks"}], "failed", "2 checks"),
        ("apply", [{"kind": "verdict", "verdict": "splendid"}], "failed", "'splendid'"),
        ("apply", [GOOD, {"kind": "unreadable", "text": "{"}], "failed", "damaged"),
    ],
)
def test_all_cells_completed(mode: str, events: list[dict[str, Any]], verdict: str, detail: str) -> None:
    found, why = judge(mode, DONE, Journal(tuple(events)))
    assert found == verdict
    assert detail in why


@pytest.mark.parametrize(
    ("events", "verdict", "detail"),
    [
        ([GOOD], "failed", "cell 'b': ValueError: no"),
        ([error(3)], "failed", "cell 'b': it broke"),
        ([error(5)], "unreachable", "it broke"),
        ([error(4)], "bad-params", "it broke"),
    ],
)
def test_a_cell_that_failed(events: list[dict[str, Any]], verdict: str, detail: str) -> None:
    assert judge("apply", BROKEN, Journal(tuple(events))) == (verdict, detail)


def test_ended_from_outside() -> None:
    good = Journal((GOOD,))
    assert judge("apply", DONE, good, stopped="Ctrl-C", interrupted=True) == ("interrupted", "Ctrl-C")
    assert judge("apply", DONE, good, stopped="the disk is full") == ("failed", "the disk is full")
    assert judge("apply", BROKEN, Journal((error(5),)), stopped="the kernel died") == ("failed", "cell 'b': the kernel died")
    assert judge("apply", (), good)[0] == "failed"


def test_a_journal_that_was_cut_is_not_believed() -> None:
    assert judge("apply", DONE, Journal((GOOD,), cut='{"t":'))[0] == "failed"
