"""Host keys: which one a host shows, whether it is known, and pinning it."""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from dpvsbook.errors import Unreachable
from dpvsbook.hosts.target import SYSTEM_KNOWN_HOSTS, Target

if TYPE_CHECKING:
    import paramiko


@dataclass(frozen=True, slots=True)
class HostKey:
    """A host's public key: its type ("ssh-ed25519"), and its base64 text as known_hosts has it."""

    kind: str
    text: str

    @property
    def fingerprint(self) -> str:
        """As `ssh-keygen -l` shows it: "SHA256:…"."""
        return fingerprint(base64.b64decode(self.text))


def fingerprint(blob: bytes) -> str:
    """The SHA-256 of a key, as OpenSSH writes it."""
    return "SHA256:" + base64.b64encode(hashlib.sha256(blob).digest()).decode().rstrip("=")


def known(target: Target) -> paramiko.HostKeys:
    """Every pinned key: the operator's files, then the system's."""
    import paramiko

    keys = paramiko.HostKeys()
    for file in (*target.known_hosts, SYSTEM_KNOWN_HOSTS):
        if file.exists():
            keys.load(str(file))
    return keys


def is_known(target: Target, key: HostKey) -> bool:
    """Is this very key pinned for the host?"""
    pinned = known(target).lookup(target.where)
    return pinned is not None and any(pinned[kind].get_base64() == key.text for kind in pinned)


def offered_key(target: Target) -> HostKey:
    """The key that the host shows, without logging in. Raises Unreachable."""
    import paramiko

    from dpvsbook.hosts.session import open_socket, quiet

    quiet()
    transport = paramiko.Transport(open_socket(target))
    try:
        transport.start_client(timeout=target.connect_timeout)
        key = transport.get_remote_server_key()
        return HostKey(key.get_name(), key.get_base64())
    except (paramiko.SSHException, EOFError, OSError) as error:
        raise Unreachable(target.name, f"{target.where} does not speak SSH: {error}") from error
    finally:
        transport.close()


def trust(target: Target, key: HostKey) -> Path:
    """Pin the key in the first known_hosts file in use, and say which that is. The caller has shown it to a person."""
    file = target.known_hosts[0]
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    before = file.read_text() if file.exists() else ""
    gap = "\n" if before and not before.endswith("\n") else ""
    with file.open("a") as out:
        out.write(f"{gap}{target.where} {key.kind} {key.text}\n")
    file.chmod(0o600)
    return file
