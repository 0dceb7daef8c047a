"""`ipvsadm -B` and `ipvsadm -W`: the deny and the allow lists.

    PROTO    VIP:VPORT                      BLACKLIST
    TCP      10.0.0.100:80                  10.0.0.48

    Entry(key=tcp 10.0.0.100:80, kind="deny", subject="10.0.0.48")

A subject is an address or `ipset:NAME`. Entries for a service that isn't there are kept and not listed. DPVS before 1.9.8 printed the
columns in another order, and is refused.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal, cast

from dpvsbook.facts.ipvs import Protocol, ServiceKey, split_endpoint
from dpvsbook.facts.lines import Lines

COMMAND = ("ipvsadm", "-B")
COMMAND_ALLOW = ("ipvsadm", "-W")

_TITLE = re.compile(r"PROTO    VIP:VPORT                      (BLACKLIST|WHITELIST) {21}")
_ENTRY = re.compile(r"(?P<protocol>TCP|UDP|SCTP|ICMP|IMCPv6|ICMPv6) +(?P<name>[!-~]+:\d+) +(?P<subject>ipset:[!-~]+|[0-9a-f:.]+) *", re.A)
_KINDS: dict[str, Literal["deny", "allow"]] = {"BLACKLIST": "deny", "WHITELIST": "allow"}


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry of a service's deny or allow list."""

    key: ServiceKey
    kind: Literal["deny", "allow"]
    subject: str


def parse(text: str) -> tuple[Entry, ...]:
    """The entries of either list, in the order in which they are printed. Raises ParseError."""
    lines = Lines("ipvsadm -B/-W", text)
    kind = _KINDS[lines.need(_TITLE)[1]]
    found = []
    while lines:
        row = lines.need(_ENTRY)
        protocol = cast("Protocol", row["protocol"].lower().replace("imcp", "icmp"))
        try:
            key = ServiceKey(protocol, *split_endpoint(row["name"]))
        except ValueError:
            raise lines.unknown(back=1) from None
        subject = row["subject"]
        found.append(Entry(key, kind, subject if subject.startswith("ipset:") else lines.address(subject)))
    return tuple(found)
