"""A director's whole state out of one look: the outputs of `READ`, merged.

    DirectorState(version="1.10.2", links=(Link…,), addresses=(Address…,), routes=(Route…,), laddrs=(LaddrService…,),
                  services={ServiceKey("tcp", "10.0.0.100", 80): ServiceState(key=…, scheduler="rr", options={"synproxy": True},
                            lips=("192.168.100.200",), servers={Endpoint("192.168.100.2", 80): ServerState(… weight=1, active=0 …)})})

No single command tells everything: `-S -n` has names in full and the method, `-ln` the options and the counts, `--thresholds` the limits,
`-G` the LIPs. `-S` leads; a row of another list that it doesn't account for means that somebody changed the director between two reads.
"""

from __future__ import annotations

import hashlib
import re
from collections import defaultdict, deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final, TypeVar

from dpvsbook.errors import DpvsbookError
from dpvsbook.facts import (
    dpip_addr,
    dpip_link,
    dpip_route,
    ipvsadm_laddr,
    ipvsadm_list,
    ipvsadm_save,
    laddr_order,
    versions,
)
from dpvsbook.facts.dpip_addr import Address
from dpvsbook.facts.dpip_link import Link
from dpvsbook.facts.dpip_route import Route
from dpvsbook.facts.ipvs import Endpoint, Method, ServiceKey
from dpvsbook.facts.ipvsadm_flags import Flag
from dpvsbook.facts.ipvsadm_laddr import LaddrService
from dpvsbook.facts.ipvsadm_list import NAME_WIDTH, ListedServer, ListedService
from dpvsbook.facts.ipvsadm_save import SavedService

Argv = tuple[str, ...]
Row = TypeVar("Row")

READ: Final[tuple[Argv, ...]] = (
    versions.COMMAND,
    dpip_link.COMMAND,
    dpip_addr.COMMAND,
    dpip_route.COMMAND,
    dpip_route.COMMAND6,
    ipvsadm_save.COMMAND,
    ipvsadm_list.COMMAND,
    ipvsadm_list.COMMAND_THRESHOLDS,
    ipvsadm_laddr.COMMAND,
)
"""The commands of one look. `dpvs -v` prints on standard error."""

FINGERPRINT: Final[tuple[Argv, ...]] = (dpip_addr.COMMAND, dpip_route.COMMAND, dpip_route.COMMAND6, ipvsadm_save.COMMAND)
_POOL = re.compile(r" sa_used \d+ sa_free \d+ sa_miss \d+$", re.MULTILINE)


class TornRead(DpvsbookError):
    """Two lists of one look don't agree: the director was changed between them. Look again."""

    def __init__(self, what: str) -> None:
        super().__init__(f"the director was changed while it was being looked at: {what}", remedy="Look again.")


@dataclass(frozen=True, slots=True)
class ServerState:
    """A real server of a service. `upper` and `lower` are its connection limits, 0 for none."""

    endpoint: Endpoint
    method: Method
    weight: int
    upper: int
    lower: int
    active: int
    inactive: int
    inhibited: bool = False
    overload: bool = False


@dataclass(frozen=True, slots=True)
class ServiceState:
    """A virtual service. `options` as in `ipvsadm_flags`; `lips_known` is False where `-G` can't say whose LIPs it lists."""

    key: ServiceKey
    scheduler: str
    options: Mapping[str, Flag] = field(hash=False)
    lips: tuple[str, ...] = ()
    servers: Mapping[Endpoint, ServerState] = field(default_factory=dict, hash=False)
    lips_known: bool = True


@dataclass(frozen=True, slots=True)
class DirectorState:
    """Everything that a director shows. `version` is the running daemon's ("1.10.2"), `binary` that of its program ("1.10-2")."""

    version: str
    links: tuple[Link, ...]
    addresses: tuple[Address, ...]
    routes: tuple[Route, ...]
    services: Mapping[ServiceKey, ServiceState] = field(hash=False)
    laddrs: tuple[LaddrService, ...] = ()
    binary: str = ""

    @property
    def lips(self) -> frozenset[str]:
        """Every address that some service sends from."""
        return frozenset(lip.address for service in self.laddrs for lip in service.lips)


