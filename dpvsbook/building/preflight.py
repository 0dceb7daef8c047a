"""Can it be built there? Looked at before anything is sent. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from dpvsbook.building.look import BuildState
from dpvsbook.building.stages import Stage
from dpvsbook.params.build import DPDK_OF, PAIRS, Line, Source

ROOM_MB = {"named": 250, "all": 2500}
"""What compiling takes on the disk: with 16 drivers (measured: 100 MB for 1.10, 170 for 1.9); with all, by the number of objects."""
SOURCES_MB = 250
"""What the two trees take (145 MB), and what they are fetched from."""
MEMORY_MB = 700
"""What the largest compiler process of each job takes, DPVS's link included."""


@dataclass(frozen=True, slots=True)
class Check:
    """One thing looked at: what was seen, and what to do where it isn't right."""

    name: str
    ok: bool
    detail: str
    remedy: str = ""


def checks(source: Source, line: Line, state: BuildState, todo: tuple[Stage, ...]) -> Iterator[Check]:
    """Every check of one host. What nothing is left to do for is not asked."""
    names = {stage.name for stage in todo}
    if not names:
        return
    missing = sorted(state.missing)
    if state.manager is None:
        lacking = ", ".join(sorted(state.tools))
        yield Check(
            "tools", not state.tools, f"{state.system} has neither apt nor dnf; missing: {lacking or 'nothing'}", f"Install {lacking}."
        )
    elif "packages" in names:
        yield Check(
            "packages",
            state.root,
            f"{len(missing)} to be installed by {state.manager}: {', '.join(missing)}",
            "Log in as root or with sudo, or have them installed by somebody who may.",
        )
    elif missing:
        yield Check("packages", True, f"not there any more, and not needed for what is left: {', '.join(missing)}")
    else:
        yield Check("packages", True, "all there")
    yield Check("prefix", state.writable, f"{source.prefix} {'can' if state.writable else 'can not'} be written", "Name another `prefix`.")
    if names & {"dpvs-source", "dpdk-source", "dpdk-build"}:
        need = ROOM_MB["named" if source.drivers else "all"] + (SOURCES_MB if names & {"dpvs-source", "dpdk-source"} else 0)
        yield Check(
            "room",
            state.free >= need * 1024,
            f"{state.free >> 10} MB are free at {source.prefix}, about {need} MB are needed",
            "Free some room there, or name another `prefix`.",
        )
    jobs = source.jobs or state.cpus
    if names & {"dpdk-build", "dpvs-build"} and state.memory:
        yield Check(
            "memory",
            state.memory >= MEMORY_MB * 1024,
            f"{state.memory >> 10} MB are free for {jobs} compilers at once",
            "Give back huge pages that nobody uses, or name fewer `jobs`.",
        )
    yield from trees(source, line, state)


def trees(source: Source, line: Line, state: BuildState) -> Iterator[Check]:
    """The sources that are on the host: there, of the right kind, and belonging together."""
    wanted = {"dpvs": line, "dpdk": DPDK_OF[line]}
    for name, origin in (("dpvs", source.dpvs), ("dpdk", source.dpdk)):
        tree, title = state.trees.get(name), name.upper()
        if tree is None:
            continue
        place = origin.directory or origin.archive
        if not tree.there:
            yield Check(title, False, f"there is no {place}", f"Correct `source.{name}`: it is a path on the director.")
        elif origin.directory and not tree.version:
            yield Check(title, False, f"{place} is no {title} source tree", f"Name the top folder of {title}'s sources.")
        elif origin.directory:
            ok = tree.version == wanted[name] or tree.version.startswith(f"{wanted[name]}.")
            yield Check(title, ok, f"{place} is {title} {tree.version}, {wanted[name]} is wanted", f"{PAIRS}; anything else is refused.")
        else:
            yield Check(title, True, f"{place} is there")
