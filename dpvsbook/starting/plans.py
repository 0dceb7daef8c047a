"""What is to be done to a director's dpvs as a process: the difference between what it is and what is asked. Pure."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from dpvsbook.facts.director import DirectorState
from dpvsbook.params import Director, Params
from dpvsbook.plan import Argv, Change, Context, Kind, Plan
from dpvsbook.starting.look import StartState, option
from dpvsbook.starting.place import same

Action = Literal["start", "restart", "stop"]
ACTIONS: tuple[Action, ...] = ("start", "restart", "stop")
SETTLING = 150.0
"""A dpvs younger than this (s) whose links aren't UP yet is still starting."""


@dataclass(frozen=True, slots=True)
class How:
    """How dpvs is started: the whole command line, or systemd's unit; `source` says where the arguments come from."""

    argv: Argv
    by_unit: bool = False
    source: str = ""

    def commands(self, unit: str) -> Argv:
        return ("systemctl", "start", unit) if self.by_unit else self.argv


@dataclass(frozen=True, slots=True)
class ProcessPlan:
    """`problems`: why nothing may be done; `notes`: what a person should know; `wait`: it is starting already."""

    plan: Plan
    problems: tuple[tuple[str, str], ...] = ()
    notes: tuple[str, ...] = ()
    wait: bool = False


def process(director: str, state: StartState, action: Action, devices: tuple[str, ...], how: How) -> ProcessPlan:
    """The plan for one director. `devices`: those that must be UP."""
    own = state.own
    unit_active = state.unit.get("ActiveState") in ("active", "activating", "reloading")
    together = own is not None and action == "restart" and unit_active and how.by_unit
    ending: Argv = ("systemctl", "stop", state.place.unit) if unit_active else ("kill", "-TERM", str(own.pid if own else 0))
    starting = how.commands(state.place.unit)
    with_it = [unit for unit, word in state.follows.items() if word == "active"] if own is not None and action != "start" else []
    notes = [f"systemd ends with it: {', '.join(with_it)}"] if with_it else []
    notes += [f"another dpvs runs here: pid {other.pid}, {other.ipc}" for other in state.others]
    if own is not None and action == "start":
        young = state.now - state.since(own) < SETTLING
        down = state.down(devices)
        if state.ready(devices):
            return ProcessPlan(Plan("start", director), notes=tuple(notes))
        if young:
            return ProcessPlan(Plan("start", director), notes=(*notes, f"dpvs is starting (pid {own.pid})"), wait=True)
        what = f"{', '.join(down)} not UP" if state.links is not None else f"its tools don't reach it ({state.said.splitlines()[0][:120]})"
        told = "Look at the cable and the switch port, then restart." if state.links is not None else "Restart it: action = 'restart'."
        return ProcessPlan(Plan("start", director), ((f"dpvs runs (pid {own.pid}), and {what}", told),), tuple(notes))
    changes: list[Change] = []
    before = None if own is None else {"pid": own.pid, "arguments": list(own.eal)}
    if own is not None and action == "stop":
        changes.append(_change("dpvs", before, None, f"dpvs runs (pid {own.pid}), and shall not", (ending,), (starting,)))
    if action != "stop":
        problems = _in_the_way(state, how)
        if state.stale:
            changes.append(
                Change(
                    "pid-file",
                    state.place.pid_file,
                    {"pid": state.pid_file},
                    None,
                    f"{state.stale}: dpvs would say that it is already running, and leave",
                    (("rm", "-f", state.place.pid_file),),
                    (),
                )
            )
        after = {"started": how.source}
        if own is None:
            changes.append(_change("dpvs", None, after, _why(state), (starting,), (("kill", "-TERM", "PID"),)))
        else:
            both: tuple[Argv, ...] = (("systemctl", "restart", state.place.unit),) if together else (ending, starting)
            changes.append(_change("dpvs", before, after, f"a restart of pid {own.pid} is asked", both, ()))
        if problems:
            return ProcessPlan(Plan("start", director, tuple(changes)), tuple(problems), tuple(notes))
    return ProcessPlan(Plan("start", director, tuple(changes)), notes=tuple(notes))


