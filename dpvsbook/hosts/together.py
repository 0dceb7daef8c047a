"""Many hosts at once; one host's failure never hides another's result."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Generic, TypeVar, cast

from dpvsbook.errors import DpvsbookError

T = TypeVar("T")
AT_ONCE = 64


@dataclass(frozen=True, slots=True)
class Outcome(Generic[T]):
    """A value, or the error that came instead."""

    value: T | None = None
    error: DpvsbookError | None = None

    def get(self) -> T:
        """The value; raises the error."""
        if self.error is not None:
            raise self.error
        return cast("T", self.value)


def together(hosts: Iterable[str], do: Callable[[str], T]) -> dict[str, Outcome[T]]:
    """`do` for each name, in threads. Our own errors become outcomes; anything else is a bug, and is raised when all are through.

    Daemon threads, and not an executor's: that waits for them at Ctrl-C, and once more when the process ends, however long a host hangs.
    """
    names = list(hosts)
    if len(names) == 1:
        return {names[0]: _one(names[0], do)}
    waiting: queue.SimpleQueue[str] = queue.SimpleQueue()
    ended: queue.SimpleQueue[tuple[str, Outcome[T] | BaseException]] = queue.SimpleQueue()
    for name in names:
        waiting.put(name)

    def work() -> None:
        while True:
            try:
                name = waiting.get_nowait()
            except queue.Empty:
                return
            try:
                ended.put((name, _one(name, do)))
            except BaseException as bug:
                ended.put((name, bug))

    for _ in range(min(AT_ONCE, len(names))):
        threading.Thread(target=work, daemon=True).start()
    found = dict(ended.get() for _ in names)
    outcomes: dict[str, Outcome[T]] = {}
    for name in names:
        outcome = found[name]
        if isinstance(outcome, BaseException):
            raise outcome
        outcomes[name] = outcome
    return outcomes


def _one(name: str, do: Callable[[str], T]) -> Outcome[T]:
    try:
        return Outcome(do(name))
    except DpvsbookError as error:
        return Outcome(error=error)
