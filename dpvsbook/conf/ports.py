"""The rules about ports: reference A1, 1, 2 and 6."""

from __future__ import annotations

from collections.abc import Iterator

from dpvsbook.conf.finding import Finding
from dpvsbook.conf.items import BOND, DEVICE, WORKER
from dpvsbook.conf.lines import EXITS, Lines, Rule
from dpvsbook.conf.machine import Machine
from dpvsbook.conf.model import Conf


def ports(conf: Conf, host: Machine, lines: Lines) -> Iterator[Finding]:
    """1: as many devices as DPDK finds ports (F01, F02)."""
    line = lines.at("netif_defs")
    if host.ports is None:
        if not conf.devices:
            yield Finding(
                line,
                "ports",
                "no device is configured",
                f"{EXITS}: ports in DPDK RTE (n) != ports in dpvs.conf(0)",
                "Add a device for each port.",
            )
        return
    found, configured = len(host.ports), len(conf.devices)
    if not found:
        yield Finding(
            line, "ports", "DPDK will find no port", f"{EXITS}: No dpdk ports found!", "Bind the NICs to vfio-pci, and allow them with -a."
        )
    elif configured < found and configured + len(conf.bonds) < found:
        yield Finding(
            line,
            "ports",
            f"DPDK finds {found} ports, and {configured} devices are configured",
            f"{EXITS}: ports in DPDK RTE ({found}) != ports in dpvs.conf({configured + len(conf.bonds)})",
            "Add the devices, or allow only theirs with -a.",
        )
    elif configured != found:
        more = conf.devices[found].name if configured > found else ""
        yield Finding(
            lines.at(DEVICE, more) if more else line,
            "ports",
            f"{configured} devices are configured, and DPDK finds {found} ports",
            "starts, and a device stands there without a port" if more else "starts without a name for a port",
            "Make them the same number: one -a for each device.",
        )


def port_order(conf: Conf, host: Machine, lines: Lines) -> Iterator[Finding]:
    """2: the i-th device is the i-th port (F19)."""
    for device, port in zip(conf.devices, host.ports or (), strict=False):
        if port.device is not None and port.device != device.name:
            yield Finding(
                lines.at(DEVICE, device.name),
                "port-order",
                f"{device.name} will be the port {port.address}, which shall be {port.device}",
                "names the ports in the order of the devices, whatever they are called",
                "Put the devices in the order of their PCI addresses.",
            )


def bonds(conf: Conf, host: Machine, lines: Lines) -> Iterator[Finding]:  # noqa: ARG001 - as every rule
    """6: with a bond the workers have its queues, not its members' (F68); its members stand before it; mode 0 or 4 (F66)."""
    devices = {device.name for device in conf.devices}
    for worker in conf.workers:
        for queues in worker.queues:
            owner = next((bond.name for bond in conf.bonds if queues.port in bond.slaves), None)
            if owner:
                yield Finding(
                    lines.at(WORKER, worker.name, queues.port),
                    "bond-ports",
                    f"{worker.name} has queues of {queues.port}, which is in {owner}",
                    f"does not bring {owner} up: no queues to setup for {owner}",
                    f"Write port {owner}.",
                )
    for bond in conf.bonds:
        line = lines.at(BOND, bond.name)
        if not bond.slaves:
            yield Finding(line, "bond-ports", f"{bond.name} has no slave", f"{EXITS}, or makes a bond of nothing", "Add slave lines.")
        for slave in bond.slaves:
            at = lines.at(DEVICE, slave)
            if slave not in devices or at > line:
                where = "is no device" if slave not in devices else f"stands behind it (line {at})"
                yield Finding(
                    lines.at(BOND, bond.name, "slave"),
                    "bond-ports",
                    f"{slave}, a slave of {bond.name}, {where}",
                    "skips that slave",
                    "Put the device before the bond.",
                )
        primary = bond.values.get("primary")
        if primary not in bond.slaves:
            said = f"primary {primary} is none of its slaves" if primary else "has no primary"
            yield Finding(
                lines.at(BOND, bond.name, "primary"),
                "bond-ports",
                f"{bond.name}: {said}",
                "has no queues' settings for it",
                "Name one of its slaves.",
            )
        if conf.bond(bond.name, "mode") not in (0, 4):
            yield Finding(
                lines.at(BOND, bond.name, "mode"),
                "bond-ports",
                f"mode {conf.bond(bond.name, 'mode')} is taken and does not work",
                "starts without the bond",
                "Use mode 0 or 4.",
            )
        if "options" in bond.values and conf.bond(bond.name, "mode") != 4:
            yield Finding(
                lines.at(BOND, bond.name, "options"), "bond-ports", "dedicated_queues is for mode 4", "skips it", "Take it away.", "warning"
            )


RULES: tuple[Rule, ...] = (ports, port_order, bonds)
