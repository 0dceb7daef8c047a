"""`NetnsLab`: up, down, status, exec, shell. `up` in order: check, record, processes and namespaces, links, DPVS, wait for its links."""

from __future__ import annotations

import contextlib
import json
import os
import shlex
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, cast

from dpvsbook.lab.netns import access, machine, network, plan, record, spec
from dpvsbook.lab.netns.machine import Cpus, Kni, LabError
from dpvsbook.lab.netns.status import Status

if TYPE_CHECKING:
    from dpvsbook.params import Params

ENDED = 15.0  # seconds that a killed DPVS may take to be gone: 1.2 measured for SIGTERM, and some more on an emulated machine
READY = 120.0  # seconds that DPVS may take: 0.4 to 1.8 measured, and up to 15 on an emulated machine
TAIL = 12  # lines of a log in an error


@dataclass(frozen=True, slots=True)
class Ended:
    """A command that ran on a host."""

    exit: int
    stdout: str
    stderr: str


@dataclass(frozen=True, slots=True)
class NetnsLab:
    """A lab that is up. `with NetnsLab.up(...) as lab:` takes it down at the end."""

    record: record.Record

    @property
    def name(self) -> str:
        return self.record.name

    @property
    def hosts(self) -> tuple[str, ...]:
        return tuple(self.record.hosts)

    @property
    def state(self) -> Path:
        return Path(self.record.state)

    @property
    def ssh_config(self) -> Path:
        return self.state / "ssh_config"

    @classmethod
    def up(
        cls, params_file: Path, state: Path = Path(".lab"), dpvs: Path | None = None, *, cpus: Cpus = "auto", kni: Kni = "auto"
    ) -> NetnsLab:
        """Make the lab of a params file. `dpvs`: the folder with dpvs, dpip and ipvsadm; where it isn't given, env DPVSBOOK_DPVS, then
        what `build` installed on this machine.
        `cpus`: "shared" keeps each DPVS on one CPU (slow lists, see machine.cpus_for); env DPVSBOOK_LAB_CPUS=shared does it too.
        `kni`: "real" KNI, or "veth", whose kernel side plays it; "auto": real where it is possible, or what env DPVSBOOK_LAB_KNI says.

        Errors: ParamsError; LabError (not root, no DPVS, too little memory, a name clash, real KNI wanted where it isn't possible, DPVS
        ended: with the end of its log).
        """
        from dpvsbook import params

        return cls.of_params(params.load(params_file), state, dpvs, cpus=cpus, kni=kni)

    @classmethod
    def of_params(cls, wanted: Params, state: Path, dpvs: Path | None = None, *, cpus: Cpus = "auto", kni: Kni = "auto") -> NetnsLab:
        """`up` for params that are loaded already."""
        if os.environ.get("DPVSBOOK_LAB_CPUS") == "shared":
            cpus = "shared"
        begun = time.monotonic()
        made = plan.make(wanted)
        folder = dpvs or machine.built()
        folder = folder.resolve() if folder else None  # `current` may move while the lab is up
        machine.check(made, folder)
        asked = kni if kni != "auto" else os.environ.get("DPVSBOOK_LAB_KNI") or "auto"
        if made.directors and machine.real_kni(folder, asked):
            made = plan.make(wanted, kni=True)
        state = state.resolve()
        state.mkdir(parents=True, exist_ok=True)
        found = record.Record(made.name, made.prefix, str(state), list(made.namespaces), dpvs=str(folder or ""), kni=made.kni)
        record.claim(found)
        try:
            _bring_up(made, found, cpus)
            found.seconds = round(time.monotonic() - begun, 3)
            found.save()
        except BaseException:
            record.remove(found)
            raise
        return cls(found)

    @classmethod
    def find(cls, state: Path = Path(".lab")) -> NetnsLab:
        """The lab that is up from a state folder. LabError where none is."""
        found = record.of_state(state.resolve())
        if found is None:
            raise LabError(f"no netns lab is up from {state}", remedy="dpvsbook lab up PARAMS --backend netns")
        if not found.alive:
            raise LabError(f"the lab {found.name} has crashed: its keeper is gone", remedy=f"Clean up: dpvsbook lab down --state {state}")
        return cls(found)

    def down(self) -> None:
        """Take everything away that `up` made."""
        record.remove(self.record)

    def exec(self, host: str, argv: Sequence[str], *, stdin: str = "", timeout: float | None = None) -> Ended:
        """Run a command on a host, as root there. One word is taken for a shell's line, as ssh does."""
        line = self._entering(host, argv)
        done = subprocess.run(line, input=stdin, capture_output=True, text=True, errors="replace", timeout=timeout, check=False)
        return Ended(done.returncode, done.stdout, done.stderr)

    def shell(self, host: str) -> int:
        """A prompt on the host on this terminal; returns its exit code."""
        return subprocess.run(self._entering(host, ["exec bash --rcfile /root/.bashrc -i"]), check=False).returncode

    def status(self) -> Status:
        """What runs, host by host, with the CPU time and memory it takes."""
        return Status.of(self.record)

    def start_dpvs(self, host: str) -> None:
        """Start a director's DPVS again, with the lab's own command line; returns when its links are up, without any address or service."""
        deadline = time.monotonic() + ENDED
        # a dying one runs too: it has its locks and memory to the last. And the note on the end of the first one, which may come a moment
        # after that, must not be taken for one on the end of the next
        noted = "[ -e /run/lab/dpvs.pid ] && [ ! -e /run/lab/dpvs.exit ]"
        while self.exec(host, [f"grep -qsx dpvs /proc/[0-9]*/comm || {{ {noted}; }}"]).exit == 0:
            if time.monotonic() > deadline:
                raise LabError(f"{host}: dpvs is running", remedy=f"End it first: dpvsbook lab exec {host} -- 'kill $(cat {plan.PID})'")
            time.sleep(0.02)
        self.exec(host, [f"rm -f /run/lab/dpvs.pid /run/lab/dpvs.exit {plan.PID}; setsid {spec.START} </dev/null >>{plan.OUT} 2>&1 &"])
        _wait_for_links(self.record, host)

    def _entering(self, host: str, argv: Sequence[str]) -> list[str]:
        if host not in self.record.hosts:
            raise LabError(f"no host {host} in the lab {self.name}", remedy=f"There are: {', '.join(self.hosts)}")
        return entering(self.record, host, argv)

    def __enter__(self) -> NetnsLab:
        return self

    def __exit__(self, *_: object) -> None:
        self.down()