def _change(
    key: str, before: Mapping[str, Any] | None, after: Mapping[str, Any] | None, reason: str, commands: tuple[Argv, ...], inverse: Any
) -> Change:
    return Change("process", key, before, after, reason, commands, inverse)


def _why(state: StartState) -> str:
    if state.dying:
        return f"dpvs is dying (pid {state.dying[0].pid}): it is waited for first"
    if state.pid_file is not None:
        return "dpvs is not running; its pid file is left: it was ended by a signal, or it crashed"
    return "dpvs is not running"


def _in_the_way(state: StartState, how: How) -> list[tuple[str, str]]:
    """Another dpvs that ours would fail on: it has the pid file, or the same DPDK prefix (F13, F76)."""
    found = []
    prefix = option(how.argv, "--file-prefix", "rte")
    for other in state.others:
        if not how.by_unit and other.option("--file-prefix", "rte") == prefix:
            found.append(
                (
                    f"another dpvs (pid {other.pid}, {other.ipc}) has the DPDK prefix {prefix}",
                    "Give this dpvs a --file-prefix of its own (`start.arguments`), name the other's `ipc` if it is this one, or end it.",
                )
            )
        elif str(other.pid) == state.pid_file and not same(other.ipc, state.place.ipc):
            found.append(
                (
                    f"{state.place.pid_file} belongs to another dpvs (pid {other.pid}, {other.ipc})",
                    "Name that `ipc` in the params if it is this one; several on one machine need `start.unit` and `ipc` of their own.",
                )
            )
    return found


def given(defaults: str) -> tuple[str, ...] | None:
    """DPVS_ARGUMENTS of a host's own file, as words; None where it says nothing of them."""
    for line in reversed(defaults.splitlines()):
        name, equals, value = line.strip().removeprefix("export ").partition("=")
        if equals and name.strip() == "DPVS_ARGUMENTS":
            return tuple(shlex.split(" ".join(shlex.split(value))))
    return None


# -- what a dpvs holds beside the params


def extras(kinds: Sequence[Kind], params: Params, director: Director, state: DirectorState) -> list[dict[str, Any]]:
    """What a director holds and its params don't have, as JSON."""
    found = []
    for kind in kinds:
        desired = kind.desired(params, director)
        for key, value in kind.observed(params, director, state).items():
            if key not in desired:
                found.append({"kind": kind.name, "key": key, "value": dict(value)})
    return found


def put_back(kinds: Sequence[Kind], params: Params, director: Director, state: DirectorState, wanted: Sequence[Mapping[str, Any]]) -> Plan:
    """The plan that gives a director what it had beside the params. What the params have meanwhile is theirs."""
    changes = []
    for kind in kinds:
        desired = kind.desired(params, director)
        observed = kind.observed(params, director, state)
        for item in wanted:
            key, value = item["key"], item["value"]
            current = observed.get(key)
            if item["kind"] == kind.name and key not in desired and current != value:
                context = Context(state)
                commands, back = kind.commands(key, current, value, context), kind.commands(key, value, current, context)
                changes.append(Change(kind.name, key, current, value, "it was there before the restart, beside the params", commands, back))
    return Plan("kept", director.name, tuple(changes))


def held(state: DirectorState) -> str:
    """What a restart loses, in words."""
    servers = [server for service in state.services.values() for server in service.servers.values()]
    active, inactive = sum(server.active for server in servers), sum(server.inactive for server in servers)
    shown = [address for address in state.addresses if address.scope != "link"]
    routes = [route for route in state.routes if route.scope != "host" and not route.prefix.startswith("fe80:")]
    return (
        f"{active} active and {inactive} closing connections; {len(state.services)} services with {len(servers)} real servers, "
        f"{len(shown)} addresses, {len(routes)} routes"
    )
