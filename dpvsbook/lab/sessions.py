"""One SSH channel to an emulated host: a command, a login shell, SFTP or scp.

The SSH protocol runs in one asyncio loop; each session's shell runs in a thread of its own."""

# ruff: noqa: ARG002  (asyncssh names the arguments)

from __future__ import annotations

import asyncio
import threading
import traceback
from collections.abc import Callable
from typing import Any

import asyncssh
from asyncssh.stream import SSHServerStreamSession

from dpvsbook.lab.machines import Machine
from dpvsbook.lab.processes import Killed
from dpvsbook.lab.sftp import VirtualSFTPServer
from dpvsbook.lab.shell.run import DEFAULT_PATH, Shell
from dpvsbook.lab.shell.streams import Calls, Pipe, Stream, Text

HIGH_WATER = 1 << 20
SIGNALS = {1: "HUP", 2: "INT", 9: "KILL", 13: "PIPE", 15: "TERM"}
Chunks = list[tuple[bool, str]]  # (to standard error, text)


class Output:
    """What a session's threads write, handed to the loop in one piece per turn of it. Raises BrokenPipeError once the connection is gone.

    `left`: so many more characters go out before `cut` is called (None: any number)."""

    def __init__(self, loop: asyncio.AbstractEventLoop, deliver: Callable[[Chunks], None], cut: Callable[[], None]) -> None:
        self._loop, self._deliver, self._cut = loop, deliver, cut
        self._waiting: Chunks = []
        self._changed = threading.Condition()
        self._size, self._scheduled, self._paused, self._gone = 0, False, False, False
        self.left: int | None = None

    def write(self, text: str, *, error: bool) -> None:
        with self._changed:
            while self._size > HIGH_WATER and not self._gone:
                self._changed.wait()
            if self._gone:
                raise BrokenPipeError
            if self.left is not None:
                text, self.left = text[: self.left], max(0, self.left - len(text))
            self._waiting.append((error, text))
            self._size += len(text)
            if not self._scheduled and not self._paused:
                self._scheduled = True
                self._loop.call_soon_threadsafe(self.flush)
        if self.left == 0:
            self._cut()

    def flush(self) -> None:
        """In the loop: hands over what is waiting."""
        with self._changed:
            waiting, self._waiting, self._size, self._scheduled = self._waiting, [], 0, False
            self._changed.notify_all()
        if waiting:
            self._deliver(waiting)

    def pause(self, paused: bool) -> None:
        with self._changed:
            self._paused = paused
        if not paused:
            self.flush()

    def close(self) -> None:
        """Nobody reads any more."""
        with self._changed:
            self._gone = True
            self._changed.notify_all()

    @property
    def gone(self) -> bool:
        return self._gone


