"""The connection table: who talks to whom through DPVS, in which state, and until when."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from dpvsbook.lab.dpvs.addresses import Address, AddressTable
from dpvsbook.lab.dpvs.ip import Ip
from dpvsbook.lab.dpvs.services import Dest, Laddr

#: seconds that a connection stays in each state (DPVS's defaults; `ipvsadm -lnc` prints them, not the time left)
TIMEOUTS = {
    "TCP_NONE": 2,
    "TCP_EST": 90,
    "SYN_SENT": 3,
    "SYN_RECV": 30,
    "FIN_WAIT": 7,
    "TIME_WAIT": 7,
    "TCP_CLOSE": 3,
    "CLOSE_WAIT": 7,
    "UDP_ONEWAY": 60,
    "UDP_NORM": 300,
    "ICMP_NORMAL": 300,
}

Key = tuple[int, Ip, int, Ip, int]


@dataclass(slots=True, eq=False)
class Conn:
    """One connection: client, VIP, and on the other side the local address and the real server."""

    protocol: int
    client: Ip
    client_port: int
    vip: Ip
    vip_port: int
    local: Ip
    local_port: int
    server: Ip
    server_port: int
    dest: Dest
    method: str
    state: str = "TCP_NONE"
    timeout: int = 3
    expires: float = 0.0
    active: bool = False
    template: bool = False
    expire_quiescent: bool = False
    synproxy: bool = False
    laddr: Laddr | None = None
    owner: Address | None = None
    established_timeout: int = 90
    controls: int = 0
    master: Conn | None = None
    datagrams: int = 0

    @property
    def key(self) -> Key:
        """What finds it again when its client's next packet comes."""
        return (self.protocol, self.client, self.client_port, self.vip, self.vip_port)

    @property
    def inner(self) -> Key:
        """What finds a SNAT connection again when the host inside sends its next packet."""
        return (self.protocol, self.server, self.server_port, self.client, self.client_port)


class ConnTable:
    """All connections and persistence templates of one DPVS. Expired ones go when somebody looks."""

    def __init__(self, clock: Callable[[], float], addresses: AddressTable) -> None:
        self._clock = clock
        self._addresses = addresses
        self._conns: dict[Key, Conn] = {}
        self._inner: dict[Key, Conn] = {}
        self._templates: dict[Key, Conn] = {}
        self._due: list[tuple[float, int, Conn]] = []
        self._serial = 0

    def __iter__(self) -> Iterator[Conn]:
        self.expire()
        return iter(list(self._conns.values()))

    def __len__(self) -> int:
        self.expire()
        return len(self._conns)

    def templates(self) -> list[Conn]:
        """The persistence templates."""
        self.expire()
        return list(self._templates.values())

    def find(self, key: Key) -> Conn | None:
        """The connection of a packet, by client and VIP; of a packet from inside, by host and peer."""
        self.expire()
        return self._conns.get(key) or self._inner.get(key)

    def template(self, key: Key) -> Conn | None:
        """The template of a client."""
        self.expire()
        return self._templates.get(key)

    def add(self, conn: Conn) -> None:
        """A new connection starts; it is inactive until it is established."""
        (self._templates if conn.template else self._conns)[conn.key] = conn
        if conn.method == "snat":
            self._inner[conn.inner] = conn
        if conn.template:
            conn.dest.persistent += 1
        else:
            conn.dest.inactive += 1
            if conn.laddr is not None:
                conn.laddr.conns += 1
        self._schedule(conn)

    def enter(self, conn: Conn, state: str) -> None:
        """A connection changes its state: its counters and its clock follow."""
        conn.state = state
        conn.timeout = conn.established_timeout if state == "TCP_EST" else TIMEOUTS[state]
        active = state == "TCP_EST"
        if active != conn.active:
            step = 1 if active else -1
            conn.dest.active += step
            conn.dest.inactive -= step
            conn.active = active
        self._schedule(conn)

    def drop(self, conn: Conn) -> None:
        """End a connection now."""
        table = self._templates if conn.template else self._conns
        if table.get(conn.key) is not conn:
            return
        del table[conn.key]
        if conn.template:
            conn.dest.persistent -= 1
            return
        if conn.method == "snat":
            self._inner.pop(conn.inner, None)
        if conn.active:
            conn.dest.active -= 1
        else:
            conn.dest.inactive -= 1
        if conn.dest.active + conn.dest.inactive < conn.dest.upper:
            conn.dest.overload = False
        if conn.laddr is not None:
            conn.laddr.conns -= 1
        if conn.owner is not None and conn.owner.pool is not None:
            # a SNAT port was taken for the peer, a FULLNAT port for the real server
            peer, port = (conn.client, conn.client_port) if conn.method == "snat" else (conn.server, conn.server_port)
            mine = conn.vip_port if conn.method == "snat" else conn.local_port
            conn.owner.pool.release(peer, port, mine)
            self._addresses.port_returned(conn.owner)
        if conn.master is not None:
            conn.master.controls -= 1

    def expire(self) -> None:
        """End what is over."""
        now = self._clock()
        while self._due and self._due[0][0] <= now:
            due, _, conn = heapq.heappop(self._due)
            if due != conn.expires:
                continue
            if conn.template and conn.controls:
                self._schedule(conn)  # a template lives as long as its connections
                continue
            self.drop(conn)

    def _schedule(self, conn: Conn) -> None:
        conn.expires = self._clock() + conn.timeout
        self._serial += 1
        heapq.heappush(self._due, (conn.expires, self._serial, conn))
