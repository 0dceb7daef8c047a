"""Bringing a lab up and down, from this process and in the background."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from dpvsbook import lab as labs
from dpvsbook.errors import ParamsError
from dpvsbook.lab.emulated import Lab, LabError


def gone(pid: int) -> bool:
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        try:
            os.waitpid(pid, os.WNOHANG)
            os.kill(pid, 0)
        except (ChildProcessError, ProcessLookupError):
            return True
        time.sleep(0.02)
    return False


def test_a_detached_lab_is_found_used_and_taken_down(params_file: Path, tmp_path: Path) -> None:
    state = tmp_path / ".lab"
    lab = labs.up(params_file, state=state)
    try:
        assert isinstance(lab, Lab)
        assert lab.pid != os.getpid()
        assert (lab.name, lab.hosts) == ("fnat-two-arm", ("lb1", "rs1", "rs2", "client"))
        ended = labs.find(state).exec("lb1", ["ipvsadm", "-ln"])
        assert (ended.exit, ended.stdout.splitlines()[0]) == (0, "IP Virtual Server version 1.10.2 (size=0)")
        assert labs.find(state).exec("lb1", ["nosuch"]).exit == 127
        with pytest.raises(LabError, match="is up from"):
            labs.up(params_file, state=state)
        assert (state / "state.json").stat().st_mode & 0o077 == 0
        assert (state / "id_ed25519").stat().st_mode & 0o077 == 0
    finally:
        assert labs.down(state)
    assert gone(lab.pid)
    assert not labs.down(state)
    with pytest.raises(LabError, match="no lab is up"):
        labs.find(state)


def test_a_crashed_lab_leaves_nothing_in_the_way(params_file: Path, tmp_path: Path) -> None:
    first = Lab.up(params_file, state=tmp_path)
    os.kill(first.pid, signal.SIGKILL)
    assert gone(first.pid)
    with pytest.raises(LabError, match="is gone"):
        Lab.find(tmp_path)
    with Lab.up(params_file, state=tmp_path) as second:
        assert second.exec("rs1", ["hostname"]).stdout == "rs1\n"


def test_a_stale_state_file_never_costs_a_stranger_its_life(tmp_path: Path) -> None:
    stranger = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    try:
        record = {"backend": "emulated", "name": "x", "pid": stranger.pid, "control": 1, "token": "t", "ports": {"lb1": 1}, "started": 0}
        (tmp_path / "state.json").write_text(json.dumps(record))
        assert not Lab.end(tmp_path)
        assert stranger.poll() is None
    finally:
        stranger.kill()
        stranger.wait()


def test_bad_params_are_their_own_error_and_start_nothing(tmp_path: Path) -> None:
    (tmp_path / "bad.yaml").write_text("version: 1\nname: [\n")
    with pytest.raises(ParamsError):
        labs.up(tmp_path / "bad.yaml", state=tmp_path / ".lab")
    with pytest.raises(LabError, match="no lab backend"):
        labs.up(tmp_path / "bad.yaml", backend="nosuch", state=tmp_path / ".lab")


def test_only_the_token_opens_the_control_socket(fresh_lab: Lab) -> None:
    from dpvsbook.lab.control import ask

    with pytest.raises(OSError, match="closed"):
        ask(fresh_lab._control[0], "wrong", {"op": "status"}, timeout=5)


def test_hosts_come_up_as_the_params_say(fresh_lab: Lab) -> None:
    assert "inet 10.0.0.48/16 scope global eth0" in fresh_lab.exec("client", ["ip addr show"]).stdout
    assert fresh_lab.exec("client", ["getent hosts rs1"]).exit == 127
    assert "192.168.100.2\trs1" in fresh_lab.exec("client", ["cat /etc/hosts"]).stdout
    links = fresh_lab.exec("lb1", ["dpip link show"]).stdout
    assert links.count("    UP ") == 2
    assert "inet " not in fresh_lab.exec("lb1", ["dpip addr show"]).stdout
    assert "HugePages_Free:" in fresh_lab.exec("lb1", ["cat /proc/meminfo"]).stdout
    for tool in ("dpip", "ipvsadm", "dpvs"):
        assert fresh_lab.exec("rs1", [tool, "-v"]).exit == 127, "a real server has none of them"


def test_one_word_is_a_shells_line_and_several_are_taken_as_they_are(fresh_lab: Lab) -> None:
    assert fresh_lab.exec("rs1", ["echo a | wc -l"]).stdout == "1\n"
    assert fresh_lab.exec("rs1", ["echo", "a | wc -l"]).stdout == "a | wc -l\n"
    assert fresh_lab.exec("rs1", ["cat"], stdin="given\n").stdout == "given\n"


def test_importing_the_lab_costs_little() -> None:
    code = "import sys, dpvsbook.lab; print([m for m in ('asyncssh', 'pydantic', 'paramiko', 'cryptography') if m in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"


def test_the_ssh_config_survives_blanks_in_its_path(params_file: Path, tmp_path: Path) -> None:
    with Lab.up(params_file, state=tmp_path / "with blank" / ".lab", detach=False) as lab:
        assert f'IdentityFile "{lab.state}/id_ed25519"' in lab.ssh_config.read_text()
