"""Rules about networks, directors and hosts: names, references, addresses that are somebody else's, routes that can't be."""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import ip_interface

from dpvsbook.params.model import Director, Params
from dpvsbook.params.places import device, family, outside, own_networks, subnets, twice, unknown, written
from dpvsbook.params.tree import Path, Problem
from dpvsbook.params.types import Net, ip, net

KNI_LENGTH = 15


def names(params: Params) -> Iterator[Problem]:
    """Hosts and directors share their names' space: logs and locks are named by them."""
    hosts: list[tuple[Path, object]] = [(("directors", i, "name"), d.name) for i, d in enumerate(params.directors)]
    hosts += [(("hosts", i, "name"), h.name) for i, h in enumerate(params.hosts)]
    yield from twice(hosts, "must be the only host or director of that name; {first} has it too")
    services: list[tuple[Path, object]] = [(("services", i, "name"), s.name) for i, s in enumerate(params.services)]
    yield from twice(services, "must be the only service of that name; {first} has it too")
    for i, host in enumerate(params.hosts):
        there: list[tuple[Path, object]] = [(("hosts", i, "interfaces", j, "name"), x.name) for j, x in enumerate(host.interfaces)]
        yield from twice(there, "must be this host's only interface of that name")
    for i, director in enumerate(params.directors):
        yield from _device_names(director, ("directors", i))
    processes: list[tuple[Path, object]] = [
        (("directors", i), (d.ssh.host or d.name, d.ssh.port, d.ipc or "/var/run/dpvs.ipc")) for i, d in enumerate(params.directors)
    ]
    yield from twice(processes, "must be a dpvs of its own; {first} is the same host, port and ipc")


def _device_names(director: Director, at: Path) -> Iterator[Problem]:
    devices = list(enumerate(director.devices))
    ports: list[tuple[Path, object]] = [((*at, "devices", i, "name"), d.name) for i, d in devices]
    ports += [((*at, "bonds", i, "slaves", j, "name"), s.name) for i, b in enumerate(director.bonds) for j, s in enumerate(b.slaves)]
    ports += [((*at, "tunnels", i, "name"), tunnel.name) for i, tunnel in enumerate(director.tunnels)]
    yield from twice(ports, "must be this director's only device of that name; {first} has it too")
    kernel: list[tuple[Path, object]] = [
        ((*at, "devices", i, "kni" if d.kni else "name"), d.kni or f"{d.name}.kni"[:KNI_LENGTH]) for i, d in devices
    ]
    yield from twice(kernel, "must have a kni of its own; {value} is that of {first}")
    taken = {d.name for d in director.devices}
    yield from (Problem((*at, "devices", i, "kni"), "must not be the name of a device") for i, d in devices if d.kni in taken)
    nics: list[tuple[Path, object]] = [((*at, "devices", i, "pci"), _whole(d.pci)) for i, d in devices if d.pci]
    nics += [
        ((*at, "bonds", i, "slaves", j, "pci"), _whole(s.pci))
        for i, b in enumerate(director.bonds)
        for j, s in enumerate(b.slaves)
        if s.pci
    ]
    yield from twice(nics, "must be a NIC of its own; {first} is the same")
    yield from twice(
        [((*at, "devices", i, "network"), d.network) for i, d in devices],
        "must be a network that no other device of this director is in: its route can go by one only",
    )


def _whole(pci: str) -> str:
    return pci if pci.count(":") == 2 else f"0000:{pci}"


def networks(params: Params) -> Iterator[Problem]:
    """Subnets are in one network; a gateway is a host in its network; who is on a network names one that is there."""
    yield from twice(
        [(("networks", name, "subnets", i), subnet) for name, n in params.networks.items() for i, subnet in enumerate(n.subnets)],
        "must be in one network only; {first} has it too",
    )
    for name, network in params.networks.items():
        if network.gateway and (said := outside(network.gateway, subnets(params, name))):
            yield Problem(("networks", name, "gateway"), said)
    for i, director in enumerate(params.directors):
        for j, port in enumerate(director.devices):
            yield from unknown(("directors", i, "devices", j, "network"), "a network", port.network, params.networks)
    for i, host in enumerate(params.hosts):
        for j, interface in enumerate(host.interfaces):
            yield from unknown(("hosts", i, "interfaces", j, "network"), "a network", interface.network, params.networks)
    for i, service in enumerate(params.services):
        yield from unknown(("services", i, "network"), "a network", service.network, params.networks)


def addresses(params: Params) -> Iterator[Problem]:
    """Every address is in its network, and one node's alone: hosts', directors' own, LIPs; a VIP is nobody's."""
    owned: list[tuple[Path, object]] = []
    for i, host in enumerate(params.hosts):
        for j, interface in enumerate(host.interfaces):
            for k, cidr in enumerate(interface.addresses):
                path: Path = ("hosts", i, "interfaces", j, "addresses", k)
                owned.append((path, _plain(cidr)))
                yield from _inside(params, path, _plain(cidr), interface.network)
    for i, director in enumerate(params.directors):
        for j, port in enumerate(director.devices):
            for k, cidr in enumerate(port.addresses):
                path = ("directors", i, "devices", j, "addresses", k)
                owned.append((path, _plain(cidr)))
                yield from _inside(params, path, _plain(cidr), port.network)
        for j, lip in enumerate(director.lips):
            path = ("directors", i, "lips", j)
            owned.append(((*path, "address"), lip.address))
            yield from unknown((*path, "device"), f"a device of {director.name}", lip.device, [d.name for d in director.devices])
            found = device(director, lip.device)
            if found is not None:
                yield from _inside(params, (*path, "address"), lip.address, found.network)
    yield from twice(owned, "must be one node's alone; {value} is at {first} too")
    gateways = {n.gateway: name for name, n in params.networks.items() if n.gateway}
    routers = {_plain(c) for h in params.hosts if h.role == "router" for x in h.interfaces for c in x.addresses}
    for path, value in owned:
        if str(value) in gateways and str(value) not in routers:
            yield Problem(path, f"must not be the gateway of network {gateways[str(value)]}")
    yield from _vips(params, {str(value): path for path, value in owned}, gateways)


