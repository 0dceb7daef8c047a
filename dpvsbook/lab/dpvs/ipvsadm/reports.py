"""The commands of ipvsadm that only read: `-l`, `-S`, `-G`, `-B`, `-W`."""

from __future__ import annotations

from dataclasses import replace

from dpvsbook.lab.dpvs import control_ipvs as control
from dpvsbook.lab.dpvs import errors
from dpvsbook.lab.dpvs.acl import AccessList, Entry
from dpvsbook.lab.dpvs.conns import Conn
from dpvsbook.lab.dpvs.ip import ANY4, ANY6
from dpvsbook.lab.dpvs.ipvsadm.commands import NO_ERROR
from dpvsbook.lab.dpvs.ipvsadm.listing import TITLES, endpoint, print_service, sorted_services
from dpvsbook.lab.dpvs.ipvsadm.request import GiveUp, Request
from dpvsbook.lab.dpvs.process import Dpvs
from dpvsbook.lab.dpvs.services import PROTOCOL_NAMES, Service, ServiceKey
from dpvsbook.lab.dpvs.sockopt import Message, Wire, Writer

_LISTED = {"tcp": "TCP", "udp": "UDP", "sctp": "SCTP", "icmp": "ICMP", "icmpv6": "IMCPv6"}


def report(wire: Wire, request: Request, out: Writer, err: Writer) -> int:
    """Carry out a request that reads.

    :raises GiveUp: when dpvs doesn't answer; what was read before is out by then
    """
    if request.command == "S":
        _services(wire, request, out, "", rule=True)
    elif request.command == "G":
        _laddrs(wire, request, out)
    elif request.command in ("B", "W"):
        return _entries(wire, request, out, err)
    elif request.has("connection"):
        _conns(wire, request, out, err)
    elif request.has("timeout") or request.has("daemon"):
        raise GiveUp(1, "")
    else:
        kind = next((name for name in TITLES if request.has(name)), "")
        if request.has("service-address"):
            _one_service(wire, request, out, kind)
        else:
            _services(wire, request, out, kind, rule=False)
    return 0


def list_everything(wire: Wire, out: Writer) -> int:
    """`ipvsadm` without arguments."""
    _services(wire, Request("l"), out, "", rule=False)
    return 0


def _check_cpu(request: Request) -> None:
    if not 0 <= request.cpu <= 1:  # the master, and one worker
        raise errors.Refused(errors.INVAL)


def _all(wire: Wire, request: Request) -> list[Service]:
    def answer(dpvs: Dpvs) -> list[Service]:
        _check_cpu(request)
        dpvs.conns.expire()
        return list(dpvs.services)

    return wire.ask(Message.SERVICES_GET, answer)


def _services(wire: Wire, request: Request, out: Writer, kind: str, *, rule: bool) -> None:
    if not rule:
        out(f"IP Virtual Server version {wire.ask(Message.INFO, lambda dpvs: dpvs.version.dotted)} (size=0)\n")
    try:
        services = _all(wire, request)
    except errors.Refused:
        raise GiveUp(1, "") from None
    if not request.has("nosort"):
        services = sorted_services(services)
    if not rule:
        out(_title(kind))
    for service in services:
        _print(wire, request, service, kind, out, rule=rule)


def _title(kind: str) -> str:
    if kind:
        return f"{TITLES[kind]}\n  -> RemoteAddress:Port\n"
    return "Prot LocalAddress:Port Scheduler Flags\n  -> RemoteAddress:Port           Forward Weight ActiveConn InActConn\n"


def _print(wire: Wire, request: Request, service: Service, kind: str, out: Writer, *, rule: bool) -> None:
    try:
        answer = wire.ask(Message.DESTS_GET, lambda dpvs: control.shown(dpvs, service.key))
    except errors.Refused:
        raise GiveUp(1, NO_ERROR) from None
    service = replace(service, dests=answer.dests)
    out(print_service(service, kind, request.has("numeric"), not request.has("nosort"), request.has("exact"), rule))


def _one_service(wire: Wire, request: Request, out: Writer, kind: str) -> None:
    service = _shown(wire, request)
    out(_title(kind))
    _print(wire, request, service, kind, out, rule=False)


def _shown(wire: Wire, request: Request) -> Service:
    def answer(dpvs: Dpvs) -> Service:
        _check_cpu(request)
        dpvs.conns.expire()
        return control.shown(dpvs, request.key)

    try:
        return wire.ask(Message.SERVICE_GET, answer)
    except errors.Refused:
        raise GiveUp(1, NO_ERROR) from None


