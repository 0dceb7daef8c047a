"""A host that the setup's tests begin with: nothing done yet, a management NIC, and the two ports of the params."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from dpvsbook.facts.setup import Cpu, File, Pages, SetupState, Slot
from dpvsbook.params import Params
from dpvsbook.params.sections import Start

A, B = "0000:06:00.0", "0000:06:00.1"
HOST = SetupState(
    pages=(Pages(0, 2048, 0, 0), Pages(1, 2048, 4096, 4096), Pages(0, 1048576, 0, 0)),
    nics={"eth0": "0000:03:00.0", "eth2": A, "eth3": B},
    slots={"0000:03:00.0": Slot("0000:03:00.0", "igb", 0), A: Slot(A, "ixgbe", 0), B: Slot(B, "ixgbe", 0)},
    defaults=("eth0",),
    ssh=("eth0",),
    cpus=8,
    modules=frozenset(),
    tools=frozenset({"driverctl", "systemctl", "modprobe"}),
    systemd="yes",
)


def with_conf(text: str, **more: Any) -> SetupState:
    """The host with a dpvs.conf."""
    return replace(HOST, files={"/etc/dpvs.conf": File(text, 0o644)}, **more)


def with_start(params: Params, **start: Any) -> Params:
    """The params with another `start` of the first director."""
    first = params.directors[0].model_copy(update={"start": Start(**start)})
    return params.model_copy(update={"directors": (first, *params.directors[1:])})


def cpus(*rows: tuple[int, int, int], isolated: frozenset[int] = frozenset()) -> Mapping[str, Any]:
    """`topology` out of (CPU, node, core); a node is a package."""
    return {"topology": tuple(Cpu(cpu, node, node, core) for cpu, node, core in rows), "cpus": len(rows), "isolated": isolated}
