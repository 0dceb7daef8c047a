"""Kernel modules, now and at boot."""

from __future__ import annotations

from dpvsbook.facts.setup import SetupState
from dpvsbook.hostplan import HostChange, HostPlan, Refusal
from dpvsbook.params import Director, Params
from dpvsbook.steps.setup.common import MODULES_AT_BOOT, addresses, file_change
from dpvsbook.steps.setup.nics import BIFURCATED
from dpvsbook.steps.setup.wanted import wanted_conf


def plan_modules(params: Params, director: Director, state: SetupState) -> HostPlan:
    """The kernel modules, now and at boot. 1.10's KNI is vhost-net and tun; 1.9's is rte_kni, which its own build brings."""
    wanted = ["vfio-pci"] if any(_takes_over(state, address) for address in addresses(director)) else []
    if params.dpvs == "1.10" and wanted_conf(director, state).get("global_defs.kni"):
        wanted += ["vhost-net", "tun"]
    changes = [
        HostChange("module", name, {"loaded": False}, {"loaded": True}, f"{name} is not loaded")
        for name in wanted
        if name.replace("-", "_") not in state.modules and not any(slot.driver == name for slot in state.slots.values())
    ]
    if changes and "modprobe" not in state.tools:
        told = "Load them on the host that this one runs on, or write <init> kni off."
        return HostPlan("modules", director.name, refused=tuple(Refusal(change.key, change.reason, told) for change in changes))
    text = "".join(f"{line}\n" for line in ("# Written by dpvsbook.", *wanted))
    return HostPlan("modules", director.name, tuple(changes + (file_change(state, MODULES_AT_BOOT, text, "at boot") if wanted else [])))


def _takes_over(state: SetupState, address: str) -> bool:
    slot = state.slots.get(address)
    return slot is not None and slot.driver not in BIFURCATED
