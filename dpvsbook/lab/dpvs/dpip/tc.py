"""`dpip qsch` and `dpip cls`: queueing disciplines (fifo and tbf), and classes, of which there are none here (transcript 09)."""

from __future__ import annotations

import re

from dpvsbook.lab.dpvs import errors
from dpvsbook.lab.dpvs.dpip.call import Call, Fail, NotHere
from dpvsbook.lab.dpvs.ip import atoi
from dpvsbook.lab.dpvs.process import Dpvs, TcSchedule
from dpvsbook.lab.dpvs.sockopt import Message

QSCH_USAGE = """Usage:
    dpip qsch add|del|show dev DEVICE [handle H:] [root | parent H:] [bfifo|pfifo limit NUMBER]
    dpip qsch add dev DEVICE root tbf rate RATE burst BYTES [latency MS | limit BYTES] [peakrate RATE mtu BYTES]
"""
CLS_USAGE = """Usage:
    dpip cls show dev DEVICE [qsch H:]
"""
_ROOT = 0xFFFFFFFF
_INGRESS = 0xFFFFFFF1
_KINDS = ("bfifo", "pfifo", "pfifo_fast", "tbf")


def _handle(text: str) -> int:
    found = re.match(r"\s*([0-9a-fA-F]+):([0-9a-fA-F]*)", text)
    if found:
        return (int(found[1], 16) << 16 | int(found[2] or "0", 16)) & 0xFFFFFFFF
    if re.match(r"\s*[0-9a-fA-F]+", text):
        return (int(re.match(r"\s*([0-9a-fA-F]+)", text)[1], 16) << 16) & 0xFFFFFFFF  # type: ignore[index]
    return _ROOT if text.startswith("root") else (_INGRESS if text.startswith("ingress") else 0)


def _handle_text(handle: int) -> str:
    if handle == _ROOT:
        return "root"
    if handle == _INGRESS:
        return "ingress"
    low = handle & 0xFFFF
    return f"{handle >> 16:x}:{low:x}" if low else f"{handle >> 16:x}:"


def _rate(text: str) -> int:
    units = {"k": 10**3, "m": 10**6, "g": 10**9}
    unit = units.get(text[-1:].lower(), 1)
    digits = text[:-1] if unit > 1 else text
    number = int(digits) * unit if digits.isdecimal() else 0
    return number if number < 2**32 else 0


def _rate_text(rate: int) -> str:
    for unit, name in ((10**9, "Gbps"), (10**6, "Mbps"), (10**3, "Kbps")):
        if rate >= unit:
            return f"{rate / unit:.2f}{name}"
    return f"{rate}bps"


def qsch(call: Call) -> None:
    """Carry out one call of `dpip qsch`."""
    call.stage = "parse"
    words = TcSchedule("", "", 0, 0)
    while call.words:
        _take(call, words, call.words.pop(0))
    if not words.device:
        raise Fail(errors.INVAL, "missing device.", "check")
    if call.command == "add":
        _check(words)
        call.wire.ask(Message.TC_ADD, lambda dpvs: _add(dpvs, words))
    elif call.command == "del":
        if not words.handle:
            raise Fail(errors.INVAL, "missing handle.", "check")
        call.wire.ask(Message.TC_DEL, lambda dpvs: _delete(dpvs, words))
    elif call.command == "show":
        if call.options.stats or call.options.verbose:
            raise NotHere("qsch show with -s or -v")
        try:
            found = call.wire.ask(Message.TC_SHOW, lambda dpvs: _listed(dpvs, words.device))
        except errors.Refused:
            raise Fail(errors.INVAL) from None
        call.out("".join(_line(one) for one in found))
    elif call.command in ("set", "replace"):
        raise NotHere(f"qsch {call.command}")
    else:
        raise Fail(errors.NOTSUPP, stage="check")


