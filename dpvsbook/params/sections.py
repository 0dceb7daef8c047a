"""Sections of a params file that most clusters don't have: dynamic routing, VRRP, bonds, VLANs, tunnels, how dpvs is started.

They are checked like everything else. `Params.not_applied` says which of those in a file no step of today acts on.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from dpvsbook.params.base import Model
from dpvsbook.params.types import (
    AbsolutePath,
    Area,
    Argument,
    HostAddress,
    InterfaceAddress,
    InterfaceName,
    Pci,
    RouterId,
    SecretRef,
    Word,
)

Timer = Annotated[int, Field(ge=1, le=65535)]


class OspfNode(Model):
    """One director's part. `interconnect` is one of the addresses of `device`, which the kernel has too, on the device's kni."""

    device: str
    router_id: RouterId
    interconnect: InterfaceAddress
    router: HostAddress


class Ospf(Model):
    """ECMP (reference S3, D.2): every director announces the same. `announce`: its VIPs from lo by `redistribute` or by one `network`
    each; `default`: a default route, for SNAT. `next_hop`: SNAT's other way, an address on lo that the router's default route leads to."""

    area: Area
    hello: Timer = 10
    dead: Timer = 40
    daemon: Literal["frr", "quagga"] = "frr"
    announce: Literal["redistribute", "network", "default"] = "redistribute"
    next_hop: HostAddress | None = None
    nodes: Annotated[dict[str, OspfNode], Field(min_length=1)]


class VrrpNode(Model):
    """One director's part. `interface` is the kni that VRRP runs on, `address` what the kernel has there."""

    interface: InterfaceName
    address: InterfaceAddress
    priority: Annotated[int, Field(ge=1, le=254)]


class Keepalived(Model):
    """VRRP (reference S4): the node of the highest priority has the VIPs. `auth` is a reference; keepalived uses 8 characters of it."""

    vrid: Annotated[int, Field(ge=1, le=255)]
    advert: Annotated[int, Field(ge=1, le=255)] = 1
    auth: SecretRef | None = None
    nodes: Annotated[dict[str, VrrpNode], Field(min_length=1)]


class Slave(Model):
    """A NIC of a bond. It is a port of DPVS too, but no device that anything is put on."""

    name: InterfaceName
    pci: Pci | None = None


class Bond(Model):
    """`name` is a device of the director. DPVS does modes 0 (balance-rr) and 4 (LACP); `primary` names a slave, None: the first."""

    name: InterfaceName
    mode: Literal[0, 4] = 4
    slaves: Annotated[tuple[Slave, ...], Field(min_length=1)]
    primary: str | None = None


class Vlan(Model):
    """`name` is a device of the director; `link` the device or bond that the tagged packets go over."""

    name: InterfaceName
    link: str
    id: Annotated[int, Field(ge=1, le=4094)]
    proto: Literal["802.1q", "802.1ad"] = "802.1q"


class Tunnel(Model):
    """An IPIP or GRE device of DPVS. `local` is an address of `device`."""

    name: InterfaceName
    mode: Literal["ipip", "gre"] = "ipip"
    local: HostAddress
    remote: HostAddress
    device: str
    addresses: tuple[InterfaceAddress, ...] = ()


class Start(Model):
    """How a director's dpvs is started: its dpvs.conf, what follows `dpvs`, and what its conf must say for the steps to work.

    `settings`: other items of dpvs.conf by their path ("ipvs_defs.tcp.timeout.established": 90); one of netif_defs.device is every port's.
    """

    conf: AbsolutePath = "/etc/dpvs.conf"
    unit: Word | None = None
    arguments: tuple[Argument, ...] = ()
    workers: Annotated[int, Field(ge=1, le=63)] = 1
    flow: bool = True
    redirect: bool = False
    hugepages_mb: Annotated[int, Field(ge=1, le=4_194_304)] | None = None
    settings: dict[str, bool | int | str] = Field(default_factory=dict)
