"""Building DPDK and DPVS on the directors, from the sources that the params name.

hosts = build.open(params, mode=mode)   # binds the directors, looks at what is built there
build.preflight(hosts)                  # room, packages, sources that belong together
build.compile(hosts)                    # the stages that are left; detached there, followed from here
build.verify(hosts)                     # dpvs itself says its version
hosts.finish()
"""

from __future__ import annotations

import getpass
import os
import socket
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from dpvsbook import __version__
from dpvsbook import params as params_module
from dpvsbook.book import find_upwards, journalled
from dpvsbook.building import look, watch
from dpvsbook.building import preflight as before
from dpvsbook.building import stages as plans
from dpvsbook.building.look import BuildState
from dpvsbook.building.runner import Progress
from dpvsbook.building.stages import Stage
from dpvsbook.errors import DpvsbookError, HostError, NotConverged, ParamsError, PlanError
from dpvsbook.facts import versions
from dpvsbook.hosts import Command, Host, HostsFailed, Result, Shell, Target, together
from dpvsbook.params import Director, Params
from dpvsbook.params.build import Line, Source
from dpvsbook.records import Record
from dpvsbook.records.write import Verdict
from dpvsbook.steps.build_views import HostsView, Live, StagesView
from dpvsbook.views import ChecksView, VerdictView

T = TypeVar("T")
MODES = ("preview", "apply")
TOLD_EVERY = 5.0
"""Seconds between two lines of the journal about one stage's progress."""


@dataclass
class Build:
    """The open directors. `todo`: the stages that are left on each, as last seen."""

    params: Params
    source: Source
    line: Line
    mode: str
    record: Record
    hosts: dict[str, Host]
    owns_record: bool
    states: dict[str, BuildState] = field(default_factory=dict)
    bad: list[str] = field(default_factory=list)
    applied: int = 0
    verified: bool = False

    @property
    def work(self) -> str:
        return plans.work(self.source.prefix, self.line)

    def stages(self, name: str) -> tuple[Stage, ...]:
        """All stages of a director."""
        state = self.states[name]
        return plans.stages(self.source, self.line, state.manager, state.kernel, state.prints)

    def todo(self, name: str) -> tuple[Stage, ...]:
        """The stages that are left there."""
        return look.left(self.stages(name), self.states[name])

    def look(self, name: str) -> BuildState:
        """One round trip: the director as a place to build."""
        result = self.hosts[name].run([Shell(look.script(self.source, self.line), name="look at the host")], timeout=120)[0]
        if result.exit != 0:
            raise HostError(name, f"the look at the host ended with {result.exit}: {result.stderr.strip()}")
        self.states[name] = look.parse(result.stdout)
        return self.states[name]

    def everywhere(self, do: Callable[[str], T]) -> dict[str, T]:
        """Do something with every director at once; one's failure doesn't hide another's result, then it is raised."""
        return HostsFailed.unwrap(together(self.hosts, do))

    def check(self, name: str, ok: bool, detail: str) -> None:
        self.record.event("check", name=name, ok=ok, detail=detail)
        if not ok:
            self.bad.append(name)

    @property
    def pending(self) -> int:
        return sum(len(self.todo(name)) for name in self.hosts)

    def finish(self) -> VerdictView:
        """Say the verdict, and close the connections. Converged: dpvs of the wanted release answers on every director."""
        with journalled(self.record):
            left = self.pending
            verdict: Verdict = "failed" if self.bad else "changes-pending" if left else "converged" if self.verified else "failed"
            detail = (
                f"failed: {', '.join(self.bad)}"
                if self.bad
                else f"{left} stages to do"
                if left
                else f"{self.applied} stages done; dpvs answers on {len(self.hosts)} of {len(self.hosts)} directors"
                if self.verified
                else "nothing was verified: build.verify was not called"
            )
            self.record.event("verdict", verdict=verdict, detail=detail, applied=self.applied, pending=left, drift=0)
            for host in self.hosts.values():
                host.close()
            if self.owns_record:
                from dpvsbook import report

                self.record.finish(verdict, detail=detail)
                report.write(self.record.path)
                self.record.seal()
        return VerdictView(verdict, detail, self.record.path)

    def __repr__(self) -> str:
        return repr(HostsView(self.title, self.mode, self.states))

    def _repr_html_(self) -> str:
        return HostsView(self.title, self.mode, self.states)._repr_html_()

    @property
    def title(self) -> str:
        return f"{self.params.name}: DPVS {self.line} in {self.source.prefix}"


