"""All that is known of one director: the params, three looks at its host, its dpvs.conf, and dpvs's arguments. Checks take nothing else."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property

from dpvsbook.checks.look import Look
from dpvsbook.conf.finding import Finding
from dpvsbook.conf.machine import Arguments, Machine, Port
from dpvsbook.conf.model import Conf, read
from dpvsbook.conf.parse import parse_lenient
from dpvsbook.conf.validate import validate
from dpvsbook.facts.setup import SetupState
from dpvsbook.params import Director, Params
from dpvsbook.starting.look import StartState

Outcome = tuple[bool | None, str]
"""Whether it is well (None: it can't be told), and what shows it."""

FOR_DPDK = ("vfio-pci", "uio_pci_generic", "igb_uio")
AFTER = 5.0
"""Seconds between a dpvs's last word and its end, at most."""

BIFURCATED = ("mlx4_core", "mlx5_core")
"""Drivers of the kernel that DPDK uses beside it: never bound to another."""


@dataclass(frozen=True)
class Seen:
    """`words`: what stands after `--` of the dpvs that runs, or will be started; `arguments`: the same, read."""

    params: Params
    director: Director
    setup: SetupState
    start: StartState
    look: Look
    words: tuple[str, ...]
    arguments: Arguments

    @property
    def running(self) -> bool:
        return self.start.own is not None

    @cached_property
    def conf(self) -> Conf | None:
        """The dpvs.conf that is there."""
        return None if self.start.conf is None else read(parse_lenient(self.start.conf).nodes)

    @property
    def no_conf(self) -> Outcome:
        return None, f"there is no {self.start.place.conf}"

    @cached_property
    def allowed(self) -> tuple[str, ...] | None:
        """PCI addresses that dpvs is allowed to take; None: whatever is bound."""
        ports = self.arguments.ports
        return None if ports is None else tuple(port for port in ports if ":" in port)

    @cached_property
    def ports(self) -> tuple[str, ...]:
        """The ports that DPDK will find, in its order."""
        if self.arguments.ports is not None:
            return self.arguments.ports
        slots = self.setup.slots.values()
        return tuple(sorted(slot.address for slot in slots if slot.driver in (*FOR_DPDK, *BIFURCATED)))

    @cached_property
    def interfaces(self) -> Mapping[str, str]:
        """The virtual devices that read an interface of the kernel's: "net_af_packet0" -> "eth1"."""
        found = {}
        for number, word in enumerate(self.words):
            given = word.removeprefix("--vdev=") if word.startswith("--vdev=") else self.words[number + 1] if word == "--vdev" else ""
            name, _, rest = given.partition(",")
            interface = next((part.removeprefix("iface=") for part in rest.split(",") if part.startswith("iface=")), "")
            if interface:
                found[name] = interface
        return found

    @cached_property
    def names(self) -> Mapping[str, str]:
        """What the params call a PCI address."""
        named = {device.pci: device.name for device in self.director.devices}
        named |= {slave.pci: slave.name for bond in self.director.bonds for slave in bond.slaves}
        return {address: name for address, name in named.items() if address}

    @cached_property
    def sockets(self) -> int | None:
        """CONFIG_DPVS_MAX_SOCKET of the dpvs that is there, as its config.mk or the params say."""
        if self.look.sockets is not None:
            return self.look.sockets
        given = self.params.source.config.get("CONFIG_DPVS_MAX_SOCKET") if self.params.source else None
        return int(given) if given and given.isdigit() else None

    def since_last(self, lines: tuple[str, ...]) -> tuple[str, ...]:
        """Lines of the kernel's log, without those from before dpvs wrote its own last: they were of an earlier dpvs."""
        booted = self.start.now - self.start.uptime

        def late(line: str) -> bool:
            stamp = re.match(r"\[ *(\d+\.\d+)\]", line)
            return stamp is None or booted + float(stamp[1]) + AFTER >= self.look.logged

        return tuple(line for line in lines if late(line))

    @cached_property
    def machine(self) -> Machine:
        slots, number = self.setup.slots, {link.name: link for link in self.look.links}
        devices = self.conf.devices if self.conf else ()

        def port(index: int, address: str) -> Port:
            node = slots[address].node if address in slots and slots[address].node >= 0 else None
            nic = next((name for name, at in self.setup.nics.items() if at == address), "")
            link = number.get(devices[index].name) if index < len(devices) else None
            most = link.detail.limits.get("max_rx_queues") if link and link.detail else self.look.channels.get(nic)
            return Port(address, self.names.get(address), node, most)

        ports = tuple(port(index, address) for index, address in enumerate(self.ports))
        return Machine(self.params.dpvs, ports, self.arguments.lcores, self.arguments.main, lips=len(self.director.lips))

    @cached_property
    def findings(self) -> tuple[Finding, ...]:
        """What a check of dpvs.conf says, given the host."""
        return () if self.start.conf is None else validate(self.start.conf, replace(self.machine, cpus=None))

    def errors(self, *rules: str) -> list[Finding]:
        return [finding for finding in self.findings if finding.rule in rules and finding.severity == "error"]


def told(findings: list[Finding], well: str) -> Outcome:
    """The outcome of rules over dpvs.conf: their findings, or what is well."""
    if not findings:
        return True, well
    return False, "; ".join(f"line {f.line}: {f.message}" if f.line else f.message for f in findings)


def listed(items: tuple[str, ...] | list[str], none: str = "none") -> str:
    return ", ".join(items) or none
