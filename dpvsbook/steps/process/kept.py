"""What a dpvs held and the params don't have: saved before it is ended, put back when that is asked, else named."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from dpvsbook.facts.director import DirectorState
from dpvsbook.params import Director, Params
from dpvsbook.plan import Kind, Plan, Step, Value
from dpvsbook.site import Site
from dpvsbook.starting import history, plans
from dpvsbook.starting.plans import ProcessPlan
from dpvsbook.steps import converge
from dpvsbook.steps.laddr import LipKind
from dpvsbook.steps.process.session import Start
from dpvsbook.steps.service import ServerKind, server_value

TITLE = "What ran beside the params"


@dataclass(frozen=True)
class EveryServer(ServerKind):
    """The real servers of every service: the step itself only looks into those of the params."""

    def observed(self, params: Params, director: Director, state: DirectorState) -> dict[str, Value]:  # noqa: ARG002
        return {
            f"{key} -> {s.endpoint}": server_value(s.method, s.weight, s.upper, s.lower)
            for key, there in state.services.items()
            for s in there.servers.values()
        }


@dataclass(frozen=True)
class EveryLip(LipKind):
    """The LIPs of every service."""

    def observed(self, params: Params, director: Director, state: DirectorState) -> dict[str, Value]:  # noqa: ARG002
        device_of = {a.address: a.device for a in state.addresses}
        return {
            f"{key} from {lip}": {"device": device_of[lip]}
            for key, there in state.services.items()
            for lip in there.lips
            if lip in device_of
        }


_EVERY: Mapping[str, Kind] = {"server": EveryServer(), "lip": EveryLip()}
KINDS: tuple[Kind, ...] = tuple(_EVERY.get(kind.name, kind) for kind in converge.kinds)


def what_is_lost(hosts: Start, found: Mapping[str, ProcessPlan]) -> list[str]:
    """What ending a dpvs loses, in words, and what of it the params don't have: said before, and kept in the record."""
    told = []
    for name, one in found.items():
        state = hosts.states[name]
        if state.own is None or hosts.action == "start" or not one.plan.changes:
            continue
        if state.links is None:
            told.append(f"{name}: its tools don't reach it, so it can't be said what is lost with pid {state.own.pid}")
            continue
        site = hosts.sites[name]
        hosts.look(site)
        word = "Lost" if hosts.mode == "apply" else "This loses"
        told.append(f"{name}: {word} with pid {state.own.pid}: {plans.held(site.state)}")
        found_extras = plans.extras(KINDS, hosts.params, site.director, site.state)
        hosts.extras[name] = found_extras
        if found_extras:
            names = ", ".join(f"{item['kind']} {item['key']}" for item in found_extras[:10]) + (" …" if len(found_extras) > 10 else "")
            after = "put back (keep)" if hosts.keep else "not put back: keep = True does that, from this run's record"
            told.append(f"{name}: not in the params: {names}: {after}")
    return told


def put_back(hosts: Start) -> None:
    """With `keep`; else it is named. It may have been saved by an earlier run that broke off, or that was not asked to keep it."""
    for name, site in hosts.sites.items():
        extras: Sequence[history.Extra] = hosts.extras.get(name, ())
        if not extras and (hosts.keep or name in hosts.fresh):  # otherwise it was told when it mattered
            _, extras = history.saved(hosts.record, name, hosts.hosts[name].host_key)
        if not extras:
            continue

        def towards(state: DirectorState, site: Site = site, extras: Sequence[history.Extra] = extras) -> Plan:
            return plans.put_back(KINDS, hosts.params, site.director, state, extras)

        plan = towards(site.state)
        if not plan:
            continue
        if not hosts.keep:
            names = ", ".join(f"{change.kind} {change.key}" for change in plan.changes[:10])
            hosts.told.append(f"{name}: not put back, because the params don't have it: {names} (keep = True does)")
            continue
        hosts.note_plan("kept", TITLE, name, plan.changes)
        if hosts.mode == "preview":
            hosts.pending += len(plan.changes)
            continue
        hosts.apply(site, Step("kept", TITLE, KINDS), plan, towards=towards)
        hosts.applied += len(plan.changes)
        hosts.record.event("kept", director=name, extras=[dict(item) for item in extras])
