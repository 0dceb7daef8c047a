"""The cell loop itself: papermill's client and execution manager, with the parts overridden that were too kind. Imports papermill."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from nbclient.exceptions import CellExecutionError, DeadKernelError
from nbformat import NotebookNode, from_dict
from papermill.clientwrap import PapermillNotebookClient
from papermill.engines import NotebookExecutionManager

from dpvsbook.errors import DpvsbookError
from dpvsbook.runs import engine
from dpvsbook.runs.control import Control
from dpvsbook.runs.kernel import Place
from dpvsbook.runs.verdict import Cell

if TYPE_CHECKING:
    from jupyter_client.manager import AsyncKernelManager

_TITLE = 80


class Manager(NotebookExecutionManager):  # type: ignore[misc]
    """Keeps each cell's state in the notebook's metadata, as papermill does, and writes the notebook where we say."""

    def __init__(self, nb: NotebookNode, hooks: engine.Hooks) -> None:
        self.nb: NotebookNode
        super().__init__(nb, progress_bar=False, autosave_cell_every=engine._AUTOSAVE)
        self._hooks = hooks

    def save(self, **kwargs: Any) -> None:  # noqa: ARG002 - papermill passes the notebook that it has already
        """Writes the notebook as it is now."""
        self._hooks.write(self.nb, self.end_time is not None)
        self.last_save_time = self.now()

    def notebook_complete(self, **kwargs: Any) -> None:  # noqa: ARG002
        """Ends the notebook. A cell that was pending stays so; one that was running has failed."""
        self.end_time = self.now()
        for cell in self.nb.cells:
            if cell.metadata.papermill["status"] == self.RUNNING:
                cell.metadata.papermill |= {"status": self.FAILED, "exception": True}
        self.nb.metadata.papermill |= {
            "end_time": self.end_time.isoformat(),
            "duration": (self.end_time - self.start_time).total_seconds(),
        }
        self.save()


class Stopped(Exception):
    """The run must not go on, and why."""

    def __init__(self, reason: str, *, interrupted: bool = False) -> None:
        super().__init__(reason)
        self.interrupted = interrupted


class Client(PapermillNotebookClient):  # type: ignore[misc]
    """Runs the cells one after another in a kernel that was started already."""

    def __init__(
        self,
        document: Mapping[str, Any],
        kernels: AsyncKernelManager,
        *,
        place: Place,
        hooks: engine.Hooks,
        control: Control,
        requested: asyncio.Event,
        limits: engine.Limits,
    ) -> None:
        super().__init__(
            Manager(_node(document), hooks),
            km=kernels,
            timeout=None,
            iopub_timeout=30,
            raise_on_iopub_timeout=True,
            force_raise_errors=True,  # an error is an error, whatever a tag says
            skip_cells_with_tag="",  # and what isn't executed isn't completed
            coalesce_streams=True,
        )
        self.place, self.hooks, self.control, self.requested, self.limits = place, hooks, control, requested, limits
        self.errors: dict[int, str] = {}
        self.started = time.monotonic()

    async def run(self) -> engine.Execution:
        """Gets the kernel ready, runs the cells, ends the kernel. Only what is no fault of the notebook's is raised."""
        stopped, interrupted, error = "", False, None
        try:
            self.nb_man.notebook_start()
            await self._get_ready()
            for index, cell in enumerate(self.nb.cells):
                await self._one(index, cell)
            self.set_widgets_metadata()
        except Stopped as reason:
            stopped, interrupted = str(reason), reason.interrupted
        except CellExecutionError:
            pass  # the cell says it
        except (DpvsbookError, OSError) as raised:
            stopped, error = str(raised), raised
        finally:
            await self._end(bool(stopped))
        try:
            self.nb_man.notebook_complete()
        except DpvsbookError as raised:
            stopped, error = stopped or str(raised), error or raised
        return engine.Execution(self.nb, self.cells(), stopped, interrupted, error)

    def cells(self) -> tuple[Cell, ...]:
        """Every code cell, and what became of it."""
        return tuple(self._cell(index) for index, cell in enumerate(self.nb.cells) if cell.cell_type == "code")

    async def _get_ready(self) -> None:
        self.kc = self.km.client()
        self.kc.start_channels()
        self.kc.allow_stdin = False
        ready = asyncio.ensure_future(self.kc.wait_for_ready(timeout=self.limits.start))
        request = asyncio.ensure_future(self.requested.wait())
        try:
            await asyncio.wait({ready, request}, return_when=asyncio.FIRST_COMPLETED)
            if request.done():
                raise Stopped(self.control.reason, interrupted=True)
            await ready
        except RuntimeError as error:
            raise Stopped(f"the kernel didn't start: {error}; {engine.how_it_ended(self.km, self.place)}") from error
        finally:
            for task in (ready, request):
                task.cancel()

    async def _one(self, index: int, cell: NotebookNode) -> None:
        """One cell, of whatever type. Raises Stopped or CellExecutionError if the run must not go on."""
        if self.requested.is_set():
            raise Stopped(self.control.reason, interrupted=True)
        code = cell.cell_type == "code"
        self.nb_man.cell_start(cell, index) if code else self._mark(cell)
        if not code:
            return
        self.hooks.on_cell(self._cell(index))
        try:
            await engine.ticking(self.hooks.tick, self._watched(index, cell))
        except BaseException as error:
            self.errors[index] = _text(error)
            self.nb_man.cell_exception(cell, cell_index=index, exception=error)
            if not isinstance(error, CellExecutionError):
                cell.outputs.append(_output(error))
            raise
        finally:
            self.nb_man.cell_complete(cell, cell_index=index)
            self.hooks.on_cell(self._cell(index))

    async def _watched(self, index: int, cell: NotebookNode) -> None:
        """Executes a cell, and ends it when it is time to, or when it is asked for."""
        seconds, words = engine.deadline(self.limits, self.started)
        work = asyncio.ensure_future(self.async_execute_cell(cell, index))
        request = asyncio.ensure_future(self.requested.wait())
        try:
            await asyncio.wait({work, request}, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
            if not work.done():
                interrupted = self.requested.is_set()
                await self._break_off(work, cell)
                if not interrupted:
                    raise Stopped(words)
                if work.cancelled() or work.exception() is not None:
                    raise Stopped(self.control.reason, interrupted=True)
            await work
        except DeadKernelError as error:
            raise Stopped(engine.how_it_ended(self.km, self.place)) from error
        except TimeoutError as error:  # nbclient's: the reply came, the output didn't
            raise Stopped(f"the kernel's output didn't arrive: {error}") from error
        finally:
            for task in (work, request):
                task.cancel()

    async def _break_off(self, work: asyncio.Future[Any], cell: NotebookNode) -> None:
        """Interrupts the cell; kills the kernel if it hasn't ended after the grace, or when the request to stop is repeated."""
        until, interrupted = time.monotonic() + self.limits.grace, False
        while not work.done() and time.monotonic() < until and self.control.requests < 2:
            if not interrupted and "iopub.execute_input" in cell.metadata.get("execution", {}):  # before that the kernel ignores it
                await engine.interrupt(self.km)
                interrupted = True
            await asyncio.wait({work}, timeout=engine._POLL)
        if not work.done():
            work.cancel()
            with contextlib.suppress(RuntimeError, OSError):
                await self.km.shutdown_kernel(now=True)
        with contextlib.suppress(asyncio.CancelledError, Exception):
            await work

    async def _end(self, now: bool) -> None:
        if self.kc is not None:
            self.kc.stop_channels()
        await engine.stop(self.km, now=now)

    def _mark(self, cell: NotebookNode) -> None:
        """Prose and raw cells have nothing to execute: they are completed when the run has passed them."""
        cell.metadata.papermill["status"] = self.nb_man.COMPLETED

    def _cell(self, index: int) -> Cell:
        cell = self.nb.cells[index]
        state = cell.metadata.papermill
        status = state["status"]
        lines = (line.strip() for line in cell.source.splitlines())
        title = next((line.lstrip("# ") for line in lines if line), "")
        return Cell(
            index=index,
            id=str(cell.get("id", index)),
            title=title[:_TITLE],
            status=status,
            started=state["start_time"],
            seconds=state["duration"],
            error=self.errors.get(index, ""),
        )


def _node(document: Mapping[str, Any]) -> NotebookNode:
    node: NotebookNode = from_dict(document)  # type: ignore[no-untyped-call]
    return node


def _text(error: BaseException) -> str:
    if isinstance(error, CellExecutionError):
        return f"{error.ename}: {error.evalue}"
    return str(error) or type(error).__name__


def _output(error: BaseException) -> NotebookNode:
    """What a cell that didn't end shows, in the notebook's own words for an error."""
    name = "Interrupted" if isinstance(error, Stopped) and error.interrupted else type(error).__name__
    text = _text(error)
    return _node({"output_type": "error", "ename": name, "evalue": text, "traceback": [f"{name}: {text}"]})
