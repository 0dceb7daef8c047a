"""`dpip link`: the ports and the CPUs of DPVS (transcripts 01, 03, 05, 09)."""

from __future__ import annotations

from collections.abc import Callable

from dpvsbook.lab.dpvs import errors
from dpvsbook.lab.dpvs.devices import Counters, Device
from dpvsbook.lab.dpvs.dpip.call import Call, Fail, NotHere
from dpvsbook.lab.dpvs.dpip.link_verbose import verbose
from dpvsbook.lab.dpvs.process import Dpvs
from dpvsbook.lab.dpvs.sockopt import Message

USAGE = """Usage:
    dpip [-s] [-v] link show [DEVICE]
    dpip [-s] link show cpu|cpuN
    dpip -s -i SECONDS -c TIMES link show DEVICE
    dpip link set DEVICE promisc|allmulticast|forward2kni|tc-egress|tc-ingress|lldp on|off
    dpip link set DEVICE link up|down
    dpip link set DEVICE addr MAC
"""
_SWITCHES = {
    "promisc": ("promisc", "on", "off"),
    "allmulticast": ("allmulticast", "on", "off"),
    "forward2kni": ("forward2kni", "on", "off"),
    "tc-egress": ("tc_egress", "on", "off"),
    "tc-ingress": ("tc_ingress", "on", "off"),
    "lldp": ("lldp", "on", "off"),
    "link": ("up", "up", "down"),
}
_BOND = ("bond-mode", "bond-primary", "bond-xmit-policy", "bond-monitor-interval", "bond-link-down-prop", "bond-link-up-prop")


def run(call: Call) -> None:
    """Carry out one call."""
    name = call.words.pop(0)[:31] if call.words else ""
    item = value = ""
    status = False
    while call.words:
        word = call.words.pop(0)
        if call.command == "show":
            status |= word.startswith("status")
        elif call.command in ("set", "add", "del") and not item:
            item = word
            if not call.words:
                raise Fail(errors.INVAL, f"missing argument for `{item}'\n{USAGE.rstrip()}")
            value = call.words.pop(0)
    options = call.options
    if options.count and not options.interval:
        raise Fail(errors.INVAL, f"miss statistics display interval{USAGE.rstrip()}")
    if call.command == "show":
        if status:
            raise NotHere("link show … status: no bonding in this lab")
        if options.stats and options.interval and not options.count:
            raise NotHere("link show -i without -c never ends")
        _show(call, name)
    elif call.command == "set":
        _set(call, name, item, value)
    elif call.command in ("add", "del"):
        raise NotHere(f"link {call.command} {item}: no bonding in this lab")
    else:
        raise call.unsupported()


def _set(call: Call, name: str, item: str, value: str) -> None:
    """Change a port. What goes wrong is said, and the status is 0 all the same (transcript 05)."""
    if name.startswith("cpu"):
        return
    if item == "addr":
        act: Callable[[Dpvs], None] = lambda dpvs: _none(_known(dpvs, name))  # noqa: E731
    elif item in _SWITCHES:
        attribute, on, off = _SWITCHES[item]
        if value not in (on, off):
            word = "argument" if item == "link" else "arguement"
            call.err(f"invalid {word} value for '{item}'\n")
            return

        def act(dpvs: Dpvs) -> None:
            device = _known(dpvs, name)
            # neither that driver can, nor a port on another port: and nobody is told
            cannot: tuple[str, ...] = ("link", "allmulticast") if device.driver == "net_af_packet" else ()
            cannot += ("promisc", "allmulticast") if device.kind != "nic" else ()
            if item not in cannot:
                setattr(device, attribute, value == on)
    elif item in _BOND:
        raise NotHere(f"link set {item}: no bonding in this lab")
    else:
        raise Fail(errors.INVAL, f"invalid parameter name '{item}'")
    try:
        call.wire.ask(Message.PORT_SET, act)
    except errors.Refused:
        return


def _known(dpvs: Dpvs, name: str) -> Device:
    if name not in dpvs.devices:
        raise errors.Refused(errors.INVAL)
    return dpvs.devices[name]


def _none(_: Device) -> None:
    """af_packet doesn't take a new MAC, and nobody is told (transcript 09)."""


