"""Rules about services: what DPVS takes without a word and then does not do, and what it refuses. Sources are named where there are any."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator

from dpvsbook.params.matches import match_problems
from dpvsbook.params.model import Director, Params
from dpvsbook.params.places import family, outside, own_networks, twice, unknown
from dpvsbook.params.services import RealServer, Service
from dpvsbook.params.tree import Path, Problem
from dpvsbook.params.types import ip, net

UDP_ONLY = ("ops", "quic")


def kinds(params: Params) -> Iterator[Problem]:
    """A service has a VIP, a port and real servers; a SNAT service has a match and WAN addresses."""
    for i, service in enumerate(params.services):
        at: Path = ("services", i)
        method = params.method_of(service)
        if (service.match is not None) != (method == "snat"):
            which = "must be there for method snat" if method == "snat" else f"must not be there for method {method}: only snat matches"
            yield Problem((*at, "match"), which, absence=method == "snat")
            continue
        if method == "snat":
            yield from (
                Problem((*at, part), "must not be there in a match service")
                for part in ("vip", "port", "real_servers", "lips")
                if getattr(service, part)
            )
            yield from match_problems(params, service, at)
            continue
        yield from (Problem((*at, part), "must be there", absence=True) for part in ("vip", "port") if getattr(service, part) is None)
        if not service.real_servers:
            yield Problem((*at, "real_servers"), "must have one at least", absence=True)
        if service.wan:
            yield Problem((*at, "wan"), "must not be there: only method snat sends from WAN addresses")
        if service.protocol in ("icmp", "icmpv6"):
            yield Problem((*at, "protocol"), "must be tcp, udp or sctp: only match services have icmp")


def directors(params: Params) -> Iterator[Problem]:
    """A service's directors are there, and are in its network; two services don't want the same key on one director."""
    known = [d.name for d in params.directors]
    keys: dict[tuple[str, object], Path] = {}
    for i, service in enumerate(params.services):
        at: Path = ("services", i)
        if service.directors is not None:
            listed: list[tuple[Path, object]] = [((*at, "directors", j), name) for j, name in enumerate(service.directors)]
            for path, name in listed:
                yield from unknown(path, "a director", str(name), known)
            yield from twice(listed, "must be named once")
            if not service.directors:
                yield Problem((*at, "directors"), "must name one at least; leave it out for all of them")
        for director in params.directors_of(service):
            if service.network in params.networks and not any(d.network == service.network for d in director.devices):
                yield Problem((*at, "network"), f"must be a network that {director.name} has a device in", absence=True)
            key = (director.name, (service.protocol, service.vip, service.port, service.match))
            first = keys.setdefault(key, at)
            if first != at and (service.vip or service.match):
                what = f"{service.protocol} {service.vip} port {service.port}" if service.vip else service.match
                yield Problem((*at, "name"), f"must be the only service for {what}; services[{first[1]}] is one too")
                break


def real_servers(params: Params) -> Iterator[Problem]:
    """One address each, of a family that the method can do, that the directors can reach, and nobody's VIP or LIP."""
    hosts = {host.name: host for host in reversed(params.hosts)}  # of two with one name, the first: it is what `params.host` gives
    vips = {service.vip for service in params.services if service.vip}
    lips = {lip.address for director in params.directors for lip in director.lips}
    for i, service in enumerate(params.services):
        endpoints: list[tuple[Path, object]] = []
        families: dict[int, None] = {}
        for j, rs in enumerate(service.real_servers):
            at: Path = ("services", i, "real_servers", j)
            if rs.lower > rs.upper:
                yield Problem((*at, "lower"), f"must be at most upper ({rs.upper})")
            if (rs.host is None) == (rs.address is None):
                yield Problem(at, "must have exactly one of host and address", absence=rs.host is None)
                continue
            if rs.host is not None and rs.host not in hosts:
                yield from unknown((*at, "host"), "a host", rs.host, hosts)
                continue
            if rs.host is not None and not params.addresses_for(service, hosts[rs.host]):
                yield Problem((*at, "host"), f"must have an address; {rs.host} has none", absence=True)
                continue
            address = params.service_address(service, rs)
            where: Path = (*at, "host" if rs.host else "address")
            endpoints.append((where, f"{address} port {rs.port}"))
            families[family(address)] = None
            if address in vips or address in lips:
                yield Problem(where, f"must not be a {'VIP' if address in vips else 'LIP'}; {address} is one")
            yield from _method(params, service, rs, address, at)
            for director in params.directors_of(service):
                yield from _reach(params, service, director, address, where)
        yield from twice(endpoints, "must be there once; {first} is {value} too")
        if len(families) > 1:
            yield Problem(("services", i, "real_servers"), "must all be IPv4 or all be IPv6")


def _method(params: Params, service: Service, rs: RealServer, address: str, at: Path) -> Iterator[Problem]:
    method = params.method_of(service)
    if method in ("dr", "tunnel") and service.port is not None and rs.port != service.port:
        yield Problem((*at, "port"), f"must be the service's, {service.port}: method {method} leaves the packet as it is")
    if service.vip and family(service.vip) != family(address):
        if family(service.vip) == 4:
            yield Problem(at, f"must be IPv4, as the VIP is: DPVS has no NAT46; {address} is IPv6")
        elif method != "fnat":
            yield Problem(at, f"must be IPv6, as the VIP is: only FULLNAT does NAT64; {address} is IPv4")


