"""The recorded sessions again, on real DPVS in this lab: is the lab the recorder's, and DPVS the one that was recorded?

What the emulated director is held to is so held against the real one too. Same comparison, same directives as in tests/lab.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from dpvsbook.lab.netns import NetnsLab, answer
from tests.lab.replay import MACS, SETUP, Step, comparable, steps

pytestmark = [pytest.mark.root, pytest.mark.dpvs, pytest.mark.slow]

NAMES = ("03-fnat-two-arm", "04-rs-without-port", "05-errors", "07-modes-v4", "08-ipv6", "09-edit-drain-acl-misc")
PARAMS = """
version: 1
name: NAME
networks: {wan: {subnets: [10.0.0.0/16, "2001:db8:1::/64"]}, lan: {subnets: [192.168.100.0/24, "2001:db8:2::/64"]}}
directors:
  - {name: lb, devices: [{name: dpdk0, network: lan}, {name: dpdk1, network: wan}], lips: [LIPS]}
hosts:
  - {name: rs1, role: real-server, interfaces: [{name: e0, network: lan, addresses: [192.168.100.2/24, "2001:db8:2::2/64"]}]}
  - {name: rs2, role: real-server, interfaces: [{name: e0, network: lan, addresses: [192.168.100.3/24, "2001:db8:2::3/64"]}]}
  - {name: client, role: client, interfaces: [{name: c0, network: wan, addresses: [10.0.0.48/16, "2001:db8:1::48/64"]}]}
  - {name: lanc, role: client, interfaces: [{name: e0, network: lan, addresses: [192.168.100.46/24, "2001:db8:2::46/64"]}]}
services:
  - {name: web, vip: 10.0.0.100, network: wan, port: 80, protocol: tcp, scheduler: rr,
     real_servers: [{host: rs1, port: 80}, {host: rs2, port: 80}]}
"""
LIPS = ", ".join(f"{{address: 192.168.100.{last}, device: dpdk0}}" for last in range(200, 207))
EXCEPTIONS: dict[str, dict[int, str]] = {
    "03-fnat-two-arm": {
        **dict.fromkeys((41, 42), "the recorder paused: older connections were gone"),
        51: "the first four, in a hash order with a random seed",
    },
    "07-modes-v4": {
        **dict.fromkeys(range(20, 26), "both real servers answer ARP for the VIP: which is first is chance, and so is who is bypassed"),
        **dict.fromkeys((28, 29, 30, 31, 33, 34, 35), "whose turn it is follows from that: the first packet may have reached DPVS"),
        32: "whether the kernel has asked for the neighbour again yet",
        85: "how long two pings take in all",
    },
    "09-edit-drain-acl-misc": {
        **dict.fromkeys((77, 78, 79), "follow a connection that the recorder's own program held open"),
        86: "dpip neigh del is done a moment after it returns",
        96: "dpip tunnel add is done a moment after it returns",
    },
}
UNSEEN = {("07-modes-v4", 28): "ip -n lanc neigh flush all"}  # what the recorder did in between, and a real neighbour table needs
BESIDE = re.compile(r"longconn|/lab/")  # programs of the recorder


class RealWorld:
    """The recorder's lab in namespaces. Commands run outside them, on DPVS's socket; `ip netns exec` and paths are put right."""

    def __init__(self, lab: NetnsLab, scratch: Path) -> None:
        self.lab, self.scratch = lab, scratch
        self.root = f"/proc/{lab.record.hosts['lb']['pid']}/root"
        for device, mac in MACS.items():  # the order of addresses follows the MACs
            lab.exec("lb", [f"ip link set {device}.kni down; ip link set {device}.kni address {mac}; ip link set {device}.kni up"])
        server = f"{sys.executable} -I -S {answer.__file__}"
        lab.exec("client", [f"setsid {server} client tcp:80 </dev/null >/dev/null 2>&1 &"])
        self.has_ipip = lab.exec("rs1", ["ip link add probe7 type ipip local 192.168.100.2 && ip link del probe7"]).exit == 0

    def fresh(self) -> None:
        self.lab.exec("lb", ["kill -9 $(cat /run/dpvs.pid)"])
        self.lab.start_dpvs("lb")

    def run(self, command: str, *, merged: bool) -> tuple[str, str, int]:
        names = {f"ip netns exec {name}": f"ip netns exec {self.lab.record.prefix}{name}" for name in self.lab.hosts}
        names |= {f"ip -n {name} ": f"ip -n {self.lab.record.prefix}{name} " for name in self.lab.hosts}
        paths = {"/var/run/dpvs.log": f"{self.root}/var/log/dpvs.log", "/var/run/": f"{self.root}/run/", "/tmp/": f"{self.scratch}/"}
        for old, new in {**names, **paths}.items():
            command = command.replace(old, new)
        env = {**os.environ, "DPVS_IPC_FILE": f"{self.root}/run/dpvs.ipc", "LC_ALL": "C"}
        errors = subprocess.STDOUT if merged else subprocess.PIPE
        done = subprocess.run(
            ["bash", "-c", command],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            errors="replace",
            env=env,
            cwd=self.lab.record.dpvs,
            timeout=100,
            check=False,
        )
        return done.stdout, done.stderr or "", done.returncode


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealWorld]:
    folder = tmp_path_factory.mktemp("transcripts")
    (folder / "params.yaml").write_text(PARAMS.replace("NAME", f"transcripts-{os.getpid()}").replace("LIPS", LIPS))
    with NetnsLab.up(folder / "params.yaml", folder / "lab", kni="veth") as lab:
        yield RealWorld(lab, folder)


def difference(world: RealWorld, step: Step) -> str:
    out, err, status = world.run(step.command, merged=step.merged)
    pairs = (("standard output", step.stdout, out), ("standard error", step.stderr, err))
    found = [f"{what}:\n  recorded {comparable(a)}\n  now      {comparable(b)}" for what, a, b in pairs if comparable(a) != comparable(b)]
    found += [f"status {status}, recorded {step.status}"] if status != step.status else []
    return f"{step.number}: $ {step.command[:160]}\n" + "\n".join(found) if found else ""


@pytest.mark.timeout(600)
@pytest.mark.parametrize("name", NAMES)
def test_replayed_on_real_dpvs(world: RealWorld, name: str):
    world.fresh()
    found, left_out = [], False
    for step in steps(name):
        directive = SETUP.get(name, {}).get(step.number, {})
        if directive.get("fresh"):
            world.fresh()
            left_out = False
        left_out |= not world.has_ipip and "type ipip" in str(directive)
        if left_out or BESIDE.search(step.command):
            continue
        time.sleep(directive.get("wait", 0))  # the recorder's own pause: what is compared is what a time-out left
        for command in (*directive.get("run", ()), *([UNSEEN[name, step.number]] if (name, step.number) in UNSEEN else [])):
            assert world.run(command, merged=True)[2] == 0, command
        if (text := difference(world, step)) and step.number not in EXCEPTIONS.get(name, {}):
            found.append(text)
    assert not found, "\n\n".join(found)
