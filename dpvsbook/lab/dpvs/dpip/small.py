"""The small objects of dpip: lldp, iftraf, eal-mem, maddr, flow, ipv6 (transcript 09)."""

from __future__ import annotations

from dpvsbook.lab.dpvs import errors, multicast
from dpvsbook.lab.dpvs.devices import Device
from dpvsbook.lab.dpvs.dpip.call import Call, Fail, NotHere
from dpvsbook.lab.dpvs.process import Dpvs
from dpvsbook.lab.dpvs.sockopt import Message

LLDP_USAGE = "Usage:\n    dpip lldp show [local|neigh] dev DEVICE\n"
IFTRAF_USAGE = "Usage:\n    dpip iftraf enable|disable|show\n"
EAL_MEM_USAGE = "Usage:\n    dpip eal-mem show [seg]\n"
MADDR_USAGE = "Usage:\n    dpip maddr show [dev DEVICE]\n"
FLOW_USAGE = "Usage:\n    dpip flow show|add|del|flush type kni dev DEVICE [ADDRESS]\n"
IPV6_USAGE = "Usage:\n    dpip ipv6 show [total]\n"

#: counters of `dpip ipv6 show`
_IPV6 = (
    "InReceives", "InOctets", "InDelivers", "OutForwDatagrams", "OutRequests", "OutOctets", "InHdrErrors", "InTooBigErrors",
    "InNoRoutes", "InAddrErrors", "InUnknownProtos", "InTruncatedPkts", "InDiscards", "OutDiscards", "OutNoRoutes",
    "ReasmTimeout", "ReasmReqds", "ReasmOKs", "ReasmFails", "FragOKs", "FragFails", "FragCreates", "InMcastPkts", "OutMcastPkts",
    "InBcastPkts", "OutBcastPkts", "InMcastOctets", "OutMcastOctets", "InBcastOctets", "OutBcastOctets", "InCsumErrors",
    "InNoECTPkts", "InECT1Pkts", "InECT0Pkts", "InCEPkts",
)  # fmt: skip
#: 2 MB pages that a dpvs with the lab's pools has
_PAGES = 353


def _only_dev(call: Call) -> str:
    device = ""
    while call.words:
        if call.words.pop(0) == "dev":
            device = call.next("dev")[:15]
    return device


def lldp(call: Call) -> None:
    """`dpip lldp`: nobody on the links of this lab speaks it."""
    call.stage = "parse"
    device = ""
    while call.words:
        word = call.words.pop(0)
        if word == "dev":
            device = call.next("dev")
        elif word not in ("local", "neigh"):
            raise call.bad("too many arguments")
    if call.command != "show":
        raise Fail(errors.NOTSUPP, stage="check")
    if not device:
        raise Fail(errors.INVAL, "missing device name", "check")
    if call.wire.ask(Message.LLDP_SHOW, lambda dpvs: _known(dpvs, device)):
        raise NotHere("lldp show dev …")


def _known(dpvs: Dpvs, device: str) -> bool:
    if device not in dpvs.devices:
        raise errors.Refused(errors.NODEV)
    return True


def iftraf(call: Call) -> None:
    """`dpip iftraf`: traffic per flow, once enabled; this lab doesn't sample any."""
    _only_dev(call)
    if call.command == "enable":
        call.wire.ask(Message.IFTRAF_ADD, lambda dpvs: setattr(dpvs.objects, "iftraf", True))
    elif call.command == "disable":
        call.wire.ask(Message.IFTRAF_DEL, lambda dpvs: setattr(dpvs.objects, "iftraf", False))
    elif call.command == "show":
        if not call.wire.ask(Message.IFTRAF_SHOW, lambda dpvs: dpvs.objects.iftraf):
            call.err("warnning: disabled.\n")
            return
        raise Fail(errors.NOTEXIST, "response nstats : 0.")
    else:
        raise call.unsupported()


def eal_mem(call: Call) -> None:
    """`dpip eal-mem show`: one line per huge page."""
    if call.words[:1] and call.words != ["seg"]:
        if len(call.words) > 1:
            raise Fail(errors.INVAL, f"too many arguments!\n{EAL_MEM_USAGE.rstrip()}")
        if call.words[0] in ("zone", "ring", "pool"):
            raise NotHere(f"eal-mem show {call.words[0]}")
        raise Fail(errors.INVAL, f"eal mem parameter invalid!\n{EAL_MEM_USAGE.rstrip()}")
    if not call.wire.connect_error:
        title = ("iova(Hex)", "virt_addr(Hex)", "len(KB)", "hugepage_size(KB)", "nchannel", "nrank", "free_len(KB)")
        call.out("{:<10} {:>16} {:>16} {:>20} {:>20} {:>10} {:>10} {:>20}\n".format("socket_id", *title))
        for page in range(_PAGES):
            where = 0x100200000 + page * 0x200000
            call.out(f"{0:<10} {where + 0x40000000:>16x} {where:>16x} {2048:>20} {2048:>20} {0:>10} {0:>10} {25077:>20}\n")
        return
    call.wire.ask(Message.PORT_LIST, lambda _: None)


def maddr(call: Call) -> None:
    """`dpip maddr show`: the multicast groups of each port."""
    device = _only_dev(call)
    if call.command != "show":
        raise call.unsupported()
    if call.options.verbose:
        raise NotHere("maddr show -v")
    if device:
        call.out(f"{device}:\n")
        call.out(call.wire.ask(Message.PORT_MULTICAST, lambda dpvs: _groups(dpvs, dpvs.device(device))))
        return

    def every(dpvs: Dpvs) -> str:
        return "".join(f"{port.index}:\t{port.name}\n{_groups(dpvs, port)}" for port in dpvs.devices.values())

    call.out(call.wire.ask(Message.PORT_LIST, every))


def _groups(dpvs: Dpvs, device: Device) -> str:
    links = "".join(f"\tlink {mac}\n" for mac in multicast.macs(dpvs, device))
    return links + "".join(f"\tinet6 {group.text}\n" for group in reversed(multicast.groups(dpvs, device)))


def flow(call: Call) -> None:
    """`dpip flow`: which addresses go to the kernel."""
    if call.words[:1] != ["type"] or call.words[1:2] != ["kni"]:
        raise Fail(errors.INVAL, "missing flow type")
    raise NotHere("flow … type kni")


def ipv6(call: Call) -> None:
    """`dpip ipv6 show`: counters, which this lab leaves at 0."""
    call.stage = "parse"
    while call.words:
        word = call.words.pop(0)
        if word in ("all", "cpu"):
            raise NotHere(f"ipv6 show {word}")
        if word != "total":
            raise call.bad(f"unknow argument `{word}'")
    if call.command != "show":
        raise call.unsupported()

    def answer(_: Dpvs) -> str:
        return "".join(f"{name + ':':<18} 0\n" for name in _IPV6)

    try:
        call.out(call.wire.ask(Message.IP6_STATS, answer))
    except errors.Refused:
        raise Fail(errors.INVAL) from None