def down(state: Path = Path(".lab"), *, name: str | None = None) -> bool:
    """Take down the lab of a state folder, or that of a name when nothing was recorded; False where there was none."""
    found = record.of_state(state.resolve())
    if found is not None:
        record.remove(found)
        return True
    return bool(name and record.sweep(plan.prefix_of(name)))


def entering(found: record.Record, host: str, argv: Sequence[str]) -> list[str]:
    """The command line that runs `argv` inside a host's namespaces."""
    line = argv[0] if len(argv) == 1 else shlex.join(argv)
    entry = found.hosts[host]
    env = [f"{key}={value}" for key, value in {"TERM": os.environ.get("TERM", "dumb"), **entry["env"]}.items()]
    enter = ["nsenter", "--target", str(entry["pid"]), "--mount", "--uts", "--ipc", "--net", "--pid", "--"]
    return [*enter, "env", "-i", "-C", "/root", *env, "sh", "-c", line]


def _bring_up(made: plan.LabPlan, found: record.Record, cpus: Cpus) -> None:
    """Everything after the record, in order; whatever fails leaves it to the caller to take away what there is."""
    state = Path(found.state)
    alone = all(other.prefix == found.prefix for other in record.all_records())
    memory = machine.take_hugepages(made.pages, record.FOLDER, alone=alone) if made.pages else machine.Memory(huge=False)
    found.taken, found.huge = memory.taken, memory.huge
    names = [host.name for host in made.directors]
    found.cpus = dict(zip(names, machine.cpus_for(len(names), os.sched_getaffinity(0), cpus), strict=True))
    found.save()
    keys = access.make_keys(state, tuple(host.name for host in made.hosts))
    with _keeper(state, spec.of_lab(made, found, keys)) as (tell, hear):
        first = _heard(hear, state)
        found.keeper = (first["keeper"], record.start_time(first["keeper"]) or 0)
        found.hosts = {
            host.name: {**first["hosts"][host.name], "env": access.environment(host, found.dpvs), "links": host.links}
            for host in made.hosts
        }
        found.save()
        pids = {made.switch: first["hosts"][plan.SWITCH]["pid"], **{host.namespace: found.hosts[host.name]["pid"] for host in made.hosts}}
        attach = [f"ip netns attach {shlex.quote(name)} {pid}" for name, pid in pids.items()]
        _sh("\n".join([*attach, "ip -batch - <<'.'", f"{network.links_batch(made)}.", ""]))
        tell.write(b"go\n")
        tell.flush()
        _heard(hear, state)
    access.write_client_files(state, made.hosts, {name: entry["port"] for name, entry in found.hosts.items()}, keys)
    for host in made.directors:
        _wait_for_links(found, host.name)