def preflight(build: Build) -> ChecksView:
    """What each director says to the plan. In apply mode what is wrong ends the run, before anything is sent."""
    with journalled(build.record):
        rows = []
        wrong = None
        for name, state in build.states.items():
            for found in before.checks(build.source, build.line, state, build.todo(name)):
                build.check(f"{name}: {found.name}", found.ok, found.detail)
                rows.append((f"{name}: {found.name}", found.ok, found.detail if found.ok else f"{found.detail}. {found.remedy}"))
                wrong = wrong or (None if found.ok else (name, found))
        status = "failed" if wrong else "passed" if rows else "nothing to do"
        build.record.event("step", step="preflight", title="Preflight", status=status, changes=0, seconds=0.0)
        if wrong and build.mode == "apply":
            name, found = wrong
            raise PlanError(f"{name}: {found.detail}", remedy=found.remedy)
    return ChecksView("Preflight", rows)


def compile(build: Build) -> StagesView:  # noqa: A001 - reads well: build.compile
    """The stages that are left, on every director at once. Follows a build that runs there already."""
    started = time.monotonic()
    with journalled(build.record):
        plan = {name: build.todo(name) for name in build.hosts}
        for name, todo in plan.items():
            changes = [_change(stage, build.states[name]) for stage in todo]
            build.record.event("plan", step="build", title="DPDK and DPVS", director=name, changes=changes, drift=[])
        count = sum(map(len, plan.values()))
        status = "nothing to do" if not count else "planned"
        seconds: dict[str, Mapping[str, int]] = {}
        if build.mode == "apply" and count:
            seconds = _compile(build, plan)
            build.applied += count
            status = "applied"
        took = round(time.monotonic() - started, 3)
        build.record.event("step", step="build", title="DPDK and DPVS", status=status, changes=count, seconds=took)
    return StagesView("DPDK and DPVS", status, build.mode, {name: build.stages(name) for name in build.hosts}, plan, seconds)


def _compile(build: Build, plan: Mapping[str, tuple[Stage, ...]]) -> dict[str, Mapping[str, int]]:
    live = Live()
    said: dict[str, float] = {}

    def run(name: str) -> Mapping[str, int]:
        if not plan[name]:
            return {}
        host, work = build.hosts[name], build.work
        titles = {stage.name: stage.title for stage in plan[name]}
        done: dict[str, int] = {}

        def tell(seen: Progress) -> None:
            for stage, took in seen.done:
                if stage in titles and stage not in done:
                    done[stage] = took
                    title = f"{name}: {titles[stage]}"
                    build.record.event(
                        "step",
                        step=f"build {stage}",
                        title=title,
                        director=name,
                        status="applied",
                        changes=0,
                        seconds=took,
                        detail=f"{took} s",
                    )
            now = time.monotonic()
            if seen.state == "running" and now - said.get(name, 0.0) > TOLD_EVERY:
                said[name] = now
                build.record.event("progress", director=name, stage=seen.stage, count=seen.count, last=seen.last[:200])
            live.show(name, titles, seen)

        build.record.event("applying", step="build", director=name)
        if build.states[name].progress.state != "running":
            watch.start(host, work, build.source.prefix, plan[name], _holder(build))
        seen = watch.follow(host, work, tell)
        watch.conclude(host, work, plan[name], seen)
        build.look(name)
        left = {stage.name for stage in build.todo(name)}
        changes = [{"kind": "stage", "key": s.name, "result": "not there" if s.name in left else "read back"} for s in plan[name]]
        total = sum(done.values())
        build.record.event("apply", step="build", director=name, commands=len(plan[name]), seconds=total, changes=changes)
        build.record.event("readback", step="build", director=name, empty=not left)
        if left:
            raise NotConverged(
                name,
                f"the build ran to its end, and these stages are still to be done: {', '.join(sorted(left))}",
                remedy="Another build was followed, or a source changed meanwhile: run again, and only what is left is done.",
            )
        return done

    try:
        return build.everywhere(run)
    finally:
        live.close()


