"""`ipvsadm -S -n`: the rules, with every name in full.

    -A -t 10.0.0.100:80 -s rr -p 60 -M 255.255.255.0
    -a -t 10.0.0.100:80 -r 192.168.100.2:80 -b -w 1

    SavedService(key=tcp 10.0.0.100:80, scheduler="rr", persistent=60, netmask="255.255.255.0", ops=False,
                 servers=(SavedServer(192.168.100.2:80, method="fnat", weight=1),))

It leaves out LIPs, thresholds, synproxy, conn-timeout, proxy-protocol, dest-check, expire-quiescent, quic, the hash target and the
allow and deny lists (observed.md, formats), so it is no backup. Without `-n` it prints names for ports, which are refused here.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from dpvsbook.facts.ipvs import METHOD_OF_FLAG, Endpoint, Method, ServiceKey, canonical
from dpvsbook.facts.lines import split, unknown

COMMAND = ("ipvsadm", "-S", "-n")

_SERVICE = re.compile(
    r"-A (?P<selector>(?P<flag>-t|-u|--sctp-service|-q) (?:(?P<v4>[0-9.]+)|\[(?P<v6>[0-9a-f:.]+)\]):(?P<port>\d+)"
    r"|-f (?P<mark>\d+)(?P<six> -6)?|-H (?P<match>[!-~]+))"
    r" -s (?P<scheduler>[!-~]+)(?: -p (?P<persistent>\d+)(?: -M (?P<netmask>[!-~]+))?)?(?: pe [!-~]+)?(?P<ops> --ops)?",
    re.ASCII,
)
_SERVER = re.compile(r"-a ([!-~]+ [!-~]+(?: -6)?) -r (?:([0-9.]+)|\[([0-9a-f:.]+)\]):(\d+) (-[bgimJ]) -w (-?\d+)", re.A)


@dataclass(frozen=True, slots=True)
class SavedServer:
    """A real server's rule. Port 0 where it was added without one: DPVS then sends to port 0 (observed.md, 1).

    DPVS keeps a weight in 16 bits with a sign: one above 32,767 reads back negative, 65,535 as -1, and is given here as it is read.
    """

    endpoint: Endpoint
    method: Method
    weight: int


@dataclass(frozen=True, slots=True)
class SavedService:
    """A service's rule and those of its real servers. `persistent` in seconds; `netmask` is an IPv4 mask or an IPv6 prefix length."""

    key: ServiceKey
    scheduler: str
    persistent: int | None
    netmask: str | None
    ops: bool
    servers: tuple[SavedServer, ...]


def parse(text: str) -> tuple[SavedService, ...]:
    """The services in the tool's order: mark, family, protocol, address, port. Raises ParseError."""
    lines = split(text)
    found: list[SavedService] = []
    head: re.Match[str] | None = None
    key: ServiceKey | None = None
    servers: list[SavedServer] = []
    for i, line in enumerate(lines):
        try:
            if head is not None and (server := _SERVER.fullmatch(line)) and server[1] == head["selector"]:
                servers.append(_server(server))
                continue
            service = _SERVICE.fullmatch(line)
            if service is None:
                raise ValueError(line)
            if head is not None and key is not None:
                found.append(_service(head, key, servers))
            head, key, servers = service, _key(service), []
        except ValueError:
            raise unknown("ipvsadm -S -n", lines, i) from None
    if head is not None and key is not None:
        found.append(_service(head, key, servers))
    return tuple(found)


def _server(row: re.Match[str]) -> SavedServer:
    _, v4, v6, port, method, weight = row.groups()
    return SavedServer(Endpoint(v4 or canonical(v6), int(port)), METHOD_OF_FLAG[method], int(weight))


def _service(head: re.Match[str], key: ServiceKey, servers: list[SavedServer]) -> SavedService:
    persistent = head["persistent"]
    return SavedService(
        key, head["scheduler"], int(persistent) if persistent else None, head["netmask"], head["ops"] is not None, tuple(servers)
    )


def _key(head: re.Match[str]) -> ServiceKey:
    if head["match"] is not None:
        return ServiceKey.from_match(head["match"])
    if head["mark"] is not None:
        return ServiceKey("fwm", "::" if head["six"] else "0.0.0.0", int(head["mark"]))  # noqa: S104 - the family
    address = head["v4"] or canonical(head["v6"])
    if head["flag"] == "-q":  # -S writes both kinds of ICMP alike
        return ServiceKey("icmpv6" if head["v6"] else "icmp", address, int(head["port"]))
    return ServiceKey("tcp" if head["flag"] == "-t" else "udp" if head["flag"] == "-u" else "sctp", address, int(head["port"]))
