"""Checks of lcores and CPUs: F05, F06, F07."""

from __future__ import annotations

import re

from dpvsbook.checks.seen import Outcome, Seen, listed, told


def layout(seen: Seen) -> Outcome:
    """F05: queues and workers as dpvs wants them."""
    if seen.conf is None:
        return seen.no_conf
    wrong = [f for f in seen.errors("queues") if not f.message.startswith("no worker has queues")]
    return told(wrong, f"{listed([w.name for w in seen.conf.slaves])}: each has queues of {listed([d.name for d in seen.conf.devices])}")


def ids(seen: Seen) -> Outcome:
    """F06: a worker's cpu_id is an EAL lcore, the master's the main one."""
    if seen.conf is None:
        return seen.no_conf
    if seen.arguments.lcores is None:
        return None, "dpvs is started without -l or --lcores: DPDK takes every CPU"
    given = f"lcores {listed(list(map(str, seen.arguments.lcores)))}, main {seen.arguments.main}"
    return told(seen.errors("lcores"), f"cpu_ids {listed(list(map(str, sorted(seen.conf.lcores))))}; {given}")


def cpus(seen: Seen) -> Outcome:
    """F07: a CPU for each lcore, and some for the system."""
    have, isolated = seen.setup.cpus, sorted(seen.setup.isolated)
    apart = f"isolated: {listed(list(map(str, isolated)))}"
    text = next((word for word in _lcores(seen.words) if "@" in word), "")
    if text:
        sets = [right.strip("()") for right in re.findall(r"@(\([^)]*\)|[\d-]+)", text)]
        if len(set(sets)) < len(sets) or any(re.search(r"[,-]", one) for one in sets) or re.search(r"\([^)]*\)@", text):
            return True, f"lcores share the CPUs {listed(list(dict.fromkeys(sets)))} of {have} (--lcores {text})"
        taken = len(sets)
    elif seen.arguments.lcores is not None:
        taken = len(seen.arguments.lcores)
    elif seen.conf is not None:
        taken = len(seen.conf.lcores)
    else:
        return seen.no_conf
    return taken < have, f"dpvs takes {taken} of {have} CPUs, each at 100 %; {apart}"


def _lcores(words: tuple[str, ...]) -> list[str]:
    found = [word.partition("=")[2] for word in words if word.startswith("--lcores=")]
    return found + [words[i + 1] for i, word in enumerate(words[:-1]) if word in ("--lcores", "-l")]
