"""The params: networks, directors, hosts, services, checks. The field names are what a params file has; docs say what they mean."""

from __future__ import annotations

import hashlib
import ipaddress
import json
from typing import Annotated, Any, Literal, TypeVar

from pydantic import Field

from dpvsbook.params.base import Model
from dpvsbook.params.build import Source
from dpvsbook.params.sections import Bond, Keepalived, Ospf, Start, Tunnel, Vlan
from dpvsbook.params.services import Checks, RealServer, Service
from dpvsbook.params.types import (
    AbsolutePath,
    Destination,
    HostAddress,
    InterfaceAddress,
    InterfaceName,
    LocalFile,
    Method,
    Mtu,
    Name,
    Pci,
    Port,
    SecretRef,
    Subnet,
    Word,
)


class Ssh(Model):
    """How to log in. What isn't given is the ssh_config's, and then ssh's own. `sudo`: None means where the login isn't root."""

    host: Word | None = None
    port: Port | None = None
    user: Word | None = None
    identity_file: LocalFile | None = None
    password: SecretRef | None = None
    sudo: bool | None = None
    sudo_password: SecretRef | None = None
    connect_timeout: Annotated[float, Field(gt=0, le=600)] = 10


class Network(Model):
    """A layer-2 segment. `gateway`: the directors' default route goes there."""

    subnets: Annotated[tuple[Subnet, ...], Field(min_length=1)]
    gateway: HostAddress | None = None


class Device(Model):
    """A port of DPVS, in the order of its NICs. `addresses` are this node's own, that DPVS answers for; `kni`: None means NAME.kni."""

    name: InterfaceName
    network: str
    pci: Pci | None = None
    vdev: Word | None = None
    kni: InterfaceName | None = None
    addresses: tuple[InterfaceAddress, ...] = ()
    mtu: Mtu = 1500


class Lip(Model):
    """A local address: FULLNAT reaches the real servers from it. It is one director's alone."""

    address: HostAddress
    device: str


class RouteParams(Model):
    """A route inside DPVS, beyond those to the networks' subnets and gateways."""

    to: Destination
    via: HostAddress | None = None
    device: str
    src: HostAddress | None = None
    scope: Literal["host", "link", "global", "kni_host"] | None = None
    mtu: Mtu | None = None


class Director(Model):
    """A DPVS node. `ipc`: the socket of its dpvs (several on one machine), `bin`: the folder of the tools, None: its PATH."""

    name: Name
    ssh: Ssh = Ssh()
    devices: Annotated[tuple[Device, ...], Field(min_length=1)]
    lips: tuple[Lip, ...] = ()
    routes: tuple[RouteParams, ...] = ()
    bonds: tuple[Bond, ...] = ()
    vlans: tuple[Vlan, ...] = ()
    tunnels: tuple[Tunnel, ...] = ()
    ipc: AbsolutePath | None = None
    bin: AbsolutePath | None = None
    start: Start | None = None


class Interface(Model):
    """A host's interface. One that nothing is said of has no address of ours."""

    name: InterfaceName
    network: str
    addresses: tuple[InterfaceAddress, ...] = ()


class HostRoute(Model):
    """A route of a host."""

    to: Destination
    via: HostAddress


class HostParams(Model):
    """A host that isn't a director."""

    name: Name
    role: Literal["real-server", "client", "router"]
    ssh: Ssh = Ssh()
    interfaces: tuple[Interface, ...] = ()
    routes: tuple[HostRoute, ...] = ()


_Named = TypeVar("_Named", Director, HostParams)


