"""One look at a director as a host, before dpvs runs there: huge pages, NICs and what they carry, modules, CPUs, the files of its setup.

`setup_look.script` is the look; `parse` takes what it prints. A file is printed in base64, so that nothing in it can be taken for a line
of ours.

    pages node0 2048kB 1024 1024        Pages(node=0, size_kb=2048, total=1024, free=1024)
    cpu 3 0 0 1                         Cpu(id=3, node=0, package=0, core=1)
    pci 0000:06:00.0 ixgbe 0            Slot("0000:06:00.0", driver="ixgbe", node=0)
    dpvs 4711 880 no 5e88…              Dpvs(pid=4711, has_read=True, restart=())
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from dpvsbook.errors import ParseError
from dpvsbook.facts.setup_look import LOOK, script

__all__ = ["LOOK", "Cpu", "Dpvs", "File", "Pages", "SetupState", "Slot", "parse", "script"]


@dataclass(frozen=True, slots=True)
class Pages:
    """Huge pages of one size on one NUMA node."""

    node: int
    size_kb: int
    total: int
    free: int


@dataclass(frozen=True, slots=True)
class Slot:
    """A network device on the PCI bus; `driver` None: it has none. `node` -1: the host doesn't say."""

    address: str
    driver: str | None
    node: int


@dataclass(frozen=True, slots=True)
class File:
    """A file of the host: its text and its mode."""

    text: str
    mode: int


@dataclass(frozen=True, slots=True)
class Cpu:
    """A CPU that is online. Two of one core have the same `place`."""

    id: int
    node: int
    package: int
    core: int

    @property
    def place(self) -> tuple[int, int]:
        return self.package, self.core


@dataclass(frozen=True, slots=True)
class Dpvs:
    """The running dpvs. `has_read`: its dpvs.conf as it is now. `restart`: what it has not taken of it, until it is started again."""

    pid: int
    has_read: bool
    restart: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class SetupState:
    """What the look showed. `nics`: interface -> PCI address. `lowers`: a bond, VLAN or bridge -> what is under it.

    `ssh`: the interfaces that carry this session; empty when that can't be told. `files`: None where there is none. `isolated`: CPUs that
    the kernel gives to nobody by itself. `dpvs`: None where none runs. `systemd`: None where it doesn't run; stale where it hasn't read the
    files as they are.
    """

    pages: tuple[Pages, ...] = ()
    nics: Mapping[str, str] = field(default_factory=dict)
    lowers: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    slots: Mapping[str, Slot] = field(default_factory=dict)
    defaults: tuple[str, ...] = ()
    ssh: tuple[str, ...] = ()
    cpus: int = 1
    vhost_net: bool = False
    modules: frozenset[str] = frozenset()
    tools: frozenset[str] = frozenset()
    files: Mapping[str, File | None] = field(default_factory=dict)
    available_mb: int | None = None
    topology: tuple[Cpu, ...] = ()
    isolated: frozenset[int] = frozenset()
    dpvs: Dpvs | None = None
    systemd: Literal["stale", "yes"] | None = None

    def carries(self, interface: str) -> frozenset[str]:
        """An interface with all that is under it."""
        found, todo = set[str](), [interface]
        while todo:
            name = todo.pop()
            if name not in found:
                found.add(name)
                todo += self.lowers.get(name, ())
        return frozenset(found)


def parse(text: str) -> SetupState:
    """The state. Raises ParseError for a line that the look can't have printed."""
    pages: list[Pages] = []
    nics: dict[str, str] = {}
    lowers: dict[str, tuple[str, ...]] = {}
    slots: dict[str, Slot] = {}
    several: dict[str, list[str]] = {"default": [], "ssh": [], "module": [], "tool": []}
    files: dict[str, File | None] = {}
    topology: list[Cpu] = []
    isolated: frozenset[int] = frozenset()
    cpus, vhost, available = 1, False, None
    systemd: Literal["stale", "yes"] | None = None
    daemon: list[str] = []
    loaded: list[str] = []
    for number, line in enumerate(text.splitlines(), start=1):
        match line.split():
            case ["pages", node, size, total, free] if size.endswith("kB"):
                pages.append(Pages(int(node), int(size[:-2]), int(total), int(free)))
            case ["nic", name, bus]:
                nics[name] = bus
            case ["lower", upper, lower]:
                lowers[upper] = (*lowers.get(upper, ()), lower)
            case ["pci", address, driver, node]:
                slots[address] = Slot(address, None if driver == "none" else driver, int(node))
            case [("default" | "ssh" | "module" | "tool") as word, name]:
                several[word].append(name)
            case ["cpus", count]:
                cpus = int(count)
            case ["vhost", answer]:
                vhost = answer == "yes"
            case ["file", path]:
                files[path] = None
            case ["file", path, mode, *content]:
                files[path] = File(base64.b64decode("".join(content)).decode(errors="replace"), int(mode, 8))
            case ["available", kb]:
                available = int(kb) // 1024
            case ["cpu", number_, node, package, core]:
                topology.append(Cpu(int(number_), int(node), int(package), int(core)))
            case ["isolated", *listed]:
                isolated = frozenset(_cpus(",".join(listed)))
            case ["dpvs", *words] if len(words) in (3, 4):
                daemon = words
            case ["systemd", ("stale" | "yes") as answer]:
                systemd = "stale" if answer == "stale" else "yes"
            case ["loaded", *_]:
                loaded.append(line.removeprefix("loaded "))
            case []:
                pass
            case _:
                raise ParseError("setup", line, number)
    unique = {word: tuple(dict.fromkeys(names)) for word, names in several.items()}
    return SetupState(
        tuple(pages),
        nics,
        lowers,
        slots,
        unique["default"],
        unique["ssh"],
        cpus,
        vhost,
        frozenset(unique["module"]),
        frozenset(unique["tool"]),
        files,
        available,
        tuple(sorted(topology, key=lambda cpu: cpu.id)),
        isolated,
        _dpvs(daemon, loaded),
        systemd,
    )


def _dpvs(words: list[str], loaded: list[str]) -> Dpvs | None:
    """`words`: pid, time of start, whether the conf is newer than the pid file, the conf's hash. `loaded`: what is noted of a process."""
    if not words:
        return None
    pid, started, newer, digest = (*words, "")[:4]
    noted = loaded[0].split() if loaded else []
    if noted[:2] == [pid, started]:
        return Dpvs(int(pid), noted[2:] == [digest], tuple(loaded[1:]))
    return Dpvs(int(pid), newer == "no")


def _cpus(text: str) -> list[int]:
    """ "1-3,8" -> [1, 2, 3, 8]"""
    spans = [part.partition("-") for part in text.split(",") if part]
    return [cpu for low, _, high in spans for cpu in range(int(low), int(high or low) + 1)]
