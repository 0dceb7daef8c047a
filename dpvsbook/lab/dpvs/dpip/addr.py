"""`dpip addr`: the addresses that DPVS owns (transcripts 03, 05, 08, 12)."""

from __future__ import annotations

from dpvsbook.lab.dpvs import control_net as control
from dpvsbook.lab.dpvs import errors
from dpvsbook.lab.dpvs.addresses import Address
from dpvsbook.lab.dpvs.devices import Device
from dpvsbook.lab.dpvs.dpip.call import Call, Fail, NotHere
from dpvsbook.lab.dpvs.ip import Ip, atoi
from dpvsbook.lab.dpvs.process import Dpvs
from dpvsbook.lab.dpvs.sockopt import Message

USAGE = """Usage:
    dpip [-6] addr show [dev DEVICE]
    dpip [-6] addr add|set ADDRESS[/LENGTH] dev DEVICE [broadcast ADDRESS] [scope host|link|global|NUMBER]
                           [valid_lft forever] [sapool]
    dpip [-6] addr del ADDRESS[/LENGTH] dev DEVICE
    dpip addr flush dev DEVICE
"""
_SCOPES = {"global": 0, "site": 1, "link": 2, "host": 3}
_SCOPE_NAMES = {number: name for name, number in _SCOPES.items()}


def run(call: Call) -> None:
    """Carry out one call."""
    device, scope, broadcast, sapool = "", 0, None, False
    prefix: str | None = None
    family = call.options.family
    while call.words:
        word = call.words.pop(0)
        if word == "dev":
            device = call.next("dev")[:15]
        elif word == "scope":
            value = call.next("scope")
            scope = _SCOPES[value] if value in ("host", "link", "global") else atoi(value) & 0xFF
        elif word == "broadcast":
            broadcast = call.address(call.next("broadcast"), family)
            family = broadcast.family
        elif word in ("valid_lft", "prefered_lft"):
            value = call.next(word)
            if word == "valid_lft" and value != "forever" and atoi(value):
                raise NotHere("an address with a lifetime (real DPVS 1.10-2 hangs when it ends)")
        elif word == "sapool":
            sapool = True
        else:
            prefix = word
    if call.command in ("add", "del", "set") and prefix is None:
        raise call.bad("missing IFADDR")
    ip, length = _prefix(call, prefix, family) if prefix is not None else (None, 0)
    if call.command != "show" and not device:
        raise call.bad("no device specified.")
    if call.command == "show":
        _show(call, device)
    elif call.command == "add":
        call.wire.ask(
            Message.ADDRESS_ADD,
            lambda dpvs: control.add_address(dpvs, device, ip, length, scope=scope, broadcast=broadcast, sapool=sapool),
        )
    elif call.command == "del":
        call.wire.ask(Message.ADDRESS_DEL, lambda dpvs: control.del_address(dpvs, device, ip, length))
    elif call.command == "set":
        call.wire.ask(
            Message.ADDRESS_SET,
            lambda dpvs: control.set_address(dpvs, device, ip, length, scope=scope, broadcast=broadcast),
        )
    elif call.command == "flush":
        call.wire.ask(Message.ADDRESS_FLUSH, lambda dpvs: control.flush_addresses(dpvs, device))
    else:
        raise call.unsupported()


def _prefix(call: Call, text: str, family: int) -> tuple[Ip, int]:
    address, slash, length = text.partition("/")
    ip = call.address(address, family)
    number = atoi(length) & 0xFF if slash else 0
    return ip, number or len(ip.packed) * 8


def _show(call: Call, device: str) -> None:
    stats, verbose = call.options.stats, call.options.verbose

    def answer(dpvs: Dpvs) -> list[Address] | None:
        port: Device | None = dpvs.device(device) if device else None
        dpvs.conns.expire()
        if stats and not verbose and not dpvs.addresses.worker_agrees(port):
            worker = [a for a in dpvs.addresses.listed(port) if a.on_worker]
            dpvs.log.append(
                f"IFA: ifaddr_get_stats: ifa naddr does not match -- master={len(dpvs.addresses.listed(port))}, slave[1]={len(worker)}"
            )
            return None
        return dpvs.addresses.listed(port)

    found = call.wire.ask(Message.ADDRESS_SHOW, answer, worker=stats or verbose)
    if found is None:
        raise Fail(errors.INVAL, "corrupted response.")
    if verbose:
        text = [_line(entry, stats=True, lead="[00] ") for entry in found]
        text += [_line(entry, stats=True, lead="[01] ") for entry in found if entry.on_worker]
    else:
        text = [_line(entry, stats=stats) for entry in found]
    call.out("".join(text))


def _line(entry: Address, *, stats: bool, lead: str = "") -> str:
    family = "inet" if entry.ip.family == 4 else "inet6"
    scope = _SCOPE_NAMES.get(entry.scope, str(entry.scope))
    broadcast = f"broadcast {entry.broadcast.text}" if entry.broadcast is not None and not entry.broadcast.any else ""
    text = f"{lead}{family} {entry.ip.text}/{entry.prefixlen} scope {scope} {entry.device.name}"
    text += f"\n    {broadcast} valid_lft forever preferred_lft forever"
    if stats and entry.sapool:
        pool = entry.pool
        used, free, missed = (pool.used, pool.free, pool.missed) if pool is not None else (0, 0, 0)
        text += f" sa_used {used} sa_free {free} sa_miss {missed}"
    return text + "\n"
