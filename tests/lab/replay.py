"""The recorded sessions on real DPVS, replayed on the emulated lab.

A transcript is a list of `$ COMMAND`, what it printed, and `[rc=N]`. Each command runs in the shell of an emulated director with the ports,
the neighbours and the MACs of the recording; what the recorder did beside (restarts, waiting, other memory) is in transcripts/setup.yaml.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest import mock

from ruamel.yaml import YAML

from dpvsbook.lab import dpvs_host
from dpvsbook.lab.dpvs import Device, Dpvs, Flow, traffic
from dpvsbook.lab.dpvs.process import Settings
from dpvsbook.lab.files import Virtual
from dpvsbook.lab.machines import Machine, build
from dpvsbook.lab.processes import Process
from dpvsbook.lab.shell.run import Shell
from dpvsbook.lab.shell.streams import Capture, Null
from dpvsbook.lab.shell.system import Call
from dpvsbook.lab.topology import HostSpec, Port, Topology

TRANSCRIPTS = Path(__file__).parent / "transcripts"
SETUP: dict[str, Any] = YAML(typ="safe").load((TRANSCRIPTS / "setup.yaml").read_text())
TOOLS = "/usr/local/dpvs/bin"
MACS = {"dpdk0": "7e:78:cd:3a:be:3a", "dpdk1": "e2:41:99:bb:fa:54"}


@dataclass(frozen=True)
class Step:
    """One command of a transcript. `stdout` is everything it printed where the recorder didn't keep the two apart (`merged`)."""

    number: int
    command: str
    stdout: str
    stderr: str
    merged: bool
    status: int


def steps(name: str) -> Iterator[Step]:
    """The commands of a transcript, numbered from 1."""
    text = (TRANSCRIPTS / f"{name}.txt").read_text()
    blocks = re.findall(r"^\$ (.*)\n((?:.*\n)*?)\[rc=(\d+)\]\n(?=\n|\Z)", text + "\n", re.M)
    for number, (command, body, status) in enumerate(blocks, 1):
        marked = re.fullmatch(r"(?:--stdout--\n((?:.*\n)*?))?(?:--stderr--\n((?:.*\n)*))?", body) if body.startswith("--std") else None
        if marked is not None:
            yield Step(number, command, marked[1] or "", marked[2] or "", False, int(status))
        else:
            yield Step(number, command, body, "", True, int(status))


