"""Virtual services and their real servers.

Three traps decide how this is written (observed.md, "State traps"): an edit that doesn't repeat the forwarding method turns a FULLNAT
real server into a DR one, and one that doesn't repeat the weight makes it 1; an edit of a service resets what it doesn't name; and
persistence, one-packet scheduling and the quiescent flag can't be taken off by an edit, so such a service is made anew.
"""

from __future__ import annotations

from dataclasses import dataclass

from dpvsbook.facts.director import DirectorState, ServiceState
from dpvsbook.facts.ipvs import Endpoint, ServiceKey
from dpvsbook.params import Director, Params, Service
from dpvsbook.plan import Argv, Context, Step, Value

METHOD_FLAG = {"dr": "-g", "tunnel": "-i", "nat": "-m", "fnat": "-b", "snat": "-J"}
STICKY = ("persistent", "netmask", "ops", "expire_quiescent", "quic", "hash_target")
"""Options that `ipvsadm -E` can put on a service, and can't take off again."""


def key_of(service: Service) -> ServiceKey:
    """How DPVS knows a service of the params."""
    if service.vip is None or service.port is None:
        raise ValueError(f"{service.name} is a match service: it has no VIP and port")
    return ServiceKey(service.protocol, service.vip, service.port)


def service_value(scheduler: str, options: Value) -> Value:
    """The scheduler, and those options that are on: one shape for both sides of the comparison."""
    return {
        "scheduler": scheduler,
        **{name: options[name] for name in sorted(options) if options[name] not in (None, False, "", "disable")},
    }


def wanted_value(service: Service) -> Value:
    """A service of the params, in the shape of `service_value`."""
    return service_value(
        service.scheduler,
        {
            "persistent": service.persistent,
            "netmask": service.netmask,
            "ops": service.ops,
            "synproxy": service.synproxy,
            "conn_timeout": service.conn_timeout,
            "proxy_protocol": service.proxy_protocol,
            "expire_quiescent": service.expire_quiescent,
            "quic": service.quic,
            "dest_check": service.dest_check,
            # conhash hashes by the source address where nothing else is said, and shows it
            "hash_target": service.hash_target or ("sip" if service.scheduler == "conhash" else None),
        },
    )


def service_flags(value: Value, *, edit: bool) -> Argv:
    """The options of `ipvsadm -A` or `-E`. An edit names every option that it can reset, off ones too."""
    flags: list[str] = ["-s", str(value["scheduler"])]
    if value.get("persistent"):
        flags += ["-p", str(value["persistent"])]
    if value.get("netmask"):
        flags += ["-M", str(value["netmask"])]
    flags += [word for name, word in (("ops", "--ops"), ("expire_quiescent", "--expire-quiescent"), ("quic", "--quic")) if value.get(name)]
    if value.get("hash_target"):
        flags += ["--hash-target", str(value["hash_target"])]
    if value.get("synproxy") or edit:
        flags += ["-j", "enable" if value.get("synproxy") else "disable"]
    if value.get("conn_timeout") or edit:
        flags += ["--conn-timeout", str(value.get("conn_timeout", 0))]
    if value.get("proxy_protocol") or edit:
        flags += ["--proxy-protocol", str(value.get("proxy_protocol", "disable"))]
    if value.get("dest_check") or edit:
        flags += [f"--dest-check={check}" for check in str(value.get("dest_check", "disable")).split()]
    return tuple(flags)


def add_server(key: ServiceKey, server: Endpoint, value: Value, *, verb: str = "-a") -> Argv:
    """One real server's rule: port, method and weight are always written."""
    limits = [part for flag, name in (("-x", "upper"), ("-y", "lower")) if value[name] or verb == "-e" for part in (flag, str(value[name]))]
    return ("ipvsadm", verb, *key.selector, "-r", str(server), METHOD_FLAG[value["method"]], "-w", str(value["weight"]), *limits)


