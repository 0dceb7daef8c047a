"""An open runbook: the params, the hosts bound to them, the record, and the one way a step is planned, applied, read back and undone."""

from __future__ import annotations

import contextlib
import getpass
import os
import shlex
import socket
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, TypeVar

from dpvsbook import __version__, records, restarts
from dpvsbook import params as params_module
from dpvsbook.errors import DpvsbookError, NotConverged, ParamsError, PlanError
from dpvsbook.facts import director as director_facts
from dpvsbook.facts.director import DirectorState
from dpvsbook.hosts import Command, Host, HostsFailed, Interrupted, Outcome, Result, Shell, Target, together
from dpvsbook.params import Params
from dpvsbook.plan import DIRECTOR_KINDS, Argv, Change, Plan, Step, compile_commands
from dpvsbook.records import Record
from dpvsbook.site import PORTS, STATS, Site
from dpvsbook.views import LooksView, OpenView, StepView, VerdictView

T = TypeVar("T")
Mode = Literal["preview", "apply", "undo"]
MODES: tuple[Mode, ...] = ("preview", "apply", "undo")

READBACK_SECONDS = 10.0
"""How long what was sent may take to show: a write's exit 0 does not mean that the worker has it (transcript 20)."""

IDENTITY: tuple[Argv, ...] = (("hostname",), ("uname", "-sr"), ("cat", "/proc/meminfo"))


