"""desired - observed = plan: the changes, each with its reason and its inverse, and the one way that they are compiled into commands.

Pure: nothing here touches a network or a clock. Every kind of thing that a director holds (an address, a route, a service …) is
described once, as a `Kind`: how it looks in the params, how it looks on the director, and which commands lead from one value to
another. A plan is the difference; an undo is the same difference, towards the value that was there before.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from dpvsbook.facts.director import DirectorState
from dpvsbook.params import Director, Params

Argv = tuple[str, ...]
Value = Mapping[str, Any]  # JSON-able: it goes into the record, and an undo reads it back from there
Action = Literal["add", "change", "remove"]

DIRECTOR_KINDS = frozenset({"address", "route", "service", "server", "lip-address", "lip"})
"""What a director holds in memory: the kinds that an undo takes back. A test keeps it in step with the steps."""


@dataclass(frozen=True, slots=True)
class Difference:
    """One thing that differs: `before` is what is there (None: nothing), `after` what the params want (None: nothing)."""

    kind: str
    key: str
    before: Value | None
    after: Value | None
    reason: str

    @property
    def action(self) -> Action:
        if self.before is None:
            return "add"
        return "remove" if self.after is None else "change"

    def described(self, commands: Iterable[str], inverse: Iterable[str]) -> dict[str, Any]:
        """As the journal keeps it: enough to explain it, and to take it back."""
        return {
            "kind": self.kind,
            "key": self.key,
            "action": self.action,
            "before": None if self.before is None else dict(self.before),
            "after": None if self.after is None else dict(self.after),
            "reason": self.reason,
            "commands": list(commands),
            "inverse": list(inverse),
        }


@dataclass(frozen=True, slots=True)
class Change(Difference):
    """One thing that a director holds otherwise, and the commands that lead there and back."""

    commands: tuple[Argv, ...]
    inverse: tuple[Argv, ...]

    def as_json(self) -> dict[str, Any]:
        """See `Difference.described`."""
        return self.described(map(shlex.join, self.commands), map(shlex.join, self.inverse))


@dataclass(frozen=True, slots=True)
class Drift:
    """Something on the director that the params don't mention, left alone; `prune: true` would remove it."""

    kind: str
    key: str
    detail: str


@dataclass(frozen=True, slots=True)
class Plan:
    """What one step would do on one director, in the order in which it has to happen."""

    step: str
    director: str
    changes: tuple[Change, ...] = ()
    drift: tuple[Drift, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.changes)


@dataclass(frozen=True, slots=True)
class Context:
    """What a change is made in: the director as it was seen, and the keys of the same kind that the same plan removes, in their order."""

    state: DirectorState
    removed: tuple[str, ...] = ()


class Kind(Protocol):
    """One sort of thing on a director. Keys are text that a person knows it by ("10.0.0.100 dev dpdk1")."""

    @property
    def name(self) -> str:
        """What it is called in a plan and in the record."""

    def parent(self, key: str) -> str | None:
        """The key of the virtual service whose removal takes this along, if there is one."""

    def desired(self, params: Params, director: Director) -> dict[str, Value]:
        """What the params want there, in the order in which it is to be made."""

    def observed(self, params: Params, director: Director, state: DirectorState) -> dict[str, Value]:
        """What is there, as far as this kind is concerned with it."""

    def commands(self, key: str, before: Value | None, after: Value | None, context: Context) -> tuple[Argv, ...]:
        """The commands that lead from one value to the other."""

    def reason(self, key: str, before: Value | None, after: Value | None) -> str:
        """Why, in a sentence for the operator."""


class Book(Protocol):
    """What a step needs of an open runbook."""

    def perform(self, step: Step) -> object: ...


@dataclass(frozen=True)
class Step:
    """One step of the tutorial: its kinds, in the order in which they are planned. Calling it on a book performs it."""

    name: str
    title: str
    kinds: tuple[Kind, ...] = field(repr=False)

    def __call__(self, book: Book) -> object:
        return book.perform(self)

    def plan(self, params: Params, director: Director, state: DirectorState) -> Plan:
        """The difference between the params and the state, for one director."""
        changes: list[Change] = []
        drift: list[Drift] = []
        for kind in self.kinds:
            desired = kind.desired(params, director)
            observed = kind.observed(params, director, state)
            surplus = [key for key in observed if key not in desired]
            context = Context(state, tuple(surplus) if params.prune else ())
            if params.prune:
                changes += [_change(kind, key, observed[key], None, context) for key in surplus]
            else:
                drift += [Drift(kind.name, key, kind.reason(key, observed[key], None)) for key in surplus]
            for key, wanted in desired.items():
                current = observed.get(key)
                if current != wanted:
                    changes.append(_change(kind, key, current, wanted, context))
        return Plan(self.name, director.name, tuple(changes), tuple(drift))

    def undo(self, params: Params, director: Director, state: DirectorState, applied: Sequence[Mapping[str, Any]]) -> Plan:
        """The plan that takes back `applied` (changes as `Change.as_json` wrote them, in their order), from the state as it is now.

        Only what is still as this run left it is taken back; what somebody changed since is named as drift and left alone.
        """
        kinds = {kind.name: kind for kind in self.kinds}
        done_here = [item for item in applied if item["kind"] in kinds]
        made = {item["key"] for item in applied if item["kind"] == "service" and item["before"] is None}
        observed = {name: kind.observed(params, director, state) for name, kind in kinds.items()}
        back: list[tuple[Kind, str, Value | None, Value | None]] = []
        drift: list[Drift] = []
        for done in reversed(done_here):
            kind, key, before, after = kinds[done["kind"]], done["key"], done["before"], done["after"]
            current = observed[kind.name].get(key)
            if current == before or (before is None and kind.parent(key) in made):
                continue  # is so already, or goes with its service
            if current == after:
                back.append((kind, key, current, before))
            else:
                drift.append(Drift(kind.name, key, "was changed since by somebody else: left as it is"))
        removed = {name: tuple(key for kind, key, _, before in back if kind.name == name and before is None) for name in kinds}
        changes = [_change(kind, key, current, before, Context(state, removed[kind.name])) for kind, key, current, before in back]
        return Plan(self.name, director.name, tuple(changes), tuple(drift))


def _change(kind: Kind, key: str, before: Value | None, after: Value | None, context: Context) -> Change:
    return Change(
        kind.name,
        key,
        before,
        after,
        kind.reason(key, before, after),
        kind.commands(key, before, after, context),
        kind.commands(key, after, before, context),
    )


@dataclass(frozen=True, slots=True)
class Batch:
    """A command to send: `stdin` holds the rules of a bulk `ipvsadm -R`, one a line."""

    argv: Argv
    stdin: str | None = None


def compile_commands(commands: Iterable[Argv]) -> Iterator[Batch]:
    """Neighbouring `ipvsadm` commands become one `ipvsadm -R`; 4,000 rules take 0.46 s there, 17.5 s one process each (transcript 10).

    A rule line is split at white space by ipvsadm, so no argument may hold any; an empty or a bad line would end the whole restore.
    """
    rules: list[str] = []
    for argv in commands:
        if argv[0] == "ipvsadm":
            if any(not arg or arg != "".join(arg.split()) for arg in argv):
                raise ValueError(f"not a rule that ipvsadm -R can read: {argv}")
            rules.append(" ".join(argv[1:]))
            continue
        if rules:
            yield _bulk(rules)
            rules = []
        yield Batch(argv)
    if rules:
        yield _bulk(rules)


def _bulk(rules: Sequence[str]) -> Batch:
    return Batch(("ipvsadm", "-R"), "".join(f"{rule}\n" for rule in rules))
