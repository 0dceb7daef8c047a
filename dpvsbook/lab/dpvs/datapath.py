"""What DPVS does with traffic.

A packet meets, in this order: the connection table, the match (SNAT) and address services with their deny and allow lists, the scheduler,
a LIP with a free port, and a route to the real server. All before routing: a VIP's host route only matters for pings.
Whoever is turned away gets no answer at all.
"""

from __future__ import annotations

from dpvsbook.lab.dpvs import ip as ips
from dpvsbook.lab.dpvs.addresses import Address
from dpvsbook.lab.dpvs.conns import TIMEOUTS, Conn
from dpvsbook.lab.dpvs.devices import Device
from dpvsbook.lab.dpvs.flows import Decision, Endpoint, Flow
from dpvsbook.lab.dpvs.ip import Ip
from dpvsbook.lab.dpvs.process import Dpvs
from dpvsbook.lab.dpvs.routing import output
from dpvsbook.lab.dpvs.services import PROTOCOLS, TCP, UDP, Dest, Laddr, Range, Service

__all__ = ["answers_arp", "deliver", "output"]


def answers_arp(dpvs: Dpvs, address: str, device: str) -> bool:
    """Does DPVS answer "who has ADDRESS" (ARP, neighbour solicitation) on a port? It does for each address that its worker has there."""
    port = dpvs.devices.get(device)
    return port is not None and port.up and dpvs.running and dpvs.addresses.owner(ips.of(address), port) is not None


def deliver(dpvs: Dpvs, flow: Flow) -> Decision:
    """Decide about a packet, and keep the connection that it starts. A new connection waits for `settle`."""
    device = dpvs.devices.get(flow.device)
    if not dpvs.running or device is None or not device.up:
        return Decision("drop", f"dpvs does not listen on {flow.device}")
    source, destination = ips.of(flow.source), ips.of(flow.destination)
    protocol = PROTOCOLS[flow.protocol]
    conn = dpvs.conns.find((protocol, source, flow.source_port, destination, flow.port))
    if conn is not None:
        if conn.expire_quiescent and (not conn.dest.available or conn.dest.weight == 0):
            dpvs.conns.drop(conn)
            return Decision("drop", "the real server is quiescent and the service expires such connections")
        return _forward(dpvs, conn)
    service = dpvs.services.at(protocol, destination, flow.port)
    if service is None:
        service = _match(dpvs, protocol, source, flow.source_port, destination, flow.port, device)
    if service is None:
        return _without_service(dpvs, destination, device)
    return _schedule(dpvs, service, protocol, source, flow.source_port, destination, flow.port)


def _schedule(dpvs: Dpvs, service: Service, protocol: int, source: Ip, source_port: int, destination: Ip, port: int) -> Decision:
    named = (destination.family, protocol, destination, port)
    if dpvs.deny.holds(named, source):
        return Decision("drop", f"{source.text} is on the deny list")
    if dpvs.allow.holds(named, source) is False:
        return Decision("drop", f"{source.text} is not on the allow list")
    dest, template = _choose(dpvs, service, protocol, source, destination, port)
    if dest is None:
        return Decision("drop", "no real server to choose: none there, or all with weight 0")
    if dest.upper and dest.active + dest.inactive >= dest.upper:
        dest.overload = True  # known to the worker only: `ipvsadm -ln` never shows it
        return Decision("drop", f"{dest.address.text}:{dest.port} has its upper threshold of connections")
    if dest.method == "snat":
        conn = _snat(dpvs, dest, protocol, source, source_port, destination, port)
    else:
        conn = _balance(dpvs, service, dest, protocol, source, source_port, destination, port, template)
    if conn is None:
        return Decision("drop", _why_no_port(dpvs, service, dest))
    settings = service.settings
    conn.established_timeout = settings.conn_timeout or TIMEOUTS["TCP_EST"]
    # connections of a persistent service always behave as with --expire-quiescent (seen on 1.10-2)
    conn.expire_quiescent = settings.expire_quiescent or settings.persistent
    conn.synproxy = settings.synproxy and protocol == TCP
    if template is not None:
        conn.master = template
        template.controls += 1
    dpvs.conns.add(conn)
    dest.stats.conns += 1
    if conn.expire_quiescent and dest.weight == 0:  # a template leads there; the answer to the SYN finds the connection quiescent
        dpvs.conns.drop(conn)
        return Decision("drop", f"{dest.address.text}:{dest.port} is quiescent, and the client is tied to it by persistence")
    return _forward(dpvs, conn)


def _choose(dpvs: Dpvs, service: Service, protocol: int, source: Ip, destination: Ip, port: int) -> tuple[Dest | None, Conn | None]:
    """The real server for a new connection, and for a persistent service the template that ties the client to it."""
    settings = service.settings
    if not settings.persistent:
        return service.scheduler.choose(service, source), None
    if source.family == 4:
        # netmasks are kept in network order, as the address is
        masked = ips.from_bytes((source.number & settings.netmask).to_bytes(4, "big"))
    else:
        masked = ips.network(source, settings.netmask)
    key = (protocol, masked, 0, destination, port if port == service.key.port else 0)
    template = dpvs.conns.template(key)
    if template is not None and template.dest.available:
        return template.dest, template
    dest = service.scheduler.choose(service, source)
    if dest is None:
        return None, None
    template = Conn(protocol, masked, 0, destination, key[4], masked, 0, dest.address, 0, dest, dest.method)
    template.template, template.timeout = True, settings.timeout
    dpvs.conns.add(template)
    return dest, template