def _conns(wire: Wire, request: Request, out: Writer, err: Writer) -> None:
    if request.sockpair is not None:
        wanted = request.sockpair

        def find(dpvs: Dpvs) -> list[Conn]:
            found = dpvs.conns.template(wanted) if request.has("persistent-conn") else dpvs.conns.find(wanted)
            if found is None:
                raise errors.Refused(errors.NOTEXIST)
            return [found]

        try:
            conns = wire.ask(Message.CONN_GET, find)
        except errors.Refused as refusal:
            err(f"dp_vs_get_conns: got errcode {refusal.code} from dpvs_getsockopt\nconnection specified not found\n")
            return
    else:
        templates = request.has("persistent-conn")
        try:
            conns = wire.ask(Message.CONNS_GET, lambda dpvs: dpvs.conns.templates() if templates else list(dpvs.conns))
        except errors.Refused as refusal:
            err(f"dp_vs_get_conns: got errcode {refusal.code} from dpvs_getsockopt\n")
            return
    out("".join(_conn(conn, request.has("numeric")) for conn in conns))


def _conn(conn: Conn, numeric: bool) -> str:
    protocol = PROTOCOL_NAMES[conn.protocol]
    client = endpoint(conn.client, conn.client_port, conn.protocol, numeric)
    vip = endpoint(conn.vip, conn.vip_port, conn.protocol, numeric)
    local = endpoint(conn.local, conn.local_port, conn.protocol, numeric)
    server = endpoint(conn.server, conn.server_port, conn.protocol, numeric)
    timeout = f"{conn.timeout}s"
    lcore = 0 if conn.template else 1
    return f"[{lcore}]{protocol:<3} {timeout:<6} {conn.state:<11} {client:<18} {vip:<18} {local:<18} {server}\n"


def _laddrs(wire: Wire, request: Request, out: Writer) -> None:
    if request.has("service-address"):
        services = [_shown(wire, request)]
    else:
        try:
            services = _all(wire, request)
        except errors.Refused:
            raise GiveUp(1, NO_ERROR) from None
    for at, service in enumerate(services):
        try:
            wire.ask(Message.LADDR_GET, lambda _: None)
        except errors.Refused:
            raise GiveUp(1, NO_ERROR) from None
        if at == 0:
            out(f"{'VIP:VPORT':<20} {'TOTAL':<8} {'SNAT_IP':<20} {'CONFLICTS':<10} {'CONNS':<10}\n")
        key = service.key
        vip = endpoint(key.address or (ANY6 if key.family == 6 else ANY4), key.port, key.protocol, numeric=True)
        vip = vip if key.family else f"[(null)]:{key.port}"
        lines = [f"{vip:<20} {len(service.laddrs):<8} \n"]
        lines += [f"{'':<20} {'':<8} {laddr.ip.text:<20} {laddr.conflicts:<10} {laddr.conns:<10}\n" for laddr in service.laddrs]
        out("".join(lines))


def _entries(wire: Wire, request: Request, out: Writer, err: Writer) -> int:
    kind, message = ("BLACKLIST", Message.DENY_GET) if request.command == "B" else ("WHITELIST", Message.ALLOW_GET)

    def entries(dpvs: Dpvs) -> AccessList:
        return dpvs.deny if request.command == "B" else dpvs.allow

    title = f"{'PROTO':<8} {'VIP:VPORT':<30} {kind:<30}\n"
    if request.has("service-address"):
        out(title)
        keys = [request.key]
    else:
        try:
            keys = [service.key for service in _all(wire, request)]
        except errors.Refused:
            raise GiveUp(1, NO_ERROR) from None
    try:
        found = wire.ask(message, entries)
    except errors.Refused as refusal:
        err(f"{NO_ERROR}\n")
        return -1 if request.has("service-address") else refusal.code
    if not request.has("service-address"):
        out(title)
    for key in keys:
        for entry in found:
            if _is_for(entry, key):
                vip = endpoint(entry.address, entry.port, entry.protocol, numeric=True)
                subject = f"ipset:{entry.ipset}" if entry.ipset else entry.subject.text
                out(f"{_LISTED[PROTOCOL_NAMES[entry.protocol]]:<8} {vip:<30} {subject:<30}\n")
    return 0


def _is_for(entry: Entry, key: ServiceKey) -> bool:
    """Is the entry one of this service's? The service's family says how much of the addresses is compared, and that is all it says."""
    width = {4: 4, 6: 16}.get(key.family, 0)
    mine, address = (key.address.packed if key.address else b"").ljust(16, b"\0"), entry.address.packed.ljust(16, b"\0")
    return width > 0 and (key.protocol, key.port, mine[:width]) == (entry.protocol, entry.port, address[:width])