@contextlib.contextmanager
def _keeper(state: Path, wanted: dict[str, Any]) -> Iterator[tuple[IO[bytes], IO[bytes]]]:
    """Start the keeper: a pipe to it, and one from it."""
    path = state / "spec.json"
    path.touch(mode=0o600)  # it has the hosts' private keys
    path.write_text(json.dumps(wanted))
    (state / "work").mkdir(exist_ok=True)
    argv = [sys.executable, "-I", "-S", str(Path(__file__).with_name("keeper.py")), str(path)]
    env = {record.MARK: wanted["mark"], "PATH": access.SYSTEM_PATH}
    with (state / "keeper.log").open("wb") as log:
        pipe = subprocess.PIPE
        started = subprocess.Popen(argv, stdin=pipe, stdout=pipe, stderr=log, env=env, start_new_session=True, cwd="/")
    with cast("IO[bytes]", started.stdin) as tell, cast("IO[bytes]", started.stdout) as hear:
        started.wait()  # the keeper itself goes on in the background
        yield tell, hear
    path.unlink()


def _heard(hear: IO[bytes], state: Path) -> dict[str, Any]:
    """The keeper's next message. LabError for a failure in it, or for its end."""
    line = hear.readline()
    if not line:
        raise LabError(f"the lab's keeper ended: {_tail((state / 'keeper.log').read_text(errors='replace')) or 'it said nothing'}")
    message: dict[str, Any] = json.loads(line)
    if failed := message.get("failed"):
        raise LabError("the lab can't be made: " + "; ".join(f"{name}: {why}" if name else str(why) for name, why in failed.items()))
    return message


def _sh(script: str) -> None:
    done = subprocess.run(["sh", "-eu"], input=script, capture_output=True, text=True, check=False)
    if done.returncode:
        raise LabError(f"making the links failed: {done.stderr.strip() or done.stdout.strip()}")


def _wait_for_links(found: record.Record, host: str) -> None:
    """Until `dpip link show` has every link UP. The pid file says nothing: DPVS writes it before its ports are there."""
    deadline, links = time.monotonic() + READY, found.hosts[host]["links"]
    root = Path(f"/proc/{found.hosts[host]['pid']}/root")
    while True:
        done = subprocess.run(entering(found, host, ["dpip", "link", "show"]), capture_output=True, text=True, check=False)
        if done.returncode == 0 and done.stdout.count(" UP ") >= links:
            return
        ended = (root / "run/lab/dpvs.exit").exists()
        if ended or time.monotonic() > deadline:
            said = "\n".join(_tail(_read(root, path)) for path in (plan.OUT, plan.LOG)).strip()
            what = "dpvs ended while it started" if ended else f"dpvs has not brought {links} links up in {READY:.0f} s"
            raise LabError(f"{host}: {what}; its logs end with\n{said}", remedy="docs/real-lab.md has what DPVS needs.")
        time.sleep(0.02)


def _read(root: Path, path: str) -> str:
    """A file of a host, seen from outside; empty where there is none. /var/run is a link to /run, and absolute: kept inside by hand."""
    try:
        return (root / path.lstrip("/")).read_text(errors="replace")
    except OSError:
        return ""


def _tail(text: str) -> str:
    return "\n".join(text.strip().splitlines()[-TAIL:])
