"""`dpip link show [NIC]`, with `-s` (counters), `-s -i SECONDS` (rates), `-v` (what the driver can do), and a bond's `status`:

    1: dpdk0: socket 0 mtu 1500 rx-queue 1 tx-queue 1
        UP 10000 Mbps full-duplex fixed-nego promisc lldp
        addr 7E:78:CD:3A:BE:3A OF_RX_IP_CSUM

    Link(index=1, name="dpdk0", socket=0, mtu=1500, rx_queues=1, tx_queues=1, up=True, speed=10000, duplex="full-duplex",
         autoneg="fixed-nego", flags={"promisc", "lldp"}, mac="7e:78:cd:3a:be:3a", offloads={"OF_RX_IP_CSUM"}, …)

Flags show when they are on; older versions wrote `promisc-off` too. DPVS spells one flag `foward2kni`; here it is forward2kni.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

from dpvsbook.facts import dpip_link_detail
from dpvsbook.facts.dpip_link_detail import Bond, Detail
from dpvsbook.facts.lines import Lines

COMMAND = ("dpip", "link", "show")

_HEAD = re.compile(r"(\d+): ([!-~]+): socket (-?\d+) mtu (\d+) rx-queue (\d+) tx-queue (\d+)", re.A)
_STATE = re.compile(
    r"    (?P<state>UP|DOWN) (?P<speed>-?\d+) Mbps (?:(?P<duplex>full-duplex|half-duplex) )?(?:(?P<autoneg>fixed-nego|auto-nego) )?"
    r"(?P<flags>(?:(?:promisc|allmulticast|foward2kni|forward2kni|tc-egress|tc-ingress|lldp)(?:-on|-off)? )*)",
    re.ASCII,
)
_ADDR = re.compile(r"    addr ([0-9A-Fa-f]{2}(?::[0-9A-Fa-f]{2}){5}) ((?:OF_[A-Z_]+ )*)", re.A)
_STATS = tuple(
    (re.compile(header), re.compile(r"    " + r"(\d+) +" * (n - 1) + r"(\d+) *", re.A))
    for n, header in (
        (4, r"    ipackets {12}opackets {12}ibytes {14}obytes {14}"),
        (4, r"    ierrors {13}oerrors {13}imissed {13}rx_nombuf {11}"),
        (2, r"    mbuf-avail {10}mbuf-inuse {10}"),
    )
)
_RATES = tuple(
    (re.compile(header), re.compile(r"    (\d+) +(\d+) +(\d+) +(\d+) *", re.A))
    for header in (
        r"    ipackets/pps {4}opackets/pps {4}ibytes/Bps {6}obytes/Bps {6}",
        r"    ierrors/pps {5}oerrors/pps {5}imissed/pps {5}rx_nombuf/pps {3}",
    )
)
_XSTATS = re.compile(r"    xstats list:")
_XSTAT = re.compile(r" {8}(\d+) *([!-~]+?): (\d+)", re.A)
_NO_XSTATS = re.compile(r" {8}not supported")
_UNKNOWN_SPEEDS = (-1, 4294967295)


class Counters(NamedTuple):
    """What went through a device, and the packet buffers of its socket. Packets and bytes since dpvs started."""

    ipackets: int
    opackets: int
    ibytes: int
    obytes: int
    ierrors: int
    oerrors: int
    imissed: int
    rx_nombuf: int
    mbuf_avail: int
    mbuf_inuse: int


class Rates(NamedTuple):
    """The same per second, over one interval of `-i`."""

    ipackets: int
    opackets: int
    ibytes: int
    obytes: int
    ierrors: int
    oerrors: int
    imissed: int
    rx_nombuf: int


@dataclass(frozen=True, slots=True)
class Link:
    """One device of DPVS. `speed` in Mbps, None where the driver doesn't know. The last five are None or empty without their option."""

    index: int
    name: str
    socket: int
    mtu: int
    rx_queues: int
    tx_queues: int
    up: bool
    speed: int | None
    duplex: str
    autoneg: str
    flags: frozenset[str]
    mac: str
    offloads: frozenset[str] = frozenset()
    stats: Counters | None = None
    rates: tuple[Rates, ...] = ()
    xstats: Mapping[str, int] | None = None
    detail: Detail | None = None
    bond: Bond | None = None


def parse(text: str) -> tuple[Link, ...]:
    """The devices, in the order of their numbers. Raises ParseError."""
    lines = Lines("dpip link show", text)
    found = []
    while lines:
        head, state, addr = lines.need(_HEAD), lines.need(_STATE), lines.need(_ADDR)
        speed = int(state["speed"])
        found.append(
            Link(
                index=int(head[1]),
                name=head[2],
                socket=int(head[3]),
                mtu=int(head[4]),
                rx_queues=int(head[5]),
                tx_queues=int(head[6]),
                up=state["state"] == "UP",
                speed=None if speed in _UNKNOWN_SPEEDS else speed,
                duplex=state["duplex"] or "",
                autoneg=state["autoneg"] or "",
                flags=frozenset(_flag(word) for word in state["flags"].split() if not word.endswith("-off")),
                mac=addr[1].lower(),
                offloads=frozenset(addr[2].split()),
                stats=_stats(lines),
                rates=_rates(lines),
                xstats=_xstats(lines),
                detail=dpip_link_detail.detail(lines),
                bond=dpip_link_detail.bond(lines),
            )
        )
    return tuple(found)


def _flag(word: str) -> str:
    return word.removesuffix("-on").replace("foward2kni", "forward2kni")


def _stats(lines: Lines) -> Counters | None:
    if lines.take(_STATS[0][0]) is None:
        return None
    values = list(lines.need(_STATS[0][1]).groups())
    for header, row in _STATS[1:]:
        lines.need(header)
        values += lines.need(row).groups()
    return Counters(*map(int, values))


def _rates(lines: Lines) -> tuple[Rates, ...]:
    found = []
    while lines.take(_RATES[0][0]):
        first = lines.need(_RATES[0][1])
        lines.need(_RATES[1][0])
        found.append(Rates(*map(int, first.groups() + lines.need(_RATES[1][1]).groups())))
    return tuple(found)


def _xstats(lines: Lines) -> Mapping[str, int] | None:
    if lines.take(_XSTATS) is None or lines.take(_NO_XSTATS):
        return None
    found = {}
    while match := lines.take(_XSTAT):
        found[match[2]] = int(match[3])
    return found
