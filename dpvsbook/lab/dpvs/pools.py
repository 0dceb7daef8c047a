"""Ports to speak from: the pool of source ports behind each LIP, and the huge pages that those pools eat.

A pool has 16 lanes; the real server's address and port choose the lane, and in a lane ports come out in order 1025 .. 65535,
then in the order they came back (transcripts 03, 07, 08, 12).
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

from dpvsbook.lab.dpvs.hashes import jhash_words
from dpvsbook.lab.dpvs.ip import Ip

LANES = 16
FIRST_PORT = 1025
LAST_PORT = 65535
PORTS = (LAST_PORT - FIRST_PORT + 1) * LANES
#: 2 MB pages that one pool takes (transcript 12)
PAGES_PER_POOL = 21


@dataclass(slots=True)
class _Lane:
    fresh: int = FIRST_PORT
    returned: deque[int] = field(default_factory=deque)


def lane_of(server: Ip, port: int) -> int:
    """Which of the 16 lanes serves a real server."""
    if server.family == 4:
        return (((server.number & 0xFFFF) + port) & 0xFFFF_FFFF) % LANES
    words = [int.from_bytes(server.packed[at : at + 4], "little") for at in (0, 4, 8, 12)]
    return jhash_words([int.from_bytes(port.to_bytes(2, "big"), "little"), *words], 10) % LANES


@dataclass(slots=True)
class SaPool:
    """The (address, port) pairs of one LIP on the one worker."""

    used: int = 0
    missed: int = 0
    lanes: list[_Lane] = field(default_factory=lambda: [_Lane() for _ in range(LANES)])

    @property
    def free(self) -> int:
        """Pairs left over all lanes."""
        return PORTS - self.used

    def fetch(self, server: Ip, port: int) -> int | None:
        """A source port towards a real server, None (and one more miss) when the lane is used up."""
        lane = self.lanes[lane_of(server, port)]
        if lane.fresh <= LAST_PORT:
            lane.fresh += 1
            self.used += 1
            return lane.fresh - 1
        if lane.returned:
            self.used += 1
            return lane.returned.popleft()
        self.missed += 1
        return None

    def release(self, server: Ip, server_port: int, port: int) -> None:
        """Give a port back."""
        self.lanes[lane_of(server, server_port)].returned.append(port)
        self.used -= 1


@dataclass(slots=True)
class Hugepages:
    """The 2 MB pages that are still free for pools. `free` None: as many as one likes."""

    free: int | None = None
    spare_pools: int = 0

    def take_pool(self) -> bool:
        """Memory for one more pool; False when it does not fit. A freed pool stays in DPVS's heap and is used again."""
        if self.spare_pools:
            self.spare_pools -= 1
            return True
        if self.free is None:
            return True
        if self.free < PAGES_PER_POOL:
            return False
        self.free -= PAGES_PER_POOL
        return True

    def give_pool(self) -> None:
        """A pool was freed: its memory waits in the heap for the next one."""
        self.spare_pools += 1
