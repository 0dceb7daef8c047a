"""Starting a build on a host, and following it: each look is one round trip, and a cut connection ends the looking only."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence

from dpvsbook.building import runner
from dpvsbook.building.failures import Failure, explain
from dpvsbook.building.stages import Stage
from dpvsbook.errors import HostError, Unreachable
from dpvsbook.hosts import (
    CommandTimeout,
    ConnectionLost,
    Host,
    HostKeyChanged,
    HostKeyRevoked,
    HostKeyUnknown,
    LoginRefused,
    Shell,
    put,
)

PATIENCE = 600.0
"""How long a host may be out of reach (s) before the looking is given up; the build there goes on all the same."""
EVERY = 1.0
QUESTION = "how far is the build?"


class BuildFailed(HostError):
    """A stage ended with an error. `failure` has what the log says and what is known of it; `stage`, `log`: where to read on."""

    def __init__(self, host: str, title: str, stage: str, log: str, failure: Failure) -> None:
        known = failure.known
        because = f"\n{known.id} {known.name}: {known.cause}" if known else ""
        super().__init__(
            host,
            f"{title} failed: {failure.error}{because}\nThat is line {failure.line} of {log} there.",
            remedy=known.fix if known else f"The whole log is kept there: {log}. After mending, run again: it goes on with this stage.",
        )
        self.failure, self.stage, self.log = failure, stage, log


class BuildBroken(HostError):
    """The runner is gone without a last word."""


def start(host: Host, work: str, prefix: str, stages: Sequence[Stage], holder: str) -> bool:
    """Put the runner there and start it, detached. False where one runs already: that one is to be followed. Raises HostError."""
    commands = [
        Shell(runner.prepare(work), name=f"mkdir -p {work}", mutates=True),
        put(f"{work}/run.sh", runner.script(prefix, stages).encode(), mode=0o755, keep=False),
        Shell(runner.start(work), name="start the build, detached", mutates=True),
    ]
    results = host.run(commands, lock=holder)
    for result in results:
        if result.exit != 0:
            said = result.stderr.strip().splitlines()
            raise HostError(
                host.name,
                f"the build could not be started: `{result.command}`: {said[-1] if said else f'exit {result.exit}'}",
                remedy="Is there room, and may the login write there? Name another `source.prefix` otherwise.",
            )
    return results[2].stdout.strip() != "running"


def follow(
    host: Host,
    work: str,
    tell: Callable[[runner.Progress], None],
    *,
    every: float = EVERY,
    patience: float = PATIENCE,
    stop: threading.Event | None = None,
) -> runner.Progress:
    """Look until the build has ended, telling what changed; gives its last state. Raises Unreachable when the host stays away."""
    pause = stop or threading.Event()
    heard = time.monotonic()
    before: runner.Progress | None = None
    while not pause.is_set():
        try:
            result = host.run([Shell(runner.poll(work), name=QUESTION)], timeout=30, inactivity=30)[0]
        except (HostKeyChanged, HostKeyRevoked, HostKeyUnknown, LoginRefused):
            raise
        except (Unreachable, ConnectionLost, CommandTimeout):
            if time.monotonic() - heard > patience:
                raise
            pause.wait(max(every, 2.0))
            continue
        heard = time.monotonic()
        seen = runner.read(result.stdout)
        if seen != before:
            tell(seen)
            before = seen
        if seen.state != "running":
            return seen
        pause.wait(every)
    return before or runner.Progress()


def conclude(host: Host, work: str, stages: Sequence[Stage], seen: runner.Progress) -> None:
    """Raise what a build that didn't end well has to say: BuildFailed with the first error, or BuildBroken."""
    if seen.state == "done":
        return
    if seen.state != "failed" or not seen.stage:
        raise BuildBroken(
            host.name,
            f"the build stopped without a word{f' while {seen.stage} ran' if seen.stage else ''}: was the host restarted?",
            remedy="Run again: what is done stays done.",
        )
    log = host.run([Shell(runner.read_log(work, seen.stage), name=f"log of {seen.stage}")])[0]
    title = next((stage.title for stage in stages if stage.name == seen.stage), seen.stage)
    if seen.code == 143:
        raise BuildBroken(host.name, f"{title} was stopped by somebody", remedy="Run again: what is done stays done.")
    text = log.stdout if log.stdout.strip() else log.stderr
    raise BuildFailed(host.name, title, seen.stage, f"{work}/log/{seen.stage}", explain(text, seen.stage))
