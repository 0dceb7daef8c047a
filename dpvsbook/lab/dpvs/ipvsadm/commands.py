"""What ipvsadm does with a request: the messages it sends to dpvs, and its exit status."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from dpvsbook.lab.dpvs import control_ipvs as control
from dpvsbook.lab.dpvs import control_net, errors
from dpvsbook.lab.dpvs.acl import Entry
from dpvsbook.lab.dpvs.ip import ANY4, ANY6, Ip, from_bytes
from dpvsbook.lab.dpvs.ipvsadm.request import Request
from dpvsbook.lab.dpvs.process import Dpvs
from dpvsbook.lab.dpvs.services import Dest, Settings
from dpvsbook.lab.dpvs.sockopt import Message, Wire, Writer

#: what the C library says about errno 0, which is what ipvsadm prints after most failures
NO_ERROR = "Success"


def change(wire: Wire, request: Request, err: Writer) -> int:
    """Carry out a request that changes something; the result is ipvsadm's, 0 or negative."""
    if request.command in ("set", "start-daemon", "stop-daemon"):
        # these still talk to a socket that this ipvsadm never opens (transcript 05)
        err("Bad file descriptor\n")
        return -1
    try:
        _SENDERS[request.command](wire, request, err)
    except errors.Refused as refusal:
        err(f"{NO_ERROR}\n")
        return refusal.code
    return 0


def _add_service(wire: Wire, request: Request, _err: Writer) -> None:
    wire.ask(Message.SERVICE_ADD, lambda dpvs: control.add_service(dpvs, request.key, request.settings))


def _edit_service(wire: Wire, request: Request, err: Writer) -> None:
    """Read the service, change what was given, write it back. Persistence can't be taken away; conn-timeout and proxy-protocol that
    are not given are reset, and so are the checks (transcript 09)."""
    try:
        old = wire.ask(Message.SERVICE_GET, lambda dpvs: control.shown(dpvs, request.key))
    except errors.Refused:
        err(f"{NO_ERROR}\n")
        raise errors.Refused(errors.INVAL) from None
    wire.ask(Message.SERVICE_EDIT, lambda dpvs: control.edit_service(dpvs, old.key, _edited(old.settings, old.key.family, request)))


def _edited(old: Settings, family: int, request: Request) -> Settings:
    new = request.settings
    merged = replace(old, conn_timeout=new.conn_timeout, proxy_protocol=new.proxy_protocol)
    if request.has("scheduler"):
        merged.scheduler = new.scheduler
        if new.scheduler == "conhash":
            merged.sip_hash = True
        else:
            merged.sip_hash = merged.qid_hash = False
    if request.has("persistent"):
        merged.persistent, merged.timeout = True, new.timeout
    if request.has("netmask"):
        merged.netmask = new.netmask
        if request.key.family == 6 and family == 4:  # a prefix length, in the memory of a mask
            merged.netmask = int.from_bytes(new.netmask.to_bytes(4, "little"), "big")
    if request.has("synproxy"):
        merged.synproxy = new.synproxy
    merged.expire_quiescent |= new.expire_quiescent
    merged.ops |= new.ops
    if request.has("hash-target"):
        merged.sip_hash, merged.qid_hash = new.sip_hash, new.qid_hash
    if new.check.sane():
        merged.check = new.check
    return merged


def _delete_service(wire: Wire, request: Request, _err: Writer) -> None:
    wire.ask(Message.SERVICE_DEL, lambda dpvs: control.delete_service(dpvs, request.key))


def _flush(wire: Wire, _request: Request, _err: Writer) -> None:
    wire.ask(Message.FLUSH, control.flush)


def _zero(wire: Wire, request: Request, _err: Writer) -> None:
    wire.ask(Message.ZERO, lambda dpvs: control.zero(dpvs, request.key))


def _dest(request: Request) -> Dest:
    weight = request.weight if request.weight < 32768 else request.weight - 65536  # dpvs keeps 16 bits with a sign
    return Dest(request.server or ANY4, request.server_port, request.method, weight, request.upper, request.lower)


def _add_dest(wire: Wire, request: Request, _err: Writer) -> None:
    wire.ask(Message.DEST_ADD, lambda dpvs: control.add_dest(dpvs, request.key, _dest(request)))


def _edit_dest(wire: Wire, request: Request, _err: Writer) -> None:
    wire.ask(Message.DEST_EDIT, lambda dpvs: control.edit_dest(dpvs, request.key, _dest(request)))


def _delete_dest(wire: Wire, request: Request, _err: Writer) -> None:
    wire.ask(Message.DEST_DEL, lambda dpvs: control.delete_dest(dpvs, request.key, request.server or ANY4, request.server_port))


def _address_first(wire: Wire, message: Message, act: Callable[[Dpvs], None]) -> None:
    """A LIP's address is added or deleted first, and whatever comes of that, ipvsadm goes on (transcripts 05, 12)."""
    try:
        wire.ask(message, act)
    except errors.Refused:
        return


def _add_laddr(wire: Wire, request: Request, _err: Writer) -> None:
    ip = request.laddr or ANY4
    length = len(ip.packed) * 8
    _address_first(wire, Message.ADDRESS_ADD, lambda dpvs: control_net.add_address(dpvs, request.ifname, ip, length, sapool=True))
    wire.ask(Message.LADDR_ADD, lambda dpvs: control.add_laddr(dpvs, request.key, ip, request.ifname))


def _delete_laddr(wire: Wire, request: Request, _err: Writer) -> None:
    ip = request.laddr or ANY4
    length = len(ip.packed) * 8
    _address_first(wire, Message.ADDRESS_DEL, lambda dpvs: control_net.del_address(dpvs, request.ifname, ip, length))
    wire.ask(Message.LADDR_DEL, lambda dpvs: control.delete_laddr(dpvs, request.key, ip))


def _entry(request: Request) -> Entry:
    key = request.key
    address: Ip = key.address or (ANY6 if key.family == 6 else ANY4)
    subject = request.subject
    if subject is None:  # a set; and one without a name is no set
        subject = ANY6 if key.family == 6 else ANY4
    if subject.family == 6 and key.family == 4:
        subject = from_bytes(subject.packed[:4])  # of a v6 client on a v4 service's list, the first four bytes are taken
    return Entry(key.family, key.protocol, address, key.port, subject, request.ipset)


def _deny(wire: Wire, request: Request, _err: Writer) -> None:
    wire.ask(Message.DENY_ADD, lambda dpvs: dpvs.deny.add(_entry(request)))


def _undeny(wire: Wire, request: Request, _err: Writer) -> None:
    wire.ask(Message.DENY_DEL, lambda dpvs: dpvs.deny.remove(_entry(request)))


def _allow(wire: Wire, request: Request, _err: Writer) -> None:
    wire.ask(Message.ALLOW_ADD, lambda dpvs: dpvs.allow.add(_entry(request)))


def _disallow(wire: Wire, request: Request, _err: Writer) -> None:
    wire.ask(Message.ALLOW_DEL, lambda dpvs: dpvs.allow.remove(_entry(request)))


_SENDERS: dict[str, Callable[[Wire, Request, Writer], None]] = {
    "A": _add_service,
    "E": _edit_service,
    "D": _delete_service,
    "C": _flush,
    "Z": _zero,
    "a": _add_dest,
    "e": _edit_dest,
    "d": _delete_dest,
    "P": _add_laddr,
    "Q": _delete_laddr,
    "U": _deny,
    "V": _undeny,
    "O": _allow,
    "Y": _disallow,
}
