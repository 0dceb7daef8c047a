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
    r"|-f (?P<mark>\d+)(?P<six> -6)?|-H (?P<match>\S+))"
    r" -s (?P<scheduler>\S+)(?: -p (?P<persistent>\d+)(?: -M (?P<netmask>\S+))?)?(?: pe \S+)?(?P<ops> --ops)?",
    re.ASCII,
)
_SERVER = re.compile(r"-a (\S+ \S+(?: -6)?) -r (?:([0-9.]+)|\[([0-9a-f:.]+)\]):(\d+) (-[bgimJ]) -w (-?\d+)", re.A)


@dataclass(frozen=True, slots=True)
class SavedServer:
    """A real server's rule. `port` 0 where it was added without one: DPVS then sends to port 0 (observed.md, 1)."""

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
    servers: list[SavedServer] = []
    for i, line in enumerate(lines):
        server = _SERVER.fullmatch(line)
        if server is not None and head is not None:
            selector, v4, v6, port, method, weight = server.groups()
            if selector == head["selector"]:
                servers.append(SavedServer(Endpoint(v4 or canonical(v6), int(port)), METHOD_OF_FLAG[method], int(weight)))
                continue
        service = _SERVICE.fullmatch(line)
        if service is None:
            raise unknown("ipvsadm -S -n", lines, i)
        if head is not None:
            found.append(_service(head, servers))
        head, servers = service, []
        if service["match"] is not None:
            try:
                ServiceKey.from_match(service["match"])
            except ValueError:
                raise unknown("ipvsadm -S -n", lines, i) from None
    if head is not None:
        found.append(_service(head, servers))
    return tuple(found)


def _service(head: re.Match[str], servers: list[SavedServer]) -> SavedService:
    persistent = head["persistent"]
    return SavedService(_key(head), head["scheduler"], int(persistent) if persistent else None, head["netmask"], head["ops"] is not None,
                        tuple(servers))


def _key(head: re.Match[str]) -> ServiceKey:
    if head["match"] is not None:
        return ServiceKey.from_match(head["match"])
    if head["mark"] is not None:
        return ServiceKey("fwm", "::" if head["six"] else "0.0.0.0", int(head["mark"]))  # noqa: S104 - the family
    address = head["v4"] or canonical(head["v6"])
    if head["flag"] == "-q":  # -S writes both kinds of ICMP alike
        return ServiceKey("icmpv6" if head["v6"] else "icmp", address, int(head["port"]))
    return ServiceKey("tcp" if head["flag"] == "-t" else "udp" if head["flag"] == "-u" else "sctp", address, int(head["port"]))
