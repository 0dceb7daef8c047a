"""`ipvsadm -lnc`: the connections. No title is printed, and no line at all where there are none.

    [1]tcp 7s     TIME_WAIT   10.0.0.48:42154    10.0.0.100:80      192.168.100.200:1027 192.168.100.2:80

    Connection(core=1, protocol="tcp", timeout=7, state="TIME_WAIT", client=10.0.0.48:42154, virtual=10.0.0.100:80,
               local=192.168.100.200:1027, server=192.168.100.2:80)

Of a big table ask for one connection only (`--sockpair`): the whole of it is heavy for dpvs.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from dpvsbook.facts.ipvs import Endpoint
from dpvsbook.facts.lines import split, unknown

COMMAND = ("ipvsadm", "-lnc")

_ENDPOINT = r"(?:[0-9.]+|\[[0-9a-f:.]+\]):\d+"
_CONNECTION = re.compile(
    rf"\[(\d+)\](tcp|udp|sctp|icmp|icmpv6|--) +(-?\d+)s +([!-~]+) +({_ENDPOINT}) +({_ENDPOINT}) +({_ENDPOINT}) +({_ENDPOINT})", re.A
)


@dataclass(frozen=True, slots=True)
class Connection:
    """A connection of one worker (`core`). `timeout` in seconds; `local` is the LIP's end for FULLNAT, else the client's."""

    core: int
    protocol: str
    timeout: int
    state: str
    client: Endpoint
    virtual: Endpoint
    local: Endpoint
    server: Endpoint


def parse(text: str) -> tuple[Connection, ...]:
    """The connections, in the order in which they are printed. Raises ParseError."""
    lines = split(text)
    found = []
    for i, line in enumerate(lines):
        row = _CONNECTION.fullmatch(line)
        if row is None:
            raise unknown("ipvsadm -lnc", lines, i)
        core, protocol, timeout, state, *ends = row.groups()
        try:
            client, virtual, local, server = map(Endpoint.parse, ends)
        except ValueError:
            raise unknown("ipvsadm -lnc", lines, i) from None
        found.append(Connection(int(core), protocol, int(timeout), state, client, virtual, local, server))
    return tuple(found)