class Session(SSHServerStreamSession[str]):
    """asyncssh's stream session carries SFTP and scp; a command or a shell goes to a thread with the emulated shell."""

    def __init__(self, machine: Machine, username: str, connection: asyncssh.SSHServerConnection) -> None:
        self._machine, self._username = machine, username
        self._uid = machine.uid_of(username) or 0
        super().__init__(_never, self._file_server, 3, True)
        self._connection = connection
        self._event_loop = asyncio.get_running_loop()
        self._input = Pipe(limit=0)
        self._output = Output(self._event_loop, self._deliver, self.cut)
        self._process = machine.processes.spawn("sshd-session")
        self._shell: Shell | None = None
        self._terminal = ""
        self._in_shell = False

    def _file_server(self, channel: Any) -> asyncssh.SFTPServer:
        return VirtualSFTPServer(channel, self._machine.files, self._uid, self._machine.home(self._uid))

    # ---- from the channel

    def pty_requested(self, term_type: str, term_size: object, term_modes: object) -> bool:
        self._terminal = term_type or "dumb"
        return True

    def subsystem_requested(self, subsystem: str) -> bool:
        return subsystem == "sftp"

    def session_started(self) -> None:
        channel: Any = self._chan
        command: str | None = channel.get_command()
        if channel.get_subsystem() is not None or (command is not None and command.startswith("scp ")):
            self._machine.processes.remove(self._process)
            super().session_started()
            return
        self._in_shell = True
        self._machine.sessions[self._process.pid] = self.cut
        self._output.left, self._machine.faults.cut_bytes = self._machine.faults.cut_bytes, None
        given = {str(name): str(value) for name, value in channel.get_environment().items()}
        environment = {name: value for name, value in given.items() if name == "LANG" or name.startswith("LC_")}
        threading.Thread(target=self._run, args=(command, environment), name=f"ssh:{self._machine.hostname}", daemon=True).start()

    def data_received(self, data: str, datatype: int | None) -> None:
        if self._in_shell:
            self._input.feed(data)
        else:
            super().data_received(data, datatype)

    def eof_received(self) -> bool:
        if not self._in_shell:
            return bool(super().eof_received())
        self._input.close()
        return True

    def soft_eof_received(self) -> None:
        """Ctrl-D."""
        self._input.close()

    def break_received(self, msec: int) -> bool:
        """Ctrl-C."""
        self.signal_received("INT")
        return True

    def signal_received(self, signal: str) -> None:
        number = next((number for number, name in SIGNALS.items() if name == signal), 15)
        self._process.signal(number)

    def terminal_size_changed(self, width: int, height: int, pixwidth: int, pixheight: int) -> None:
        return

    def pause_writing(self) -> None:
        if self._in_shell:
            self._output.pause(True)
        else:
            super().pause_writing()

    def resume_writing(self) -> None:
        if self._in_shell:
            self._output.pause(False)
        else:
            super().resume_writing()

    def connection_lost(self, exc: Exception | None) -> None:
        if not self._in_shell:
            self._machine.processes.remove(self._process)
            super().connection_lost(exc)
            return
        self._output.close()
        self._input.close()
        if self._terminal:
            self._process.signal(1)  # without a terminal sshd only closes the pipes: the shell ends when it reads or writes

    # ---- to the channel

    def cut(self) -> None:
        """Breaks the connection once what was written before is out; from now on writing fails."""
        self._output.close()
        self._event_loop.call_soon_threadsafe(self._break)

    def _break(self) -> None:
        self._output.flush()
        self._event_loop.call_later(0.01, self._connection.abort)

    def _deliver(self, waiting: Chunks) -> None:
        channel: Any = self._chan
        if channel is None or channel.is_closing():
            return
        at = 0
        while at < len(waiting):
            error, start = waiting[at][0], at
            while at < len(waiting) and waiting[at][0] == error:
                at += 1
            text = "".join(text for _, text in waiting[start:at])
            if error and not self._terminal:
                channel.write_stderr(text)
            elif text:
                channel.write(text)

    # ---- the shell's thread

    def _run(self, command: str | None, environment: dict[str, str]) -> None:
        machine = self._machine
        home, terminal = machine.home(self._uid), bool(self._terminal)
        out: Stream = Calls(lambda text: self._output.write(text, error=False), tty=terminal)
        err: Stream = Calls(lambda text: self._output.write(text, error=True), tty=terminal)
        self._input.tty = terminal
        environment = {
            "HOME": home,
            "USER": self._username,
            "LOGNAME": self._username,
            "SHELL": "/bin/bash",
            "PATH": DEFAULT_PATH,
            **({"TERM": self._terminal} if terminal else {}),
            **environment,
        }
        self._process.command = "-bash" if command is None else f"bash -c {command}"
        self._process.uid = self._uid
        self._process.on_signal.append(self._wake)
        interactive = command is None and terminal
        shell = Shell(
            machine,
            self._process,
            stdin=self._input,
            stdout=out,
            stderr=err,
            uid=self._uid,
            cwd=home,
            environment=environment,
            name="-bash" if interactive else "bash",
            options="i" if interactive else "",
        )
        status, killed_by = 0, 0
        try:
            if command is not None:
                status = shell.run_script(Text(command).readline)
            else:
                status = shell.run_script(
                    self._input.readline, prompt=(lambda more: out.write(self._prompt(shell, more))) if interactive else None
                )
        except Killed as killed:
            status, killed_by = killed.status, killed.number
        except BrokenPipeError:
            status = 141
        except Exception:
            # A bug of the emulator must show itself, and must not leave a session hanging.
            status = 70
            self._output_safely(f"dpvsbook lab: {traceback.format_exc()}")
        machine.processes.remove(self._process)
        machine.sessions.pop(self._process.pid, None)
        if not self._event_loop.is_closed():
            self._event_loop.call_soon_threadsafe(self._ended, status, killed_by)

    def _output_safely(self, text: str) -> None:
        try:
            self._output.write(text, error=True)
        except BrokenPipeError:
            return

    def _wake(self, number: int) -> None:
        if number in (1, 9, 15) and number not in self._process.trapped:
            self._input.close()

    def _prompt(self, shell: Shell, more: bool) -> str:
        if more:
            return "> "
        home = self._machine.home(shell.uid)
        where = "~" + shell.cwd.removeprefix(home) if shell.cwd == home or shell.cwd.startswith(f"{home}/") else shell.cwd
        return f"{self._username}@{self._machine.hostname}:{where}{'#' if shell.uid == 0 else '$'} "

    def _ended(self, status: int, killed_by: int) -> None:
        self._output.flush()
        channel: Any = self._chan
        if channel is None or channel.is_closing() or self._output.gone:
            return
        if killed_by in SIGNALS:
            channel.exit_with_signal(SIGNALS[killed_by])
        else:
            channel.exit(status & 255)


def _never(*_: object) -> None:
    """Only tells asyncssh that shells and commands are welcome; `session_started` runs them."""