class Clock:
    """Time that passes when somebody says so."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now

    def pass_(self, seconds: float) -> None:
        """Time passes."""
        self.now += seconds


@dataclass
class World:
    """The recorder's lab: one director `lb`, a client on the WAN side, two real servers and a client on the LAN side."""

    clock: Clock = field(default_factory=Clock)
    hugepages: int | None = None
    machines: dict[str, Machine] = field(init=False)

    def __post_init__(self) -> None:
        lan, wan = ("192.168.100.{}/24", "2001:db8:2::{}/64"), ("10.0.0.{}/16", "2001:db8:1::{}/64")

        def host(name: str, role: str, network: str, device: str, number: int, prefixes: tuple[str, str]) -> HostSpec:
            addresses = tuple(prefix.format(number) for prefix in prefixes)
            return HostSpec(name, role, ports=(Port(device, network, addresses),), listening=frozenset({80, 7}))

        hosts = (
            HostSpec("lb", "director", ports=(Port("dpdk0", "lan"), Port("dpdk1", "wan")), tools=TOOLS),
            host("client", "client", "wan", "c0", 48, wan),
            host("rs1", "real-server", "lan", "e0", 2, lan),
            host("rs2", "real-server", "lan", "e0", 3, lan),
            host("lanc", "client", "lan", "e0", 46, lan),
        )
        with mock.patch.object(dpvs_host, "Dpvs", self._dpvs):
            self.machines = build(Topology("transcripts", "1.10", hosts), wait=1e9)
        self.lb.node.macs.update(MACS)
        self.lb.programs |= {"ip": self._ip(self.lb.programs["ip"]), "sleep": self._sleep, "python3": self._long_connection}
        self.machines["client"].programs["python3"] = self._long_connection
        for machine in self.machines.values():
            machine.install("/usr/bin/python3", "python3")
        for script in ("start-dpvs.sh", "stop-dpvs.sh", "restart.sh"):
            self.lb.programs[script] = self._control
            self.lb.install(f"/lab/{script}", script)
        self.lb.files.put("/var/run/dpvs.log", Virtual(lambda: "".join(f"{line}\n" for line in self.dpvs.log)))
        self.fresh()

    def _dpvs(self, devices: list[Device], **options: Any) -> Dpvs:
        options |= {"clock": self.clock, "hugepages": self.hugepages, "seed": 3}
        for device in devices:
            device.mac = MACS[device.name]
        return Dpvs(devices, settings=Settings(), **options)

    @property
    def lb(self) -> Machine:
        """The director."""
        return self.machines["lb"]

    @property
    def dpvs(self) -> Dpvs:
        """Its dpvs."""
        return self.lb.director()

    def fresh(self, signal: int = 15) -> None:
        """dpvs is restarted: nothing is left."""
        self.lb.kill_dpvs(signal)
        with mock.patch.object(dpvs_host, "Dpvs", self._dpvs):
            self.lb.start_dpvs()

    def run(self, command: str, *, merged: bool = False) -> tuple[str, str, int]:
        """A command in the director's shell: (standard output, standard error, status). `merged`: as with 2>&1."""
        out, err = Capture(), Capture()
        with mock.patch.object(Process, "sleep", lambda _, seconds: self.clock.pass_(seconds)):
            status = self._shell(command, out, out if merged else err)
        return out.text, err.text, status

    def _shell(self, command: str, out: Capture, err: Capture) -> int:
        process = self.lb.processes.spawn("bash")
        streams = {"stdin": Null(), "stdout": out, "stderr": err}
        shell = Shell(self.lb, process, **streams, cwd=TOOLS, name="bash", environment={"PATH": f"/usr/bin:/bin:/usr/sbin:{TOOLS}"})
        lines = iter(f"{command}\n".splitlines(keepends=True))
        try:
            return shell.run_script(lambda: next(lines, ""))
        finally:
            self.lb.processes.remove(process)

    def prepare(self, directive: dict[str, Any]) -> None:
        """What the recorder did before a command without showing it."""
        if "hugepages" in directive:
            self.hugepages = directive["hugepages"]
        if directive.get("fresh"):
            self.fresh()
        self.clock.pass_(directive.get("wait", 0))
        for name, value in directive.get("faults", {}).items():
            setattr(self.dpvs.faults, name, value)
        for command in directive.get("run", ()):
            out, err, status = self.run(command)
            assert status == 0, (command, out, err)

    # ---- what the recorder had beside the tools

    def _ip(self, real: Callable[[Call], int]) -> Callable[[Call], int]:
        def ip(call: Call) -> int:
            if call.argv[1:3] != ("netns", "exec"):
                return real(call)
            machine = self.machines[call.argv[3]]
            return machine.run(Call(machine, call.process, call.argv[4:], call.stdin, call.stdout, call.stderr, call.environment, "/"))

        return ip

    def _sleep(self, call: Call) -> int:
        self.clock.pass_(float(call.argv[1]))
        return 0

    def _control(self, call: Call) -> int:
        if call.name == "stop-dpvs.sh":
            self.lb.kill_dpvs(15)
            return 0
        if call.name == "start-dpvs.sh":
            with mock.patch.object(dpvs_host, "Dpvs", self._dpvs):
                self.lb.start_dpvs()
            return 0
        if "small" in call.environment.get("CONF", ""):
            self.hugepages = 6
        self.fresh()
        call.out("ready after .458899716s (poll 7)\n")
        return 0

    def _long_connection(self, call: Call) -> int:
        """The recorder's longconn.py: one connection to the echo service, and commands while it is open."""
        flow = Flow("tcp", "10.0.0.48", 36772 + self.lb.processes.spawn("x").pid % 1000 * 2, "10.0.0.100", 7, "dpdk1")

        def echo(when: str) -> None:
            decision = self.dpvs.deliver(flow)
            assert decision.conn is not None, decision
            self.dpvs.settle(decision.conn, "open", traffic.opened(decision.method, 4))
            call.out(f"[conn] {when} -> rs{decision.conn.server.packed[3] - 1}:{when}\n")

        echo("before")
        for command in call.argv[2:]:
            call.out(f"$ {command}\n")
            out, _, status = self.run(command, merged=True)
            call.out(f"{out}[rc={status}]\n")
            echo("after")
        conn = self.dpvs.deliver(flow).conn
        assert conn is not None
        self.dpvs.settle(conn, "served", traffic.Exchange())
        return 0


