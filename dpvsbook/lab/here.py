"""This machine as a host: each connection gets an sshd of its own, over a pipe. Nobody's sshd, keys or ssh_config are touched, and no
port listens."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from dpvsbook.lab.emulated import LabError

FOLDERS = "/usr/sbin:/usr/local/sbin:/sbin"
TOOLS = ("sshd", "ssh-keygen", "setsid")


@contextmanager
def here(name: str) -> Iterator[Path]:
    """An ssh_config in which host `name` is this machine, logged in to as who runs this. What was started detached there outlives it.

    Raises LabError where a tool lacks, or sshd finds fault with its configuration.
    """
    found = {tool: shutil.which(tool, path=f"{os.environ.get('PATH', '')}:{FOLDERS}") for tool in TOOLS}
    tools = {tool: path for tool, path in found.items() if path}
    if missing := [tool for tool in TOOLS if tool not in tools]:
        raise LabError(
            f"--here needs {' and '.join(missing)}",
            remedy="Install: openssh-server, openssh-client and util-linux (RHEL: openssh-clients). No sshd need be running.",
        )
    if os.geteuid() == 0:
        with suppress(OSError):  # Debian's sshd insists on it, and only its service makes it
            Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="dpvsbook-here-") as made:
        folder = Path(made)
        for key in ("login", "host"):
            argv = [tools["ssh-keygen"], "-q", "-t", "ed25519", "-N", "", "-C", "dpvsbook --here", "-f", str(folder / key)]
            subprocess.run(argv, check=True, capture_output=True)
        config = _write(folder, name, tools)
        tried = subprocess.run([tools["sshd"], "-t", "-f", str(folder / "sshd_config")], capture_output=True, text=True, check=False)
        if tried.returncode:
            said = tried.stderr.strip().splitlines()
            raise LabError(f"the sshd of --here can't start: {said[-1] if said else f'exit {tried.returncode}'}")
        yield config


def _write(folder: Path, name: str, tools: dict[str, str]) -> Path:
    user = pwd.getpwuid(os.geteuid()).pw_name  # not $LOGNAME: sudo may have left the caller's
    pam = "yes" if os.geteuid() == 0 and _locked(user) else "no"
    (folder / "sshd_config").write_text(
        f"HostKey {folder}/host\nAuthorizedKeysFile {folder}/login.pub\nStrictModes no\nPidFile none\n"
        f"AllowUsers {user}\nPermitRootLogin prohibit-password\nPasswordAuthentication no\nKbdInteractiveAuthentication no\nUsePAM {pam}\n"
        "UseDNS no\nPrintMotd no\nX11Forwarding no\nAllowTcpForwarding no\n"
    )
    (folder / "known_hosts").write_text(f"{name} {' '.join((folder / 'host.pub').read_text().split()[:2])}\n")
    config = folder / "ssh_config"
    config.write_text(
        f"Host {name}\n  HostName {name}\n  User {user}\n  IdentityFile {folder}/login\n  IdentitiesOnly yes\n"
        f"  UserKnownHostsFile {folder}/known_hosts\n  GlobalKnownHostsFile /dev/null\n"
        # A session of its own: Ctrl-C is for the run, which still has to say goodbye over its connections.
        f"  ProxyCommand {tools['setsid']} {tools['sshd']} -i -f {folder}/sshd_config\n"
    )
    return config


def _locked(user: str) -> bool:
    """Whether the account has no password at all (Ubuntu's root): without PAM, sshd then refuses its keys too."""
    with suppress(OSError):
        rows = (line.split(":") for line in Path("/etc/shadow").read_text().splitlines())
        return any(row[0] == user and row[1].startswith("!") for row in rows if len(row) > 1)
    return False
