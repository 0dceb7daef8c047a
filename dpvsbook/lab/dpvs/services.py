"""Virtual services, their real servers and their LIPs, and the table that holds them in DPVS's order."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from dpvsbook.lab.dpvs import errors
from dpvsbook.lab.dpvs.devices import Device
from dpvsbook.lab.dpvs.ip import Ip

if TYPE_CHECKING:
    from dpvsbook.lab.dpvs.schedulers import Scheduler

ICMP, TCP, UDP, ICMPV6, SCTP = 1, 6, 17, 58, 132
#: protocol number of each protocol name, and back
PROTOCOLS = {"icmp": ICMP, "tcp": TCP, "udp": UDP, "icmpv6": ICMPV6, "sctp": SCTP}
PROTOCOL_NAMES = {number: name for name, number in PROTOCOLS.items()}

#: forwarding methods by their ipvsadm switch
METHODS = {"g": "dr", "i": "tunnel", "b": "fnat", "m": "nat", "J": "snat"}


class Range(NamedTuple):
    """Addresses and ports a `-H` match takes; all zero means any."""

    low: bytes = b""
    high: bytes = b""
    low_port: int = 0
    high_port: int = 0

    @property
    def empty(self) -> bool:
        """Does it say nothing?"""
        return not any(self.low) and not any(self.high) and not self.low_port and not self.high_port


class Match(NamedTuple):
    """What traffic a match service takes. `family` is 0, 4 or 6."""

    family: int = 0
    source: Range = Range()
    destination: Range = Range()
    iif: str = ""
    oif: str = ""

    @property
    def empty(self) -> bool:
        """Does it say nothing at all?"""
        return not self.family and self.source.empty and self.destination.empty and not self.iif and not self.oif


class ServiceKey(NamedTuple):
    """What names a service on the control socket."""

    family: int = 0
    protocol: int = 0
    address: Ip | None = None
    port: int = 0
    fwmark: int = 0
    match: Match = Match()

    @property
    def addressed(self) -> bool:
        """Is it named by address or port?"""
        return (self.address is not None and not self.address.any) or bool(self.port)


@dataclass(slots=True)
class Stats:
    """What a real server got and gave."""

    conns: int = 0
    packets_in: int = 0
    packets_out: int = 0
    bytes_in: int = 0
    bytes_out: int = 0

    def clear(self) -> None:
        """`ipvsadm -Z`."""
        self.conns = self.packets_in = self.packets_out = self.bytes_in = self.bytes_out = 0


@dataclass(slots=True, eq=False)
class Dest:
    """A real server of one service."""

    address: Ip
    port: int
    method: str = "dr"
    weight: int = 1
    upper: int = 0
    lower: int = 0
    active: int = 0
    inactive: int = 0
    persistent: int = 0
    inhibited: bool = False
    overload: bool = False
    available: bool = True
    stats: Stats = field(default_factory=Stats)

    @property
    def valid(self) -> bool:
        """May a scheduler choose it?"""
        return self.available and not self.overload and not self.inhibited and self.weight > 0


@dataclass(slots=True, eq=False)
class Laddr:
    """A LIP of one service."""

    ip: Ip
    device: Device
    conns: int = 0
    conflicts: int = 0


@dataclass(slots=True)
class DestCheck:
    """`--dest-check`: kinds of checks and the numbers of the passive one."""

    kinds: frozenset[str] = frozenset()
    down: int = 0
    up: int = 0
    wait: int = 0
    inhibit_min: int = 0
    inhibit_max: int = 0

    def sane(self) -> bool:
        """Are the numbers usable? Ones that are not get their defaults (that is how DPVS does it)."""
        if "passive" not in self.kinds:
            return True
        good = True
        down_only = self.up == 0 and self.inhibit_min == 0 and self.inhibit_max == 0
        if self.down < 1:
            self.down, good = 1, False
        if self.wait < 1:
            self.wait, good = 3, False
        if down_only:
            return good
        if self.up < 1:
            self.up, good = 1, False
        if self.inhibit_min < 1:
            self.inhibit_min, good = 5, False
        if self.inhibit_max < 1:
            self.inhibit_max, good = 3600, False
        if self.inhibit_min > self.inhibit_max:
            self.inhibit_min, self.inhibit_max, good = 5, 3600, False
        return good

    @property
    def down_only(self) -> bool:
        """Is there no way up but time? (`--dest-check=1,3s`)"""
        return self.up == 0 and self.inhibit_min == 0 and self.inhibit_max == 0

    @property
    def is_default(self) -> bool:
        """Are all numbers the defaults?"""
        return (self.down, self.up, self.wait, self.inhibit_min, self.inhibit_max) == (1, 1, 3, 5, 3600)


@dataclass(slots=True)
class Settings:
    """What a service is told besides its address: all that `-E` can change."""

    scheduler: str = "wlc"
    persistent: bool = False
    timeout: int = 0
    netmask: int = 0xFFFFFFFF
    ops: bool = False
    synproxy: bool = False
    expire_quiescent: bool = False
    quic: bool = False
    sip_hash: bool = False
    qid_hash: bool = False
    conn_timeout: int = 0
    proxy_protocol: str = ""
    check: DestCheck = field(default_factory=DestCheck)


@dataclass(slots=True, eq=False)
class Service:
    """A virtual service. `dests` is newest first, `laddrs` oldest first; `laddr_cursor` is the LIP used last."""

    key: ServiceKey
    settings: Settings
    scheduler: Scheduler
    dests: list[Dest] = field(default_factory=list)
    laddrs: list[Laddr] = field(default_factory=list)
    laddr_cursor: int = -1

    def dest(self, address: Ip, port: int) -> Dest | None:
        """The real server at an address and port."""
        for dest in self.dests:
            if dest.port == port and dest.address == address:
                return dest
        return None


class ServiceTable:
    """The services of one DPVS: 256 buckets by protocol and address, newest first in each; then the fwmarks; then the matches."""

    def __init__(self) -> None:
        self._by_key: dict[tuple[int, int, Ip | None, int], Service] = {}
        self._by_mark: dict[tuple[int, int], Service] = {}
        self._matches: list[Service] = []

    def __len__(self) -> int:
        return len(self._by_key) + len(self._by_mark) + len(self._matches)

    def __iter__(self) -> Iterator[Service]:
        """In the order in which DPVS hands them out."""
        buckets: dict[int, list[Service]] = {}
        for service in reversed(self._by_key.values()):
            key = service.key
            place = (key.protocol ^ key.address.fold) & 0xFF if key.address is not None else 0
            buckets.setdefault(place, []).append(service)
        for place in sorted(buckets):
            yield from buckets[place]
        marked = list(reversed(self._by_mark.values()))
        yield from sorted(marked, key=lambda service: service.key.fwmark & 0xFF)
        yield from self._matches

    @property
    def matches(self) -> list[Service]:
        """The match services, newest first: the order in which traffic tries them."""
        return self._matches

    def find(self, key: ServiceKey) -> Service | None:
        """A service by what names it: its address, else its fwmark, else its match."""
        if key.addressed:
            return self._by_key.get((key.family, key.protocol, key.address, key.port))
        if key.fwmark:
            return self._by_mark.get((key.family, key.fwmark))
        if not key.match.empty:
            for service in self._matches:
                mine = service.key
                if (mine.family, mine.protocol, mine.match) == (key.family, key.protocol, key.match):
                    return service
        return None

    def at(self, protocol: int, address: Ip, port: int) -> Service | None:
        """The service that an arriving packet is for, by its destination."""
        return self._by_key.get((address.family, protocol, address, port))

    def add(self, service: Service) -> None:
        """Put a service in; the caller has checked that it is not there."""
        key = service.key
        if key.fwmark:
            self._by_mark[(key.family, key.fwmark)] = service
        elif not key.match.empty:
            self._matches.insert(0, service)
        elif key.address is None or not key.address.fold:
            raise errors.Refused(errors.INVAL)
        else:
            self._by_key[(key.family, key.protocol, key.address, key.port)] = service

    def remove(self, service: Service) -> None:
        """Take a service out."""
        key = service.key
        if key.fwmark:
            del self._by_mark[(key.family, key.fwmark)]
        elif not key.match.empty:
            self._matches.remove(service)
        else:
            del self._by_key[(key.family, key.protocol, key.address, key.port)]
