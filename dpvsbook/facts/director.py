"""A director's whole state out of one look: the outputs of `READ`, merged.

    DirectorState(version="1.10.2", links=(Link…,), addresses=(Address…,), routes=(Route…,), laddrs=(LaddrService…,),
                  services={ServiceKey("tcp", "10.0.0.100", 80): ServiceState(key=…, scheduler="rr", options={"synproxy": True},
                            lips=("192.168.100.200",), servers={Endpoint("192.168.100.2", 80): ServerState(… weight=1, active=0 …)})})

No single command tells everything: `-S -n` has names in full, the method and the weight, `-ln --thresholds` the options, limits and counts,
`-G` the LIPs. `-S` leads; a row of another list that it doesn't account for means that somebody changed the director between two reads.
A plain `-ln` would add whether a real server is inhibited: it costs a tenth of a second for 1,000 services, and no plan asks for it.
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
from dpvsbook.facts.ipvsadm_list import NAME_WIDTH, ListedService
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
    listed_text = outputs[ipvsadm_list.COMMAND_THRESHOLDS]
    listed = _by_key(ipvsadm_list.parse(listed_text))
    laddrs = ipvsadm_laddr.parse(outputs[ipvsadm_laddr.COMMAND])
    lips = laddr_order.attribute([service.key for service in saved], laddrs)
    if lips is None:
        raise TornRead("-S and -G list different services")
    services = {}
    for service, (known, its_lips) in zip(saved, lips, strict=True):
        row = _next(listed, _alike(service.key), service.key)
        services[service.key] = ServiceState(service.key, row.scheduler, row.flags, its_lips, _servers(service, row), known)
    left = [str(key) for key, queue in listed.items() if queue]
    if left:
        raise TornRead(f"only -ln has {', '.join(left)}")
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


def _servers(saved: SavedService, listed: ListedService) -> dict[Endpoint, ServerState]:
    if len(saved.servers) != len(listed.servers):
        raise TornRead(f"the real servers of {saved.key}")
    rows = _queues(listed.servers, lambda row: row.name)
    found = {}
    for server in saved.servers:
        name = str(server.endpoint)
        row = _next(rows, name if name in rows else name[:NAME_WIDTH], saved.key)
        found[server.endpoint] = ServerState(
            server.endpoint, server.method, server.weight, row.upper or 0, row.lower or 0, row.active, row.inactive
        )
    return found


def _alike(key: ServiceKey) -> ServiceKey:
    """`-ln` doesn't say the family of a match without ranges."""
    return ServiceKey("match", "", 0, key.match.removesuffix(",af=ipv6")) if key.match else key


def _by_key(rows: Iterable[ListedService]) -> dict[ServiceKey, deque[ListedService]]:
    return _queues(rows, lambda row: _alike(row.key))


Key = TypeVar("Key")


def _queues(rows: Iterable[Row], name: Callable[[Row], Key]) -> dict[Key, deque[Row]]:
    """Rows by what they are known by. All lists are sorted alike, so among rows with one (cut) name the order tells which is which."""
    found: defaultdict[Key, deque[Row]] = defaultdict(deque)
    for row in rows:
        found[name(row)].append(row)
    return dict(found)


def _next(queues: Mapping[Key, deque[Row]], name: Key, key: ServiceKey) -> Row:
    queue = queues.get(name)
    if not queue:
        raise TornRead(f"{name} of {key} is not in -ln" if name != key else f"{key} is not in -ln")
    return queue.popleft()
