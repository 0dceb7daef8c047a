"""The directors of a params file, open for the steps of `steps.start`: dpvs as a process, the book for what it holds, the record.

A book by itself can't be opened before dpvs runs.
"""

from __future__ import annotations

import getpass
import socket
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from dpvsbook import __version__, restarts, steps
from dpvsbook.book import Book, journalled
from dpvsbook.conf.desired import desired
from dpvsbook.errors import HostError
from dpvsbook.facts import setup
from dpvsbook.facts.setup import SetupState
from dpvsbook.hosts import Command, Host, HostsFailed, Result, Shell, together
from dpvsbook.params import Director, Params
from dpvsbook.plan import Plan, Step
from dpvsbook.records import Record
from dpvsbook.records.write import Verdict
from dpvsbook.starting import history, launch, look, plans
from dpvsbook.starting.look import StartState
from dpvsbook.starting.place import Place
from dpvsbook.starting.plans import Action, How
from dpvsbook.steps.process.views import PlanView, ProcessView
from dpvsbook.steps.setup import command as setup_command
from dpvsbook.steps.setup.look import look as setup_look
from dpvsbook.steps.setup.wanted import existing_conf
from dpvsbook.views import VerdictView

T = TypeVar("T")
STATE = Step("state", "The declared state", steps.converge.kinds)
"""`steps.converge`, under the name that it has here."""
TITLES: Mapping[Action, str] = {"start": "Start dpvs", "restart": "Restart dpvs", "stop": "Stop dpvs"}


@dataclass
class Start:
    """The open directors. `told`: what an operator must know of what happened before (a dpvs that died, one that was started anew)."""

    params: Params
    mode: str
    action: Action
    keep: bool
    record: Record
    hosts: dict[str, Host]
    book: Book
    owns_record: bool
    states: dict[str, StartState] = field(default_factory=dict)
    setups: dict[str, SetupState] = field(default_factory=dict)
    told: list[str] = field(default_factory=list)
    bad: list[str] = field(default_factory=list)
    said: list[str] = field(default_factory=list)
    changed: int = 0
    pending: int = 0
    verified: bool = False
    extras: dict[str, Sequence[history.Extra]] = field(default_factory=dict)
    fresh: set[str] = field(default_factory=set)
    """Directors whose dpvs this run has started."""

    def director(self, name: str) -> Director:
        return self.params.director(name)

    def place(self, name: str) -> Place:
        return Place.of(self.director(name))

    def devices(self, name: str) -> tuple[str, ...]:
        """The ports that must be UP."""
        return tuple(device.name for device in self.director(name).devices)

    def observe(self, name: str) -> StartState:
        """One round trip: dpvs as it is now."""
        self.states[name] = launch.observe(self.hosts[name], self.place(name))
        return self.states[name]

    def how(self, name: str) -> How:
        """How this director's dpvs is started: by its unit, or with the arguments that the params, the host's own file, the dpvs that
        runs, or dpvs.conf and the ports give, whichever has them first."""
        director, state, host = self.director(name), self.states[name], self.setups[name]
        place = state.place
        conf = existing_conf(director, host) or desired(director)
        own = state.own
        if director.start and director.start.arguments:
            words, source = setup_command.eal(director, conf, host), "the params' start.arguments"
        elif (given := plans.given(state.defaults)) is not None:
            words, source = given, "DPVS_ARGUMENTS of the host"
        elif own is not None and own.eal:
            words, source = own.eal, "as it runs"
        else:
            words, source = setup_command.eal(director, conf, host), "dpvs.conf and the ports of the params"
        program = f"{place.bin}/dpvs" if place.bin else "dpvs"
        argv = (program, "-c", place.conf, "-p", place.pid_file, "-x", place.ipc, "--", *words)
        return How(argv, state.has_unit, f"unit {place.unit}" if state.has_unit else source)

    def everywhere(self, do: Callable[[str], T], names: Sequence[str] | None = None) -> dict[str, T]:
        """Do something with every director at once; one's failure doesn't hide another's result, then it is raised."""
        return HostsFailed.unwrap(together(self.hosts if names is None else names, do)) if names is None or names else {}

    def check(self, name: str, ok: bool, detail: str) -> None:
        self.record.event("check", name=name, ok=ok, detail=detail)
        if not ok:
            self.bad.append(name)

    def holder(self) -> str:
        return f"{getpass.getuser()}@{socket.gethostname()} run {self.record.run_id}"

    def note_step(self, step: str, title: str, status: str, count: int, started: float) -> None:
        seconds = round(time.monotonic() - started, 3)
        self.record.event("step", step=step, title=title, status=status, changes=count, seconds=seconds)

    def note_plan(self, step: str, title: str, plan: Plan) -> None:
        changes = [change.as_json() for change in plan.changes]
        self.record.event("plan", step=step, title=title, director=plan.director, changes=changes, drift=[])

    def note_applied(self, step: str, plan: Plan, left: Plan, commands: int, started: float) -> None:
        """What became of a plan's changes: nothing counts that wasn't read back."""
        keys = {(change.kind, change.key) for change in left.changes}
        results = [{"kind": c.kind, "key": c.key, "result": "not there" if (c.kind, c.key) in keys else "read back"} for c in plan.changes]
        seconds = round(time.monotonic() - started, 3)
        self.record.event("apply", step=step, director=plan.director, commands=commands, seconds=seconds, changes=results)
        self.record.event("readback", step=step, director=plan.director, empty=not left)

    @property
    def verdict(self) -> Verdict:
        """What this run can honestly say."""
        if self.bad or any(not ok for _, ok in self.book.checks):
            return "failed"
        if self.pending or self.book.pending:
            return "changes-pending"
        return "converged" if self.verified else "failed"

    def finish(self) -> VerdictView:
        """Say the verdict, and close the connections."""
        with journalled(self.record):
            bad = [*self.bad, *(name for name, ok in self.book.checks if not ok)]
            changed, pending = self.changed + self.book.applied, self.pending + self.book.pending
            detail = (
                f"failed: {', '.join(dict.fromkeys(bad))}"
                if bad
                else f"{pending} changes to make"
                if pending
                else f"{changed} changes made, {len(self.book.checks)} checks of the state passed"
                if self.verified
                else "nothing was verified: start.verify was not called"
            )
            drift = self.book.drift
            detail = "; ".join(
                [detail, *([f"{drift} things on the directors are not in the params"] if drift else []), *self.told, *self.said]
            )
            verdict = self.verdict
            self.record.event("verdict", verdict=verdict, detail=detail, applied=changed, pending=pending, drift=drift)
            self.book.close()
            if self.owns_record:
                from dpvsbook import report

                self.record.finish(verdict, detail=detail)
                report.write(self.record.path)
                self.record.seal()
        return VerdictView(verdict, detail, self.record.path)

    def view(self) -> ProcessView:
        names = {name: self.devices(name) for name in self.hosts}
        return ProcessView(f"{self.params.name}: {TITLES[self.action].lower()}", self.mode, self.states, names, self.told)

    def __repr__(self) -> str:
        return repr(self.view())

    def _repr_html_(self) -> str:
        return self.view()._repr_html_()


