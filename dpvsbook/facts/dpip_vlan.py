"""`dpip vlan show DEVICE` and `dpip vlan show link DEVICE`; it prints on standard error:

    dpdk0.100 link dpdk0 proto 802.1q id 100

    Vlan(name="dpdk0.100", link="dpdk0", protocol="802.1q", id=100)

Without a device it refuses (`missing both vlan and real device`), so there is no list of all.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from dpvsbook.facts.lines import Lines

COMMAND = ("dpip", "vlan", "show", "link")
"""Followed by the device."""

_VLAN = re.compile(r"(?P<name>[!-~]+) link (?P<link>[!-~]+) proto (?P<protocol>802\.1q|802\.1ad|<unknow>) id (?P<id>\d+)", re.A)


@dataclass(frozen=True, slots=True)
class Vlan:
    """A VLAN device on `link`. `protocol` is "802.1q", "802.1ad" or "<unknow>" (so spelled)."""

    name: str
    link: str
    protocol: str
    id: int


def parse(text: str) -> tuple[Vlan, ...]:
    """The VLANs out of the command's standard error. Raises ParseError."""
    lines = Lines("dpip vlan show", text)
    found = []
    while lines:
        row = lines.need(_VLAN)
        found.append(Vlan(row["name"], row["link"], row["protocol"], int(row["id"])))
    return tuple(found)
