"""Checks of ports: F01, F02, F10, F11, F19."""

from __future__ import annotations

import re

from dpvsbook.checks.seen import BIFURCATED, FOR_DPDK, Outcome, Seen, listed, told

NO_LINK = re.compile(r"^.*(?:fail to bring up \S+|Start \S+ failed, skipping|no queues to setup for \S+).*$", re.MULTILINE)


def count(seen: Seen) -> Outcome:
    """F01: as many device blocks as ports that DPDK finds."""
    if seen.conf is None:
        return seen.no_conf
    names = [device.name for device in seen.conf.devices]
    if not seen.ports:
        return None, f"no port is named or bound; {seen.start.place.conf} has {len(names)} devices: {listed(names)}"
    well = f"{len(seen.ports)} ports ({listed(seen.ports)}), {len(names)} devices ({listed(names)})"
    return told(seen.errors("ports"), well)


def usable(seen: Seen) -> Outcome:
    """F02: each port is there and has a driver that DPDK uses, which may reach it."""
    slots, wrong, unsure = seen.setup.slots, [], []
    for address in seen.ports:
        if ":" not in address:
            interface = seen.interfaces.get(address)
            if interface is not None and interface not in seen.look.nets:
                wrong.append(f"{address} is for the interface {interface}, which there isn't")
            continue
        slot = slots.get(address)
        if slot is None:
            wrong.append(f"{address} is no network device of this host")
        elif slot.driver in BIFURCATED:
            pmd = f"rte_net_{slot.driver.removesuffix('_core')}"
            if not seen.look.libs:
                unsure.append(f"{address} is with {slot.driver}; what DPDK was built with isn't known")
            elif pmd not in seen.look.libs:
                wrong.append(f"{address} is with {slot.driver}, and libdpdk has no {pmd}")
        elif slot.driver not in FOR_DPDK:
            wrong.append(f"{address} has {f'the driver {slot.driver}' if slot.driver else 'no driver'}")
        elif slot.driver == "vfio-pci" and not seen.look.groups and seen.look.noiommu != "Y":
            wrong.append(
                f"{address} is with vfio-pci, there is no IOMMU, and enable_unsafe_noiommu_mode is {seen.look.noiommu or 'not set'}"
            )
    if not seen.ports:
        return False, "no network device is with a driver for DPDK, and the arguments name none"
    if wrong or unsure:
        return (False if wrong else None), "; ".join((*wrong, *unsure))
    drivers = [f"{address} {slots[address].driver}" if address in slots else address for address in seen.ports]
    return True, listed(drivers)


def links(seen: Seen) -> Outcome:
    """F10: each port has a link. Before it is bound the kernel knows, after the start dpvs."""
    if seen.running:
        if seen.start.links is None:
            return None, f"dpvs doesn't answer: {seen.start.said or 'nothing'}"
        said = [match.strip() for match in NO_LINK.findall(seen.start.log_of_start)]
        down = [link.name for link in seen.start.links if not link.up]
        if down or said:
            return False, "; ".join([*(f"{name} is DOWN" for name in down), *said[:4]])
        return True, listed([f"{link.name} UP" for link in seen.start.links])
    if seen.conf is not None and (left_out := [f for f in seen.errors("queues") if f.message.startswith("no worker has queues")]):
        return told(left_out, "")
    known = {address: seen.look.nets[name] for name, address in seen.setup.nics.items() if name in seen.look.nets}
    known |= {port: seen.look.nets[name] for port, name in seen.interfaces.items() if name in seen.look.nets}
    down = [port for port in seen.ports if port in known and known[port].carrier is False]
    if down:
        return False, f"the kernel sees no carrier on {listed(down)}"
    silent = [port for port in seen.ports if port not in known or known[port].carrier is None]
    if silent or not seen.ports:
        return None, f"{listed(silent, 'no port')}: the kernel doesn't have it, or it is down; dpvs tells when it runs"
    return True, f"carrier on {listed(seen.ports)}"


def queues(seen: Seen) -> Outcome:
    """F11: the NIC has as many queues as the workers want."""
    if seen.conf is None:
        return seen.no_conf
    if wrong := seen.errors("queue-number"):
        return told(wrong, "")
    known = [f"{port.address} has {port.queues}" for port in seen.machine.ports or () if port.queues is not None]
    most = max((len({q for s in w.queues for q in s.rx}) for w in seen.conf.slaves), default=0) * len(seen.conf.slaves)
    unknown = [port.address for port in seen.machine.ports or () if port.queues is None]
    if unknown or not known:
        return None, f"how many queues {listed(unknown, 'the ports')} have can't be seen while dpvs is down and the kernel hasn't the NIC"
    return True, f"{listed(known)} queues; the workers want {most}"


def order(seen: Seen) -> Outcome:
    """F19: the i-th device is the i-th port, whatever their names."""
    if seen.conf is None:
        return seen.no_conf
    if wrong := seen.errors("port-order"):
        return told(wrong, "")
    compared = [f"{d.name} is {p.address}" for d, p in zip(seen.conf.devices, seen.machine.ports or (), strict=False) if p.device == d.name]
    wrong_at = []
    kni = {device.name: str(device.values.get("kni_name", "")) for device in seen.conf.devices}
    for device, port in zip(seen.conf.devices, seen.ports, strict=False):
        reads = seen.interfaces.get(port, "")
        if reads and reads == kni[device.name]:
            compared.append(f"{device.name} is {port}, which reads {reads}")
        elif reads and reads in kni.values():
            wrong_at.append(f"{device.name} will be {port}, which reads {reads}, and is to be {kni[device.name] or 'another'}")
    mine = {device.name: device.pci for device in seen.director.devices if device.pci}
    inventory = {
        device.name: seen.look.nets[device.kni].mac for device in seen.director.devices if device.kni and device.kni in seen.look.nets
    }
    for name in mine.keys() | kni.keys():
        nic = next((nic for nic, address in seen.setup.nics.items() if address == mine.get(name)), kni.get(name, ""))
        if nic in seen.look.nets:
            inventory[name] = seen.look.nets[nic].mac
    for link in seen.look.links:
        bus = link.detail.pci_addr.lower() if link.detail else ""
        bus = re.sub(r":(\d)$", r".\1", bus)  # 1.9 writes the function behind a colon
        if bus.count(":") == 2 and link.name in mine and bus != mine[link.name]:
            wrong_at.append(f"{link.name} is {bus}, the params say {mine[link.name]}")
        elif link.name in inventory and link.mac.lower() != inventory[link.name].lower():
            wrong_at.append(f"{link.name} has the MAC {link.mac.lower()}, and should have {inventory[link.name].lower()}")
        elif link.name in inventory:
            compared.append(f"{link.name} has its MAC, {link.mac.lower()}")
    if wrong_at:
        return False, "; ".join(wrong_at)
    return (True if compared else None), listed(compared, "the params name no `pci`, and no interface's MAC can be compared")
