"""`dpip ipset`: sets for deny and allow lists (transcript 09)."""

from __future__ import annotations

from dpvsbook.lab.dpvs import errors
from dpvsbook.lab.dpvs import ip as ips
from dpvsbook.lab.dpvs.dpip.call import Call, Fail, NotHere
from dpvsbook.lab.dpvs.ip import Ip, atoi
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
    name = call.words.pop(0)
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
        call.wire.ask(Message.IPSET_LIST, lambda dpvs: dpvs.ipsets.get(name))
    except errors.Refused:
        if call.command != "show":
            raise Fail(errors.INVAL, stage="check") from None


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
        call.wire.ask(Message.IPSET_LIST, lambda dpvs: dpvs.ipsets.get(name))
    except errors.Refused:
        raise call.bad() from None
    member = _parse(call, entry)
    if call.command == "test":
        held = call.wire.ask(Message.IPSET_TEST, lambda dpvs: dpvs.ipsets.get(name).has(member[0]))
        if call.options.verbose:
            call.out(f"{entry} is {'in' if held else 'NOT in'} set {name}\n")
        else:
            call.out("true\n" if held else "false\n")
        return
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
        call.wire.ask(Message.IPSET_SET, lambda dpvs: _add(dpvs, name, member, comment, force))
    else:
        call.wire.ask(Message.IPSET_SET, lambda dpvs: _delete(dpvs, name, member, force))


def _parse(call: Call, text: str) -> tuple[Ip, int]:
    if "-" in text or "," in text:
        raise NotHere("ipset entries with ranges, ports or MACs")
    address, slash, length = text.partition("/")
    ip = ips.parse(address)
    if ip is None:
        raise call.bad()
    return ip, atoi(length) if slash else len(ip.packed) * 8


def _add(dpvs: Dpvs, name: str, member: tuple[Ip, int], comment: str, force: bool) -> None:
    chosen = dpvs.ipsets.get(name)
    if member in chosen.members and not force:
        raise errors.Refused(errors.EXIST)
    chosen.members[member] = comment


def _delete(dpvs: Dpvs, name: str, member: tuple[Ip, int], force: bool) -> None:
    chosen = dpvs.ipsets.get(name)
    if chosen.members.pop(member, None) is None and not force:
        raise errors.Refused(errors.NOTEXIST)


def _show(call: Call, name: str) -> None:
    def answer(dpvs: Dpvs) -> list[tuple[IpSet, int]]:
        chosen = [dpvs.ipsets.get(name)] if name else dpvs.ipsets.listed()
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
    address = f"{ip.text}/{length}" if one.kind == "hash:net" else ip.text
    said = f'comment "{comment}"' if one.comment and comment else ""
    return f"{address}  {said}\n"