class Book:
    """Made by `dpvsbook.open`. Steps are called with it; `finish` ends the run and says the verdict."""

    def __init__(
        self,
        params: Params,
        mode: Mode,
        record: Record,
        sites: Mapping[str, Site],
        others: Mapping[str, Host],
        undo_from: Mapping[str, Sequence[Mapping[str, Any]]],
    ) -> None:
        self.params = params
        self.mode: Mode = mode
        self.record = record
        self.sites = dict(sites)
        self.hosts: dict[str, Host] = {**{name: site.host for name, site in sites.items()}, **others}
        self.checks: list[tuple[str, bool]] = []
        self.pending = 0
        self.drift = 0
        self.applied = 0
        self.verified = False
        self.undoing: list[tuple[Step, list[Mapping[str, Any]]]] = []
        self.steps: list[Step] = []
        self.restarted: list[str] = []
        self._undo_from = undo_from
        self._view: OpenView | None = None
        self._owns_record = not os.environ.get("DPVSBOOK_RECORD")

    # -- what a person sees

    def _repr_html_(self) -> str:
        return self._view._repr_html_() if self._view else ""

    def __repr__(self) -> str:
        return repr(self._view) if self._view else f"<Book {self.params.name} {self.mode}>"

    # -- looking

    def look(self, site: Site) -> DirectorState:
        """One round trip: everything that the director shows."""
        return site.look()

    def look_everywhere(self) -> None:
        """Look at every director, at once."""
        self.everywhere(self.look)

    def everywhere(self, do: Callable[[Site], T]) -> dict[str, T]:
        """Do something with every director at once. One director's failure doesn't hide another's result; then it is raised."""
        outcomes: dict[str, Outcome[T]] = together(self.sites, lambda name: do(self.sites[name]))
        return HostsFailed.unwrap(outcomes)

    # -- steps

    def perform(self, step: Step) -> StepView:
        """Plan a step on every director; in apply mode do it, and read it back."""
        started = time.monotonic()
        self.steps.append(step)
        with self.journalled():
            if self.mode == "undo":
                plans = self.plan_undo(step)
            else:
                plans = self.everywhere(lambda site: step.plan(self.params, site.director, site.state))
            for plan in plans.values():
                self._note_plan(step, plan)
            changes = sum(len(plan.changes) for plan in plans.values())
            status = "nothing to do" if not changes else "planned"
            if self.mode == "apply" and changes:
                self.everywhere(lambda site: self.apply(site, step, plans[site.director.name]))
                self.applied += changes
                status = "applied"
            elif self.mode == "preview":
                self.pending += changes
            seconds = time.monotonic() - started
            self.record.event("step", step=step.name, title=step.title, status=status, changes=changes, seconds=round(seconds, 3))
        return StepView(step.name, step.title, self.mode, status, tuple(plans.values()), seconds)

    def apply(self, site: Site, step: Step, plan: Plan, *, towards: Callable[[DirectorState], Plan] | None = None) -> None:
        """Send one plan in one round trip, under the director's lock, and look again in the same breath; the plan must then be empty.

        Raises `PlanError` when somebody else changed the director after the plan was made, `Locked` when somebody is changing it now,
        `NotConverged` when everything was sent and it still isn't so.
        """
        if not plan:
            return
        towards = towards or (lambda state: step.plan(self.params, site.director, state))
        started = time.monotonic()
        self.record.event("applying", step=step.name, director=plan.director)
        results = self._send(site, step, plan, towards)
        sent, reads = results[: -len(director_facts.READ)], results[-len(director_facts.READ) :]
        state = site.take(reads)
        left = towards(state)
        deadline = time.monotonic() + READBACK_SECONDS
        pause = 0.02
        while left and time.monotonic() < deadline:
            time.sleep(pause)
            pause = min(pause * 2, 1.0)
            left = towards(self.look(site))
        missing = _keys(left)
        self.record.event(
            "apply",
            step=step.name,
            director=plan.director,
            commands=len(sent),
            seconds=round(time.monotonic() - started, 3),
            changes=[_result(change, "not there" if change.key in missing else "read back") for change in plan.changes],
        )
        self.record.event("readback", step=step.name, director=plan.director, empty=not left)
        if left:
            raise NotConverged(plan.director, _what_is_left(step, left, sent), remedy=_what_to_do(left))

    def _send(self, site: Site, step: Step, plan: Plan, towards: Callable[[DirectorState], Plan]) -> Sequence[Result]:
        """The plan's commands and the looking, as one batch. Where the guard finds another state, only the same plan goes on."""
        for _ in range(3):
            batches = list(compile_commands(argv for change in plan.changes for argv in change.commands))
            commands = [
                site.command(b.argv, stdin=b.stdin, mutates=True, name=f"{step.name} {i + 1}/{len(batches)}") for i, b in enumerate(batches)
            ]
            try:
                return site.host.run([*commands, *site.looking()], lock=self._holder(), guard=site.guard())
            except Interrupted as lost:
                self._note_lost(site, step, plan, lost, len(commands))
                raise
            except PlanError:
                if towards(self.look(site)) != plan:
                    raise
        raise PlanError(
            f"{site.director.name}: the director does not come to rest: each time a change was to be sent, it had just been changed",
            remedy="See who else is at work there (keepalived, another operator), then run again.",
        )

    def _note_lost(self, site: Site, step: Step, plan: Plan, lost: Interrupted, commands: int) -> None:
        self.record.event(
            "lost",
            step=step.name,
            director=site.director.name,
            known=[result.command for result in lost.results[:commands]],
            unknown=lost.unknown,
            not_run=list(lost.not_run)[: max(0, commands - len(lost.results) - 1)],
            changes=[_result(change, "not known") for change in plan.changes],
        )

    def _note_plan(self, step: Step, plan: Plan) -> None:
        self.drift += len(plan.drift)
        self.record.event(
            "plan",
            step=step.name,
            title=step.title,
            director=plan.director,
            changes=[change.as_json() for change in plan.changes],
            drift=[{"kind": d.kind, "key": d.key, "detail": d.detail} for d in plan.drift],
        )

    # -- undo

    def plan_undo(self, step: Step) -> dict[str, Plan]:
        """What would take a step of the run that is being undone back, from what the directors hold now."""
        return {name: step.undo(self.params, site.director, site.state, self._undo_from.get(name, [])) for name, site in self.sites.items()}

    def take_back(self) -> None:
        """Undo what the steps so far have shown, last step first (a service can't lose its VIP before its clients lose the service)."""
        for step in reversed(self.steps):
            started = time.monotonic()
            plans = self.plan_undo(step)
            changes = sum(len(plan.changes) for plan in plans.values())

            def undo(site: Site, step: Step = step, plans: Mapping[str, Plan] = plans) -> None:
                name = site.director.name
                self.apply(
                    site,
                    step,
                    plans[name],
                    towards=lambda state: step.undo(self.params, site.director, state, self._undo_from.get(name, [])),
                )

            self.everywhere(undo)
            self.applied += changes
            self.record.event(
                "step",
                step=step.name,
                title=f"Undo: {step.title}",
                status="taken back" if changes else "nothing to do",
                changes=changes,
                seconds=round(time.monotonic() - started, 3),
            )

    # -- checks and the end

    def check(self, name: str, ok: bool, detail: str) -> None:
        """Note the outcome of a check: the verdict counts it."""
        self.checks.append((name, ok))
        self.record.event("check", name=name, ok=ok, detail=detail)

    def stats(self, site: Site) -> str:
        """The connection counters of one director, as `ipvsadm` prints them."""
        return site.read(STATS)[0]

    def sample(self, site: Site) -> tuple[str, str]:
        """The connection counters and the LIPs' ports of one director, in one round trip."""
        stats, addresses = site.read(STATS, PORTS)
        return stats, addresses

    def show(self) -> LooksView:
        """What the tutorial's checks print on each director, in one round trip."""
        looks: tuple[Argv, ...] = (PORTS, ("dpip", "route", "show"), ("ipvsadm", "-ln"))
        texts = self.everywhere(lambda site: site.read(*looks))
        return LooksView([(name, shlex.join(argv), text) for name in self.sites for argv, text in zip(looks, texts[name], strict=True)])

    def run_on(self, host: str, commands: Sequence[Command | Shell], *, timeout: float = 300) -> Sequence[Result]:
        """Commands on one of the other hosts (a client, say), in one round trip."""
        return self.hosts[host].run(commands, timeout=timeout)

    @property
    def verdict(self) -> records.Verdict:
        """What this run can honestly say of the cluster."""
        if any(not ok for _, ok in self.checks):
            return "failed"
        if self.pending:
            return "changes-pending"
        return "converged" if self.verified else "failed"

    def finish(self) -> VerdictView:
        """Say the verdict, and close the connections."""
        with self.journalled():
            bad = [name for name, ok in self.checks if not ok]
            detail = (
                f"{len(bad)} of {len(self.checks)} checks failed: {', '.join(bad)}"
                if bad
                else f"{self.pending} changes to make"
                if self.pending
                else "nothing was verified: steps.verify was not called"
                if not self.verified
                else f"{self.applied} changes made, {len(self.checks)} checks passed"
            )
            if self.drift:
                detail += f"; {self.drift} things on the directors are not in the params"
            detail = "; ".join([detail, *self.restarted])
            verdict = self.verdict
            self.record.event(
                "verdict",
                verdict=verdict,
                detail=detail,
                applied=self.applied,
                pending=self.pending,
                drift=self.drift,
                checks=len(self.checks),
                checks_failed=len(bad),
                round_trips={name: host.round_trips for name, host in self.hosts.items()},
            )
            self.close()
            if self._owns_record:
                from dpvsbook import report

                self.record.finish(verdict, detail=detail)
                report.write(self.record.path)
                self.record.seal()
        return VerdictView(verdict, detail, self.record.path)

    def close(self) -> None:
        """Close every connection."""
        for host in self.hosts.values():
            host.close()

    def _holder(self) -> str:
        return f"{getpass.getuser()}@{socket.gethostname()} run {self.record.run_id}"

    def journalled(self) -> contextlib.AbstractContextManager[None]:
        """An error that ends the run stands in the journal before it is raised."""
        return journalled(self.record)


