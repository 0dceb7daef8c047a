"""Checks of memory: F03, F04, F12."""

from __future__ import annotations

import re
from collections import Counter

from dpvsbook.checks.seen import Outcome, Seen, listed
from dpvsbook.conf.memory import need_mb

TOO_EARLY = re.compile(r"^.*(?:sockopt type already exist|[Ff]ail(?:ed)? to init .*no memory|Cannot init mbuf pool).*$", re.MULTILINE)
TOO_MANY_NODES = "DPVS_MAX_SOCKET is smaller"


def pages(seen: Seen) -> Outcome:
    """F03: free huge pages on each NUMA node, for the pools that dpvs makes there."""
    if "--no-huge" in seen.words:
        return True, "it is started with --no-huge"
    free: Counter[int] = Counter()
    for page in seen.setup.pages:
        free[page.node] += page.free * page.size_kb // 1024
    shown = listed([f"node {node} has {mb} MB free" for node, mb in sorted(free.items())], "the kernel shows no huge pages")
    if seen.running:
        return True, f"dpvs runs, and has its own; {shown}"
    if seen.conf is None:
        return seen.no_conf
    need = need_mb(seen.conf, len(seen.director.lips))
    short = [node for node, mb in free.items() if mb < need]
    if not seen.look.mounts and "--in-memory" not in seen.words:
        return False, f"no hugetlbfs is mounted; {shown}"
    return bool(free) and not short, f"{shown}, and dpvs needs about {need} MB on each"


def leftovers(seen: Seen) -> Outcome:
    """F03: files of a dead process that hold huge pages."""
    stale = [file for file in seen.look.maps if file.stale]
    if stale:
        shown = f"{listed([file.path for file in stale[:3]])}{' …' if len(stale) > 3 else ''}"
        return False, f"{len(stale)} files that no process has hold {sum(file.kb for file in stale) // 1024} MB: {shown}"
    if not seen.look.mounts:
        return None, "no hugetlbfs is mounted"
    if any(file.stale is None for file in seen.look.maps):
        return None, "the host has no flock: who has its huge page files can't be told"
    files = f"{len(seen.look.maps)} files, each with its process" if seen.look.maps else "no file of DPDK's"
    return True, f"{files}, in {listed(seen.look.mounts)}"


def nodes(seen: Seen) -> Outcome:
    """F04: as many NUMA nodes as dpvs was built for."""
    if TOO_MANY_NODES in seen.start.log or TOO_MANY_NODES in seen.start.out:
        line = next(line for line in (seen.start.log + "\n" + seen.start.out).splitlines() if TOO_MANY_NODES in line)
        if not seen.running:
            return False, f"its log says: {line.strip()}; the host has {seen.look.nodes} nodes"
    built = (
        f"dpvs is built for {seen.sockets}" if seen.sockets is not None else "what dpvs is built for isn't known (2, unless told otherwise)"
    )
    shown = f"NUMA nodes: {max(1, seen.look.nodes)}; {built}"
    if seen.running:
        return True, f"dpvs runs; {shown}"
    if seen.sockets is None:
        return (True if seen.look.nodes <= 1 else None), shown
    return seen.look.nodes <= seen.sockets, shown


def early(seen: Seen) -> Outcome:
    """F12: memory that ran out in a first step of the start shows as a later step's error."""
    if seen.running:
        return True, "dpvs runs"
    said = [line.strip() for line in TOO_EARLY.findall(f"{seen.start.log_of_start}\n{seen.start.out}")]
    killed = seen.since_last(seen.look.oom)
    if said or killed:
        return False, "; ".join((*said[:3], *killed))
    if not seen.look.dmesg and not seen.start.log:
        return None, "neither the kernel's log nor dpvs's can be read"
    return True, "neither dpvs's last start nor the kernel's log tells of memory that ran out"
