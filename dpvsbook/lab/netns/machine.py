"""What the lab asks of the machine: root, tools, kernel features, hugepages, CPUs. Each lack is an error that says what to do."""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from dpvsbook.errors import DpvsbookError
from dpvsbook.lab.netns.plan import PAGE_MB, LabPlan
from dpvsbook.params.build import PREFIX

PACKAGES = {
    "ip": "iproute2",
    "nsenter": "util-linux",
    "ssh-keygen": "openssh-client",
    "/usr/sbin/sshd": "openssh-server",
    "ethtool": "ethtool",
    "curl": "curl",
}
Cpus = Literal["auto", "shared"]
Kni = Literal["auto", "real", "veth"]
KNI_DEVICES = (Path("/dev/vhost-net"), Path("/dev/net/tun"))
WITH_VIRTIO_KNI = (1, 10)  # older ones have rte_kni.ko
NR_HUGEPAGES = Path("/proc/sys/vm/nr_hugepages")
FILESYSTEMS = Path("/proc/filesystems")
BUILT = Path(PREFIX, "current", "bin")
BINARIES = ("dpvs", "dpip", "ipvsadm")
ROOM_MB = 512  # memory that must stay for everything else


class LabError(DpvsbookError):
    """The lab can't be made, or isn't there."""


@dataclass(frozen=True, slots=True)
class Memory:
    """How the lab's DPVS processes get memory: hugepages, of which `taken` were added to the machine's, or none (`huge` false)."""

    huge: bool
    taken: int = 0


def check(plan: LabPlan, folder: Path | None) -> None:
    """Raise LabError for the first thing that this machine lacks."""
    if sys.platform != "linux":
        raise LabError("the netns lab needs Linux", remedy="Use the emulated lab here: dpvsbook lab up PARAMS")
    if os.geteuid() != 0:
        raise LabError(
            "the netns lab needs root: it makes network namespaces",
            remedy="Run it with sudo, or use the emulated lab: dpvsbook lab up PARAMS",
        )
    if missing := [tool for tool in PACKAGES if not _which(tool)]:
        wanted = sorted({PACKAGES[tool] for tool in missing})
        raise LabError(f"the netns lab needs {', '.join(missing)}", remedy=f"Install: {' '.join(wanted)}")
    if not _has_overlay():
        raise LabError("this kernel has no overlay file system", remedy="modprobe overlay")
    if plan.directors:
        _check_dpvs(folder)


