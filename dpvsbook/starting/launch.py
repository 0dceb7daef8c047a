"""Ending and starting dpvs on its host, and waiting for it: each a script, each look one round trip."""

from __future__ import annotations

import shlex
import time
from collections.abc import Sequence
from dataclasses import dataclass

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
)
from dpvsbook.starting import look
from dpvsbook.starting.failures import Failure, complaints, explain
from dpvsbook.starting.look import StartState
from dpvsbook.starting.place import Place

READY_SECONDS = 120.0
"""A start takes 0.4 s in a lab, 10 to 40 s with real NICs: dpvs waits up to 30 s for each link."""

GONE_SECONDS = 15.0
"""After SIGTERM dpvs is gone in about 1.2 s, after SIGKILL when its memory is given back."""

PATIENCE = 300.0
"""How long the host may be out of reach (s) before the waiting is given up; dpvs goes on all the same."""


class StartFailed(HostError):
    """dpvs ended while it started, or isn't ready in time. `failure`: what its log says, and what is known of it."""

    def __init__(self, host: str, what: str, failure: Failure, where: str) -> None:
        known = failure.known
        because = f"\n{known.id} {known.name}: {failure.cause}" if known else ""
        super().__init__(
            host,
            f"{what}. It said ({where}):\n{failure.error}{because}",
            remedy=failure.fix
            if known
            else f"Read on in {where}, there. `python -m dpvsbook.conf FILE` checks dpvs.conf before dpvs does.",
        )
        self.failure = failure


class LinksMissing(HostError):
    """dpvs runs, and not every port is UP."""


@dataclass(frozen=True, slots=True)
class Started:
    """A start: how much the log held before it, and whether systemd did it."""

    log_size: int
    by_unit: bool
    now: int


def stop(place: Place, pid: int, *, by_unit: bool, force: bool = False) -> Shell:
    """End dpvs. It ends at once at SIGTERM: no connection is waited for."""
    if by_unit:
        return Shell(f"systemctl stop {shlex.quote(place.unit)}.service", name=f"systemctl stop {place.unit}", mutates=True)
    word = "-KILL" if force else "-TERM"
    # Only if the number is still dpvs's.
    text = f'[ "$(cat /proc/{pid}/comm 2>/dev/null)" = dpvs ] || exit 0\nkill {word} {pid}'
    return Shell(text, name=f"kill {word} {pid}", mutates=True)


def clear(place: Place) -> Shell:
    """Remove a pid file that names what isn't a living dpvs. Asked again, in the moment that it is done."""
    file = shlex.quote(place.pid_file)
    text = f"""\
pid=$(head -c 20 {file} 2>/dev/null | tr -cd '0-9')
if [ -n "$pid" ] && [ "$(cat "/proc/$pid/comm" 2>/dev/null)" = dpvs ]; then
  case $(sed 's/.*) //' "/proc/$pid/stat" | cut -d ' ' -f 1) in Z | X | x) ;; *) exit 1 ;; esac
fi
rm -f {file}"""
    return Shell(text, name=f"rm -f {place.pid_file}", mutates=True)


def start(place: Place, argv: Sequence[str], *, by_unit: bool, verb: str = "start") -> Shell:
    """Start dpvs, detached: no connection's end is its end. Prints its pid; the output of the dpvs before moves aside.

    By its unit `verb` may be restart, which takes along what is part of it (keepalived, the routing daemon); stop and start would not.
    """
    if by_unit:
        unit = shlex.quote(f"{place.unit}.service")
        text = f"systemctl reset-failed {unit} 2>/dev/null; systemctl {verb} --no-block {unit}"
        return Shell(text, name=f"systemctl {verb} {place.unit}", mutates=True)
    out, line, file = shlex.quote(place.out), shlex.join(argv), shlex.quote(place.pid_file)
    # Under the host's lock: whoever came first has started it.
    text = f"""\
cd / || exit 1
pid=$(head -c 20 {file} 2>/dev/null | tr -cd '0-9')
[ -z "$pid" ] || [ "$(cat "/proc/$pid/comm" 2>/dev/null)" != dpvs ] || exit 0
[ ! -s {out} ] || mv -f {out} {out}.before
: >{out} || exit 1
if command -v setsid >/dev/null 2>&1; then away='setsid nohup'; else away=nohup; fi
$away {line} </dev/null >>{out} 2>&1 &
echo $!"""
    return Shell(text, name=line, mutates=True)


