"""dpvs's command line, and what a check of its dpvs.conf may know of the host from it."""

from __future__ import annotations

from dpvsbook.conf.machine import Arguments, Machine, Port, arguments
from dpvsbook.conf.model import Conf
from dpvsbook.facts.setup import SetupState
from dpvsbook.params import Director, Params
from dpvsbook.steps.setup.common import addresses, conf_path, pid_file
from dpvsbook.steps.setup.cpus import layout, lcores_argument
from dpvsbook.steps.setup.wanted import wanted_conf

IPC = "/var/run/dpvs.ipc"


def folder(director: Director) -> str:
    """Where dpvs and its tools are."""
    return director.bin.rstrip("/") if director.bin else "/usr/local/sbin"


def command_line(director: Director, conf: Conf, state: SetupState) -> tuple[str, ...]:
    """All of it, the program first."""
    own = ("-c", conf_path(director), "-p", pid_file(director), "-x", director.ipc or IPC)
    return (f"{folder(director)}/dpvs", *own, "--", *eal(director, conf, state))


def eal(director: Director, conf: Conf, state: SetupState) -> tuple[str, ...]:
    """dpvs's arguments after `--`: those of the params, and what they leave out."""
    given = director.start.arguments if director.start else ()
    known = arguments(given)
    extra: list[str] = []
    if known.lcores is None:
        chosen = layout(director, conf, state)
        main = next((w.cpu_id for w in conf.masters), 0)
        which = ["--lcores", lcores_argument(chosen)] if chosen else ["-l", ",".join(map(str, conf.lcores))]
        extra += [*which, "--main-lcore", str(main)]
    if known.ports is None:
        extra += [word for address in addresses(director) for word in ("-a", address)]
    return (*given, *extra)


def machine(params: Params, director: Director, state: SetupState) -> Machine:
    """What is known of the host, for the check of its dpvs.conf."""
    known: Arguments = arguments(eal(director, wanted_conf(director, state), state))
    names = {device.pci: device.name for device in director.devices} | {s.pci: s.name for bond in director.bonds for s in bond.slaves}
    ports = None
    if known.ports is not None:
        node = {address: slot.node if slot.node >= 0 else None for address, slot in state.slots.items()}
        ports = tuple(Port(address, names.get(address), node.get(address)) for address in known.ports)
    loadable = True if state.vhost_net else None if "modprobe" in state.tools else False  # `modules` comes first, and loads it
    return Machine(
        params.dpvs,
        ports,
        known.lcores,
        known.main,
        None if _shares(director) else state.cpus,
        nodes=len({p.node for p in state.pages}) if params.source else None,  # a dpvs built elsewhere may be built for more
        vhost_net=loadable if params.dpvs == "1.10" else None,
        sockets=int(params.source.config.get("CONFIG_DPVS_MAX_SOCKET", "2")) if params.source else 2,
        lips=len(director.lips),
    )


def _shares(director: Director) -> bool:
    """Whether lcores may share CPUs, so that their number says nothing about CPUs."""
    return any("@" in word for word in (director.start.arguments if director.start else ()))
