"""Which failure is decided by which rule, in whose words; and what no command decides. The words are in data/checks.json."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any, Literal

from dpvsbook.checks import kni, lcores, memory, ports, process, sources
from dpvsbook.checks.seen import Outcome, Seen

Phase = Literal["build", "start", "config"]
Verdict = Literal["ok", "failed", "undecided"]
MODULES = {"kni": kni, "lcores": lcores, "memory": memory, "ports": ports, "process": process, "sources": sources}

UNDECIDABLE: Mapping[str, str] = {
    "F73": "it tells of harmless lines (invalid rss_hf, invalid tx_offload): there is nothing to find wrong; `start` leaves them out",
    "F09": "whether the kernel's checksums over KNI are bad: `ethtool -k` shows the setting, only a packet shows the fault",
    "F10": "a link behind a port that DPDK has, while dpvs is down: nobody asks the NIC then (undecided)",
    "F11": "how many queues a NIC has that DPDK has, while dpvs is down (undecided)",
    "F14": "the back trace of a core file: it names a function, not one of these causes",
    "F18": "which modules were wanted in a build of somebody else's: meson's log says it only where it was kept",
    "F19": "1.10 prints only the bus of a running port: the order of the blocks is compared, and MACs where the kernel has them",
    "F74": "the values of a start whose log was at WARNING, or is gone (undecided where the file is younger than dpvs)",
}
"""What of a failure no command of a host can decide, and why. F73 is the only one of these phases that has no check at all."""

LONG = 400


@dataclass(frozen=True, slots=True)
class Rule:
    """A check: what it decides, how, and what to do. `stops`: dpvs ends as it starts, where it fails, and no step of
    `start` mends that."""

    id: str
    name: str
    phase: Phase
    decide: Callable[[Seen], Outcome]
    command: str
    cause: str
    fix: str
    stops: bool


@dataclass(frozen=True, slots=True)
class Check:
    """A rule's verdict of one host. `evidence`: what was seen there, on one line, cut where it is long."""

    rule: Rule
    verdict: Verdict
    evidence: str

    @property
    def id(self) -> str:
        return self.rule.id

    @property
    def name(self) -> str:
        return f"{self.rule.id} {self.rule.name}"


@cache
def rules() -> tuple[Rule, ...]:
    """All of them, by the id of their failure."""
    data: list[dict[str, Any]] = json.loads((resources.files("dpvsbook") / "data" / "checks.json").read_text("utf-8"))
    found = []
    for row in data:
        module, _, function = row.pop("rule").partition(".")
        found.append(Rule(decide=getattr(MODULES[module], function), **row))
    return tuple(found)


def check(seen: Seen, phases: tuple[Phase, ...]) -> tuple[Check, ...]:
    """Every check of these phases."""
    made = []
    for rule in rules():
        if rule.phase in phases:
            well, evidence = rule.decide(seen)
            made.append(Check(rule, "undecided" if well is None else "ok" if well else "failed", quoted(evidence)))
    return tuple(made)


def quoted(text: str) -> str:
    """Words of a host on one line: no control characters, which could draw on a terminal, and no more than a line or two."""
    plain = re.sub(r"[^\x20-\x7e\u00a0-\uffff]+", " ", text).strip()
    return plain if len(plain) <= LONG else f"{plain[: LONG - 2]} …"
