"""Starting, restarting and stopping dpvs on the directors, and putting back what it shall hold.

hosts = start.open(params, mode=mode, action=action)   # binds the directors, looks at dpvs as a process
start.unmanaged(hosts)                                 # NetworkManager keeps its hands off the KNI devices
start.dpvs(hosts)                                      # until its links are UP; a start that fails is explained from its log
start.kni(hosts)                                       # the kernel's interfaces: up, addresses, kni_host routes
start.state(hosts)                                     # addresses, routes, services, LIPs: dpvs keeps them in memory only
start.verify(hosts)
hosts.finish()
"""

from __future__ import annotations

import time
from pathlib import Path

from dpvsbook import steps
from dpvsbook.errors import HostError, NotConverged, ParamsError, PlanError
from dpvsbook.hosts import Command, Shell, put
from dpvsbook.plan import Argv, Plan
from dpvsbook.runbook import Mode, Named, read
from dpvsbook.starting import kni as kni_plans
from dpvsbook.starting import look, plans
from dpvsbook.starting.place import Place
from dpvsbook.starting.plans import ACTIONS, ProcessPlan
from dpvsbook.steps.process import kept
from dpvsbook.steps.process.running import carry_out, foretold, rows, settle
from dpvsbook.steps.process.session import STATE, TITLES, Start, beyond, bind, walk
from dpvsbook.steps.process.views import PlanView
from dpvsbook.steps.setup.restore import EMPTY
from dpvsbook.views import ChecksView, StepView

MODES: tuple[Mode, ...] = ("preview", "apply")


def unmanaged(hosts: Start) -> PlanView:
    """Where NetworkManager is there: a keyfile that keeps it off the KNI devices, before dpvs makes them."""
    title, started = "NetworkManager off the KNI devices", time.monotonic()

    def plan(name: str) -> Plan:
        state = hosts.states[name]
        return kni_plans.plan_unmanaged(hosts.params, hosts.director(name), state.nm, state.nm_file)

    def apply(name: str) -> None:
        (change,) = made[name].changes
        text = str((change.after or {})["text"])
        shells = [put(look.NM_FILE, text.encode()), Shell("command -v nmcli >/dev/null || exit 0\nnmcli general reload conf", mutates=True)]
        results = hosts.hosts[name].run(shells, lock=hosts.holder())
        hosts.observe(name)
        left = plan(name)
        hosts.note_applied("unmanaged", name, made[name].changes, left.changes, len(shells), started)
        if left:
            raise NotConverged(name, f"{look.NM_FILE} could not be written: {results[0].stderr.strip()}")

    with hosts.journalled():
        made = {name: plan(name) if hosts.action != "stop" else Plan("unmanaged", name) for name in hosts.directors}
        return walk(hosts, "unmanaged", title, made, apply, started)


def dpvs(hosts: Start) -> PlanView:
    """End dpvs, start it, or both, as `action` says; a dpvs that runs and is well is left alone. Ready is when every link is UP.

    Raises StartFailed with the first error of its log and what is known of it; PlanError when something is in the way.
    """
    title, started = TITLES[hosts.action], time.monotonic()

    def plan(name: str) -> ProcessPlan:
        return plans.process(name, hosts.states[name], hosts.action, hosts.devices(name), hosts.how(name))

    with hosts.journalled():
        found = {name: plan(name) for name in hosts.directors}
        problems = [(name, *problem) for name, one in found.items() for problem in one.problems]
        problems += [(name, text, fix) for name in hosts.directors for text, fix in foretold(hosts, name, found[name])]
        lost = kept.what_is_lost(hosts, found)
        notes = [f"{name}: {note}" for name, one in found.items() for note in one.notes] + lost
        for name, text, fix in problems:
            hosts.check(f"{name}: dpvs", False, f"{text}. {fix}")
        made = {name: one.plan for name, one in found.items()}
        if problems and hosts.mode == "apply":
            hosts.note_plans("start", title, made)
            raise PlanError("; ".join(f"{name}: {text}" for name, text, _ in problems), remedy=problems[0][2])

        def apply(name: str) -> None:
            seen = hosts.states[name].own
            now = hosts.observe(name).own
            if (seen and seen.pid) != (now and now.pid):
                raise PlanError(f"{name}: dpvs was started or ended by somebody else meanwhile", remedy="Look again, then apply.")
            try:
                carry_out(hosts, name, made[name], started)
            except HostError as error:
                hosts.check(f"{name}: {title.lower()}", False, error.message)
                raise

        waiting = [name for name, one in found.items() if one.wait]
        view = walk(hosts, "start", title, made, apply, started, [f"{n}: {t}. {f}" for n, t, f in problems], notes, more=waiting)
        if hosts.mode == "apply" and hosts.action != "stop":
            hosts.everywhere(lambda name: settle(hosts, name))
        return view


