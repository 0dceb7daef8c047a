"""Match services (SNAT): `proto=tcp,src-range=A-B,oif=dpdk1`, and the WAN addresses that each director sends from."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator

from dpvsbook.params.model import Params
from dpvsbook.params.places import twice, unknown
from dpvsbook.params.services import Service
from dpvsbook.params.tree import Path, Problem

KEYS = ("proto", "src-range", "dst-range", "iif", "oif", "af")


def match_problems(params: Params, service: Service, at: Path) -> Iterator[Problem]:
    """What is wrong with a SNAT service's match and WAN addresses. The keys are ipvsadm's (-H)."""
    yield from _match(params, service, (*at, "match"))
    here = params.directors_of(service)
    for j, wan in enumerate(service.wan):
        yield from unknown((*at, "wan", j, "director"), "a director of this service", wan.director, [d.name for d in here])
        yield from _taken(params, wan.address, wan.director, (*at, "wan", j, "address"))
    yield from twice(
        [((*at, "wan", j, "address"), wan.address) for j, wan in enumerate(service.wan)], "must be there once: {value} is at {first}"
    )
    for director in here:
        if not any(wan.director == director.name for wan in service.wan):
            yield Problem((*at, "wan"), f"must have an address that {director.name} sends from", absence=True)


def _taken(params: Params, address: str, director: str, path: Path) -> Iterator[Problem]:
    """A WAN address is one director's: of its devices, or beside them; never a VIP, a LIP, a host's or another director's."""
    others = {lip.address for d in params.directors for lip in d.lips} | {service.vip for service in params.services}
    others |= {c.partition("/")[0] for h in params.hosts for x in h.interfaces for c in x.addresses}
    others |= {c.partition("/")[0] for d in params.directors if d.name != director for p in d.devices for c in p.addresses}
    others |= {wan.address for service in params.services for wan in service.wan if wan.director != director}
    others |= {network.gateway for network in params.networks.values()}
    if address in others:
        yield Problem(path, f"must be this director's alone; {address} is used elsewhere")


def _match(params: Params, service: Service, path: Path) -> Iterator[Problem]:
    found: dict[str, str] = {}
    for part in (service.match or "").split(","):
        key, sign, value = part.partition("=")
        if not sign or not value or key not in KEYS:
            yield Problem(path, f"must be key=value,… of {', '.join(KEYS)}")
            return
        if key in found:
            yield Problem(path, f"must have {key} once")
        found[key] = value
    if not found.keys() & {"src-range", "dst-range", "iif", "oif"}:
        yield Problem(path, "must say what it matches: src-range, dst-range, iif or oif")
    if found.get("proto", service.protocol) != service.protocol:
        yield Problem(path, f"must have proto={service.protocol}, as `protocol` says")
    if found.get("af", "ipv4") not in ("ipv4", "ipv6"):
        yield Problem(path, "must have af=ipv4 or af=ipv6")
    for key in ("iif", "oif"):
        for director in params.directors_of(service):
            if key in found and found[key] not in {d.name for d in director.devices} | {t.name for t in director.tunnels}:
                yield Problem(path, f"must name a device of {director.name} as {key}", absence=True)
    for key in ("src-range", "dst-range"):
        if key in found and not _is_range(found[key]):
            yield Problem(path, f"must have {key} as FIRST-LAST, such as 192.168.100.0-192.168.100.254")


def _is_range(text: str) -> bool:
    """A-B, or A-B:P1-P2; IPv6 addresses in brackets where ports follow."""
    first, dash, rest = text.partition("-")
    if not dash:
        return False
    last, colon, ports = rest, "", ""
    if rest.count(":") == 1 or "]:" in rest:
        last, colon, ports = rest.rpartition(":")
    try:
        low, high = (ipaddress.ip_address(word.strip("[]")) for word in (first, last))
    except ValueError:
        return False
    if low.version != high.version or int(low) > int(high):
        return False
    if not colon:
        return True
    numbers = ports.split("-")
    fine = len(numbers) == 2 and all(n.isascii() and n.isdigit() and len(n) <= 5 and int(n) <= 65535 for n in numbers)
    return fine and int(numbers[0]) <= int(numbers[1])