def _vips(params: Params, owned: dict[str, Path], gateways: dict[str, str]) -> Iterator[Problem]:
    seen: dict[str, tuple[str, str]] = {}
    for i, service in enumerate(params.services):
        path: Path = ("services", i, "vip")
        if service.vip is None:
            continue
        if service.vip in owned:
            yield Problem(path, f"must be nobody's own address; {service.vip} is at {written(owned[service.vip])}")
        if service.vip in gateways:
            yield Problem(path, f"must not be the gateway of network {gateways[service.vip]}")
        inside = [n for n in subnets(params, service.network) if n.version == ip(service.vip).version and ip(service.vip) in n]
        if inside and (said := outside(service.vip, inside)):
            yield Problem(path, said)
        name, network = seen.setdefault(service.vip, (service.name, service.network))
        if network != service.network:
            yield Problem(("services", i, "network"), f"must be {network}, where service {name} has the same VIP")


def _inside(params: Params, path: Path, address: str, network: str) -> Iterator[Problem]:
    said = outside(address, subnets(params, network))
    if said:
        yield Problem(path, f"{said} (network {network})", absence=True)


def _plain(cidr: str) -> str:
    return cidr.partition("/")[0]


def routes(params: Params) -> Iterator[Problem]:
    """A gateway is on the device's link; a destination has one way; families don't mix. DPVS checks none of it (reference F28)."""
    for i, director in enumerate(params.directors):
        at: Path = ("directors", i)
        yield from _defaults(params, director, at)
        ways: list[tuple[Path, object]] = []
        for j, route in enumerate(director.routes):
            path: Path = (*at, "routes", j)
            to = 4 if route.to == "default" and not route.via else family(route.via or "") if route.to == "default" else family(route.to)
            ways.append(((*path, "to"), (route.to, to)))
            links = [d.name for d in director.devices] + [t.name for t in director.tunnels]
            yield from unknown((*path, "device"), f"a device of {director.name}", route.device, links)
            if route.via:
                if family(route.via) != to:
                    yield Problem((*path, "via"), f"must be an IPv{to} address, as the destination is")
                elif route.device in links and (said := outside(route.via, _links(params, director, route.device))):
                    yield Problem((*path, "via"), f"{said}: a gateway is on its device's link", absence=True)
            own = {_plain(c) for d in director.devices for c in d.addresses} | {_plain(c) for t in director.tunnels for c in t.addresses}
            if route.src and route.src not in own:
                yield Problem((*path, "src"), f"must be one of the addresses of {director.name}'s devices", absence=True)
            if route.scope in ("kni_host", "host") and route.to != "default" and net(route.to).prefixlen != net(route.to).max_prefixlen:
                yield Problem((*path, "to"), f"must be a single address (/32, /128) with scope {route.scope}")
        yield from twice(ways, "must be there once: DPVS would keep both routes, and use either ({first} has it)")
    for i, host in enumerate(params.hosts):
        for j, way in enumerate(host.routes):
            path = ("hosts", i, "routes", j)
            if way.to != "default" and family(way.to) != family(way.via):
                yield Problem((*path, "via"), f"must be an IPv{family(way.to)} address, as the destination is")
            elif said := outside(way.via, [n for x in host.interfaces for n in subnets(params, x.network)]):
                yield Problem((*path, "via"), f"{said}: a gateway is on a link of its host", absence=True)


def _links(params: Params, director: Director, name: str) -> list[Net]:
    """The subnets that a device, or a tunnel, of a director is on."""
    there = [n for port, n in own_networks(params, director) if port.name == name]
    return there + [ip_interface(cidr).network for tunnel in director.tunnels if tunnel.name == name for cidr in tunnel.addresses]


def _defaults(params: Params, director: Director, at: Path) -> Iterator[Problem]:
    """Networks' gateways become default routes; two of one family on a director contradict each other, as does a route of its own."""
    first: dict[int, str] = {}
    for j, port in enumerate(director.devices):
        network = params.networks.get(port.network)
        if network is None or network.gateway is None:
            continue
        version = family(network.gateway)
        if version in first:
            yield Problem(
                (*at, "devices", j, "network"),
                f"must not have a gateway: {first[version]} has one, and there is one default route (IPv{version})",
            )
        first.setdefault(version, port.network)
    for j, route in enumerate(director.routes):
        version = 4 if not route.via else family(route.via)
        if route.to in ("default", "0.0.0.0/0", "::/0") and version in first:
            yield Problem(
                (*at, "routes", j, "to"), f"must not be a default route too: network {first[version]} has a gateway (IPv{version})"
            )


RULES = (names, networks, addresses, routes)
