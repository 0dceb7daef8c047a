"""Real DPVS, real traffic: the tutorial's two-arm FULLNAT on the netns lab. DPVSBOOK_DPVS names the folder with dpvs, dpip and ipvsadm."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from dpvsbook.lab.netns import LabError, NetnsLab, machine
from tests.netns.conftest import FNAT, traces

pytestmark = [pytest.mark.root, pytest.mark.dpvs, pytest.mark.timeout(900)]
CURL = "curl -sS -m 15 http://10.0.0.100/"


@pytest.fixture(scope="module")
def lab(own_params: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[NetnsLab]:
    pages = int(machine.NR_HUGEPAGES.read_text())
    with NetnsLab.up(own_params, tmp_path_factory.mktemp("real") / "lab") as lab:
        yield lab
    assert traces(lab.name) == []
    assert int(machine.NR_HUGEPAGES.read_text()) == pages


@pytest.fixture
def fnat(lab: NetnsLab) -> NetnsLab:
    """The director with the tutorial's configuration and nothing else."""
    lab.exec("lb1", ["ipvsadm -C; dpip addr del 192.168.100.200/32 dev dpdk0; dpip addr del 10.0.0.100/32 dev dpdk1"])
    for command in FNAT:
        ended = lab.exec("lb1", [command])
        assert (ended.exit, ended.stderr) == (0, ""), command
    return lab


def seen(lab: NetnsLab, requests: int) -> Counter[str]:
    """Who answered the client: "rs1 saw 192.168.100.200" -> how often."""
    ended = lab.exec("client", [f"for i in $(seq {requests}); do {CURL}; done"])
    assert ended.exit == 0, ended.stderr
    return Counter(line.rpartition(":")[0] for line in ended.stdout.splitlines())


def test_versions_and_links(lab: NetnsLab):
    assert "dpvs version: 1." in lab.exec("lb1", ["dpvs", "-v"]).stderr
    assert lab.exec("lb1", ["dpip", "link", "show"]).stdout.count(" UP 10000 Mbps full-duplex fixed-nego promisc lldp ") == 2


def test_both_real_servers_answer_by_turns(fnat: NetnsLab):
    assert seen(fnat, 20) == {"rs1 saw 192.168.100.200": 10, "rs2 saw 192.168.100.200": 10}
    counters = fnat.exec("lb1", ["ipvsadm -ln --stats --exact"]).stdout
    assert "TCP  10.0.0.100:80" in counters
    assert "sa_used" in fnat.exec("lb1", ["dpip -s addr show"]).stdout


def test_over_ssh_too(fnat: NetnsLab):
    def ssh(host: str, command: str) -> str:
        return subprocess.run(["ssh", "-F", str(fnat.ssh_config), host, command], capture_output=True, text=True, check=True).stdout

    assert ssh("lb1", "ipvsadm -S -n").splitlines()[0] == "-A -t 10.0.0.100:80 -s rr"
    assert ssh("client", CURL).split(" saw ")[0] in ("rs1", "rs2")


def test_a_dead_real_server_is_refused_for_every_second_client(fnat: NetnsLab):
    fnat.exec("rs2", ["kill $(cat /run/lab/web.pid)"])
    try:
        ended = fnat.exec("client", [f"for i in 1 2 3 4; do {CURL} || echo failed; done"])
        assert ended.stdout.count("rs1 saw") == 2
        assert ended.stdout.count("failed") == 2
    finally:
        server = f"{sys.executable} -I -S {Path(machine.__file__).with_name('answer.py')} rs2 tcp:80"
        fnat.exec("rs2", [f"setsid {server} </dev/null >/dev/null 2>&1 & echo $! > /run/lab/web.pid"])
        deadline = time.monotonic() + 60  # an emulated machine is slow
        while fnat.exec("rs2", ["curl -sS -m 1 http://127.0.0.1/"]).exit:
            assert time.monotonic() < deadline


def test_killed_and_started_again(fnat: NetnsLab):
    fnat.exec("lb1", ["kill -9 $(cat /run/dpvs.pid)"])
    ended = fnat.exec("lb1", ["dpip", "link", "show"])
    assert ended.exit == 1
    assert "dpvs does not run" in str(fnat.status())
    fnat.start_dpvs("lb1")
    assert fnat.exec("lb1", ["ipvsadm -S -n"]).stdout == ""
    for command in FNAT:
        assert fnat.exec("lb1", [command]).exit == 0
    assert sum(seen(fnat, 4).values()) == 4


def test_a_vip_on_the_kernels_lo_does_not_reset_clients(fnat: NetnsLab):
    """OSPF announces a VIP from lo: the kernel under DPVS then owns it too, and must leave its traffic alone."""
    fnat.exec("lb1", ["ip link set dpdk1.kni up; ip addr add 10.0.0.100/32 dev lo; ip route add 10.0.0.0/16 dev dpdk1.kni"])
    try:
        assert sum(seen(fnat, 20).values()) == 20
    finally:
        fnat.exec("lb1", ["ip route del 10.0.0.0/16 dev dpdk1.kni; ip addr del 10.0.0.100/32 dev lo"])


def test_every_lip_that_the_params_name_has_its_memory(fnat: NetnsLab):
    """DPVS adds a LIP without memory in silence: the pages for the params' LIPs, and two more, are there."""
    for last in (201, 202):
        fnat.exec("lb1", [f"ipvsadm --add-laddr -z 192.168.100.{last} -t 10.0.0.100:80 -F dpdk0"])
    shown = fnat.exec("lb1", ["ipvsadm -G; dpip -s addr show"]).stdout
    assert shown.count("sa_free") == 3
    assert shown.count("192.168.100.20") == 6


def test_a_name_clash_and_a_second_lab(fnat: NetnsLab, own_params: Path, tmp_path: Path):
    with pytest.raises(LabError, match="is up already"):
        NetnsLab.up(own_params, tmp_path / "second")
    other = tmp_path / "other.yaml"
    other.write_text(own_params.read_text().replace("name: test-", "name: second-test-"))
    with NetnsLab.up(other, tmp_path / "second") as second:
        assert second.exec("lb1", ["ipvsadm -S -n"]).stdout == ""
        assert sum(seen(fnat, 4).values()) == 4


def test_without_hugepages(own_params: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(machine, "NR_HUGEPAGES", tmp_path / "none")
    other = tmp_path / "plain.yaml"
    other.write_text(own_params.read_text().replace("name: test-", "name: plain-test-"))
    with NetnsLab.up(other, tmp_path / "lab") as lab:
        for command in FNAT:
            assert lab.exec("lb1", [command]).exit == 0
        assert sum(seen(lab, 4).values()) == 4


def test_what_dpvs_says_when_it_cannot_start_is_in_the_error(own_params: Path, tmp_path: Path):
    """Here by an argument for the EAL that it doesn't know."""
    folder = tmp_path / "bin"
    folder.mkdir()
    real = Path(os.environ["DPVSBOOK_DPVS"]).resolve()
    for name in ("dpip", "ipvsadm"):
        (folder / name).symlink_to(real / name)
    (folder / "dpvs").write_text(f'#!/bin/sh\nexec {real}/dpvs "$@" --no-such-option\n')
    (folder / "dpvs").chmod(0o755)
    other = tmp_path / "bad.yaml"
    other.write_text(own_params.read_text().replace("name: test-", "name: bad-test-"))
    expected = r"(?s)lb1: dpvs ended while it started.*--file-prefix"
    with pytest.raises(LabError, match=expected), NetnsLab.up(other, tmp_path / "lab", folder):
        pass
    assert traces(f"bad-test-{os.getpid()}") == []