def verify(build: Build) -> ChecksView:
    """Look again: nothing is left to do, and `dpvs -v` answers with the release that was built."""
    with journalled(build.record):
        rows = []
        build.everywhere(build.look)
        for name, state in build.states.items():
            if build.todo(name):
                if build.mode == "apply":
                    build.check(f"{name}: stages", False, f"{len(build.todo(name))} are left")
                continue
            where, said = ("current", state.says) if build.source.current else (state.built, state.built_says)
            version = _version(said)
            detail = f"{build.source.prefix}/{where}/bin/dpvs says {version or repr(said)}, {state.built} was built"
            rows.append((f"{name}: dpvs -v", bool(version) and version == state.built, detail))
            rows.append(
                (
                    f"{name}: keepalived",
                    state.keepalived,
                    "built with libnl" if state.keepalived else "built without libnl, so without IPv6 (F17)",
                )
            )
        for row in rows:
            build.check(*row)
        build.verified = not build.bad and len(rows) == 2 * len(build.hosts)
        status = "failed" if build.bad else "passed" if rows else "nothing to do"
        build.record.event("step", step="verify", title="dpvs -v", status=status, changes=0, seconds=0.0)
    return ChecksView("dpvs -v", rows, "" if rows else "Nothing is built yet.")


def open(params: str | Path, mode: str = "preview", *, ssh_config: str | Path | None = None, outputs: str | Path | None = None) -> Build:  # noqa: A001
    """Bind the directors of a params file and look at what is built there. Raises ParamsError, Unreachable and their kin."""
    if mode not in MODES:
        raise ParamsError(
            f"mode {mode!r} is not one of {', '.join(MODES)}",
            remedy="Releases stay side by side. To go back, name the former `source` again: what is left is done, and `current` moves.",
        )
    path = find_upwards(Path(params))
    wanted = params_module.load(path)
    if wanted.source is None:
        raise ParamsError(
            f"{path}: there is no `source` section, so it isn't said what to build",
            remedy="source: {dpvs: {git: URL, ref: v1.10.2}, dpdk: {git: URL, ref: v24.11}}; an archive or a directory there does as well.",
        )
    given = os.environ.get("DPVSBOOK_RECORD")
    folder = Path(outputs) if outputs else path.resolve().parent.parent / "outputs"
    record = (
        Record.attach(Path(given))
        if given
        else Record.create(
            folder, f"{wanted.name}-build", mode=mode, params=wanted.as_json(), params_sha256=wanted.sha256, params_file=str(path)
        )
    )
    config = ssh_config or os.environ.get("DPVSBOOK_SSH_CONFIG")

    def note(host: Host, result: Result) -> None:
        if result.command != "how far is the build?":  # hundreds of them
            record.command(host.name, result)

    def bind(director: Director) -> Host:
        return Host(director.name, Target.resolve(director.name, director.ssh, ssh_config=Path(config) if config else None), on_result=note)

    with journalled(record):
        hosts = {director.name: bind(director) for director in wanted.directors}
        build = Build(wanted, wanted.source, wanted.source.version or wanted.dpvs, mode, record, hosts, not given)
        identity = build.everywhere(lambda name: build.hosts[name].run([Command(("hostname",)), Command(("uname", "-sr"))]))
        build.everywhere(build.look)
        rows = [
            {
                "host": name,
                "role": "director",
                "hostname": said[0].stdout.strip(),
                "system": said[1].stdout.strip(),
                "dpvs": _version(build.states[name].says) or None,
                "host_key": build.hosts[name].host_key,
            }
            for name, said in identity.items()
        ]
        record.event("open", mode=mode, hosts=rows, dpvsbook=__version__)
    return build


def _change(stage: Stage, state: BuildState) -> dict[str, object]:
    """A stage as the journal keeps a change."""
    there = state.stamps.get(stage.name)
    reason = (
        "not done yet"
        if there is None
        else "what it made is gone"
        if not there
        else "its inputs changed"
        if there != stage.key
        else "after it"
    )
    return {
        "kind": "stage",
        "key": stage.name,
        "action": "add" if there is None else "change",
        "before": {"key": there} if there else None,
        "after": {"key": stage.key},
        "reason": f"{stage.title}: {reason}",
        "commands": list(stage.shown),
        "inverse": [f"ln -sfn {state.current} current"] if stage.name == "current" and state.current else [],
    }


def _holder(build: Build) -> str:
    return f"{getpass.getuser()}@{socket.gethostname()} run {build.record.run_id}"


def _version(said: str) -> str:
    """The release in what `dpvs -v` answers, as ipvsadm says it; "" where it answered otherwise."""
    try:
        return versions.release(versions.parse(said + "\n")[0].version)
    except DpvsbookError:
        return ""


__all__ = ["Build", "compile", "open", "preflight", "verify"]
