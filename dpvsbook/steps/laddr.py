"""Local addresses (LIPs): FULLNAT sends to the real servers from them, so without one a client gets no answer at all.

`ipvsadm --add-laddr` does two things: it puts the address, with a pool of ports, on the device, and the LIP into the service. The first
fails silently when the address is there already without a pool, or when the worker has no memory left for the pool (transcript 12);
`--del-laddr` takes the address away even if other services use it (transcript 05). So the two are planned and read back apart.
"""

from __future__ import annotations

from dataclasses import dataclass

from dpvsbook.facts.director import DirectorState
from dpvsbook.facts.ipvs import ServiceKey
from dpvsbook.params import Director, Params
from dpvsbook.plan import Argv, Context, Step, Value
from dpvsbook.steps.address import host_cidr
from dpvsbook.steps.service import key_of


@dataclass(frozen=True)
class PoolKind:
    """The LIP's address, key "192.168.100.200/32 dev dpdk0", value {"pool": bool}: without a pool everything is black-holed."""

    name: str = "lip-address"

    def parent(self, key: str) -> str | None:  # noqa: ARG002
        return None

    def desired(self, params: Params, director: Director) -> dict[str, Value]:
        return {
            f"{host_cidr(lip.address)} dev {lip.device}": {"pool": True}
            for service in params.services_on(director)
            for lip in params.desired_lips(director, service)
        }

    def observed(self, params: Params, director: Director, state: DirectorState) -> dict[str, Value]:
        desired = self.desired(params, director)
        own = {cidr for device in director.devices for cidr in device.addresses}
        there: dict[str, Value] = {}
        for address in state.addresses:
            cidr = f"{address.address}/{address.prefixlen}"
            key = f"{cidr} dev {address.device}"
            if key in desired or (address.pool is not None and cidr not in own):
                there[key] = {"pool": address.pool is not None}
        return there

    def commands(self, key: str, before: Value | None, after: Value | None, context: Context) -> tuple[Argv, ...]:  # noqa: ARG002
        cidr, _, device = key.partition(" dev ")
        remove: Argv = ("dpip", "addr", "del", cidr, "dev", device)
        if after is None:
            return (remove,)
        add: Argv = ("dpip", "addr", "add", cidr, "dev", device, *(("sapool",) if after["pool"] else ()))
        return (add,) if before is None else (remove, add)

    def reason(self, key: str, before: Value | None, after: Value | None) -> str:
        cidr, _, device = key.partition(" dev ")
        if after is None:
            return f"{cidr} is a local address on {device} and not in the params"
        if before is not None:
            return f"{cidr} is on {device} without a port pool, so nothing flows: it is taken off and put there with one"
        return f"{cidr} is not on {device} yet; `sapool` gives it its ports"


@dataclass(frozen=True)
class LipKind:
    """A LIP in a service, key "tcp 10.0.0.100:80 from 192.168.100.200", value {"device": …}."""

    name: str = "lip"

    def parent(self, key: str) -> str | None:
        return key.partition(" from ")[0]

    def desired(self, params: Params, director: Director) -> dict[str, Value]:
        return {
            f"{key_of(service)} from {lip.address}": {"device": lip.device}
            for service in params.services_on(director)
            for lip in params.desired_lips(director, service)
        }

    def observed(self, params: Params, director: Director, state: DirectorState) -> dict[str, Value]:
        ours = {key_of(service) for service in params.services_on(director)}
        device_of = {lip.address: lip.device for lip in director.lips} | {a.address: a.device for a in state.addresses}
        return {
            f"{key} from {lip}": {"device": device_of.get(lip, "")}
            for key, there in state.services.items()
            if key in ours
            for lip in there.lips
        }

    def commands(self, key: str, before: Value | None, after: Value | None, context: Context) -> tuple[Argv, ...]:
        service, _, lip = key.partition(" from ")
        selector = ServiceKey.parse(service).selector
        if after is not None:
            return (("ipvsadm", "-P", *selector, "-z", lip, "-F", str(after["device"])),)
        device = str((before or {}).get("device", ""))
        remove: Argv = ("ipvsadm", "-Q", *selector, "-z", lip, "-F", device)
        # -Q takes the address with it. Who still uses it gets it back, once, behind the last service of this plan that gives it up.
        gone = [other for other in context.removed if other.endswith(f" from {lip}")]
        users = {str(other) for other, there in context.state.services.items() if lip in there.lips}
        stay = users - {other.partition(" from ")[0] for other in gone} - {service}
        give_back = bool(stay) and (not gone or gone[-1] == key)
        return (remove, ("dpip", "addr", "add", host_cidr(lip), "dev", device, "sapool")) if give_back else (remove,)

    def reason(self, key: str, before: Value | None, after: Value | None) -> str:
        service, _, lip = key.partition(" from ")
        if after is None:
            return f"{service} uses {lip}, which is not in the params"
        if before is not None:
            return f"{lip} is on {before['device']}, wanted on {after['device']}"
        return f"{service} may not use {lip} yet"


laddr = Step("laddr", "Local addresses: where FULLNAT sends from", (PoolKind(), LipKind()))
