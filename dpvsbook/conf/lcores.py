"""The rules about lcores, and how packets reach the one that knows their connection: reference A1, 5, 7 and 8."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from dpvsbook.conf.finding import Finding
from dpvsbook.conf.items import WORKER
from dpvsbook.conf.lines import EXITS, Lines, Rule
from dpvsbook.conf.machine import Machine
from dpvsbook.conf.model import Conf


def lcores(conf: Conf, host: Machine, lines: Lines) -> Iterator[Finding]:
    """5: one master, its lcore is the main one; the lcores of -l are those of the workers; CPUs are left for the system (F06, F07)."""
    block = lines.at("worker_defs")
    if len(conf.masters) != 1:
        told = "starts with the main lcore for master" if not conf.masters else "takes them all for no worker"
        yield Finding(block, "lcores", f"{len(conf.masters)} workers are master", told, "Make exactly one worker the master.")
    if sum(worker.type == "kni" for worker in conf.workers) > 1:
        yield Finding(block, "lcores", "more than one worker is of type kni", "takes the last one for the KNI devices", "Keep one.")
    for worker in conf.workers:
        line = lines.at(WORKER, worker.name)
        for key, missing in (("type", worker.type is None), ("cpu_id", worker.cpu_id is None)):
            if missing:
                yield Finding(
                    line, "lcores", f"{worker.name} has no {key}", "takes whatever stands in the memory that it got", f"Write its {key}."
                )
    for number, count in Counter(w.cpu_id for w in conf.workers if w.cpu_id is not None).items():
        if count > 1:
            second = [w for w in conf.workers if w.cpu_id == number][1]
            yield Finding(
                lines.at(WORKER, second.name, "cpu_id"),
                "lcores",
                f"cpu_id {number} is in {count} workers",
                f"{EXITS}: an assertion fails",
                "Give each worker its own.",
            )
    wanted = set(conf.lcores)
    if host.lcores is not None and wanted != set(host.lcores):
        no_lcore, idle = sorted(wanted - set(host.lcores)), sorted(set(host.lcores) - wanted)
        more = len(conf.workers) - len(conf.masters) > len(host.lcores)  # then the queues of those beyond are missed first (transcript 18)
        refused = "bad lcore configuration (error code: -4)" if more else "lcore_index_init failed (cause: non-EAL thread lcore)"
        told = f"{EXITS}: {refused}" if no_lcore else "leaves them idle"
        said = (
            f"cpu_id {', '.join(map(str, no_lcore))} is not among dpvs's lcores"
            if no_lcore
            else f"no worker has the lcores {', '.join(map(str, idle))}"
        )
        ids = ",".join(map(str, sorted(wanted)))
        yield Finding(
            block,
            "lcores",
            said,
            told,
            f"Start it with -l {ids}, or with --lcores {ids} and an @CPU behind each.",
            "error" if no_lcore else "warning",
        )
    master = conf.masters[0] if conf.masters else None
    if master is not None and host.main is not None and master.cpu_id is not None and master.cpu_id != host.main:
        yield Finding(
            lines.at(WORKER, master.name, "cpu_id"),
            "lcores",
            f"the master is on {master.cpu_id}, and the main lcore is {host.main}",
            f"{EXITS} where a slave has that lcore: an assertion fails",
            f"Start it with --main-lcore {master.cpu_id}.",
        )
    if host.cpus is not None and len(wanted) >= host.cpus:
        over = len(wanted) > host.cpus
        yield Finding(
            block,
            "lcores",
            f"dpvs takes {len(wanted)} CPUs of {host.cpus}, each at 100 %",
            EXITS if over else "starts, and leaves nothing to sshd, keepalived and the routing daemon",
            "Fewer workers, or --lcores that share a CPU.",
            "error" if over else "warning",
        )


def flow_director(conf: Conf, host: Machine, lines: Lines) -> Iterator[Finding]:
    """7: answers must reach the worker that has the connection: by the NIC's flow rules, by redirect, or because there is one (F37)."""
    several = len(conf.slaves) > 1
    on, redirect = bool(conf.get("sa_pool.flow_enable")), bool(conf.get("ipvs_defs.conn.redirect"))
    line = lines.at("sa_pool.flow_enable")
    if several and not on and not redirect:
        yield Finding(
            line,
            "flow-director",
            f"flow_enable is off with {len(conf.slaves)} slave workers, and redirect is off",
            "starts, and loses most answers: they reach a worker that doesn't know the connection",
            "Use one slave worker, or redirect on, or flow_enable on where the NIC has rte_flow.",
        )
    without = [port.address for port in host.ports or () if port.flow is False]
    if on and without:
        yield Finding(
            line,
            "flow-director",
            f"flow_enable is on, and {', '.join(without)} has no rte_flow",
            "starts, and fails when a LIP is added",
            "Write flow_enable off, with one slave worker or redirect on.",
        )


def power_of_two(conf: Conf, host: Machine, lines: Lines) -> Iterator[Finding]:  # noqa: ARG001 - as every rule
    """8: local ports are shared out by a mask, so a number of workers between two powers wastes some."""
    count = len(conf.slaves)
    if count > 1 and count & (count - 1) and conf.get("sa_pool.flow_enable"):
        room = 1 << count.bit_length()
        yield Finding(
            lines.at("worker_defs"),
            "power-of-two",
            f"{count} slave workers use {count} of {room} shares of each LIP's ports",
            f"starts, and {room - count} of {room} local ports are never used",
            f"Use {room // 2} or {room} slave workers.",
            "warning",
        )


RULES: tuple[Rule, ...] = (lcores, flow_director, power_of_two)
