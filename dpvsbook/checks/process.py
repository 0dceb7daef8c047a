"""Checks of the process and of what it took of its file: F13, F14, F74, F75."""

from __future__ import annotations

import re

from dpvsbook.checks.seen import BIFURCATED, Outcome, Seen, listed, told
from dpvsbook.conf import logged
from dpvsbook.conf.items import DEVICE, ITEM
from dpvsbook.conf.values import show
from dpvsbook.params.build import DPDK_OF

COMPLAINT = re.compile(r"^.*(?:not supported keyword|using default).*$", re.MULTILINE)


def pid_file(seen: Seen) -> Outcome:
    """F13: the pid file names nobody, or a dpvs that lives."""
    where, start = seen.start.place.pid_file, seen.start
    if start.stale:
        return False, f"{where}: {start.stale}"
    if start.pid_file is None:
        return True, f"there is no {where}"
    if start.named is None:
        return True, f"{where} names {start.pid_file or 'nobody'}, and there is no such process: dpvs removes it"
    return True, f"{where} names {start.named[0]}, a dpvs that lives"


def crash(seen: Seen) -> Outcome:
    """F14: what is known to end dpvs with a segmentation fault."""
    wanted, wrong = DPDK_OF[seen.params.dpvs], []
    if seen.look.libdpdk and not f"{seen.look.libdpdk}.".startswith(f"{wanted}."):
        wrong.append(f"libdpdk is {seen.look.libdpdk}, DPVS {seen.params.dpvs} goes with {wanted}")
    if not seen.running:
        wrong += seen.since_last(seen.look.crashes)
        beyond = [s for s in seen.setup.slots.values() if s.address in seen.ports and s.node >= (seen.sockets or 2)]
        wrong += [f"{slot.address} is on NUMA node {slot.node}, and dpvs is built for {seen.sockets or 2}" for slot in beyond]
        bonded = {slave.pci for bond in seen.director.bonds for slave in bond.slaves}
        for nic, address in seen.setup.nics.items():
            slot, net = seen.setup.slots.get(address), seen.look.nets.get(nic)
            if address in bonded and slot and slot.driver in BIFURCATED and net and net.carrier is not True:
                wrong.append(f"{nic} ({address}), {slot.driver} in a bond, is {net.state}")
    if wrong:
        return False, "; ".join(wrong)
    shown = f"libdpdk {seen.look.libdpdk}" if seen.look.libdpdk else "no libdpdk is installed to compare"
    if seen.running:
        return True, f"dpvs runs; {shown}"
    if not seen.look.dmesg:
        return None, f"the kernel's log can't be read; {shown}"
    return True, f"the kernel's log has no crash of the last dpvs; {shown}"


def waiting(seen: Seen) -> Outcome:
    """F74: values that only a start takes, and that the file has changed since."""
    own, conf, start = seen.start.own, seen.conf, seen.start
    if own is None:
        return True, "dpvs doesn't run: it will read the file"
    if conf is None:
        return seen.no_conf
    if seen.setup.dpvs is not None and seen.setup.dpvs.restart:
        return False, f"changed since the start, and noted then: {listed(seen.setup.dpvs.restart)}"
    runs = logged.of_log(start.log)
    if not runs:
        if start.conf_changed <= start.since(own):
            return True, f"{start.place.conf} is older than this dpvs"
        return (
            None,
            f"{start.place.conf} was changed after the start, and {start.log_file or 'no log'} doesn't say what it took",
        )
    file = dict(logged.of_conf(conf))
    found = []
    for what, value in runs.items():
        now = file.get(what)
        if now is None and what in ITEM:
            item = ITEM[what]
            now = show(item, item.default) if item.default is not None else None
        elif now is None and what.startswith("device "):
            _, name, key = what.split(" ", 2)
            default = ITEM[f"{DEVICE}.{key}"].default
            now = show(ITEM[f"{DEVICE}.{key}"], default) if default is not None and any(d.name == name for d in conf.devices) else None
        if now is None or logged.differ(what, now, value):
            found.append(f"{what}: dpvs runs with {value}, the file says {now or 'nothing'}")
    found += [f"{what}: the file says {value}, and dpvs had its default" for what, value in file.items() if _new(what, value, runs)]
    return not found, "; ".join(found[:8]) or f"the {len(runs)} values that its log has of the start are those of {start.place.conf}"


def _new(what: str, value: str, runs: dict[str, str]) -> bool:
    """A line that wasn't there at the start, with another value than the default."""
    if what in runs:
        return False
    item = ITEM.get(what) or (ITEM[f"{DEVICE}.{what.split(' ', 2)[2]}"] if what.startswith("device ") else None)
    return item is None or item.default is None or logged.differ(what, value, show(item, item.default))


def keys(seen: Seen) -> Outcome:
    """F75: keys and values of dpvs.conf that dpvs doesn't take."""
    if seen.start.conf is None:
        return seen.no_conf
    wrong = seen.errors("unknown", "value", "form")
    if wrong:
        return told(wrong, "")
    said = list(dict.fromkeys(COMPLAINT.findall(seen.start.log_of_start))) if seen.running else []
    if said:
        return False, f"its log says of this start: {'; '.join(line.strip() for line in said[:4])}"
    return True, f"every line of {seen.start.place.conf} is known, and its values are taken as they stand"
