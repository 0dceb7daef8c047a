"""The addresses DPVS owns, on its master and on its worker, in the order in which it lists them.

All addresses sit in 256 hash buckets, newest first in each: that is the order of `dpip addr show`. With `dev` the order is newest first.
The worker keeps its own copy, and only there a LIP has its pool of source ports: when the pool doesn't fit into the huge pages the worker
has no such address at all, and the master neither knows nor says so (transcript 12).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from dpvsbook.lab.dpvs import errors
from dpvsbook.lab.dpvs.devices import Device
from dpvsbook.lab.dpvs.ip import Ip
from dpvsbook.lab.dpvs.pools import Hugepages, SaPool

_BUCKETS = 256
_MIX = 0x61C88647


def bucket(ip: Ip) -> int:
    """The hash bucket of an address: the top byte of the little-endian word times a constant."""
    word = int.from_bytes(ip.fold.to_bytes(4, "big"), "little")
    return ((word * _MIX) & 0xFFFFFFFF) >> 24


@dataclass(slots=True)
class Address:
    """One address on one device. `sapool` is what was asked for; whether there is a pool, `pool` on the worker's side says."""

    ip: Ip
    prefixlen: int
    device: Device
    scope: int = 0
    broadcast: Ip | None = None
    sapool: bool = False
    pool: SaPool | None = None
    on_worker: bool = True
    serial: int = 0

    @property
    def key(self) -> tuple[str, Ip, int]:
        """Device name, address and prefix length: what makes it one."""
        return (self.device.name, self.ip, self.prefixlen)


class AddressTable:
    """All addresses of one DPVS."""

    def __init__(self, hugepages: Hugepages) -> None:
        self._hugepages = hugepages
        self._entries: dict[tuple[str, Ip, int], Address] = {}
        self._by_ip: dict[Ip, list[Address]] = {}
        #: addresses that are gone, but whose ports are still in use by connections: added again, they come back with their pool
        self._expired: dict[tuple[str, Ip, int], Address] = {}
        self._serial = 0

    def __iter__(self) -> Iterator[Address]:
        return iter(self._entries.values())

    def __len__(self) -> int:
        return len(self._entries)

    def listed(self, device: Device | None = None) -> list[Address]:
        """The addresses in the order of `dpip addr show [dev DEVICE]`."""
        if device is not None:
            return sorted((a for a in self if a.device is device), key=lambda a: -a.serial)
        return sorted(self, key=lambda a: (bucket(a.ip), -a.serial))

    def worker_agrees(self, device: Device | None = None) -> bool:
        """Has the worker as many addresses as the master? If not, `dpip -s addr show` breaks."""
        return all(a.on_worker for a in self if device is None or a.device is device)

    def add(self, address: Address) -> Address:
        """Add an address.

        :raises errors.Refused: EXIST when the device has that address with that prefix length.
        """
        if address.key in self._entries:
            raise errors.Refused(errors.EXIST)
        returning = self._expired.pop(address.key, None)
        if returning is not None:
            address.pool = returning.pool
        elif address.sapool:
            if self._hugepages.take_pool():
                address.pool = SaPool()
            else:
                address.on_worker = False
        self._serial += 1
        address.serial = self._serial
        self._entries[address.key] = address
        self._by_ip.setdefault(address.ip, []).insert(0, address)
        return address

    def find(self, device: Device, ip: Ip, prefixlen: int) -> Address:
        """One address.

        :raises errors.Refused: NOTEXIST
        """
        entry = self._entries.get((device.name, ip, prefixlen))
        if entry is None:
            raise errors.Refused(errors.NOTEXIST)
        return entry

    def remove(self, entry: Address) -> None:
        """Take an address away. Its pool lives on while connections use it."""
        del self._entries[entry.key]
        same = self._by_ip[entry.ip]
        same.remove(entry)
        if not same:
            del self._by_ip[entry.ip]
        if entry.pool is not None:
            if entry.pool.used:
                self._expired[entry.key] = entry
            else:
                self._hugepages.give_pool()

    def owner(self, ip: Ip, device: Device | None = None) -> Address | None:
        """The worker's entry for an address (on a device), or None: who answers ARP for it, and whose pool a LIP uses."""
        for entry in self._by_ip.get(ip, ()):
            if entry.on_worker and (device is None or entry.device is device):
                return entry
        return None

    def port_returned(self, entry: Address) -> None:
        """A connection gave its port back: an address that is gone loses its pool with its last connection."""
        if entry.pool is not None and not entry.pool.used and self._expired.get(entry.key) is entry:
            del self._expired[entry.key]
            self._hugepages.give_pool()
