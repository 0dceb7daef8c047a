"""The runbook of a dpvs that runs: the one way a step is planned, applied, read back and undone."""

from __future__ import annotations

import shlex
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from dpvsbook import restarts
from dpvsbook.errors import NotConverged, PlanError
from dpvsbook.facts import director as director_facts
from dpvsbook.facts.director import DirectorState
from dpvsbook.hosts import Command, Interrupted, Result, Shell
from dpvsbook.params import Params
from dpvsbook.plan import DIRECTOR_KINDS, Argv, Plan, Step, compile_commands
from dpvsbook.runbook import IDENTITY, Runbook, became, read
from dpvsbook.site import PORTS, STATS, Site
from dpvsbook.views import LooksView, OpenView, StepView, VerdictView

T = TypeVar("T")
READBACK_SECONDS = 10.0
"""How long what was sent may take to show: a write's exit 0 does not mean that the worker has it (transcript 20)."""

MEMORY = Command(("cat", "/proc/meminfo"))


@dataclass(kw_only=True, repr=False)
class Book(Runbook):
    """Made by `dpvsbook.open`. Steps are called with it; `finish` ends the run and says the verdict."""

    sites: dict[str, Site] = field(init=False)
    steps: list[Step] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.sites = {name: Site(self.params.director(name), self.hosts[name]) for name in self.directors}
        self._view: OpenView | None = None

    # -- what a person sees

    def _repr_html_(self) -> str:
        return self._view._repr_html_() if self._view else ""

    def __repr__(self) -> str:
        return repr(self._view) if self._view else f"<Book {self.params.name} {self.mode}>"

    # -- looking

    def look(self, site: Site) -> DirectorState:
        """One round trip: everything that the director shows."""
        return site.look()

    def look_everywhere(self) -> None:
        """Look at every director, at once."""
        self.at_each(self.look)

    def at_each(self, do: Callable[[Site], T]) -> dict[str, T]:
        """Do something with every director at once; see `everywhere`."""
        return self.everywhere(lambda name: do(self.sites[name]))

    # -- steps

    def perform(self, step: Step) -> StepView:
        """Plan a step on every director; in apply mode do it, and read it back."""
        started = time.monotonic()
        self.steps.append(step)
        with self.journalled():
            if self.mode == "undo":
                plans = self.plan_undo(step)
            else:
                plans = self.at_each(lambda site: step.plan(self.params, site.director, site.state))
            for plan in plans.values():
                drift = [{"kind": d.kind, "key": d.key, "detail": d.detail} for d in plan.drift]
                self.note_plan(step.name, step.title, plan.director, plan.changes, drift)
            changes = sum(len(plan.changes) for plan in plans.values())
            status = "nothing to do" if not changes else "planned"
            if self.mode == "apply" and changes:
                self.at_each(lambda site: self.apply(site, step, plans[site.director.name]))
                self.applied += changes
                status = "applied"
            elif self.mode == "preview":
                self.pending += changes
            seconds = self.note_step(step.name, step.title, status, changes, started)
        return StepView(step.name, step.title, self.mode, status, tuple(plans.values()), seconds)

    def apply(self, site: Site, step: Step, plan: Plan, *, towards: Callable[[DirectorState], Plan] | None = None) -> None:
        """Send one plan in one round trip, under the director's lock, and look again in the same breath; the plan must then be empty.

        Raises `PlanError` when somebody else changed the director after the plan was made, `Locked` when somebody is changing it now,
        `NotConverged` when everything was sent and it still isn't so.
        """
        if not plan:
            return
        towards = towards or (lambda state: step.plan(self.params, site.director, state))
        started = time.monotonic()
        self.record.event("applying", step=step.name, director=plan.director)
        results = self._send(site, step, plan, towards)
        sent, reads = results[: -len(director_facts.READ)], results[-len(director_facts.READ) :]
        state = site.take(reads)
        left = towards(state)
        deadline = time.monotonic() + READBACK_SECONDS
        pause = 0.02
        while left and time.monotonic() < deadline:
            time.sleep(pause)
            pause = min(pause * 2, 1.0)
            left = towards(self.look(site))
        self.note_applied(step.name, plan.director, plan.changes, left.changes, len(sent), started)
        if left:
            raise NotConverged(plan.director, _what_is_left(step, left, sent), remedy=_what_to_do(left))

    def _send(self, site: Site, step: Step, plan: Plan, towards: Callable[[DirectorState], Plan]) -> Sequence[Result]:
        """The plan's commands and the looking, as one batch. Where the guard finds another state, only the same plan goes on."""
        for _ in range(3):
            batches = list(compile_commands(argv for change in plan.changes for argv in change.commands))
            commands = [
                site.command(b.argv, stdin=b.stdin, mutates=True, name=f"{step.name} {i + 1}/{len(batches)}") for i, b in enumerate(batches)
            ]
            try:
                return site.host.run([*commands, *site.looking()], lock=self.holder(), guard=site.guard())
            except Interrupted as lost:
                self._note_lost(site, step, plan, lost, len(commands))
                raise
            except PlanError:
                if towards(self.look(site)) != plan:
                    raise
        raise PlanError(
            f"{site.director.name}: the director does not come to rest: each time a change was to be sent, it had just been changed",
            remedy="See who else is at work there (keepalived, another operator), then run again.",
        )

    def _note_lost(self, site: Site, step: Step, plan: Plan, lost: Interrupted, commands: int) -> None:
        self.record.event(
            "lost",
            step=step.name,
            director=site.director.name,
            known=[result.command for result in lost.results[:commands]],
            unknown=lost.unknown,
            not_run=list(lost.not_run)[: max(0, commands - len(lost.results) - 1)],
            changes=[became(change, "not known") for change in plan.changes],
        )

    # -- undo

    def plan_undo(self, step: Step) -> dict[str, Plan]:
        """What would take a step of the run that is being undone back, from what the directors hold now."""
        return {name: step.undo(self.params, site.director, site.state, self.undo_from.get(name, [])) for name, site in self.sites.items()}

    def take_back(self) -> None:
        """Undo what the steps so far have shown, last step first (a service can't lose its VIP before its clients lose the service)."""
        for step in reversed(self.steps):
            started = time.monotonic()
            plans = self.plan_undo(step)
            changes = sum(len(plan.changes) for plan in plans.values())

            def undo(site: Site, step: Step = step, plans: Mapping[str, Plan] = plans) -> None:
                name = site.director.name
                self.apply(
                    site,
                    step,
                    plans[name],
                    towards=lambda state: step.undo(self.params, site.director, state, self.undo_from.get(name, [])),
                )

            self.at_each(undo)
            self.applied += changes
            status = "taken back" if changes else "nothing to do"
            self.note_step(step.name, f"Undo: {step.title}", status, changes, started)

    # -- reading

    def stats(self, site: Site) -> str:
        """The connection counters of one director, as `ipvsadm` prints them."""
        return site.read(STATS)[0]

    def sample(self, site: Site) -> tuple[str, str]:
        """The connection counters and the LIPs' ports of one director, in one round trip."""
        stats, addresses = site.read(STATS, PORTS)
        return stats, addresses

    def show(self) -> LooksView:
        """What the tutorial's checks print on each director, in one round trip."""
        looks: tuple[Argv, ...] = (PORTS, ("dpip", "route", "show"), ("ipvsadm", "-ln"))
        texts = self.at_each(lambda site: site.read(*looks))
        return LooksView([(name, shlex.join(argv), text) for name in self.sites for argv, text in zip(looks, texts[name], strict=True)])

    def finish(self) -> VerdictView:
        """Say the verdict, and close the connections."""
        well = f"{self.done}, {len(self.checks)} checks passed"
        return self.conclude(well, unverified="nothing was verified: steps.verify was not called")


