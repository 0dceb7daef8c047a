"""`dpip ipset`: sets for deny and allow lists (transcript 09)."""

from __future__ import annotations

import ipaddress

from dpvsbook.lab.dpvs import errors
from dpvsbook.lab.dpvs import ip as ips
from dpvsbook.lab.dpvs.dpip.call import Call, Fail, NotHere
from dpvsbook.lab.dpvs.ip import ANY4, Ip, atoi, network
from dpvsbook.lab.dpvs.ipsets import KINDS, IpSet
from dpvsbook.lab.dpvs.process import Dpvs
from dpvsbook.lab.dpvs.sockopt import Message

USAGE = """Usage:
    dpip [-6] ipset create NAME hash:ip|hash:net [comment] [hashsize NUMBER] [maxelem NUMBER]
    dpip ipset add|del|test NAME ADDRESS[/LENGTH] [comment TEXT]
    dpip ipset show|flush [NAME]
    dpip ipset destroy NAME
"""
_OTHER_KINDS = (
    "bitmap:ip", "bitmap:ip,mac", "bitmap:port", "hash:ip,port", "hash:net,port", "hash:net,port,iface", "hash:ip,port,ip",
    "hash:ip,port,net", "hash:net,port,net", "hash:net,port,net,port",
)  # fmt: skip


def run(call: Call) -> None:
    """Carry out one call."""
    call.stage = "parse"
    if not call.words:
        if call.command != "show":
            raise call.bad()
        _show(call, "")
        return
    name = call.words.pop(0)[:31]
    if call.command in ("show", "flush", "destroy"):
        if call.words:
            raise call.bad()
        _known(call, name)
        if call.command == "show":
            _show(call, name)
        elif call.command == "flush":
            call.wire.ask(Message.IPSET_SET, lambda dpvs: dpvs.ipsets.get(name).members.clear())
        else:
            call.wire.ask(Message.IPSET_SET, lambda dpvs: _destroy(dpvs, name))
    elif call.command == "create":
        _create(call, name)
    elif call.command in ("add", "del", "test"):
        _member(call, name)
    else:
        raise call.bad()


def _known(call: Call, name: str) -> None:
    """Before anything else, dpip asks for the set, to know its kind; a listing goes on without."""
    try:
        found = call.wire.ask(Message.IPSET_LIST, lambda dpvs: _asked(dpvs, name))
    except errors.Refused:
        found = []
    if not found and call.command != "show":
        raise Fail(errors.INVAL, stage="check")


def _asked(dpvs: Dpvs, name: str) -> list[IpSet]:
    """The set of a name; all of them where there is no name."""
    return [dpvs.ipsets.get(name)] if name else sorted(dpvs.ipsets.listed(), key=lambda one: one.name)


def _create(call: Call, name: str) -> None:
    if not call.words:
        raise call.bad()
    new = IpSet(name, call.words.pop(0), 6 if call.options.family == 6 else 4)
    while call.words:
        word = call.words.pop(0)
        if word == "comment":
            new.comment = True
        elif word in ("hashsize", "maxelem"):
            setattr(new, word, atoi(call.next(word)))
        elif word == "range":
            raise NotHere("ipset … range")
        else:
            raise call.bad()
    if new.kind not in KINDS:
        if new.kind in _OTHER_KINDS:
            raise NotHere(f"ipset create … {new.kind}")
        raise Fail(errors.INVAL, stage="check")
    new.maxelem = new.maxelem or 65535
    new.hashsize = 1 << (new.hashsize.bit_length() - 1) if new.hashsize > 0 else 1024
    call.wire.ask(Message.IPSET_SET, lambda dpvs: dpvs.ipsets.create(new))


def _destroy(dpvs: Dpvs, name: str) -> None:
    dpvs.ipsets.get(name)
    if dpvs.deny.uses(name) or dpvs.allow.uses(name):
        raise errors.Refused(errors.BUSY)
    dpvs.ipsets.destroy(name)


def _member(call: Call, name: str) -> None:
    if not call.words:
        raise call.bad()
    entry = call.words.pop(0)
    try:
        found = call.wire.ask(Message.IPSET_LIST, lambda dpvs: _asked(dpvs, name))
    except errors.Refused:
        found = []
    if not found:
        raise call.bad()
    parsed = _parse(call, entry)
    first, _, number = parsed
    if call.command == "test":
        _test(call, name, entry, first, number)
        return
    if found[0].kind == "hash:ip" and first.family == 6 and number:
        call.err("ipv6 cidr is not supported by the set type\n")
        raise Fail(errors.INVAL, stage="check")
    comment = ""
    while call.words:
        word = call.words.pop(0)
        if word == "comment":
            comment = call.next("comment")
        elif word == "nomatch":
            raise NotHere("ipset … nomatch")
        else:
            raise call.bad(code=errors.NOTSUPP)
    force = call.options.force
    if call.command == "add":
        call.wire.ask(Message.IPSET_SET, lambda dpvs: _add(dpvs, name, parsed, comment, force))
    else:
        call.wire.ask(Message.IPSET_SET, lambda dpvs: _delete(dpvs, name, parsed, force))


