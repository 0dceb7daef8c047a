"""One look at a director's dpvs as a process, in one round trip. The script prints lines of words; what may hold anything is base64.

clock 1700000000 5120.33 100        now (s since 1970), since boot (s), ticks a second
pidfile 501                         what the pid file holds
named 501 sleep S                   the process of that number: its comm and its state
dpvs 501 S 5 48211 L2Jpbi9kcH…      a process whose comm is dpvs: state, threads, start (ticks after boot), command line
links 0 MTogZHBkazA6IH…             `dpip link show`: exit code, what it printed (on both streams)
unit LoadState=loaded               systemd's word about the unit; none without systemd
follows frr.service active          a unit that ends with dpvs's
"""

from __future__ import annotations

import base64
import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from dpvsbook.conf.logged import LOAD
from dpvsbook.errors import ParseError
from dpvsbook.facts import dpip_link
from dpvsbook.facts.dpip_link import Link
from dpvsbook.starting.place import IPC, Place, same

NM_FILE = "/etc/NetworkManager/conf.d/dpvsbook-kni.conf"
DEFAULTS = ("/etc/default/dpvs", "/etc/sysconfig/dpvs")
"""Where a host says DPVS_ARGUMENTS of its own, for dpvs's command line after `--`; the params' `start.arguments` go before it."""

TAIL = 60_000
"""Bytes of a log that are read: a start at log_level DEBUG prints about 20 kB."""

PROCESS = r"""
hz=$(getconf CLK_TCK 2>/dev/null || echo 100)
echo "clock $(date +%s) $(cut -d ' ' -f 1 /proc/uptime) $hz"
b64() { base64 | tr -d '\n'; }
pid=$(head -c 20 "$pid_file" 2>/dev/null | tr -cd '0-9')
if [ -e "$pid_file" ]; then echo "pidfile $pid"; fi
if [ -n "$pid" ] && [ -r "/proc/$pid/stat" ]; then
  echo "named $pid $(tr -d ' \n' </proc/$pid/comm) $(sed 's/.*) //' /proc/$pid/stat | cut -d ' ' -f 1)"
fi
for file in $(grep -slx dpvs /proc/[0-9]*/comm); do
  one=${file%/comm}
  set -- $(sed 's/.*) //' "$one/stat" 2>/dev/null)
  [ -n "${20}" ] || continue
  echo "dpvs ${one#/proc/} $1 ${18} ${20} $(b64 <"$one/cmdline")"
done
said=$(timeout 10 "$dpip" link show 2>&1); code=$?
echo "links $code $(printf '%s\n' "$said" | b64)"
if [ -d /run/systemd/system ]; then
  systemctl show "$unit.service" -p LoadState -p ActiveState -p SubState -p Result 2>/dev/null | sed 's/^/unit /'
  for one in $(systemctl show "$unit.service" -p ConsistsOf -p BoundBy 2>/dev/null | sed 's/^[^=]*=//'); do
    word=$(systemctl is-active "$one" 2>/dev/null)
    # A unit that waits for dpvs's start to end is inactive, and has a job.
    [ "$word" != inactive ] || [ -z "$(systemctl show "$one" -p Job --value 2>/dev/null)" ] || word=activating
    echo "follows $one $word"
  done
fi
"""

REST = r"""
show() { if [ -f "$2" ]; then echo "file $1 $(tail -c "$3" "$2" | b64)"; fi; }
show conf "$conf" 1000000
[ -f "$conf" ] && echo "changed $(stat -L -c %Y "$conf")"
log=$(sed -n 's/^[[:space:]]*\(<init>\)*[[:space:]]*log_file[[:space:]][[:space:]]*\([^[:space:]!#]*\).*/\2/p' \
  "$conf" 2>/dev/null | tail -n 1)
if [ -n "$log" ]; then echo "log $log $(wc -c <"$log" 2>/dev/null || echo 0)"; fi
show log "$log" @TAIL@
show out "$out" @TAIL@
for file in @DEFAULTS@; do show defaults "$file" 10000; done
show nm @NM@ 10000
[ -d /etc/NetworkManager ] && echo "nm yes"
echo "kernel $(ip addr show 2>/dev/null | b64)"
echo "routes $({ "$dpip" route show; "$dpip" -6 route show; } 2>/dev/null | b64)"
"""