# ---- what may differ between two runs, and is compared as what it is

_EPHEMERAL = re.compile(r":(1[6-9]\d{3}|[2-6]\d{4})\b")
_CONN = re.compile(r"\[\d+\](tcp|udp|icmp)")
_COUNTED = re.compile(r"^(?P<name>(?:  -> |TCP  |UDP  |MATCH )\S+)\s+(?P<conns>\d+)(?P<rest>(?:\s+\d+){4})$")
_STATISTICS = re.compile(r"^    (?:\d+ +){1,4}$")
_SEGMENT = re.compile(r"^0 +[0-9a-f]+ +[0-9a-f]+ +2048 +2048 +0 +0 +\d+$")


def _class(number: str) -> str:
    return "0" if int(number) == 0 else "+"


def _comparable(line: str) -> str:
    if re.match(r"(real|user|sys)\t", line):
        return line.split("\t")[0]  # how long it took
    if line.startswith("ip: "):
        return re.sub(r"mac: \S+", "mac: *", line)  # a neighbour's MAC
    if re.match(r"\+\d+ms: ", line):
        return re.sub(r"\+\d+", "+*", line)
    if line.startswith("[1]icmp"):
        return " ".join(re.sub(r":\d{2,}", ":*", line).split())  # an echo's id
    if _CONN.match(line) or " saw " in line:
        return _EPHEMERAL.sub(":*", line).replace("internet saw", "client saw")  # a client's port; the recorder's other name for `client`
    if line.startswith("curl: "):
        return re.sub(r"after \d+ ms|after \d+ milliseconds", "after *", line)
    if line.startswith("HugePages_Free:"):
        return "HugePages_Free: *"  # DPDK takes them by its own lights: the second LIP took one page, not 21
    if " time=" in line or line.startswith("rtt "):
        return re.sub(r"time=.*|= .*", "*", line)  # a ping
    if _SEGMENT.match(line):
        return "0 * * 2048 2048 0 0 *"  # where a huge page is
    if _STATISTICS.match(line):
        return " ".join(_class(number) for number in line.split())  # packets and bytes of a port
    counted = _COUNTED.match(line)
    if counted:  # packets and bytes of a service: how many acknowledgements there were
        return f"{counted['name']} {counted['conns']} {' '.join(_class(number) for number in counted['rest'].split())}"
    return line


def without_help(text: str) -> str:
    """An output without dpip's help: that is its authors' text, and the lab's is the lab's."""
    return re.sub(r"^Usage:.*\n(?:[ A-Z].*\n)*?(?=dpip: |\Z)", "<usage>\n", text, flags=re.M)


def comparable(text: str) -> list[str]:
    """The lines of an output with what is different in every run taken out, and in an order of their own where the order is none."""
    lines = [_comparable(line) for line in without_help(text).splitlines()]
    lines = [line for at, line in enumerate(lines) if not (line.startswith("0 * *") and lines[at - 1] == line)]
    if any(_CONN.match(line) for line in lines):
        conns = iter(sorted(line for line in lines if _CONN.match(line)))
        return [next(conns) if _CONN.match(line) else line for line in lines]
    return lines
