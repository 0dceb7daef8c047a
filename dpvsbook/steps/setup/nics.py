"""NICs for DPDK, and those that must stay with the kernel."""

from __future__ import annotations

from dpvsbook.facts.setup import SetupState
from dpvsbook.hostplan import HostChange, HostPlan, Refusal
from dpvsbook.params import Director, Params
from dpvsbook.plan import Value
from dpvsbook.steps.setup.common import addresses

BIFURCATED = ("mlx4_core", "mlx5_core", "mana")
"""Drivers that DPDK works beside: such a NIC is never taken from the kernel."""
USERSPACE = ("vfio-pci", "uio_pci_generic", "igb_uio")
DRIVER = "vfio-pci"


def plan_nics(params: Params, director: Director, state: SetupState) -> HostPlan:  # noqa: ARG001
    """Give the ports of the params to vfio-pci. Never one that carries the default route or this session; never a bifurcated one."""
    tool = "driverctl" if "driverctl" in state.tools else "dpdk-devbind" if "dpdk-devbind.py" in state.tools else ""
    changes: list[HostChange] = []
    refused: list[Refusal] = []
    notes: list[str] = []
    for address in addresses(director):
        slot = state.slots.get(address)
        names = [nic for nic, bus in state.nics.items() if bus == address]
        called = f"{address} ({', '.join(names)})" if names else address
        if slot is not None and slot.driver in USERSPACE:
            continue
        if slot is not None and slot.driver in BIFURCATED:
            notes.append(f"{called} stays with {slot.driver}: DPDK works beside it")
        elif why := _refusal(state, address, names, called, tool):
            refused.append(why)
        elif slot is not None:
            before: dict[str, Value | str | None] = {"driver": None if tool == "driverctl" else slot.driver, "tool": tool}
            after = {"driver": DRIVER, "tool": tool, "down": " ".join(names)}
            changes.append(HostChange("driver", address, before, after, f"{called} is with {slot.driver or 'no driver'}"))
    return HostPlan("nics", director.name, tuple(changes), tuple(refused), tuple(notes))


def carries(state: SetupState, interface: str) -> str:
    """Why an interface must stay with the kernel, "" where it needn't: it, or what is on it, has the default route or this session."""
    for upper in state.defaults:
        if interface in state.carries(upper):
            return f"carries the default route{f' of {upper}' if upper != interface else ''}"
    for upper in state.ssh:
        if interface in state.carries(upper):
            return f"carries this SSH session{f' over {upper}' if upper != interface else ''}"
    return ""


def _refusal(state: SetupState, address: str, names: list[str], called: str, tool: str) -> Refusal | None:
    """Why a port must not, or can't, be given to DPDK."""
    if address not in state.slots:
        told = "Correct `pci` in the params: `dpdk-devbind.py --status-dev net`."
        return Refusal(address, f"{address} is no network device of this host", told)
    if why := next(filter(None, (carries(state, name) for name in names)), ""):
        return Refusal(address, f"{called} {why}", "Give dpvs another port, or manage this host by another one.")
    if names and not state.ssh:
        told = "Bind it by hand, or log in over SSH as root."
        return Refusal(address, f"{called}: it can't be told which interface carries this session", told)
    if not tool:
        return Refusal(address, f"{called}: the host has neither driverctl nor dpdk-devbind.py", "Install driverctl, or DPDK's tools.")
    return None