@dataclass(frozen=True)
class ServiceKind:
    """Key "tcp 10.0.0.100:80"."""

    name: str = "service"

    def parent(self, key: str) -> str | None:  # noqa: ARG002
        return None

    def desired(self, params: Params, director: Director) -> dict[str, Value]:
        return {str(key_of(service)): wanted_value(service) for service in params.services_on(director)}

    def observed(self, params: Params, director: Director, state: DirectorState) -> dict[str, Value]:  # noqa: ARG002
        return {str(key): observed_value(there) for key, there in state.services.items()}

    def commands(self, key: str, before: Value | None, after: Value | None, context: Context) -> tuple[Argv, ...]:
        selector = ServiceKey.parse(key).selector
        remove: Argv = ("ipvsadm", "-D", *selector)
        if after is None:
            return (remove,)
        add: Argv = ("ipvsadm", "-A", *selector, *service_flags(after, edit=False))
        if before is None:
            return (add,)
        if any(name in before and before.get(name) != after.get(name) for name in STICKY):
            return (remove, add, *members(ServiceKey.parse(key), context.state))
        return (("ipvsadm", "-E", *selector, *service_flags(after, edit=True)),)

    def reason(self, key: str, before: Value | None, after: Value | None) -> str:
        if after is None:
            return f"{key} is on the director and not in the params"
        if before is None:
            return f"{key} is not there yet"
        names = [name for name in {**before, **after} if before.get(name) != after.get(name)]
        what = ", ".join(f"{name.replace('_', ' ')} is {before.get(name, 'off')}, wanted {after.get(name, 'off')}" for name in names)
        anew = any(name in before and before.get(name) != after.get(name) for name in STICKY)
        return what + ("; an edit can't take that off, so the service is made anew" if anew else "")


def observed_value(there: ServiceState) -> Value:
    """A service as the director has it, in the shape of `service_value`."""
    return service_value(there.scheduler, there.options)


def server_value(method: str, weight: int, upper: int, lower: int) -> Value:
    """A real server's value; the thresholds are 0 where there are none."""
    return {"method": method, "weight": weight, "upper": upper, "lower": lower}


def members(key: ServiceKey, state: DirectorState) -> tuple[Argv, ...]:
    """The rules that put a service's present real servers and LIPs back after it was made anew."""
    there = state.services.get(key)
    if there is None:
        return ()
    device_of = {address.address: address.device for address in state.addresses}
    servers = [add_server(key, s.endpoint, server_value(s.method, s.weight, s.upper, s.lower)) for s in there.servers.values()]
    lips = [("ipvsadm", "-P", *key.selector, "-z", lip, "-F", device_of[lip]) for lip in there.lips if lip in device_of]
    return (*servers, *lips)


@dataclass(frozen=True)
class ServerKind:
    """Key "tcp 10.0.0.100:80 -> 192.168.100.2:80". Only services of the params are looked into; the others are other people's."""

    name: str = "server"

    def parent(self, key: str) -> str | None:
        return key.partition(" -> ")[0]

    def desired(self, params: Params, director: Director) -> dict[str, Value]:
        wanted: dict[str, Value] = {}
        for service in params.services_on(director):
            for rs in service.real_servers:
                endpoint = Endpoint(params.service_address(service, rs), rs.port)
                method = service.method or params.method
                wanted[f"{key_of(service)} -> {endpoint}"] = server_value(method, rs.weight, rs.upper or 0, rs.lower or 0)
        return wanted

    def observed(self, params: Params, director: Director, state: DirectorState) -> dict[str, Value]:
        ours = {key_of(service) for service in params.services_on(director)}
        return {
            f"{key} -> {s.endpoint}": server_value(s.method, s.weight, s.upper, s.lower)
            for key, there in state.services.items()
            if key in ours
            for s in there.servers.values()
        }

    def commands(self, key: str, before: Value | None, after: Value | None, context: Context) -> tuple[Argv, ...]:  # noqa: ARG002
        service, _, server = key.partition(" -> ")
        parent, endpoint = ServiceKey.parse(service), Endpoint.parse(server)
        if after is None:
            return (("ipvsadm", "-d", *parent.selector, "-r", str(endpoint)),)
        return (add_server(parent, endpoint, after, verb="-a" if before is None else "-e"),)

    def reason(self, key: str, before: Value | None, after: Value | None) -> str:
        service, _, server = key.partition(" -> ")
        if after is None:
            if server.endswith(":0"):
                return f"{server} has port 0: it was added without a port, and refuses every client"
            return f"{server} serves {service} and is not in the params"
        if before is None:
            return f"{server} does not serve {service} yet"
        return ", ".join(f"{name} is {before[name]}, wanted {after[name]}" for name in after if before[name] != after[name])


service = Step("service", "Virtual services and their real servers", (ServiceKind(), ServerKind()))
