"""What a host is made of, by /proc and /sys: CPUs, huge pages by NUMA node, NICs on the PCI bus, processes; getconf, dmesg, flock.

Files of /sys here are plain ones, so that a test can make any machine out of a director by writing them.
"""

from __future__ import annotations

import errno
import os
import time
from functools import partial
from typing import TYPE_CHECKING

from dpvsbook.lab.files import Device, Directory, Link, Regular, Virtual
from dpvsbook.lab.processes import Process
from dpvsbook.lab.shell.streams import Null
from dpvsbook.lab.shell.system import Call
from dpvsbook.lab.utilities.options import UsageError, options

if TYPE_CHECKING:
    from dpvsbook.lab.machines import Machine
    from dpvsbook.lab.utilities import Tool

CPUS = 4
HZ = 100
PAGES = "/sys/devices/system/node/node0/hugepages/hugepages-2048kB"
KERNEL_LOG = "/dev/kmsg"


def equip(machine: Machine) -> dict[str, Tool]:
    """Puts /proc and /sys into a host; its programs for them."""
    booted = time.time()
    put = machine.virtual
    put("/proc/cmdline", Virtual(lambda: "BOOT_IMAGE=/vmlinuz root=/dev/vda1 ro quiet\n"))
    put("/proc/uptime", Virtual(lambda: f"{time.time() - booted:.2f} 0.00\n"))
    put("/proc/mounts", Regular(b"/dev/vda1 / ext4 rw 0 0\nhugetlbfs /dev/hugepages hugetlbfs rw,relatime,pagesize=2M 0 0\n"))
    put(KERNEL_LOG, Regular(b"[    0.000000] Linux version 6.1.0-lab\n"))
    machine.processes.watch(partial(_appear, machine, booted), partial(_vanish, machine))
    put(f"{PAGES}/nr_hugepages", Virtual(lambda: f"{machine.pages()[0]}\n", partial(_reserve, machine)))
    put(f"{PAGES}/free_hugepages", Virtual(lambda: f"{machine.pages()[1]}\n"))
    for number in range(CPUS):
        cpu = f"/sys/devices/system/cpu/cpu{number}"
        machine.files.write(f"{cpu}/topology/physical_package_id", "0\n")
        machine.files.write(f"{cpu}/topology/core_id", f"{number}\n")
        machine.files.make_folders(f"{cpu}/node0")
    machine.files.write("/sys/devices/system/cpu/isolated", "\n")
    if machine.spec.role == "director":
        machine.files.put("/dev/vhost-net", Device(Null, 0o600))
        machine.files.make_folders("/dev/net")
        machine.files.put("/dev/net/tun", Device(Null))
        for port in machine.spec.ports:
            if port.pci:
                plug(machine, port.pci)
    return {"getconf": getconf, "dmesg": dmesg, "flock": flock, "nproc": nproc}


def plug(machine: Machine, address: str, driver: str = "vfio-pci") -> None:
    """A network device on the bus, with its driver, in an IOMMU group."""
    where = f"/sys/bus/pci/devices/{address}"
    machine.files.write(f"{where}/class", "0x020000\n")
    machine.files.write(f"{where}/numa_node", "0\n")
    machine.files.make_folders(f"/sys/bus/pci/drivers/{driver}")
    machine.files.put(f"{where}/driver", Link(f"/sys/bus/pci/drivers/{driver}"))
    machine.files.make_folders(f"/sys/kernel/iommu_groups/{len(machine.files.names('/sys/bus/pci/devices'))}")


def _reserve(machine: Machine, text: str) -> None:
    if not text.strip().isdigit():
        raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))
    machine.reserve(int(text))


def _appear(machine: Machine, booted: float, process: Process) -> None:
    where = f"/proc/{process.pid}"
    name = process.command.split(" ")[0].rsplit("/", 1)[-1].rstrip(":")[:15]
    started = max(0, round((process.started - booted) * HZ))
    before = f"{process.pid} ({name}) S {process.parent} {process.pid} {process.pid}"
    stat = f"{before} 0 -1 4194560 0 0 0 0 0 0 0 0 20 0 1 0 {started} 0 0\n"
    status = f"Name:\t{name}\nState:\tS (sleeping)\nPid:\t{process.pid}\nPPid:\t{process.parent}\n"
    words = process.command.replace(" ", "\0") + "\0"
    for file, text in {"comm": f"{name}\n", "stat": stat, "status": status, "cmdline": words}.items():
        machine.virtual(f"{where}/{file}", Virtual(text.__str__))


def _vanish(machine: Machine, process: Process) -> None:
    with machine.files.lock:
        folder = machine.files.find("/proc")
        if isinstance(folder, Directory):
            folder.children.pop(str(process.pid), None)


def nproc(call: Call) -> int:
    call.out(f"{CPUS}\n")
    return 0


def getconf(call: Call) -> int:
    values = {"_NPROCESSORS_ONLN": CPUS, "_NPROCESSORS_CONF": CPUS, "CLK_TCK": HZ, "PAGESIZE": 4096, "PAGE_SIZE": 4096, "ARG_MAX": 2097152}
    name = call.argv[1] if len(call.argv) == 2 else ""
    if name not in values:
        call.err(f"getconf: Unrecognized variable `{name}'\n")
        return 2
    call.out(f"{values[name]}\n")
    return 0


def dmesg(call: Call) -> int:
    if len(call.argv) > 1:
        raise UsageError(f"unsupported option '{call.argv[1]}'")
    if call.uid:
        return call.fail("read kernel buffer failed: Operation not permitted")
    call.out(call.system.files.read(KERNEL_LOG).decode(errors="replace"))
    return 0


def flock(call: Call) -> int:
    """`flock -n FILE COMMAND…`: nothing in the lab holds such a lock, so it is always got."""
    found, words = options(call, "nsxe", first=True)
    if len(words) < 2:
        raise UsageError("requires a file and a command", 64)
    if call.system.files.find(words[0], call.cwd) is None:
        if "-n" not in found:
            raise UsageError("unsupported without -n", 64)
        return call.fail(f"cannot open lock file {words[0]}: No such file or directory", 66)
    return call.spawn(words[1:])
