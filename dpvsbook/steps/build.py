"""Building DPDK and DPVS on the directors, from the sources that the params name.

hosts = build.open(params, mode=mode)   # binds the directors, looks at what is built there
build.preflight(hosts)                  # room, packages, sources that belong together
build.compile(hosts)                    # the stages that are left; detached there, followed from here
build.verify(hosts)                     # dpvs itself says its version
hosts.finish()
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dpvsbook.building import look, watch
from dpvsbook.building import preflight as before
from dpvsbook.building import stages as plans
from dpvsbook.building.look import BuildState
from dpvsbook.building.runner import Progress
from dpvsbook.building.stages import Stage
from dpvsbook.errors import DpvsbookError, NotConverged, ParamsError, PlanError
from dpvsbook.facts import versions
from dpvsbook.params.build import Line, Source
from dpvsbook.runbook import IDENTITY, Mode, Runbook, read
from dpvsbook.steps.build_views import HostsView, Live, StagesView
from dpvsbook.views import ChecksView, VerdictView

MODES: tuple[Mode, ...] = ("preview", "apply")
TOLD_EVERY = 5.0
"""Seconds between two lines of the journal about one stage's progress."""


@dataclass(kw_only=True, repr=False)
class Build(Runbook):
    """The open directors. `todo`: the stages that are left on each, as last seen."""

    source: Source
    line: Line
    states: dict[str, BuildState] = field(default_factory=dict)

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
        self.states[name] = look.parse(self.ask(name, look.script(self.source, self.line), "look at the host", timeout=120))
        return self.states[name]

    def finish(self) -> VerdictView:
        """Say the verdict, and close the connections. Converged: dpvs of the wanted release answers on every director."""
        self.pending = sum(len(self.todo(name)) for name in self.directors)
        well = f"{self.applied} stages done; dpvs answers on {len(self.hosts)} of {len(self.hosts)} directors"
        return self.conclude(well, unverified="nothing was verified: build.verify was not called", pending="stages to do")

    def __repr__(self) -> str:
        return repr(HostsView(self.title, self.mode, self.states))

    def _repr_html_(self) -> str:
        return HostsView(self.title, self.mode, self.states)._repr_html_()

    @property
    def title(self) -> str:
        return f"{self.params.name}: DPVS {self.line} in {self.source.prefix}"


@dataclass(frozen=True)
class StageChange:
    """A stage that is left, as the journal keeps a change; `state`: what was seen before it."""

    stage: Stage
    state: BuildState
    kind: str = "stage"

    @property
    def key(self) -> str:
        return self.stage.name

    def as_json(self) -> dict[str, Any]:
        stage, there, current = self.stage, self.state.stamps.get(self.key), self.state.current
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
            "kind": self.kind,
            "key": self.key,
            "action": "add" if there is None else "change",
            "before": {"key": there} if there else None,
            "after": {"key": stage.key},
            "reason": f"{stage.title}: {reason}",
            "commands": list(stage.shown),
            "inverse": [f"ln -sfn {current} current"] if self.key == "current" and current else [],
        }


def preflight(build: Build) -> ChecksView:
    """What each director says to the plan. In apply mode what is wrong ends the run, before anything is sent."""
    with build.journalled():
        started = time.monotonic()
        rows = []
        wrong = None
        for name, state in build.states.items():
            for found in before.checks(build.source, build.line, state, build.todo(name)):
                build.check(f"{name}: {found.name}", found.ok, found.detail)
                rows.append((f"{name}: {found.name}", found.ok, found.detail if found.ok else f"{found.detail}. {found.remedy}"))
                wrong = wrong or (None if found.ok else (name, found))
        status = "failed" if wrong else "passed" if rows else "nothing to do"
        build.note_step("preflight", "Preflight", status, 0, started)
        if wrong and build.mode == "apply":
            name, found = wrong
            raise PlanError(f"{name}: {found.detail}", remedy=found.remedy)
    return ChecksView("Preflight", rows)


def compile(build: Build) -> StagesView:  # noqa: A001 - reads well: build.compile
    """The stages that are left, on every director at once. Follows a build that runs there already."""
    started = time.monotonic()
    with build.journalled():
        plan = {name: build.todo(name) for name in build.hosts}
        for name, todo in plan.items():
            build.note_plan("build", "DPDK and DPVS", name, [StageChange(stage, build.states[name]) for stage in todo])
        count = sum(map(len, plan.values()))
        status = "nothing to do" if not count else "planned"
        seconds: dict[str, Mapping[str, int]] = {}
        if build.mode == "apply" and count:
            seconds = _compile(build, plan)
            build.applied += count
            status = "applied"
        build.note_step("build", "DPDK and DPVS", status, count, started)
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

        began = time.monotonic()
        changes = [StageChange(stage, build.states[name]) for stage in plan[name]]
        build.record.event("applying", step="build", director=name)
        if build.states[name].progress.state != "running":
            watch.start(host, work, build.source.prefix, plan[name], build.holder())
        seen = watch.follow(host, work, tell)
        watch.conclude(host, work, plan[name], seen)
        build.look(name)
        left = [StageChange(stage, build.states[name]) for stage in build.todo(name)]
        build.note_applied("build", name, changes, left, len(changes), began)
        if left:
            raise NotConverged(
                name,
                f"the build ran to its end, and these stages are still to be done: {', '.join(sorted(change.key for change in left))}",
                remedy="Another build was followed, or a source changed meanwhile: run again, and only what is left is done.",
            )
        return done

    try:
        return build.everywhere(run)
    finally:
        live.close()


def verify(build: Build) -> ChecksView:
    """Look again: nothing is left to do, and `dpvs -v` answers with the release that was built."""
    with build.journalled():
        started = time.monotonic()
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
        build.note_step("verify", "dpvs -v", status, 0, started)
    return ChecksView("dpvs -v", rows, "" if rows else "Nothing is built yet.")


def open(params: str | Path, mode: str = "preview", *, ssh_config: str | Path | None = None, outputs: str | Path | None = None) -> Build:  # noqa: A001
    """Bind the directors of a params file and look at what is built there. Raises ParamsError, Unreachable and their kin."""
    back = "Releases stay side by side. To go back, name the former `source` again: what is left is done, and `current` moves."
    wanted, path, how = read(params, mode, MODES, remedy=back)
    if wanted.source is None:
        raise ParamsError(
            f"{path}: there is no `source` section, so it isn't said what to build",
            remedy="source: {dpvs: {git: URL, ref: v1.10.2}, dpdk: {git: URL, ref: v24.11}}; an archive or a directory there does as well.",
        )
    build = Build.begin(
        wanted,
        path,
        how,
        wanted.directors,
        name="build",
        ssh_config=ssh_config,
        outputs=outputs,
        unrecorded=(watch.QUESTION,),  # hundreds of them
        source=wanted.source,
        line=wanted.source.version or wanted.dpvs,
    )
    with build.journalled():
        said = build.everywhere(lambda name: build.run_on(name, IDENTITY))
        build.everywhere(build.look)
        build.opened(said, {name: {"dpvs": _version(state.says) or None} for name, state in build.states.items()})
    return build


def _version(said: str) -> str:
    """The release in what `dpvs -v` answers, as ipvsadm says it; "" where it answered otherwise."""
    try:
        return versions.release(versions.parse(said + "\n")[0].version)
    except DpvsbookError:
        return ""


__all__ = ["Build", "compile", "open", "preflight", "verify"]
