"""The two worlds that are compared: a director of the netns lab with real DPVS, and the emulated one with the same ports and MACs."""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, Protocol, Self

from dpvsbook.hosts import Command as Remote
from dpvsbook.hosts import Host, Target
from dpvsbook.lab.dpvs import Device, Dpvs, dpip, ipvsadm
from dpvsbook.lab.dpvs.process import Settings
from dpvsbook.lab.netns import NetnsLab
from dpvsbook.params import Ssh

DIRECTOR = "lb"
PARAMS = """
version: 1
name: NAME
networks: {wan: {subnets: [10.0.0.0/16, "2001:db8:1::/64"]}, lan: {subnets: [192.168.100.0/24, "2001:db8:2::/64"]}}
directors:
  - {name: lb, devices: [{name: dpdk0, network: lan}, {name: dpdk1, network: wan}], lips: [LIPS]}
hosts:
  - {name: rs1, role: real-server, interfaces: [{name: e0, network: lan, addresses: [192.168.100.2/24, "2001:db8:2::2/64"]}]}
  - {name: client, role: client, interfaces: [{name: c0, network: wan, addresses: [10.0.0.48/16, "2001:db8:1::48/64"]}]}
services:
  - {name: web, vip: 10.0.0.100, network: wan, port: 80, protocol: tcp, scheduler: rr, real_servers: [{host: rs1, port: 80}]}
"""
LIPS = ", ".join(f"{{address: 192.168.100.{last}, device: dpdk0}}" for last in range(200, 212))
"""As many as a sequence may have at once: each takes 42 MB."""

MACS = {"dpdk0": "7e:78:cd:3a:be:3a", "dpdk1": "e2:41:99:bb:fa:54"}
"""The recorded lab's: orders in tables follow them."""


@dataclass(frozen=True, slots=True)
class Command:
    """One command line, and what it reads from standard input."""

    argv: tuple[str, ...]
    stdin: str = ""

    @classmethod
    def parse(cls, text: str) -> Self:
        """From its text: `ipvsadm -ln`, or with standard input `ipvsadm -R <<< 'LINES'`."""
        line, here, stdin = text.partition(" <<< ")
        return cls(tuple(shlex.split(line)), shlex.split(stdin)[0] if here else "")

    def __str__(self) -> str:
        return shlex.join(self.argv) + (f" <<< {shlex.quote(self.stdin)}" if self.stdin else "")

    __repr__ = __str__


ROUND_TRIP = Command(("sh", "-c", 'saved=$(ipvsadm -S -n); ipvsadm -C; echo "$saved" | ipvsadm -R'))
"""All services saved, cleared and restored."""


class Seen(NamedTuple):
    """What a command did: exit code, standard output, standard error."""

    exit: int
    stdout: str
    stderr: str


class World(Protocol):
    """A director."""

    def fresh(self) -> None:
        """As right after the start of dpvs."""

    def run(self, commands: Sequence[Command]) -> list[Seen]:
        """Run commands one after the other."""


class Died(Exception):
    """dpvs ended, or answers no more: the message has the commands since it was fresh."""


class Real:
    """Real DPVS in the netns lab. A batch of commands is one round trip of SSH."""

    def __init__(self, lab: NetnsLab) -> None:
        self.lab = lab
        pairs = [
            f"ip link set {name}.kni down; ip link set {name}.kni address {mac}; ip link set {name}.kni up" for name, mac in MACS.items()
        ]
        lab.exec(DIRECTOR, ["; ".join(pairs)])
        for host in ("rs1", "client"):  # nobody else talks on the links: counters, neighbours and groups stay as the commands leave them
            lab.exec(host, ["for n in $(ls /sys/class/net); do [ $n = lo ] || ip link set $n down; done"])
        self.host = Host(DIRECTOR, Target.resolve(DIRECTOR, Ssh(), ssh_config=lab.ssh_config))
        self.restarts = 0
        self.since: list[Command] = []
        self.fresh()

    @classmethod
    def up(cls, folder: Path, dpvs: Path | None = None) -> Self:
        """Make the lab, its files in `folder`; `dpvs` and LabError: see NetnsLab.up."""
        path = folder / "params.yaml"
        path.write_text(PARAMS.replace("NAME", f"conformance-{os.getpid()}").replace("LIPS", LIPS))
        lab = NetnsLab.up(path, folder / "lab", dpvs, kni="veth")
        try:
            return cls(lab)
        except BaseException:
            lab.down()
            raise

    def close(self) -> None:
        """Take the lab down."""
        self.host.close()
        self.lab.down()

    def fresh(self) -> None:
        self.lab.exec(DIRECTOR, ["kill -9 $(cat /run/dpvs.pid)"])
        self.lab.start_dpvs(DIRECTOR)
        self.restarts += 1
        self.since = []

    def run(self, commands: Sequence[Command]) -> list[Seen]:
        self.since += commands
        batch = [Remote(command.argv, stdin=command.stdin or None) for command in commands]
        try:
            results = self.host.run(batch, timeout=120, inactivity=30)
        except Exception as error:
            raise Died(f"{error}\n" + "\n".join(map(str, self.since[-60:]))) from error
        return [Seen(result.exit if result.exit is not None else -1, result.stdout, result.stderr) for result in results]

    @property
    def alive(self) -> bool:
        """Does dpvs run?"""
        return self.lab.exec(DIRECTOR, ["kill -0 $(cat /run/dpvs.pid)"]).exit == 0


class Emulated:
    """The emulated director. `names` are what the real one's /etc/hosts resolves."""

    def __init__(self, version: str = "1.10", names: dict[str, str] | None = None) -> None:
        self.version = version
        self.names = names or {"localhost": "127.0.0.1"}
        self.fresh()

    def fresh(self) -> None:
        devices = [Device(name, mac) for name, mac in MACS.items()]
        self.dpvs = Dpvs(devices, version=self.version, settings=Settings(), names=dict(self.names))

    def run(self, commands: Sequence[Command]) -> list[Seen]:
        return [self._run(command) for command in commands]

    def _run(self, command: Command) -> Seen:
        if command == ROUND_TRIP:
            saved, cleared = self._run(Command(("ipvsadm", "-S", "-n"))), self._run(Command(("ipvsadm", "-C")))
            restored = self._run(Command(("ipvsadm", "-R"), saved.stdout.rstrip("\n") + "\n"))
            return Seen(restored.exit, cleared.stdout + restored.stdout, saved.stderr + cleared.stderr + restored.stderr)
        out: list[str] = []
        err: list[str] = []
        tool = {"dpip": dpip.main, "ipvsadm": ipvsadm.main}[command.argv[0]]
        status = tool(self.dpvs, list(command.argv), command.stdin, out.append, err.append, {})
        return Seen(status, "".join(out), "".join(err))


def version_of(world: World) -> str:
    """`1.10` or `1.9`, as dpip says."""
    said = world.run([Command(("dpip", "-V"))])[0].stdout
    found = re.match(r"dpip-(\d+\.\d+)", said)
    assert found, said
    return found[1]
