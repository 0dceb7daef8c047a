"""`dpip tunnel`: ipip and gre devices (transcript 09)."""

from __future__ import annotations

from dataclasses import replace

from dpvsbook.lab.dpvs import errors
from dpvsbook.lab.dpvs import ip as ips
from dpvsbook.lab.dpvs.devices import Counters, Device
from dpvsbook.lab.dpvs.dpip.call import Call, Fail, NotHere
from dpvsbook.lab.dpvs.ip import atoi
from dpvsbook.lab.dpvs.process import Dpvs, Tunnel
from dpvsbook.lab.dpvs.sockopt import Message

USAGE = """Usage:
    dpip tunnel add|del|show [NAME] [mode ipip|gre] [local ADDRESS|any] [remote ADDRESS|any] [dev DEVICE]
                             [ttl NUMBER|inherit] [tos NUMBER|inherit]
"""
#: what is left of 1,500 bytes inside
_HEADERS = {"ipip": 20, "gre": 24}
_GRE_ONLY = ("iseq", "oseq", "seq", "ikey", "okey", "key", "icsum", "ocsum", "csum")


def run(call: Call) -> None:
    """Carry out one call."""
    call.stage = "parse"
    tunnel = Tunnel("", "")
    while call.words:
        _take(call, tunnel, call.words.pop(0))
    if call.command == "add":
        if not tunnel.kind:
            raise Fail(errors.INVAL, "missing tunnel type.", "check")
        call.wire.ask(Message.TUNNEL_ADD, lambda dpvs: _add(dpvs, tunnel))
    elif call.command == "del":
        if not tunnel.name:
            raise Fail(errors.INVAL, "missing tunnel dev name.", "check")
        call.wire.ask(Message.TUNNEL_DEL, lambda dpvs: _delete(dpvs, tunnel))
    elif call.command == "show":
        try:
            found = call.wire.ask(Message.TUNNEL_SHOW, lambda dpvs: _listed(dpvs, tunnel))
        except errors.Refused:
            raise Fail(errors.INVAL) from None
        call.out("".join(_line(one) for one in found))
    elif call.command in ("set", "replace"):
        if not tunnel.name:
            raise Fail(errors.INVAL, "missing tunnel dev name.", "check")
        raise NotHere(f"tunnel {call.command}")
    else:
        raise Fail(errors.NOTSUPP, stage="check")


def _take(call: Call, tunnel: Tunnel, word: str) -> None:
    if word in ("mode", "type", "kind"):
        tunnel.kind = call.next(word)[:15]
    elif word in ("remote", "local"):
        value = call.next(word)
        ip = ips.ANY4 if value == "any" else ips.parse(value, 4)
        if ip is None:
            raise call.bad(f"invalid {word} address: `{value}'")
        setattr(tunnel, word, ip.text)
    elif word == "ttl":
        value = call.next(word)
        tunnel.ttl = 0 if value == "inherit" else atoi(value) & 0xFF
    elif word == "tos":
        value = call.next(word)
        tunnel.tos = 1 if value == "inherit" else atoi(value) & 0xFF
    elif word == "dev":
        tunnel.link = call.next(word)[:15]
    elif word in _GRE_ONLY:
        raise NotHere(f"tunnel … {word}")
    elif tunnel.name:
        raise call.bad(f"Is `{word}' or `{tunnel.name}' garbage ?")
    else:
        tunnel.name = word[:15]


def _add(dpvs: Dpvs, tunnel: Tunnel) -> None:
    if tunnel.name in dpvs.objects.tunnels:
        raise errors.Refused(errors.EXIST)
    if tunnel.kind not in _HEADERS or tunnel.name in dpvs.devices:
        raise errors.Refused(errors.INVAL)
    below = dpvs.devices.get(tunnel.link)
    if below is None:
        tunnel.link = ""  # a device that isn't there is passed over
        port = Device(tunnel.name, "00:00:00:00:00:00", speed=0, duplex="half", up=False, promisc=False, lldp=False)
    else:
        port = replace(below, name=tunnel.name, lldp=False, link=None, vlan=None, counters=Counters(), below=below)
    port.kind, port.mtu = "tunnel", (below.mtu if below else 1500) - _HEADERS[tunnel.kind]
    dpvs.plug(port)
    if not tunnel.name:
        dpvs.unplug(port)
        tunnel.name = port.name = f"{tunnel.kind}{port.index - 1}"  # named by the number of its port
        dpvs.plug(port)
    dpvs.objects.tunnels[tunnel.name] = tunnel


def _delete(dpvs: Dpvs, tunnel: Tunnel) -> None:
    if tunnel.name in dpvs.devices and tunnel.name not in dpvs.objects.tunnels:
        raise errors.Refused(errors.INVAL)
    if dpvs.objects.tunnels.pop(tunnel.name, None) is None:
        raise errors.Refused(errors.NOTEXIST)
    dpvs.unplug(dpvs.devices[tunnel.name])


def _listed(dpvs: Dpvs, tunnel: Tunnel) -> list[Tunnel]:
    known = dpvs.objects.tunnels
    if tunnel.name:
        if tunnel.name not in known:
            raise errors.Refused(errors.NOTEXIST)
        return [known[tunnel.name]]
    if tunnel.kind and tunnel.kind not in _HEADERS:
        raise errors.Refused(errors.INVAL)
    link = tunnel.link if tunnel.link in dpvs.devices else ""
    return [one for one in known.values() if tunnel.kind in ("", one.kind) and link in ("", one.link)]


def _line(tunnel: Tunnel) -> str:
    text = f"{tunnel.name}: {tunnel.kind:>4} remote {tunnel.remote} local {tunnel.local} "
    text += f"dev {tunnel.link} " if tunnel.link else ""
    text += f"ttl {tunnel.ttl} " if tunnel.ttl else "ttl inherit "
    text += f"tos 0x{tunnel.tos:x} " if tunnel.tos else ""
    return text + "\n"
