"""The rules about queues: reference A1, 3 and 4, with the codes of `bad lcore configuration (error code: N)`.

DPVS takes the workers that aren't master by their lcore ids, and stops at the first that has no port: those after it are lost.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from dpvsbook.conf.finding import Finding
from dpvsbook.conf.items import DEVICE, MAX_LCORE, WORKER
from dpvsbook.conf.lines import EXITS, Lines, Rule
from dpvsbook.conf.machine import Machine
from dpvsbook.conf.model import Conf, Worker


def queue_ids(conf: Conf, host: Machine, lines: Lines) -> Iterator[Finding]:
    """3: each queue in one worker (-2, -3), from 0 without gaps (-4), no more ports than there are (-5), all in all (-6), a slave (-7)."""
    names = [device.name for device in conf.devices] + [bond.name for bond in conf.bonds]
    there = len(names) if host.ports is None else len(host.ports) + len(conf.bonds)
    workers = sorted((w for w in conf.workers if w.type != "master"), key=lambda w: MAX_LCORE if w.cpu_id is None else w.cpu_id)
    if not workers or not workers[0].queues:
        line = lines.at(WORKER, workers[0].name) if workers else lines.at("worker_defs")
        said = f"{workers[0].name}, the first slave, has no port" if workers else "there is no slave worker"
        yield _code(line, -7, said, "Give every slave all ports.")
        return
    for worker in workers:
        line = lines.at(WORKER, worker.name)
        if len(worker.queues) > there:
            yield _code(line, -5, f"{worker.name} has {len(worker.queues)} ports, and there are {there}", "List each port once.")
        if not worker.queues:
            yield Finding(
                line,
                "queues",
                f"{worker.name} has no port",
                "leaves it idle, and every worker with a higher cpu_id with it",
                "Give it all ports.",
            )
        for queues in worker.queues:
            if queues.port not in names:
                yield Finding(
                    lines.at(WORKER, worker.name, queues.port),
                    "queues",
                    f"{worker.name} has queues of {queues.port}, and no device or bond is called so",
                    "takes it for a port that isn't there, and that worker moves no packets",
                    f"Known: {', '.join(names) or 'none'}.",
                )
    yield from _repeated(workers, lines)
    used = list(dict.fromkeys(queues.port for worker in workers for queues in worker.queues))
    for port in used:
        for side, counted in (("rx", [q for w in workers for s in w.queues if s.port == port for q in s.rx]),
                              ("tx", [q for w in workers for s in w.queues if s.port == port for q in s.tx])):  # fmt: skip
            if len(set(counted)) == len(counted) and set(counted) != set(range(len(counted))):
                missing = next(i for i in range(len(counted)) if i not in counted)
                first = next(w for w in workers for s in w.queues if s.port == port)
                yield _code(
                    lines.at(WORKER, first.name, port),
                    -4,
                    f"the {side} queues of {port} are {' '.join(map(str, sorted(counted)))}: {missing} is missing",
                    "Number them from 0, without gaps.",
                )
    for worker in workers:
        if not worker.queues:
            continue
        for port in (p for p in used if p not in {q.port for q in worker.queues}):
            yield _code(
                lines.at(WORKER, worker.name),
                -6,
                f"{worker.name} has no queue of {port}",
                "Every worker needs every port, with a tx queue.",
            )
        for queues in worker.queues:
            if not queues.tx:
                yield _code(
                    lines.at(WORKER, worker.name, queues.port),
                    -6,
                    f"{worker.name} has no tx queue of {queues.port}",
                    "Give it one: it answers on that port.",
                )


def _repeated(workers: list[Worker], lines: Lines) -> Iterator[Finding]:
    owner: dict[tuple[str, str, int], Worker] = {}
    for worker in workers:
        for queues in worker.queues:
            for side, ids, code in (("rx", queues.rx, -2), ("tx", queues.tx, -3)):
                for number in ids:
                    other = owner.setdefault((side, queues.port, number), worker)
                    if other is not worker or Counter(ids)[number] > 1:
                        yield _code(
                            lines.at(WORKER, worker.name, queues.port),
                            code,
                            f"{side} queue {number} of {queues.port} is in {other.name} and in {worker.name}"
                            if other is not worker
                            else f"{side} queue {number} of {queues.port} is there twice in {worker.name}",
                            "Give each queue to one worker.",
                        )
                        if other is worker:
                            break


def queue_number(conf: Conf, host: Machine, lines: Lines) -> Iterator[Finding]:
    """4: queue_number is how many queue ids the workers have, and the NIC has as many (F11). A bond's members have the bond's."""
    for index, device in enumerate(conf.devices):
        port = next((bond.name for bond in conf.bonds if device.name in bond.slaves), device.name)
        for side in ("rx", "tx"):
            ids = {
                q for w in conf.workers if w.type != "master" for s in w.queues if s.port == port for q in (s.rx if side == "rx" else s.tx)
            }
            given = device.values.get(f"{side}.queue_number")
            line = lines.at(DEVICE, device.name, f"{side}.queue_number")
            if isinstance(given, int) and given != len(ids):
                yield Finding(
                    line,
                    "queue-number",
                    f"{device.name} {side} queue_number is {given}, and the workers have {len(ids)} {side} queues of {port}",
                    "sets up as many as the workers have",
                    f"Make it {len(ids)}, or give the workers the others.",
                    "warning",
                )
            most = host.ports[index].queues if host.ports is not None and index < len(host.ports) else None
            if most is not None and len(ids) > most:
                yield Finding(
                    line,
                    "queue-number",
                    f"{device.name} has {most} queues, and the workers want {len(ids)}",
                    f"{EXITS}: supports … at max",
                    "Fewer workers.",
                )
        if not any(s.port == port for w in conf.workers if w.type != "master" for s in w.queues):
            yield Finding(
                lines.at(DEVICE, device.name),
                "queues",
                f"no worker has queues of {port}",
                "skips the port: no queues to setup",
                "List it in every slave worker.",
            )


def _code(line: int, code: int, message: str, fix: str) -> Finding:
    return Finding(line, "queues", message, f"{EXITS}: bad lcore configuration (error code: {code})", fix, "error", code)


RULES: tuple[Rule, ...] = (queue_ids, queue_number)
