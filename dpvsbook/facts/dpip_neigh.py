"""`dpip neigh show`:

    ip: 192.168.100.2                                    mac: de:fe:c1:70:34:4f   state: REACHABLE     dev: dpdk0  core: 1
    ip: 10.0.0.9                                         mac:incomplate                       state: SEND           dev: dpdk1  core: 1

    Neighbour(address="192.168.100.2", mac="de:fe:c1:70:34:4f", state="REACHABLE", device="dpdk0", core=1, static=False)

A line per worker, so one neighbour may show several times. A neighbour just added may not show yet: look again.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from dpvsbook.facts.lines import Lines

COMMAND = ("dpip", "neigh", "show")

_NEIGHBOUR = re.compile(
    r"ip: (?P<address>[0-9a-f:.]+) +mac:(?: (?P<mac>[0-9a-f]{2}(?::[0-9a-f]{2}){5})|incompl[ae]te?) +state: (?P<state>[A-Z]+) +"
    r"dev: (?P<device>[!-~]+)  core: (?P<core>\d+)  (?P<static>static)?",
    re.ASCII,
)


@dataclass(frozen=True, slots=True)
class Neighbour:
    """A neighbour as one worker (`core`) knows it. `mac` is None until it answered; `state` is NONE, SEND, REACHABLE, PROBE or DELAY."""

    address: str
    mac: str | None
    state: str
    device: str
    core: int
    static: bool


def parse(text: str) -> tuple[Neighbour, ...]:
    """The neighbours, in the order in which they are printed. Raises ParseError."""
    lines = Lines("dpip neigh show", text)
    found = []
    while lines:
        row = lines.need(_NEIGHBOUR)
        address = lines.address(row["address"])
        found.append(Neighbour(address, row["mac"], row["state"], row["device"], int(row["core"]), bool(row["static"])))
    return tuple(found)
