"""What `ipvsadm -l` and `-S` print, column by column (transcripts 03, 05, 07, 08, 09)."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TypeVar

from dpvsbook.lab.dpvs import ip as ips
from dpvsbook.lab.dpvs.ip import Ip
from dpvsbook.lab.dpvs.ipvsadm.endpoints import range_text
from dpvsbook.lab.dpvs.ipvsadm.names import port_name
from dpvsbook.lab.dpvs.services import PROTOCOL_NAMES, SCTP, TCP, UDP, Dest, Service, Stats

T = TypeVar("T")

_SWITCHES = {"dr": "-g", "tunnel": "-i", "fnat": "-b", "nat": "-m", "snat": "-J"}
_NAMES = {"dr": "Route", "tunnel": "Tunnel", "fnat": "FullNat", "nat": "Masq", "snat": "SNAT"}
_SHORT = {TCP: "-t", UDP: "-u", SCTP: "--sctp-service"}
_LISTED = {"tcp": "TCP", "udp": "UDP", "sctp": "SCTP", "icmp": "ICMP", "icmpv6": "ICMPv6"}
_FULL_MASK = 0xFFFFFFFF

#: --NAME of a listing -> its title line
TITLES = {
    "stats": f"{'Prot LocalAddress:Port':<33} {'Conns':>8} {'InPkts':>8} {'OutPkts':>8} {'InBytes':>8} {'OutBytes':>8}",
    "rate": f"{'Prot LocalAddress:Port':<33} {'CPS':>8} {'InPPS':>8} {'OutPPS':>8} {'InBPS':>8} {'OutBPS':>8}",
    "thresholds": f"{'Prot LocalAddress:Port':<33} {'Uthreshold':<10} {'Lthreshold':<10} {'ActiveConn':<10} {'InActConn':<10}",
    "persistent-conn": f"{'Prot LocalAddress:Port':<33} {'Weight':<9} {'PersistConn':<11} {'ActiveConn':<10} {'InActConn':<10}",
}


def endpoint(address: Ip, port: int, protocol: int, numeric: bool) -> str:
    """`10.0.0.100:80`, `[2001::1]:80`, or with the port's name. Addresses are never resolved here: the lab has no reverse names."""
    name = str(port) if numeric else port_name(port, protocol)
    return f"{address.text}:{name}" if address.family == 4 else f"[{address.text}]:{name}"


def _compare_addresses(one: Ip, other: Ip) -> int:
    words = range(0, 16, 4) if one.family == 6 else range(0, 4, 4)
    mine, theirs = one.packed.ljust(16, b"\0"), other.packed.ljust(16, b"\0")
    for at in words:
        # as a C int holds it: 10.0.0.1 sorts behind 192.168.0.1
        difference = ips.signed(int.from_bytes(mine[at : at + 4], "big") - int.from_bytes(theirs[at : at + 4], "big"), 32)
        if difference:
            return difference
    return 0


def _compare_services(one: Service, other: Service) -> int:
    a, b = one.key, other.key
    first = ips.signed(a.fwmark - b.fwmark, 32) or (a.family - b.family) or (a.protocol - b.protocol)
    return first or _compare_addresses(a.address or ips.ANY4, b.address or ips.ANY4) or a.port - b.port


def _compare_dests(one: Dest, other: Dest) -> int:
    return _compare_addresses(one.address, other.address) or one.port - other.port


def sorted_services(services: Iterable[Service]) -> list[Service]:
    """The services as ipvsadm sorts them."""
    chosen = list(services)
    if all(service.key.family == 4 and service.key.address is not None for service in chosen):
        numbers = [service.key.address.number for service in chosen if service.key.address is not None]
        if not numbers or max(numbers) - min(numbers) < 1 << 31:  # nothing wraps: a plain key gives the same order, faster
            order = sorted(
                zip(chosen, numbers, strict=True), key=lambda pair: (pair[0].key.fwmark, pair[0].key.protocol, pair[1], pair[0].key.port)
            )
            return [service for service, _ in order]
    return _merged(chosen, _compare_services)


