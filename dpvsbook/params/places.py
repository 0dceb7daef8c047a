"""Helpers of the rules: paths, words, and what is where in a cluster."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Iterator

from dpvsbook.params.model import Device, Director, Params
from dpvsbook.params.tree import Path, Problem
from dpvsbook.params.types import Net, edge, ip, net


def closest(word: str, known: Iterable[str]) -> str:
    """ "; did you mean …?" where something known is like it, else ""."""
    near = difflib.get_close_matches(word[:80], list(known), n=1, cutoff=0.6)
    return f"; did you mean {near[0]}?" if near else ""


def unknown(path: Path, what: str, word: str, known: Iterable[str]) -> Iterator[Problem]:
    """The problem that a reference leads nowhere, if it does."""
    names = list(known)
    if word not in names:
        there = "there is none" if not names else f"there are {', '.join(names[:8])}{', …' if len(names) > 8 else ''}"
        yield Problem(path, f"must be {what}; {shown(word)} is none{closest(word, names) or f' ({there})'}", absence=True)


def twice(entries: Iterable[tuple[Path, object]], rule: str) -> Iterator[Problem]:
    """A problem for every entry whose value an earlier one has; {value} and {first} may stand in the rule."""
    first: dict[object, Path] = {}
    for path, value in entries:
        if value in first:
            yield Problem(path, rule.format(value=value, first=written(first[value])))
        else:
            first[value] = path


def shown(word: str) -> str:
    """A word of the file in a message: quoted, and not endless."""
    return repr(word if len(word) <= 60 else word[:60] + "…")


def written(path: Path) -> str:
    """A path as messages have it: services[0].real_servers[1].port.

    Of a key that is no name only the beginning is shown: in `password:secret`, where a blank is missing, the rest is the secret.
    """
    text = ""
    for part in path:
        if isinstance(part, int):
            text += f"[{part}]"
        else:
            name = re.match(r"[A-Za-z0-9_.-]*", part)
            word = part if name and name.end() == len(part) and part else f"{name.group() if name else ''}…"
            text += ("." if text else "") + (word if len(word) <= 60 else word[:60] + "…")
    return text


def family(text: str) -> int:
    """4 or 6, of an address, a network, or an address with its prefix length."""
    return 6 if ":" in text else 4


def subnets(params: Params, network: str) -> list[Net]:
    """A network's subnets; none where there is no such network."""
    return [net(subnet) for subnet in params.networks[network].subnets] if network in params.networks else []


def outside(address: str, nets: Iterable[Net]) -> str:
    """Why a host in these subnets can't have the address; "" where it can."""
    found, known = ip(address), list(nets)
    inside = [n for n in known if found.version == n.version and found in n]
    if not inside:
        return f"must be in {' or '.join(map(str, known))}; {address} is not" if known else ""
    said = edge(found, max(inside, key=lambda n: n.prefixlen))
    return f"must be the address of a host; {address} is {said}" if said else ""


def device(director: Director, name: str) -> Device | None:
    return next((device for device in director.devices if device.name == name), None)


def own_networks(params: Params, director: Director) -> list[tuple[Device, Net]]:
    """The subnets that a director is in, each with its device."""
    return [(device, n) for device in director.devices for n in subnets(params, device.network)]


def in_use(params: Params) -> set[str | None]:
    """Every address that something of the cluster has: VIPs, gateways, LIPs, directors' own, hosts'."""
    taken = {service.vip for service in params.services} | {network.gateway for network in params.networks.values()}
    taken |= {lip.address for d in params.directors for lip in d.lips}
    taken |= {c.partition("/")[0] for d in params.directors for p in d.devices for c in p.addresses}
    return taken | {c.partition("/")[0] for h in params.hosts for x in h.interfaces for c in x.addresses}
