"""What a check of dpvs.conf may know of the host and of dpvs's command line. Whatever isn't known isn't checked."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from dpvsbook.errors import DpvsbookError


class BadArguments(DpvsbookError):
    """Arguments after `dpvs … --` that DPDK would refuse."""

    exit_code = 4


@dataclass(frozen=True, slots=True)
class Port:
    """A port that DPDK will find: its PCI address or virtual device, the name that it shall have, NUMA node, most queues, rte_flow."""

    address: str
    device: str | None = None
    node: int | None = None
    queues: int | None = None
    flow: bool | None = None


@dataclass(frozen=True, slots=True)
class Machine:
    """`ports` in the order in which DPDK finds them; `lcores` of `-l` or `--lcores`; `free_mb` huge pages by NUMA node; `sockets` and
    `max_lcore` are dpvs's CONFIG_DPVS_MAX_SOCKET and CONFIG_DPVS_MAX_LCORE; `lips` is how many local addresses it shall carry."""

    version: str = "1.10"
    ports: tuple[Port, ...] | None = None
    lcores: tuple[int, ...] | None = None
    main: int | None = None
    cpus: int | None = None
    nodes: int | None = None
    free_mb: Mapping[int, int] = field(default_factory=dict)
    vhost_net: bool | None = None
    sockets: int = 2
    lips: int = 0


@dataclass(frozen=True, slots=True)
class Arguments:
    """What the EAL's arguments say. `ports`: allowed PCI addresses in the order of the bus, then virtual devices as they are written."""

    lcores: tuple[int, ...] | None = None
    main: int | None = None
    ports: tuple[str, ...] | None = None
    prefix: str = "rte"
    unknown: tuple[str, ...] = ()


def arguments(words: Sequence[str]) -> Arguments:
    """The EAL's arguments, those after `--`. Raises `BadArguments` for lcores that can't be read."""
    lcores: tuple[int, ...] | None = None
    main: int | None = None
    pci: list[str] = []
    vdevs: list[str] = []
    no_pci, prefix, unknown = False, "rte", []
    rest = list(words)
    while rest:
        word = rest.pop(0)
        option, equals, value = word.partition("=")
        if option in ("-l", "--lcores", "-c", "-a", "--allow", "--main-lcore", "--vdev", "--file-prefix") and not equals:
            if not rest:
                raise BadArguments(f"{option} has no value")
            value = rest.pop(0)
        elif re.fullmatch(r"-[lca].+", word):
            option, value = word[:2], word[2:]
        if option in ("-l", "--lcores"):
            lcores = lcore_ids(value)
        elif option == "-c":
            lcores = _mask(value)
        elif option == "--main-lcore":
            main = _number(value)
        elif option in ("-a", "--allow"):
            pci.append(pci_address(value.partition(",")[0]))
        elif option == "--vdev":
            vdevs.append(value.partition(",")[0])
        elif option == "--no-pci":
            no_pci = True
        elif option == "--file-prefix":
            prefix = value
        else:
            unknown.append(word)
    if lcores and main is None:
        main = lcores[0]
    ports = (*([] if no_pci else sorted(set(pci))), *vdevs) if pci or no_pci else None
    return Arguments(lcores, main, ports, prefix, tuple(unknown))


def lcore_ids(text: str) -> tuple[int, ...]:
    """The lcore ids of `-l 0-3,8` or `--lcores '0@1,(1,2)@3,4-6'`: what stands left of the @."""
    ids: set[int] = set()
    for part in re.findall(r"(?:\([^)]*\)|[^,(])+", text):
        left = part.partition("@")[0].strip("() ")
        for piece in left.split(","):
            first, dash, last = piece.strip().partition("-")
            low = _number(first)
            ids.update(range(low, (_number(last) if dash else low) + 1))
    if not ids:
        raise BadArguments(f"no lcores in {text!r}")
    return tuple(sorted(ids))


def pci_address(text: str) -> str:
    """ "06:00.0" -> "0000:06:00.0"."""
    return (text if text.count(":") == 2 else f"0000:{text}").lower()


def _mask(text: str) -> tuple[int, ...]:
    try:
        bits = int(text, 16)
    except ValueError:
        raise BadArguments(f"-c {text!r} is not a hexadecimal mask") from None
    return tuple(i for i in range(bits.bit_length()) if bits >> i & 1)


def _number(text: str) -> int:
    if not re.fullmatch(r"\d+", text.strip()):
        raise BadArguments(f"{text!r} is not an lcore id", remedy="Write them like -l 0-3,8 or --lcores 0@1,1@2.")
    return int(text)