def _take(call: Call, words: TcSchedule, word: str) -> None:
    if word == "dev":
        words.device = call.next("dev")[:15]
    elif word == "handle":
        words.handle = _handle(call.next("handle"))
    elif word in ("root", "ingress"):
        words.handle, words.where = (_ROOT if word == "root" else _INGRESS), 0
    elif word == "parent":
        words.where = _handle(call.next("parent"))
    elif word in _KINDS:
        words.kind = word
    elif words.kind in ("bfifo", "pfifo") and word == "limit":
        words.limit = atoi(call.next("limit"))
    elif words.kind == "tbf" and word in ("rate", "peakrate"):
        value = call.next(word)
        if not _rate(value):
            raise call.bad(f"invalid {word}: '{value}'")
        setattr(words, word, _rate(value))
    elif words.kind == "tbf" and word in ("burst", "limit", "mtu"):
        setattr(words, word, atoi(call.next(word)))
    elif words.kind == "tbf" and word == "latency":
        value = call.next("latency")
        if not words.rate:
            raise call.bad("latency set before rate ?")
        words.limit = atoi(value) * words.rate // 1000 // 8
    elif words.kind in ("bfifo", "pfifo", "tbf"):
        raise call.bad(f"invalid option for {words.kind}: '{word}'")
    elif words.kind != "pfifo_fast":
        raise call.bad(f"invalid/miss qsch kind: '{words.kind}'")


def _check(words: TcSchedule) -> None:
    complaint = ""
    if words.kind in ("pfifo", "bfifo"):
        complaint = "" if words.limit else "missing limit for fifo."
    elif words.kind == "tbf":
        complaint = "missing rate for tbf." if not words.rate else ("" if words.burst else "missing buffer for tbf.")
    elif words.kind == "pfifo_fast":
        raise NotHere("qsch pfifo_fast")
    else:
        complaint = "invalid qsch kind."
    if complaint:
        raise Fail(errors.INVAL, complaint, "check")


def _known(dpvs: Dpvs, device: str) -> None:
    if device not in dpvs.devices:
        raise errors.Refused(errors.NODEV)


def _add(dpvs: Dpvs, words: TcSchedule) -> None:
    _known(dpvs, words.device)
    if any(one.device == words.device and one.handle == words.handle for one in dpvs.objects.schedules):
        raise errors.Refused(errors.EXIST)
    dpvs.objects.schedules.append(words)


def _delete(dpvs: Dpvs, words: TcSchedule) -> None:
    for one in dpvs.objects.schedules:
        if one.device == words.device and one.handle == words.handle:
            dpvs.objects.schedules.remove(one)
            return
    raise errors.Refused(errors.NOTEXIST)


def _listed(dpvs: Dpvs, device: str) -> list[TcSchedule]:
    _known(dpvs, device)
    return [one for one in dpvs.objects.schedules if one.device == device]


def _line(one: TcSchedule) -> str:
    where = _handle_text(one.where)
    text = f"qsch {one.kind} {_handle_text(one.handle)} dev {one.device} parent {where}: flags 0x0 cls 0".replace("::", ":")
    if one.kind in ("bfifo", "pfifo"):
        return f"{text} limit {one.limit}\n"
    microseconds = one.burst * 8_000_000 // one.rate  # DPVS keeps the burst as a time, and loses what isn't a whole microsecond
    text += f" rate {_rate_text(one.rate)} burst {microseconds * one.rate // 8_000_000}B"
    text += f" peakrate {_rate_text(one.peakrate)} minburst {one.mtu}B" if one.peakrate else ""
    return f"{text} limit {one.limit}B\n"


def cls(call: Call) -> None:
    """Carry out one call of `dpip cls`."""
    call.stage = "parse"
    device = ""
    while call.words:
        word = call.words.pop(0)
        if word == "dev":
            device = call.next("dev")[:15]
        elif word in ("qsch", "handle", "prio", "pkttype"):
            call.next(word)
        elif call.command == "show":
            raise call.bad("invalid/miss cls type: ''")
        else:
            raise NotHere(f"cls {call.command}")
    if not device:
        raise Fail(errors.INVAL, "missing device.", "check")
    if call.command != "show":
        raise NotHere(f"cls {call.command}")
    try:
        call.wire.ask(Message.TC_SHOW, lambda dpvs: _known(dpvs, device))
    except errors.Refused:
        raise Fail(errors.INVAL) from None
