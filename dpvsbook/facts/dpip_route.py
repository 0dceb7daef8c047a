"""`dpip route show` and `dpip -6 route show`:

    inet 0.0.0.0/0 via 192.168.100.46 src 192.168.100.1 dev dpdk0 mtu 1500 tos 0 scope global metric 0 proto auto
    inet6 2001:db8:1::/64 dev dpdk1 mtu 1500 scope link

    Route(family=4, prefix="0.0.0.0/0", via="192.168.100.46", src="192.168.100.1", device="dpdk0", mtu=1500, scope="global", metric=0)
    Route(family=6, prefix="2001:db8:1::/64", via=None, src=None, device="dpdk1", mtu=1500, scope="link", metric=None)

The prefix stays as printed: DPVS keeps `10.2.3.4/16` unmasked. IPv6 prints `default`, here "::/0". The order of the lines means nothing.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from dpvsbook.facts.lines import Lines

COMMAND = ("dpip", "route", "show")
COMMAND6 = ("dpip", "-6", "route", "show")

_V4 = re.compile(
    r"inet (?P<prefix>[0-9.]+/-?\d+) via (?P<via>[0-9.]+) src (?P<src>[0-9.]+) dev (?P<device>[!-~]+) mtu (?P<mtu>\d+) tos 0"
    r" scope (?P<scope>\w+) metric (?P<metric>-?\d+) proto \w+ (?:onlink )?",
    re.ASCII,
)
_V6 = re.compile(
    r"inet6 (?:default|(?P<prefix>[0-9a-f:.]+/\d+))(?: via (?P<via>[0-9a-f:.]+))?(?: src (?P<src>[0-9a-f:.]+))? dev (?P<device>[!-~]+)"
    r"(?: mtu (?P<mtu>\d+))? scope (?P<scope>\w+|::)",
    re.ASCII,
)


@dataclass(frozen=True, slots=True)
class Route:
    """One route of DPVS. `scope` is host (made with an address), kni_host, link or global; None: not set, or not printed."""

    family: Literal[4, 6]
    prefix: str
    via: str | None
    src: str | None
    device: str
    mtu: int | None
    scope: str
    metric: int | None = None


def parse(text: str) -> tuple[Route, ...]:
    """The routes of either family, in the order in which they are printed. Raises ParseError."""
    lines = Lines("dpip route show", text)
    found = []
    while lines:
        if match := lines.take(_V4):
            gateway, source = _set(match["via"]), _set(match["src"])
            mtu, metric = int(match["mtu"]), int(match["metric"])
            found.append(Route(4, match["prefix"], gateway, source, match["device"], mtu, match["scope"], metric))
            continue
        match = lines.need(_V6)
        address, _, length = (match["prefix"] or "::/0").partition("/")
        via = lines.address(match["via"]) if match["via"] else None
        src = lines.address(match["src"]) if match["src"] else None
        mtu6 = int(match["mtu"]) if match["mtu"] else None
        found.append(Route(6, f"{lines.address(address)}/{length}", via, src, match["device"], mtu6, match["scope"]))
    return tuple(found)


def _set(address: str) -> str | None:
    return None if address == "0.0.0.0" else address  # noqa: S104 - how DPVS prints that there is none
