"""Routes inside DPVS: a link route for each subnet of each device, the gateways, and the routes that the params add.

A /32 address brings no link route (observed.md), so they are written as the tutorial does. `dpip route add` exits 0 for a route
that is there with another gateway, and adds a second, conflicting one for another device: hence del, add, read back (F28).
"""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass

from dpvsbook.facts.director import DirectorState
from dpvsbook.params import Director, Params
from dpvsbook.plan import Argv, Context, Step, Value

DEFAULT = {4: "0.0.0.0/0", 6: "::/0"}


@dataclass(frozen=True)
class RouteKind:
    """Key "10.0.0.0/16 dev dpdk1"; the value holds what a route is by: `via`, and `src`, `mtu`, `scope` where the params name them."""

    name: str = "route"

    def parent(self, key: str) -> str | None:  # noqa: ARG002
        return None

    def desired(self, params: Params, director: Director) -> dict[str, Value]:
        wanted: dict[str, Value] = {}
        for device in director.devices:
            network = params.networks[device.network]
            for subnet in network.subnets:
                wanted[f"{subnet} dev {device.name}"] = {"via": None}
        for device in director.devices:
            gateway = params.networks[device.network].gateway
            if gateway is not None:
                wanted[f"{DEFAULT[ipaddress.ip_address(gateway).version]} dev {device.name}"] = {"via": gateway}
        for route in director.routes:
            key = f"{destination(route.to, route.via)} dev {route.device}"
            extra = {"src": route.src, "mtu": route.mtu, "scope": route.scope}
            wanted[key] = {"via": route.via, **{name: value for name, value in extra.items() if value is not None}}
        return wanted

    def observed(self, params: Params, director: Director, state: DirectorState) -> dict[str, Value]:
        desired = self.desired(params, director)
        there: dict[str, Value] = {}
        for route in state.routes:
            if route.scope == "host" or route.prefix.startswith("fe80:"):
                continue  # DPVS makes those with the address
            key = f"{route.prefix} dev {route.device}"
            value = {"via": route.via, "src": route.src, "mtu": route.mtu, "scope": route.scope}
            shape = desired.get(key, {"via": None})
            there[key] = {name: value[name] for name in shape}
        return there

    def commands(self, key: str, before: Value | None, after: Value | None, context: Context) -> tuple[Argv, ...]:  # noqa: ARG002
        prefix, _, device = key.partition(" dev ")
        family: Argv = ("dpip", "-6") if ":" in prefix else ("dpip",)
        shown = "default" if prefix in DEFAULT.values() else prefix
        remove: Argv = (*family, "route", "del", shown, "dev", device)
        if after is None:
            return (remove,)
        options = [
            part
            for name, word in (("via", "via"), ("src", "src"), ("scope", "scope"), ("mtu", "mtu"))
            if after.get(name)
            for part in (word, str(after[name]))
        ]
        add: Argv = (*family, "route", "add", shown, *options, "dev", device)
        return (add,) if before is None else (remove, add)

    def reason(self, key: str, before: Value | None, after: Value | None) -> str:
        prefix, _, device = key.partition(" dev ")
        if after is None:
            return f"a route to {prefix} by {device} is there and not in the params"
        if before is not None:
            return f"the route to {prefix} by {device} goes via {before.get('via') or 'the link'}, not via {after.get('via') or 'the link'}"
        return f"{device} has no route to {prefix} yet"


def destination(to: str, via: str | None) -> str:
    """`default` as DPVS prints it, for the family of the gateway."""
    if to != "default":
        return to
    return DEFAULT[ipaddress.ip_address(via).version if via else 4]


route = Step("route", "Routes: each side's subnets, and the gateways", (RouteKind(),))