def parse(outputs: Mapping[Argv, str]) -> DirectorState:
    """The state out of the outputs of `READ`. Raises ParseError for an unknown line, TornRead where the lists contradict each other."""
    saved = ipvsadm_save.parse(outputs[ipvsadm_save.COMMAND])
    listed_text = outputs[ipvsadm_list.COMMAND]
    listed = _by_key(ipvsadm_list.parse(listed_text))
    limits = _by_key(ipvsadm_list.parse(outputs[ipvsadm_list.COMMAND_THRESHOLDS]))
    laddrs = ipvsadm_laddr.parse(outputs[ipvsadm_laddr.COMMAND])
    lips = laddr_order.attribute([service.key for service in saved], laddrs)
    if lips is None:
        raise TornRead("-S and -G list different services")
    services = {}
    for service, (known, its_lips) in zip(saved, lips, strict=True):
        alike = _alike(service.key)
        row, limit = _next(listed, alike, "-ln", service.key), _next(limits, alike, "--thresholds", service.key)
        services[service.key] = ServiceState(service.key, row.scheduler, row.flags, its_lips, _servers(service, row, limit), known)
    _all_taken(listed, "-ln")
    _all_taken(limits, "--thresholds")
    (running,) = versions.parse(listed_text.partition("\n")[0])
    return DirectorState(
        version=running.version,
        links=dpip_link.parse(outputs[dpip_link.COMMAND]),
        addresses=dpip_addr.parse(outputs[dpip_addr.COMMAND]),
        routes=dpip_route.parse(outputs[dpip_route.COMMAND]) + dpip_route.parse(outputs[dpip_route.COMMAND6]),
        services=services,
        laddrs=laddrs,
        binary=versions.parse(outputs[versions.COMMAND])[0].version,
    )


def fingerprint(outputs: Mapping[Argv, str]) -> str:
    """One hash (hexadecimal, no line feed) of what plans are made from: addresses, routes and rules, in whatever order they came.

    The same as `{ dpip addr show; dpip route show; dpip -6 route show; ipvsadm -S -n; } | LC_ALL=C sort | sha256sum` prints on the host.
    """
    text = "".join(_POOL.sub("", outputs[argv]) for argv in FINGERPRINT)
    return hashlib.sha256(b"".join(line + b"\n" for line in sorted(text.encode().splitlines()))).hexdigest()


def _servers(saved: SavedService, listed: ListedService, limits: ListedService) -> dict[Endpoint, ServerState]:
    if len(saved.servers) != len(listed.servers) or len(saved.servers) != len(limits.servers):
        raise TornRead(f"the real servers of {saved.key}")
    rows, limit_rows = _by_name(listed.servers), _by_name(limits.servers)
    found = {}
    for server in saved.servers:
        name = str(server.endpoint)
        name = name if name in rows else name[:NAME_WIDTH]
        row, limit = _next(rows, name, "-ln", saved.key), _next(limit_rows, name, "--thresholds", saved.key)
        found[server.endpoint] = ServerState(
            server.endpoint,
            server.method,
            server.weight,
            limit.upper or 0,
            limit.lower or 0,
            row.active,
            row.inactive,
            row.inhibited,
            row.overload,
        )
    return found


def _alike(key: ServiceKey) -> ServiceKey:
    """`-ln` doesn't say the family of a match without ranges."""
    return ServiceKey("match", "", 0, key.match.removesuffix(",af=ipv6")) if key.match else key


def _by_key(rows: Iterable[ListedService]) -> dict[ServiceKey, deque[ListedService]]:
    return _queues(rows, lambda row: _alike(row.key))


def _by_name(rows: Iterable[ListedServer]) -> dict[str, deque[ListedServer]]:
    return _queues(rows, lambda row: row.name)


Key = TypeVar("Key")


def _queues(rows: Iterable[Row], name: Callable[[Row], Key]) -> dict[Key, deque[Row]]:
    """Rows by what they are known by. All lists are sorted alike, so among rows with one (cut) name the order tells which is which."""
    found: defaultdict[Key, deque[Row]] = defaultdict(deque)
    for row in rows:
        found[name(row)].append(row)
    return dict(found)


def _next(queues: Mapping[Key, deque[Row]], name: Key, where: str, key: ServiceKey) -> Row:
    queue = queues.get(name)
    if not queue:
        raise TornRead(f"{name} of {key} is not in {where}" if name != key else f"{key} is not in {where}")
    return queue.popleft()


def _all_taken(queues: Mapping[ServiceKey, deque[ListedService]], where: str) -> None:
    left = [str(key) for key, queue in queues.items() if queue]
    if left:
        raise TornRead(f"only {where} has {', '.join(left)}")
