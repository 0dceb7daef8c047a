"""How a real server is chosen: rr, wrr, wlc, conhash, mh and fo, choosing what DPVS's would (transcripts 03, 09).

The real servers of a service are a ring with one mark between the last and the first; "the start" is the newest one.
"""

from __future__ import annotations

import bisect
from dataclasses import dataclass
from math import gcd
from typing import Protocol

from dpvsbook.lab.dpvs.hashes import hsiphash32, ring_hash
from dpvsbook.lab.dpvs.ip import Ip
from dpvsbook.lab.dpvs.services import Dest, Service


class Scheduler(Protocol):
    """Chooses a real server for a new connection."""

    name: str

    def changed(self, service: Service) -> None:
        """A real server was added, edited or deleted (or the scheduler is new)."""

    def choose(self, service: Service, client: Ip) -> Dest | None:
        """The real server for a client, None if there is none."""


def _weights_gcd(service: Service) -> int:
    return gcd(*(dest.weight for dest in service.dests if dest.weight > 0))


class RoundRobin:
    """One after the other, whatever their weights (but 0)."""

    name = "rr"

    def __init__(self) -> None:
        self._last: Dest | None = None

    def changed(self, service: Service) -> None:
        self._last = service.dests[0] if service.dests else None

    def choose(self, service: Service, client: Ip) -> Dest | None:  # noqa: ARG002
        dests = service.dests
        start = dests.index(self._last) + 1 if self._last in dests else 0
        for offset in range(len(dests)):
            dest = dests[(start + offset) % len(dests)]
            if dest.valid:
                self._last = dest
                return dest
        return None


class WeightedRoundRobin:
    """Interleaved by weight: a falling water line, and all servers at or above it get one turn each."""

    name = "wrr"

    def __init__(self) -> None:
        self._at = -1
        self._line = 0
        self._top = 0
        self._step = 1

    def changed(self, service: Service) -> None:
        self._at = 0 if service.dests else -1
        self._top = max((dest.weight for dest in service.dests), default=0)
        self._step = _weights_gcd(service) or 1
        if self._line > self._top:
            self._line = 0

    def choose(self, service: Service, client: Ip) -> Dest | None:  # noqa: ARG002
        dests = service.dests
        if not dests:
            return None
        # two rounds through all water lines see every server; more mean that none is usable
        for _ in range(2 * (len(dests) + 1) * (self._top // self._step + 1)):
            if self._at == -1:
                self._line -= self._step
                if self._line <= 0:
                    self._line = self._top
                    if self._line == 0:
                        return None
            self._at += 1
            if self._at >= len(dests):
                self._at = -1
                continue
            dest = dests[self._at]
            if dest.valid and dest.weight >= self._line:
                return dest
        return None


class WeightedLeastConnection:
    """The least load by weight; an active connection weighs 256 inactive ones."""

    name = "wlc"

    def changed(self, service: Service) -> None:
        """Nothing is kept."""

    def choose(self, service: Service, client: Ip) -> Dest | None:  # noqa: ARG002
        least: Dest | None = None
        load = 0
        for dest in service.dests:
            if not dest.valid:
                continue
            mine = (dest.active << 8) + dest.inactive
            if least is None or load * dest.weight > mine * least.weight:
                least, load = dest, mine
        return least


class FailOver:
    """All to the one with the highest weight."""

    name = "fo"

    def changed(self, service: Service) -> None:
        """Nothing is kept."""

    def choose(self, service: Service, client: Ip) -> Dest | None:  # noqa: ARG002
        best: Dest | None = None
        for dest in service.dests:
            if dest.available and not dest.overload and dest.weight > (best.weight if best else 0):
                best = dest
        return best


class ConsistentHash:
    """A ring with 160 points per unit of weight (divided by the greatest common divisor), looked up by the client's address."""

    name = "conhash"
    _POINTS = 160

    def __init__(self) -> None:
        self._points: list[int] = []
        self._owners: dict[int, Dest] = {}

    def changed(self, service: Service) -> None:
        divisor = _weights_gcd(service) or 1
        self._owners = {}
        for dest in reversed(service.dests):
            # the name of a server on the ring has its port byte-swapped, as the network has it
            name = f"{dest.address.text}{int.from_bytes(dest.port.to_bytes(2, 'big'), 'little')}"
            for index in range(dest.weight // divisor * self._POINTS if dest.weight > 0 else 0):
                self._owners.setdefault(ring_hash(f"{name}-{index:03d}"), dest)
        self._points = sorted(self._owners)

    def choose(self, service: Service, client: Ip) -> Dest | None:
        if not self._points or not (service.settings.sip_hash or service.settings.qid_hash):
            return None
        word = int.from_bytes(client.fold.to_bytes(4, "big"), "little")
        at = bisect.bisect_left(self._points, ring_hash(str(word)))
        return self._owners[self._points[at % len(self._points)]]


@dataclass(slots=True)
class _MaglevRow:
    """A real server filling its places: where it tries next, by which step, and how many places it takes each round."""

    dest: Dest
    at: int
    skip: int
    turns: int


class Maglev:
    """Google's Maglev table with 4093 places, looked up by the client's address."""

    name = "mh"
    _SIZE = 4093
    _TURN_BITS = 6
    _KEYS = (2654435761, 2654446892)

    def __init__(self) -> None:
        self._table: list[Dest | None] = [None] * self._SIZE

    @classmethod
    def _hash(cls, ip: Ip, port: int, key: int) -> int:
        return hsiphash32((port + ip.fold) & 0xFFFFFFFF, cls._KEYS[key])

    def changed(self, service: Service) -> None:
        self._table = [None] * self._SIZE
        divisor = _weights_gcd(service)
        if divisor < 1:
            return
        highest = max(dest.weight for dest in service.dests) // divisor
        shift = max(0, highest.bit_length() - self._TURN_BITS)
        rows = [self._row(dest, divisor, shift) for dest in service.dests if dest.weight > 0]
        filled = 0
        while True:
            for row in rows:
                for _ in range(row.turns):
                    while self._table[row.at] is not None:
                        row.at = (row.at + row.skip) % self._SIZE
                    self._table[row.at] = row.dest
                    filled += 1
                    if filled == self._SIZE:
                        return

    def _row(self, dest: Dest, divisor: int, shift: int) -> _MaglevRow:
        start = self._hash(dest.address, dest.port, 0) % self._SIZE
        skip = self._hash(dest.address, dest.port, 1) % (self._SIZE - 1) + 1
        return _MaglevRow(dest, start, skip, (dest.weight // divisor) >> shift or 1)

    def choose(self, service: Service, client: Ip) -> Dest | None:  # noqa: ARG002
        dest = self._table[self._hash(client, 0, 0) % self._SIZE]
        return dest if dest is not None and dest.valid else None


_ALL: dict[str, type[Scheduler]] = {
    kind.name: kind for kind in (RoundRobin, WeightedRoundRobin, WeightedLeastConnection, FailOver, ConsistentHash, Maglev)
}
NAMES = tuple(_ALL)


def make(name: str) -> Scheduler | None:
    """A fresh scheduler by its name, None if DPVS has none of that name."""
    kind = _ALL.get(name)
    return kind() if kind else None
