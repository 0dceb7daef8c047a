"""`dpip route`, IPv4 and (with -6) IPv6: two tables with two ways to print and to fail (transcripts 03, 05, 07, 08)."""

from __future__ import annotations

from dataclasses import dataclass

from dpvsbook.lab.dpvs import control_net as control
from dpvsbook.lab.dpvs import errors
from dpvsbook.lab.dpvs.devices import Device
from dpvsbook.lab.dpvs.dpip.call import Call, Fail
from dpvsbook.lab.dpvs.ip import ANY4, ANY6, Ip, atoi, from_bytes
from dpvsbook.lab.dpvs.process import Dpvs
from dpvsbook.lab.dpvs.routes import Route
from dpvsbook.lab.dpvs.routes6 import Route6
from dpvsbook.lab.dpvs.sockopt import Message

USAGE = """Usage:
    dpip [-6] route show [dev DEVICE]
    dpip [-6] route add|del PREFIX [via ADDRESS] dev DEVICE [src ADDRESS] [mtu NUMBER] [metric NUMBER]
                            [scope host|kni_host|link|global]
    dpip [-6] route flush dev DEVICE
    PREFIX is ADDRESS/LENGTH, ADDRESS or default.
"""


@dataclass(slots=True)
class _Words:
    family: int
    device: str = ""
    via: Ip | None = None
    src: Ip | None = None
    mtu: int = 0
    metric: int = 0
    kind: str = "net"
    prefix: str | None = None


def run(call: Call) -> None:
    """Carry out one call."""
    six = call.options.family == 6
    words = _read(call, six)
    if call.command == "show":
        call.out(_show6(call, words.device) if six else _show4(call, words.device))
        return
    if call.command == "flush":
        if not words.device:
            raise call.bad("no device specified")
        if six:
            call.wire.ask(Message.ROUTE6_FLUSH, lambda dpvs: control.flush_routes6(dpvs, words.device))
        else:
            call.wire.ask(Message.ROUTE_FLUSH, lambda dpvs: control.flush_routes(dpvs, words.device))
        return
    if words.prefix is None:
        raise call.bad("missing prefix")
    to, length = _prefix(call, words, words.prefix, six)
    if call.options.verbose:
        call.out(_spoken6(words, to, length) if six else _spoken4(words, to, length))
    if six:
        _change6(call, words, to, length)
    else:
        _change4(call, words, to, length)


def _read(call: Call, six: bool) -> _Words:
    words = _Words(0 if six else call.options.family)
    while call.words:
        word = call.words.pop(0)
        if word in ("via", "src"):
            ip = call.address(call.next(word), words.family)
            words.family = ip.family
            if word == "via":
                words.via = ip
            else:
                words.src = ip
        elif word == "dev":
            words.device = call.next("dev")[:15]
        elif word == "mtu":
            words.mtu = atoi(call.next("mtu"))
        elif word == "metric":
            words.metric = atoi(call.next("metric"))
        elif word == "scope":
            scope = call.next("scope")
            words.kind = scope if scope in ("host", "kni_host") else "net"
        elif six and word in ("tos", "proto"):
            call.next(word)
        elif word == "local":
            words.kind = "host" if six else words.kind
        elif not (six and word == "onlink"):
            words.prefix = word
    return words


def _prefix(call: Call, words: _Words, text: str, six: bool) -> tuple[Ip, int]:
    if text == "default":
        words.family = words.family or (6 if six else 4)
        return (ANY6 if words.family == 6 else ANY4), 0
    address, slash, length = text.partition("/")
    to = call.address(address, words.family)
    words.family = to.family
    return to, (atoi(length) if slash else 0) or (128 if six else len(to.packed) * 8)


def _change4(call: Call, words: _Words, to: Ip, length: int) -> None:
    via, src = words.via or ANY4, words.src or ANY4
    if call.command == "add":
        call.wire.ask(
            Message.ROUTE_ADD,
            lambda dpvs: control.add_route(
                dpvs, to, length, words.device, kind=words.kind, via=via, src=src, mtu=words.mtu, metric=words.metric
            ),
        )
    elif call.command == "del":
        call.wire.ask(Message.ROUTE_DEL, lambda dpvs: control.del_route(dpvs, to, length, words.device, kind=words.kind))
    elif call.command == "set":
        call.wire.ask(Message.ROUTE_SET, lambda dpvs: control.set_route(dpvs, to, length, words.device, kind=words.kind))
    else:
        raise call.unsupported()


def _change6(call: Call, words: _Words, to: Ip, length: int) -> None:
    if call.command not in ("add", "del"):
        raise call.unsupported()
    to, via, src = _wide(to), _wide(words.via or ANY6), _wide(words.src or ANY6)
    if call.command == "add":
        call.wire.ask(
            Message.ROUTE6_SET,
            lambda dpvs: control.add_route6(dpvs, to, length, words.device, kind=words.kind, via=via, src=src, mtu=words.mtu),
        )
    else:
        call.wire.ask(Message.ROUTE6_SET, lambda dpvs: control.del_route6(dpvs, to, length, words.device))


def _wide(ip: Ip) -> Ip:
    """A v4 address with `-6` is no mistake to dpip: four bytes where sixteen are expected, and the rest is zero."""
    return from_bytes(ip.packed + bytes(16 - len(ip.packed)))


def _show4(call: Call, device: str) -> str:
    def answer(dpvs: Dpvs) -> tuple[list[Route], int]:
        return list(dpvs.routes.listed(dpvs.device(device) if device else None)), len(list(dpvs.routes.listed()))

    routes, total = call.wire.ask(Message.ROUTE_SHOW, answer)
    if len(routes) != total:  # the answer has room for all routes, and dpip doesn't take one that isn't full
        raise Fail(errors.INVAL, "corrupted response.")
    return "".join(_line4(route) for route in routes)


def _line4(route: Route) -> str:
    return (
        f"inet {route.to.text}/{route.length} via {route.via.text} src {route.src.text} dev {route.device.name}"
        f" mtu {route.mtu} tos 0 scope {route.scope} metric {route.metric} proto auto \n"
    )


def _spoken4(words: _Words, to: Ip, length: int) -> str:
    """What -v says of the route that is about to be sent."""
    return _line4(Route(to, length, Device(words.device, ""), words.kind, words.via or ANY4, words.src or ANY4, words.mtu, words.metric))


def _spoken6(words: _Words, to: Ip, length: int) -> str:
    return _line6(Route6(to, length, Device(words.device, ""), words.kind, words.via or ANY6, words.src or ANY6, words.mtu))


def _show6(call: Call, device: str) -> str:
    def answer(dpvs: Dpvs) -> list[Route6] | None:
        if device and device not in dpvs.devices:
            return None
        return list(dpvs.routes6.listed(dpvs.device(device) if device else None))

    routes = call.wire.ask(Message.ROUTE6_SHOW, answer)
    if routes is None:  # dpvs sends nothing then, and no error
        raise call.bad("corrupted response.")
    return "".join(_line6(route) for route in routes)


def _line6(route: Route6) -> str:
    text = "inet6 default" if route.to.any and route.length == 0 else f"inet6 {route.to.text}/{route.length}"
    text += f" via {route.via.text}" if not route.via.any else ""
    text += f" src {route.src.text}" if not route.src.any else ""
    text += f" dev {route.device.name}"
    text += f" mtu {route.mtu}" if route.mtu else ""
    return f"{text} scope {route.scope}\n"
