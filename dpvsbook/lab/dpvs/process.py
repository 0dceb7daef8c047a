"""One dpvs process: its devices and tables, its clock, its faults."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from dpvsbook.lab.dpvs import errors
from dpvsbook.lab.dpvs.acl import AccessList
from dpvsbook.lab.dpvs.addresses import Address, AddressTable
from dpvsbook.lab.dpvs.conns import ConnTable
from dpvsbook.lab.dpvs.devices import Device
from dpvsbook.lab.dpvs.ip import of
from dpvsbook.lab.dpvs.ipsets import IpSets
from dpvsbook.lab.dpvs.neighbours import NeighbourTable
from dpvsbook.lab.dpvs.pools import Hugepages
from dpvsbook.lab.dpvs.routes import RouteTable
from dpvsbook.lab.dpvs.routes6 import Route6, Route6Table
from dpvsbook.lab.dpvs.services import ServiceTable

if TYPE_CHECKING:
    from dpvsbook.lab.dpvs.conns import Conn
    from dpvsbook.lab.dpvs.flows import Decision, Flow
    from dpvsbook.lab.dpvs.traffic import Exchange

DEFAULT_IPC = "/var/run/dpvs.ipc"


@dataclass(frozen=True, slots=True)
class Version:
    """Which DPVS this is. Its tools are of the same version."""

    name: str
    daemon: tuple[int, int, int]
    built: str
    bus: str

    @property
    def dotted(self) -> str:
        """As the first line of `ipvsadm -ln` has it."""
        return ".".join(map(str, self.daemon))


V1_10 = Version("1.10-2", (1, 10, 2), "2026.11.22.19:47:08", "vdev")
V1_9 = Version("1.9-10", (1, 9, 10), "2026.11.23.00:11:42", "")
VERSIONS = {"1.10": V1_10, "1.9": V1_9}


@dataclass(slots=True)
class Faults:
    """What goes wrong on purpose. `failing_reads`: so many of the next reads that need the worker fail (with -23, mostly);
    `only` limits that to some messages (numbers of dpvsbook.lab.dpvs.sockopt.Message). `after_flush`: so many fail after each
    `ipvsadm -C`, when the worker is still busy with it (transcript 10)."""

    failing_reads: int = 0
    only: frozenset[int] = frozenset()
    after_flush: int = 0

    def read_fails(self, message: int) -> bool:
        """Does this read fail? Counts down."""
        if self.failing_reads <= 0 or (self.only and message not in self.only):
            return False
        self.failing_reads -= 1
        return True


@dataclass(slots=True)
class TcSchedule:
    """One queueing discipline of `dpip qsch`."""

    device: str
    kind: str
    handle: int
    where: int
    limit: int = 0
    rate: int = 0
    burst: int = 0
    peakrate: int = 0
    mtu: int = 0


@dataclass(slots=True)
class Tunnel:
    """One tunnel of `dpip tunnel`."""

    name: str
    kind: str
    local: str = "0.0.0.0"  # noqa: S104
    remote: str = "0.0.0.0"  # noqa: S104
    link: str = ""
    ttl: int = 0
    tos: int = 0


@dataclass(slots=True)
class Settings:
    """Settings of dpvs.conf that show."""

    uoa_max_trail: int = 3
    uoa_mode: str = "opp"
    mbufs: int = 65535


@dataclass(slots=True)
class _Objects:
    tunnels: dict[str, Tunnel] = field(default_factory=dict)
    schedules: list[TcSchedule] = field(default_factory=list)
    iftraf: bool = False


class Dpvs:
    """The state and the datapath of one dpvs process.

    `devices` are the ports in the order of dpvs.conf. `clock` gives seconds (any origin); connections expire by it.
    `hugepages` are the 2 MB pages that are free for LIPs after the start (None: any number). `names` resolves host names
    for `ipvsadm` (only what is in it resolves). `socket` says what the tools meet: "live", "missing" or "refused".
    """

    def __init__(
        self,
        devices: Iterable[Device],
        *,
        version: str = "1.10",
        clock: Callable[[], float] = time.monotonic,
        hugepages: int | None = None,
        ipc_file: str = DEFAULT_IPC,
        names: dict[str, str] | None = None,
        seed: int = 1,
        settings: Settings | None = None,
    ) -> None:
        self.version = VERSIONS[version]
        self.clock = clock
        self.started = clock()
        self.ipc_file = ipc_file
        self.names = {"localhost": "127.0.0.1"} if names is None else names
        self.random = random.Random(seed)  # noqa: S311  (which LIP comes next, no secret)
        self.settings = settings or Settings()
        self.socket = "live"
        self.faults = Faults()
        self.log: list[str] = []
        self.hugepages = Hugepages(hugepages)
        self.devices: dict[str, Device] = {}
        self.addresses = AddressTable(self.hugepages)
        self.routes = RouteTable()
        self.routes6 = Route6Table()
        self.neighbours = NeighbourTable()
        self.services = ServiceTable()
        self.ipsets = IpSets()
        self.deny = AccessList(self.ipsets.__contains__, self.ipsets.holds)
        self.allow = AccessList(self.ipsets.__contains__, self.ipsets.holds)
        self.conns = ConnTable(clock, self.addresses)
        self.objects = _Objects()
        for device in devices:
            self.plug(device)
        self.log += [
            "DSCHED: lcore 01 enter lcre_role_fwd_worker loop",
            "DSCHED: lcore 00 enter lcre_role_master loop",
        ]

    @property
    def running(self) -> bool:
        """Do the tools reach it?"""
        return self.socket == "live"

    def stop(self, *, killed: bool = False) -> None:
        """The process ends; all its state is gone with it. `killed` (SIGKILL) leaves the socket file, so tools are refused."""
        self.socket = "refused" if killed else "missing"

    def plug(self, device: Device) -> None:
        """A port comes up: it gets the lowest number that is free, and its IPv6 link-local address."""
        taken = {other.index for other in self.devices.values()}
        device.index = next(number for number in range(1, len(taken) + 2) if number not in taken)
        device.mbufs = self.settings.mbufs
        self.devices[device.name] = device
        self.devices = dict(sorted(self.devices.items(), key=lambda item: item[1].index))
        if device.kind != "tunnel":
            own = of(device.link_local)
            self.addresses.add(Address(own, 64, device, scope=2))
            self.routes6.add(Route6(own, 128, device, kind="host", mtu=device.mtu))
            self.routes6.add(Route6(own, 64, device, src=own, mtu=device.mtu))
            device.counters.packets_out, device.counters.bytes_out = 1, 78  # "does anybody have this address already?"

    def unplug(self, device: Device) -> None:
        """A port goes; its addresses and routes are gone already."""
        del self.devices[device.name]

    def device(self, name: str) -> Device:
        """A port by its name.

        :raises errors.Refused: NOTEXIST
        """
        if name not in self.devices:
            raise errors.Refused(errors.NOTEXIST)
        return self.devices[name]

    def deliver(self, flow: Flow) -> Decision:
        """What DPVS does with the first (or next) packet of a flow; see dpvsbook.lab.dpvs.datapath."""
        from dpvsbook.lab.dpvs import datapath

        return datapath.deliver(self, flow)

    def settle(self, conn: Conn, outcome: str, exchange: Exchange) -> None:
        """Book what came of a connection; see dpvsbook.lab.dpvs.accounting."""
        from dpvsbook.lab.dpvs import accounting

        accounting.settle(self, conn, outcome, exchange)
