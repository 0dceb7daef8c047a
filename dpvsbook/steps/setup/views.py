"""What the hosts and their plans look like."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from dpvsbook.facts.setup import SetupState
from dpvsbook.hostplan import HostPlan
from dpvsbook.views import View


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

    def told(self) -> list[str]:
        """What is refused, and what a person should know: for the record too."""
        refused = [f"Refused on {plan.host}: {r.reason}. {r.remedy}" for plan in self.plans for r in plan.refused]
        return [*refused, *(f"{plan.host}: {note}" for plan in self.plans for note in plan.notes)]

    def notes(self) -> Iterable[str]:
        yield from self.told()
        if any(plan.changes for plan in self.plans):
            if self.mode == "preview":
                yield 'Preview: nothing was sent. mode = "apply" does this.'
            elif self.mode == "undo":
                yield "Taken back at the end of the notebook, last step first."
