"""What a lab is made of, worked out from the params alone: namespaces, links, addresses, processes. Nothing here touches the machine."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from ipaddress import ip_interface
from itertools import count
from typing import TYPE_CHECKING

from dpvsbook.lab.netns.conf import Port, dpvs_conf

if TYPE_CHECKING:
    from dpvsbook.params import Director, HostParams, Params

PREFIX = "dpvsbook-"
SWITCH = "sw"  # the host that holds the bridges
IFNAMSIZ = 15
PAGE_MB = 2
PAGES = 400  # 2 MB pages of a director: 353 measured, and room
PAGES_PER_LIP = 21  # measured: a LIP's port pools take 42 MB
SPARE_LIPS = 2  # for what somebody adds by hand; a LIP that finds no page fails silently
CONF, PID, LOG, OUT, HUGE = "/etc/dpvs.conf", "/var/run/dpvs.pid", "/var/log/dpvs.log", "/var/log/dpvs.out", "/run/hugepages"
IPC = "/var/run/dpvs.ipc"


@dataclass(frozen=True, slots=True)
class Nic:
    """An interface of a host and its port on the network's bridge; `addresses` with their prefix lengths."""

    name: str
    port: str
    bridge: str
    mac: str
    mtu: int = 1500
    addresses: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Dpvs:
    """A DPVS process to be: its ports in order, its LIPs (they need memory), what the tools find it by."""

    ports: tuple[Port, ...]
    lips: int
    ipc: str
    bin: str | None
    own: tuple[str, ...]  # addresses that are DPVS's, that the kernel under it must not answer for
    kni: bool = False  # real KNI: DPVS makes the devices itself

    @property
    def pages(self) -> int:
        """2 MB hugepages that it needs."""
        return PAGES + PAGES_PER_LIP * (self.lips + SPARE_LIPS)


@dataclass(frozen=True, slots=True)
class HostPlan:
    """One host of the lab: a network namespace `namespace`, a hostname, interfaces, and what runs there."""

    name: str
    role: str
    namespace: str
    nics: tuple[Nic, ...]
    routes: tuple[tuple[str, str], ...] = ()
    listens: tuple[str, ...] = ()  # "tcp:80": what its server answers on
    dpvs: Dpvs | None = None
    user: str = "root"
    alias: str = ""  # what the params reach it by, where that isn't its name

    @property
    def links(self) -> int:
        """How many of DPVS's links must be UP before the host is ready."""
        return len(self.dpvs.ports) if self.dpvs else 0


@dataclass(frozen=True, slots=True)
class LabPlan:
    """The lab: `prefix` begins the name of every namespace of it, and of no other lab's."""

    name: str
    prefix: str
    bridges: tuple[str, ...]
    hosts: tuple[HostPlan, ...]

    @property
    def switch(self) -> str:
        """The namespace of the bridges."""
        return f"{self.prefix}{SWITCH}"

    @property
    def namespaces(self) -> tuple[str, ...]:
        return (self.switch, *(host.namespace for host in self.hosts))

    @property
    def directors(self) -> tuple[HostPlan, ...]:
        return tuple(host for host in self.hosts if host.dpvs)

    @property
    def kni(self) -> bool:
        """Whether its DPVS processes have real KNI."""
        return any(host.dpvs.kni for host in self.hosts if host.dpvs)

    @property
    def pages(self) -> int:
        """2 MB hugepages that all its DPVS processes need."""
        return sum(host.dpvs.pages for host in self.hosts if host.dpvs)

    def host(self, name: str) -> HostPlan:
        """The host of that name. KeyError where there is none."""
        for host in self.hosts:
            if host.name == name:
                return host
        raise KeyError(name)


def prefix_of(name: str) -> str:
    """What the names of a lab's namespaces begin with: "two arm" -> "dpvsbook-two-arm." (with the "." none begins another)."""
    return f"{PREFIX}{re.sub(r'[^A-Za-z0-9_-]+', '-', name)}."


def make(params: Params, *, kni: bool = False) -> LabPlan:
    """The plan of the lab that the params describe. `kni`: real KNI, or else the kernel side of each veth plays the KNI device."""
    prefix = prefix_of(params.name)
    bridges = {network: f"br{number}" for number, network in enumerate(params.networks)}
    hosts = []
    for number, director in enumerate(params.directors):
        hosts.append(_director(params, director, prefix, bridges, number, kni=kni))
    for number, host in enumerate(params.hosts, start=len(params.directors)):
        hosts.append(_plain(params, host, prefix, bridges, number))
    return LabPlan(params.name, prefix, tuple(bridges.values()), tuple(hosts))


