"""`ipvsadm -ln --stats`, with `--exact` or without (then 8,123,456,789 is `8123M`), of all services or one:

    IP Virtual Server version 1.10.2 (size=0)
    Prot LocalAddress:Port               Conns   InPkts  OutPkts  InBytes OutBytes
      -> RemoteAddress:Port
    TCP  10.0.0.100:80                     206     1087     1061    62844    77872
      -> 192.168.100.2:80                  103      541      529    31322    38876

    StatsService(key=tcp 10.0.0.100:80, conns=206, in_pkts=1087, out_pkts=1061, in_bytes=62844, out_bytes=77872,
                 servers=(StatsServer(192.168.100.2:80, conns=103, in_pkts=541, out_pkts=529, in_bytes=31322, out_bytes=38876),))

A service's row is the sum of its present real servers, so it goes down when one is removed. `--rate` has the same shape, and is always 0.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from dpvsbook.facts import ipvsadm_flags, stats_frame
from dpvsbook.facts.ipvs import Endpoint, ServiceKey, split_endpoint
from dpvsbook.facts.lines import Lines
from dpvsbook.facts.versions import BANNER

if TYPE_CHECKING:
    import pandas as pd

COMMAND = ("ipvsadm", "-ln", "--stats", "--exact")

TITLE = re.compile(
    r"Prot LocalAddress:Port {12}(?:   Conns   InPkts  OutPkts  InBytes OutBytes|     CPS    InPPS   OutPPS    InBPS   OutBPS)"
)
TITLE2 = re.compile(r"  -> RemoteAddress:Port")
_NUMBERS = r" +(\d+[KMGT]?)" * 5
_SERVICE = re.compile(rf"(?P<name>{ipvsadm_flags.NAME}) *(?: bps \d+M)?{_NUMBERS}", re.A)
_SERVER = re.compile(rf"  -> (?P<name>[!-~]+){_NUMBERS}", re.A)
_UNIT = {"K": 10**3, "M": 10**6, "G": 10**9, "T": 10**12}


@dataclass(frozen=True, slots=True)
class StatsServer:
    """What went through one real server since dpvs started or `-Z`.

    An IPv6 real server of an IPv4 service is printed cut after 28 characters: its port may be short of digits, or missing (-1).
    """

    endpoint: Endpoint
    conns: int
    in_pkts: int
    out_pkts: int
    in_bytes: int
    out_bytes: int


@dataclass(frozen=True, slots=True)
class StatsService:
    """What went through one service: the sum of its present real servers."""

    key: ServiceKey
    conns: int
    in_pkts: int
    out_pkts: int
    in_bytes: int
    out_bytes: int
    servers: tuple[StatsServer, ...] = ()


def number(text: str) -> int:
    """`8123M` is 8,123,000,000: the tool cuts off, it doesn't round."""
    return int(text[:-1]) * _UNIT[text[-1]] if text[-1] in _UNIT else int(text)


def parse(text: str) -> tuple[StatsService, ...]:
    """The services with their real servers. Raises ParseError."""
    lines = Lines("ipvsadm --stats", text)
    lines.take(BANNER)
    lines.need(TITLE)
    lines.need(TITLE2)
    found = []
    while lines:
        row = lines.need(_SERVICE)
        try:
            key = ipvsadm_flags.key(row)
        except ValueError:
            raise lines.unknown(back=1) from None
        servers = []
        while server := lines.take(_SERVER):
            servers.append(StatsServer(_endpoint(lines, server["name"]), *map(number, server.groups()[1:])))
        conns, in_pkts, out_pkts, in_bytes, out_bytes = map(number, row.groups()[-5:])
        found.append(StatsService(key, conns, in_pkts, out_pkts, in_bytes, out_bytes, tuple(servers)))
    return tuple(found)


def _endpoint(lines: Lines, name: str) -> Endpoint:
    try:
        return Endpoint(*split_endpoint(name))
    except ValueError:
        if len(name) != 28:
            raise lines.unknown(back=1) from None
        return Endpoint(name, -1)


def frame(text: str) -> pd.DataFrame:
    """A row per service (server "") and real server: protocol, service, server, conns, in_pkts, out_pkts, in_bytes, out_bytes.

    protocol is "tcp", "udp", …, "match" or "fwm"; service and server are "ADDRESS:PORT" as printed. Raises ParseError for any line that
    `parse` refuses. 110,000 lines take about a third of a second: the columns are cut out of the text as a whole.
    """
    return stats_frame.frame(text, parse)
