"""The IPv6 routes of DPVS: longest prefix first, by hash bucket within a length. Here duplicates and absent ones are errors."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from dpvsbook.lab.dpvs import errors
from dpvsbook.lab.dpvs.devices import Device
from dpvsbook.lab.dpvs.hashes import jhash_words
from dpvsbook.lab.dpvs.ip import ANY6, Ip, network


@dataclass(slots=True)
class Route6:
    """One route. `kind` is `host`, `kni_host` or `net`; the prefix is masked."""

    to: Ip
    length: int
    device: Device
    kind: str = "net"
    via: Ip = ANY6
    src: Ip = ANY6
    mtu: int = 0

    @property
    def scope(self) -> str:
        """The scope that `dpip -6 route show` prints."""
        if self.kind != "net":
            return self.kind
        return "link" if self.via.any else "global"


def _bucket(route: Route6) -> int:
    buckets = 1 << route.length if route.length < 8 else 256
    words = [int.from_bytes(route.to.packed[at : at + 4], "little") for at in (0, 4, 8, 12)]
    return jhash_words(words, 0) % buckets


class Route6Table:
    """The IPv6 routes of one DPVS."""

    def __init__(self) -> None:
        self._routes: list[Route6] = []

    def listed(self, device: Device | None = None) -> Iterator[Route6]:
        """All routes in the order of `dpip -6 route show`."""
        chosen = (route for route in self._routes if device is None or route.device is device)
        return iter(sorted(chosen, key=lambda route: (-route.length, _bucket(route))))

    def _find(self, to: Ip, length: int, device: Device) -> Route6 | None:
        for route in self._routes:
            if route.to == to and route.length == length and route.device is device:
                return route
        return None

    def add(self, route: Route6) -> None:
        """Add a route.

        :raises errors.Refused: EXIST
        """
        route.to = network(route.to, route.length)
        if self._find(route.to, route.length, route.device) is not None:
            raise errors.Refused(errors.EXIST)
        self._routes.append(route)

    def remove(self, to: Ip, length: int, device: Device) -> None:
        """Delete a route.

        :raises errors.Refused: NOTEXIST
        """
        found = self._find(network(to, length), length, device)
        if found is None:
            raise errors.Refused(errors.NOTEXIST)
        self._routes.remove(found)

    def flush(self, device: Device) -> None:
        """Delete every route of a device."""
        self._routes = [route for route in self._routes if route.device is not device]

    def local(self, ip: Ip, device: Device | None = None) -> Route6 | None:
        """The host route for an address of our own."""
        for route in self._routes:
            if route.kind != "net" and route.to == ip and (device is None or route.device is device):
                return route
        return None

    def output(self, ip: Ip) -> Route6 | None:
        """The way out to an address: the longest prefix that holds it."""
        for route in self.listed():
            if network(ip, route.length) == route.to:
                return route
        return None
