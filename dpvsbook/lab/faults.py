"""What can be made to go wrong in a lab, by name. `inject(machine, "slow", "0.2")` breaks, `inject(machine, "none")` mends everything."""

# ruff: noqa: ARG001  (every fault is called with a value, few need it)

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from dpvsbook.errors import DpvsbookError
from dpvsbook.lab.processes import Killed

if TYPE_CHECKING:
    from dpvsbook.lab.machines import Machine
    from dpvsbook.lab.shell.system import Call

COUNTED = frozenset({"dpip", "ipvsadm", "dpvs", "ip", "sysctl", "curl", "ping", "arping"})
"""The programs that `cut` counts: the tools of a lab's hosts, not the date or sh that a script is glued together with."""


class FaultError(DpvsbookError):
    """No such fault, or a value that makes no sense for it."""


@dataclass
class Faults:
    """The faults of one host.

    `cut_after`: the SSH connection breaks while the next tool after so many runs (it takes effect, its answer is lost);
    `cut_before`: the same, but that tool never runs; `cut_bytes`: after so many characters of output."""

    latency: float = 0.0
    hang: str = ""
    cut_after: int | None = None
    cut_before: int | None = None
    cut_bytes: int | None = None
    refuse_login: bool = False
    counted: int = field(default=0, repr=False)

    def before(self, machine: Machine, call: Call) -> None:
        """Called before each program that a host runs."""
        if self.latency:
            call.process.sleep(self.latency)
        if self.hang and self.hang in " ".join(call.argv):
            call.process.sleep(3600.0)
        if call.name not in COUNTED or (self.cut_after is None and self.cut_before is None):
            return
        self.counted += 1
        if self.cut_after is not None and self.counted > self.cut_after:
            self.cut_after, self.counted = None, 0
            machine.cut(call.process)
        elif self.cut_before is not None and self.counted > self.cut_before:
            self.cut_before, self.counted = None, 0
            machine.cut(call.process)
            raise Killed(1)


def _number(value: str | None, default: str) -> float:
    try:
        number = float(value or default)
    except ValueError:
        raise FaultError(f"{value!r} is not a number") from None
    if number < 0:
        raise FaultError(f"{value} is less than 0")
    return number


def _slow(machine: Machine, value: str | None) -> str:
    machine.faults.latency = _number(value, "0.2")
    return f"every command takes {machine.faults.latency:g} s longer"


def _hang(machine: Machine, value: str | None) -> str:
    machine.faults.hang = value or "ipvsadm"
    return f"commands with {machine.faults.hang!r} in them never end"


def _cut_after(machine: Machine, value: str | None) -> str:
    machine.faults.cut_after, machine.faults.counted = int(_number(value, "1")), 0
    return f"the connection breaks after {machine.faults.cut_after} tools; the next one runs, its answer is lost"


def _cut_before(machine: Machine, value: str | None) -> str:
    machine.faults.cut_before, machine.faults.counted = int(_number(value, "1")), 0
    return f"the connection breaks after {machine.faults.cut_before} tools; the next one doesn't run"


def _cut_bytes(machine: Machine, value: str | None) -> str:
    machine.faults.cut_bytes = int(_number(value, "1000"))
    return f"the connection breaks after {machine.faults.cut_bytes} bytes of output"


def _drop(machine: Machine, value: str | None) -> str:
    return f"{machine.drop_connections()} connections dropped"


def _failing_reads(machine: Machine, value: str | None) -> str:
    count = int(_number(value, "1"))
    machine.director().faults.failing_reads = count
    return f"the next {count} reads fail with msg callback failed(-23)"


def _host_key(machine: Machine, value: str | None) -> str:
    machine.change_host_key()
    return "the SSH server has another host key"


def _refuse_login(machine: Machine, value: str | None) -> str:
    machine.faults.refuse_login = True
    return "no login is accepted"


def _disk_full(machine: Machine, value: str | None) -> str:
    machine.files.full = True
    return "no space left on device"


def _down(machine: Machine, value: str | None) -> str:
    machine.node.down = True
    return "off the data networks: it answers nobody (SSH still reaches it)"


def _up(machine: Machine, value: str | None) -> str:
    machine.node.down = False
    machine.node.listening = set(machine.spec.listening)
    return "on the networks, its HTTP server runs"


def _http_down(machine: Machine, value: str | None) -> str:
    machine.node.listening.clear()
    return "its HTTP server is stopped: connections are refused"


def _dpvs_kill(machine: Machine, value: str | None) -> str:
    machine.director()
    machine.kill_dpvs(9)
    return "dpvs was killed: its state is gone, its socket is left behind"


def _dpvs_stop(machine: Machine, value: str | None) -> str:
    machine.director()
    machine.kill_dpvs(15)
    return "dpvs was stopped: its state is gone"


def _dpvs_start(machine: Machine, value: str | None) -> str:
    machine.start_dpvs()
    return "dpvs runs, with empty tables"


def _none(machine: Machine, value: str | None) -> str:
    machine.faults.__init__()  # type: ignore[misc]
    machine.files.full = False
    machine.restore_host_key()
    _up(machine, None)
    if machine.spec.role == "director":
        if machine.node.running() is None:
            machine.start_dpvs()
        machine.director().faults.failing_reads = 0
    return "all faults mended"


Fault = Callable[["Machine", str | None], str]
FAULTS: dict[str, Fault] = {
    "none": _none,
    "down": _down,
    "up": _up,
    "http-down": _http_down,
    "dpvs-kill": _dpvs_kill,
    "dpvs-stop": _dpvs_stop,
    "dpvs-start": _dpvs_start,
    "failing-reads": _failing_reads,
    "slow": _slow,
    "hang": _hang,
    "cut": _cut_after,
    "cut-before": _cut_before,
    "cut-bytes": _cut_bytes,
    "drop": _drop,
    "host-key": _host_key,
    "refuse-login": _refuse_login,
    "disk-full": _disk_full,
}


def inject(machine: Machine, fault: str, value: str | None = None) -> str:
    """What is so now, in words. Raises FaultError for a fault that there isn't."""
    if fault not in FAULTS:
        raise FaultError(f"no fault is called {fault!r}", remedy=f"There are: {', '.join(FAULTS)}.")
    return FAULTS[fault](machine, value)