@contextlib.contextmanager
def journalled(record: Record) -> Iterator[None]:
    """Write one of our errors into the record's journal, and let it go on."""
    try:
        yield
    except DpvsbookError as error:
        record.event("error", type=type(error).__name__, exit_code=error.exit_code, message=error.message, remedy=error.remedy)
        raise


def open_book(
    params: str | Path, mode: str = "preview", *, ssh_config: str | Path | None = None, outputs: str | Path | None = None
) -> Book:
    """Bind the hosts of a params file and look at them. Raises `ParamsError`, `Unreachable` and their kin before anything is changed.

    `mode` is "preview" (show the plan, change nothing), "apply" (do it, read it back) or "undo" (take back the last applied run).
    In a run started by `dpvsbook run` the record is that run's; otherwise a new one is made under `outputs/`, beside the params' folder.
    """
    if mode not in MODES:
        raise ParamsError(f"mode {mode!r} is not one of {', '.join(MODES)}")
    path = find_upwards(Path(params))
    wanted = params_module.load(path)
    record_dir = os.environ.get("DPVSBOOK_RECORD")
    if record_dir:
        record = Record.attach(Path(record_dir))
    else:
        record = Record.create(
            Path(outputs) if outputs else _root_of(path) / "outputs",
            wanted.name,
            mode=mode,
            params=wanted.as_json(),
            params_sha256=wanted.sha256,
            params_file=str(path),
        )
    with journalled(record):
        return _open(wanted, mode, record, ssh_config or os.environ.get("DPVSBOOK_SSH_CONFIG"))