class Params(Model):
    """A whole cluster. `prune`: what is on a director and not here is removed; otherwise it is only shown as drift."""

    version: Literal[1] = 1
    name: Name
    method: Method = "fnat"
    prune: bool = False
    dpvs: Literal["1.9", "1.10"] = "1.10"
    networks: Annotated[dict[Name, Network], Field(min_length=1)]
    directors: Annotated[tuple[Director, ...], Field(min_length=1)]
    hosts: tuple[HostParams, ...] = ()
    services: tuple[Service, ...] = ()
    checks: Checks = Checks()
    ospf: Ospf | None = None
    keepalived: Keepalived | None = None
    source: Source | None = None

    @property
    def sha256(self) -> str:
        """What a file means, in one word: comments, order of keys and ways to write an address don't matter."""
        return hashlib.sha256(json.dumps(self.as_json(), sort_keys=True, separators=(",", ":")).encode()).hexdigest()

    def as_json(self) -> dict[str, Any]:
        """Everything, defaults too, as JSON has it. Secrets are references."""
        return self.model_dump(mode="json")

    @property
    def clients(self) -> tuple[HostParams, ...]:
        return tuple(host for host in self.hosts if host.role == "client")

    def director(self, name: str) -> Director:
        """The director of that name. KeyError where there is none."""
        return _named(self.directors, name)

    def host(self, name: str) -> HostParams:
        """The host of that name. KeyError where there is none."""
        return _named(self.hosts, name)

    def services_on(self, director: Director) -> tuple[Service, ...]:
        """The services that a director has: those that name it, and those that name none."""
        return tuple(s for s in self.services if s.directors is None or director.name in s.directors)

    def directors_of(self, service: Service) -> tuple[Director, ...]:
        """The directors that have a service."""
        return tuple(d for d in self.directors if service.directors is None or d.name in service.directors)

    def method_of(self, service: Service) -> Method:
        return service.method or self.method

    def device_for(self, director: Director, network: str) -> str:
        """The name of a director's device in a network. KeyError where it has none."""
        for device in director.devices:
            if device.network == network:
                return device.name
        raise KeyError(f"{director.name} has no device in {network}")

    def service_address(self, service: Service, rs: RealServer) -> str:
        """A real server's address, as this service's directors reach it. KeyError where its host has none."""
        if rs.address is not None:
            return rs.address
        found = self.addresses_for(service, self.host(rs.host or ""))
        if not found:
            raise KeyError(f"{rs.host} has no address for {service.name}")
        return found[0]

    def addresses_for(self, service: Service, host: HostParams) -> tuple[str, ...]:
        """A host's addresses that can serve a service, the best first.

        First those in a network of the service's directors; there the LAN side before the clients'. Of two families the one that
        works without translation: the VIP's, where the method is not FULLNAT or there is a LIP of it; else the one that has a LIP.
        """
        directors = self.directors_of(service)
        reached = {device.network for director in directors for device in director.devices}
        local = {ipaddress.ip_address(lip.address).version for director in directors for lip in director.lips}
        wanted = ipaddress.ip_address(service.vip).version if service.vip else 4

        def rank(found: tuple[str, str]) -> tuple[bool, bool, bool, bool]:
            network, address = found
            family = ipaddress.ip_address(address).version
            no_lip = self.method_of(service) == "fnat" and family not in local
            return network not in reached, no_lip, family != wanted, network == service.network

        there = [(i.network, cidr.partition("/")[0]) for i in host.interfaces for cidr in i.addresses]
        return tuple(address for _, address in sorted(there, key=rank))

    def desired_lips(self, director: Director, service: Service) -> tuple[Lip, ...]:
        """The LIPs that a service has on a director: of the real servers' family (NAT64), all or those that it names. FULLNAT only."""
        if self.method_of(service) != "fnat":
            return ()
        families = {":" in self.service_address(service, rs) for rs in service.real_servers}
        return tuple(
            lip for lip in director.lips if (":" in lip.address) in families and (service.lips is None or lip.address in service.lips)
        )

    @property
    def not_applied(self) -> tuple[str, ...]:
        """What the file has and no step of today acts on, each by its path: a runbook says so, rather than pass it by."""
        found = [section for section in ("ospf", "keepalived") if getattr(self, section) is not None]
        for index, director in enumerate(self.directors):
            found += [f"directors[{index}].{part}" for part in ("bonds", "vlans", "tunnels") if getattr(director, part)]
        for index, service in enumerate(self.services):
            found += [f"services[{index}].{part}" for part in ("match", "deny", "allow") if getattr(service, part)]
            if self.method_of(service) != "fnat":
                found.append(f"services[{index}].method")
        return tuple(found)


def _named(things: tuple[_Named, ...], name: str) -> _Named:
    for thing in things:
        if thing.name == name:
            return thing
    raise KeyError(name)