@dataclass(frozen=True, slots=True)
class Process:
    """A process that is called dpvs. `state` as in /proc/PID/stat; `started`: ticks after boot."""

    pid: int
    state: str
    threads: int
    started: int
    argv: tuple[str, ...] = ()

    @property
    def alive(self) -> bool:
        """A process that is being killed loses its command line before its state says so."""
        return self.state not in "ZXx" and bool(self.argv)

    @property
    def dying(self) -> bool:
        """Killed, and its threads have its memory and locks to the last; a zombie has none, and waits to be buried."""
        return not self.alive and (self.threads > 1 or self.state not in "ZXx")

    def option(self, name: str, default: str = "") -> str:
        """The value of one of its options: `-x FILE`, `--file-prefix=NAME`."""
        return option(self.argv, name, default)

    @property
    def ipc(self) -> str:
        return self.option("-x", self.option("--ipc-file", IPC))

    @property
    def eal(self) -> tuple[str, ...]:
        """What stands after `--`."""
        return self.argv[self.argv.index("--") + 1 :] if "--" in self.argv else ()


def option(argv: Sequence[str], name: str, default: str = "") -> str:
    """The value of an option in a command line."""
    for number, word in enumerate(argv):
        if word == name and number + 1 < len(argv):
            return argv[number + 1]
        if word.startswith(f"{name}="):
            return word.partition("=")[2]
    return default


@dataclass(frozen=True, slots=True)
class StartState:
    """What the look showed. `pid_file` None: there is none. `named`: the process that it names, by pid, comm and state. `links` None:
    `dpip link show` failed, and `said` is what it said. `log` and `out`: the ends of what dpvs wrote and printed."""

    place: Place
    pid_file: str | None = None
    named: tuple[int, str, str] | None = None
    processes: tuple[Process, ...] = ()
    links: tuple[Link, ...] | None = None
    said: str = ""
    now: int = 0
    uptime: float = 0.0
    hz: int = 100
    unit: dict[str, str] = field(default_factory=dict)
    follows: dict[str, str] = field(default_factory=dict)
    conf: str | None = None
    conf_changed: int = 0
    log_file: str = ""
    log_size: int = 0
    log: str = ""
    out: str = ""
    defaults: str = ""
    nm: bool = False
    nm_file: str | None = None
    kernel: str = ""
    routes: str = ""

    @property
    def own(self) -> Process | None:
        """This director's dpvs, if it runs: the one that has its IPC file."""
        mine = [process for process in self.processes if process.alive and same(process.ipc, self.place.ipc)]
        return max(mine, key=lambda process: (str(process.pid) == self.pid_file, -process.started), default=None)

    @property
    def others(self) -> tuple[Process, ...]:
        """Every other dpvs that runs."""
        own = self.own
        return tuple(p for p in self.processes if p.alive and (own is None or p.pid != own.pid))

    @property
    def dying(self) -> tuple[Process, ...]:
        """Those that are dying and may have been this director's: a dead process has no command line."""
        return tuple(p for p in self.processes if p.dying and (not p.argv or same(p.ipc, self.place.ipc)))

    @property
    def has_unit(self) -> bool:
        """Whether systemd runs and knows the unit."""
        return self.unit.get("LoadState") == "loaded"

    @property
    def starting_unit(self) -> bool:
        return self.unit.get("ActiveState") == "activating"

    @property
    def settling(self) -> bool:
        """Whether systemd is still at it: the unit's own start, or what comes after it, such as the restore."""
        return self.starting_unit or "activating" in self.follows.values()

    @property
    def log_of_start(self) -> str:
        """What the log has since dpvs last read its dpvs.conf."""
        return self.log[max(self.log.rfind(LOAD), 0) :]

    def since(self, process: Process) -> int:
        """When a process was started (s since 1970, by the host's clock)."""
        return round(self.now - self.uptime + process.started / self.hz)

    @property
    def stale(self) -> str:
        """Why the pid file would keep dpvs from starting, "" where it wouldn't. A number that nobody has is dpvs's own to remove."""
        if self.named is None:
            return ""
        pid, comm, state = self.named
        if comm != "dpvs":
            return f"it names {pid}, which is {comm}"
        if state in "ZXx":
            return f"it names {pid}, a dpvs that is dead and not yet buried (zombie)"
        return ""

    def down(self, devices: tuple[str, ...]) -> tuple[str, ...]:
        """The devices that aren't UP, or not there."""
        up = {link.name for link in self.links or () if link.up}
        return tuple(name for name in devices if name not in up)

    def missing(self, devices: tuple[str, ...]) -> tuple[str, ...]:
        """The devices that dpvs, which answers, does not have at all."""
        there = {link.name for link in self.links or ()}
        return tuple(name for name in devices if name not in there) if self.links is not None else ()

    def ready(self, devices: tuple[str, ...]) -> bool:
        """It runs, answers, and every one of these devices is UP."""
        return self.own is not None and self.links is not None and not self.down(devices)


