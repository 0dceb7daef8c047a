"""How the hosts are reached: keys, each host's sshd_config and environment, and the ssh_config for the outside."""

from __future__ import annotations

import os
import subprocess
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from dpvsbook.lab.netns.plan import IPC, HostPlan

SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
HOST_KEY, LOGIN_KEYS = "/etc/ssh/lab_host_key", "/etc/ssh/lab_authorized_keys"
FRR = "/usr/lib/frr"


@dataclass(frozen=True, slots=True)
class Keys:
    """The texts of the keys: one to log in with, one per host to know it by."""

    login: str
    hosts: dict[str, tuple[str, str]]  # name: private, public


def make_keys(state: Path, hosts: tuple[str, ...]) -> Keys:
    """New keys: the login key stays in `state`, the hosts' keys only in the hosts."""

    def generate(path: Path) -> tuple[str, str]:
        public = path.with_name(path.name + ".pub")
        for old in (path, public):
            old.unlink(missing_ok=True)
        argv = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "dpvsbook lab", "-f", str(path)]
        subprocess.run(argv, check=True, capture_output=True)
        return path.read_text(), public.read_text()

    def of_host(name: str) -> tuple[str, str]:
        path = state / f".key-{name}"
        try:
            return generate(path)
        finally:
            path.unlink(missing_ok=True)
            path.with_name(path.name + ".pub").unlink(missing_ok=True)

    with ThreadPoolExecutor(max_workers=8) as pool:
        login = pool.submit(generate, state / "id_ed25519")
        pairs = dict(zip(hosts, pool.map(of_host, hosts), strict=True))
    return Keys(login.result()[1], pairs)


def host_path(host: HostPlan, folder: str) -> str:
    """PATH on a host: DPVS's tools too on a director, FRR's where they are."""
    return ":".join((SYSTEM_PATH, *([folder] if host.dpvs else []), *([FRR] if Path(FRR).is_dir() else [])))


def environment(host: HostPlan, folder: str) -> dict[str, str]:
    """What a session on the host has in its environment."""
    found = {"PATH": host_path(host, folder), "HOME": "/root", "USER": "root", "LOGNAME": "root", "SHELL": "/bin/sh"}
    if host.dpvs and host.dpvs.ipc != IPC:
        found["DPVS_IPC_FILE"] = host.dpvs.ipc
    return found


def files(host: HostPlan, keys: Keys, addresses: dict[str, str], folder: str) -> dict[str, tuple[str, str]]:
    """The files of a host's own /etc and /root: path -> (mode, text). `addresses`: the other hosts' names, for /etc/hosts."""
    env = environment(host, folder)
    private, public = keys.hosts[host.name]
    names = {"localhost": "127.0.0.1", host.name: "127.0.1.1", **addresses}
    exports = "".join(f"export {key}='{env[key]}'\n" for key in ("PATH", "DPVS_IPC_FILE") if key in env)
    return {
        "/etc/hostname": ("0644", f"{host.name}\n"),
        "/etc/hosts": ("0644", "".join(f"{address}\t{name}\n" for name, address in names.items())),
        "/etc/ssh/sshd_config": ("0644", _sshd_config(env)),
        HOST_KEY: ("0600", private),
        f"{HOST_KEY}.pub": ("0644", public),
        LOGIN_KEYS: ("0644", keys.login),
        "/etc/profile.d/lab.sh": ("0644", exports),
        "/root/.bashrc": ("0644", f"{exports}PS1='\\u@\\h:\\w\\$ '\n"),
        "/root/.bash_profile": ("0644", ". ~/.bashrc\n"),
        "/root/.bash_history": ("0600", ""),
        **_accounts(host.user),
    }


def _accounts(user: str) -> dict[str, tuple[str, str]]:
    """/etc/passwd and its like: root may log in with a key (not if "!" locks it, without PAM), the params' user too, with sudo."""
    shadow = [line.split(":") for line in Path("/etc/shadow").read_text().splitlines()]
    for row in shadow:
        if row[0] == "root":
            row[1] = "*"
    found = {}
    passwd = Path("/etc/passwd").read_text()
    if user != "root" and not any(line.startswith(f"{user}:") for line in passwd.splitlines()):
        found["/etc/passwd"] = ("0644", passwd + f"{user}:x:2000:2000::/home/{user}:/bin/sh\n")
        found["/etc/group"] = ("0644", Path("/etc/group").read_text() + f"{user}:x:2000:\n")
        shadow.append([user, "*", "19000", "0", "99999", "7", "", "", ""])
    if user != "root":
        found["/etc/sudoers.d/lab"] = ("0440", f"{user} ALL=(ALL) NOPASSWD: ALL\n")
    return {**found, "/etc/shadow": ("0600", "".join(":".join(row) + "\n" for row in shadow))}


def _sshd_config(env: dict[str, str]) -> str:
    settings = " ".join(f'{key}="{env[key]}"' for key in ("PATH", "DPVS_IPC_FILE") if key in env)
    return f"""\
HostKey {HOST_KEY}
AuthorizedKeysFile {LOGIN_KEYS}
PermitRootLogin prohibit-password
PasswordAuthentication no
KbdInteractiveAuthentication no
UsePAM no
UseDNS no
StrictModes no
PrintMotd no
PrintLastLog no
X11Forwarding no
MaxSessions 200
AcceptEnv LANG LC_*
SetEnv {settings}
Subsystem sftp internal-sftp
"""


def write_client_files(state: Path, hosts: tuple[HostPlan, ...], ports: dict[str, int], keys: Keys) -> None:
    """`state`/ssh_config and known_hosts. `ports`: of each host's sshd, on loopback."""
    known = "".join(f"[127.0.0.1]:{ports[host.name]} {' '.join(keys.hosts[host.name][1].split()[:2])}\n" for host in hosts)
    (state / "known_hosts").write_text(known)
    (state / "ssh_config").write_text(
        "".join(
            f"""\
Host {host.name} {host.alias}
    HostName 127.0.0.1
    Port {ports[host.name]}
    User {host.user}
    IdentityFile "{state / "id_ed25519"}"
    IdentitiesOnly yes
    UserKnownHostsFile "{state / "known_hosts"}"
    StrictHostKeyChecking yes
    LogLevel ERROR
"""
            for host in hosts
        )
    )
    if "SUDO_UID" in os.environ:  # the runbooks need no root
        for path in (state, *(state / name for name in ("ssh_config", "known_hosts", "id_ed25519", "id_ed25519.pub"))):
            os.chown(path, int(os.environ["SUDO_UID"]), int(os.environ.get("SUDO_GID", "-1")))
