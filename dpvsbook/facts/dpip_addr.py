"""`dpip addr show`, with `-s` (the ports of a local address) and `-v` (a line per worker):

    inet 192.168.100.200/32 scope global dpdk0
         valid_lft forever preferred_lft forever sa_used 4 sa_free 1032172 sa_miss 0

    Address(family=4, address="192.168.100.200", prefixlen=32, scope="global", device="dpdk0", broadcast=None,
            valid_lft=None, preferred_lft=None, core=None, pool=Pool(used=4, free=1032172, miss=0))

The pool shows with `-s` or `-v` only, and only for an address that has one. The order of the lines means nothing.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from dpvsbook.facts.lines import Lines

COMMAND = ("dpip", "-s", "addr", "show")

_HEAD = re.compile(
    r"(?:\[(?P<core>\d\d+)\] )?(?P<family>inet6?) (?P<address>[0-9a-f:.]+)/(?P<prefixlen>\d+) scope (?P<scope>\w+) (?P<device>[!-~]+)",
    re.ASCII,
)
_LIFE = re.compile(
    r"    (?:broadcast (?P<broadcast>[0-9a-f:.]+))? valid_lft (?P<valid>forever|\d+) preferred_lft (?P<preferred>forever|\d+)"
    r"(?: sa_used (?P<used>\d+) sa_free (?P<free>\d+) sa_miss (?P<miss>\d+))?",
    re.ASCII,
)


@dataclass(frozen=True, slots=True)
class Pool:
    """A local address's ports towards the real servers: in use, free, and how often none was found."""

    used: int
    free: int
    miss: int


@dataclass(frozen=True, slots=True)
class Address:
    """One address of DPVS. `core` is the worker that answered (with `-v`), lifetimes are seconds, None is for ever."""

    family: Literal[4, 6]
    address: str
    prefixlen: int
    scope: str
    device: str
    broadcast: str | None = None
    valid_lft: int | None = None
    preferred_lft: int | None = None
    core: int | None = None
    pool: Pool | None = None


def parse(text: str) -> tuple[Address, ...]:
    """The addresses, in the order in which they are printed. Raises ParseError."""
    lines = Lines("dpip addr show", text)
    found = []
    while lines:
        head = lines.need(_HEAD)
        address = lines.address(head["address"])
        life = lines.need(_LIFE)
        found.append(
            Address(
                family=4 if head["family"] == "inet" else 6,
                address=address,
                prefixlen=int(head["prefixlen"]),
                scope=head["scope"],
                device=head["device"],
                broadcast=life["broadcast"],
                valid_lft=_seconds(life["valid"]),
                preferred_lft=_seconds(life["preferred"]),
                core=int(head["core"]) if head["core"] else None,
                pool=Pool(int(life["used"]), int(life["free"]), int(life["miss"])) if life["used"] else None,
            )
        )
    return tuple(found)


def _seconds(text: str) -> int | None:
    return None if text == "forever" else int(text)
