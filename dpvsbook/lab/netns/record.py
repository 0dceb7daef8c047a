"""What was made, written down before it is made, and how to take it away again: from the record, or from the marks in the namespaces alone.

The record of the machine is /run/dpvsbook/PREFIXjson (gone after a reboot, like everything it names); the lab's own folder has a copy.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import subprocess
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from dpvsbook.lab.netns import machine
from dpvsbook.lab.netns.machine import LabError

FOLDER = Path("/run/dpvsbook")
NETNS = Path("/run/netns")
COPY = "netns.json"
MARK = "DPVSBOOK_NETNS_LAB"  # in the environment of the keeper and of every host's process 1
OURS = ("ssh_config", "known_hosts", "id_ed25519", "id_ed25519.pub", "spec.json", "keeper.log", COPY)
PATIENCE = 10.0


@dataclass(slots=True)
class Record:
    """A lab as recorded. `keeper` is (pid, start time in clock ticks), so that a reused pid is not taken for it."""

    name: str
    prefix: str
    state: str
    namespaces: list[str]
    keeper: tuple[int, int] | None = None
    taken: int = 0
    huge: bool = True
    dpvs: str = ""
    kni: bool = False  # real KNI
    cpus: dict[str, tuple[int, ...]] = field(default_factory=dict)
    hosts: dict[str, dict[str, Any]] = field(default_factory=dict)  # name: pid (of its process 1), port (of its sshd, on loopback)
    seconds: float = 0.0

    @property
    def path(self) -> Path:
        """The machine's record of this lab."""
        return FOLDER / f"{self.prefix}json"

    def save(self) -> None:
        """Write it in both places, whole or not at all."""
        text = json.dumps(asdict(self), indent=1)
        for path in (self.path, Path(self.state) / COPY):
            path.parent.mkdir(parents=True, exist_ok=True)
            part = path.with_name(path.name + ".part")
            part.write_text(text)
            part.replace(path)

    @property
    def alive(self) -> bool:
        """Does its keeper run?"""
        return self.keeper is not None and start_time(self.keeper[0]) == self.keeper[1]


def load(path: Path) -> Record | None:
    """A record from its file; None where there is none that can be read."""
    try:
        data = json.loads(path.read_text())
        if data["keeper"]:
            data["keeper"] = tuple(data["keeper"])
        return Record(**data)
    except (OSError, ValueError, KeyError, TypeError):
        return None


def all_records() -> list[Record]:
    """Every netns lab that this machine knows of."""
    return [found for path in sorted(FOLDER.glob("*.json")) if (found := load(path))]


def of_state(state: Path) -> Record | None:
    """The lab of a state folder; also when the folder lost its copy."""
    return load(state / COPY) or next((found for found in all_records() if found.state == str(state)), None)


def claim(record: Record) -> None:
    """Write the record of a lab that is about to be made; what a crashed one of that name left is taken away first.

    LabError when a lab of that name is up, or namespaces have its names that are not ours.
    """
    FOLDER.mkdir(parents=True, exist_ok=True)
    if (other := load(record.path)) and other.alive:
        raise LabError(
            f"a lab named {record.name} is up already, from {other.state}", remedy=f"Take it down: dpvsbook lab down --state {other.state}"
        )
    if other:
        remove(other)
    sweep(record.prefix)
    if clash := [name for name in record.namespaces if (NETNS / name).exists()]:
        raise LabError(
            f"there are network namespaces that this lab didn't make, with the names that it needs: {', '.join(clash)}",
            remedy=f"Rename the lab (`name:` in the params), or remove them: ip netns del {clash[0]}",
        )
    try:
        record.path.touch(exist_ok=False)
    except FileExistsError:
        raise LabError(f"a lab named {record.name} is being made right now", remedy="Wait for it, or take it down.") from None
    record.save()


def remove(record: Record) -> None:
    """Take the lab away, whatever of it there is: processes, namespaces (links go with them), hugepages, files."""
    if record.alive and record.keeper:
        _end(record.keeper[0], signal.SIGTERM, signal.SIGKILL)
    _end_marked(record.prefix)
    for name in record.namespaces:
        if (NETNS / name).exists() and _is_ours(name, record.prefix):
            _delete(name)
    machine.give_back_hugepages(record.taken, FOLDER)
    state = Path(record.state)
    for name in OURS:
        (state / name).unlink(missing_ok=True)
    with contextlib.suppress(OSError):
        (state / "work").rmdir()
        state.rmdir()  # only where nothing else is in it
    record.path.unlink(missing_ok=True)


def sweep(prefix: str) -> int:
    """Take away what carries a lab's mark, without any record; returns how many namespaces there were."""
    _end_marked(prefix)
    found = [path.name for path in NETNS.glob(f"{prefix}*") if _is_ours(path.name, prefix)] if NETNS.is_dir() else []
    for name in found:
        _delete(name)
    return len(found)


def start_time(pid: int) -> int | None:
    """When a process started (clock ticks after boot): with the pid, that names it for good. None where there is none, or a zombie."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return None if fields[0] in "ZX" else int(fields[19])


def _marked(prefix: str) -> list[int]:
    """The processes that have a lab's mark in their environment, keeper first."""
    mark = f"{MARK}={prefix}\0".encode()
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                if mark in (entry / "environ").read_bytes():
                    found.append(int(entry.name))
    return sorted(found)


def _end_marked(prefix: str) -> None:
    for pid in _marked(prefix):
        if pid != os.getpid():
            _end(pid, signal.SIGKILL)


def _end(pid: int, *signals: signal.Signals) -> None:
    """Send the signals one after another, with patience, until the process is gone. A keeper takes its hosts with it."""
    try:
        handle = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    try:
        for number in signals:
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(handle, number)
            if select.select([handle], [], [], PATIENCE)[0]:
                return
    finally:
        os.close(handle)


def _is_ours(namespace: str, prefix: str) -> bool:
    """Does the namespace carry the mark that the lab leaves on its loopback? A mere file of that name is a leftover."""
    shown = subprocess.run(["ip", "-n", namespace, "-o", "link", "show", "dev", "lo"], capture_output=True, text=True, check=False)
    return f"alias {prefix}" in shown.stdout or "Invalid argument" in shown.stderr


def _delete(namespace: str) -> None:
    """`ip netns del`, again while something still holds the mount."""
    deadline = time.monotonic() + PATIENCE
    while True:
        done = subprocess.run(["ip", "netns", "del", namespace], capture_output=True, text=True, check=False)
        if done.returncode == 0 or not (NETNS / namespace).exists():
            return
        if time.monotonic() > deadline:
            raise LabError(f"can't remove the namespace {namespace}: {done.stderr.strip()}", remedy=f"ip netns del {namespace}")
