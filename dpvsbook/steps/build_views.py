"""What the steps of `build` show: the directors as places to build, the stages, and how far they are while they run."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from dpvsbook.building.look import BuildState
from dpvsbook.building.runner import Progress
from dpvsbook.building.stages import Stage
from dpvsbook.views import View


@dataclass(frozen=True, repr=False)
class HostsView(View):
    """The directors, what is built there, and whether a build runs."""

    title: str
    badge: str
    states: Mapping[str, BuildState]

    def rows(self) -> tuple[Sequence[str], list[Sequence[str]]]:
        rows: list[Sequence[str]] = []
        for name, state in self.states.items():
            runs = str(state.progress) if state.progress.state == "running" else ""
            built = ", ".join(state.releases) or "none"
            rows.append([name, state.system, str(state.cpus), f"{state.free >> 10} MB", built, state.current or "none", runs])
        return ["director", "system", "CPUs", "free", "releases", "current", "a build runs"], rows

    def notes(self) -> Iterable[str]:
        if self.badge == "preview":
            yield "Preview: nothing is installed or built."


@dataclass(frozen=True, repr=False)
class StagesView(View):
    """Every stage on every director: done before, to do, or done now and how long it took."""

    title: str
    badge: str
    mode: str
    stages: Mapping[str, tuple[Stage, ...]]
    todo: Mapping[str, tuple[Stage, ...]]
    seconds: Mapping[str, Mapping[str, int]]

    def rows(self) -> tuple[Sequence[str], list[Sequence[str]]]:
        rows: list[Sequence[str]] = []
        for name, stages in self.stages.items():
            left = {stage.name for stage in self.todo[name]}
            took = self.seconds.get(name, {})
            for stage in stages:
                state = "done before" if stage.name not in left else "to do" if self.mode == "preview" else f"{took.get(stage.name, 0)} s"
                rows.append([name, stage.title, state, "\n".join(f"$ {command}" for command in stage.shown)])
        return ["director", "stage", "", "commands"], rows

    def notes(self) -> Iterable[str]:
        if self.mode == "preview" and any(self.todo.values()):
            yield 'Preview: nothing was sent. mode = "apply" does what is left, detached on the director.'


@dataclass
class Live:
    """A line per director in the notebook's cell, brought up to date in place; nothing outside of a notebook."""

    lines: dict[str, str] = field(default_factory=dict)
    _handle: Any = None
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def show(self, name: str, titles: Mapping[str, str], seen: Progress) -> None:
        """How far one director is."""
        title = titles.get(seen.stage, seen.stage)
        count = (
            f" {seen.count[0]}/{seen.count[1]} ({100 * seen.count[0] // max(1, seen.count[1])} %)" if seen.count else f" {seen.last[:80]}"
        )
        with self._lock:
            self.lines[name] = f"{name}: {title}{count}" if seen.state == "running" else f"{name}: {seen.state}"
            self._draw()

    def close(self) -> None:
        """The last state stays."""

    def _draw(self) -> None:
        with contextlib.suppress(ImportError):
            from IPython.core.getipython import get_ipython
            from IPython.display import display

            if get_ipython() is None:
                return
            data = {"text/plain": "\n".join(self.lines.values())}
            if self._handle is None:
                self._handle = display(data, raw=True, display_id=True)  # type: ignore[no-untyped-call]
            else:
                self._handle.update(data, raw=True)