def bind(hosts: Start) -> None:
    """The first look, in one round trip a director: who it is, dpvs as a process, the host."""

    def first(name: str) -> tuple[Result, ...]:
        director = hosts.director(name)
        place = Place.of(director)
        identity: list[Command | Shell] = [
            Command(("hostname",)),
            Command(("uname", "-sr")),
            Shell(f"{place.tool('dpvs')} -v 2>&1", name="dpvs -v"),
        ]
        results = hosts.hosts[name].run(
            [
                *identity,
                restarts.command(director),
                Shell(look.script(place), name="look at dpvs"),
                Shell(setup_look(director), name="look at the host"),
            ]
        )
        for result in results[-2:]:
            if result.exit != 0:
                raise HostError(name, f"the {result.command} ended with {result.exit}: {result.stderr.strip()}")
        hosts.states[name] = look.parse(results[4].stdout, place)
        hosts.setups[name] = setup.parse(results[5].stdout)
        return results

    rows = []
    for name, results in hosts.everywhere(first).items():
        own = hosts.states[name].own
        runs = restarts.instance(results[3]) if own else ""
        version = results[2].stdout.partition("dpvs version: ")[2].partition(",")[0].strip() if results[2].exit == 0 else ""
        key = hosts.hosts[name].host_key
        row: dict[str, Any] = {"host": name, "role": "director", "hostname": results[0].stdout.strip(), "system": results[1].stdout.strip()}
        row |= {"dpvs": version or None, "host_key": key, "dpvs_started": runs}
        run, before = history.last(hosts.record, name, key)
        told = ""
        if before and not own:
            told = f"{name}: dpvs is dead: in {run} it ran ({before}); what it held is gone"
        elif before and runs and before != runs:
            told = f"{name}: dpvs was started anew ({runs}) since {run} ({before}): what it held then is gone"
        if told:
            row["restarted"] = told
            hosts.told.append(told)
        rows.append(row)
    hosts.record.event("open", mode=hosts.mode, hosts=rows, dpvsbook=__version__)


def perform(
    hosts: Start,
    step: str,
    title: str,
    made: Mapping[str, Plan],
    apply: Callable[[str], None],
    started: float,
    problems: Sequence[str] = (),
    notes: Sequence[str] = (),
    *,
    more: Sequence[str] = (),
) -> PlanView:
    """Note the plans, do them in apply mode, and say so. `more`: directors on which there is something to wait for."""
    note_plans(hosts, step, title, made)
    count = sum(len(plan.changes) for plan in made.values())
    status = "failed" if problems else "planned" if count else "nothing to do"
    if hosts.mode == "apply" and (count or more) and not (problems and step == "start"):
        hosts.everywhere(apply, [name for name, plan in made.items() if plan.changes])
        hosts.changed += count
        status = "failed" if problems else "applied" if count else "nothing to do"
    elif hosts.mode == "preview":
        hosts.pending += count
    hosts.note_step(step, title, status, count, started)
    return PlanView(title, status, hosts.mode, tuple(made.values()), problems, notes)


def note_plans(hosts: Start, step: str, title: str, made: Mapping[str, Plan]) -> None:
    for plan in made.values():
        hosts.note_plan(step, title, plan)


def beyond(params: Params) -> tuple[str, ...]:
    """What the params have and no step puts into dpvs. Daemons beside dpvs are no part of it."""
    return tuple(part for part in params.not_applied if part not in ("ospf", "keepalived"))