def _balance(
    dpvs: Dpvs, service: Service, dest: Dest, protocol: int, source: Ip, source_port: int, vip: Ip, port: int, template: Conn | None
) -> Conn | None:
    server_port = port if template is not None and port != service.key.port else dest.port
    conn = Conn(protocol, source, source_port, vip, port, source, source_port, dest.address, server_port, dest, dest.method)
    if dest.method != "fnat":
        return conn
    for _ in range(min(16, len(service.laddrs))):
        laddr = _next_laddr(dpvs, service)
        owner = dpvs.addresses.owner(laddr.ip, laddr.device)
        if owner is None or owner.pool is None or laddr.ip.family != dest.address.family:
            continue
        local_port = owner.pool.fetch(dest.address, server_port)
        if local_port is not None:
            conn.local, conn.local_port, conn.laddr, conn.owner = laddr.ip, local_port, laddr, owner
            return conn
    return None


def _next_laddr(dpvs: Dpvs, service: Service) -> Laddr:
    """The LIP after the one used last; under rr and wrr sometimes (5 %) one is left out, so that LIPs and servers don't march in step."""
    step = 2 if service.settings.scheduler.startswith(("rr", "wrr")) and dpvs.random.random() < 0.05 else 1
    service.laddr_cursor = (service.laddr_cursor + step) % len(service.laddrs)
    return service.laddrs[service.laddr_cursor]


def _snat(dpvs: Dpvs, dest: Dest, protocol: int, source: Ip, source_port: int, destination: Ip, port: int) -> Conn | None:
    owner: Address | None = None
    if protocol in (TCP, UDP, PROTOCOLS["sctp"]):
        owner = dpvs.addresses.owner(dest.address)
        mapped = owner.pool.fetch(destination, port) if owner is not None and owner.pool is not None else None
        if mapped is None:
            return None
        peer_port = port
    else:
        mapped, peer_port = source_port, 8  # an echo keeps its id; its type takes the place of the peer's port
    conn = Conn(protocol, destination, peer_port, dest.address, mapped, destination, peer_port, source, source_port, dest, "snat")
    conn.owner = owner
    return conn


def _why_no_port(dpvs: Dpvs, service: Service, dest: Dest) -> str:
    if dest.method == "snat":
        return f"{dest.address.text} has no pool of source ports (dpip addr add … sapool)"
    if not service.laddrs:
        return "the service has no LIP"
    names = ", ".join(laddr.ip.text for laddr in service.laddrs)
    if not any((o := dpvs.addresses.owner(laddr.ip, laddr.device)) and o.pool for laddr in service.laddrs):
        return f"no LIP has a pool of source ports: {names}"
    return f"no source port left on {names}"


def _forward(dpvs: Dpvs, conn: Conn) -> Decision:
    conn.datagrams += 1
    if conn.method == "snat":
        target, source, target_port, source_port = conn.client, conn.vip, conn.client_port, conn.vip_port
    else:
        target, source, target_port, source_port = conn.server, conn.local, conn.server_port, conn.local_port
    if conn.method in ("dr", "tunnel"):
        target_port = conn.vip_port
    route = output(dpvs, target)
    if route is None:
        return Decision("drop", f"no route to {target.text}", method=conn.method, conn=conn)
    next_hop = target if route.via.any else route.via
    limit = dpvs.settings.uoa_max_trail if dpvs.settings.uoa_mode == "opp" else 0
    return Decision(
        "forward",
        "by a service",
        method=conn.method,
        server=Endpoint(target.text, target_port),
        source=Endpoint(source.text, source_port),
        device=route.device.name,
        next_hop=next_hop.text,
        conn=conn,
        uoa=conn.protocol == UDP and conn.method == "fnat" and conn.datagrams <= limit,
        synproxy=conn.synproxy,
    )


def _without_service(dpvs: Dpvs, destination: Ip, device: Device) -> Decision:
    table = dpvs.routes if destination.family == 4 else dpvs.routes6
    if table.local(destination, device) is not None:
        return Decision("local", "an address of DPVS itself, and no service on it")
    route = output(dpvs, destination)
    if route is None or route.kind != "net":
        return Decision("drop", f"no route to {destination.text}")
    next_hop = destination if route.via.any else route.via
    return Decision("route", "no service takes it", device=route.device.name, next_hop=next_hop.text)


def _match(dpvs: Dpvs, protocol: int, source: Ip, source_port: int, destination: Ip, port: int, device: Device) -> Service | None:
    """The match service that takes a packet which is to be routed on."""
    if not dpvs.services.matches:
        return None
    route = output(dpvs, destination)
    if route is None or route.kind != "net":
        return None
    for service in dpvs.services.matches:
        match = service.key.match
        if (
            service.key.protocol == protocol
            and service.key.family == source.family
            and _inside(match.source, source, source_port)
            and _inside(match.destination, destination, port)
            and match.iif in ("", device.name)
            and match.oif in ("", route.device.name)
        ):
            return service
    return None


def _inside(limits: Range, ip: Ip, port: int) -> bool:
    if limits.low > limits.high or limits.low_port > limits.high_port:
        return False
    if any(limits.high) and not limits.low <= ip.packed <= limits.high:
        return False
    return not limits.high_port or limits.low_port <= port <= limits.high_port
