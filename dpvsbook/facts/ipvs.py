"""What ipvs calls things: virtual services and endpoints, as keys that are equal exactly when DPVS means the same thing.

TCP  10.0.0.100:80            ServiceKey("tcp", "10.0.0.100", 80)         str: tcp 10.0.0.100:80
TCP  [2001:db8::1]:80         ServiceKey("tcp", "2001:db8::1", 80)        str: tcp [2001:db8::1]:80
MATCH tcp,from=A-B:0-0,oif=X  ServiceKey("match", "", 0, "proto=tcp,src-range=A-B:0-0,oif=X")
FWM  5 IPv6                   ServiceKey("fwm", "::", 5)                  str: fwm 5 IPv6
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from typing import Final, Literal, cast, get_args

Protocol = Literal["tcp", "udp", "sctp", "icmp", "icmpv6", "match", "fwm"]
Method = Literal["fnat", "dr", "tunnel", "nat", "snat"]

PROTOCOLS: Final = frozenset(get_args(Protocol))
SELECTOR: Final = {"tcp": "-t", "udp": "-u", "sctp": "--sctp-service", "icmp": "-q", "icmpv6": "-1"}
NUMBER: Final = {"icmp": 1, "tcp": 6, "udp": 17, "icmpv6": 58, "sctp": 132}
"""IP protocol numbers: ipvsadm sorts by them, and dpvs hashes with them."""

METHOD_OF_FLAG: Final[dict[str, Method]] = {"-b": "fnat", "-g": "dr", "-i": "tunnel", "-m": "nat", "-J": "snat"}
METHOD_OF_NAME: Final[dict[str, Method]] = {
    "FullNat": "fnat",
    "Route": "dr",
    "Local": "dr",
    "Tunnel": "tunnel",
    "Masq": "nat",
    "SNAT": "snat",
}
"""`Local` is what a DR real server would be called that is the director itself; `-S` writes both as `-g`."""

ANY_RANGE: Final = {"0.0.0.0-0.0.0.0:0-0": "ipv4", "[::-::]:0-0": "ipv6"}
_ENDPOINT = re.compile(r"([0-9.]+|\[([0-9a-fA-F:.]+)\]):(0|[1-9][0-9]*)", re.ASCII)
_PORTS = re.compile(r".*:[0-9]+-[0-9]+", re.ASCII)


def canonical(address: str) -> str:
    """An address as the rest of dpvsbook writes it. Only IPv6 with an IPv4 tail differs from what the tools print."""
    return str(ipaddress.IPv6Address(address)) if ":" in address and "." in address else address


def endpoint(address: str, port: int) -> str:
    """`10.0.0.100:80`, `[2001:db8::1]:80`."""
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"


def split_endpoint(text: str) -> tuple[str, int]:
    """`10.0.0.100:80` or `[2001:db8::1]:80` in two. Raises ValueError for anything else, a service name for the port included."""
    match = _ENDPOINT.fullmatch(text)
    if match is None:
        raise ValueError(f"{text!r} is not ADDRESS:PORT")
    return canonical(match[2] or match[1]), int(match[3])


@dataclass(frozen=True, slots=True, order=True)
class Endpoint:
    """A real server's address and port."""

    address: str
    port: int

    @classmethod
    def parse(cls, text: str) -> Endpoint:
        """The reverse of `str`. Raises ValueError."""
        return cls(*split_endpoint(text))

    def __str__(self) -> str:
        return endpoint(self.address, self.port)


@dataclass(frozen=True, slots=True, order=True)
class ServiceKey:
    """What tells one virtual service from another. See the module's table for the four forms."""

    protocol: Protocol
    address: str
    port: int
    match: str = ""

    @classmethod
    def parse(cls, text: str) -> ServiceKey:
        """The reverse of `str`. Raises ValueError."""
        protocol, _, rest = text.partition(" ")
        if protocol not in PROTOCOLS:
            raise ValueError(f"{text!r} is not a virtual service")
        if protocol == "match":
            return cls.from_match(rest)
        if protocol == "fwm":
            mark, _, family = rest.partition(" ")
            return cls("fwm", "::" if family == "IPv6" else "0.0.0.0", int(mark))  # noqa: S104 - the family, not a listening socket
        return cls(cast("Protocol", protocol), *split_endpoint(rest))

    @classmethod
    def from_match(cls, text: str) -> ServiceKey:
        """A match service from either notation: `-H` (`proto=tcp,src-range=…`) or the list's (`tcp,from=…`). Raises ValueError."""
        return cls("match", "", 0, canonical_match(text))

    @property
    def selector(self) -> tuple[str, ...]:
        """The arguments that name it to ipvsadm: ("-t", "10.0.0.100:80")."""
        if self.protocol == "match":
            return ("-H", self.match)
        if self.protocol == "fwm":
            return ("-f", str(self.port), "-6") if ":" in self.address else ("-f", str(self.port))
        return (SELECTOR[self.protocol], endpoint(self.address, self.port))

    def __str__(self) -> str:
        if self.protocol == "match":
            return f"match {self.match}"
        if self.protocol == "fwm":
            return f"fwm {self.port} IPv6" if ":" in self.address else f"fwm {self.port}"
        return f"{self.protocol} {endpoint(self.address, self.port)}"


def canonical_match(text: str) -> str:
    """One notation for a match, which `-H` takes: proto, ranges with ports, devices, in this order, without those that match anything.

    Without a range the family would be lost, so an IPv6 one then carries `af=ipv6`. Raises ValueError for an unknown part.
    """
    names = {
        "proto": "proto",
        "src-range": "src-range",
        "from": "src-range",
        "dst-range": "dst-range",
        "to": "dst-range",
        "iif": "iif",
        "oif": "oif",
        "af": "af",
    }
    parts: dict[str, str] = {}
    for i, part in enumerate(text.split(",")):
        name, is_pair, value = part.partition("=")
        if not is_pair and i == 0:
            name, value = "proto", part
        if name not in names or names[name] in parts:
            raise ValueError(f"{text!r} is not a match: {part!r}")
        parts[names[name]] = value
    if parts.get("proto") not in NUMBER:
        raise ValueError(f"{text!r} is not a match: no protocol")
    for name in ("src-range", "dst-range"):
        value = parts.pop(name, "")
        value = value if not value or _PORTS.fullmatch(value) else f"{value}:0-0"
        if value in ANY_RANGE:
            parts.setdefault("af", ANY_RANGE[value])
        elif value:
            parts[name] = value
    if "src-range" in parts or "dst-range" in parts or parts.get("af") == "ipv4":
        parts.pop("af", None)
    order = ("proto", "src-range", "dst-range", "iif", "oif", "af")
    return ",".join(f"{name}={parts[name]}" for name in order if parts.get(name))
