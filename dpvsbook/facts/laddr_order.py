"""Whose LIPs does `ipvsadm -G` list? It prints `VIP:PORT` without the protocol, so tcp and udp on one VIP:PORT look alike.

Its order tells them apart. dpvs walks its service table: 256 lists, a service is in list
(protocol number XOR the address's last byte, for IPv6 the XOR of bytes 4, 8, 12 and 16) mod 256, newest first; then the services by mark,
then the match services, newest first (src/ipvs/ip_vs_service.c of DPVS 1.9 and 1.10). Two protocols on one address are never in one list.
"""

from __future__ import annotations

import ipaddress
from collections import defaultdict
from collections.abc import Sequence
from itertools import groupby

from dpvsbook.facts.ipvs import NUMBER, ServiceKey, endpoint
from dpvsbook.facts.ipvsadm_laddr import LaddrService

Lips = tuple[bool, tuple[str, ...]]
"""Whether they are known, and the LIPs in the order of the list."""


def rank(key: ServiceKey) -> tuple[int, int]:
    """Where dpvs lists a service: the smaller the earlier; equal ranks are in one list."""
    if key.protocol == "match":
        return (2, 0)
    if key.protocol == "fwm":
        return (1, key.port & 0xFF)
    packed = ipaddress.ip_address(key.address).packed
    fold = 0
    for byte in packed[3::4]:
        fold ^= byte
    return (0, (NUMBER[key.protocol] ^ fold) & 0xFF)


def printed(key: ServiceKey) -> str:
    """What `-G` calls a service."""
    if key.protocol == "match":
        return "[::]:0" if "[" in key.match or "af=ipv6" in key.match else "0.0.0.0:0"
    return endpoint(key.address, 0 if key.protocol == "fwm" else key.port)


def attribute(keys: Sequence[ServiceKey], rows: Sequence[LaddrService]) -> list[Lips] | None:
    """The LIPs of each service, in the order of `keys`; None where the rows aren't those of these services."""
    by_name: defaultdict[str, list[LaddrService]] = defaultdict(list)
    for row in rows:
        by_name[row.key_text].append(row)
    wanted: defaultdict[str, list[ServiceKey]] = defaultdict(list)
    for key in keys:
        wanted[printed(key)].append(key)
    if {name: len(group) for name, group in by_name.items()} != {name: len(group) for name, group in wanted.items()}:
        return None
    found: dict[ServiceKey, Lips] = {}
    for name, group in wanted.items():
        there = iter(by_name[name])
        if len(group) == 1:
            found[group[0]] = (True, _addresses(next(there)))
            continue
        for _, same in groupby(sorted(group, key=rank), rank):
            alike = list(same)
            lips = [_addresses(next(there)) for _ in alike]
            known = len(set(lips)) == 1
            found.update((key, (known, lips[0] if known else ())) for key in alike)
    return [found[key] for key in keys]


def _addresses(row: LaddrService) -> tuple[str, ...]:
    return tuple(lip.address for lip in row.lips)