def observe(host: Host, place: Place, *, whole: bool = True) -> StartState:
    """One look. Raises HostError."""
    result = host.run([Shell(look.script(place, whole=whole), name="look at dpvs")], timeout=60)[0]
    if result.exit != 0:
        raise HostError(host.name, f"the look at dpvs ended with {result.exit}: {result.stderr.strip()}")
    return look.parse(result.stdout, place)


def patiently(host: Host, place: Place, *, patience: float = PATIENCE) -> StartState:
    """The short look, over cut connections."""
    heard = time.monotonic()
    while True:
        try:
            return observe(host, place, whole=False)
        except (HostKeyChanged, HostKeyRevoked, HostKeyUnknown, LoginRefused):
            raise
        except (Unreachable, ConnectionLost, CommandTimeout):
            if time.monotonic() - heard > patience:
                raise
            time.sleep(2.0)


def wait_gone(host: Host, place: Place, pids: Sequence[int], *, seconds: float = GONE_SECONDS) -> bool:
    """Until none of these processes is there with its memory: a new dpvs that starts before finds it locked. False: one still is."""
    deadline = time.monotonic() + seconds
    pause = 0.05
    while True:
        state = patiently(host, place)
        left = [p for p in state.processes if p.pid in pids and (p.alive or p.dying)]
        if not left:
            return True
        if time.monotonic() > deadline:
            return False
        time.sleep(pause)
        pause = min(pause * 1.5, 1.0)


def wait_ready(
    host: Host,
    place: Place,
    devices: tuple[str, ...],
    started: Started,
    *,
    seconds: float = READY_SECONDS,
) -> StartState:
    """Until every device is UP, and what systemd starts after dpvs is through: a restore puts there what the caller would too.

    Raises StartFailed when dpvs ends, LinksMissing when it runs without them as the time is over.
    """
    deadline = time.monotonic() + seconds
    pause = 0.05
    missed = 0
    while True:
        state = patiently(host, place)
        if state.ready(devices) and (not (started.by_unit and state.settling) or time.monotonic() > deadline):
            return state
        own = state.own
        # Between fork and exec the process isn't called dpvs yet: it has ended only when it is missed for a while.
        missed = missed + 1 if (own is None and not state.starting_unit) or state.missing(devices) else 0
        if missed >= 3 or time.monotonic() > deadline:
            raise failed(host, place, devices, started)
        time.sleep(pause)
        pause = min(pause * 1.5, 1.0)


def failed(host: Host, place: Place, devices: tuple[str, ...], started: Started) -> HostError:
    """Why dpvs isn't there, from what it wrote since it was started."""
    state = observe(host, place)
    text, where = said(host, state, started)
    if state.own is None:
        return StartFailed(host.name, "dpvs ended while it started", explain(text), where)
    runs = f"dpvs runs (pid {state.own.pid})"
    if state.links is None:
        return StartFailed(host.name, f"{runs} and doesn't answer: {state.said}", explain(text), where)
    has = ", ".join(sorted(link.name for link in state.links))
    if missing := state.missing(devices):
        return LinksMissing(
            host.name,
            f"{runs}, and has no {', '.join(missing)}: its devices are {has}",
            remedy="`devices` in the params must be called as the device blocks in dpvs.conf (`notebooks/configure.ipynb` writes them so).",
        )
    told = next((found for found in complaints(text) if found.known and found.known.id == "F10"), None)
    because = f". It said ({where}): {told.error}" if told else ""
    return LinksMissing(
        host.name,
        f"{runs}, and {', '.join(state.down(devices))} is not UP{because} (F10)",
        remedy="Look at the cable, the optics and the switch port. dpvs gives a port up after 30 s: then it takes a restart.",
    )


def said(host: Host, state: StartState, started: Started) -> tuple[str, str]:
    """What dpvs printed and wrote since it was started, and where that stands."""
    log = state.log
    new = state.log_size - started.log_size
    if 0 <= new < len(log.encode()):  # a log that grew is read from where it was; one that shrank was begun anew
        log = log.encode()[len(log.encode()) - new :].decode(errors="replace")
    where = state.log_file or ""
    if started.by_unit:
        script = f"journalctl -u {shlex.quote(state.place.unit)}.service --since @{started.now} -o cat --no-pager | tail -n 200"
        out = host.run([Shell(script, name=f"journalctl -u {state.place.unit}")])[0].stdout
        first = f"journalctl -u {state.place.unit}"
    else:
        out, first = state.out, state.place.out
    return f"{out}\n{log}", ", ".join(name for name in (where, first) if name)
