"""Ending and starting one director's dpvs, and what is said before and after."""

from __future__ import annotations

from dpvsbook import restarts
from dpvsbook.conf.lines import EXITS
from dpvsbook.conf.validate import validate
from dpvsbook.errors import HostError, NotConverged
from dpvsbook.plan import Plan
from dpvsbook.starting import kni as kni_plans
from dpvsbook.starting import launch, plans
from dpvsbook.starting.failures import Failure, complaints
from dpvsbook.starting.place import Place
from dpvsbook.starting.plans import How, ProcessPlan
from dpvsbook.steps.process.session import Start
from dpvsbook.steps.setup import command as setup_command


def foretold(hosts: Start, name: str, found: ProcessPlan) -> list[tuple[str, str]]:
    """A dpvs that runs isn't ended for a dpvs.conf that the next one would not start with. A dpvs that is down may try."""
    state = hosts.states[name]
    if hosts.action != "restart" or state.own is None or found.problems:
        return []
    if state.conf is None:
        return [(f"{state.place.conf} is not there: dpvs would not start again", "`notebooks/configure.ipynb` writes it.")]
    findings = validate(state.conf, setup_command.machine(hosts.params, hosts.director(name), hosts.setups[name]))
    if found.plan.changes and dict(found.plan.changes[-1].after or {}).get("started") != "the params' start.arguments":
        findings = tuple(
            f for f in findings if f.code is not None or f.rule in ("form", "kni")
        )  # its ports and lcores are another's to say
    return [
        (f"{state.place.conf}:{f.line}: {f.message}: dpvs {f.silently}, so the one that runs is left alone", f.fix)
        for f in findings
        if f.severity == "error" and EXITS in f.silently
    ]


def carry_out(hosts: Start, name: str, plan: Plan, started: float) -> None:
    """One director: end, clear away, start, wait. Each of them is looked at before the next."""
    host, place, before = hosts.hosts[name], hosts.place(name), hosts.states[name]
    how = hosts.how(name)
    own = before.own
    active = before.unit.get("ActiveState") in ("active", "activating", "reloading")
    at_once = own is not None and active and how.by_unit and hosts.action == "restart"
    marked = launch.Started(before.log_size, how.by_unit, before.now)
    hosts.record.event("applying", step="start", director=name)
    if own is not None:
        hosts.record.event("saved", director=name, extras=list(hosts.extras.get(name, ())))
        ending = launch.start(place, how.argv, by_unit=True, verb="restart") if at_once else launch.stop(place, own.pid, by_unit=active)
        host.run([ending], lock=hosts.holder())
        hosts.record.event("dpvs", director=name, started="")
    leaving = [p.pid for p in (*((own,) if own else ()), *before.dying)]
    if leaving and not launch.wait_gone(host, place, leaving):
        raise HostError(
            name,
            f"dpvs (pid {leaving[0]}) does not end",
            remedy=f"Look at what holds it (`cat /proc/{leaving[0]}/stack`), end it with kill -9, and run again.",
        )
    if hosts.action != "stop":
        if not at_once:
            marked = _start(hosts, name, how)
        launch.wait_ready(host, place, hosts.devices(name), marked)
    hosts.observe(name)
    if hosts.action != "stop":
        hosts.fresh.add(name)
        _note_running(hosts, name)
    left = plans.process(name, hosts.states[name], "stop" if hosts.action == "stop" else "start", hosts.devices(name), how).plan
    hosts.note_applied("start", name, plan.changes, left.changes, len(plan.changes), started)
    if left:
        raise NotConverged(name, f"everything was done, and it is not so: {'; '.join(change.reason for change in left.changes)}")


