"""`Lab`: a handle on an emulated lab, which runs in this process or (detached) in one of its own."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dpvsbook.errors import DpvsbookError
from dpvsbook.lab.control import ControlError, ask

if TYPE_CHECKING:
    from dpvsbook.lab.running import RunningLab

STATE_FILE = "state.json"
NETNS_STATE = "netns.json"
LOG = "lab.log"
PATIENCE = 15.0
"""Seconds that a lab may take to come up or go down."""


class LabError(DpvsbookError):
    """The lab can't be made, isn't there, or refuses."""


@dataclass(frozen=True, slots=True)
class Ended:
    """A command that ran on a host."""

    exit: int
    stdout: str
    stderr: str


@dataclass(frozen=True, slots=True)
class Lab:
    """A lab that is up. `with Lab.up(...) as lab:` takes it down at the end.

    `running` is the lab itself where it runs in this process (`detach=False`): tests reach into its machines."""

    name: str
    hosts: tuple[str, ...]
    state: Path
    pid: int
    ports: dict[str, int]
    _control: tuple[int, str] = field(repr=False)
    running: RunningLab | None = field(default=None, repr=False, compare=False)

    @property
    def ssh_config(self) -> Path:
        return self.state / "ssh_config"

    @classmethod
    def up(cls, params_file: Path, *, state: Path = Path(".lab"), detach: bool = True, wait: float | None = None) -> Lab:
        """Makes the lab of a params file. `wait`: seconds that a modelled time-out really takes (0.05).

        Raises ParamsError; LabError where one runs from that folder, or it ended at once (with the end of its log)."""
        try:
            other = cls.find(state)
        except LabError:
            other = None
        if other is not None:
            message = f"the lab {other.name} is up from {other.state} already (process {other.pid})"
            raise LabError(message, remedy=f"dpvsbook lab down --state {state}")
        if (state / NETNS_STATE).exists():
            raise LabError(f"a netns lab is recorded in {state}", remedy=f"dpvsbook lab down --state {state}")
        if not detach:
            from dpvsbook.lab import topology
            from dpvsbook.lab.machines import WAIT
            from dpvsbook.lab.running import RunningLab

            inside = RunningLab(topology.read(params_file), state, wait=WAIT if wait is None else wait)
            inside.start()
            return cls._of(state, inside)
        return cls._detached(params_file, state, wait)

    @classmethod
    def _detached(cls, params_file: Path, state: Path, wait: float | None) -> Lab:
        state.mkdir(parents=True, exist_ok=True, mode=0o700)
        command = [sys.executable, "-m", "dpvsbook.lab", str(params_file.resolve()), str(state.resolve())]
        environment = dict(os.environ) if wait is None else {**os.environ, "DPVSBOOK_LAB_WAIT": str(wait)}
        with (state / LOG).open("wb") as log:
            child = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True, env=environment, cwd="/"
            )
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            if child.poll() is not None:
                _raise_ending(child.returncode, (state / LOG).read_text(errors="replace"), params_file)
            with contextlib.suppress(LabError):
                found = cls._of(state)
                if found.pid == child.pid:
                    return found
            time.sleep(0.02)
        child.terminate()
        raise LabError(f"the lab did not come up within {PATIENCE:g} s", remedy=f"See {state / LOG}.")

    @classmethod
    def _of(cls, state: Path, running: RunningLab | None = None) -> Lab:
        try:
            record = json.loads((state / STATE_FILE).read_text())
            return cls(
                record["name"],
                tuple(record["ports"]),
                state.resolve(),
                record["pid"],
                record["ports"],
                (record["control"], record["token"]),
                running,
            )
        except (OSError, ValueError, KeyError):
            raise LabError(f"no lab is up from {state}", remedy=f"dpvsbook lab up PARAMS --state {state}") from None

    @classmethod
    def find(cls, state: Path = Path(".lab")) -> Lab:
        """The lab that runs from a folder. LabError where none does; what a crashed one left behind is cleared away."""
        found = cls._of(state)
        try:
            found._ask({"op": "status"}, timeout=5.0)
        except OSError:
            with contextlib.suppress(OSError):
                (state / STATE_FILE).unlink()
            raise LabError(
                f"the lab of {state} is gone (it was process {found.pid})", remedy=f"dpvsbook lab up PARAMS --state {state}"
            ) from None
        return found

    @classmethod
    def end(cls, state: Path = Path(".lab")) -> bool:
        """`down` for whatever lab runs from a folder; False where none does."""
        try:
            cls.find(state).down()
        except LabError:
            return False
        return True

    def down(self) -> None:
        """Ends the lab. A process is only ever ended by its own control socket's consent, or as a child of ours by its pid."""
        if self.running is not None:
            self.running.stop()
            return
        with contextlib.suppress(OSError):
            self._ask({"op": "down"}, timeout=5.0)
        deadline = time.monotonic() + PATIENCE
        while _alive(self.pid):
            if time.monotonic() > deadline:
                os.kill(self.pid, signal.SIGKILL)  # it answered with our token a moment ago: it is ours
                break
            time.sleep(0.02)
        with contextlib.suppress(OSError):
            (self.state / STATE_FILE).unlink()

    def _ask(self, request: dict[str, Any], *, timeout: float | None = None) -> Any:
        return ask(*self._control, request, timeout=timeout)

    def _request(self, request: dict[str, Any], *, timeout: float | None = None) -> Any:
        try:
            return self._ask(request, timeout=timeout)
        except ControlError as error:
            message, _, remedy = str(error).partition("\n  ")
            raise LabError(message, remedy=remedy) from None
        except OSError as error:
            raise LabError(f"the lab {self.name} does not answer: {error}", remedy="dpvsbook lab status") from None

    def exec(self, host: str, argv: Sequence[str], *, stdin: str = "", timeout: float | None = None) -> Ended:
        """Runs a command on a host, as root there. One word is taken for a shell's line, as ssh does."""
        return Ended(*self._request({"op": "exec", "host": host, "argv": list(argv), "stdin": stdin}, timeout=timeout))

    def shell(self, host: str) -> int:
        """A prompt on the host on this terminal, with history and editing; returns its exit code."""
        if host not in self.hosts:
            raise LabError(f"no host {host} in the lab {self.name}", remedy=f"There are: {', '.join(self.hosts)}")
        client = shutil.which("ssh")
        if client is None:
            raise LabError("no ssh client is on the PATH", remedy=f"Install OpenSSH, or use: dpvsbook lab exec {host} -- COMMAND")
        return subprocess.run([client, "-F", str(self.ssh_config), "-t", host], check=False).returncode

    def inject(self, host: str, fault: str, value: str | float | None = None) -> str:
        """Breaks something (see dpvsbook.lab.faults); says what is so now. The fault `none` mends all."""
        return str(
            self._request({"op": "inject", "host": host, "fault": fault, "value": None if value is None else str(value)}, timeout=30.0)
        )

    def status(self) -> Status:
        """What each host does, and what is broken on it."""
        seen = self._request({"op": "status"}, timeout=10.0)
        return Status(self.name, self.pid, tuple(seen["hosts"]), self.ports, tuple(seen["lost"]))

    def __enter__(self) -> Lab:
        return self

    def __exit__(self, *_: object) -> None:
        self.down()


