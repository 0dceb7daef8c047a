"""Rules about the sections that most clusters don't have: OSPF, keepalived, bonds, VLANs, tunnels, how dpvs is started."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator
from ipaddress import ip_interface

from dpvsbook.params.model import Director, Params
from dpvsbook.params.places import device, family, in_use, outside, subnets, twice, unknown
from dpvsbook.params.sections import Ospf
from dpvsbook.params.tree import Path, Problem


def ospf(params: Params) -> Iterator[Problem]:
    """Every director is a neighbour of a router, under an id of its own."""
    section = params.ospf
    if section is None:
        return
    if section.dead <= section.hello:
        yield Problem(("ospf", "dead"), f"must be more than hello ({section.hello}), four times it as a rule")
    yield from _nodes(params, "ospf", section.nodes)
    yield from _announced(params, section)
    ids: list[tuple[Path, object]] = [(("ospf", "nodes", name, "router_id"), node.router_id) for name, node in section.nodes.items()]
    yield from twice(ids, "must be this director's alone; {first} has it too")
    for name, node in section.nodes.items():
        at: Path = ("ospf", "nodes", name)
        director = next((d for d in params.directors if d.name == name), None)
        if director is None:
            continue
        yield from unknown((*at, "device"), f"a device of {name}", node.device, [d.name for d in director.devices])
        port = device(director, node.device)
        if port is not None and node.interconnect not in port.addresses:
            yield Problem(
                (*at, "interconnect"), f"must be one of the addresses of {port.name}: the kernel shares it with DPVS", absence=True
            )
        link = ip_interface(node.interconnect)
        if node.router == str(link.ip):
            yield Problem((*at, "router"), "must be the router's address, not the director's")
        elif said := outside(node.router, [link.network]):
            yield Problem((*at, "router"), f"{said}: it is the other end of the interconnect")


def _announced(params: Params, section: Ospf) -> Iterator[Problem]:
    """FULLNAT and the like announce VIPs, SNAT a default route or the address behind one (reference D.2)."""
    snat = any(params.method_of(service) == "snat" for service in params.services)
    if section.announce == "default" and not snat:
        yield Problem(("ospf", "announce"), "must be redistribute or network: only method snat announces a default route", absence=True)
    if section.next_hop is None:
        if snat and section.announce != "default" and not any(service.vip for service in params.services):
            yield Problem(
                ("ospf", "announce"), "must be default, or have next_hop with it: method snat has no VIP to announce", absence=True
            )
        return
    if not snat or section.announce == "default":
        yield Problem(("ospf", "next_hop"), "must not be there: it is for method snat, in place of announce: default", absence=not snat)
    if section.next_hop in in_use(params):
        yield Problem(("ospf", "next_hop"), f"must be nobody's own address; {section.next_hop} is used elsewhere")


def keepalived(params: Params) -> Iterator[Problem]:
    """Every director takes part, on a kni, with an address and a priority of its own."""
    section = params.keepalived
    if section is None:
        return
    yield from _nodes(params, "keepalived", section.nodes)
    ranks: list[tuple[Path, object]] = [(("keepalived", "nodes", name, "priority"), node.priority) for name, node in section.nodes.items()]
    yield from twice(ranks, "must be this director's alone, or both would be master; {first} has it too")
    taken = in_use(params)
    own: list[tuple[Path, object]] = [
        (("keepalived", "nodes", name, "address"), node.address.partition("/")[0]) for name, node in section.nodes.items()
    ]
    yield from twice(own, "must be this director's alone; {first} has it too")
    yield from (Problem(path, f"must be the kni's alone; {address} is used elsewhere") for path, address in own if address in taken)
    for name, node in section.nodes.items():
        director = next((d for d in params.directors if d.name == name), None)
        if director is None:
            continue
        knis = {d.kni or f"{d.name}.kni"[:15]: d for d in director.devices}
        yield from unknown(("keepalived", "nodes", name, "interface"), f"a kni of {name}", node.interface, knis)
        if node.interface in knis and (said := outside(node.address.partition("/")[0], subnets(params, knis[node.interface].network))):
            yield Problem(("keepalived", "nodes", name, "address"), said, absence=True)


def _nodes(params: Params, section: str, nodes: Iterable[str]) -> Iterator[Problem]:
    there, known = list(nodes), [director.name for director in params.directors]
    for name in there:
        yield from unknown((section, "nodes", name), "a director", name, known)
    for name in known:
        if name not in there:
            yield Problem((section, "nodes"), f"must have {name} too", absence=True)


def links(params: Params) -> Iterator[Problem]:
    """Bonds, VLANs and tunnels, each of them a device that something lies under."""
    for i, director in enumerate(params.directors):
        at: Path = ("directors", i)
        yield from _bonds(director, at)
        yield from _vlans(director, at)
        yield from _tunnels(director, at)


def _bonds(director: Director, at: Path) -> Iterator[Problem]:
    names = [d.name for d in director.devices]
    yield from twice([((*at, "bonds", i, "name"), b.name) for i, b in enumerate(director.bonds)], "must be the only bond of that name")
    for i, bond in enumerate(director.bonds):
        path: Path = (*at, "bonds", i)
        yield from unknown((*path, "name"), f"a device of {director.name}", bond.name, names)
        if bond.primary is not None:
            yield from unknown((*path, "primary"), "one of the slaves", bond.primary, [slave.name for slave in bond.slaves])
    yield from _virtual(director, at, {bond.name for bond in director.bonds}, "a bond")


def _vlans(director: Director, at: Path) -> Iterator[Problem]:
    names, tagged = [d.name for d in director.devices], {vlan.name for vlan in director.vlans}
    yield from twice([((*at, "vlans", i, "name"), v.name) for i, v in enumerate(director.vlans)], "must be the only VLAN of that name")
    yield from twice(
        [((*at, "vlans", i, "id"), (v.link, v.id)) for i, v in enumerate(director.vlans)],
        "must be there once on its link; {first} has it too",
    )
    for i, vlan in enumerate(director.vlans):
        path: Path = (*at, "vlans", i)
        yield from unknown((*path, "name"), f"a device of {director.name}", vlan.name, names)
        yield from unknown((*path, "link"), "a device that is no VLAN itself", vlan.link, [name for name in names if name not in tagged])
    yield from _virtual(director, at, tagged, "a VLAN")


def _virtual(director: Director, at: Path, names: set[str], what: str) -> Iterator[Problem]:
    for j, port in enumerate(director.devices):
        yield from (
            Problem((*at, "devices", j, part), f"must not be there: {port.name} is {what}, no NIC")
            for part in ("pci", "vdev")
            if port.name in names and getattr(port, part) is not None
        )


def _tunnels(director: Director, at: Path) -> Iterator[Problem]:
    for i, tunnel in enumerate(director.tunnels):
        path: Path = (*at, "tunnels", i)
        yield from unknown((*path, "device"), f"a device of {director.name}", tunnel.device, [d.name for d in director.devices])
        port = device(director, tunnel.device)
        if port is not None and tunnel.local not in {cidr.partition("/")[0] for cidr in port.addresses}:
            yield Problem((*path, "local"), f"must be one of the addresses of {port.name}", absence=True)
        if family(tunnel.local) != family(tunnel.remote):
            yield Problem((*path, "remote"), f"must be IPv{family(tunnel.local)}, as local is")
        elif tunnel.local == tunnel.remote:
            yield Problem((*path, "remote"), "must not be local itself")


def start(params: Params) -> Iterator[Problem]:
    """What dpvs.conf must say, as far as it is said: with several workers, answers have to find theirs (reference F20, S7)."""
    for i, director in enumerate(params.directors):
        wanted = director.start
        if wanted is None or wanted.workers == 1 or wanted.redirect:
            continue
        at: Path = ("directors", i, "start")
        if not wanted.flow:
            yield Problem((*at, "flow"), "must be true with several workers and without redirect: answers would reach another worker")
        if any(params.method_of(service) == "nat" for service in params.services_on(director)):
            yield Problem((*at, "redirect"), "must be true for method nat with several workers, or workers must be 1")


ELSEWHERE = {
    "sa_pool.flow_enable": "start.flow",
    "ipvs_defs.conn.redirect": "start.redirect",
    "netif_defs.device.mtu": "mtu of the device",
    "netif_defs.device.kni_name": "kni of the device",
    "netif_defs.device.rx.queue_number": "start.workers",
    "netif_defs.device.tx.queue_number": "start.workers",
}
"""Items of dpvs.conf that have a place of their own in the params."""


def settings(params: Params) -> Iterator[Problem]:
    """Every setting is an item of dpvs.conf that stands once, with a value that dpvs takes as it is."""
    for i, director in enumerate(params.directors):
        for path, value in director.start.settings.items() if director.start else ():
            if said := _setting(path, value):
                yield Problem(("directors", i, "start", "settings", path), said)


def _setting(path: str, value: bool | int | str) -> str:
    from dpvsbook.conf.items import BOND, ITEM, WORKER
    from dpvsbook.conf.values import take

    if path in ELSEWHERE:
        return f"must not be there: it is {ELSEWHERE[path]}"
    item = ITEM.get(path)
    if item is None or path.startswith((f"{BOND}.", f"{WORKER}.")):
        near = difflib.get_close_matches(path, [name for name in ITEM if not name.startswith((f"{BOND}.", f"{WORKER}."))], 1)
        return f"must be an item of dpvs.conf by its whole path{f'; did you mean {near[0]}?' if near else ''}"
    if item.form == "flag":
        return "" if isinstance(value, bool) else "must be true or false: its presence turns it on"
    if isinstance(value, bool):
        return "" if item.form == "switch" else f"must be {item.takes}"
    return "" if not take(item, (str(value),)).problem else f"must be {item.takes}"


RULES = (ospf, keepalived, links, start, settings)
