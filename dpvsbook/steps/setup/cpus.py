"""Which CPU each lcore of dpvs gets. An lcore is busy at all times, so it wants a core of its own, near its NICs (reference F07)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from dpvsbook.conf.machine import arguments
from dpvsbook.conf.model import Conf
from dpvsbook.facts.setup import Cpu, SetupState
from dpvsbook.hostplan import HostPlan
from dpvsbook.params import Director, Params
from dpvsbook.steps.setup.common import addresses
from dpvsbook.steps.setup.wanted import wanted_conf


def plan_cpus(params: Params, director: Director, state: SetupState) -> HostPlan:  # noqa: ARG001
    """Says the layout, and what the kernel's command line lacks for it. It changes nothing: the layout goes into dpvs's unit."""
    conf = wanted_conf(director, state)
    roles = {worker.cpu_id: f"{worker.name}, {worker.type or 'slave'}" for worker in conf.workers}
    if arguments(director.start.arguments if director.start else ()).lcores is not None:
        return HostPlan("cpus", director.name, notes=("The params' own arguments say which CPUs dpvs has",))
    chosen = layout(director, conf, state)
    if not chosen:
        told = (
            f"{len(conf.lcores)} lcores and {state.cpus} CPUs: too few to give each lcore a CPU of its own beside one for everything else"
        )
        return HostPlan("cpus", director.name, notes=(f"{told}. Each lcore has the CPU of its number",))
    of = {cpu.id: cpu for cpu in state.topology}
    notes = [
        f"lcore {lcore} ({roles.get(lcore, 'isolated queues')}): CPU {cpu}, NUMA node {of[cpu].node}, core {of[cpu].core}"
        for lcore, cpu in chosen.items()
    ]
    bare = [cpu for cpu in chosen.values() if cpu not in state.isolated]
    if bare:
        listed = ",".join(map(str, sorted(chosen.values())))
        words = f"isolcpus={listed} nohz_full={listed} rcu_nocbs={listed}"
        notes.append(
            f"The kernel may run other tasks on CPU {', '.join(map(str, bare))}. On its command line, from the next boot on: {words}"
        )
    return HostPlan("cpus", director.name, notes=tuple(notes))


def layout(director: Director, conf: Conf, state: SetupState) -> Mapping[int, int]:
    """lcore -> CPU, empty where there are too few CPUs: isolated ones first, on the NICs' node, one of each core, never CPU 0's core."""
    nodes = Counter(slot.node for address in addresses(director) if (slot := state.slots.get(address)) and slot.node >= 0)
    first = {cpu.place for cpu in state.topology if cpu.id == 0}
    free = [cpu for cpu in state.topology if cpu.place not in first]
    if len(free) < len(conf.lcores):
        return {}
    seen: Counter[tuple[int, int]] = Counter()
    ranks: dict[int, tuple[bool, int, int, int]] = {}
    for cpu in sorted(free, key=lambda cpu: cpu.id):
        ranks[cpu.id] = (cpu.id not in state.isolated, seen[cpu.place], -nodes[cpu.node], cpu.id)
        seen[cpu.place] += 1
    best: list[Cpu] = sorted(free, key=lambda cpu: ranks[cpu.id])
    return dict(zip(conf.lcores, sorted(cpu.id for cpu in best[: len(conf.lcores)]), strict=True))


def lcores_argument(chosen: Mapping[int, int]) -> str:
    """ "0@2,1@3": what `--lcores` takes."""
    return ",".join(f"{lcore}@{cpu}" for lcore, cpu in chosen.items())
