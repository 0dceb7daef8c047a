"""The addresses that DPVS itself owns: per-node addresses first, then the VIPs.

The order matters where a VIP and a LAN address share a device: DPVS asks for a real server's MAC from the first address that fits,
and a DR real server doesn't answer the VIP, which it owns itself (reference F35).
"""

from __future__ import annotations

import functools
import ipaddress
from dataclasses import dataclass

from dpvsbook.facts.director import DirectorState
from dpvsbook.params import Director, Params
from dpvsbook.plan import Argv, Context, Step, Value


@dataclass(frozen=True)
class AddressKind:
    """Key "10.0.0.100/32 dev dpdk1". An address without its host route shows, and doesn't answer (observed.md, state traps)."""

    name: str = "address"

    def parent(self, key: str) -> str | None:  # noqa: ARG002
        return None

    def desired(self, params: Params, director: Director) -> dict[str, Value]:
        wanted: dict[str, Value] = {}
        for device in director.devices:
            for cidr in device.addresses:
                wanted[f"{cidr} dev {device.name}"] = {"host_route": True}
        for service in params.services_on(director):
            if service.vip is not None:
                device_name = params.device_for(director, service.network)
                wanted[f"{host_cidr(service.vip)} dev {device_name}"] = {"host_route": True}
        return wanted

    def observed(self, params: Params, director: Director, state: DirectorState) -> dict[str, Value]:
        desired = self.desired(params, director)
        local = {(lip.address, lip.device) for lip in director.lips} | {(lip, "") for lip in state.lips}
        host_routes = {(route.prefix.partition("/")[0], route.device) for route in state.routes if route.scope == "host"}
        there: dict[str, Value] = {}
        for address in state.addresses:
            key = f"{address.address}/{address.prefixlen} dev {address.device}"
            is_lip = address.pool is not None or (address.address, address.device) in local or (address.address, "") in local
            if address.scope == "link" or (is_lip and key not in desired):
                continue
            there[key] = {"host_route": (address.address, address.device) in host_routes}
        return there

    def commands(self, key: str, before: Value | None, after: Value | None, context: Context) -> tuple[Argv, ...]:
        cidr, _, device = key.partition(" dev ")
        add: Argv = ("dpip", "addr", "add", cidr, "dev", device)
        remove: Argv = ("dpip", "addr", "del", cidr, "dev", device)
        if after is None:
            return (remove,)
        if before is not None:
            return (remove, add)
        behind = [] if cidr == host_cidr(cidr.partition("/")[0]) else host_addresses_in(cidr, device, context.state)
        again: list[Argv] = []
        for vip in behind:
            again += [("dpip", "addr", "del", vip, "dev", device), ("dpip", "addr", "add", vip, "dev", device)]
        return (add, *again)

    def reason(self, key: str, before: Value | None, after: Value | None) -> str:
        cidr, _, device = key.partition(" dev ")
        if after is None:
            return f"{cidr} is on {device} and not in the params"
        if before is not None:
            return f"{cidr} shows on {device} but its host route is gone, so it doesn't answer: it is put there again"
        return f"{cidr} is not on {device} yet"


@functools.cache
def host_cidr(address: str) -> str:
    """The address with the prefix length of a single host: /32 or /128."""
    return f"{address}/{ipaddress.ip_address(address).max_prefixlen}"


def host_addresses_in(cidr: str, device: str, state: DirectorState) -> list[str]:
    """The host addresses on `device` inside `cidr`, without a pool: they must come after the LAN address, so they are put there again."""
    network = ipaddress.ip_interface(cidr).network
    return [
        host_cidr(a.address)
        for a in state.addresses
        if a.device == device
        and a.scope != "link"
        and a.pool is None
        and a.prefixlen == ipaddress.ip_address(a.address).max_prefixlen
        and ipaddress.ip_address(a.address) in network
    ]


address = Step("address", "Addresses: the VIP on its device", (AddressKind(),))
