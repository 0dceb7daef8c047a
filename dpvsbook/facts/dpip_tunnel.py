"""`dpip tunnel show`:

gre1:  gre remote 10.0.0.2 local 10.0.0.1 dev dpdk1 ttl 64 tos 0x10 i_flags 0x2000 o_flags 0x2000 i_key 0x1 o_key 0x1

Tunnel(name="gre1", kind="gre", remote="10.0.0.2", local="10.0.0.1", device="dpdk1", ttl=64, tos=16,
       i_flags=8192, o_flags=8192, i_key=1, o_key=1)
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from dpvsbook.facts.lines import Lines

COMMAND = ("dpip", "tunnel", "show")

_TUNNEL = re.compile(
    r"(?P<name>[!-~]+): +(?P<kind>[a-z0-9]+) remote (?P<remote>[0-9.]+) local (?P<local>[0-9.]+) (?:dev (?P<device>[!-~]+) )?"
    r"ttl (?:inherit|(?P<ttl>\d+)) "
    + "".join(rf"(?:{name} 0x(?P<{name}>[0-9a-f]+) )?" for name in ("tos", "i_flags", "o_flags", "i_key", "o_key")),
    re.ASCII,
)


@dataclass(frozen=True, slots=True)
class Tunnel:
    """A tunnel device. `ttl` None: inherited; the flags and keys are 0 where they aren't set."""

    name: str
    kind: str
    remote: str
    local: str
    device: str | None = None
    ttl: int | None = None
    tos: int = 0
    i_flags: int = 0
    o_flags: int = 0
    i_key: int = 0
    o_key: int = 0


def parse(text: str) -> tuple[Tunnel, ...]:
    """The tunnels, in the order in which they are printed. Raises ParseError."""
    lines = Lines("dpip tunnel show", text)
    found = []
    while lines:
        row = lines.need(_TUNNEL)
        tos, i_flags, o_flags, i_key, o_key = (int(row[name] or "0", 16) for name in ("tos", "i_flags", "o_flags", "i_key", "o_key"))
        found.append(
            Tunnel(
                row["name"],
                row["kind"],
                row["remote"],
                row["local"],
                row["device"],
                int(row["ttl"]) if row["ttl"] else None,
                tos,
                i_flags,
                o_flags,
                i_key,
                o_key,
            )
        )
    return tuple(found)
