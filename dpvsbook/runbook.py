"""An open runbook: the params, the mode, the record and the hosts bound to them; how it begins and how it ends. Every `open` gives one."""

from __future__ import annotations

import contextlib
import getpass
import os
import socket
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Protocol, Self, TypeVar

from dpvsbook import __version__, records
from dpvsbook import params as params_module
from dpvsbook.errors import DpvsbookError, HostError, ParamsError, PlanError
from dpvsbook.hosts import Command, Host, HostsFailed, Result, Shell, Target, together
from dpvsbook.params import Params, Ssh
from dpvsbook.records import Record
from dpvsbook.views import VerdictView

T = TypeVar("T")
Mode = Literal["preview", "apply", "undo"]
MODES: tuple[Mode, ...] = ("preview", "apply", "undo")
IDENTITY: tuple[Command, ...] = (Command(("hostname",)), Command(("uname", "-sr")))
"""Who a host says it is: the first commands of the first round trip."""


class Named(Protocol):
    """A director or another host of the params."""

    @property
    def name(self) -> str: ...
    @property
    def ssh(self) -> Ssh: ...


class Planned(Protocol):
    """A change of a plan, whatever it is about."""

    @property
    def kind(self) -> str: ...
    @property
    def key(self) -> str: ...
    def as_json(self) -> dict[str, Any]: ...


@dataclass(kw_only=True, repr=False)
class Runbook:
    """What the steps of every runbook are called with. Made by `begin`; `conclude` says the verdict and closes the record.

    `undo_from`: by director, the changes that an undo takes back. `told`: what a person must know beside the verdict.
    """

    params: Params
    mode: Mode
    record: Record
    hosts: dict[str, Host]
    owns_record: bool
    undo_from: Mapping[str, Sequence[Mapping[str, Any]]] = field(default_factory=dict)
    checks: list[tuple[str, bool]] = field(default_factory=list)
    told: list[str] = field(default_factory=list)
    applied: int = 0
    pending: int = 0
    drift: int = 0
    verified: bool = False

    @classmethod
    def begin(
        cls,
        params: Params,
        path: Path,
        mode: Mode,
        hosts: Iterable[Named],
        *,
        name: str = "",
        ssh_config: str | Path | None = None,
        outputs: str | Path | None = None,
        unrecorded: Collection[str] = (),
        **own: Any,
    ) -> Self:
        """Bind the hosts; none is asked anything yet. `name`: of the runbook, "" for the main one.

        In a run started by `dpvsbook run` the record is that run's; otherwise a new one is made under `outputs` (by default beside the
        params' folder). `unrecorded`: names of commands that are not worth keeping. `own`: what a kind of runbook has beside.
        """
        given = os.environ.get("DPVSBOOK_RECORD")
        if given:
            record = Record.attach(Path(given))
        else:
            record = Record.create(
                Path(outputs) if outputs else _root_of(path) / "outputs",
                f"{params.name}-{name}" if name else params.name,
                mode=mode,
                params=params.as_json(),
                params_sha256=params.sha256,
                params_file=str(path),
            )
        config = ssh_config or os.environ.get("DPVSBOOK_SSH_CONFIG")

        def note(host: Host, result: Result) -> None:
            if result.command not in unrecorded:
                record.command(host.name, result)

        with journalled(record):
            bound = {
                host.name: Host(host.name, Target.resolve(host.name, host.ssh, ssh_config=Path(config) if config else None), on_result=note)
                for host in hosts
            }
        return cls(params=params, mode=mode, record=record, hosts=bound, owns_record=not given, **own)

    def look_back(self, kinds: Collection[str], what: str) -> None:
        """In undo mode: find the run to take back. Raises PlanError where there is none. `what`: such a run, in words."""
        if self.mode != "undo":
            return
        self.undo_from = records.applied_changes(self.record.outputs, self.params.name, before=self.record, kinds=kinds)
        if not self.undo_from:
            raise PlanError(
                f"{self.params.name}: there is no applied {what} to take back in the records under {self.record.outputs}",
                remedy="`dpvsbook records list` shows what there is; --outputs names another folder.",
            )

    def opened(self, said: Mapping[str, Sequence[Result]], own: Mapping[str, Mapping[str, Any]]) -> list[dict[str, Any]]:
        """Note who the hosts are. `said`: the results of IDENTITY; `own`: what else is known of each, above all its "dpvs"."""
        rows = [
            {
                "host": name,
                "role": "director" if name in self.directors else self.params.host(name).role,
                "hostname": results[0].stdout.strip(),
                "system": results[1].stdout.strip(),
                "dpvs": None,
                "host_key": self.hosts[name].host_key,
                **own.get(name, {}),
            }
            for name, results in said.items()
        ]
        self.record.event("open", mode=self.mode, hosts=rows, dpvsbook=__version__)
        return rows

    # -- the hosts

    @property
    def directors(self) -> list[str]:
        """The names of the directors that are bound."""
        return [director.name for director in self.params.directors if director.name in self.hosts]

    def everywhere(self, do: Callable[[str], T], names: Iterable[str] | None = None) -> dict[str, T]:
        """Do something on every director (or the hosts named) at once. One's failure doesn't hide another's result, then it is raised."""
        chosen = self.directors if names is None else list(names)
        return HostsFailed.unwrap(together(chosen, do)) if chosen else {}

    def ask(self, name: str, script: str, title: str, *, timeout: float = 60) -> str:
        """What a script prints on a host, in one round trip. Raises HostError where it ends with another exit code than 0."""
        result = self.hosts[name].run([Shell(script, name=title)], timeout=timeout)[0]
        if result.exit != 0:
            raise HostError(name, f"the {title} ended with {result.exit}: {result.stderr.strip()}")
        return result.stdout

    def run_on(self, host: str, commands: Sequence[Command | Shell], *, timeout: float = 300) -> Sequence[Result]:
        """Commands on one of the hosts (a client, say), in one round trip."""
        return self.hosts[host].run(commands, timeout=timeout)

    def holder(self) -> str:
        """Who holds a host's lock."""
        return f"{getpass.getuser()}@{socket.gethostname()} run {self.record.run_id}"

    def close(self) -> None:
        """Close every connection."""
        for host in self.hosts.values():
            host.close()

    # -- the journal

    def journalled(self) -> contextlib.AbstractContextManager[None]:
        """An error that ends the run stands in the journal before it is raised."""
        return journalled(self.record)

    def note_step(self, step: str, title: str, status: str, changes: int, started: float, **more: Any) -> float:
        """A step is through. `started`: by the monotonic clock. Gives the seconds that it took."""
        seconds = time.monotonic() - started
        self.record.event("step", step=step, title=title, status=status, changes=changes, seconds=round(seconds, 3), **more)
        return seconds

    def note_plan(self, step: str, title: str, host: str, changes: Sequence[Planned], drift: Sequence[Mapping[str, str]] = ()) -> None:
        """What a step would do on one host."""
        self.drift += len(drift)
        planned = [change.as_json() for change in changes]
        self.record.event("plan", step=step, title=title, director=host, changes=planned, drift=list(drift))

    def note_applied(
        self, step: str, host: str, changes: Sequence[Planned], left: Iterable[Planned], commands: int, started: float
    ) -> None:
        """What became of the changes that were sent: nothing counts that wasn't read back. `left`: what is still to do."""
        missing = {(change.kind, change.key) for change in left}
        self.record.event(
            "apply",
            step=step,
            director=host,
            commands=commands,
            seconds=round(time.monotonic() - started, 3),
            changes=[became(c, "not there" if (c.kind, c.key) in missing else "read back") for c in changes],
        )
        self.record.event("readback", step=step, director=host, empty=not missing)

    def check(self, name: str, ok: bool, detail: str) -> None:
        """Note the outcome of a check: the verdict counts it."""
        self.checks.append((name, ok))
        self.record.event("check", name=name, ok=ok, detail=detail)

    # -- the end

    @property
    def done(self) -> str:
        """How much was changed, in words."""
        return f"{self.applied} changes {'taken back' if self.mode == 'undo' else 'made'}"

    @property
    def bad(self) -> list[str]:
        """The checks that failed, each once."""
        return list(dict.fromkeys(name for name, ok in self.checks if not ok))

    @property
    def verdict(self) -> records.Verdict:
        """What this run can honestly say of the cluster."""
        if self.bad:
            return "failed"
        if self.pending:
            return "changes-pending"
        return "converged" if self.verified else "failed"

    def conclude(self, well: str, *, unverified: str, pending: str = "changes to make", **more: Any) -> VerdictView:
        """Say the verdict, close the connections, and the record where it is this runbook's own.

        `well` is said where all is so, `unverified` where nobody looked.
        """
        with self.journalled():
            verdict, bad = self.verdict, self.bad
            detail = (
                f"{len(bad)} of {len(self.checks)} checks failed: {', '.join(bad)}"
                if bad
                else f"{self.pending} {pending}"
                if self.pending
                else well
                if self.verified
                else unverified
            )
            if self.drift:
                detail += f"; {self.drift} things on the directors are not in the params"
            detail = "; ".join([detail, *self.told])
            counts = {"applied": self.applied, "pending": self.pending, "drift": self.drift}
            counts |= {"checks": len(self.checks), "checks_failed": len(bad)}
            trips = {name: host.round_trips for name, host in self.hosts.items()}
            self.record.event("verdict", verdict=verdict, detail=detail, **counts, round_trips=trips, **more)
            self.close()
            if self.owns_record:
                from dpvsbook import report

                self.record.finish(verdict, detail=detail)
                report.write(self.record.path)
                self.record.seal()
        return VerdictView(verdict, detail, self.record.path)


