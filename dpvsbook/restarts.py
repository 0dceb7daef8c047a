"""Was a director's dpvs started anew since the last run on it? All that it held is gone then: dpvs keeps everything in memory.

Its pid file tells one dpvs from the next, by the pid in it and the time that it was written. The last run is the newest record of the
same params that reached the director.
"""

from __future__ import annotations

import shlex
from datetime import UTC, datetime

from dpvsbook.hosts import Result, Shell
from dpvsbook.params import Director
from dpvsbook.records import Record, opened_before


def command(director: Director) -> Shell:
    """Asks the host for what `instance` reads."""
    unit = (director.start.unit if director.start else None) or "dpvs"
    file = shlex.quote(f"/var/run/{unit.removesuffix('.service')}.pid")
    return Shell(f"stat -L -c %Y {file} && cat {file}", name="dpvs's pid file")


def instance(result: Result) -> str:
    """Which dpvs runs: "2026-03-01T12:00:00Z pid 501"; "" where its pid file can't be read."""
    words = result.stdout.split()
    if result.exit != 0 or len(words) != 2 or not all(word.isdigit() for word in words):
        return ""
    return f"{datetime.fromtimestamp(int(words[0]), UTC):%Y-%m-%dT%H:%M:%SZ} pid {words[1]}"


def restarted(record: Record, director: str, host_key: str | None, running: str) -> str:
    """What to tell an operator of a dpvs that isn't the one of the last run; "" where it is, or nothing is known."""
    name, host = opened_before(record, director, host_key)
    before = host.get("dpvs_started")
    if not running or not before or running == before:
        return ""
    return f"{director}: dpvs was started anew at {running.partition(' ')[0]}, after {name}: what it held then is gone"