@dataclass(frozen=True, slots=True)
class Status:
    """`str(status)` is a line per host, and where the last lost packet was lost."""

    name: str
    pid: int
    hosts: tuple[dict[str, Any], ...]
    ports: dict[str, int]
    lost: tuple[str, ...] = ()

    def __str__(self) -> str:
        lines = [f"lab {self.name} (emulated, process {self.pid})"]
        for row in self.hosts:
            broken = f"   broken: {', '.join(row['broken'])}" if row["broken"] else ""
            lines.append(f"  {row['host']:<12} {row['role']:<12} ssh port {self.ports[row['host']]:<6} {row['doing']}{broken}".rstrip())
        return "\n".join([*lines, *(f"  last lost packet: {reason}" for reason in self.lost)])


def _raise_ending(code: int, log: str, params_file: Path) -> None:
    if code == 4:
        from dpvsbook import params

        params.load(params_file)  # the same error again, as itself
    tail = "\n".join(log.strip().splitlines()[-12:])
    raise LabError(f"the lab ended with {code} before it was up:\n{tail}")


def _alive(pid: int) -> bool:
    with contextlib.suppress(ChildProcessError):
        os.waitpid(pid, os.WNOHANG)
    try:
        os.kill(pid, 0)
    except OSError:
        return False
    return True
