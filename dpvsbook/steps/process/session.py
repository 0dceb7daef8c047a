"""The runbook of dpvs as a process: a book that is opened before dpvs runs."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from dpvsbook import restarts, steps
from dpvsbook.book import Book
from dpvsbook.conf.desired import desired
from dpvsbook.errors import HostError
from dpvsbook.facts import setup
from dpvsbook.facts.setup import SetupState
from dpvsbook.hosts import Result, Shell
from dpvsbook.params import Director, Params
from dpvsbook.plan import Plan, Step
from dpvsbook.runbook import IDENTITY
from dpvsbook.starting import history, launch, look, plans
from dpvsbook.starting.look import StartState
from dpvsbook.starting.place import Place
from dpvsbook.starting.plans import Action, How
from dpvsbook.steps.process.views import PlanView, ProcessView
from dpvsbook.steps.setup import command as setup_command
from dpvsbook.steps.setup.look import look as setup_look
from dpvsbook.steps.setup.wanted import existing_conf
from dpvsbook.views import VerdictView

STATE = Step("state", "The declared state", steps.converge.kinds)
"""`steps.converge`, under the name that it has here."""
TITLES: Mapping[Action, str] = {"start": "Start dpvs", "restart": "Restart dpvs", "stop": "Stop dpvs"}


@dataclass(kw_only=True, repr=False)
class Start(Book):
    """The open directors. `keep`: what ran beside the params is put back too. `extras`: that, by director."""

    action: Action
    keep: bool
    states: dict[str, StartState] = field(default_factory=dict)
    setups: dict[str, SetupState] = field(default_factory=dict)
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

    def note_plans(self, step: str, title: str, made: Mapping[str, Plan]) -> None:
        """What a step would do on each director."""
        for name, plan in made.items():
            self.note_plan(step, title, name, plan.changes)

    def finish(self) -> VerdictView:
        """Say the verdict, and close the connections."""
        well = f"{self.done}, {len(self.checks)} checks passed"
        return self.conclude(well, unverified="nothing was verified: start.verify was not called")

    def view(self) -> ProcessView:
        names = {name: self.devices(name) for name in self.directors}
        return ProcessView(f"{self.params.name}: {TITLES[self.action].lower()}", self.mode, self.states, names, self.told)

    def __repr__(self) -> str:
        return repr(self.view())

    def _repr_html_(self) -> str:
        return self.view()._repr_html_()


def bind(hosts: Start) -> None:
    """The first look, in one round trip a director: who it is, dpvs as a process, the host."""

    def first(name: str) -> Sequence[Result]:
        director, place = hosts.director(name), hosts.place(name)
        results = hosts.run_on(
            name,
            [
                *IDENTITY,
                Shell(f"{place.tool('dpvs')} -v 2>&1", name="dpvs -v"),
                restarts.command(director),
                Shell(look.script(place), name="look at dpvs"),
                Shell(setup_look(director), name="look at the host"),
            ],
        )
        for result in results[-2:]:
            if result.exit != 0:
                raise HostError(name, f"the {result.command} ended with {result.exit}: {result.stderr.strip()}")
        hosts.states[name] = look.parse(results[-2].stdout, place)
        hosts.setups[name] = setup.parse(results[-1].stdout)
        return results

    said = hosts.everywhere(first)
    own: dict[str, dict[str, Any]] = {}
    for name, (*_, version, started, _, _) in said.items():
        runs = restarts.instance(started) if hosts.states[name].own else ""
        release = version.stdout.partition("dpvs version: ")[2].partition(",")[0].strip() if version.exit == 0 else ""
        own[name] = {"dpvs": release or None, "dpvs_started": runs}
        if told := _since(hosts, name, runs):
            own[name]["restarted"] = told
            hosts.told.append(told)
    hosts.opened(said, own)


def _since(hosts: Start, name: str, runs: str) -> str:
    """What became of the dpvs of the last run, where it isn't the one that runs."""
    run, before = history.last(hosts.record, name, hosts.hosts[name].host_key)
    if before and hosts.states[name].own is None:
        return f"{name}: dpvs is dead: in {run} it ran ({before}); what it held is gone"
    if before and runs and before != runs:
        return f"{name}: dpvs was started anew ({runs}) since {run} ({before}): what it held then is gone"
    return ""


def walk(
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
    hosts.note_plans(step, title, made)
    count = sum(len(plan.changes) for plan in made.values())
    status = "failed" if problems else "planned" if count else "nothing to do"
    if hosts.mode == "apply" and (count or more) and not (problems and step == "start"):
        hosts.everywhere(apply, [name for name, plan in made.items() if plan.changes])
        hosts.applied += count
        status = "failed" if problems else "applied" if count else "nothing to do"
    elif hosts.mode == "preview":
        hosts.pending += count
    hosts.note_step(step, title, status, count, started)
    return PlanView(title, status, hosts.mode, tuple(made.values()), problems, notes)


def beyond(params: Params) -> tuple[str, ...]:
    """What the params have and no step puts into dpvs. Daemons beside dpvs are no part of it."""
    return tuple(part for part in params.not_applied if part not in ("ospf", "keepalived"))
