"""The runbook of a director as a host, whether dpvs runs or not: looked at, planned, changed, read back, recorded.

Modes are those of a book; a file that is replaced is also kept beside the new one.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from dpvsbook.errors import NotConverged, PlanError
from dpvsbook.facts import setup
from dpvsbook.facts.setup import SetupState
from dpvsbook.hostplan import HostPlan, undo
from dpvsbook.hosts import Result
from dpvsbook.runbook import Runbook
from dpvsbook.steps.setup.common import Planner
from dpvsbook.steps.setup.look import look
from dpvsbook.steps.setup.views import HostsView, PlanView
from dpvsbook.views import VerdictView


@dataclass(kw_only=True, repr=False)
class Prepared(Runbook):
    """The open directors. `perform` plans a step on all of them, and does it in apply mode; `finish` says the verdict.

    In undo mode `perform` plans the way back of what the last applied run did in that step, and `finish` goes it, last step first.
    """

    states: dict[str, SetupState] = field(default_factory=dict)
    steps: list[tuple[Planner, str]] = field(default_factory=list)
    verified: bool = True
    """Every change is read back where it is made; there is nothing else to verify."""

    def perform(self, planner: Planner, title: str) -> PlanView:
        """One step. What is refused is said, and fails an apply before anything of the step is sent anywhere."""
        started = time.monotonic()
        with self.journalled():
            plans = {name: self._plan(planner, name) for name in self.directors}
            self.steps.append((planner, title))
            step = next(iter(plans.values())).step
            refused = [(plan.host, refusal) for plan in plans.values() for refusal in plan.refused]
            for plan in plans.values():
                self.note_plan(step, title, plan.host, plan.changes)
                for refusal in plan.refused:
                    self.check(f"{plan.host}: {refusal.key}", False, refusal.reason)
            count = sum(len(plan.changes) for plan in plans.values())
            if refused and self.mode != "preview":
                said = "; ".join(f"{host}: {refusal.reason}" for host, refusal in refused)
                raise PlanError(f"{title}: refused: {said}", remedy=refused[0][1].remedy)
            status = "failed" if refused else "nothing to do" if not count else "planned"
            if self.mode == "apply" and count:
                self.everywhere(lambda name: self._apply(planner, plans[name]))
                self.applied += count
                status = "applied"
            elif self.mode == "preview":
                self.pending += count
            view = PlanView(title, status, self.mode, tuple(plans.values()))
            self.note_step(step, title, status, count, started, notes=view.told())
        return view

    def look(self, name: str) -> SetupState:
        """One round trip: the host as it is now."""
        self.states[name] = setup.parse(self.ask(name, self.looking(name), "look at the host"))
        return self.states[name]

    def looking(self, name: str) -> str:
        """The script of one look: also at the files that an undo is about."""
        return look(self.params.director(name), [str(item["key"]) for item in self.undo_from.get(name, ()) if item["kind"] == "file"])

    def _plan(self, planner: Planner, name: str) -> HostPlan:
        """A step's plan for the host as it was last seen; in undo mode its way back."""
        plan = planner(self.params, self.params.director(name), self.states[name])
        if self.mode != "undo":
            return plan
        done = [item for item in self.undo_from.get(name, ()) if item["step"] == plan.step]
        return undo(plan.step, name, self.states[name], done)

    def _apply(self, planner: Planner, plan: HostPlan) -> None:
        """Send the changes under the host's lock and look again: none of them may be left. Whoever changed it meanwhile wins."""
        if not plan.changes:
            return
        self.look(plan.host)
        if self._plan(planner, plan.host) != plan:
            raise PlanError(
                f"{plan.host}: it was changed after the plan was made, so nothing was sent", remedy="Look at the plan again, then apply."
            )
        self.record.event("applying", step=plan.step, director=plan.host)
        started = time.monotonic()
        shells = [shell for change in plan.changes for shell in change.shells()]
        results: Sequence[Result] = self.hosts[plan.host].run(shells, lock=self.holder())
        self.look(plan.host)
        left = self._plan(planner, plan.host).changes
        self.note_applied(plan.step, plan.host, plan.changes, left, len(shells), started)
        if left:
            heard = " / ".join(dict.fromkeys(r.stderr.strip().splitlines()[-1] for r in results if r.stderr.strip()))
            told = "; ".join(change.reason for change in left)
            raise NotConverged(
                plan.host, f"{plan.step}: everything was sent, and it is not so: {told}{f'; the host said: {heard}' if heard else ''}"
            )

    def _take_back(self) -> None:
        """Undo what the steps have shown, last step first: a daemon's unit before the file that it reads."""
        with self.journalled():
            for planner, title in reversed(self.steps):
                started = time.monotonic()
                plans = {name: self._plan(planner, name) for name in self.directors}
                count = sum(len(plan.changes) for plan in plans.values())

                def undo(name: str, planner: Planner = planner, plans: Mapping[str, HostPlan] = plans) -> None:
                    self._apply(planner, plans[name])

                self.everywhere(undo)
                self.applied += count
                step = next(iter(plans.values())).step
                self.note_step(step, f"Undo: {title}", "taken back" if count else "nothing to do", count, started)

    def finish(self) -> VerdictView:
        """Say the verdict, and close the connections. Converged: every step that was called has nothing left to do."""
        if self.mode == "undo" and not self.bad:
            self._take_back()
        return self.conclude(self.done, unverified="")

    def __repr__(self) -> str:
        return repr(self._view())

    def _repr_html_(self) -> str:
        return self._view()._repr_html_()

    def _view(self) -> HostsView:
        return HostsView(f"{self.params.name}: the hosts", self.mode, self.states)
