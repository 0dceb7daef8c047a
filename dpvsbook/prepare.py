"""The directors of a params file as hosts, open for the steps of `steps.configure`: looked at, planned, changed, read back, recorded.

It stands beside `book.Book`, which can't be opened before dpvs runs. Modes are those of a book; a file that is replaced is also kept beside
the new one.
"""

from __future__ import annotations

import getpass
import os
import socket
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from dpvsbook import __version__, records
from dpvsbook import params as params_module
from dpvsbook.book import MODES, find_upwards, journalled
from dpvsbook.errors import HostError, NotConverged, ParamsError, PlanError
from dpvsbook.facts import setup
from dpvsbook.facts.setup import SetupState
from dpvsbook.hostplan import KINDS, HostPlan, undo
from dpvsbook.hosts import Command, Host, HostsFailed, Result, Shell, Target, together
from dpvsbook.params import Director, Params
from dpvsbook.records import Record
from dpvsbook.records.write import Verdict
from dpvsbook.steps.setup.common import Planner
from dpvsbook.steps.setup.look import look
from dpvsbook.steps.setup.views import HostsView, PlanView
from dpvsbook.views import VerdictView

T = TypeVar("T")


@dataclass
class Prepared:
    """The open directors. `perform` plans a step on all of them, and does it in apply mode; `finish` says the verdict.

    In undo mode `perform` plans the way back of what the last applied run did in that step, and `finish` goes it, last step first.
    """

    params: Params
    mode: str
    record: Record
    hosts: dict[str, Host]
    states: dict[str, SetupState]
    owns_record: bool
    changed: int = 0
    pending: int = 0
    refused: int = 0
    undo_from: Mapping[str, Sequence[Mapping[str, Any]]] = field(default_factory=dict)
    steps: list[tuple[Planner, str]] = field(default_factory=list)

    def perform(self, planner: Planner, title: str) -> PlanView:
        """One step. What is refused is said, and fails an apply before anything of the step is sent anywhere."""
        started = time.monotonic()
        with journalled(self.record):
            plans = {d.name: self._plan(planner, d.name) for d in self.params.directors}
            self.steps.append((planner, title))
            step = next(iter(plans.values())).step
            refused = [(plan.host, refusal) for plan in plans.values() for refusal in plan.refused]
            self.refused += len(refused)
            for plan in plans.values():
                changes = [change.as_json() for change in plan.changes]
                self.record.event("plan", step=step, title=title, director=plan.host, changes=changes, drift=[])
                for refusal in plan.refused:
                    self.record.event("check", name=f"{plan.host}: {refusal.key}", ok=False, detail=refusal.reason)
            count = sum(len(plan.changes) for plan in plans.values())
            if refused and self.mode != "preview":
                said = "; ".join(f"{host}: {refusal.reason}" for host, refusal in refused)
                raise PlanError(f"{title}: refused: {said}", remedy=refused[0][1].remedy)
            status = "failed" if refused else "nothing to do" if not count else "planned"
            if self.mode == "apply" and count:
                self._everywhere(lambda name: self._apply(planner, plans[name]))
                self.changed += count
                status = "applied"
            elif self.mode == "preview":
                self.pending += count
            seconds = round(time.monotonic() - started, 3)
            view = PlanView(title, status, self.mode, tuple(plans.values()))
            self.record.event("step", step=step, title=title, status=status, changes=count, seconds=seconds, notes=view.told())
        return view

    def look(self, name: str) -> SetupState:
        """One round trip: the host as it is now."""
        more = [str(item["key"]) for item in self.undo_from.get(name, ()) if item["kind"] == "file"]
        result = self.hosts[name].run([Shell(look(self.params.director(name), more), name="look at the host")])[0]
        if result.exit != 0:
            raise HostError(name, f"the look at the host ended with {result.exit}: {result.stderr.strip()}")
        self.states[name] = setup.parse(result.stdout)
        return self.states[name]

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
        holder = f"{getpass.getuser()}@{socket.gethostname()} run {self.record.run_id}"
        results: Sequence[Result] = self.hosts[plan.host].run(shells, lock=holder)
        self.look(plan.host)
        left = self._plan(planner, plan.host).changes
        keys = {change.key for change in left}
        self.record.event(
            "apply",
            step=plan.step,
            director=plan.host,
            commands=len(shells),
            seconds=round(time.monotonic() - started, 3),
            changes=[{**change.as_json(), "result": "not there" if change.key in keys else "read back"} for change in plan.changes],
        )
        self.record.event("readback", step=plan.step, director=plan.host, empty=not left)
        if left:
            heard = " / ".join(dict.fromkeys(r.stderr.strip().splitlines()[-1] for r in results if r.stderr.strip()))
            told = "; ".join(change.reason for change in left)
            raise NotConverged(
                plan.host, f"{plan.step}: everything was sent, and it is not so: {told}{f'; the host said: {heard}' if heard else ''}"
            )

    def _everywhere(self, do: Callable[[str], T]) -> dict[str, T]:
        return HostsFailed.unwrap(together(self.hosts, do))

    def _take_back(self) -> None:
        """Undo what the steps have shown, last step first: a daemon's unit before the file that it reads."""
        with journalled(self.record):
            for planner, title in reversed(self.steps):
                plans = {name: self._plan(planner, name) for name in self.hosts}
                count = sum(len(plan.changes) for plan in plans.values())
                self._everywhere(lambda name, plans=plans, planner=planner: self._apply(planner, plans[name]))  # type: ignore[misc]
                self.changed += count
                step = next(iter(plans.values())).step
                status = "taken back" if count else "nothing to do"
                self.record.event("step", step=step, title=f"Undo: {title}", status=status, changes=count)

    def finish(self) -> VerdictView:
        """Say the verdict, and close the connections. Converged: every step that was called has nothing left to do."""
        if self.mode == "undo" and not self.refused:
            self._take_back()
        verdict: Verdict = "failed" if self.refused else "changes-pending" if self.pending else "converged"
        made = "taken back" if self.mode == "undo" else "made"
        detail = f"{self.refused} refused, {self.pending} changes to make, {self.changed} {made}"
        self.record.event("verdict", verdict=verdict, detail=detail, applied=self.changed, pending=self.pending, drift=0)
        for host in self.hosts.values():
            host.close()
        if self.owns_record:
            from dpvsbook import report

            self.record.finish(verdict, detail=detail)
            report.write(self.record.path)
            self.record.seal()
        return VerdictView(verdict, detail, self.record.path)

    def __repr__(self) -> str:
        return repr(self._view())

    def _repr_html_(self) -> str:
        return self._view()._repr_html_()

    def _view(self) -> HostsView:
        return HostsView(f"{self.params.name}: the hosts", self.mode, self.states)