def open_book(
    params: str | Path, mode: str = "preview", *, ssh_config: str | Path | None = None, outputs: str | Path | None = None
) -> Book:
    """Bind the hosts of a params file and look at them. Raises `ParamsError`, `Unreachable` and their kin before anything is changed.

    `mode` is "preview" (show the plan, change nothing), "apply" (do it, read it back) or "undo" (take back the last applied run).
    In a run started by `dpvsbook run` the record is that run's; otherwise a new one is made under `outputs/`, beside the params' folder.
    """
    wanted, path, how = read(params, mode)
    book = Book.begin(wanted, path, how, [*wanted.directors, *wanted.hosts], ssh_config=ssh_config, outputs=outputs)
    with book.journalled():
        require_applicable(wanted)
        book.look_back(DIRECTOR_KINDS, "run")
        _bind(book)
    return book


def require_applicable(params: Params) -> None:
    """What the params have and no step of today acts on is refused here, rather than half done."""
    parts = params.not_applied
    if parts:
        raise PlanError(
            f"{params.name}: no step of today acts on {', '.join(parts[:5])}{' …' if len(parts) > 5 else ''}",
            remedy="`dpvsbook check` knows the whole file; today's steps configure FULLNAT (one-arm, two-arm, IPv6, NAT64).",
        )


def _bind(book: Book) -> None:
    """The first round trip: who the hosts are, and what the directors hold."""

    def identify(name: str) -> Sequence[Result]:
        first: list[Command | Shell] = [*IDENTITY, MEMORY]
        site = book.sites.get(name)
        if site is None:
            return book.run_on(name, first)
        first.append(restarts.command(site.director))
        results = site.host.run([*first, *site.looking()])
        site.take(results[len(first) :])
        return results[: len(first)]

    said = book.everywhere(identify, book.hosts)
    own: dict[str, dict[str, Any]] = {}
    for name, site in book.sites.items():
        *_, memory, started = said[name]
        site.outputs = {**site.outputs, MEMORY.argv: memory.stdout}
        own[name] = {"dpvs": site.state.version, "dpvs_started": restarts.instance(started)}
        if told := restarts.restarted(book.record, name, book.hosts[name].host_key, own[name]["dpvs_started"]):
            own[name]["restarted"] = told
            book.told.append(told)
    book._view = OpenView(book.params, book.mode, book.opened(said, own), book.record.path)


def _what_is_left(step: Step, left: Plan, sent: Sequence[Result]) -> str:
    shown = [f"{c.kind} {c.key}: {c.reason}" for c in left.changes[:10]]
    more = f" (and {len(left.changes) - 10} more)" if len(left.changes) > 10 else ""
    said = [line for result in sent for line in result.stderr.splitlines() if line.strip() and line.strip() != "Success"]
    heard = f"; the tools said: {' / '.join(dict.fromkeys(said[-5:]))}" if said else ""
    return f"{step.name}: everything was sent, and reading back shows that it is not so: {'; '.join(shown)}{more}{heard}"


def _what_to_do(left: Plan) -> str:
    if any(change.kind == "lip-address" for change in left.changes):
        return "A LIP without a pool usually means that dpvs is out of huge pages (42 MB each): see its log, free memory, run again."
    return "Nothing is lost: run again, and only what is missing is sent. The log of this run has every command with what it answered."
