"""One host: a connection that is made when it is first needed, and batches of commands over it."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import os
import queue
import secrets as entropy
import shlex
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Self

from dpvsbook import secrets
from dpvsbook.errors import HostError, Locked, PlanError
from dpvsbook.hosts.errors import CommandTimeout, ConnectionLost, SudoRefused
from dpvsbook.hosts.keys import fingerprint
from dpvsbook.hosts.session import connect
from dpvsbook.hosts.target import Target
from dpvsbook.hosts.wire import Command, Result, Shell, Splitter, script

if TYPE_CHECKING:
    import paramiko

ROOT = 'if [ "$(id -u)" = 0 ]; then exec sh -s; else exec sudo -n sh -s; fi'
ASKED_ROOT = (
    # Where sudo doesn't ask, the password's line is read away here: it must never reach a shell.
    'if [ "$(id -u)" = 0 ]; then IFS= read -r _; exec sh -s; elif sudo -n true 2>/dev/null; then IFS= read -r _; exec sudo -n sh -s;'
    ' else exec sudo -S -p "" sh -s; fi'
)
CHUNK = 1 << 16


class Host:
    """Safe to use from several threads: each batch has a channel of its own. `round_trips` counts the batches."""

    def __init__(self, name: str, target: Target, *, on_result: Callable[[Host, Result], None] | None = None) -> None:
        self.name = name
        self.target = target
        self.round_trips = 0
        self._on_result = on_result
        self._lock = threading.Lock()
        self._transport: paramiko.Transport | None = None

    def __repr__(self) -> str:
        return f"Host({self.name!r}, {self.target.user}@{self.target.where})"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    @property
    def host_key(self) -> str:
        """The fingerprint of the key that the host showed, and that was verified; empty before the first connection."""
        return fingerprint(self._transport.get_remote_server_key().asbytes()) if self._transport else ""

    def close(self) -> None:
        """Close the connection; the next batch makes a new one."""
        with self._lock:
            if self._transport is not None:
                self._transport.close()
                self._transport = None

    def run(
        self,
        commands: Sequence[Command | Shell],
        *,
        timeout: float = 120,
        inactivity: float = 60,
        lock: str | None = None,
        guard: tuple[Shell, str] | None = None,
    ) -> tuple[Result, ...]:
        """Run commands one after the other in one round trip. Exit codes are reported, and trusted by nobody.

        Raises Locked (somebody else holds the host), PlanError (the guard saw another state) — nothing ran then; ConnectionLost and
        CommandTimeout, which say what is known. A batch that changes nothing is sent a second time when its connection is cut.
        """
        try:
            return self._batch(commands, timeout, inactivity, lock, guard)
        except ConnectionLost:
            if any(command.mutates for command in commands):
                raise
            self.close()
            return self._batch(commands, timeout, inactivity, lock, guard)

    def put(self, path: str, data: bytes, *, mode: int = 0o644, owner: str | None = None, keep: bool = True) -> None:
        """Write a file at once or not at all, keeping the old one as PATH.dpvsbook-UTC, and read its hash back. Raises HostError."""
        result = self.run([put(path, data, mode=mode, owner=owner, keep=keep)])[0]
        wanted = hashlib.sha256(data).hexdigest()
        if result.exit != 0 or not result.stdout.startswith(wanted):
            raise HostError(
                self.name, f"{path} could not be written: {result.stderr.strip() or f'it reads back otherwise, exit {result.exit}'}"
            )

    # -- one batch

    def _batch(
        self, commands: Sequence[Command | Shell], timeout: float, inactivity: float, lock: str | None, guard: tuple[Shell, str] | None
    ) -> tuple[Result, ...]:
        mark = entropy.token_hex(12)
        channel = self._channel()
        self.round_trips += 1
        writer = threading.Thread(
            target=_send, args=(channel, self._opening(), script(commands, mark, lock=lock, guard=guard)), daemon=True
        )
        try:
            writer.start()
            return self._collect(channel, commands, mark, time.monotonic() + timeout, timeout, inactivity)
        finally:
            channel.close()

    def _channel(self) -> paramiko.Channel:
        """A channel with a shell on it. A connection that died idle is made anew, once: nothing of the batch has been sent by then."""
        import paramiko

        for attempt in (1, 2):
            with self._lock:
                if self._transport is None or not self._transport.is_active():
                    self._transport = connect(self.target)
                transport = self._transport
            try:
                channel = transport.open_session(timeout=self.target.connect_timeout)
                channel.exec_command(self._shell())
            except (paramiko.SSHException, EOFError, OSError) as error:
                self.close()
                if attempt == 2:
                    raise HostError(self.name, f"no shell to be had: {error or type(error).__name__}") from error
            else:
                return channel
        raise AssertionError  # not reached: the second failure is raised

    def _shell(self) -> str:
        if self.target.sudo is False or (self.target.sudo is None and self.target.user == "root"):
            return "sh -s"
        return f"sh -c {shlex.quote(ASKED_ROOT if self.target.sudo_password else ROOT)}"

    def _opening(self) -> str:
        by_password = self.target.sudo_password is not None and self._shell() != "sh -s"
        return f"{secrets.resolve(self.target.sudo_password)}\n" if by_password and self.target.sudo_password else ""

    def _collect(
        self, channel: paramiko.Channel, commands: Sequence[Command | Shell], mark: str, deadline: float, timeout: float, inactivity: float
    ) -> tuple[Result, ...]:
        arrived: queue.SimpleQueue[tuple[int, bytes]] = queue.SimpleQueue()
        for stream, receive in enumerate((channel.recv, channel.recv_stderr)):
            threading.Thread(target=_receive, args=(receive, stream, arrived), daemon=True).start()
        splitters = (Splitter(mark), Splitter(mark))
        outputs: list[tuple[str, int, int]] = []  # stdout, exit, when it ended (ns)
        errors: list[str] = []
        results: list[Result] = []
        began, open_streams, through = 0, 2, False
        while not (through and len(results) == len(commands)) and open_streams:
            left = deadline - time.monotonic()
            try:
                stream, data = arrived.get(timeout=max(0.0, min(inactivity, left)))
            except queue.Empty:
                said = f"not through after {timeout:g} s" if left <= inactivity else f"nothing was heard for {inactivity:g} s"
                raise CommandTimeout(
                    self.name,
                    said,
                    *_state(results, commands),
                    remedy="Is the host overloaded, or dpvs stuck? What had ended is in the record.",
                ) from None
            if not data:
                open_streams -= 1
                continue
            for before, words in splitters[stream].feed(data):
                if words[0] == "begin":
                    began = int(words[1])
                elif words[0] == "end":
                    through = True
                elif words[0] == "locked":
                    raise Locked(
                        self.name,
                        f"another run is changing it right now: {' '.join(words[1:])}",
                        remedy="Wait until it is through, then run again.",
                    )
                elif words[0] == "changed":
                    raise PlanError(
                        f"{self.name}: it was changed after the plan was made, so nothing was sent",
                        remedy="Look at the plan again, then apply.",
                    )
                elif stream == 0:
                    outputs.append((before.decode(errors="replace"), int(words[1]), int(words[2])))
                else:
                    errors.append(before.decode(errors="replace"))
            while len(results) < min(len(outputs), len(errors)):
                i = len(results)
                text, code, ended = outputs[i]
                since = outputs[i - 1][2] if i else began
                results.append(Result(commands[i].text, code, text, errors[i], max(0.0, (ended - since) / 1e9), since / 1e9))
                if self._on_result is not None:
                    self._on_result(self, results[-1])
        if len(results) < len(commands):
            self._explain_end(splitters, began, results, commands)
        return tuple(results)

    def _explain_end(
        self,
        splitters: tuple[Splitter, Splitter],
        began: int,
        results: list[Result],
        commands: Sequence[Command | Shell],
    ) -> None:
        said = splitters[1].rest.strip()
        if not began and "sudo" in said:
            raise SudoRefused(
                self.name,
                f"{self.target.user} may not become root: {said.splitlines()[0]}",
                remedy="Allow it in sudoers without a password, name `sudo_password: env:NAME` in the params, or log in as root.",
            )
        if self._on_result is not None and began:
            self._on_result(self, Result(commands[len(results)].text, None, splitters[0].rest, said, 0.0, time.time()))
        self.close()
        raise ConnectionLost(
            self.name,
            "the connection was cut" + (f" ({said.splitlines()[-1]})" if said and not began else ""),
            *_state(results, commands),
            remedy="Run again: it looks first, and only what is missing is sent.",
        )


def put(path: str, data: bytes, *, mode: int = 0o644, owner: str | None = None, keep: bool = True) -> Shell:
    """A file as a part of a batch: written beside its place, then moved there; prints its SHA-256."""
    where, folder = shlex.quote(path), shlex.quote(os.path.dirname(path) or ".")  # noqa: PTH120 - a path on the host, whatever runs here
    kept = f'if [ -e {where} ]; then cp -p {where} {where}.dpvsbook-"$(date -u +%Y%m%dT%H%M%SZ)" || exit 1; fi\n' if keep else ""
    owned = f'chown {shlex.quote(owner)} "$new" || exit 1\n' if owner else ""
    text = (
        f"new=$(mktemp {folder}/.dpvsbook.XXXXXX) || exit 1\n"
        "trap 'rm -f \"$new\"' EXIT\n"
        f'base64 -d >"$new" || exit 1\nchmod {mode:o} "$new" || exit 1\n{owned}{kept}mv -f "$new" {where} || exit 1\nsha256sum {where}'
    )
    return Shell(text, name=f"write {path}", stdin=base64.encodebytes(data).decode(), mutates=True)


def _state(results: list[Result], commands: Sequence[Command | Shell]) -> tuple[list[Result], str | None, list[str]]:
    """What is known, what ran, and what had not begun."""
    texts = [command.text for command in commands[len(results) :]]
    return results, texts[0] if texts else None, texts[1:]


def _send(channel: paramiko.Channel, opening: str, pieces: Iterator[str]) -> None:
    """Writes while the other threads read: a far shell that prints a lot would otherwise stop reading, and both would wait for ever."""
    with contextlib.suppress(OSError, EOFError):
        buffer = opening.encode()
        for piece in pieces:
            buffer += piece.encode()
            if len(buffer) >= CHUNK:
                channel.sendall(buffer)
                buffer = b""
        channel.sendall(buffer)
        channel.shutdown_write()


def _receive(receive: Callable[[int], bytes], stream: int, arrived: queue.SimpleQueue[tuple[int, bytes]]) -> None:
    with contextlib.suppress(OSError, EOFError):
        while data := receive(CHUNK):
            arrived.put((stream, data))
    arrived.put((stream, b""))
