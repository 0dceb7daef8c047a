"""`dpip link show cpu` and `dpip link show cpuN`, with `-s` (counters) and `-s -i SECONDS` (the same per second):

    << Data Plane >>
    2: cpu1: socket 0
        queues dpdk0:rx0       dpdk0:tx0       dpdk1:rx0       dpdk1:tx0

    Cpu(index=2, cpu=1, socket=0, plane="data", queues=("dpdk0:rx0", "dpdk0:tx0", "dpdk1:rx0", "dpdk1:tx0"), stats=None, rates=())

The planes ("control", "data", "isolate-rx") are named only where all CPUs are listed; plane is "" for one CPU.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import NamedTuple

from dpvsbook.facts.lines import Lines

COMMAND = ("dpip", "link", "show", "cpu")

_PLANES = {"Controll Plane": "control", "Control Plane": "control", "Data Plane": "data", "Isolate RX Lcores": "isolate-rx"}
_PLANE = re.compile(rf"<< ({'|'.join(_PLANES)}) >>")
_HEAD = re.compile(r"(\d+): cpu(\d+): socket (\d+)", re.A)
_QUEUES = re.compile(r"    queues (?:none|((?:[!-~]+ +)*))", re.A)
_NAMES = (
    ("lcore_loop", "pktburst", "zpktburst", "fpktburst"),
    ("z2hpktburst", "h2fpktburst", "dropped"),
    ("ipackets", "ibytes", "opackets", "obytes"),
)
_UNITS = (("lps", "nps", "nps", "nps"), ("nps", "nps", "nps"), ("pps", "Bps", "pps", "Bps"))
_STATS = tuple(re.compile("    " + "".join(f"{name:<20}" for name in row)) for row in _NAMES)
_RATES = tuple(
    re.compile("    " + "".join(f"{f'{name}/{unit}':<16}" for name, unit in zip(names, units, strict=True)))
    for names, units in zip(_NAMES, _UNITS, strict=True)
)
_VALUES = tuple(re.compile("    " + r"(\d+) +" * (len(row) - 1) + r"(\d+) *", re.A) for row in _NAMES)


class Bursts(NamedTuple):
    """What a CPU did: turns of its loop, bursts by how full they were (z empty, z2h less than half, h2f more, f full), packets, bytes."""

    lcore_loop: int
    pktburst: int
    zpktburst: int
    fpktburst: int
    z2hpktburst: int
    h2fpktburst: int
    dropped: int
    ipackets: int
    ibytes: int
    opackets: int
    obytes: int


@dataclass(frozen=True, slots=True)
class Cpu:
    """A CPU of DPVS and the device queues that it serves. `rates` has one entry per interval of `-i`."""

    index: int
    cpu: int
    socket: int
    plane: str = ""
    queues: tuple[str, ...] = ()
    stats: Bursts | None = None
    rates: tuple[Bursts, ...] = ()


def parse(text: str) -> tuple[Cpu, ...]:
    """The CPUs, in the order in which they are printed. Raises ParseError."""
    lines = Lines("dpip link show cpu", text)
    found: list[Cpu] = []
    plane = ""
    while lines:
        if title := lines.take(_PLANE):
            plane = _PLANES[title[1]]
            continue
        head, queues = lines.need(_HEAD), lines.need(_QUEUES)
        stats = _block(lines, _STATS)
        rates = []
        while (rate := _block(lines, _RATES)) is not None:
            rates.append(rate)
        found.append(Cpu(int(head[1]), int(head[2]), int(head[3]), plane, tuple((queues[1] or "").split()), stats, tuple(rates)))
    return tuple(found)


def _block(lines: Lines, headers: tuple[re.Pattern[str], ...]) -> Bursts | None:
    if lines.take(headers[0]) is None:
        return None
    values = list(lines.need(_VALUES[0]).groups())
    for header, row in zip(headers[1:], _VALUES[1:], strict=True):
        lines.need(header)
        values += lines.need(row).groups()
    return Bursts(*map(int, values))
