"""IP addresses as DPVS sees them: a family, the bytes, and the text that its tools print."""

from __future__ import annotations

import socket
from functools import lru_cache
from typing import NamedTuple


class Ip(NamedTuple):
    """An address. `family` is 4 or 6; `text` is canonical, so equal addresses are equal tuples."""

    family: int
    packed: bytes
    text: str

    @property
    def any(self) -> bool:
        """Is it 0.0.0.0 or ::"""
        return not any(self.packed)

    @property
    def number(self) -> int:
        """The address as an unsigned integer, most significant byte first."""
        return int.from_bytes(self.packed, "big")

    @property
    def fold(self) -> int:
        """32 bits: the v4 address itself, or the four words of a v6 address xored (big end first)."""
        if self.family == 4:
            return int.from_bytes(self.packed, "big")
        word = self.packed
        return (
            int.from_bytes(word[0:4], "big")
            ^ int.from_bytes(word[4:8], "big")
            ^ int.from_bytes(word[8:12], "big")
            ^ int.from_bytes(word[12:16], "big")
        )


@lru_cache(maxsize=65536)
def parse(text: str, family: int | None = None) -> Ip | None:
    """An address from its text, as strict as inet_pton; None if it is not one. `family` None tries 4, then 6."""
    if family in (None, 4):
        try:
            packed = socket.inet_pton(socket.AF_INET, text)
        except (OSError, ValueError):
            pass
        else:
            return Ip(4, packed, socket.inet_ntop(socket.AF_INET, packed))
    if family in (None, 6):
        try:
            packed = socket.inet_pton(socket.AF_INET6, text)
        except (OSError, ValueError):
            return None
        return Ip(6, packed, socket.inet_ntop(socket.AF_INET6, packed))
    return None


@lru_cache(maxsize=65536)
def parse_loose(text: str) -> Ip | None:
    """A v4 address as loose as inet_aton (`10.1` is 10.0.0.1), which is what ipvsadm takes."""
    try:
        packed = socket.inet_aton(text)
    except (OSError, ValueError):
        return None
    return Ip(4, packed, socket.inet_ntop(socket.AF_INET, packed))


def of(text: str) -> Ip:
    """An address from text that is known to be one."""
    ip = parse(text)
    if ip is None:
        raise ValueError(f"not an IP address: {text!r}")
    return ip


def from_bytes(packed: bytes) -> Ip:
    """An address from 4 or 16 bytes."""
    family = 4 if len(packed) == 4 else 6
    return Ip(family, packed, socket.inet_ntop(socket.AF_INET if family == 4 else socket.AF_INET6, packed))


def network(ip: Ip, prefixlen: int) -> Ip:
    """The address with all bits behind the prefix cleared."""
    bits = len(ip.packed) * 8
    mask = ((1 << prefixlen) - 1) << (bits - prefixlen)
    return from_bytes((ip.number & mask).to_bytes(len(ip.packed), "big"))


ANY4 = of("0.0.0.0")  # noqa: S104  (the unspecified address as a value, nothing binds to it)
ANY6 = of("::")


def atoi(text: str) -> int:
    """C's atoi: the number a string begins with, 0 if none, cut to 32 bits; the tools read prefix lengths and MTUs with it."""
    stripped = text.lstrip(" \t\n\v\f\r")
    end = 1 if stripped[:1] in ("+", "-") else 0
    while end < len(stripped) and stripped[end] in "0123456789":
        end += 1
    try:
        number = int(stripped[:end])
    except ValueError:
        return 0
    return signed(max(-(2**63), min(number, 2**63 - 1)), 32)


def signed(number: int, bits: int) -> int:
    """What a signed C integer of so many bits holds after `number` was put into it."""
    number &= (1 << bits) - 1
    return number - (1 << bits) if number >> (bits - 1) else number
