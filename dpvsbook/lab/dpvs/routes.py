"""The IPv4 routes of DPVS, with its habits.

Host routes sit in 256 buckets by the last byte of the address, newest first; network routes in one list, longest mask first.
Adding an existing one and deleting an absent one are no errors. Deleting does not compare mask lengths, only masked addresses;
a mask length over 32 wraps around (transcript 05).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from dpvsbook.lab.dpvs.devices import Device
from dpvsbook.lab.dpvs.ip import ANY4, Ip


def mask(length: int) -> int:
    """The 32-bit mask of a length, as an x86 shifts it: lengths over 32 start again from the top."""
    if length <= 0:
        return 0
    return (0xFFFFFFFF << (31 - ((length - 1) & 31))) & 0xFFFFFFFF


@dataclass(slots=True)
class Route:
    """One route. `kind` is `host` (an address of our own), `kni_host`, or `net`."""

    to: Ip
    length: int
    device: Device
    kind: str = "net"
    via: Ip = ANY4
    src: Ip = ANY4
    mtu: int = 1500
    metric: int = 0

    @property
    def scope(self) -> str:
        """The scope that `dpip route show` prints."""
        if self.kind != "net":
            return self.kind
        return "link" if self.via.any else "global"


class RouteTable:
    """The IPv4 routes of one DPVS."""

    def __init__(self) -> None:
        self._host: list[list[Route]] = [[] for _ in range(256)]
        self._net: list[Route] = []

    def listed(self, device: Device | None = None) -> Iterator[Route]:
        """All routes in the order of `dpip route show`."""
        for lane in (*self._host, self._net):
            for route in lane:
                if device is None or route.device is device:
                    yield route

    def add(self, route: Route) -> None:
        """Add a route; one that exists already (same masked prefix and length, same device) stays as it is."""
        if route.kind != "net":
            lane = self._host[route.to.number & 0xFF]
            if not any(r.to == route.to and r.device is route.device for r in lane):
                lane.insert(0, route)
            return
        wanted = route.to.number & mask(route.length)
        for at, other in enumerate(self._net):
            if other.length == route.length and other.device is route.device and other.to.number & mask(other.length) == wanted:
                return
            if other.length < route.length:
                self._net.insert(at, route)
                return
        self._net.append(route)

    def remove(self, to: Ip, length: int, device: Device, kind: str = "net") -> None:
        """Delete the first route that matches, if any."""
        if kind != "net":
            lane = self._host[to.number & 0xFF]
            for at, route in enumerate(lane):
                if route.to == to and route.device is device:
                    del lane[at]
                    return
            return
        wanted = to.number & mask(length)
        for at, route in enumerate(self._net):
            if route.device is device and route.to.number & mask(route.length) == wanted:
                del self._net[at]
                return

    def flush(self, device: Device) -> None:
        """Delete every route of a device, those of its own addresses too."""
        for lane in (*self._host, self._net):
            lane[:] = [route for route in lane if route.device is not device]

    def local(self, ip: Ip, device: Device | None = None) -> Route | None:
        """The host route for an address of our own."""
        for route in self._host[ip.number & 0xFF]:
            if route.to == ip and (device is None or route.device is device):
                return route
        return None

    def output(self, ip: Ip) -> Route | None:
        """The way out to an address."""
        found = self.local(ip)
        if found is not None:
            return found
        number = ip.number
        for route in self._net:
            if number & mask(route.length) == route.to.number & mask(route.length):
                return route
        return None
