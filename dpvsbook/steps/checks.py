"""Preflight of a build, a start, and of a dpvs that runs: known failures looked for before they happen.

    checks.before_build(hosts)      F15 to F18, after build.open
    checks.before_start(hosts)      F01 to F14, F19, F74, F75: after configure.open or start.open
    checks.running(hosts)           the same of a dpvs that runs

One round trip for each director. `hosts` is what `build.open`, `configure.open` and `start.open` give. `checks.UNDECIDABLE` says what no
command decides.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from dpvsbook.building.stages import work
from dpvsbook.checks import catalogue, look
from dpvsbook.checks.catalogue import UNDECIDABLE, Check, Phase
from dpvsbook.checks.seen import Seen
from dpvsbook.conf.desired import desired
from dpvsbook.conf.machine import Arguments, BadArguments, arguments
from dpvsbook.errors import HostError, PlanError
from dpvsbook.facts import setup
from dpvsbook.hosts import Host, Shell
from dpvsbook.params import Director, Params
from dpvsbook.records import Record
from dpvsbook.runbook import Runbook
from dpvsbook.starting import look as start_look
from dpvsbook.starting.place import Place
from dpvsbook.starting.plans import given
from dpvsbook.steps.setup import command
from dpvsbook.steps.setup.look import look as setup_look
from dpvsbook.steps.setup.wanted import existing_conf
from dpvsbook.views import View

__all__ = ["UNDECIDABLE", "CheckedView", "before_build", "before_start", "running"]

SECONDS = 60.0
MARK = {"ok": "✓", "failed": "✗", "undecided": "?"}


@dataclass(frozen=True, repr=False)
class CheckedView(View):
    """The checks of each director: verdict, evidence, and for those that failed cause and fix."""

    title: str
    checks: Mapping[str, Sequence[Check]]
    badge: str

    @property
    def failed(self) -> tuple[str, ...]:
        """The ids of what failed anywhere, each once."""
        return tuple(dict.fromkeys(c.id for checks in self.checks.values() for c in checks if c.verdict == "failed"))

    def rows(self) -> tuple[Sequence[str], list[Sequence[str]]]:
        rows: list[Sequence[str]] = []
        for name, checks in self.checks.items():
            for check in sorted(checks, key=lambda check: check.verdict != "failed"):
                said = f"{check.evidence}\n{check.rule.cause}\n→ {check.rule.fix}" if check.verdict == "failed" else check.evidence
                rows.append([*([name] if len(self.checks) > 1 else []), MARK[check.verdict], check.name, said, f"$ {check.rule.command}"])
        return [*(["director"] if len(self.checks) > 1 else []), "", "check", "seen", "by"], rows

    def __repr__(self) -> str:
        """In a terminal one line for each, and the way out below what failed."""
        lines = [f"{self.title}: {self.badge}"]
        for name, checks in self.checks.items():
            for check in checks:
                lines.append(f"  {MARK[check.verdict]} {name}: {check.name}: {check.evidence}")
                if check.verdict == "failed":
                    lines += [f"      {check.rule.cause}", f"      -> {check.rule.fix}"]
        return "\n".join(lines)


def before_build(hosts: Runbook) -> CheckedView:
    """What would make a build fail, or what it makes fail later."""
    return _checked(hosts, "Before the build", ("build",))


def before_start(hosts: Runbook, *, must: bool = False) -> CheckedView:
    """What would make dpvs not start, or start as something else. What it would die of fails the run in apply mode; all else is a warning,
    as it is in preview, where the runbook's own steps may mend it, and for a dpvs that runs already.

    `must`: raise PlanError for such a failure, before anything is sent.
    """
    if getattr(hosts, "action", "") == "stop":
        return CheckedView("Before the start", {}, "nothing to do")
    return _checked(hosts, "Before the start", ("start", "config"), must=must)


def running(hosts: Runbook) -> CheckedView:
    """The same of a dpvs that runs: what its log says, its links, and what of its file waits for a restart."""
    return _checked(hosts, "dpvs as it runs", ("start", "config"))


def _checked(hosts: Runbook, title: str, phases: tuple[Phase, ...], *, must: bool = False) -> CheckedView:
    started = time.monotonic()
    with hosts.journalled():
        seen = hosts.everywhere(lambda name: observe(hosts.params, hosts.hosts[name], hosts.params.director(name)))
        found = {name: catalogue.check(one, phases) for name, one in seen.items()}
        bad = [(name, check) for name, checks in found.items() for check in checks if check.verdict == "failed"]
        fatal = [(name, check) for name, check in bad if check.rule.stops and not seen[name].running and hosts.mode == "apply"]
        badge = "failed" if fatal else "warned" if bad else "passed"
        for name, checks in found.items():
            for check in checks:
                _note(hosts.record, name, check, fatal=(name, check) in fatal)
        count = sum(map(len, found.values()))
        passed = f"{count - len(bad)} of {count} checks passed or can't be told"
        hosts.note_step("checks", title, badge, 0, started, detail=passed)
        if must and fatal:
            said = "; ".join(f"{name}: {check.name}: {check.evidence}" for name, check in fatal)
            raise PlanError(f"dpvs would not start: {said}", remedy=fatal[0][1].rule.fix)
    return CheckedView(title, found, badge)


def _note(record: Record, name: str, check: Check, *, fatal: bool) -> None:
    """Into the record. `ok` is None for what can't be told, and for a warning: only False fails a run."""
    rule, ok = check.rule, True if check.verdict == "ok" else False if fatal else None
    detail = f"{check.evidence}. {rule.cause} {rule.fix}" if check.verdict == "failed" else check.evidence
    facts = {"id": check.id, "verdict": check.verdict, "evidence": check.evidence, "command": rule.command}
    record.event("check", name=f"{name}: {check.name}", ok=ok, detail=detail, **facts)


def observe(params: Params, host: Host, director: Director) -> Seen:
    """Three looks in one round trip, put together. Raises HostError."""
    place, source = Place.of(director), params.source
    folder = work(source.prefix, source.version or params.dpvs) if source else ""
    tree = (source.dpvs.directory or "") if source else ""
    dpvs, dpip = (f"{place.bin}/{name}" if place.bin else name for name in ("dpvs", "dpip"))
    shells = (
        Shell(setup_look(director), name="look at the host"),
        Shell(start_look.script(place), name="look at dpvs"),
        Shell(look.script(conf=place.conf, ipc=place.ipc, dpip=dpip, dpvs=dpvs, work=folder, tree=tree), name="look for known failures"),
    )
    results = host.run(shells, timeout=SECONDS)
    for result in results:
        if result.exit != 0:
            raise HostError(host.name, f"`{result.command}` ended with {result.exit}: {result.stderr.strip()}")
    state, start = setup.parse(results[0].stdout), start_look.parse(results[1].stdout, place)
    own = start.own
    conf = existing_conf(director, state) or desired(director)
    words = own.eal if own is not None else given(start.defaults) or command.eal(director, conf, state)
    if director.start and director.start.arguments and own is None:
        words = command.eal(director, conf, state)
    return Seen(params, director, state, start, look.parse(results[2].stdout), words, _read(words))


def _read(words: Sequence[str]) -> Arguments:
    """Arguments that DPDK would refuse are its own to name."""
    try:
        return arguments(words)
    except BadArguments:
        return Arguments()