def _test(call: Call, name: str, entry: str, ip: Ip, number: int) -> None:
    if number:
        call.err("Warning: ignore cidr settings for ipset test\n")
    held = call.wire.ask(Message.IPSET_TEST, lambda dpvs: _tested(dpvs, name, ip))
    if held is None:
        raise Fail(errors.INVAL, "set test failed")
    if call.options.verbose:
        call.out(f"{entry} is {'in' if held else 'NOT in'} set {name}\n")
    else:
        call.out("true\n" if held else "false\n")


def _parse(call: Call, text: str) -> tuple[Ip, Ip, int]:
    """The first and the last address of an entry, and its prefix length (0: none that counts). Nothing at all is 0.0.0.0."""
    if "," in text:
        raise NotHere("ipset entries with ports or MACs")
    address, slash, length = text.partition("/")
    address, dash, end = (address, "", "") if slash else text.partition("-")
    first = ips.parse(address) if text else ANY4
    last = ips.parse(end) if dash and end else first
    if first is None or last is None:
        raise call.bad()
    number = atoi(length) & 0xFF if slash else 0
    return first, last, number


def _members(chosen: IpSet, first: Ip, last: Ip, number: int) -> list[tuple[Ip, int]]:
    """What an entry stands for: networks in a hash:net, each address in a hash:ip. (No more of them than the first that no longer fits.)"""
    full = len(first.packed) * 8
    length = number if 0 < number <= full else full
    lowest = network(first, length)
    ranged = last.packed > first.packed and last.family == first.family
    if chosen.kind == "hash:net":
        if not ranged:
            return [(lowest, length)]
        nets = ipaddress.summarize_address_range(ipaddress.ip_address(first.packed), ipaddress.ip_address(last.packed))
        return [(ips.from_bytes(net.network_address.packed), net.prefixlen) for net in nets]
    start = int.from_bytes(lowest.packed, "big")
    many = int.from_bytes(last.packed, "big") - start + 1 if ranged else 1 << (full - length)
    many = min(many, chosen.maxelem + 1)
    return [(ips.from_bytes((start + at).to_bytes(full // 8, "big")), full) for at in range(many)]


def _add(dpvs: Dpvs, name: str, entry: tuple[Ip, Ip, int], comment: str, force: bool) -> None:
    """One after the other: what is added before one is refused stays."""
    chosen = dpvs.ipsets.get(name)
    for member in _members(chosen, *entry):
        if member[0].family != chosen.family:
            raise errors.Refused(errors.INVAL)
        if len(chosen.members) >= chosen.maxelem:
            raise errors.Refused(errors.NOMEM)
        if member in chosen.members and not force:
            raise errors.Refused(errors.EXIST)
        chosen.members[member] = comment


def _delete(dpvs: Dpvs, name: str, entry: tuple[Ip, Ip, int], force: bool) -> None:
    chosen = dpvs.ipsets.get(name)
    for member in _members(chosen, *entry):
        if member[0].family != chosen.family:
            raise errors.Refused(errors.INVAL)
        if chosen.members.pop(member, None) is None and not force:
            raise errors.Refused(errors.NOTEXIST)


def _tested(dpvs: Dpvs, name: str, ip: Ip) -> bool | None:
    return dpvs.ipsets.get(name).has(ip) if name in dpvs.ipsets and ip.family == dpvs.ipsets.get(name).family else None


def _show(call: Call, name: str) -> None:
    def answer(dpvs: Dpvs) -> list[tuple[IpSet, int]]:
        chosen = _asked(dpvs, name)
        return [(one, dpvs.deny.uses(one.name) + dpvs.allow.uses(one.name)) for one in chosen]

    try:
        found = call.wire.ask(Message.IPSET_LIST, answer)
    except errors.Refused:
        raise Fail(errors.INVAL) from None
    call.out("".join(_text(one, references) for one, references in found))


def _text(one: IpSet, references: int) -> str:
    members = "".join(_line(one, ip, length, comment) for (ip, length), comment in reversed(one.members.items()))
    return (
        f"Name: {one.name}\nType: {one.kind}\n"
        f"Header: family {'inet' if one.family == 4 else 'inet6'}  hashsize {one.hashsize}  maxelem {one.maxelem}  "
        f"{'comment' if one.comment else ''}\nSize in memory: {one.size()}\nReferences: {references}\n"
        f"Number of entries: {len(one.members)}\nMembers:\n{members}\n"
    )


def _line(one: IpSet, ip: Ip, length: int, comment: str) -> str:
    address = f"{ip.text}/{length}" if one.kind == "hash:net" and length < 128 else ip.text
    said = f'comment "{comment}"' if one.comment and comment else ""
    return f"{address}  {said}\n"