def _director(params: Params, director: Director, prefix: str, bridges: dict[str, str], number: int, *, kni: bool) -> HostPlan:
    ports, nics = [], []
    names = [device.kni or f"{device.name}.kni"[:IFNAMSIZ] for device in director.devices]
    free = (name for name in (f"nic{index}" for index in count()) if name not in names)
    for index, (device, name) in enumerate(zip(director.devices, names, strict=True)):
        mtu = device.mtu or 1500
        ports.append(Port(device.name, name, mtu))
        address = mac(params.name, director.name, name)
        nics.append(Nic(next(free) if kni else name, f"p{number}.{index}", bridges[device.network], address, mtu))
    vips = [service.vip for service in params.services if service.vip]
    own = tuple(dict.fromkeys([*vips, *(lip.address for lip in director.lips)]))
    dpvs = Dpvs(tuple(ports), len(director.lips), director.ipc or IPC, director.bin, own, kni)
    user, alias = _login(director)
    return HostPlan(director.name, "director", prefix + director.name, tuple(nics), dpvs=dpvs, user=user, alias=alias)


def _plain(params: Params, host: HostParams, prefix: str, bridges: dict[str, str], number: int) -> HostPlan:
    nics = tuple(
        Nic(
            interface.name,
            f"p{number}.{index}",
            bridges[interface.network],
            mac(params.name, host.name, interface.name),
            addresses=tuple(interface.addresses),
        )
        for index, interface in enumerate(host.interfaces)
    )
    routes = tuple((route.to, route.via) for route in host.routes)
    user, alias = _login(host)
    return HostPlan(host.name, host.role, prefix + host.name, nics, routes, _listens(params, host), user=user, alias=alias)


def _login(host: Director | HostParams) -> tuple[str, str]:
    """The params' user, and what they reach the host by where it isn't its name."""
    return host.ssh.user or "root", host.ssh.host if host.ssh.host and host.ssh.host != host.name else ""


def _listens(params: Params, host: HostParams) -> tuple[str, ...]:
    """What a host answers on: a real server on 80 and the ports of the services that name it; in a SNAT lab the world outside on 80 too."""
    mine = {str(ip_interface(address).ip) for interface in host.interfaces for address in interface.addresses}
    found = {
        f"{'udp' if service.protocol == 'udp' else 'tcp'}:{server.port}"
        for service in params.services
        for server in service.real_servers
        if server.port and (server.host == host.name or server.address in mine)
    }
    if host.role == "real-server" or any(not service.vip for service in params.services):
        found.add("tcp:80")
    return tuple(sorted(found))


def mac(*names: str) -> str:
    """A locally administered MAC address that is the same each time the lab comes up."""
    digest = hashlib.sha256("/".join(names).encode()).hexdigest()
    return ":".join(("02", *(digest[i : i + 2] for i in range(0, 10, 2))))


def dpvs_argv(host: HostPlan, *, folder: str, cpus: tuple[int, ...], huge: bool) -> tuple[str, ...]:
    """The command line of a director's DPVS: two lcores that float on the CPUs `cpus`, af_packet on each veth."""
    assert host.dpvs is not None  # noqa: S101  a director has one
    usable = f"({','.join(str(cpu) for cpu in sorted(cpus))})"
    memory = ("--huge-unlink", f"--huge-dir={HUGE}") if huge else ("--no-huge", "-m", str(host.dpvs.pages * PAGE_MB))
    vdevs = (f"--vdev=net_af_packet{index},iface={nic.name}" for index, nic in enumerate(host.nics))
    lcores = ("--lcores", f"0@{usable},1@{usable}", "--main-lcore", "0")
    own = (f"{folder}/dpvs", "-c", CONF, "-p", PID, "-x", host.dpvs.ipc)
    return (*own, "--", *lcores, "--no-pci", f"--file-prefix={host.name}", *memory, *vdevs)


def conf_of(host: HostPlan) -> str:
    """A director's dpvs.conf."""
    assert host.dpvs is not None  # noqa: S101
    return dpvs_conf(host.dpvs.ports, log_file=LOG, kni=host.dpvs.kni)
