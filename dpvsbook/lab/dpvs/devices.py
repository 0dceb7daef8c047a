"""The ports of DPVS: NICs, the VLANs on them, tunnels."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(slots=True)
class Counters:
    """What went through a port."""

    packets_in: int = 0
    packets_out: int = 0
    bytes_in: int = 0
    bytes_out: int = 0


@dataclass(slots=True)
class Device:
    """One port as `dpip link show` prints it. `mac` is lower case; `driver` and `bus` show in `dpip -v link show`;
    `kind` is nic, vlan or tunnel."""

    name: str
    mac: str
    index: int = 0
    mtu: int = 1500
    speed: int = 10000
    duplex: str = "full"
    up: bool = True
    promisc: bool = True
    allmulticast: bool = False
    forward2kni: bool = False
    tc_egress: bool = False
    tc_ingress: bool = False
    lldp: bool = True
    bus: str = "vdev"
    driver: str = "net_af_packet"
    mbufs: int = 65535
    link: str | None = None
    kind: str = "nic"
    vlan: int | None = None
    vlan_proto: str = "802.1q"
    counters: Counters = field(default_factory=Counters)
    below: Device | None = None  # what a VLAN or a tunnel stands on

    @property
    def nic(self) -> Device:
        """The NIC at the bottom: whether a port is promiscuous is always that one's."""
        return self if self.below is None else self.below.nic

    @property
    def link_local(self) -> str:
        """The IPv6 link-local address DPVS gives itself from the MAC (EUI-64)."""
        octets = [int(part, 16) for part in self.mac.split(":")]
        octets[0] ^= 2
        halves = [*octets[:3], 0xFF, 0xFE, *octets[3:]]
        return "fe80::" + ":".join(f"{halves[at] << 8 | halves[at + 1]:x}" for at in (0, 2, 4, 6))