def read(params: str | Path, mode: str, modes: Sequence[Mode] = MODES, *, remedy: str = "") -> tuple[Params, Path, Mode]:
    """The params of a file, looked for here and in the folders above: a notebook's kernel starts in the notebook's own folder.

    Raises ParamsError, for a mode too that isn't one of `modes`; `remedy` says what to do instead.
    """
    for known in modes:
        if mode == known:
            path = _find_upwards(Path(params))
            return params_module.load(path), path, known
    raise ParamsError(f"mode {mode!r} is not one of {', '.join(modes)}", remedy=remedy)


@contextlib.contextmanager
def journalled(record: Record) -> Iterator[None]:
    """Write one of our errors into the record's journal, and let it go on."""
    try:
        yield
    except DpvsbookError as error:
        record.event("error", type=type(error).__name__, exit_code=error.exit_code, message=error.message, remedy=error.remedy)
        raise


def became(change: Planned, result: str) -> dict[str, str]:
    """What became of a change; what it was stands in the "plan" event before."""
    return {"kind": change.kind, "key": change.key, "result": result}


def _find_upwards(path: Path) -> Path:
    if path.is_absolute() or path.exists():
        return path
    return next((folder / path for folder in Path.cwd().parents if (folder / path).exists()), path)


def _root_of(params_file: Path) -> Path:
    folder = params_file.resolve().parent
    return folder.parent if folder.name == "params" else folder
