"""The network side of an emulated Linux host: interfaces, addresses, routes, neighbours, sysctls."""

from __future__ import annotations

import hashlib
import ipaddress
from dataclasses import dataclass, field

Ip = ipaddress.IPv4Address | ipaddress.IPv6Address
InterfaceAddress = ipaddress.IPv4Interface | ipaddress.IPv6Interface
Prefix = ipaddress.IPv4Network | ipaddress.IPv6Network


def mac_of(*names: str) -> str:
    """A MAC address that depends on nothing but the names: the same lab has the same ones each time."""
    digest = hashlib.sha256("/".join(names).encode()).digest()
    return ":".join(f"{byte:02x}" for byte in (0x02, *digest[:5]))


@dataclass(slots=True)
class Interface:
    """`segment` is the network that it is plugged into ('' for none: lo, tunnels)."""

    index: int
    name: str
    mac: str
    segment: str = ""
    kind: str = "ether"  # ether, loopback, ipip, dummy
    up: bool = True
    mtu: int = 1500
    addresses: list[InterfaceAddress] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Route:
    prefix: Prefix
    device: str
    via: Ip | None = None
    source: Ip | None = None
    metric: int = 0
    protocol: str = "boot"  # kernel: made by an address; boot: by hand; static


class Kernel:
    """`sysctls` has full names; a name that isn't in it does not exist."""

    def __init__(self, host: str) -> None:
        self.host = host
        self.interfaces: dict[str, Interface] = {}
        self.routes: list[Route] = []
        self.neighbours: dict[tuple[str, Ip], str] = {}
        self.sysctls: dict[str, str] = {"net.ipv4.ip_forward": "0", "net.ipv4.ip_nonlocal_bind": "0", "net.ipv6.conf.all.forwarding": "0"}
        self._next_port = 32768 + int.from_bytes(hashlib.sha256(host.encode()).digest()[:2], "big") % 16000
        for scope in ("all", "default"):
            self._settings(scope)
        loopback = self.plug("lo", kind="loopback", mtu=65536)
        loopback.addresses += [ipaddress.ip_interface("127.0.0.1/8"), ipaddress.ip_interface("::1/128")]

    def _settings(self, scope: str) -> None:
        default = {
            key: self.sysctls.get(f"net.ipv4.conf.default.{key}", "0") for key in ("arp_ignore", "arp_announce", "arp_filter", "rp_filter")
        }
        self.sysctls.update({f"net.ipv4.conf.{scope}.{key}": value for key, value in default.items()})

    def plug(self, name: str, *, segment: str = "", kind: str = "ether", mtu: int = 1500, mac: str = "") -> Interface:
        index = max((interface.index for interface in self.interfaces.values()), default=0) + 1
        mac = mac or ("00:00:00:00:00:00" if kind == "loopback" else mac_of(self.host, name))
        self.interfaces[name] = Interface(index, name, mac, segment, kind, mtu=mtu)
        self._settings(name)
        return self.interfaces[name]

    def unplug(self, name: str) -> None:
        del self.interfaces[name]
        self.routes = [route for route in self.routes if route.device != name]
        for key in [key for key in self.sysctls if key.startswith(f"net.ipv4.conf.{name}.")]:
            del self.sysctls[key]

    # ---- addresses

    def add_address(self, name: str, address: InterfaceAddress) -> bool:
        """False if it is there already. Brings its link route."""
        interface = self.interfaces[name]
        if address in interface.addresses:
            return False
        interface.addresses.append(address)
        network = address.network
        if network.prefixlen < network.max_prefixlen and interface.kind != "loopback":
            self.routes.append(Route(network, name, source=address.ip, protocol="kernel"))
        return True

    def remove_address(self, name: str, address: InterfaceAddress) -> bool:
        interface = self.interfaces[name]
        if address not in interface.addresses:
            return False
        interface.addresses.remove(address)
        self.routes = [
            route for route in self.routes if not (route.protocol == "kernel" and route.device == name and route.source == address.ip)
        ]
        return True

    def is_local(self, ip: Ip) -> bool:
        return self.holder(ip) is not None

    def holder(self, ip: Ip) -> Interface | None:
        """The interface that has the address."""
        for interface in self.interfaces.values():
            if interface.up and any(
                address.ip == ip or (address.ip.is_loopback and ip in address.network) for address in interface.addresses
            ):
                return interface
        return None

    def answers_for(self, ip: Ip, name: str) -> bool:
        """Does the host answer "who has IP" (ARP, neighbour solicitation) on an interface? For IPv4 that depends on arp_ignore."""
        interface = self.interfaces.get(name)
        if interface is None or not interface.up or interface.kind != "ether":
            return False
        here = any(address.ip == ip for address in interface.addresses)
        if ip.version == 6:
            return here
        ignore = max(int(self.sysctls[f"net.ipv4.conf.{scope}.arp_ignore"]) for scope in ("all", name))
        if ignore == 0:
            return not ip.is_loopback and self.is_local(ip)
        return here and ignore < 8

    # ---- routes

    def lookup(self, ip: Ip) -> Route | None:
        """The route with the longest prefix, then the lowest metric, whose interface is up."""
        usable = [
            route
            for route in self.routes
            if route.prefix.version == ip.version
            and ip in route.prefix
            and route.device in self.interfaces
            and self.interfaces[route.device].up
        ]
        return min(usable, key=lambda route: (-route.prefix.prefixlen, route.metric), default=None)

    def source_for(self, ip: Ip, route: Route) -> Ip | None:
        """The address that a packet to `ip` gets when its program didn't choose one."""
        if route.source is not None:
            return route.source
        interface, hop = self.interfaces[route.device], route.via or ip
        same = [address for address in interface.addresses if address.version == ip.version]
        near = [address.ip for address in same if hop in address.network]
        if near or same:
            return (near or [address.ip for address in same])[0]
        others = (a.ip for i in self.interfaces.values() for a in i.addresses if a.version == ip.version and not a.ip.is_loopback)
        return next(others, None)

    def forwards(self, version: int) -> bool:
        return self.sysctls["net.ipv4.ip_forward" if version == 4 else "net.ipv6.conf.all.forwarding"] != "0"

    def next_port(self) -> int:
        """Client ports go up by two, as Linux's do for connect()."""
        self._next_port += 2
        if self._next_port > 60999:
            self._next_port = 32768
        return self._next_port
