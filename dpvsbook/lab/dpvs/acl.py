"""Deny and allow lists of services. Kept by address, not by service: one for a service that isn't there is taken in silence."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

from dpvsbook.lab.dpvs import errors
from dpvsbook.lab.dpvs.ip import Ip


class Entry(NamedTuple):
    """One line of a list: for which service, and whom: an address, or an ipset by its name (the address is unspecified then)."""

    family: int
    protocol: int
    address: Ip
    port: int
    subject: Ip
    ipset: str = ""

    @property
    def service(self) -> tuple[int, int, Ip, int]:
        """What names the service."""
        return (self.family, self.protocol, self.address, self.port)


class AccessList:
    """One kind of list (deny, or allow) of all services."""

    def __init__(self, has_ipset: Callable[[str], bool], in_ipset: Callable[[str, Ip], bool]) -> None:
        self._entries: list[Entry] = []
        self._has_ipset = has_ipset
        self._in_ipset = in_ipset

    def __iter__(self) -> Iterator[Entry]:
        """Addresses first, then ipsets, newest first."""
        yield from (entry for entry in reversed(self._entries) if not entry.ipset)
        yield from (entry for entry in reversed(self._entries) if entry.ipset)

    def add(self, entry: Entry) -> None:
        """Add an entry; one that is there already is no error.

        :raises errors.Refused: INVAL when the ipset isn't there.
        """
        if self._same(entry) is not None:
            return
        if entry.ipset and not self._has_ipset(entry.ipset):
            raise errors.Refused(errors.INVAL)
        self._entries.append(entry)

    def remove(self, entry: Entry) -> None:
        """Delete an entry.

        :raises errors.Refused: NOTEXIST
        """
        same = self._same(entry)
        if same is None:
            raise errors.Refused(errors.NOTEXIST)
        self._entries.remove(same)

    def _same(self, entry: Entry) -> Entry | None:
        """The entry that DPVS takes for this one. It looks for the address first: any ipset is 0.0.0.0, if that is listed."""
        return next((one for one in (entry._replace(ipset=""), entry) if one in self._entries), None)

    def forget(self, service: tuple[int, int, Ip, int]) -> None:
        """A service is deleted: its entries go with it."""
        if self._entries:
            self._entries = [entry for entry in self._entries if entry.service != service]

    def uses(self, ipset: str) -> int:
        """How many entries refer to an ipset."""
        return sum(entry.ipset == ipset for entry in self._entries if entry.ipset)

    def holds(self, service: tuple[int, int, Ip, int], client: Ip) -> bool | None:
        """Is a client on the list of a service? None when that service has no list."""
        found: bool | None = None
        for entry in self._entries:
            if entry.service == service:
                if entry.subject == client if not entry.ipset else self._in_ipset(entry.ipset, client):
                    return True
                found = False
        return found
