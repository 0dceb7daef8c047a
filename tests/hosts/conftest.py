"""A real OpenSSH server on loopback, in front of this machine's own shell: what the emulated lab can't prove."""

from __future__ import annotations

import getpass
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from dpvsbook.hosts import Target
from dpvsbook.params import Ssh

SSHD = shutil.which("sshd", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")


def wait_for(condition: Callable[[], object], seconds: float = 10) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.005)


@dataclass
class Sshd:
    """`folder` holds its keys, `bin` (first in the PATH of who logs in) and `known_hosts`."""

    folder: Path
    port: int
    process: subprocess.Popen[bytes] = field(repr=False)

    def config(self, extra: str = "") -> Path:
        """An ssh_config in which it is called `real`."""
        path = self.folder / "ssh_config"
        path.write_text(
            f"{extra}\nHost real\n  HostName 127.0.0.1\n  Port {self.port}\n  User {getpass.getuser()}\n  IdentitiesOnly yes\n"
            f"  IdentityFile {self.folder}/id\n  UserKnownHostsFile {self.folder}/known_hosts\n  GlobalKnownHostsFile /dev/null\n"
        )
        return path

    def target(self, **more: object) -> Target:
        return Target.resolve("real", Ssh(**more), self.config())  # type: ignore[arg-type]

    def program(self, name: str, text: str) -> None:
        """A program of the test's own in front of the machine's."""
        path = self.folder / "bin" / name
        path.write_text(f"#!/bin/sh\n{text}\n")
        path.chmod(0o755)

    def sessions(self) -> list[int]:
        """The processes that serve its connections."""
        listed = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
        return [int(pid) for pid in listed]


@pytest.fixture(scope="session")
def _sshd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sshd]:
    import asyncssh

    if SSHD is None or not Path("/proc/self/task").exists():
        pytest.skip("no OpenSSH server on this machine")
    folder = tmp_path_factory.mktemp("sshd")
    (folder / "bin").mkdir()
    for name in ("id", "host"):
        key = asyncssh.generate_private_key("ssh-ed25519")
        (folder / name).touch(mode=0o600)
        (folder / name).write_bytes(key.export_private_key())
        (folder / f"{name}.pub").write_bytes(key.export_public_key())
    if os.getuid() == 0:
        Path("/run/sshd").mkdir(exist_ok=True)  # where sshd insists on it
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    (folder / "known_hosts").write_text(f"[127.0.0.1]:{port} {' '.join((folder / 'host.pub').read_text().split()[:2])}\n")
    (folder / "config").write_text(
        f"Port {port}\nListenAddress 127.0.0.1\nHostKey {folder}/host\nAuthorizedKeysFile {folder}/id.pub\nStrictModes no\nUsePAM no\n"
        f"PidFile none\nPasswordAuthentication no\nKbdInteractiveAuthentication no\n"
        f"SetEnv PATH={folder}/bin:{os.environ['PATH']} HOME={folder}\n"  # no login files of whoever runs the tests
    )
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen([SSHD, "-D", "-e", "-f", str(folder / "config")], stdout=log, stderr=log)
    found = Sshd(folder, port, process)
    try:
        wait_for(lambda: process.poll() is not None or "Server listening" in (folder / "log").read_text())
        if process.poll() is not None:
            pytest.skip(f"sshd doesn't start here: {(folder / 'log').read_text().strip()}")
        yield found
    finally:
        process.terminate()
        process.wait()


@pytest.fixture
def sshd(_sshd: Sshd) -> Iterator[Sshd]:
    """The server, with nothing of other tests in its `bin`."""
    yield _sshd
    for path in (_sshd.folder / "bin").iterdir():
        path.unlink()
