"""The directors of a params file as hosts, open for the steps of `steps.configure`: looked at, planned, changed, read back, recorded.

It stands beside `book.Book`, which can't be opened before dpvs runs. Modes are preview and apply; a file that is replaced is kept beside
the new one, and the record has each change's inverse.
"""

from __future__ import annotations

import getpass
import os
import socket
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from dpvsbook import __version__
from dpvsbook import params as params_module
from dpvsbook.book import find_upwards, journalled
from dpvsbook.errors import HostError, NotConverged, ParamsError, PlanError
from dpvsbook.facts import setup
from dpvsbook.facts.setup import SetupState
from dpvsbook.hostplan import HostPlan
from dpvsbook.hosts import Command, Host, HostsFailed, Result, Shell, Target, together
from dpvsbook.params import Director, Params
from dpvsbook.records import Record
from dpvsbook.records.write import Verdict
from dpvsbook.steps import configure
from dpvsbook.views import VerdictView, View

T = TypeVar("T")
Planner = Callable[[Params, Director, SetupState], HostPlan]
MODES = ("preview", "apply")


@dataclass
class Prepared:
    """The open directors. `perform` plans a step on all of them, and does it in apply mode; `finish` says the verdict."""

    params: Params
    mode: str
    record: Record
    hosts: dict[str, Host]
    states: dict[str, SetupState]
    owns_record: bool
    changed: int = 0
    pending: int = 0
    refused: int = 0

    def perform(self, planner: Planner, title: str) -> PlanView:
        """One step. What is refused is said, and fails an apply before anything of the step is sent anywhere."""
        started = time.monotonic()
        with journalled(self.record):
            plans = {d.name: planner(self.params, d, self.states[d.name]) for d in self.params.directors}
            step = next(iter(plans.values())).step
            refused = [(plan.host, refusal) for plan in plans.values() for refusal in plan.refused]
            self.refused += len(refused)
            for plan in plans.values():
                changes = [change.as_json() for change in plan.changes]
                self.record.event("plan", step=step, title=title, director=plan.host, changes=changes, drift=[])
                for refusal in plan.refused:
                    self.record.event("check", name=f"{plan.host}: {refusal.key}", ok=False, detail=refusal.reason)
            count = sum(len(plan.changes) for plan in plans.values())
            if refused and self.mode == "apply":
                said = "; ".join(f"{host}: {refusal.reason}" for host, refusal in refused)
                raise PlanError(f"{title}: refused: {said}", remedy=refused[0][1].remedy)
            status = "failed" if refused else "nothing to do" if not count else "planned"
            if self.mode == "apply" and count:
                self._everywhere(lambda name: self._apply(planner, plans[name]))
                self.changed += count
                status = "applied"
            else:
                self.pending += count
            seconds = round(time.monotonic() - started, 3)
            self.record.event("step", step=step, title=title, status=status, changes=count, seconds=seconds)
        return PlanView(title, status, self.mode, tuple(plans.values()))

    def look(self, name: str) -> SetupState:
        """One round trip: the host as it is now."""
        director = next(d for d in self.params.directors if d.name == name)
        result = self.hosts[name].run([Shell(setup.script(configure.files(director)), name="look at the host")])[0]
        if result.exit != 0:
            raise HostError(name, f"the look at the host ended with {result.exit}: {result.stderr.strip()}")
        self.states[name] = setup.parse(result.stdout)
        return self.states[name]

    def _apply(self, planner: Planner, plan: HostPlan) -> None:
        """Send the changes under the host's lock and look again: none of them may be left. Whoever changed it meanwhile wins."""
        if not plan.changes:
            return
        director = next(d for d in self.params.directors if d.name == plan.host)
        if planner(self.params, director, self.look(plan.host)) != plan:
            raise PlanError(
                f"{plan.host}: it was changed after the plan was made, so nothing was sent", remedy="Look at the plan again, then apply."
            )
        self.record.event("applying", step=plan.step, director=plan.host)
        started = time.monotonic()
        shells = [shell for change in plan.changes for shell in change.shells()]
        holder = f"{getpass.getuser()}@{socket.gethostname()} run {self.record.run_id}"
        results: Sequence[Result] = self.hosts[plan.host].run(shells, lock=holder)
        left = planner(self.params, director, self.look(plan.host)).changes
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

    def finish(self) -> VerdictView:
        """Say the verdict, and close the connections. Converged: every step that was called has nothing left to do."""
        verdict: Verdict = "failed" if self.refused else "changes-pending" if self.pending else "converged"
        detail = f"{self.refused} refused, {self.pending} changes to make, {self.changed} made"
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


@dataclass(frozen=True, repr=False)
class HostsView(View):
    """What the directors are, as hosts."""

    title: str
    badge: str
    states: dict[str, SetupState]

    def rows(self) -> tuple[Sequence[str], list[Sequence[str]]]:
        rows: list[Sequence[str]] = []
        for name, state in self.states.items():
            nodes = ", ".join(f"node {p.node}: {p.total} x {p.size_kb >> 10} MB, {p.free} free" for p in state.pages if p.total) or "none"
            nics = ", ".join(f"{a} {s.driver or 'no driver'}" for a, s in state.slots.items()) or "none"
            stays = ", ".join(dict.fromkeys((*state.defaults, *state.ssh))) or "not known"
            rows.append([name, str(state.cpus), nodes, nics, stays])
        return ["director", "CPUs", "huge pages", "NICs", "never bound"], rows


@dataclass(frozen=True, repr=False)
class PlanView(View):
    """One step's plans, what is refused, and what a person should know."""

    title: str
    badge: str
    mode: str
    plans: tuple[HostPlan, ...]

    def rows(self) -> tuple[Sequence[str], list[Sequence[str]]]:
        rows = [
            [plan.host, change.action, change.key, change.reason, "\n".join(f"$ {shell.text}" for shell in change.shells())]
            for plan in self.plans
            for change in plan.changes
        ]
        return ["director", "", "what", "why", "commands"], list(rows)

    def notes(self) -> Iterable[str]:
        for plan in self.plans:
            yield from (f"Refused on {plan.host}: {r.reason}. {r.remedy}" for r in plan.refused)
            yield from (f"{plan.host}: {note}" for note in plan.notes)
        if self.mode == "preview" and any(plan.changes for plan in self.plans):
            yield 'Preview: nothing was sent. mode = "apply" does this.'


def open_hosts(
    params: str | Path, mode: str = "preview", *, ssh_config: str | Path | None = None, outputs: str | Path | None = None
) -> Prepared:
    """Bind the directors of a params file and look at them as hosts, dpvs running or not. Raises ParamsError, Unreachable and their kin."""
    if mode not in MODES:
        raise ParamsError(
            f"mode {mode!r} is not one of {', '.join(MODES)}",
            remedy="What `configure` replaced is kept beside it (FILE.dpvsbook-UTC), and the record has the way back of each change.",
        )
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
