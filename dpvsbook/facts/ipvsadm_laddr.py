"""`ipvsadm -G`: the local addresses (LIPs) of each service.

    VIP:VPORT            TOTAL    SNAT_IP              CONFLICTS  CONNS
    10.0.0.100:80        1
                                  192.168.100.200      0          206

    LaddrService(key_text="10.0.0.100:80", lips=(Laddr("192.168.100.200", conflicts=0, conns=206),))

No protocol is printed, so tcp and udp on one VIP:port look alike; director.py tells them apart by the order. With no services nothing at
all is printed. A LIP whose address was deleted from the device is still listed (observed.md, state traps). CONFLICTS is always 0.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from dpvsbook.facts.ipvs import endpoint, split_endpoint
from dpvsbook.facts.lines import Lines

COMMAND = ("ipvsadm", "-G")

_TITLE = re.compile(r"VIP:VPORT            TOTAL    SNAT_IP              CONFLICTS  CONNS     ")
_SERVICE = re.compile(r"([0-9.]+:\d+|\[[0-9a-f:.]+\]:\d+) +(\d+) +", re.A)
_LADDR = re.compile(r" {30}([0-9a-f:.]+) +(\d+) +(\d+) *", re.A)


@dataclass(frozen=True, slots=True)
class Laddr:
    """A LIP of a service, and its connections now."""

    address: str
    conflicts: int
    conns: int


@dataclass(frozen=True, slots=True)
class LaddrService:
    """The LIPs of one service; a match or mark service is `0.0.0.0:0` or `[::]:0`."""

    key_text: str
    lips: tuple[Laddr, ...]


def parse(text: str) -> tuple[LaddrService, ...]:
    """The services, in dpvs's own order (see director.py). Raises ParseError."""
    lines = Lines("ipvsadm -G", text)
    if not lines:
        return ()
    lines.need(_TITLE)
    found = []
    while lines:
        head = lines.need(_SERVICE)
        try:
            name = endpoint(*split_endpoint(head[1]))
        except ValueError:
            raise lines.unknown(back=1) from None
        lips = []
        for _ in range(int(head[2])):
            row = lines.need(_LADDR)
            lips.append(Laddr(lines.address(row[1]), int(row[2]), int(row[3])))
        found.append(LaddrService(name, tuple(lips)))
    return tuple(found)
