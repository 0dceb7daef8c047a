"""What runs in a lab, read from /proc: no command is run in the hosts."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from dpvsbook.lab.netns.machine import meminfo
from dpvsbook.lab.netns.record import Record

TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Process:
    """A process of a host. `cpu`: share of a CPU over its life (dpvs: up to 2.0, both lcores busy); `memory`: resident MB, no hugepages."""

    host: str
    pid: int
    command: str
    cpu: float
    seconds: float
    memory: float


@dataclass(frozen=True, slots=True)
class Status:
    """`str(status)` is the table that `dpvsbook lab status` prints."""

    name: str
    state: str
    seconds_up: float
    hosts: dict[str, int]  # name: its sshd's port on loopback
    processes: tuple[Process, ...]
    hugepages: int  # of 2 MB, on the whole machine
    hugepages_free: int
    hugepages_taken: int  # of them, added by this lab
    cpus: dict[str, tuple[int, ...]]
    kni: bool = False  # real KNI

    @classmethod
    def of(cls, record: Record) -> Status:
        """Look at a lab."""
        namespaces = {_pid_namespace(entry["pid"]): name for name, entry in record.hosts.items()}
        namespaces.pop(None, None)  # not root: whose a process is can't be seen
        uptime = float(Path("/proc/uptime").read_text().split()[0])
        found: list[Process] = []
        for entry in Path("/proc").iterdir():
            host = namespaces.get(_pid_namespace(int(entry.name))) if entry.name.isdigit() else None
            if host and int(entry.name) != record.hosts[host]["pid"]:
                found += _process(host, entry, uptime)
        memory = meminfo()
        began = record.keeper[1] / TICKS if record.keeper else uptime
        order = {name: number for number, name in enumerate(record.hosts)}
        return cls(
            record.name,
            record.state,
            uptime - began,
            {name: entry["port"] for name, entry in record.hosts.items()},
            tuple(sorted(found, key=lambda process: (order[process.host], process.pid))),
            memory.get("HugePages_Total", 0),
            memory.get("HugePages_Free", 0),
            record.taken,
            record.cpus,
            record.kni,
        )

    def __str__(self) -> str:
        lines = [f"lab {self.name}: real DPVS in network namespaces, up for {self.seconds_up:.0f} s, from {self.state}"]
        for host, port in self.hosts.items():
            cpus = f", DPVS on CPU {', '.join(str(cpu) for cpu in sorted(self.cpus[host]))}" if host in self.cpus else ""
            lines.append(f"  {host}: ssh on 127.0.0.1:{port}{cpus}")
            mine = [process for process in self.processes if process.host == host]
            lines += [f" {each.pid:>8} {each.cpu:>5.0%} CPU {each.seconds:>7.1f} s {each.memory:>5.0f} MB  {each.command}" for each in mine]
            if host in self.cpus and not any(Path(process.command.split()[0]).name == "dpvs" for process in mine):
                lines.append("             dpvs does not run")
        if self.cpus:
            lines.append(f"  KNI: {'real, by vhost-net' if self.kni else 'the kernel side of the veths'}")
        used = self.hugepages - self.hugepages_free
        lines.append(f"  hugepages of 2 MB: {used} of {self.hugepages} in use; this lab added {self.hugepages_taken}")
        return "\n".join(lines)


def _pid_namespace(pid: int) -> str | None:
    try:
        return str(Path(f"/proc/{pid}/ns/pid").readlink())
    except OSError:
        return None


def _process(host: str, entry: Path, uptime: float) -> Iterator[Process]:
    try:
        fields = (entry / "stat").read_text().rpartition(")")[2].split()
        command = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
        resident = int((entry / "statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20
    except (OSError, IndexError):
        return
    if fields[0] in "ZX" or not command:
        return
    seconds = (int(fields[11]) + int(fields[12])) / TICKS
    lived = max(uptime - int(fields[19]) / TICKS, 1 / TICKS)
    yield Process(host, int(entry.name), command[:100], seconds / lived, seconds, resident)
