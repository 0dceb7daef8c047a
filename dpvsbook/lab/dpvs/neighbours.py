"""Who is where on the link: what `dpip neigh show` prints."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from dpvsbook.lab.dpvs.devices import Device
from dpvsbook.lab.dpvs.ip import Ip


@dataclass(slots=True)
class Neighbour:
    """One neighbour on one device, as the worker knows it."""

    ip: Ip
    mac: str
    device: Device
    static: bool = False
    state: str = "REACHABLE"


class NeighbourTable:
    """The neighbours of one DPVS, in hash order by the last byte of the address."""

    def __init__(self) -> None:
        self._entries: dict[tuple[str, Ip], Neighbour] = {}

    def listed(self, device: Device | None = None) -> Iterator[Neighbour]:
        """The neighbours in the order of `dpip neigh show`."""
        chosen = (n for n in self._entries.values() if device is None or n.device is device)
        return iter(sorted(chosen, key=lambda n: n.ip.fold & 0xFF))

    def learn(self, ip: Ip, mac: str, device: Device) -> None:
        """A neighbour answered. A static entry stays."""
        known = self._entries.get((device.name, ip))
        if known is None or not known.static:
            self._entries[(device.name, ip)] = Neighbour(ip, mac.lower(), device)

    def fix(self, ip: Ip, mac: str, device: Device) -> None:
        """`dpip neigh add`: an entry that stays."""
        self._entries[(device.name, ip)] = Neighbour(ip, mac.lower(), device, static=True)

    def forget(self, ip: Ip, device: Device) -> None:
        """Delete an entry, if there is one."""
        self._entries.pop((device.name, ip), None)

    def mac_of(self, ip: Ip, device: Device) -> str | None:
        """The MAC of a neighbour, None if not known."""
        entry = self._entries.get((device.name, ip))
        return entry.mac if entry else None
