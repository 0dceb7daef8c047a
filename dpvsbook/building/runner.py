"""The build on the host, by itself: a script that runs the stages, detached from whoever started it, and tells in files how far it is.

status       a line per event: EPOCH STAGE begin | done SECONDS | failed CODE, and at the end EPOCH - end CODE
runner.pid   its process id, and when that process began (a process id is used again, a pair isn't)
log/STAGE    all that the stage printed; log/STAGE.before: the time before
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from dpvsbook.building.release import RELEASE
from dpvsbook.building.stages import Stage

RESERVE_KB = 256
"""Kept on the disk while the build runs, so that a full disk can still be told."""

TAIL = 4096
"""Bytes of the running stage's log that a look takes along."""

ALIVE = """\
alive() {
  [ -r runner.pid ] || return 1
  read -r pid began <runner.pid || return 1
  [ "$(sed 's/.*) //' "/proc/$pid/stat" 2>/dev/null | cut -d ' ' -f 20)" = "$began" ]
}"""
"""Whether the runner of this work folder runs. The 22nd field of stat is when the process began; the 2nd may hold anything."""

_HEAD = f"""\
#!/bin/sh
# Written by dpvsbook. It runs the stages of a build; started with setsid, so that no connection's end is its end.
umask 022
trap '' HUP
echo "$$ $(sed 's/.*) //' /proc/$$/stat | cut -d ' ' -f 20)" >runner.pid
dd if=/dev/zero of=reserve bs=1024 count={RESERVE_KB} 2>/dev/null
LC_ALL=C
export LC_ALL
unset MAKEFLAGS CFLAGS LDFLAGS
fail() {{ echo "ERROR: $*" >&2; exit 1; }}
now() {{ date +%s; }}
say() {{ echo "$(now) $*" >>status; }}
finish() {{
  rm -f reserve
  say - end "$1"
  exit "$1"
}}
trap 'trap "" TERM; rm -f reserve; say "${{stage:--}}" failed 143; say - end 143; kill -TERM 0; exit 143' TERM INT
ended() {{
  took=$(($(now) - since))
  if [ "$code" = 0 ]; then
    {{ echo "$key"; proof; }} >"stamps/.$stage" && mv -f "stamps/.$stage" "stamps/$stage" && say "$stage" done "$took" && return
    code=1
  fi
  full=$(df -Pk . | awk 'NR == 2 && $4 < 1024 {{ print $6 }}')
  rm -f reserve
  [ -z "$full" ] || printf '\\ndpvsbook: No space left on device: %s\\n' "$full" >>"log/$stage"  # the line before may be half a one
  say "$stage" failed "$code"
  finish "$code"
}}
begin() {{
  stage=$1 key=$2 since=$(now) FRESH=1
  [ "$(cat "begun/$stage" 2>/dev/null)" != "$key" ] || FRESH=0
  export FRESH
  rm -f "stamps/$stage"
  echo "$key" >"begun/$stage"
  [ ! -e "log/$stage" ] || mv -f "log/$stage" "log/$stage.before"
  say "$stage" begin
}}
"""


def script(prefix: str, stages: Sequence[Stage]) -> str:
    """The runner for these stages. `sh` reads the whole of it before the first stage, as one function's body."""
    parts = [_HEAD, f"prefix={shlex.quote(prefix.rstrip('/'))}\nmain() {{\n"]
    for stage in stages:
        words = " ".join(stage.proof)
        lines = f"release=$({RELEASE}); printf '%s\\n' {words}" if words else ":"
        parts.append(
            f"begin {stage.name} {stage.key}\n"
            f"proof() {{ {lines}; }}\n"
            # Waited for, for a shell hears a signal at once while it waits, and after the command otherwise.
            f"( set -eu\n{stage.script}\n) >log/{stage.name} 2>&1 </dev/null &\n"
            "wait $!\ncode=$?\nended\n"
        )
    return "".join([*parts, "finish 0\n}\nmain\n"])


