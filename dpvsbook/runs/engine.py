"""Our papermill engine: the cell loop in which a cell counts as completed only if it ran to its end.

Stock papermill marks every cell completed after a dead kernel or a timeout (NotebookExecutionManager.notebook_complete turns
"pending" into "completed"); its loop can't be interrupted either. Here a cell is completed, failed or pending, in the notebook's
metadata as in the record, whatever ends the run: an error, a dead kernel, a timeout, Ctrl-C, a full disk.
"""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import signal
import sys
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dpvsbook.runs.control import Control
from dpvsbook.runs.kernel import KernelError, Place, Seedling, manager, start
from dpvsbook.runs.verdict import Cell

if TYPE_CHECKING:
    from jupyter_client.manager import AsyncKernelManager

GRACE = 15.0  # seconds that an interrupted cell has to end what it is in the middle of, and to write it down
_POLL = 0.1  # seconds between looks at the journal while a cell runs
_AUTOSAVE = 5.0  # seconds between saves of the notebook while a cell runs


@dataclass(frozen=True, slots=True)
class Hooks:
    """Where the engine reports to: the notebook as cells change (True: the last time), each cell as it starts and ends, a tick."""

    write: Callable[[Mapping[str, Any], bool], None]
    on_cell: Callable[[Cell], None]
    tick: Callable[[], None]


@dataclass(frozen=True, slots=True)
class Limits:
    """Seconds; None: no limit."""

    start: float = 60.0
    cell: float | None = None
    run: float | None = None
    grace: float = GRACE


@dataclass
class Execution:
    """What came of it. `stopped` says why it ended early, unless a cell's own error did."""

    document: Mapping[str, Any]
    cells: tuple[Cell, ...] = ()
    stopped: str = ""
    interrupted: bool = False
    error: Exception | None = field(default=None, repr=False)  # not of the notebook's making (a full disk): the caller raises or tells


@contextlib.contextmanager
def without(*names: str) -> Iterator[None]:
    """Imports made inside see these optional modules as not installed."""
    hidden = [name for name in names if name not in sys.modules]
    for name in hidden:
        sys.modules[name] = None  # type: ignore[assignment]
    try:
        yield
    finally:
        for name in hidden:
            sys.modules.pop(name, None)


def load() -> None:
    """Imports papermill and nbclient, without rfc3987_syntax: half of the time, for jsonschema to check IRIs, which no notebook has."""
    with without("rfc3987_syntax"):
        importlib.import_module("papermill.engines")


def execute(
    document: Mapping[str, Any],
    *,
    cwd: Path,
    env: Mapping[str, str],
    hooks: Hooks,
    control: Control,
    limits: Limits,
    seedling: Seedling | None = None,
) -> Execution:
    """Runs a prepared notebook (nbformat 4) to its end or to its first failure. Errors of the notebook are in the result, not raised."""
    place = Place()
    try:
        if sys.platform == "win32":  # zmq needs a loop with add_reader
            asyncio.set_event_loop_policy(asyncio.WindowsSelectorEventLoopPolicy())
        return asyncio.run(_execute(document, cwd, env, hooks, control, limits, place, seedling))
    finally:
        place.close()


async def _execute(
    document: Mapping[str, Any],
    cwd: Path,
    env: Mapping[str, str],
    hooks: Hooks,
    control: Control,
    limits: Limits,
    place: Place,
    seedling: Seedling | None,
) -> Execution:
    kernels = manager(place, seedling)
    loop = asyncio.get_running_loop()
    requested = asyncio.Event()

    def request() -> None:
        loop.call_soon_threadsafe(requested.set)

    with control.listening(request):
        await start(kernels, place, cwd=cwd, env=env)
        load()  # while the kernel's process starts up beside us
        from dpvsbook.runs.client import Client

        client = Client(document, kernels, place=place, hooks=hooks, control=control, requested=requested, limits=limits)
        return await client.run()


async def ticking(tick: Callable[[], None], work: Awaitable[None]) -> None:
    """Awaits `work`, calling `tick` meanwhile; an error of either ends both."""
    task = asyncio.ensure_future(work)
    try:
        while not task.done():
            await asyncio.wait({task}, timeout=_POLL)
            tick()
    finally:
        if not task.done():
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError, Exception):
                await task
    await task


async def stop(kernels: AsyncKernelManager, *, now: bool) -> None:
    """Ends the kernel, whatever state it is in."""
    with contextlib.suppress(RuntimeError, OSError):
        if await kernels.is_alive():
            await kernels.shutdown_kernel(now=now)
    await kernels.cleanup_resources()


async def interrupt(kernels: AsyncKernelManager) -> None:
    """Ctrl-C for the kernel."""
    with contextlib.suppress(RuntimeError, OSError):
        await kernels.interrupt_kernel()


def how_it_ended(kernels: AsyncKernelManager, place: Place) -> str:
    """How a kernel died, in words: its exit code or signal, and its last words."""
    process = getattr(kernels.provisioner, "process", None)
    code = process.poll() if process is not None else None
    if code is None:
        text = "the kernel died"
    elif code < 0:
        text = f"the kernel was killed by {signal.Signals(-code).name}"
    else:
        text = f"the kernel exited with code {code}"
    words = place.last_words()
    return f"{text}; its last words: {words}" if words else text


def deadline(limits: Limits, started: float) -> tuple[float | None, str]:
    """The seconds that the next cell has, and the words for when they are over."""
    choices = [] if limits.cell is None else [(limits.cell, f"the cell took longer than {limits.cell:g} s")]
    if limits.run is not None:
        choices.append((max(0.0, limits.run - (time.monotonic() - started)), f"the run took longer than {limits.run:g} s"))
    return min(choices, default=(None, ""))


__all__ = ["Execution", "Hooks", "KernelError", "Limits", "execute", "load", "without"]