def _show(call: Call, name: str) -> None:
    if name == "cpu":
        call.wire.ask(Message.LCORE_MASK, lambda _: None)
        call.out("<< Controll Plane >>\n")
        _show_cpu(call, 0)
        call.out("<< Data Plane >>\n")
        _show_cpu(call, 1)
    elif name.startswith("cpu"):
        number = name[3:]
        if number and not number.isdecimal():
            raise Fail(errors.INVAL, USAGE.rstrip())
        _show_cpu(call, int(number or 0))
    elif name:
        _show_port(call, name)
    else:
        try:
            names = call.wire.ask(Message.PORT_LIST, lambda dpvs: list(dpvs.devices))
        except errors.Refused as refusal:
            raise Fail(errors.INVAL, f"Fail to get configured NIC list: {errors.text(refusal.code)}.") from None
        for one in names:
            _show_port(call, one)


def _show_port(call: Call, name: str) -> None:
    device = call.wire.ask(Message.PORT_SHOW, lambda dpvs: dpvs.device(name))
    call.out(_basic(device))
    options = call.options
    if options.stats and options.interval:
        for _ in range(options.count):
            call.out(_table((("ipackets/pps", 0), ("opackets/pps", 0), ("ibytes/Bps", 0), ("obytes/Bps", 0)), 16))
            call.out(_table((("ierrors/pps", 0), ("oerrors/pps", 0), ("imissed/pps", 0), ("rx_nombuf/pps", 0)), 16))
    elif options.stats:
        call.out(_stats(device))
    if options.verbose:
        if options.stats:
            raise NotHere("link show -s -v: no extended statistics in this lab")
        call.out(call.wire.ask(Message.PORT_VERBOSE, lambda dpvs: verbose(dpvs, device)))


def _basic(device: Device) -> str:
    flags = (
        ("promisc", device.nic.promisc),
        ("allmulticast", device.nic.allmulticast),
        ("foward2kni", device.forward2kni),
        ("tc-egress", device.tc_egress),
        ("tc-ingress", device.tc_ingress),
        ("lldp", device.lldp),
    )
    words = "".join(f"{flag} " for flag, on in flags if on)
    return (
        f"{device.index}: {device.name}: socket 0 mtu {device.mtu} rx-queue 1 tx-queue 1\n"
        f"    {'UP' if device.up else 'DOWN'} {device.speed} Mbps {device.duplex}-duplex fixed-nego {words}\n"
        f"    addr {device.mac.upper()} \n"
    )


def _table(cells: tuple[tuple[str, object], ...], width: int) -> str:
    names = "".join(f"{name:<{width}}" for name, _ in cells)
    values = "".join(f"{value!s:<{width}}" for _, value in cells)
    return f"    {names}\n    {values}\n"


def _stats(device: Device) -> str:
    seen: Counters = device.counters
    return (
        _table((("ipackets", seen.packets_in), ("opackets", seen.packets_out), ("ibytes", seen.bytes_in), ("obytes", seen.bytes_out)), 20)
        + _table((("ierrors", 0), ("oerrors", 0), ("imissed", 0), ("rx_nombuf", 0)), 20)
        + _table((("mbuf-avail", device.mbufs), ("mbuf-inuse", 0)), 20)
    )


def _show_cpu(call: Call, number: int) -> None:
    def basic(dpvs: Dpvs) -> str:
        if number not in (0, 1):
            raise errors.Refused(errors.INVAL)
        ports = [name for name, device in dpvs.devices.items() if device.kind == "nic"]
        queues = "".join(f"{queue:<16}" for name in ports for queue in (f"{name}:rx0", f"{name}:tx0"))
        return f"{number + 1}: cpu{number}: socket 0\n    queues {queues if number else 'none'}\n"

    call.out(call.wire.ask(Message.LCORE_SHOW, basic))
    if not call.options.stats:
        return
    if call.options.interval:
        raise NotHere("link show cpuN -i: no rates of CPUs in this lab")
    call.out(call.wire.ask(Message.LCORE_STATS, lambda dpvs: _cpu_stats(dpvs, number)))


def _cpu_stats(dpvs: Dpvs, number: int) -> str:
    loops = 1 + int((dpvs.clock() - dpvs.started) * 1_000_000) if number else 0  # it loops before it answers
    seen = [device.counters for device in dpvs.devices.values()] if number else []
    return (
        _table((("lcore_loop", loops), ("pktburst", 2 * loops), ("zpktburst", 2 * loops), ("fpktburst", 0)), 20)
        + _table((("z2hpktburst", 2 * loops), ("h2fpktburst", 0), ("dropped", 0)), 20)
        + _table(
            (
                ("ipackets", sum(one.packets_in for one in seen)),
                ("ibytes", sum(one.bytes_in for one in seen)),
                ("opackets", sum(one.packets_out for one in seen)),
                ("obytes", sum(one.bytes_out for one in seen)),
            ),
            20,
        )
    )
