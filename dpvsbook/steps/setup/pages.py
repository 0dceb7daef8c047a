"""Huge pages per NUMA node, now and at boot."""

from __future__ import annotations

from dpvsbook.conf.memory import need_mb
from dpvsbook.facts.setup import SetupState
from dpvsbook.hostplan import HostChange, HostPlan, Refusal
from dpvsbook.params import Director, Params
from dpvsbook.steps.setup.common import PAGES_AT_BOOT, file_change
from dpvsbook.steps.setup.wanted import wanted_conf

PAGE_KB = 2048


def plan_pages(params: Params, director: Director, state: SetupState) -> HostPlan:  # noqa: ARG001 - as every plan
    """Huge pages per NUMA node, now and at boot. Never fewer than there are: others may use them."""
    pages = [p for p in state.pages if p.size_kb == PAGE_KB]
    need = need_mb(wanted_conf(director, state), len(director.lips))
    wanted_mb = (director.start.hugepages_mb if director.start else None) or need
    count = -(-wanted_mb * 1024 // PAGE_KB)
    notes = [f"{wanted_mb} MB are wanted on each NUMA node; dpvs needs about {need} MB there"] if wanted_mb < need else []
    if not pages:
        told = "The kernel shows no 2 MB huge pages by NUMA node: reserve them on its command line."
        return HostPlan("pages", director.name, refused=(Refusal("huge pages", "the host has no 2 MB huge pages", told),))
    short = [p for p in pages if p.total < count]
    changes = [
        HostChange(
            "hugepages",
            f"node{p.node}/hugepages/hugepages-{PAGE_KB}kB",
            {"pages": p.total},
            {"pages": count},
            f"NUMA node {p.node} has {p.total} huge pages of 2 MB, {wanted_mb} MB are {count}",
        )
        for p in short
    ]
    lacking = sum(count - p.total for p in short) * PAGE_KB // 1024
    if state.available_mb is not None and lacking > state.available_mb:
        reason = f"{lacking} MB more are wanted for huge pages, and {state.available_mb} MB of memory are available"
        told = "Write a smaller start.hugepages_mb, fewer LIPs or smaller pools, or give the host more memory."
        return HostPlan("pages", director.name, refused=(Refusal("huge pages", reason, told),), notes=tuple(notes))
    if changes or state.files.get(PAGES_AT_BOOT) is not None:  # otherwise somebody reserves them already, at boot or on the command line
        changes += file_change(state, PAGES_AT_BOOT, _at_boot([(p.node, max(count, p.total)) for p in pages]), "at boot")
    return HostPlan("pages", director.name, tuple(changes), (), tuple(notes))


def _at_boot(wanted: list[tuple[int, int]]) -> str:
    """tmpfiles.d(5): written early, while memory is still in one piece."""
    lines = [f"w /sys/devices/system/node/node{node}/hugepages/hugepages-{PAGE_KB}kB/nr_hugepages - - - - {n}" for node, n in wanted]
    return "\n".join(["# Written by dpvsbook: huge pages at boot.", *lines, ""])