def _start(hosts: Start, name: str, how: How) -> launch.Started:
    """Clear a pid file away that would be in the way, and start dpvs."""
    host, place = hosts.hosts[name], hosts.place(name)
    if launch.observe(host, place, whole=False).stale:
        host.run([launch.clear(place)], lock=hosts.holder())
    marked = launch.Started(hosts.observe(name).log_size, how.by_unit, hosts.states[name].now)
    result = host.run([launch.start(place, how.argv, by_unit=how.by_unit)], lock=hosts.holder())[0]
    if result.exit != 0:
        raise HostError(name, f"dpvs could not be started: {result.stderr.strip() or f'exit {result.exit}'}", remedy=_room(place))
    return marked


def _room(place: Place) -> str:
    return f"Is there room in {place.out.rpartition('/')[0]}, and may the login write there?"


def _note_running(hosts: Start, name: str) -> None:
    """Which dpvs runs now: the next run tells by it whether another was started."""
    result = hosts.hosts[name].run([restarts.command(hosts.director(name))])[0]
    hosts.record.event("dpvs", director=name, started=restarts.instance(result))


def settle(hosts: Start, name: str) -> None:
    """Wait for a dpvs that is starting already, and note what a running one has said of its dpvs.conf."""
    state = hosts.states[name]
    if not state.ready(hosts.devices(name)) and state.own is not None:
        launch.wait_ready(hosts.hosts[name], state.place, hosts.devices(name), launch.Started(0, state.has_unit, state.since(state.own)))
        hosts.observe(name)
        _note_running(hosts, name)


def rows(hosts: Start, name: str) -> list[tuple[str, bool, str]]:
    state, devices = hosts.states[name], hosts.devices(name)
    own = state.own
    if hosts.action == "stop":
        return [(f"{name}: dpvs", own is None, "is not running" if own is None else f"runs (pid {own.pid})")]
    if own is None:
        return [(f"{name}: dpvs", False, "is not running")]
    named = state.named is not None and state.named[0] == own.pid
    rows = [(f"{name}: dpvs", named, f"pid {own.pid}" if named else f"pid {own.pid}, and {state.place.pid_file} doesn't name it")]
    down = state.down(devices)
    rows.append(
        (f"{name}: links", state.links is not None and not down, f"{', '.join(devices)} UP" if not down else f"not UP: {', '.join(down)}")
    )
    left, problems = kni_plans.plan(hosts.params, hosts.director(name), state.kernel, state.routes)
    shown = "; ".join([*(change.reason for change in left.changes), *problems])
    rows.append((f"{name}: KNI", not shown, shown or _knis(hosts, name)))
    _complain(hosts, name)
    return rows


def _knis(hosts: Start, name: str) -> str:
    there = kni_plans.interfaces(hosts.states[name].kernel)
    found = [one for one in kni_plans.wanted(hosts.params, hosts.director(name)) if one.name in there]
    return (
        ", ".join(f"{one.name} up{''.join(f' {cidr}' for cidr in one.addresses)}" for one in found) or "none here, and nothing asks for one"
    )


def _complain(hosts: Start, name: str) -> None:
    """What dpvs's log says since this dpvs was started, where it isn't fatal (F10, F75), and a dpvs.conf that is newer than it (F74)."""
    state = hosts.states[name]
    if state.own is None:
        return
    by_known: dict[str, list[Failure]] = {}
    for failure in complaints(state.log_of_start):
        by_known.setdefault(failure.known.id if failure.known else "", []).append(failure)
    for number, found in by_known.items():
        lines = "; ".join(failure.error for failure in found[:3]) + (f" and {len(found) - 3} more" if len(found) > 3 else "")
        hosts.told.append(f"{name}: {lines} ({number}: {found[0].cause} {found[0].fix})")
    if idle := [unit for unit, word in state.follows.items() if word not in ("active", "activating")]:
        hosts.told.append(f"{name}: not running, and ended with the dpvs before: {', '.join(idle)} (start it when all is well)")
    if state.conf_changed > state.since(state.own) + 1:
        hosts.told.append(
            f"{name}: {state.place.conf} was changed after dpvs started: what is marked <init> in it waits for a restart (F74)"
        )
