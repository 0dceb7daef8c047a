"""A host's processes: enough of them for `$$`, `$!`, kill, ps, pidof and locks that name a pid."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable

SIGNALS = {"HUP": 1, "INT": 2, "QUIT": 3, "KILL": 9, "USR1": 10, "USR2": 12, "PIPE": 13, "ALRM": 14, "TERM": 15}
HARMLESS = frozenset({int(signal.SIGCHLD), 18, 23, 28})  # CHLD, CONT, URG, WINCH


class Killed(BaseException):
    """A signal ends the process (not an Exception: nothing may swallow it on the way up)."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number

    @property
    def status(self) -> int:
        return 128 + self.number


class Process:
    def __init__(self, pid: int, parent: int, command: str, uid: int) -> None:
        self.pid, self.parent, self.command, self.uid = pid, parent, command, uid
        self.started = time.time()
        self.trapped: set[int] = set()
        self.ignored: set[int] = set()
        self.changed = threading.Condition()
        self.on_signal: list[Callable[[int], None]] = []
        self._pending: list[int] = []

    def signal(self, number: int) -> None:
        if number in HARMLESS or (number in self.ignored and number != 9):
            return
        with self.changed:
            self._pending.append(number)
            self.changed.notify_all()
        for hook in list(self.on_signal):
            hook(number)

    def check(self) -> None:
        """Raises Killed if a signal has come that isn't trapped."""
        if self._pending:
            fatal = next((n for n in self._pending if n not in self.trapped or n == 9), None)
            if fatal is not None:
                raise Killed(fatal)

    def take_trapped(self) -> int | None:
        """The next trapped signal that came."""
        self.check()
        return self._pending.pop(0) if self._pending else None

    def forget(self) -> None:
        """An interactive shell lives on after Ctrl-C."""
        self._pending.clear()

    def sleep(self, seconds: float) -> None:
        """Raises Killed as soon as a fatal signal comes."""
        self.wait_for(lambda: False, seconds)

    def wait_for(self, done: Callable[[], bool], seconds: float | None = None) -> bool:
        """Until `done()` (looked at when `changed` is notified), a fatal signal, or the time is over."""
        deadline = None if seconds is None else time.monotonic() + seconds
        with self.changed:
            while not done():
                self.check()
                left = None if deadline is None else deadline - time.monotonic()
                if left is not None and left <= 0:
                    return False
                self.changed.wait(left)
        return True


class ProcessTable:
    """pid 1 is there from the start; pids go up from 500."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._next = 500
        self._processes = {1: Process(1, 0, "/sbin/init", 0)}
        self._told: list[tuple[Callable[[Process], None], Callable[[Process], None]]] = []

    def watch(self, appears: Callable[[Process], None], vanishes: Callable[[Process], None]) -> None:
        """Called with each process from now on, and with those that are there."""
        self._told.append((appears, vanishes))
        for process in self.all():
            appears(process)

    def spawn(self, command: str, *, parent: int = 1, uid: int = 0) -> Process:
        with self._lock:
            process = Process(self._next, parent, command, uid)
            self._next += 1
            self._processes[process.pid] = process
        for appears, _ in self._told:
            appears(process)
        return process

    def remove(self, process: Process) -> None:
        with self._lock:
            self._processes.pop(process.pid, None)
        for _, vanishes in self._told:
            vanishes(process)

    def get(self, pid: int) -> Process | None:
        return self._processes.get(pid)

    def all(self) -> list[Process]:
        with self._lock:
            return sorted(self._processes.values(), key=lambda process: process.pid)