def kni(hosts: Start) -> PlanView:
    """The kernel's interfaces of DPVS's ports: up, with their addresses, and a /32 kni_host route for each that DPVS must hand on."""
    title, started = "KNI devices", time.monotonic()

    def plan(name: str) -> tuple[Plan, tuple[str, ...]]:
        state = hosts.states[name]
        made, problems = kni_plans.plan(hosts.params, hosts.director(name), state.kernel, state.routes)
        will_start = hosts.mode == "preview" and state.own is None
        return made, () if will_start else problems

    def apply(name: str) -> None:
        place = hosts.place(name)
        results = hosts.hosts[name].run(
            [_tool(place, argv) for change in made[name].changes for argv in change.commands], lock=hosts.holder()
        )
        hosts.observe(name)
        left, _ = plan(name)
        hosts.note_applied("kni", name, made[name].changes, left.changes, len(results), started)
        if left:
            heard = " / ".join(dict.fromkeys(result.stderr.strip() for result in results if result.stderr.strip()))
            told = "; ".join(change.reason for change in left.changes)
            raise NotConverged(name, f"everything was sent, and it is not so: {told}{f'; the host said: {heard}' if heard else ''}")

    with hosts.journalled():
        if hosts.action == "stop":
            return walk(hosts, "kni", title, {name: Plan("kni", name) for name in hosts.directors}, apply, started)
        planned = {name: plan(name) for name in hosts.directors}
        made = {name: one for name, (one, _) in planned.items()}
        problems = [f"{name}: {text}" for name, (_, found) in planned.items() for text in found]
        for text in problems:
            name, _, told = text.partition(": ")
            hosts.check(f"{name}: KNI", False, told)
        return walk(hosts, "kni", title, made, apply, started, problems)


def state(hosts: Start) -> StepView | PlanView:
    """What the params declare, put into dpvs again: the steps of the other runbooks, as one plan (`steps.converge`).

    With `keep` also what the dpvs that was ended held beside the params. Without, that is named.
    """
    title, started = "The declared state", time.monotonic()
    empty = {name: Plan("state", name) for name in hosts.directors}
    with hosts.journalled():
        if hosts.action == "stop":
            return walk(hosts, "state", title, empty, lambda _: None, started)
        if parts := beyond(hosts.params):
            text = f"no step of today puts back {', '.join(parts[:5])}{' …' if len(parts) > 5 else ''}: dpvs is empty of it"
            for name in hosts.directors:
                hosts.check(f"{name}: state", False, text)
            return walk(hosts, "state", title, empty, lambda _: None, started, [text])
        if hosts.params.keepalived is not None:
            note = "keepalived puts VIPs and services into dpvs: restart it there, a running one does not fill a dpvs that was started anew"
            hosts.told.append(note)
            return walk(hosts, "state", title, empty, lambda _: None, started, (), [note])
        for name, site in hosts.sites.items():
            if hosts.states[name].own is None or (hosts.mode == "preview" and hosts.action == "restart"):
                site.state = EMPTY
        running = [n for n, site in hosts.sites.items() if getattr(site, "state", None) is not EMPTY]
        hosts.everywhere(lambda name: hosts.look(hosts.sites[name]), running)
    view = hosts.perform(STATE)
    with hosts.journalled():
        kept.put_back(hosts)
    return view


def verify(hosts: Start) -> ChecksView:
    """Look again: dpvs runs, its pid file names it, links are UP, KNI devices as they shall be; then the state, and real requests."""
    started = time.monotonic()
    with hosts.journalled():
        seen: list[tuple[str, bool, str]] = []
        if hosts.mode == "preview" and hosts.pending:
            hosts.note_step("verify", "Verify", "planned", 0, started)
            hosts.verified = True
            return ChecksView("Verify", [], f"{hosts.pending} changes are pending: nothing was asked.")
        hosts.everywhere(hosts.observe)
        for name in hosts.directors:
            seen += rows(hosts, name)
        for name, ok, detail in seen:
            hosts.check(name, ok, detail)
        holds_state = hosts.action != "stop" and not beyond(hosts.params) and hosts.params.keepalived is None
        hosts.verified = True
    if holds_state and not hosts.bad:
        seen += steps.verify(hosts).checks
    bad = sum(not ok for _, ok, _ in seen)
    hosts.note_step("verify", "dpvs runs" if hosts.action != "stop" else "dpvs is down", "failed" if bad else "passed", 0, started)
    return ChecksView("Verify", seen)


def open(  # noqa: A001 - reads well: start.open
    params: str | Path,
    mode: str = "preview",
    *,
    action: str = "start",
    keep: bool = False,
    only: str = "",
    ssh_config: str | Path | None = None,
    outputs: str | Path | None = None,
) -> Start:
    """Bind the directors of a params file and look at dpvs there, running or not. Raises ParamsError, Unreachable and their kin.

    `action`: start, restart or stop. `keep`: what ran beside the params is put back too. `only`: names of directors, with commas between;
    "": all of them, at once. With some left out no requests are sent: the others may answer them.
    """
    wanted, path, how = read(params, mode, MODES, remedy="To take a start back: action = 'stop'.")
    chosen = next((one for one in ACTIONS if one == action), None)
    if chosen is None:
        raise ParamsError(f"action {action!r} is not one of {', '.join(ACTIONS)}")
    if keep and wanted.prune:
        raise ParamsError("keep puts back what is not in the params, and prune removes it", remedy="Leave one of both out.")
    names = [name.strip() for name in only.split(",") if name.strip()] or [director.name for director in wanted.directors]
    if unknown := sorted(set(names) - {director.name for director in wanted.directors}):
        raise ParamsError(f"only: {', '.join(unknown)} is no director of {path}")
    directors = [director for director in wanted.directors if director.name in names]
    bound: list[Named] = [*directors, *wanted.hosts]
    hosts = Start.begin(wanted, path, how, bound, name="start", ssh_config=ssh_config, outputs=outputs, action=chosen, keep=keep)
    if len(directors) < len(wanted.directors):
        hosts.params = wanted.model_copy(update={"checks": wanted.checks.model_copy(update={"http": None})})
    with hosts.journalled():
        bind(hosts)
    return hosts


def _tool(place: Place, argv: Argv) -> Command:
    """A command of DPVS's tools as this director needs it."""
    program = f"{place.bin}/{argv[0]}" if place.bin and argv[0] == "dpip" else argv[0]
    return Command((program, *argv[1:]), mutates=True, env=(("DPVS_IPC_FILE", place.ipc),))
