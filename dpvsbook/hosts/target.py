"""Where a host is and how we log in: what the params say, then what the operator's ssh_config says."""

from __future__ import annotations

import getpass
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from dpvsbook.errors import Unreachable
from dpvsbook.hosts import ssh_config as config_file

if TYPE_CHECKING:
    import paramiko

    from dpvsbook.params import Ssh

ENV = "DPVSBOOK_SSH_CONFIG"
USER_KNOWN_HOSTS = "~/.ssh/known_hosts ~/.ssh/known_hosts2"
SYSTEM_KNOWN_HOSTS = "/etc/ssh/ssh_known_hosts /etc/ssh/ssh_known_hosts2"


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
    system_known_hosts: tuple[Path, ...] = ()
    host_key_alias: str | None = None
    jumps: tuple[Target, ...] = ()
    proxy_command: str | None = None
    connect_timeout: float = 10
    password: str | None = None
    sudo: bool | None = None
    sudo_password: str | None = None

    @property
    def key_name(self) -> str:
        """As known_hosts names it where the port doesn't matter."""
        return self.host_key_alias or self.address

    @property
    def where(self) -> str:
        """As known_hosts names it."""
        return self.key_name if self.port == 22 or self.host_key_alias else f"[{self.address}]:{self.port}"

    @classmethod
    def resolve(cls, name: str, ssh: Ssh, ssh_config: Path | None = None) -> Target:
        """Params over ssh_config over ssh's defaults. The file is the argument, else $DPVSBOOK_SSH_CONFIG, else ~/.ssh/config.

        Read from it: HostName, Port, User, IdentityFile, IdentitiesOnly, UserKnownHostsFile, GlobalKnownHostsFile, HostKeyAlias, ProxyJump,
        ProxyCommand, ConnectTimeout, Include. Raises Unreachable where a file that was asked for isn't there, or can't be read as one.
        """
        import paramiko

        chosen = ssh_config or (Path(os.environ[ENV]) if os.environ.get(ENV) else None)
        path = chosen or Path.home() / ".ssh" / "config"
        if chosen and not path.exists():
            raise Unreachable(
                name,
                f"the ssh_config {chosen} is not there",
                remedy="Name the right one with --ssh-config; a lab writes one when it comes up.",
            )
        try:
            config = paramiko.SSHConfig.from_text("\n".join(config_file.lines(path)) if path.exists() else "")
            return _target(name, ssh.host or name, ssh, config, ())
        except KeyError as error:  # from getpass, which looks at the environment first
            raise Unreachable(name, f"user {os.getuid()} has no name on this machine", remedy="export LOGNAME=…") from error
        except (OSError, ValueError, paramiko.SSHException, ImportError) as error:
            raise Unreachable(
                name,
                f"the ssh_config {path} can't be used: {error}",
                remedy="Put what this cluster needs (Host, HostName, User, IdentityFile …) into a file of its own: --ssh-config FILE.",
            ) from error


def _target(name: str, spelled: str, ssh: Ssh | None, config: paramiko.SSHConfig, before: tuple[str, ...]) -> Target:
    """`spelled`: the alias, or user@host:port as ProxyJump has it. `before`: the aliases that led here: none is gone through twice."""
    user, alias, port = _taken_apart(spelled)
    entry = config.lookup(alias)
    jumps: tuple[Target, ...] = ()
    if entry.get("proxyjump", "none") != "none":
        hops = [hop.strip() for hop in entry["proxyjump"].split(",")]
        if not {_taken_apart(hop)[1] for hop in hops} & {*before, alias}:
            jumps = tuple(_target(name, hop, None, config, (*before, alias)) for hop in hops)
    identity = [ssh.identity_file] if ssh and ssh.identity_file else list(entry.get("identityfile", []))
    return Target(
        name=name,
        address=entry.get("hostname", alias),
        port=int((ssh.port if ssh else None) or port or entry.get("port") or 22),
        user=(ssh.user if ssh else None) or user or entry.get("user") or getpass.getuser(),
        identity_files=tuple(str(Path(file).expanduser()) for file in identity),
        identities_only=entry.get("identitiesonly", "no") == "yes" or bool(ssh and ssh.identity_file),
        known_hosts=_files(entry.get("userknownhostsfile"), USER_KNOWN_HOSTS),
        system_known_hosts=_files(entry.get("globalknownhostsfile"), SYSTEM_KNOWN_HOSTS),
        host_key_alias=entry.get("hostkeyalias"),
        jumps=jumps,
        proxy_command=entry.get("proxycommand") if entry.get("proxycommand", "none") != "none" else None,
        connect_timeout=float(ssh.connect_timeout if ssh else entry.get("connecttimeout", 10)),
        password=str(ssh.password) if ssh and ssh.password else None,
        sudo=ssh.sudo if ssh else None,
        sudo_password=str(ssh.sudo_password) if ssh and ssh.sudo_password else None,
    )


def _taken_apart(spelled: str) -> tuple[str, str, str]:
    """[ssh://][user@]host[:port] into (user, host, port); an IPv6 address with a port is in brackets."""
    user, _, rest = spelled.removeprefix("ssh://").rpartition("@")
    if rest.startswith("["):
        host, _, port = rest[1:].partition("]")
        return user, host, port.removeprefix(":")
    host, _, port = rest.partition(":") if rest.count(":") == 1 else (rest, "", "")
    return user, host, port


def _files(value: str | None, default: str) -> tuple[Path, ...]:
    """The files of a known_hosts option. Paramiko has taken quotes off, so a path with spaces is one where its folder exists."""
    whole = Path(value or "").expanduser()
    if value and " " in value and whole.is_absolute() and whole.parent.is_dir():
        return (whole,)
    return tuple(Path(word).expanduser() for word in (value or default).split())