def start(work: str) -> str:
    """Shell that starts the runner which was put into the work folder. Prints "running" where one runs already."""
    return f"""\
cd {shlex.quote(work)} || exit 1
{ALIVE}
if alive; then echo running; exit 0; fi
rm -f runner.pid
: >status || exit 1
if command -v setsid >/dev/null 2>&1; then away='setsid nohup'; else away=nohup; fi
$away sh ./run.sh >runner.log 2>&1 </dev/null &
i=0
while [ ! -s runner.pid ] && [ $i -lt 50 ]; do sleep 0.1; i=$((i + 1)); done
if [ -s runner.pid ]; then echo started; else cat runner.log >&2; exit 1; fi"""


def prepare(work: str) -> str:
    """Shell that makes the work folder."""
    return f"umask 022; mkdir -p {shlex.quote(work)}/stamps {shlex.quote(work)}/begun {shlex.quote(work)}/log"


def poll(work: str) -> str:
    """Shell that prints how far it is: one look."""
    return f"""\
cd {shlex.quote(work)} 2>/dev/null || exit 0
{ALIVE}
if alive; then echo 'alive yes'; else echo 'alive no'; fi
[ ! -r status ] || sed 's/^/status /' status
stage=$(sed -n 's/^[0-9]* \\([^ ]*\\) begin$/\\1/p' status 2>/dev/null | tail -n 1)
[ -z "$stage" ] || {{ echo tail; tail -c {TAIL} "log/$stage" 2>/dev/null; }}"""


def read_log(work: str, stage: str, size: int = 400_000) -> str:
    """Shell that prints a stage's log, its last part where it is long."""
    return f"tail -c {size} {shlex.quote(f'{work}/log/{stage}')}; tail -c 2000 {shlex.quote(f'{work}/runner.log')} >&2"


How = Literal["running", "done", "failed", "stopped", "none"]


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a build is. `state` "stopped": its runner is gone without a last word (power cut, kill -9)."""

    state: How = "none"
    stage: str = ""
    """The stage that runs, or the one that failed."""
    begun: float = 0.0
    """When that stage began, by the host's clock (s)."""
    code: int = 0
    done: tuple[tuple[str, int], ...] = ()
    """The stages that are through, each with its seconds."""
    count: tuple[int, int] | None = None
    """ninja's own counter in the running stage."""
    last: str = ""
    """The last line that the stage printed."""

    def __str__(self) -> str:
        if self.count:
            return f"{self.stage} [{self.count[0]}/{self.count[1]}]"
        return f"{self.stage} {self.last[:80]}".strip()


_COUNT = re.compile(r"^\[(\d+)/(\d+)\]", re.MULTILINE)


def read(text: str) -> Progress:
    """What `poll` printed."""
    head, _, tail = text.partition("tail\n") if "\ntail\n" in f"\n{text}" else (text, "", "")
    lines = head.splitlines()
    alive = "alive yes" in lines
    events = [line.split()[1:] for line in lines if line.startswith("status ") and len(line.split()) >= 4]
    if not events:
        return Progress("running" if alive else "none")
    stage, begun, code = "", 0.0, 0
    state: How = "running" if alive else "stopped"
    done: list[tuple[str, int]] = []
    for when, name, what, *more in events:
        if what == "begin":
            stage, begun = name, float(when)
        elif what == "done":
            done.append((name, int(more[0]) if more else 0))
        elif what == "failed":
            stage, code = name, int(more[0]) if more else 1
        elif what == "end":
            code = int(more[0]) if more else 1
            state = "running" if alive else "done" if code == 0 else "failed"  # its last breath may be after its last word
    counts = _COUNT.findall(tail)
    count = (int(counts[-1][0]), int(counts[-1][1])) if counts else None
    last = next((line.strip() for line in reversed(tail.splitlines()) if line.strip()), "")
    return Progress(state, stage, begun, code, tuple(done), count, last)