def script(place: Place, *, whole: bool = True) -> str:
    """The look, for sh. Not `whole`: the process and its links only, which is what a wait asks again and again."""
    values = {"pid_file": place.pid_file, "unit": place.unit, "conf": place.conf, "out": place.out}
    head = [f"{name}={shlex.quote(value)}" for name, value in values.items()]
    head += [f"dpip={place.tool('dpip')}", f"DPVS_IPC_FILE={shlex.quote(place.ipc)}; export DPVS_IPC_FILE"]
    rest = REST.replace("@TAIL@", str(TAIL)).replace("@NM@", NM_FILE).replace("@DEFAULTS@", " ".join(DEFAULTS)) if whole else ""
    return "\n".join([*head, PROCESS, rest, "true"])


def parse(text: str, place: Place) -> StartState:
    """The state. Raises ParseError for a line that the look can't have printed."""
    values: dict[str, object] = {}
    processes: list[Process] = []
    unit: dict[str, str] = {}
    follows: dict[str, str] = {}
    for number, line in enumerate(text.splitlines(), start=1):
        match line.split():
            case ["clock", now, uptime, hz]:
                values |= {"now": int(now), "uptime": float(uptime), "hz": int(hz)}
            case ["pidfile", *pid]:
                values["pid_file"] = "".join(pid)
            case ["named", pid, comm, state]:
                values["named"] = (int(pid), comm, state)
            case ["dpvs", pid, state, threads, started, *argv]:
                processes.append(Process(int(pid), state, int(threads), int(started), tuple(_argv(argv))))
            case ["links", code, *said]:
                values |= _links(code, _text(said))
            case ["unit", *words]:
                name, _, value = " ".join(words).partition("=")
                unit[name] = value
            case ["changed", when]:
                values["conf_changed"] = int(when)
            case ["follows", name, *state]:
                follows[name] = "".join(state)
            case ["log", path, size]:
                values |= {"log_file": path, "log_size": int(size)}
            case ["file", ("conf" | "log" | "out" | "defaults") as name, *content]:
                values[name] = _text(content)
            case ["file", "nm", *content]:
                values["nm_file"] = _text(content)
            case ["nm", answer]:
                values["nm"] = answer == "yes"
            case [("kernel" | "routes") as name, *content]:
                values[name] = _text(content)
            case []:
                pass
            case _:
                raise ParseError("start", line, number)
    return StartState(place, processes=tuple(processes), unit=unit, follows=follows, **values)  # type: ignore[arg-type]  # each by its name above


def _text(words: list[str]) -> str:
    return base64.b64decode("".join(words)).decode(errors="replace")


def _argv(words: list[str]) -> Iterator[str]:
    yield from (word.decode(errors="replace") for word in base64.b64decode("".join(words)).split(b"\0") if word)


def _links(code: str, said: str) -> dict[str, object]:
    """A dpvs that begins answers sometimes with half a list: that is none."""
    if code != "0":
        return {"links": None, "said": said.strip()}
    try:
        return {"links": dpip_link.parse(said), "said": ""}
    except ParseError:
        return {"links": None, "said": said.strip()}
