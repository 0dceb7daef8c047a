"""Stopping a run from outside it: Ctrl-C, SIGTERM, or whoever holds the Control. Safe from any thread and from a signal handler."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Callable, Iterator
from types import FrameType


class Control:
    """Counts the requests to stop: the first asks (a step may finish what it is in the middle of), the second insists."""

    def __init__(self) -> None:
        self.requests = 0
        self.reason = ""
        self._listener: Callable[[], None] | None = None

    def interrupt(self, reason: str = "interrupted") -> None:
        """Asks the run to stop."""
        self.requests += 1
        self.reason = self.reason or reason
        if self._listener is not None:
            self._listener()

    @contextlib.contextmanager
    def listening(self, listener: Callable[[], None]) -> Iterator[None]:
        """Calls `listener` for every request while the context lasts, and at once if one came before."""
        self._listener = listener
        if self.requests:
            listener()
        try:
            yield
        finally:
            self._listener = None


@contextlib.contextmanager
def signals(control: Control) -> Iterator[None]:
    """While it lasts, SIGINT and SIGTERM become requests to stop. Does nothing outside the main thread, which alone gets signals."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def handle(signum: int, frame: FrameType | None) -> None:  # noqa: ARG001 - the signature of a handler
        control.interrupt("Ctrl-C" if signum == signal.SIGINT else signal.Signals(signum).name)

    before = {signum: signal.signal(signum, handle) for signum in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for signum, handler in before.items():
            signal.signal(signum, handler if handler is not None else signal.SIG_DFL)
