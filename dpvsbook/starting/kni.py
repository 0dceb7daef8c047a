"""KNI: the kernel's end of each DPVS port. Up, with the addresses that the kernel shall have there, and DPVS told to hand those on.

A `/32 kni_host` route makes DPVS give an address's packets to the kernel (F45, F48); an OSPF interconnect is DPVS's own address as well,
and what DPVS has no use for reaches the kernel anyway (reference S3).
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator
from dataclasses import dataclass

from dpvsbook.errors import ParseError
from dpvsbook.facts import dpip_route
from dpvsbook.params import Director, Params
from dpvsbook.plan import Argv, Change, Plan
from dpvsbook.starting.look import NM_FILE

LENGTH = 15
"""Of an interface's name."""

_LINK = re.compile(r"\d+: ([^:@ ]+)(?:@[^:]*)?: <([^>]*)>")
_ADDRESS = re.compile(r"\s+inet6? (\S+)")


@dataclass(frozen=True, slots=True)
class Kni:
    """What a device's KNI shall be. `handed_on`: those of its addresses (as /32 or /128) that need a kni_host route."""

    name: str
    device: str
    addresses: tuple[str, ...] = ()
    handed_on: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Interface:
    """What the kernel has."""

    up: bool
    addresses: tuple[str, ...] = ()


def wanted(params: Params, director: Director) -> tuple[Kni, ...]:
    """The KNI of each device. Addresses come from keepalived's and OSPF's nodes, and from the routes of scope kni_host."""
    made = []
    for device in director.devices:
        name = device.kni or f"{device.name}.kni"[:LENGTH]
        addresses: dict[str, None] = {}
        handed_on: dict[str, None] = {}
        node = params.keepalived.nodes.get(director.name) if params.keepalived else None
        if node is not None and node.interface == name:
            addresses[node.address] = None
            handed_on[host(node.address)] = None
        peer = params.ospf.nodes.get(director.name) if params.ospf else None
        if peer is not None and peer.device == device.name:
            addresses[peer.interconnect] = None
        for route in director.routes:
            if route.scope == "kni_host" and route.device == device.name:
                mine = ipaddress.ip_interface(route.to).ip
                nets = [ipaddress.ip_network(subnet) for subnet in params.networks[device.network].subnets]
                length = next((net.prefixlen for net in nets if mine in net), mine.max_prefixlen)
                addresses.setdefault(f"{mine}/{length}")
                handed_on[host(route.to)] = None
        made.append(Kni(name, device.name, tuple(addresses), tuple(handed_on)))
    return tuple(made)


def host(cidr: str) -> str:
    """The address alone: 192.168.100.28/24 -> 192.168.100.28/32."""
    address = ipaddress.ip_interface(cidr).ip
    return f"{address}/{address.max_prefixlen}"


def interfaces(text: str) -> dict[str, Interface]:
    """What `ip addr show` printed. Raises ParseError for a line that begins no interface and belongs to none."""
    found: dict[str, Interface] = {}
    name = ""
    for number, line in enumerate(text.splitlines(), start=1):
        if link := _LINK.match(line):
            name = link[1]
            found[name] = Interface("UP" in link[2].split(","))
        elif not name or not line.startswith(" "):
            raise ParseError("ip addr", line, number)
        elif address := _ADDRESS.match(line):
            found[name] = Interface(found[name].up, (*found[name].addresses, address[1]))
    return found


def plan(params: Params, director: Director, kernel: str, routes: str) -> tuple[Plan, tuple[str, ...]]:
    """What is to be done, and what stands in the way: an interface that isn't there, an address that DPVS has for itself."""
    there = interfaces(kernel)
    known = {(route.prefix, route.device): route.scope for route in dpip_route.parse(routes)}
    changes: list[Change] = []
    problems: list[str] = []
    for kni in wanted(params, director):
        now = there.get(kni.name)
        if now is None:
            if kni.addresses:
                problems.append(f"{kni.name} is not there, and {', '.join(kni.addresses)} belongs on it: is <init> kni on in dpvs.conf?")
            continue
        changes += _of_kernel(kni, now)
        for cidr in kni.handed_on:
            scope = known.get((cidr, kni.device))
            if scope == "host":
                address = next(a for a in kni.addresses if host(a) == cidr)
                problems.append(
                    f"DPVS has {cidr} for its own on {kni.device}, so the kernel never gets its packets:"
                    f" dpip addr del {address} dev {kni.device}"
                )
            elif scope != "kni_host":
                changes.append(_route(cidr, kni))
    return Plan("kni", director.name, tuple(changes)), tuple(problems)


def _of_kernel(kni: Kni, now: Interface) -> Iterator[Change]:
    """Address first, then up: what takes the interface for its own (NetworkManager) waits for the link (F44)."""
    for cidr in kni.addresses:
        if cidr not in now.addresses:
            add: Argv = ("ip", "addr", "add", cidr, "dev", kni.name)
            back: Argv = ("ip", "addr", "del", cidr, "dev", kni.name)
            yield Change("kni-address", f"{cidr} dev {kni.name}", None, {"cidr": cidr}, f"{kni.name} has no {cidr} yet", (add,), (back,))
    if not now.up:
        up: Argv = ("ip", "link", "set", kni.name, "up")
        down: Argv = ("ip", "link", "set", kni.name, "down")
        yield Change("kni", kni.name, {"up": False}, {"up": True}, f"{kni.name} is down", (up,), (down,))


def _route(cidr: str, kni: Kni) -> Change:
    family: Argv = ("dpip", "-6") if ":" in cidr else ("dpip",)
    add: Argv = (*family, "route", "add", cidr, "scope", "kni_host", "dev", kni.device)
    back: Argv = (*family, "route", "del", cidr, "dev", kni.device)
    reason = f"DPVS does not hand {cidr} on to {kni.name} yet"
    return Change("kni-route", f"{cidr} dev {kni.device}", None, {"scope": "kni_host"}, reason, (add,), (back,))


def keyfile(params: Params, director: Director) -> str:
    """What keeps NetworkManager off: it takes a tap for a new wire, and flushes its addresses minutes later (F44)."""
    names = ";".join(f"interface-name:{kni.name}" for kni in wanted(params, director))
    return f"# Written by dpvsbook: DPVS's kernel interfaces are configured by it.\n[keyfile]\nunmanaged-devices+={names}\n"


def plan_unmanaged(params: Params, director: Director, nm: bool, text: str | None) -> Plan:
    """The keyfile, where NetworkManager is there and has it not."""
    wanted_text = keyfile(params, director)
    if not nm or text == wanted_text:
        return Plan("unmanaged", director.name)
    before = None if text is None else {"text": text}
    reason = "NetworkManager would take the KNI devices for its own, and their addresses away"
    commands: tuple[Argv, ...] = (("write", NM_FILE), ("nmcli", "general", "reload", "conf"))
    change = Change("file", NM_FILE, before, {"text": wanted_text}, reason, commands, (("rm", "-f", NM_FILE),))
    return Plan("unmanaged", director.name, (change,))
