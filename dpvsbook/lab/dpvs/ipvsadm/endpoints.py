"""Reading what ipvsadm takes for services, real servers, matches, masks and socket pairs."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import NamedTuple

from dpvsbook.lab.dpvs import ip as ips
from dpvsbook.lab.dpvs.ip import Ip, atoi
from dpvsbook.lab.dpvs.ipvsadm.names import port_of
from dpvsbook.lab.dpvs.services import PROTOCOLS, Match, Range


class Endpoint(NamedTuple):
    """An address and a port; `port` None when none was written."""

    address: Ip
    port: int | None


def number(text: str, low: int, high: int) -> int | None:
    """A decimal number in a range, None if it is not one (C's strtol: leading blanks and a sign are taken)."""
    if not re.fullmatch(r"[ \t\n\v\f\r]*[+-]?[0-9]+", text):
        return None
    value = int(text)
    return value if low <= value <= high else None


@lru_cache(maxsize=4096)
def _numeric(text: str) -> Endpoint | None:
    """The usual case, `10.0.0.100:80`, quickly."""
    host, colon, port = text.rpartition(":")
    if not colon or not port.isdecimal() or "[" in text:
        return None
    address = ips.parse(host, 4)
    value = number(port, 0, 65535)
    return Endpoint(address, value) if address is not None and value is not None else None


def service(text: str, protocol: int, names: Mapping[str, str]) -> Endpoint | None:
    """`host[:port]`, `[v6]:port` or a bare v6 address; None if it is none of them. `names` resolves host names."""
    quick = _numeric(text)
    if quick is not None:
        return quick
    if not text or text.isdecimal():
        return None
    port: str | None = None
    if text[0] == "[":
        host, bracket, port = text[1:].partition("]")
        if not bracket or not port.startswith(":"):
            return None
        port = port[1:]
    else:
        host = text
    address = ips.parse(host, 6)
    if address is None:
        head, colon, tail = host.rpartition(":")
        if colon:
            host, port = head, tail
        else:
            port = None
        address = ips.parse_loose(host) or (ips.parse(names[host], 4) if host in names else None)
    if address is None:
        return None
    if port is None:
        return Endpoint(address, None)
    value = number(port, 0, 65535)
    if value is None:
        value = port_of(port, protocol)
    return None if value is None else Endpoint(address, value)


def netmask(text: str, names: Mapping[str, str]) -> int | None:
    """A v4 netmask as a number."""
    address = ips.parse_loose(text) or (ips.parse(names[text], 4) if text in names else None)
    return address.number if address else None


def _range(text: str) -> tuple[Range, int] | None:
    """`IP1[-IP2][:PORT1[-PORT2]]`, with brackets around v6 addresses when ports follow; None keeps what was before."""
    if not text:
        return None
    addresses, ports = text, ""
    if text[0] == "[":
        addresses, bracket, ports = text[1:].rpartition("]")
        if not bracket or not ports.startswith(":"):
            return None
        ports = ports[1:]
    elif text.count(":") == 1:
        addresses, _, ports = text.partition(":")
    first, dash, second = addresses.rpartition("-") if "-" in addresses else (addresses, "", "")
    low_port, _, high_port = ports.rpartition("-") if "-" in ports else (ports, "", "")
    family = 6 if first and ips.parse(first, 6) is not None else 4
    bounds = []
    for bound in (first, second if dash and second else first):
        address = ips.parse(bound, family) if bound else (ips.ANY4 if family == 4 else ips.ANY6)
        if address is None:
            return Range(), 0
        bounds.append(address.packed if any(address.packed) else b"")  # all zero is as if it weren't given
    low = atoi(low_port) & 0xFFFF if low_port else 0
    return Range(bounds[0], bounds[1], low, atoi(high_port) & 0xFFFF if high_port else low), family


def match(text: str) -> tuple[int, int, Match] | None:
    """`proto=tcp,src-range=…,dst-range=…,iif=…,oif=…,af=…` as (family, protocol, match); None if it is not one.

    A range that can't be read is no error by itself: it stays empty.
    """
    family = protocol = 0
    found = Match()
    ranged = afed = False
    for argument in text.split(","):
        if not argument:
            continue
        key, _, value = argument.partition("=")
        if not key:
            return None
        if key == "proto":
            if value not in PROTOCOLS:
                return None
            protocol = PROTOCOLS[value]
        elif key == "af":
            if value not in ("ipv4", "ipv6"):
                return None
            afed, family = True, 4 if value == "ipv4" else 6
        elif key in ("src-range", "dst-range"):
            ranged = True
            parsed = _range(value)
            side = found.source if key == "src-range" else found.destination
            limits, of = parsed if parsed is not None else (side, found.family)
            found = found._replace(family=of)
            found = found._replace(source=limits) if key == "src-range" else found._replace(destination=limits)
            family = family or of
        elif key == "iif":
            found = found._replace(iif=value[:15])
        elif key == "oif":
            found = found._replace(oif=value[:15])
        else:
            return None
    if not ranged and not afed:
        return None
    return family, protocol, found


def range_text(family: int, limits: Range) -> str:
    """A range as ipvsadm prints it."""
    width = 16 if family == 6 else 4
    low = ips.from_bytes(limits.low or bytes(width)).text
    high = ips.from_bytes(limits.high or bytes(width)).text
    addresses = f"[{low}-{high}]" if family == 6 else f"{low}-{high}"
    return f"{addresses}:{limits.low_port}-{limits.high_port}"


def sockpair(text: str) -> tuple[int, Ip, int, Ip, int] | None:
    """`PROTO:SIP:SPORT:TIP:TPORT`, v6 addresses in brackets: (protocol, client, port, VIP, port)."""
    host = r"\[([^\]]*)\]" if "[" in text else r"([^:]*)"
    parts = re.fullmatch(rf"(tcp|udp|sctp)[^:]*:{host}:([^:]*):{host}:(.*)", text)
    if parts is None:
        return None
    family = 6 if "[" in text else 4
    source, target = ips.parse(parts[2], family), ips.parse(parts[4], family)
    source_port, target_port = number(parts[3], 0, 65535), number(parts[5], 0, 65535)
    if source is None or target is None or source_port is None or target_port is None:
        return None
    return PROTOCOLS[parts[1]], source, source_port, target, target_port
