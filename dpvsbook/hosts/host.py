"""One host: a connection that is made when it is first needed, and batches of commands over it."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import queue
import secrets as entropy
import shlex
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, NoReturn, Self

from dpvsbook import secrets
from dpvsbook.errors import HostError
from dpvsbook.hosts import files
from dpvsbook.hosts.collect import Collector, OnOutput
from dpvsbook.hosts.errors import CommandTimeout, ConnectionLost, Interrupted, OutputTooLong, ShellEnded, ShellRefused, SudoRefused
from dpvsbook.hosts.keys import fingerprint
from dpvsbook.hosts.session import Session, connect, start
from dpvsbook.hosts.target import Target
from dpvsbook.hosts.wire import Command, Result, Shell, script

if TYPE_CHECKING:
    import paramiko

ROOT = 'if [ "$(id -u)" = 0 ]; then exec sh -s; else exec sudo -n sh -s; fi'
ASKED_ROOT = (
    # Where sudo doesn't ask, the password's line is read away here: it must never reach a shell.
    'if [ "$(id -u)" = 0 ]; then IFS= read -r _; exec sh -s; elif sudo -n true 2>/dev/null; then IFS= read -r _; exec sudo -n sh -s;'
    ' else exec sudo -S -p "" sh -s; fi'
)
CHUNK = 1 << 16
LONGEST = 128 << 20
"""Bytes that one command may print on a stream: more is a mistake, and would fill the memory here."""

ENDING_SECONDS = 5.0
"""How long a shell that has closed its output may take to say how it ended."""


class Host:
    """Safe to use from several threads: each batch has a channel of its own. `round_trips` counts the batches."""

    def __init__(self, name: str, target: Target, *, on_result: Callable[[Host, Result], None] | None = None) -> None:
        self.name = name
        self.target = target
        self.round_trips = 0
        self._on_result = on_result
        self._lock = threading.Lock()
        self._session: Session | None = None

    def __repr__(self) -> str:
        return f"Host({self.name!r}, {self.target.user}@{self.target.where})"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    @property
    def host_key(self) -> str:
        """The fingerprint of the key that the host showed, and that was verified; empty while there is no connection."""
        session = self._session
        return fingerprint(session.transport.get_remote_server_key().asbytes()) if session else ""

    def close(self) -> None:
        """Close the connection, and those to the jump hosts before it; the next batch makes a new one."""
        with self._lock:
            session, self._session = self._session, None
        if session is not None:
            session.close()

    def run(
        self,
        commands: Sequence[Command | Shell],
        *,
        timeout: float = 120,
        inactivity: float = 60,
        lock: str | None = None,
        guard: tuple[Shell, str] | None = None,
        on_output: OnOutput | None = None,
    ) -> tuple[Result, ...]:
        """Run commands one after the other in one round trip. Exit codes are reported, and trusted by nobody.

        `timeout` (s) is for the whole batch, `inactivity` for a time in which nothing is heard. `on_output` gets each line while its
        command runs. Raises Locked (somebody else holds the host), PlanError (the guard saw another state): nothing ran then; and
        ConnectionLost, CommandTimeout and OutputTooLong, which say what is known. A batch that changes nothing is sent a second time when
        its connection is cut.
        """
        try:
            return self._batch(commands, timeout, inactivity, lock, guard, on_output)
        except ConnectionLost as lost:
            if isinstance(lost, ShellEnded) or any(command.mutates for command in commands):
                raise
            return self._batch(commands, timeout, inactivity, lock, guard, on_output)

    def put(self, path: str, data: bytes, *, mode: int = 0o644, owner: str | None = None, keep: bool = True) -> None:
        """Write a file at once or not at all, keeping the old one as PATH.dpvsbook-UTC, and read its hash back. Raises HostError."""
        result = self.run([files.put(path, data, mode=mode, owner=owner, keep=keep)])[0]
        wanted = hashlib.sha256(data).hexdigest()
        if result.exit != 0 or result.stdout.lstrip("\\")[:64] != wanted:  # sha256sum puts a backslash before where it escaped the name
            raise HostError(
                self.name, f"{path} could not be written: {result.stderr.strip() or f'it reads back otherwise, exit {result.exit}'}"
            )

    def get(self, path: str) -> bytes:
        """A file's bytes. Raises HostError where it can't be read."""
        result = self.run([files.get(path)])[0]
        if result.exit != 0:
            raise HostError(self.name, f"{path} could not be read: {result.stderr.strip() or f'exit {result.exit}'}")
        return base64.b64decode(result.stdout)

    # -- one batch

    def _batch(
        self,
        commands: Sequence[Command | Shell],
        timeout: float,
        inactivity: float,
        lock: str | None,
        guard: tuple[Shell, str] | None,
        on_output: OnOutput | None,
    ) -> tuple[Result, ...]:
        mark = entropy.token_hex(12)
        opening = self._opening()
        channel = self._channel()
        self.round_trips += 1
        writer = threading.Thread(target=_send, args=(channel, opening, script(commands, mark, lock=lock, guard=guard)), daemon=True)
        batch = Collector(self.name, commands, mark, on_output)
        try:
            writer.start()
            return self._collect(channel, batch, timeout, inactivity)
        except (Interrupted, KeyboardInterrupt):
            if self._on_result is not None and batch.open is not None:
                self._on_result(self, batch.open)
            raise
        finally:
            channel.close()

    def _channel(self) -> paramiko.Channel:
        """A channel with a shell on it. A connection that died idle is made anew, once: nothing of the batch has been sent by then."""
        import paramiko

        for attempt in (1, 2):
            with self._lock:
                if self._session is None or not self._session.transport.is_active():
                    if self._session is not None:
                        self._session.close()
                    self._session = connect(self.target)
                session = self._session
            try:
                channel = session.transport.open_session(timeout=self.target.connect_timeout)
                start(session.transport, channel, self._shell())
            except (paramiko.SSHException, EOFError, OSError) as error:
                refused = isinstance(error, paramiko.ChannelException) and session.transport.is_active()
                if not refused:  # other threads' batches may be on it: it is closed only where it is of no use to them either
                    session.close()
                if refused or attempt == 2:
                    raise HostError(
                        self.name,
                        f"no shell to be had: {error or type(error).__name__}",
                        remedy="Does sshd there allow sessions (MaxSessions), and is the host not out of memory?",
                    ) from error
            else:
                return channel
        raise AssertionError  # not reached: the second failure is raised

    def _shell(self) -> str:
        if self.target.sudo is False or (self.target.sudo is None and self.target.user == "root"):
            return "sh -s"
        return f"sh -c {shlex.quote(ASKED_ROOT if self.target.sudo_password else ROOT)}"

    def _opening(self) -> str:
        if self.target.sudo_password is None or self._shell() == "sh -s":
            return ""
        password = secrets.resolve(self.target.sudo_password)
        if "\n" in password:  # what follows would be read as commands
            raise secrets.SecretError(f"the secret {self.target.sudo_password} has more than one line, a password has one")
        return f"{password}\n"

    def _collect(self, channel: paramiko.Channel, batch: Collector, timeout: float, inactivity: float) -> tuple[Result, ...]:
        deadline = time.monotonic() + timeout
        arrived: queue.SimpleQueue[tuple[int, bytes]] = queue.SimpleQueue()
        for stream, receive in enumerate((channel.recv, channel.recv_stderr)):
            threading.Thread(target=_receive, args=(receive, stream, arrived), daemon=True).start()
        open_streams = 2
        while not batch.done and open_streams:
            left = deadline - time.monotonic()
            try:
                stream, data = arrived.get(timeout=max(0.0, min(inactivity, left)))
            except queue.Empty:
                said = f"not through after {timeout:g} s" if left <= inactivity else f"nothing was heard for {inactivity:g} s"
                raise CommandTimeout(
                    self.name, said, *batch.state, remedy="Is the host overloaded, or dpvs stuck? What had ended is in the record."
                ) from None
            if not data:
                open_streams -= 1
                continue
            for result in batch.feed(stream, data):
                if self._on_result is not None:
                    self._on_result(self, result)
            if batch.largest > LONGEST:
                raise OutputTooLong(
                    self.name, f"more than {LONGEST >> 20} MB came", *batch.state, remedy="Ask that command for less, or into a file there."
                )
        if not batch.done:
            self._explain_end(channel, batch)
        return tuple(batch.results)

    def _explain_end(self, channel: paramiko.Channel, batch: Collector) -> NoReturn:
        """Why nothing more comes: the shell there never was one, it ended early, or the connection was cut."""
        channel.status_event.wait(ENDING_SECONDS)
        ended = channel.exit_status >= 0 or (channel.transport is not None and channel.transport.is_active())
        last = batch.said.splitlines()[-1] if batch.said else ""
        how = (f"exit {channel.exit_status}" if channel.exit_status >= 0 else "killed, or never begun") + (f", {last!r}" if last else "")
        if not batch.began and ended:
            sudo = [line for line in batch.said.splitlines() if "sudo" in line]
            if sudo:
                raise SudoRefused(
                    self.name,
                    f"{self.target.user} may not become root: {sudo[-1]}",
                    remedy="Allow it in sudoers without a password, name `sudo_password: env:NAME` in the params, or log in as root."
                    " Where nothing needs root (a client, say): `sudo: false`.",
                )
            raise ShellRefused(
                self.name,
                f"logged in, and no POSIX shell answered ({how})",
                remedy=f"Give {self.target.user} a login shell there that runs `sh -s`; nologin, a menu or ForceCommand is none.",
            )
        if ended:
            raise ShellEnded(
                self.name,
                f"the shell there ended ({how})",
                *batch.state,
                remedy="Was it killed, or out of memory? Run again: it looks first, and only what is missing is sent.",
            )
        raise ConnectionLost(
            self.name, "the connection was cut", *batch.state, remedy="Run again: it looks first, and only what is missing is sent."
        )


def _send(channel: paramiko.Channel, opening: str, pieces: Iterator[str]) -> None:
    """Writes while the other threads read: a far shell that prints a lot would otherwise stop reading, and both would wait for ever."""
    with contextlib.suppress(OSError, EOFError):
        buffer = bytearray(opening.encode())
        for piece in pieces:
            buffer += piece.encode(errors="surrogatepass")
            if len(buffer) >= CHUNK:
                channel.sendall(bytes(buffer))
                buffer.clear()
        channel.sendall(bytes(buffer))
        channel.shutdown_write()


def _receive(receive: Callable[[int], bytes], stream: int, arrived: queue.SimpleQueue[tuple[int, bytes]]) -> None:
    with contextlib.suppress(OSError, EOFError):
        while data := receive(CHUNK):
            arrived.put((stream, data))
    arrived.put((stream, b""))
