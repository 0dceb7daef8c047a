"""`ipvsadm -ln` and its relatives `--thresholds` and `--persistent-conn`, of all services or one (`-t 10.0.0.100:80`):

    IP Virtual Server version 1.10.2 (size=0)
    Prot LocalAddress:Port Scheduler Flags
      -> RemoteAddress:Port           Forward Weight ActiveConn InActConn
    TCP  10.0.0.100:80 rr persistent 60 ppv2 expire-quiescent dest-check internal:default
      -> 192.168.100.2:80             FullNat 3      0          6          inhibited

    ListedService(key=tcp 10.0.0.100:80, scheduler="rr",
                  flags={"persistent": 60, "proxy_protocol": "v2", "expire_quiescent": True, "dest_check": "default"},
                  servers=(ListedServer(192.168.100.2:80, method="fnat", weight=3, active=0, inactive=6, inhibited=True),))

The version line is the daemon's, and is there only when all services are listed. The title tells the forms apart, so an output
without one (a read that failed half-way) is refused. In an IPv4 service a real server's name is cut after 28 characters: `cut` says
that it may not be whole (an IPv6 real server); match `ipvsadm -S -n` for the whole name, as director.py does.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from dpvsbook.facts import ipvsadm_flags
from dpvsbook.facts.ipvs import METHOD_OF_NAME, Endpoint, Method, ServiceKey, split_endpoint
from dpvsbook.facts.lines import Lines
from dpvsbook.facts.versions import BANNER

COMMAND = ("ipvsadm", "-ln")
COMMAND_THRESHOLDS = ("ipvsadm", "-ln", "--thresholds")
NAME_WIDTH = 28
"""Characters that are left of a real server's name in an IPv4 service."""

_TITLE = re.compile(
    r"(?:(?P<plain>Prot LocalAddress:Port Scheduler Flags)"
    r"|Prot LocalAddress:Port {12}(?:(?P<thresholds>Uthreshold Lthreshold)|(?P<persistent>Weight    PersistConn)) ActiveConn InActConn )"
)
_TITLE2 = re.compile(r"  -> RemoteAddress:Port(           Forward Weight ActiveConn InActConn)?")
_SERVER = re.compile(
    r"  -> (?P<name>[!-~]+) +(?P<method>[A-Za-z]+) +(?P<weight>-?\d+) +(?P<active>\d+) +(?P<inactive>\d+) *"
    r"(?: (?:(?P<state>inhibited)(?:,(?P<both>overload))?|(?P<over>overload)))?",
    re.ASCII,
)
_NUMBERS = re.compile(r"  -> (?P<name>[!-~]+) +(?P<a>\d+) +(?P<b>\d+) +(?P<active>\d+) +(?P<inactive>\d+) *", re.A)


@dataclass(frozen=True, slots=True)
class ListedServer:
    """A real server's row. What the form doesn't print is None; `endpoint.port` is -1 where the printed name was cut short of its port."""

    endpoint: Endpoint
    name: str
    active: int
    inactive: int
    method: Method | None = None
    weight: int | None = None
    upper: int | None = None
    lower: int | None = None
    persistent_conns: int | None = None
    inhibited: bool = False
    overload: bool = False
    cut: bool = False


@dataclass(frozen=True, slots=True)
class ListedService:
    """A service's row with its options (`ipvsadm_flags`), and its real servers."""

    key: ServiceKey
    scheduler: str
    flags: Mapping[str, ipvsadm_flags.Flag] = field(hash=False)
    servers: tuple[ListedServer, ...] = ()


def parse(text: str) -> tuple[ListedService, ...]:
    """The services, in the tool's order: the same as that of `ipvsadm -S`. Raises ParseError."""
    lines = Lines("ipvsadm -ln", text)
    lines.take(BANNER)
    title = lines.need(_TITLE)
    second = lines.need(_TITLE2)
    if (title["plain"] is None) != (second[1] is None):
        raise lines.unknown(back=1)
    form = title.lastgroup
    found: list[ListedService] = []
    while lines:
        key, scheduler, flags = _service(lines)
        width = NAME_WIDTH if ":" not in key.address and "[" not in key.match and "af=ipv6" not in key.match else 0
        servers = []
        pattern = _SERVER if form == "plain" else _NUMBERS
        while row := lines.take(pattern):
            servers.append(_server(lines, row, form, width))
        found.append(ListedService(key, scheduler, flags, tuple(servers)))
    return tuple(found)


def _service(lines: Lines) -> tuple[ServiceKey, str, Mapping[str, ipvsadm_flags.Flag]]:
    row = lines.need(ipvsadm_flags.SERVICE)
    try:
        return ipvsadm_flags.key(row), row["scheduler"], ipvsadm_flags.flags(row)
    except ValueError:
        raise lines.unknown(back=1) from None


def _server(lines: Lines, row: re.Match[str], form: str | None, width: int) -> ListedServer:
    name, active, inactive = row["name"], int(row["active"]), int(row["inactive"])
    cut = width > 0 and len(name) == width
    try:
        endpoint = Endpoint(*split_endpoint(name))
    except ValueError:
        if not cut:
            raise lines.unknown(back=1) from None
        endpoint = Endpoint(name, -1)
    if form == "thresholds":
        return ListedServer(endpoint, name, active, inactive, upper=int(row["a"]), lower=int(row["b"]), cut=cut)
    if form == "persistent":
        return ListedServer(endpoint, name, active, inactive, weight=_signed(int(row["a"])), persistent_conns=int(row["b"]), cut=cut)
    if row["method"] not in METHOD_OF_NAME:
        raise lines.unknown(back=1)
    return ListedServer(
        endpoint,
        name,
        active,
        inactive,
        METHOD_OF_NAME[row["method"]],
        int(row["weight"]),
        inhibited=row["state"] is not None,
        overload=(row["both"] or row["over"]) is not None,
        cut=cut,
    )


def _signed(weight: int) -> int:
    """This form alone prints a weight without its sign."""
    return weight - (1 << 32) if weight >= 1 << 31 else weight
