"""Where a host is and how we log in: what the params say, then what the operator's ssh_config says."""

from __future__ import annotations

import getpass
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from dpvsbook.errors import Unreachable

if TYPE_CHECKING:
    from dpvsbook.params import Ssh

ENV = "DPVSBOOK_SSH_CONFIG"
SYSTEM_KNOWN_HOSTS = Path("/etc/ssh/ssh_known_hosts")


@dataclass(frozen=True, slots=True)
class Target:
    """One host as SSH knows it. Secrets are references here, resolved at the moment of login."""

    name: str
    address: str
    port: int
    user: str
    identity_files: tuple[str, ...] = ()
    identities_only: bool = False
    known_hosts: tuple[Path, ...] = ()
    jumps: tuple[Target, ...] = ()
    proxy_command: str | None = None
    connect_timeout: float = 10
    password: str | None = None
    sudo: bool | None = None
    sudo_password: str | None = None

    @property
    def where(self) -> str:
        """As known_hosts names it."""
        return self.address if self.port == 22 else f"[{self.address}]:{self.port}"

    @classmethod
    def resolve(cls, name: str, ssh: Ssh, ssh_config: Path | None = None) -> Target:
        """Params over ssh_config over ssh's defaults. The file is the argument, else $DPVSBOOK_SSH_CONFIG, else ~/.ssh/config.

        Read from it: HostName, Port, User, IdentityFile, IdentitiesOnly, UserKnownHostsFile, ProxyJump, ProxyCommand, ConnectTimeout.
        Raises Unreachable where a file that was asked for isn't there.
        """
        import paramiko

        chosen = ssh_config or (Path(os.environ[ENV]) if os.environ.get(ENV) else None)
        path = chosen or Path.home() / ".ssh" / "config"
        config = paramiko.SSHConfig()
        if path.exists():
            config = paramiko.SSHConfig.from_path(str(path))
        elif chosen:
            raise Unreachable(
                name,
                f"the ssh_config {chosen} is not there",
                remedy="Name the right one with --ssh-config; a lab writes one when it comes up.",
            )
        return cls._of(name, ssh.host or name, ssh, config, depth=0)

    @classmethod
    def _of(cls, name: str, alias: str, ssh: Ssh | None, config: object, *, depth: int) -> Target:
        import paramiko

        assert isinstance(config, paramiko.SSHConfig)  # noqa: S101
        entry = config.lookup(alias)
        known = [Path(p).expanduser() for p in entry.get("userknownhostsfile", "~/.ssh/known_hosts").split()]
        user, at, rest = alias.rpartition("@")
        host, colon, port = rest.partition(":") if rest.count(":") == 1 else (rest, "", "")
        jumps: tuple[Target, ...] = ()
        if entry.get("proxyjump", "none") != "none" and depth < 8:
            jumps = tuple(cls._of(name, hop.strip(), None, config, depth=depth + 1) for hop in entry["proxyjump"].split(","))
        identity = [ssh.identity_file] if ssh and ssh.identity_file else list(entry.get("identityfile", []))
        return cls(
            name=name,
            address=entry.get("hostname", host) if not at else config.lookup(host).get("hostname", host),
            port=int((ssh.port if ssh else None) or (port if colon else None) or entry.get("port") or 22),
            user=(ssh.user if ssh else None) or (user if at else None) or entry.get("user") or getpass.getuser(),
            identity_files=tuple(str(Path(file).expanduser()) for file in identity),
            identities_only=entry.get("identitiesonly", "no") == "yes" or bool(ssh and ssh.identity_file),
            known_hosts=tuple(known),
            jumps=jumps,
            proxy_command=entry.get("proxycommand") if entry.get("proxycommand", "none") != "none" else None,
            connect_timeout=float(ssh.connect_timeout if ssh else entry.get("connecttimeout", 10)),
            password=str(ssh.password) if ssh and ssh.password else None,
            sudo=ssh.sudo if ssh else None,
            sudo_password=str(ssh.sudo_password) if ssh and ssh.sudo_password else None,
        )
