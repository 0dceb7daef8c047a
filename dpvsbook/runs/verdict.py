"""The verdict of a run: worked out from what the journal says *and* from what became of every cell; never better than the truth."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from dpvsbook.records import Journal, Verdict
from dpvsbook.records.assemble import NOT_SENT, PLANNED, READ_BACK, changes

Status = Literal["completed", "failed", "pending", "running"]  # running: only while the run goes on


@dataclass(frozen=True, slots=True)
class Cell:
    """What became of one code cell. `error` is what it ended with ("" if it completed or never started)."""

    index: int
    id: str
    title: str
    status: Status
    started: str | None = None
    seconds: float | None = None
    error: str = ""


def judge(mode: str, cells: Sequence[Cell], journal: Journal, *, stopped: str = "", interrupted: bool = False) -> tuple[Verdict, str]:
    """The verdict and a sentence that says why.

    `stopped` is why the run ended early, in the engine's words (dead kernel, timeout, full disk); `interrupted` if somebody asked for it.
    """
    if interrupted:
        return "interrupted", stopped or "interrupted"
    unfinished = [cell for cell in cells if cell.status != "completed"]
    if stopped or unfinished or not cells:
        return _failure(unfinished, journal, stopped)
    if journal.cut or any(journal.of("unreadable")):
        return "failed", "the journal is damaged: what happened isn't known in full"
    last = journal.last("verdict")
    if last is None:
        return "failed", "the notebook ran to its end, but nothing was verified: no step gave a verdict"
    detail = str(last.get("detail") or "")
    said = last.get("verdict")
    if said not in ("converged", "changes-pending"):
        return "failed", detail or f"the notebook's verdict is {said!r}"
    doubt = _doubt(mode, journal)
    if doubt:
        return "failed", doubt
    planned = [change for change in changes(journal, mode) if change["result"] == PLANNED]
    if said == "converged" and planned:
        return "changes-pending", f"{_count(len(planned), 'change')} planned"
    if said == "changes-pending" and mode != "preview":
        return "failed", detail or "not everything that was planned was applied"
    return said, detail


def _failure(unfinished: Sequence[Cell], journal: Journal, stopped: str) -> tuple[Verdict, str]:
    error = journal.last("error")
    failed = next((cell for cell in unfinished if cell.status == "failed"), None)
    where = f"cell {failed.id!r}: " if failed else ""
    detail = stopped or str((error or {}).get("message") or "") or (failed.error if failed else "") or "the notebook didn't run to its end"
    if error is not None and not stopped:
        if error.get("exit_code") == 5:
            return "unreachable", detail
        if error.get("exit_code") == 4:
            return "bad-params", detail
    return "failed", where + detail


def _doubt(mode: str, journal: Journal) -> str:
    """Why the notebook's good verdict can't be believed ("" if it can)."""
    after_verdict = False
    for event in reversed(journal.events):
        if event["kind"] == "verdict":
            break
        after_verdict |= event["kind"] in ("apply", "applying", "error")
    if after_verdict:
        return "something was applied, or went wrong, after the verdict"
    last_status: dict[tuple[str, str], str] = {}
    for event in journal.of("step"):
        last_status[str(event.get("step", "")), str(event.get("director", ""))] = str(event.get("status", ""))
    failed = [" ".join(filter(None, key)) for key, status in last_status.items() if status == "failed"]
    if failed:
        return f"failed: {', '.join(failed)}"
    results = {str(event.get("name", "")): event.get("ok") for event in journal.of("check")}
    bad = [name for name, ok in results.items() if ok is False]
    if bad:
        return f"failed: {', '.join(bad)}"
    if mode != "preview":
        fine = (READ_BACK,) if mode == "apply" else (READ_BACK, NOT_SENT)  # an undo may find a thing gone with another
        unproven = [change for change in changes(journal, mode) if change["result"] not in fine]
        if unproven:
            first = unproven[0]
            what = f"{first.get('action', '')} {first.get('key', '')} on {first['director']}".strip()
            return f"{_count(len(unproven), 'change')} not seen when read back; the first: {what} ({first['result']})"
    return ""


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"