def _reach(params: Params, service: Service, director: Director, address: str, at: Path) -> Iterator[Problem]:
    method, found = params.method_of(service), ip(address)
    links = [(device, n) for device, n in own_networks(params, director) if n.version == found.version]
    near = [(device, n) for device, n in links if found in n]
    if near:
        if said := outside(address, [n for _, n in near]):
            yield Problem(at, said)
        if method in ("dr", "tunnel") and not any(family(c) == found.version for device, _ in near for c in device.addresses):
            # the real server has the VIP too and doesn't answer it (F35); an IPIP header needs a source (F36)
            yield Problem(
                at,
                f"must be asked from an address of {director.name}'s own: its device needs `addresses` for method {method}",
                absence=True,
            )
        return
    if method == "dr":
        yield Problem(at, f"must be on a link of {director.name} for method dr; {address} is not", absence=True)
        return
    ways = [r for r in director.routes if r.to != "default" and net(r.to).version == found.version and found in net(r.to)]
    ways += [r for r in director.routes if r.to == "default" and family(r.via or "") == found.version]
    gateways = [g for d in director.devices if d.network in params.networks and (g := params.networks[d.network].gateway)]
    if not ways and not any(family(gateway) == found.version for gateway in gateways):
        yield Problem(at, f"must be in a network of {director.name}, or behind one of its routes; {address} is neither", absence=True)
    elif method == "tunnel" and not any(way.src for way in ways):
        yield Problem(at, f"must be behind a route of {director.name} with src: an IPIP header needs a source", absence=True)


def local_addresses(params: Params) -> Iterator[Problem]:
    """FULLNAT without a LIP of the real servers' family answers nobody."""
    named = {host.name: host for host in reversed(params.hosts)}
    hosts = {name for name, host in named.items() if any(x.addresses for x in host.interfaces)}
    for i, service in enumerate(params.services):
        at: Path = ("services", i)
        method = params.method_of(service)
        if service.lips is not None:
            if method not in ("fnat", "snat"):
                yield Problem((*at, "lips"), f"must not be there for method {method}: only FULLNAT uses local addresses")
                continue
            listed: list[tuple[Path, object]] = [((*at, "lips", j), lip) for j, lip in enumerate(service.lips)]
            there = [lip.address for director in params.directors_of(service) for lip in director.lips]
            for path, lip in listed:
                yield from unknown(path, "a LIP of this service's directors", str(lip), there)
            yield from twice(listed, "must be named once")
        resolved = all(rs.address or rs.host in hosts for rs in service.real_servers)
        if method != "fnat" or not service.real_servers or not resolved:
            continue
        wanted = {family(params.service_address(service, rs)) for rs in service.real_servers}
        for director in params.directors_of(service):
            has = {family(lip.address) for lip in params.desired_lips(director, service)}
            for version in sorted(wanted - has):
                where = f"IPv{version} LIP"
                yield Problem(
                    (*at, "lips") if service.lips is not None else at,
                    f"must have an {where} on {director.name}: FULLNAT sends from it",
                    absence=True,
                )


def options(params: Params) -> Iterator[Problem]:
    """Options that go with one protocol, method or scheduler, and that DPVS refuses or ignores elsewhere."""
    for i, service in enumerate(params.services):
        at: Path = ("services", i)
        method = params.method_of(service)
        for name in UDP_ONLY:
            if getattr(service, name) and service.protocol != "udp":
                yield Problem((*at, name), f"must be off for {service.protocol}: it is for udp only")
        if service.synproxy and (service.protocol != "tcp" or method in ("dr", "tunnel")):
            yield Problem((*at, "synproxy"), "must be off: it is for tcp, and not for methods dr and tunnel, where answers pass DPVS by")
        if service.hash_target and service.scheduler != "conhash":
            yield Problem((*at, "hash_target"), f"must not be there with scheduler {service.scheduler}: only conhash has one")
        if service.hash_target == "qid" and not (service.protocol == "udp" and service.quic):
            yield Problem((*at, "hash_target"), "must be sip; qid is for udp services with quic")
        if service.netmask is not None:
            yield from _netmask(service, (*at, "netmask"))
        entries: list[tuple[Path, object]] = [((*at, "deny", j), entry) for j, entry in enumerate(service.deny)]
        entries += [((*at, "allow", j), entry) for j, entry in enumerate(service.allow)]
        yield from twice(entries, "must be in one of deny and allow, once")


def _netmask(service: Service, at: Path) -> Iterator[Problem]:
    mask = service.netmask or ""
    if service.persistent is None:
        yield Problem(at, "must not be there without persistent", absence=True)
    if service.vip and family(service.vip) == 6:
        if not (mask.isascii() and mask.isdigit() and len(mask) <= 3 and 1 <= int(mask) <= 128):
            yield Problem(at, 'must be a prefix length in quotes, "1" to "128", as the VIP is IPv6')
        return
    try:
        sound = (
            mask.count(".") == 3 and ipaddress.ip_network(f"0.0.0.0/{mask}").netmask == ipaddress.IPv4Address(mask) and mask != "0.0.0.0"  # noqa: S104
        )
    except ValueError:
        sound = False
    if not sound:
        yield Problem(at, "must be a mask such as 255.255.255.0")


def checks(params: Params) -> Iterator[Problem]:
    """Requests come from a client host, and go to a TCP service."""
    wanted = [name for name in ("http", "load") if getattr(params.checks, name) is not None]
    if not wanted:
        return
    clients = [host.name for host in params.clients]
    http = params.checks.http
    if http is not None and http.client is not None:
        yield from unknown(("checks", "http", "client"), "a host of role client", http.client, clients)
    elif not clients:
        yield Problem(("checks", wanted[0]), "must have a host to send from: there is none of role client", absence=True)
    if not any(service.protocol == "tcp" and service.vip for service in params.services):
        yield Problem(("checks", wanted[0]), "must have a tcp service to send to", absence=True)


RULES = (kinds, directors, real_servers, local_addresses, options, checks)
