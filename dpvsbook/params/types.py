"""The kinds of text in a params file: each is checked where it is read, and kept in the one canonical way to write it.

Everything here may end up in a command, a file name or a configuration file, so nothing that a shell or a tool could misread gets in.
Messages are rules ("must be …"). Those about secrets never show what was written.
"""

from __future__ import annotations

import ipaddress
import re
from functools import lru_cache
from typing import Annotated, Final, Literal

from pydantic import AfterValidator, Field, WithJsonSchema

IP = ipaddress.IPv4Address | ipaddress.IPv6Address
Net = ipaddress.IPv4Network | ipaddress.IPv6Network

Scheduler = Literal["rr", "wrr", "wlc", "conhash", "mh", "fo"]
Method = Literal["fnat", "dr", "tunnel", "nat", "snat"]

SECRET_RULE: Final = "must be a reference, env:NAME or file:PATH: a secret itself is never written here"  # noqa: S105 - a rule about them
NAME: Final = r"^[A-Za-z0-9][A-Za-z0-9._-]*$"
_DEST_CHECK = r"default|disable|tcp|udp|sctp|ping|\d{1,5},\d{1,5}s|\d{1,5},\d{1,5},\d{1,5}s,\d{1,5}-\d{1,5}s"


_THIS_NETWORK, _RESERVED = ipaddress.IPv4Network("0.0.0.0/8"), ipaddress.IPv4Network("240.0.0.0/4")
_BROADCAST = ipaddress.IPv4Address("255.255.255.255")


@lru_cache(maxsize=4096)
def ip(text: str) -> IP:
    """An address; ValueError. A cluster of 1,000 services names the same few over and over."""
    return ipaddress.ip_address(text)


@lru_cache(maxsize=4096)
def net(text: str) -> Net:
    """A network; ValueError."""
    return ipaddress.ip_network(text)


def address(text: str) -> str:
    """An address without a mask or a zone, as DPVS prints it: "2001:DB8:0::1" -> "2001:db8::1"."""
    if "/" in text:
        raise ValueError(f"must be an address without a mask, as {text.partition('/')[0]!r}")
    if "%" in text:
        raise ValueError("must be an address without a zone (%…)")
    try:
        return str(ip(text))
    except ValueError:
        raise ValueError(f"must be an IPv4 or IPv6 address; {text[:60]!r} is none") from None


def host_address(text: str) -> str:
    """An address that a host can have: no network, broadcast, multicast or unspecified one (as far as it shows without a mask)."""
    found = address(text)
    said = special(ip(found))
    if said:
        raise ValueError(f"must be the address of a host; {found} is {said}")
    return found


def special(found: IP) -> str:
    """What an address is that no host can have; "" for the others."""
    if found.is_unspecified or found in _THIS_NETWORK:
        return "unspecified"
    if found.is_multicast:
        return "multicast"
    if found.is_loopback:
        return "loopback"
    if found in _RESERVED:
        return "the broadcast address" if found == _BROADCAST else "reserved"
    return ""


def interface_address(text: str) -> str:
    """A host's address with its prefix length: "192.168.100.2/24"."""
    if "/" not in text:
        raise ValueError("must be an address with its prefix length, such as 192.168.100.2/24")
    plain, _, length = text.partition("/")
    found = host_address(plain)
    try:
        interface = ipaddress.ip_interface(f"{found}/{int(length)}" if length.isascii() and length.isdigit() else "")
    except ValueError:
        longest = ipaddress.ip_address(found).max_prefixlen
        raise ValueError(f"must end in a prefix length of 0 to {longest}") from None
    said = edge(interface.ip, interface.network)
    if said:
        raise ValueError(f"must be the address of a host; {found} is {said} of {interface.network}")
    return str(interface)


def edge(ip: IP, network: Net) -> str:
    """Whether an address is the network's own or its broadcast address. /31, /32 and IPv6 have none (RFC 3021)."""
    if ip.version == 4 and network.version == 4 and network.prefixlen < 31:
        if ip == network.network_address:
            return "the network address"
        if ip == network.broadcast_address:
            return "the broadcast address"
    return ""


def subnet(text: str) -> str:
    """A network without host bits. DPVS keeps "10.2.3.4/16" as it was written, and two such routes don't meet: the mask is insisted on."""
    plain, slash, length = text.partition("/")
    if not slash or not length.isascii() or not length.isdigit():
        raise ValueError("must be a network with its prefix length, such as 10.0.0.0/16")
    base = address(plain)
    try:
        whole = ipaddress.ip_network(f"{base}/{int(length)}", strict=False)
    except ValueError:
        raise ValueError(f"must end in a prefix length of 0 to {ipaddress.ip_address(base).max_prefixlen}") from None
    if str(whole.network_address) != base:
        raise ValueError(f"must be a network without host bits: {whole}, not {base}/{int(length)}")
    return str(whole)


def destination(text: str) -> str:
    """Where a route goes: a network, an address (taken as a network of one), or "default"."""
    if text == "default":
        return text
    if "/" not in text:
        found = ipaddress.ip_address(address(text))
        return f"{found}/{found.max_prefixlen}"
    return subnet(text)


def secret(text: str) -> str:
    """`env:NAME` or `file:PATH`. The message holds nothing of what was written, which may well be the secret."""
    if not re.fullmatch(r"env:[A-Za-z_][A-Za-z0-9_]*|file:[^\x00-\x1f\x7f]+", text):
        raise ValueError(SECRET_RULE)
    return text


