"""Host keys: which one a host shows, whether it is known, and pinning it. Reads known_hosts as sshd(8) describes it."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from dpvsbook.errors import HostError, Unreachable
from dpvsbook.hosts.errors import HostKeyChanged, HostKeyRevoked
from dpvsbook.hosts.target import Target


@dataclass(frozen=True, slots=True)
class HostKey:
    """A host's public key: its type ("ssh-ed25519"), and its base64 text as known_hosts has it."""

    kind: str
    text: str

    @property
    def fingerprint(self) -> str:
        """As `ssh-keygen -l` shows it: "SHA256:…"."""
        return fingerprint(base64.b64decode(self.text))


@dataclass(frozen=True, slots=True)
class Pinned:
    """A line of a known_hosts file that is about the host in question."""

    key: HostKey
    file: Path
    revoked: bool = False


def fingerprint(blob: bytes) -> str:
    """The SHA-256 of a key, as OpenSSH writes it."""
    return "SHA256:" + base64.b64encode(hashlib.sha256(blob).digest()).decode().rstrip("=")


def pinned(target: Target) -> tuple[Pinned, ...]:
    """What the operator's files and the system's say about the host. Like ssh: a line without the port counts where none has it."""
    found: list[Pinned] = []
    for where in dict.fromkeys((target.where, target.key_name)):
        for file in (*target.known_hosts, *target.system_known_hosts):
            try:
                text = file.read_text(errors="replace")
            except FileNotFoundError:
                continue
            except OSError as error:
                raise Unreachable(
                    target.name, f"{file} can't be read: {error.strerror}", remedy="Host keys are verified by it: make it readable."
                ) from error
            found += [Pinned(key, file, revoked) for key, revoked in read(text, where)]
        if any(not line.revoked for line in found):
            break
    return tuple(found)


def read(text: str, where: str) -> Iterator[tuple[HostKey, bool]]:
    """The keys that a known_hosts text has for a host ("lb1", "[lb1]:2222"), and whether each is revoked. Lines that make no sense, and
    certificate authorities, are passed over, as ssh does."""
    for line in text.splitlines():
        words = line.split()
        marker = words.pop(0) if words and words[0].startswith("@") else ""
        if len(words) < 3 or words[0].startswith("#") or marker not in ("", "@revoked") or not _names(words[0], where.lower()):
            continue
        try:
            base64.b64decode(words[2], validate=True)
        except binascii.Error:
            continue
        yield HostKey(words[1], words[2]), bool(marker)


def _names(patterns: str, where: str) -> bool:
    if patterns.startswith("|1|"):
        try:
            salt, digest = (base64.b64decode(part) for part in patterns[3:].split("|"))
        except (ValueError, binascii.Error):
            return False
        return hmac.compare_digest(hmac.new(salt, where.encode(), hashlib.sha1).digest(), digest)
    hit = False
    for pattern in patterns.lower().split(","):
        if re.fullmatch(re.escape(pattern.lstrip("!")).replace(r"\*", ".*").replace(r"\?", "."), where):
            if pattern.startswith("!"):
                return False
            hit = True
    return hit


def is_known(target: Target, key: HostKey) -> bool:
    """Is this very key pinned for the host?"""
    lines = [line for line in pinned(target) if line.key == key]
    return bool(lines) and not any(line.revoked for line in lines)


def must_be_new(target: Target, key: HostKey) -> None:
    """Raises HostKeyChanged where another key of its kind is pinned (a yes to a question isn't enough to replace it), HostKeyRevoked."""
    for line in pinned(target):
        if line.revoked and line.key == key:
            raise HostKeyRevoked(target.name, target.where, key.fingerprint, line.file)
        if not line.revoked and line.key.kind == key.kind and not is_known(target, key):
            raise HostKeyChanged(target.name, target.where, key.fingerprint, line.key.fingerprint, line.file)


def trust(target: Target, key: HostKey) -> Path:
    """Pin the key in the first known_hosts file in use, and say which that is. The caller has shown it to a person.

    Raises what `must_be_new` raises, and HostError where the file can't be written.
    """
    must_be_new(target, key)
    file = target.known_hosts[0]
    try:
        if file == Path("/dev/null"):
            raise OSError(0, "what is written there is gone")
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        new = not file.exists()
        before = "" if new else file.read_text(errors="replace")
        gap = "\n" if before and not before.endswith("\n") else ""
        with file.open("a") as out:
            out.write(f"{gap}{target.where} {key.kind} {key.text}\n")
        if new:
            file.chmod(0o600)
    except OSError as error:
        raise HostError(
            target.name, f"its key can't be pinned in {file}: {error.strerror}", remedy="Name another UserKnownHostsFile in the ssh_config."
        ) from error
    return file
