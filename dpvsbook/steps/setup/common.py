"""What the plans of a host share: where things are, and what a file's change is."""

from __future__ import annotations

from collections.abc import Callable

from dpvsbook.facts.setup import SetupState
from dpvsbook.hostplan import HostChange, HostPlan
from dpvsbook.params import Director, Params

Planner = Callable[[Params, Director, SetupState], HostPlan]
PAGES_AT_BOOT, MODULES_AT_BOOT = "/etc/tmpfiles.d/dpvsbook-hugepages.conf", "/etc/modules-load.d/dpvsbook.conf"
UNITS = "/etc/systemd/system"


def conf_path(director: Director) -> str:
    """Where a director's dpvs.conf is."""
    return director.start.conf if director.start else "/etc/dpvs.conf"


def unit_name(director: Director) -> str:
    """The name of its dpvs's unit, without `.service`."""
    name = director.start.unit if director.start and director.start.unit else "dpvs"
    return name.removesuffix(".service")


def pid_file(director: Director) -> str:
    """Where its dpvs writes its pid: dpvs's own place, unless several share a machine."""
    return f"/var/run/{unit_name(director)}.pid"


def loaded_file(director: Director) -> str:
    """Where it is noted what the running dpvs has read: gone with a reboot, as dpvs is."""
    return f"/run/dpvsbook/{unit_name(director)}.loaded"


def restore_path(director: Director) -> str:
    """The script that puts back what dpvs held in memory."""
    name = unit_name(director)
    return "/etc/dpvsbook/restore.sh" if name == "dpvs" else f"/etc/dpvsbook/{name}-restore.sh"


def addresses(director: Director) -> tuple[str, ...]:
    """The PCI addresses of a director's ports, its bonds' members among them, in the order of the bus."""
    found = [device.pci for device in director.devices] + [slave.pci for bond in director.bonds for slave in bond.slaves]
    return tuple(sorted({address for address in found if address}))


def file_change(state: SetupState, path: str, text: str, reason: str, mode: int = 0o644) -> list[HostChange]:
    """The change that gives a file this text, none where it has it. A file that is there keeps its mode."""
    there = state.files.get(path)
    if there is not None and there.text == text:
        return []
    before = None if there is None else {"text": there.text, "mode": there.mode}
    return [HostChange("file", path, before, {"text": text, "mode": mode if there is None else there.mode}, reason)]
