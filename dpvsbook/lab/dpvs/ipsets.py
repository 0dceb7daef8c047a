"""Sets of addresses (`dpip ipset`). Kinds that hold addresses or networks are here: hash:ip and hash:net."""

from __future__ import annotations

from dataclasses import dataclass, field

from dpvsbook.lab.dpvs import errors
from dpvsbook.lab.dpvs.ip import Ip, network

KINDS = ("hash:ip", "hash:net")
#: bytes of an empty set with 1,024 buckets, and of one member (transcript 09)
_EMPTY_BYTES = 16384
_MEMBER_BYTES = 152


@dataclass(slots=True)
class IpSet:
    """One set. Members are (address, prefix length)."""

    name: str
    kind: str
    family: int = 4
    comment: bool = False
    hashsize: int = 1024
    maxelem: int = 65535
    members: dict[tuple[Ip, int], str] = field(default_factory=dict)

    def size(self) -> int:
        """Bytes in memory."""
        return _EMPTY_BYTES * self.hashsize // 1024 + _MEMBER_BYTES * len(self.members)

    def has(self, ip: Ip) -> bool:
        """Is an address in it?"""
        return any(ip.family == member.family and network(ip, length) == network(member, length) for member, length in self.members)


class IpSets:
    """The sets of one DPVS."""

    def __init__(self) -> None:
        self._sets: dict[str, IpSet] = {}

    def listed(self) -> list[IpSet]:
        """All sets, oldest first."""
        return list(self._sets.values())

    def __contains__(self, name: str) -> bool:
        return name in self._sets

    def get(self, name: str) -> IpSet:
        """A set.

        :raises errors.Refused: NOTEXIST
        """
        if name not in self._sets:
            raise errors.Refused(errors.NOTEXIST)
        return self._sets[name]

    def create(self, new: IpSet) -> None:
        """Make a set.

        :raises errors.Refused: EXIST
        """
        if new.name in self._sets:
            raise errors.Refused(errors.EXIST)
        self._sets[new.name] = new

    def destroy(self, name: str) -> None:
        """Delete a set.

        :raises errors.Refused: NOTEXIST
        """
        self.get(name)
        del self._sets[name]

    def holds(self, name: str, ip: Ip) -> bool:
        """Is an address in a set? A set that isn't there holds nothing."""
        return name in self._sets and self._sets[name].has(ip)
