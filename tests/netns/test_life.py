"""Up, down, crashes and clashes of the lab itself, with scripts in DPVS's place: root, no DPVS."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from dpvsbook import lab as labs
from dpvsbook import params
from dpvsbook.lab.netns import LabError, NetnsLab, down, machine, plan, record
from tests.netns.conftest import traces

pytestmark = pytest.mark.root


def hugepages() -> int:
    return int(machine.NR_HUGEPAGES.read_text())


def mounts() -> int:
    return len(Path("/proc/self/mounts").read_text().splitlines())


def wait_until_gone(pid: int) -> None:
    deadline = time.monotonic() + 10
    while record.start_time(pid) is not None:
        assert time.monotonic() < deadline
        time.sleep(0.01)


@pytest.fixture
def lab(own_params: Path, stand_in: Path, tmp_path: Path) -> Iterator[NetnsLab]:
    with NetnsLab.up(own_params, tmp_path / "lab", stand_in) as lab:
        yield lab


def test_down_leaves_nothing(own_params: Path, stand_in: Path, tmp_path: Path):
    before = (hugepages(), mounts())
    lab = NetnsLab.up(own_params, tmp_path / "lab", stand_in)
    assert len(traces(lab.name)) >= 5 + 1 + 5  # namespaces, the record, the keeper and the hosts
    lab.down()
    assert traces(lab.name) == []
    assert (hugepages(), mounts()) == before
    assert not (tmp_path / "lab").exists()
    assert not down(tmp_path / "lab")


def test_what_is_not_the_labs_stays_in_its_folder(own_params: Path, stand_in: Path, tmp_path: Path):
    (tmp_path / "lab").mkdir()
    (tmp_path / "lab" / "notes.txt").write_text("mine")
    NetnsLab.up(own_params, tmp_path / "lab", stand_in).down()
    assert [path.name for path in (tmp_path / "lab").iterdir()] == ["notes.txt"]


def test_hosts_have_their_own_name_files_and_processes(lab: NetnsLab):
    assert lab.exec("rs1", ["hostname"]).stdout == "rs1\n"
    assert lab.exec("rs1", ["echo mine > /etc/mine; echo mine > /run/mine; echo mine > /tmp/mine; cat /etc/hostname"]).stdout == "rs1\n"
    assert lab.exec("rs2", ["cat", "/etc/mine", "/run/mine", "/tmp/mine"]).exit == 1
    assert not Path("/etc/mine").exists()
    assert not Path("/tmp/mine").exists()
    processes = lab.exec("client", ["ls /proc | grep -c '^[0-9]*$'"]).stdout
    assert int(processes) <= 4  # its process 1, and the command's own


def test_exec_gives_output_and_exit_code(lab: NetnsLab):
    ended = lab.exec("rs1", ["echo out; echo err >&2; exit 7"])
    assert (ended.exit, ended.stdout, ended.stderr) == (7, "out\n", "err\n")
    assert lab.exec("rs1", ["cat"], stdin="given").stdout == "given"
    assert lab.exec("rs1", ["printf", "%s|", "a b", "$HOME"]).stdout == "a b|$HOME|"
    with pytest.raises(LabError, match="no host nobody"):
        lab.exec("nobody", ["true"])


def test_hosts_reach_each_other_and_their_servers_answer(lab: NetnsLab):
    assert lab.exec("rs1", ["ping -c 1 -W 2 192.168.100.3"]).exit == 0
    assert lab.exec("rs1", ["curl -sS -m 3 http://192.168.100.3/"]).stdout.startswith("rs2 saw 192.168.100.2:")
    assert lab.exec("client", ["ping -c 1 -W 1 192.168.100.3"]).exit != 0  # another network


def test_nothing_of_a_host_reaches_outside(lab: NetnsLab):
    assert [row["ifname"] for row in json.loads(lab.exec("rs1", ["ip -j link"]).stdout)] == ["lo", "eth0"]
    ports = [entry["port"] for entry in lab.record.hosts.values()]
    listening = subprocess.run(["ss", "-Hltn"], capture_output=True, text=True, check=True).stdout
    assert all(f"127.0.0.1:{port}" in listening and f"0.0.0.0:{port}" not in listening for port in ports)


def test_ssh_scp_and_a_wrong_key(lab: NetnsLab, tmp_path: Path):
    ssh = ["ssh", "-F", str(lab.ssh_config)]
    done = subprocess.run([*ssh, "lb1", "hostname; command -v dpip; exit 3"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (3, f"lb1\n{lab.record.dpvs}/dpip\n")
    (tmp_path / "sent").write_text("sent")
    subprocess.run(["scp", "-q", "-F", str(lab.ssh_config), str(tmp_path / "sent"), "rs2:/root/"], check=True)
    assert lab.exec("rs2", ["cat", "/root/sent"]).stdout == "sent"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(tmp_path / "other")], check=True)
    options = ("IdentitiesOnly=yes", "StrictHostKeyChecking=no", "UserKnownHostsFile=/dev/null", "BatchMode=yes")
    port = str(lab.record.hosts["lb1"]["port"])
    other = ["ssh", "-F", "none", "-i", str(tmp_path / "other"), *(f"-o{option}" for option in options), "-p", port]
    wrong = subprocess.run([*other, "root@127.0.0.1", "true"], capture_output=True, text=True, check=False)
    assert wrong.returncode == 255
    assert "Permission denied" in wrong.stderr


def test_status_says_what_runs(lab: NetnsLab):
    text = str(lab.status())
    assert "lb1: ssh on 127.0.0.1:" in text
    assert "answer.py rs1 tcp:80" in text
    assert {process.host for process in lab.status().processes} == {"lb1", "rs1", "rs2"}
    assert str(NetnsLab.find(lab.state).status()).splitlines()[0].startswith(f"lab {lab.name}: real DPVS")


def test_two_labs_of_one_name_clash(lab: NetnsLab, own_params: Path, stand_in: Path, tmp_path: Path):
    with pytest.raises(LabError, match=f"named {lab.name} is up already"):
        NetnsLab.up(own_params, tmp_path / "another", stand_in)
    assert lab.exec("rs1", ["hostname"]).exit == 0


def test_somebody_elses_namespace_is_a_clash_and_stays(own_params: Path, stand_in: Path, tmp_path: Path):
    name = f"{plan.prefix_of(params.load(own_params).name)}rs1"
    subprocess.run(["ip", "netns", "add", name], check=True)
    try:
        with pytest.raises(LabError, match="that this lab didn't make"):
            NetnsLab.up(own_params, tmp_path / "lab", stand_in)
        assert (record.NETNS / name).exists()
    finally:
        subprocess.run(["ip", "netns", "del", name], check=True)


@pytest.mark.parametrize("lost", ["nothing", "the folder's record", "both records"])
def test_after_a_crash(own_params: Path, stand_in: Path, tmp_path: Path, lost: str):
    pages = hugepages()
    lab = NetnsLab.up(own_params, tmp_path / "lab", stand_in)
    assert lab.record.keeper is not None
    os.kill(lab.record.keeper[0], signal.SIGKILL)
    for entry in lab.record.hosts.values():
        wait_until_gone(entry["pid"])
    with pytest.raises(LabError, match="has crashed"):
        NetnsLab.find(tmp_path / "lab")
    if lost != "nothing":
        (tmp_path / "lab" / record.COPY).unlink()
    if lost == "both records":
        lab.record.path.unlink()
        assert not labs.down(tmp_path / "lab")
        assert labs.down(tmp_path / "lab", name=lab.name)
        machine.give_back_hugepages(lab.record.taken, record.FOLDER)  # how many they were was in the record
    else:
        assert labs.down(tmp_path / "lab")
    assert traces(lab.name) == []
    assert hugepages() == pages


def test_up_after_a_crash_clears_up_first(own_params: Path, stand_in: Path, tmp_path: Path):
    pages = hugepages()
    crashed = NetnsLab.up(own_params, tmp_path / "lab", stand_in)
    assert crashed.record.keeper is not None
    os.kill(crashed.record.keeper[0], signal.SIGKILL)
    with NetnsLab.up(own_params, tmp_path / "lab", stand_in) as lab:
        assert lab.exec("rs1", ["hostname"]).exit == 0
    assert hugepages() == pages
    assert traces(lab.name) == []


def test_a_dpvs_that_ends_at_once(own_params: Path, stand_in: Path, tmp_path: Path):
    pages = hugepages()
    script = ("#!/bin/sh", "echo 'EAL: Error - exiting with code: 1'", "echo 'no memory here' > /var/log/dpvs.log", "exit 1", "")
    (stand_in / "dpvs").write_text("\n".join(script))
    with pytest.raises(LabError, match=r"(?s)lb1: dpvs ended while it started.*exiting with code: 1.*no memory here"):
        NetnsLab.up(own_params, tmp_path / "lab", stand_in)
    assert hugepages() == pages
    assert traces(params.load(own_params).name) == []


def test_links_that_cannot_be_made_leave_nothing(own_params: Path, stand_in: Path, tmp_path: Path):
    (tmp_path / "bad.yaml").write_text(own_params.read_text().replace("name: eth0, network: lan", "name: lo, network: lan"))
    with pytest.raises(LabError, match="File exists"):
        NetnsLab.up(tmp_path / "bad.yaml", tmp_path / "lab", stand_in)
    assert traces(params.load(own_params).name) == []


def test_many_connections_at_once(lab: NetnsLab):
    port = lab.record.hosts["rs1"]["port"]
    sockets = [socket.create_connection(("127.0.0.1", port), timeout=10) for _ in range(20)]
    assert all(one.recv(64).startswith(b"SSH-2.0-OpenSSH") for one in sockets)
    for one in sockets:
        one.close()


def test_under_sudo_the_key_is_the_callers(own_params: Path, stand_in: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("SUDO_UID", "12345")
    monkeypatch.setenv("SUDO_GID", "12345")
    with NetnsLab.up(own_params, tmp_path / "lab", stand_in) as lab:
        assert {(lab.state / name).stat().st_uid for name in ("ssh_config", "id_ed25519", "known_hosts")} == {12345}
        assert (lab.state / "id_ed25519").stat().st_mode & 0o777 == 0o600
