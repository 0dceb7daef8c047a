"""`dpip neigh`: who is where on the link (transcripts 03, 05, 08, 09)."""

from __future__ import annotations

import re

from dpvsbook.lab.dpvs import errors
from dpvsbook.lab.dpvs.devices import Device
from dpvsbook.lab.dpvs.dpip.call import Call
from dpvsbook.lab.dpvs.ip import Ip
from dpvsbook.lab.dpvs.neighbours import Neighbour
from dpvsbook.lab.dpvs.process import Dpvs
from dpvsbook.lab.dpvs.sockopt import Message

USAGE = """Usage:
    dpip neigh show [dev DEVICE]
    dpip neigh add ADDRESS lladdr MAC dev DEVICE
    dpip neigh del ADDRESS dev DEVICE
"""
_MAC = re.compile(r":".join([r"\s*(?:0[xX])?([0-9a-fA-F]{1,2})"] * 6))


def run(call: Call) -> None:
    """Carry out one call."""
    device, mac = "", ""
    address: str | None = None
    while call.words:
        word = call.words.pop(0)
        if word == "dev":
            device = call.next("dev")[:15]
        elif word == "lladdr":
            found = _MAC.match(call.next("lladdr"))
            if found is None:
                raise call.bad("invalid link layer addr")
            mac = ":".join(f"{int(octet, 16):02x}" for octet in found.groups())
        else:
            address = word
    if call.command in ("add", "del") and address is None:
        raise call.bad("missing ip address")
    ip = _address(call, address) if address is not None else None
    if call.command == "show":
        call.out("".join(_line(entry) for entry in call.wire.ask(Message.NEIGHBOUR_SHOW, lambda dpvs: _listed(dpvs, device))))
    elif call.command == "add":
        if not mac.strip("0:"):
            raise call.bad("invalid MAC address")
        call.wire.ask(Message.NEIGHBOUR_ADD, lambda dpvs: dpvs.neighbours.fix(_usable(ip), mac, _device(dpvs, device)))
    elif call.command == "del":
        call.wire.ask(Message.NEIGHBOUR_DEL, lambda dpvs: dpvs.neighbours.forget(_usable(ip), _device(dpvs, device)))
    else:
        raise call.unsupported()


def _address(call: Call, text: str) -> Ip:
    try:
        return call.address(text, call.options.family)
    except Exception as complaint:
        raise call.bad(f"{complaint}\ninvalid IP address") from None


def _usable(ip: Ip | None) -> Ip:
    if ip is None or ip.any:
        raise errors.Refused(errors.INVAL)
    return ip


def _device(dpvs: Dpvs, name: str) -> Device:
    if name not in dpvs.devices:
        raise errors.Refused(errors.INVAL)
    return dpvs.devices[name]


def _listed(dpvs: Dpvs, device: str) -> list[Neighbour]:
    return list(dpvs.neighbours.listed(dpvs.device(device) if device else None))


def _line(entry: Neighbour) -> str:
    static = "static" if entry.static else ""
    return f"ip: {entry.ip.text:<48} mac: {entry.mac}   state: {entry.state:<12}  dev: {entry.device.name}  core: 1  {static}\n"
