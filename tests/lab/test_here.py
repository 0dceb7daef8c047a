"""`--here`: this machine as a host, over an sshd of the run's own."""

from __future__ import annotations

import getpass
import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from dpvsbook.hosts import Command, Host, Shell, Target
from dpvsbook.lab.emulated import LabError
from dpvsbook.lab.here import FOLDERS, TOOLS, here
from dpvsbook.params import Ssh
from tests.hosts.conftest import wait_for

if sys.platform != "linux" or not all(shutil.which(tool, path=f"{os.environ['PATH']}:{FOLDERS}") for tool in TOOLS):
    pytest.skip("needs Linux and OpenSSH's server", allow_module_level=True)


@pytest.fixture
def config() -> Iterator[Path]:
    with here("me") as config:
        yield config


def host(config: Path) -> Host:
    return Host("me", Target.resolve("me", Ssh(sudo=False), config))


def test_commands_run_here_as_who_asks(config: Path) -> None:
    me = host(config)
    said = me.run([Command(("id", "-un")), Command(("uname", "-n"))])
    me.close()
    assert [result.stdout.strip() for result in said] == [getpass.getuser(), os.uname().nodename]


def test_its_end_takes_its_keys_along_and_leaves_what_runs_detached(tmp_path: Path) -> None:
    with here("me") as config:
        me = host(config)
        script = f"while [ ! -e {tmp_path}/gate ]; do sleep 0.02; done; touch {tmp_path}/done"
        me.run([Shell(f"setsid nohup sh -c '{script}' >/dev/null 2>&1 </dev/null &")])
        me.close()
    assert not config.parent.exists()
    (tmp_path / "gate").touch()
    wait_for((tmp_path / "done").exists)


def test_nobody_elses_key_logs_in(config: Path) -> None:
    (config.parent / "login.pub").write_text((config.parent / "host.pub").read_text())
    with pytest.raises(Exception, match=r"(?i)me: .*(login|auth|key)"):
        host(config).run([Command(("true",))])


def test_tools_that_lack_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    monkeypatch.setattr("dpvsbook.lab.here.FOLDERS", "/nowhere")
    with pytest.raises(LabError, match="sshd and ssh-keygen and setsid") as caught, here("me"):
        pass
    assert "openssh-server" in caught.value.remedy