def plain(text: str) -> str:
    """A word for a command line: no blanks, no control characters, and no "-" in front, which would make it an option."""
    if not text or text.startswith("-") or not text.isprintable() or any(c.isspace() for c in text):
        raise ValueError("must be one word without blanks or control characters, not empty, and not beginning with -")
    return text


def argument(text: str) -> str:
    """A word for a command line that may be an option."""
    if not text or not text.isprintable() or any(c.isspace() for c in text):
        raise ValueError("must be one word without blanks or control characters, and not empty")
    return text


def absolute(text: str) -> str:
    """A path on a host."""
    if not plain(text).startswith("/"):
        raise ValueError("must be an absolute path without blanks")
    return text


def local_file(text: str) -> str:
    """A path on this machine, which may have blanks."""
    if not text or not text.isprintable():
        raise ValueError("must be a path without control characters")
    return text


def url_path(text: str) -> str:
    """The path and query of a URL."""
    if not text.startswith("/") or not text.isascii() or not text.isprintable() or " " in text:
        raise ValueError("must begin with / and have no blanks; write other characters as %XX")
    return text


def interface_name(text: str) -> str:
    """A device or interface: the kernel and DPVS keep 15 characters."""
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,14}", text):
        raise ValueError("must be 1 to 15 letters, digits, '.', '_' and '-', beginning with a letter or a digit")
    return text


def name(text: str) -> str:
    """What becomes part of file names, shell words and namespaces."""
    if len(text) > 63 or not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", text):
        raise ValueError("must be 1 to 63 letters, digits, '.', '_' and '-', beginning with a letter or a digit")
    return text


def dest_check(text: str) -> str:
    """One or more of ipvsadm's --dest-check values, a blank between them."""
    words = text.split()
    if not words or not all(re.fullmatch(_DEST_CHECK, word) for word in words):
        raise ValueError("must be default, disable, tcp, udp, sctp, ping, DOWN,WAITs or DOWN,UP,WAITs,MIN-MAXs (several: a blank between)")
    return " ".join(words)


def access_entry(text: str) -> str:
    """An entry of a deny or allow list: an address, or a set of dpip's."""
    if text.startswith("ipset:"):
        return f"ipset:{name(text.removeprefix('ipset:'))}"
    return address(text)


def pci(text: str) -> str:
    """A PCI address."""
    if not re.fullmatch(r"(?:[0-9a-fA-F]{4}:)?[0-9a-fA-F]{2}:[01][0-9a-fA-F]\.[0-7]", text):
        raise ValueError('must be a PCI address in quotes, such as "0000:06:00.0"')
    return text.lower()


def area(text: str) -> str:
    """An OSPF area, dotted."""
    try:
        return str(ipaddress.IPv4Address(text))
    except ValueError:
        raise ValueError("must be an area in dotted form, such as 0.0.0.0") from None


def router_id(text: str) -> str:
    """An OSPF router id: dotted, and not 0.0.0.0."""
    try:
        found = ipaddress.IPv4Address(text)
    except ValueError:
        found = ipaddress.IPv4Address(0)
    if not int(found):
        raise ValueError("must be a router id in dotted form, such as 172.16.0.2, and not 0.0.0.0")
    return str(found)


Address = Annotated[str, AfterValidator(address)]
HostAddress = Annotated[str, AfterValidator(host_address)]
InterfaceAddress = Annotated[str, AfterValidator(interface_address)]
Subnet = Annotated[str, AfterValidator(subnet)]
Destination = Annotated[str, AfterValidator(destination)]
SecretRef = Annotated[str, AfterValidator(secret), WithJsonSchema({"type": "string", "pattern": "^(env:[A-Za-z_][A-Za-z0-9_]*|file:.+)$"})]
Word = Annotated[str, AfterValidator(plain), WithJsonSchema({"type": "string", "pattern": r"^[^\s-]\S*$"})]
Argument = Annotated[str, AfterValidator(argument), WithJsonSchema({"type": "string", "pattern": r"^\S+$"})]
AbsolutePath = Annotated[str, AfterValidator(absolute), WithJsonSchema({"type": "string", "pattern": r"^/\S*$"})]
LocalFile = Annotated[str, AfterValidator(local_file)]
UrlPath = Annotated[str, AfterValidator(url_path), WithJsonSchema({"type": "string", "pattern": r"^/\S*$"})]
InterfaceName = Annotated[
    str, AfterValidator(interface_name), WithJsonSchema({"type": "string", "pattern": r"^[A-Za-z0-9][A-Za-z0-9._-]{0,14}$"})
]
Name = Annotated[str, AfterValidator(name), WithJsonSchema({"type": "string", "pattern": NAME, "maxLength": 63})]
DestCheck = Annotated[str, AfterValidator(dest_check)]
AccessEntry = Annotated[str, AfterValidator(access_entry)]
Pci = Annotated[str, AfterValidator(pci)]
Area = Annotated[str, AfterValidator(area)]
RouterId = Annotated[str, AfterValidator(router_id)]
Port = Annotated[int, Field(ge=1, le=65535)]
Mtu = Annotated[int, Field(ge=576, le=9000)]
Weight = Annotated[int, Field(ge=0, le=32767)]  # ipvsadm takes up to 65535, and what is above this reads back negative
Threshold = Annotated[int, Field(ge=0, le=4294967295)]
Seconds = Annotated[int, Field(ge=1, le=31535999)]
