"""What the steps of `start` show."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from dpvsbook.plan import Plan
from dpvsbook.starting.look import StartState
from dpvsbook.views import View


@dataclass(frozen=True, repr=False)
class ProcessView(View):
    """Each director's dpvs as it was seen."""

    title: str
    badge: str
    states: Mapping[str, StartState]
    devices: Mapping[str, tuple[str, ...]]
    told: Sequence[str] = ()

    def rows(self) -> tuple[Sequence[str], list[Sequence[str]]]:
        rows: list[Sequence[str]] = []
        for name, state in self.states.items():
            own = state.own
            runs = f"pid {own.pid}" if own else "dying" if state.dying else "not running"
            since = f"{datetime.fromtimestamp(state.since(own), UTC):%Y-%m-%d %H:%M:%S} UTC" if own else ""
            links = {link.name: link.up for link in state.links or ()}
            shown = ", ".join(
                f"{device} {'UP' if links[device] else 'DOWN'}" if device in links else f"no {device}" for device in self.devices[name]
            )
            by = f"unit {state.place.unit} ({state.unit.get('ActiveState', '')})" if state.has_unit else "no unit"
            rows.append(
                [
                    name,
                    runs,
                    since,
                    shown if own and state.links is not None else state.said.split("\n")[0] if own else "",
                    by,
                    state.log_file,
                ]
            )
        return ["director", "dpvs", "since", "links", "started by", "log_file"], rows

    def notes(self) -> Iterable[str]:
        yield from self.told
        yield from (f"{name}: {state.place.pid_file}: {state.stale}" for name, state in self.states.items() if state.stale)
        if self.badge == "preview":
            yield "Preview: nothing is started, ended or changed."


@dataclass(frozen=True, repr=False)
class PlanView(View):
    """A step's plans, with what stands in the way and what a person should know."""

    title: str
    badge: str
    mode: str
    plans: Sequence[Plan]
    problems: Sequence[str] = ()
    said: Sequence[str] = ()

    def rows(self) -> tuple[Sequence[str], list[Sequence[str]]]:
        rows = [
            [plan.director, change.action, change.key, change.reason, "\n".join(f"$ {' '.join(argv)}" for argv in change.commands)]
            for plan in self.plans
            for change in plan.changes
        ]
        return ["director", "", "what", "why", "commands"], list(rows)

    def notes(self) -> Iterable[str]:
        yield from (f"Not done: {problem}" for problem in self.problems)
        yield from self.said
        if self.mode == "preview" and any(plan.changes for plan in self.plans):
            yield 'Preview: nothing was sent. mode = "apply" does this.'
