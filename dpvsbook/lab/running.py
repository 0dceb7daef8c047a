"""A lab inside this process: machines, SSH servers and the control socket, driven by an asyncio loop of its own."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import secrets
import shlex
import threading
import time
from pathlib import Path
from typing import Any

from dpvsbook.lab.control import ControlServer
from dpvsbook.lab.faults import FaultError, inject
from dpvsbook.lab.machines import WAIT, Machine, build
from dpvsbook.lab.processes import Killed
from dpvsbook.lab.shell.run import DEFAULT_PATH, Shell
from dpvsbook.lab.shell.streams import Capture, Text
from dpvsbook.lab.topology import Topology

STATE_FILE = "state.json"


def execute(machine: Machine, argv: list[str], stdin: str = "") -> tuple[int, str, str]:
    """(exit, stdout, stderr) of a command as root. One word is a shell's line, as with ssh; several are taken as they are."""
    out, err = Capture(), Capture()
    line = argv[0] if len(argv) == 1 else shlex.join(argv)
    process = machine.processes.spawn(f"bash -c {line}")
    environment = {"HOME": "/root", "USER": "root", "LOGNAME": "root", "SHELL": "/bin/bash", "PATH": DEFAULT_PATH}
    shell = Shell(machine, process, stdin=Text(stdin), stdout=out, stderr=err, cwd="/root", environment=environment, name="bash")
    try:
        status = shell.run_script(Text(line + "\n").readline)
    except Killed as killed:
        status = killed.status
    finally:
        machine.processes.remove(process)
    return status & 255, out.text, err.text


class RunningLab:
    """`serve()` runs until `stop()`; `start()` does that in a thread and returns when the lab answers."""

    def __init__(self, topology: Topology, state: Path, *, wait: float = WAIT) -> None:
        self.topology, self.state = topology, state
        self.machines = build(topology, wait=wait)
        self.token = secrets.token_hex(16)
        self.started = time.time()
        self._ready = threading.Event()
        self._failure: BaseException | None = None

    # ---- life

    def start(self) -> None:
        """In a thread of this process."""
        self._thread = threading.Thread(target=self._run, name=f"lab {self.topology.name}", daemon=True)
        self._thread.start()
        self._ready.wait()
        if self._failure is not None:
            raise self._failure

    def _run(self) -> None:
        try:
            asyncio.run(self.serve())
        except BaseException as failure:
            self._failure = failure
            self._ready.set()

    async def serve(self) -> None:
        from dpvsbook.lab import access
        from dpvsbook.lab.server import SshServers

        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        self.state.mkdir(parents=True, exist_ok=True, mode=0o700)
        keys = access.make_keys(self.state, list(self.machines))
        servers = SshServers(self.machines, self.state)
        await servers.start()
        control = ControlServer(self.token, self.handle)
        await control.start()
        logins = {name: (servers.ports[name], machine.spec.user, machine.spec.aliases) for name, machine in self.machines.items()}
        access.write_client_files(self.state, logins, keys)
        self._save(control.port, servers.ports)
        self._ready.set()
        try:
            await self._stop.wait()
        finally:
            control.stop()
            await servers.stop()
            with contextlib.suppress(OSError):
                (self.state / STATE_FILE).unlink()

    def _save(self, control: int, ports: dict[str, int]) -> None:
        record = {"backend": "emulated", "name": self.topology.name, "pid": os.getpid(), "control": control, "token": self.token,
                  "ports": ports, "started": self.started}  # fmt: skip
        part = self.state / f"{STATE_FILE}.part"
        part.touch(mode=0o600)
        part.write_text(json.dumps(record, indent=1) + "\n")
        part.replace(self.state / STATE_FILE)

    def stop(self) -> None:
        """From any thread; waits for the thread that `start` made."""
        self._loop.call_soon_threadsafe(self._stop.set)
        thread = getattr(self, "_thread", None)
        if thread is not None and thread is not threading.current_thread():
            thread.join(10)

    # ---- requests

    def machine(self, name: str) -> Machine:
        if name not in self.machines:
            raise FaultError(f"no host {name} in the lab {self.topology.name}", remedy=f"There are: {', '.join(self.machines)}")
        return self.machines[name]

    def handle(self, request: dict[str, Any]) -> Any:
        """status; exec host argv stdin; inject host fault value; down."""
        match request["op"]:
            case "status":
                network = next(iter(self.machines.values())).network
                return {"hosts": self.status(), "lost": list(network.lost)[-1:]}
            case "exec":
                return execute(self.machine(request["host"]), request["argv"], request.get("stdin", ""))
            case "inject":
                return inject(self.machine(request["host"]), request["fault"], request.get("value"))
            case "down":
                self._loop.call_soon_threadsafe(self._stop.set)
                return True
        raise FaultError(f"no request is called {request['op']!r}")

    def status(self) -> list[dict[str, Any]]:
        """Per host: name, role, what it does, what is broken."""
        rows = []
        for name, machine in self.machines.items():
            dpvs = machine.node.running()
            broken = [
                f"{key}={value}"
                for key, value in vars(machine.faults).items()
                if value not in (None, 0, 0.0, "", False) and key != "counted"
            ]
            broken += ["down"] if machine.node.down else []
            broken += ["disk full"] if machine.files.full else []
            if machine.spec.role == "director":
                doing = f"dpvs {dpvs.version.name}" if dpvs is not None else "dpvs is not running"
            elif machine.node.listening:
                doing = "http on " + ", ".join(map(str, sorted(machine.node.listening)))
            else:
                doing = "http is stopped" if machine.spec.listening else ""
            rows.append(
                {"host": name, "role": machine.spec.role, "doing": doing, "broken": broken, "connections": len(machine.connections)}
            )
        return rows