def _open(wanted: Params, mode: Mode, record: Record, ssh_config: str | Path | None) -> Book:
    require_applicable(wanted)
    undo_from: Mapping[str, Sequence[Mapping[str, Any]]] = {}
    if mode == "undo":
        undo_from = records.applied_changes(record.outputs, wanted.name, before=record, kinds=DIRECTOR_KINDS)
        if not undo_from:
            raise PlanError(
                f"{wanted.name}: there is no applied run to take back in the records under {record.outputs}",
                remedy="`dpvsbook records list` shows what there is; --outputs names another folder.",
            )

    def note(host: Host, result: Result) -> None:
        record.command(host.name, result)

    def bind(name: str, ssh: params_module.Ssh) -> Host:
        return Host(name, Target.resolve(name, ssh, ssh_config=Path(ssh_config) if ssh_config else None), on_result=note)

    sites = {d.name: Site(d, bind(d.name, d.ssh)) for d in wanted.directors}
    others = {h.name: bind(h.name, h.ssh) for h in wanted.hosts}
    book = Book(wanted, mode, record, sites, others, undo_from)
    _bind(book)
    return book


def require_applicable(params: Params) -> None:
    """What the params have and no step of today acts on is refused here, rather than half done."""
    parts = params.not_applied
    if parts:
        raise PlanError(
            f"{params.name}: no step of today acts on {', '.join(parts[:5])}{' …' if len(parts) > 5 else ''}",
            remedy="`dpvsbook check` knows the whole file; today's steps configure FULLNAT (one-arm, two-arm, IPv6, NAT64).",
        )


def _bind(book: Book) -> None:
    def identify(name: str) -> tuple[Result, ...]:
        site = book.sites.get(name)
        identity: list[Command | Shell] = [Command(argv) for argv in IDENTITY]
        if site is None:
            return tuple(book.hosts[name].run(identity))
        identity.append(restarts.command(site.director))
        results = site.host.run([*identity, *site.looking()])
        site.take(results[len(identity) :])
        return tuple(results[: len(identity)])

    outcomes = together(book.hosts, identify)
    rows = []
    for name, results in HostsFailed.unwrap(outcomes).items():
        site = book.sites.get(name)
        row: dict[str, Any] = {
            "host": name,
            "role": "director" if site else book.params.host(name).role,
            "hostname": results[0].stdout.strip(),
            "system": results[1].stdout.strip(),
            "dpvs": site.state.version if site else None,
            "host_key": book.hosts[name].host_key,
        }
        if site:
            site.outputs = {**site.outputs, ("cat", "/proc/meminfo"): results[2].stdout}
            row["dpvs_started"] = restarts.instance(results[3])
            if told := restarts.restarted(book.record, name, row["host_key"], row["dpvs_started"]):
                row["restarted"] = told
                book.restarted.append(told)
        rows.append(row)
    book.record.event("open", mode=book.mode, hosts=rows, dpvsbook=__version__)
    book._view = OpenView(book.params, book.mode, rows, book.record.path)


def _result(change: Change, result: str) -> dict[str, str]:
    """What became of a change; what it was stands in the "plan" event before."""
    return {"kind": change.kind, "key": change.key, "result": result}


def _keys(plan: Plan) -> set[str]:
    return {change.key for change in plan.changes}


def _what_is_left(step: Step, left: Plan, sent: Sequence[Result]) -> str:
    shown = [f"{c.kind} {c.key}: {c.reason}" for c in left.changes[:10]]
    more = f" (and {len(left.changes) - 10} more)" if len(left.changes) > 10 else ""
    said = [line for result in sent for line in result.stderr.splitlines() if line.strip() and line.strip() != "Success"]
    heard = f"; the tools said: {' / '.join(dict.fromkeys(said[-5:]))}" if said else ""
    return f"{step.name}: everything was sent, and reading back shows that it is not so: {'; '.join(shown)}{more}{heard}"


def _what_to_do(left: Plan) -> str:
    if any(change.kind == "lip-address" for change in left.changes):
        return "A LIP without a pool usually means that dpvs is out of huge pages (42 MB each): see its log, free memory, run again."
    return "Nothing is lost: run again, and only what is missing is sent. The log of this run has every command with what it answered."


def find_upwards(path: Path) -> Path:
    """A relative path is looked for here and in the folders above: a notebook's kernel starts in the notebook's own folder."""
    if path.is_absolute() or path.exists():
        return path
    for folder in Path.cwd().parents:
        if (folder / path).exists():
            return folder / path
    return path


def _root_of(params_file: Path) -> Path:
    folder = params_file.resolve().parent
    return folder.parent if folder.name == "params" else folder