def _which(tool: str) -> str | None:
    """Where a tool is; a user's PATH may lack the folders of root's."""
    return shutil.which(tool, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin")


def _has_overlay() -> bool:
    """Debian's kernel has it as a module, which its first mount would load."""
    if "\toverlay\n" not in FILESYSTEMS.read_text() and (modprobe := _which("modprobe")):
        subprocess.run([modprobe, "-q", "overlay"], check=False)
    return "\toverlay\n" in FILESYSTEMS.read_text()


def built() -> Path | None:
    """The folder of DPVS's bin files: env DPVSBOOK_DPVS, or where the runbook `build` puts it. None where there is none."""
    if named := os.environ.get("DPVSBOOK_DPVS"):
        return Path(named)
    return BUILT if (BUILT / "dpvs").exists() else None


def _check_dpvs(folder: Path | None) -> None:
    build = (
        "Build it: `dpvsbook run notebooks/build.ipynb params/build.yaml --apply --here` (docs/real-lab.md). Where it is built already,"
        " name the folder of its bin files: --dpvs FOLDER, or DPVSBOOK_DPVS."
    )
    if folder is None:
        raise LabError("the netns lab runs real DPVS, and no built one was named", remedy=build)
    if not folder.is_dir():
        raise LabError(f"no folder {folder}", remedy=build)
    if missing := [name for name in BINARIES if not os.access(folder / name, os.X_OK)]:
        raise LabError(f"{folder} has no {', '.join(missing)}: not a folder of DPVS's bin files", remedy=build)


def real_kni(folder: Path | None, wanted: str = "auto") -> bool:
    """Whether DPVS shall make its KNI devices itself; else the kernel side of its veth plays them. "auto": where that is possible.

    LabError when `wanted` is "real" and it isn't, or is no `Kni` at all.
    """
    if wanted not in get_args(Kni):
        raise LabError(f"no such KNI: {wanted!r}", remedy=f"DPVSBOOK_LAB_KNI is one of: {', '.join(get_args(Kni))}.")
    if wanted == "veth":
        return False
    lack = _lack_for_kni(folder)
    if lack and wanted == "real":
        raise LabError(
            f"real KNI isn't possible here: {lack[0]}", remedy=f"{lack[1]} Or leave DPVSBOOK_LAB_KNI=real out: a veth plays it then."
        )
    return not lack


def _lack_for_kni(folder: Path | None) -> tuple[str, str] | None:
    """The first thing that real KNI lacks, with its remedy. The device files are opened: that loads the modules."""
    for path in KNI_DEVICES:
        try:
            os.close(os.open(path, os.O_RDWR))
        except OSError as error:
            module = "vhost_net" if path.name == "vhost-net" else path.name
            return f"{path}: {error.strerror}", f"modprobe {module}; in a container, it needs the device too."
    said = subprocess.run([str(folder / "dpip"), "-V"], capture_output=True, text=True, check=False).stdout.strip() if folder else ""
    found = re.fullmatch(r"dpip-(\d+)\.(\d+)\D.*", said)
    if not found or (int(found[1]), int(found[2])) < WITH_VIRTIO_KNI:
        return f"`dpip -V` says {said!r}, and DPVS has KNI by vhost-net from 1.10 on", "Build DPVS 1.10 (docs/real-lab.md)."
    return None


def cpus_for(directors: int, usable: Iterable[int], cpus: Cpus = "auto") -> list[tuple[int, ...]]:
    """For each director the CPUs that its two busy lcores may run on: two of its own where there are enough, else all that there are.

    "shared": one for both. Measured with 1,000 services on two CPUs: a list takes 0.12 s on two and 8 to 12 s on one, where each exchange
    between the lcores waits for two ticks of the scheduler; and it leaves other programs hardly more.
    """
    free = sorted(usable, reverse=True)
    if cpus == "shared":
        return [(free[number % len(free)],) for number in range(directors)]
    if len(free) > 2 * directors:
        return [(free[2 * number], free[2 * number + 1]) for number in range(directors)]
    return [tuple(free)] * directors


def meminfo() -> dict[str, int]:
    """/proc/meminfo as numbers: kB, or pages for HugePages_*."""
    rows = (line.split() for line in Path("/proc/meminfo").read_text().splitlines())
    return {row[0].rstrip(":"): int(row[1]) for row in rows}


def take_hugepages(pages: int, folder: Path, *, alone: bool = True) -> Memory:
    """See to it that `pages` 2 MB pages are free, adding what lacks; plain memory where the kernel gives none.

    Not `alone`: what is free is another lab's, which may need it yet.

    LabError when there is not enough memory either way: DPVS would start, and a LIP would fail silently.
    """
    with _locked(folder):
        if not NR_HUGEPAGES.exists() or meminfo().get("Hugepagesize") != PAGE_MB * 1024:
            return _plain(pages)
        free, before = meminfo()["HugePages_Free"] if alone else 0, int(NR_HUGEPAGES.read_text())
        if free >= pages:
            return Memory(huge=True)
        available = meminfo()["MemAvailable"] // 1024
        if available < (pages - free) * PAGE_MB + ROOM_MB:
            raise _not_enough(pages, available)
        wanted = before + pages - free
        for _attempt in range(2):
            with contextlib.suppress(OSError):
                NR_HUGEPAGES.write_text(str(wanted))
            if int(NR_HUGEPAGES.read_text()) >= wanted:
                return Memory(huge=True, taken=wanted - before)
            with contextlib.suppress(OSError):
                Path("/proc/sys/vm/compact_memory").write_text("1")
        with contextlib.suppress(OSError):
            NR_HUGEPAGES.write_text(str(before))
        return _plain(pages)


def give_back_hugepages(taken: int, folder: Path) -> None:
    """Undo take_hugepages: what others reserved meanwhile stays."""
    if taken:
        with _locked(folder):
            NR_HUGEPAGES.write_text(str(max(0, int(NR_HUGEPAGES.read_text()) - taken)))


def _plain(pages: int) -> Memory:
    available = meminfo()["MemAvailable"] // 1024
    if available < pages * PAGE_MB + ROOM_MB:
        raise _not_enough(pages, available)
    return Memory(huge=False)


def _not_enough(pages: int, available: int) -> LabError:
    return LabError(
        f"not enough memory: this lab's DPVS needs {pages} pages of {PAGE_MB} MB, and {available} MB are available",
        remedy="Fewer directors or LIPs (42 MB each), or more memory: with too little, a LIP fails silently.",
    )


@contextlib.contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Two labs that come up at once must not count the same free pages."""
    with (folder / "lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