def _merged(items: list[T], compare: Callable[[T, T], int]) -> list[T]:
    """Merge sort by halves, as the C library's qsort does it: with differences that wrap around, the order is a matter of how."""
    if len(items) < 2:
        return items
    one, other = _merged(items[: len(items) // 2], compare), _merged(items[len(items) // 2 :], compare)
    found: list[T] = []
    at = behind = 0
    while at < len(one) and behind < len(other):
        if compare(one[at], other[behind]) <= 0:
            found.append(one[at])
            at += 1
        else:
            found.append(other[behind])
            behind += 1
    return found + one[at:] + other[behind:]


def _name(service: Service, numeric: bool, rule: bool) -> str:
    key = service.key
    if key.fwmark:
        mark = ips.signed(key.fwmark, 32)  # over 2^31 - 1 ipvsadm prints it negative, and doesn't take that back
        if rule:
            return f"-f {mark} -6" if key.family == 6 else f"-f {mark}"
        return f"FWM  {mark} IPv6" if key.family == 6 else f"FWM  {mark}"
    protocol = PROTOCOL_NAMES[key.protocol]
    if key.addressed and key.address is not None:
        where = endpoint(key.address, key.port, key.protocol, numeric)
        if rule:
            return f"{_SHORT.get(key.protocol, '-q')} {where}"
        name = f"{_LISTED[protocol]}  {where}"
        return name if key.family == 6 else name[:33]
    match = key.match
    source, destination = range_text(match.family, match.source), range_text(match.family, match.destination)
    if rule:
        return f"-H proto={protocol},src-range={source},dst-range={destination},iif={match.iif},oif={match.oif}"
    empty = ("[::-::]:0-0", "0.0.0.0-0.0.0.0:0-0")
    parts = [f"MATCH {protocol}"]
    parts += [f"from={source}"] if source not in empty else []
    parts += [f"to={destination}"] if destination not in empty else []
    parts += [f"iif={match.iif}"] if match.iif else []
    parts += [f"oif={match.oif}"] if match.oif else []
    return ",".join(parts)


def _mask(service: Service, word: str) -> str:
    netmask = service.settings.netmask
    if service.key.family == 4 and netmask != _FULL_MASK:
        return f" {word} {ips.from_bytes(netmask.to_bytes(4, 'big')).text}"
    if service.key.family == 6 and netmask != 128:
        return f" {word} {netmask}"
    return ""


def _options(service: Service) -> str:
    """The options of a service behind its scheduler, as `-ln` shows them."""
    settings = service.settings
    words = []
    if settings.sip_hash:
        words.append(" sip")
    if settings.qid_hash:
        words.append(" qid")
    if settings.persistent:
        words.append(f" persistent {settings.timeout}{_mask(service, 'mask')}")
    if settings.ops:
        words.append(" ops")
    if settings.synproxy:
        words.append(" synproxy")
    if settings.conn_timeout:
        words.append(f" conn-timeout {settings.conn_timeout}")
    if settings.proxy_protocol:
        words.append(f" pp{settings.proxy_protocol}")
    if settings.expire_quiescent:
        words.append(" expire-quiescent")
    if settings.quic and service.key.protocol == UDP:
        words.append(" quic")
    check = settings.check
    if check.kinds:
        words.append(" dest-check")
        if "passive" in check.kinds:
            words.append(" internal:")
            if check.is_default:
                words.append("default")
            elif check.down_only:
                words.append(f"{check.down},{check.wait}s")
            else:
                words.append(f"{check.down},{check.up},{check.wait}s,{check.inhibit_min}-{check.inhibit_max}s")
        external = [kind for kind in ("tcp", "udp", "sctp", "ping") if kind in check.kinds]
        if external:
            words.append(f" external:{','.join(external)}")
    return "".join(words)


def _large(number: int, exact: bool) -> str:
    if exact:
        return f" {number:>8}"
    if number < 100_000_000:
        return f"{number:>9}"
    for limit, divisor, unit in ((10**9, 10**3, "K"), (10**11, 10**6, "M"), (10**14, 10**9, "G")):
        if number < limit:
            return f"{number // divisor:>8}{unit}"
    return f"{number // 10**12:>8}T"


def _stats(stats: Iterable[Stats], exact: bool) -> str:
    conns = packets_in = packets_out = bytes_in = bytes_out = 0
    for one in stats:
        conns += one.conns
        packets_in += one.packets_in
        packets_out += one.packets_out
        bytes_in += one.bytes_in
        bytes_out += one.bytes_out
    return "".join(_large(number, exact) for number in (conns, packets_in, packets_out, bytes_in, bytes_out))


def print_service(service: Service, kind: str, numeric: bool, sort: bool, exact: bool, rule: bool) -> str:
    """A service and its real servers. `kind` is a key of TITLES or ""."""
    name = _name(service, numeric, rule)
    if rule:
        settings = service.settings
        persistence = f" -p {settings.timeout}{_mask(service, '-M')}" if settings.persistent else ""
        lines = [f"-A {name} -s {settings.scheduler}{persistence}{' --ops' if settings.ops else ''}\n"]
    elif kind == "stats":
        lines = [f"{name:<33}{_stats((dest.stats for dest in service.dests), exact)}\n"]
    elif kind == "rate":
        lines = [f"{name:<33}{_stats((), exact)}\n"]
    else:
        lines = [f"{name} {service.settings.scheduler}{_options(service)}\n"]
    dests = _merged(service.dests, _compare_dests) if sort and len(service.dests) > 1 else service.dests
    protocol, cut = service.key.protocol, not rule and service.key.family == 4
    for dest in dests:
        where = endpoint(dest.address, dest.port, protocol, numeric)
        if cut and len(where) > 28:
            where = where[:28]
        lines.append(f"-a {name} -r {where} {_SWITCHES[dest.method]} -w {dest.weight}\n" if rule else _line(dest, where, kind, exact))
    return "".join(lines)


def _line(dest: Dest, where: str, kind: str, exact: bool) -> str:
    if not kind:
        mark = " inhibited" if dest.inhibited else ""
        return f"  -> {where:<28} {_NAMES[dest.method]:<7} {dest.weight:<6d} {dest.active:<10d} {dest.inactive:<10d}{mark}\n"
    if kind == "stats":
        return f"  -> {where:<28}{_stats((dest.stats,), exact)}\n"
    if kind == "rate":
        return f"  -> {where:<28} {0:>8} {0:>8} {0:>8}{_large(0, exact)}{_large(0, exact)}\n"
    if kind == "thresholds":
        return f"  -> {where:<28} {dest.upper:<10} {dest.lower:<10} {dest.active:<10} {dest.inactive:<10}\n"
    return f"  -> {where:<28} {dest.weight:<9} {dest.persistent:<11} {dest.active:<10} {dest.inactive:<10}\n"
