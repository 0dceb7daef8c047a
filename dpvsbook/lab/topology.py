"""What a lab needs to know of a params file."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dpvsbook.params import Params, Ssh


@dataclass(frozen=True, slots=True)
class Port:
    """One interface of a host, or one device of a director; `kni`: the kernel interface beside a device, `pci`: its place on the bus."""

    name: str
    network: str
    addresses: tuple[str, ...] = ()
    mtu: int = 1500
    kni: str = ""
    pci: str = ""


@dataclass(frozen=True, slots=True)
class HostSpec:
    """`aliases`: other names and addresses that the params reach it by; `routes`: (to, via); `tools`: another folder for dpvs's tools."""

    name: str
    role: str
    user: str = "root"
    aliases: tuple[str, ...] = ()
    ports: tuple[Port, ...] = ()
    routes: tuple[tuple[str, str], ...] = ()
    listening: frozenset[int] = frozenset()
    ipc: str = ""
    tools: str = ""
    password: str = ""
    sudo_password: str = ""


@dataclass(frozen=True, slots=True)
class Topology:
    name: str
    dpvs: str
    hosts: tuple[HostSpec, ...]

    def host(self, name: str) -> HostSpec:
        return next(host for host in self.hosts if host.name == name)


def read(params_file: Path) -> Topology:
    """The topology of a params file. Raises ParamsError for one that isn't right."""
    from dpvsbook import params

    return of(params.load(params_file))


def of(params: Params) -> Topology:
    hosts = []
    for director in params.directors:
        ports = tuple(
            Port(device.name, device.network, mtu=device.mtu or 1500, kni=device.kni or "", pci=device.pci or "")
            for device in director.devices
        )
        hosts.append(
            HostSpec(
                director.name,
                "director",
                director.ssh.user or "root",
                aliases=_aliases(director.name, director.ssh),
                ports=ports,
                ipc=director.ipc or "",
                tools=director.bin or "",
                password=_secret(director.ssh.password),
                sudo_password=_secret(director.ssh.sudo_password),
            )
        )
    for host in params.hosts:
        addresses = {address.split("/")[0] for interface in host.interfaces for address in interface.addresses}
        listening = {80} if host.role == "real-server" else set()
        for service in params.services:
            for server in service.real_servers:
                if server.host == host.name or server.address in addresses:
                    listening.add(server.port)
        hosts.append(
            HostSpec(
                host.name,
                host.role,
                host.ssh.user or "root",
                aliases=_aliases(host.name, host.ssh),
                ports=tuple(Port(i.name, i.network, tuple(i.addresses)) for i in host.interfaces),
                routes=tuple((route.to, route.via) for route in getattr(host, "routes", ())),
                listening=frozenset(listening),
                password=_secret(host.ssh.password),
                sudo_password=_secret(host.ssh.sudo_password),
            )
        )
    return Topology(params.name, params.dpvs, tuple(hosts))


def _aliases(name: str, ssh: Ssh) -> tuple[str, ...]:
    return (ssh.host,) if ssh.host and ssh.host != name else ()


def _secret(reference: object | None) -> str:
    """The lab's hosts take the passwords that the operator's references stand for; without one there, none is asked."""
    if reference is None:
        return ""
    kind, _, where = str(reference).partition(":")
    if kind == "env":
        return os.environ.get(where, "")
    path = Path(where).expanduser()
    return path.read_text().rstrip("\n") if path.is_file() else ""