def open_hosts(
    params: str | Path, mode: str = "preview", *, ssh_config: str | Path | None = None, outputs: str | Path | None = None
) -> Prepared:
    """Bind the directors of a params file and look at them as hosts, dpvs running or not. Raises ParamsError, Unreachable and their kin."""
    if mode not in MODES:
        raise ParamsError(f"mode {mode!r} is not one of {', '.join(MODES)}")
    path = find_upwards(Path(params))
    wanted = params_module.load(path)
    given = os.environ.get("DPVSBOOK_RECORD")
    folder = Path(outputs) if outputs else path.resolve().parent.parent / "outputs"
    facts: dict[str, Any] = {"mode": mode, "params": wanted.as_json(), "params_sha256": wanted.sha256, "params_file": str(path)}
    record = Record.attach(Path(given)) if given else Record.create(folder, f"{wanted.name}-configure", **facts)
    config = ssh_config or os.environ.get("DPVSBOOK_SSH_CONFIG")

    def bind(director: Director) -> Host:
        target = Target.resolve(director.name, director.ssh, ssh_config=Path(config) if config else None)
        return Host(director.name, target, on_result=lambda host, result: record.command(host.name, result))

    with journalled(record):
        made = Prepared(wanted, mode, record, {d.name: bind(d) for d in wanted.directors}, {}, not given)
        if mode == "undo":
            made.undo_from = records.applied_changes(record.outputs, wanted.name, before=record, kinds=KINDS)
            if not made.undo_from:
                raise PlanError(
                    f"{wanted.name}: there is no applied run of `configure` to take back in the records under {record.outputs}",
                    remedy="`dpvsbook records list` shows what there is; --outputs names another folder.",
                )
        identity = HostsFailed.unwrap(
            together(made.hosts, lambda name: made.hosts[name].run([Command(("hostname",)), Command(("uname", "-sr"))]))
        )
        made._everywhere(made.look)
        rows = [
            {
                "host": n,
                "role": "director",
                "hostname": r[0].stdout.strip(),
                "system": r[1].stdout.strip(),
                "dpvs": None,
                "host_key": made.hosts[n].host_key,
            }
            for n, r in identity.items()
        ]
        record.event("open", mode=mode, hosts=rows, dpvsbook=__version__)
    return made
