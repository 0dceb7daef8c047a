"""`dpip vlan`: ports on ports (transcript 09). What it shows goes to standard error."""

from __future__ import annotations

from dataclasses import dataclass, replace

from dpvsbook.lab.dpvs import control_net, errors
from dpvsbook.lab.dpvs.devices import Counters, Device
from dpvsbook.lab.dpvs.dpip.call import Call, Fail
from dpvsbook.lab.dpvs.ip import atoi
from dpvsbook.lab.dpvs.process import Dpvs
from dpvsbook.lab.dpvs.sockopt import Message

USAGE = """Usage:
    dpip vlan add [NAME] link DEVICE [proto 802.1q] id NUMBER
    dpip vlan del NAME | link DEVICE id NUMBER
    dpip vlan show NAME | link DEVICE [id NUMBER]
"""


@dataclass(slots=True)
class _Words:
    name: str = ""
    link: str = ""
    proto: str = "802.1q"
    id: int = 0


def run(call: Call) -> None:
    """Carry out one call."""
    call.stage = "parse"
    words = _Words()
    while call.words:
        word = call.words.pop(0)
        if word == "link":
            words.link = call.next("link")[:15]
        elif word == "proto":
            proto = call.next("proto")
            if proto not in ("802.1q", "vlan", "802.1ad") and proto.lower() != "qinq":
                raise call.bad()
            words.proto = "802.1q" if proto in ("802.1q", "vlan") else "802.1ad"
        elif word == "id":
            words.id = atoi(call.next("id"))
        elif not words.name:
            words.name = word[:15]
        else:
            raise call.bad("too many arguments")
    if call.command == "add":
        if not words.link:
            raise Fail(errors.INVAL, "missing real device", "check")
        if not words.id:
            raise Fail(errors.INVAL, "missing or invalid VLAN ID", "check")
        call.wire.ask(Message.VLAN_ADD, lambda dpvs: _add(dpvs, words))
    elif call.command == "del":
        call.wire.ask(Message.VLAN_DEL, lambda dpvs: _delete(dpvs, words))
    elif call.command == "show":
        if not words.name and not words.link:
            raise Fail(errors.INVAL, "missing both vlan and real device", "check")
        for device in call.wire.ask(Message.VLAN_SHOW, lambda dpvs: _listed(dpvs, words)):
            call.err(f"{device.name} link {device.link} proto {device.vlan_proto} id {device.vlan}\n")
    else:
        raise Fail(errors.NOTSUPP, stage="check")


def _real(dpvs: Dpvs, words: _Words) -> Device:
    if words.link not in dpvs.devices:
        raise errors.Refused(errors.NODEV)
    if words.proto != "802.1q" or not 0 < words.id < 4096:
        raise errors.Refused(errors.INVAL)
    return dpvs.devices[words.link]


def _find(dpvs: Dpvs, link: str, number: int) -> Device | None:
    return next((device for device in dpvs.devices.values() if device.link == link and device.vlan == number), None)


def _add(dpvs: Dpvs, words: _Words) -> None:
    real = _real(dpvs, words)
    if words.name in dpvs.devices or _find(dpvs, words.link, words.id) is not None:
        raise errors.Refused(errors.EXIST)
    name = words.name or f"{words.link}.{words.id}"[:15]
    made = replace(real, name=name, mtu=1500, lldp=False, link=words.link, kind="vlan", vlan=words.id, counters=Counters(), below=real)
    dpvs.plug(made)


def _delete(dpvs: Dpvs, words: _Words) -> None:
    device = dpvs.devices.get(words.name)
    if words.name:
        if device is None or device.vlan is None:
            raise errors.Refused(errors.NOTEXIST)
    else:
        _real(dpvs, words)
        device = _find(dpvs, words.link, words.id)
        if device is None:
            raise errors.Refused(errors.NOTEXIST)
    control_net.flush_addresses(dpvs, device.name)
    control_net.flush_routes(dpvs, device.name)
    control_net.flush_routes6(dpvs, device.name)
    dpvs.unplug(device)


def _listed(dpvs: Dpvs, words: _Words) -> list[Device]:
    if words.name:
        if words.name not in dpvs.devices:
            raise errors.Refused(errors.NODEV)
        if dpvs.devices[words.name].vlan is None:
            raise errors.Refused(errors.INVAL)
        return [dpvs.devices[words.name]]
    if words.link not in dpvs.devices:
        raise errors.Refused(errors.NODEV)
    return [d for d in dpvs.devices.values() if d.link == words.link and words.id in (0, d.vlan) and d.vlan_proto == words.proto]
