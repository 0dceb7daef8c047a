"""One SSH connection: the way there, the verified host key, the login. Every failure is one of ours, with the way out."""

from __future__ import annotations

import contextlib
import logging
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from dpvsbook import secrets
from dpvsbook.errors import Unreachable
from dpvsbook.hosts.errors import HostKeyChanged, HostKeyRevoked, HostKeyUnknown, LoginRefused
from dpvsbook.hosts.keys import HostKey, Pinned, pinned
from dpvsbook.hosts.target import Target

if TYPE_CHECKING:
    import paramiko

KEEPALIVE = 15
"""Seconds between keepalives: a middlebox that forgets idle connections forgets them later."""

CIPHERS = ("aes128-gcm@openssh.com", "aes256-gcm@openssh.com", "aes128-ctr", "aes256-ctr", "aes192-ctr")
"""The fast ones first (GCM needs no MAC of its own); what OpenSSH no longer offers is not asked for."""


@dataclass(frozen=True, slots=True)
class Session:
    """A connection, and those to the jump hosts that it goes through."""

    transport: paramiko.Transport
    through: tuple[Session, ...] = ()

    def close(self) -> None:
        """Close it, then what it went through."""
        self.transport.close()
        for session in reversed(self.through):
            session.close()


def connect(target: Target, through: Session | None = None) -> Session:
    """A logged-in connection, whose host key is pinned. Raises Unreachable and its kin."""
    session = greet(target, through)
    try:
        with _told(target):
            _verify(target, session.transport)
            _login(target, session.transport)
            session.transport.set_keepalive(KEEPALIVE)
    except BaseException:
        session.close()
        raise
    return session


def greet(target: Target, through: Session | None = None) -> Session:
    """A connection on which keys were exchanged, before any login: nothing secret has gone over. Raises Unreachable."""
    import paramiko

    logging.getLogger("paramiko").setLevel(logging.CRITICAL)  # it logs what it also raises; the raised one is enough
    chain = () if through is None else (through,)
    try:
        if through is None and target.jumps and not target.proxy_command:
            for hop in target.jumps:
                chain = (*chain, connect(hop, chain[-1] if chain else None))
        with _told(target):
            transport = paramiko.Transport(_channel(chain[-1], target) if chain else _socket(target))
    except BaseException:
        for session in reversed(chain if through is None else ()):
            session.close()
        raise
    session = Session(transport, chain if through is None else ())
    try:
        with _told(target):
            transport.auth_timeout = target.connect_timeout
            transport.banner_timeout = transport.handshake_timeout = target.connect_timeout + 5  # start_client's own comes first
            options = transport.get_security_options()
            options.ciphers = [cipher for cipher in CIPHERS if cipher in options.ciphers]
            kinds = [name for line in pinned(target) for name in _signatures(line.key.kind)]
            options.key_types = [
                *(k for k in dict.fromkeys(kinds) if k in options.key_types),
                *(k for k in options.key_types if k not in kinds),
            ]
            transport.start_client(timeout=target.connect_timeout)
            if not transport.initial_kex_done:  # paramiko gives up waiting without a word
                raise TimeoutError
    except BaseException:
        session.close()
        raise
    return session


def offered_key(target: Target) -> HostKey:
    """The key that the host shows, without logging in: of the kind that is pinned, where one is. Raises Unreachable."""
    session = greet(target)
    try:
        key = session.transport.get_remote_server_key()
        return HostKey(key.get_name(), key.get_base64())
    finally:
        session.close()


def start(transport: paramiko.Transport, channel: paramiko.Channel, command: str) -> None:
    """Ask for a command to be run, and don't wait for the answer: what it is fed may follow at once, which saves a round trip.

    `Channel.exec_command` without its waiting (which also has no time limit). A refusal closes the channel, and so ends the streams.
    """
    import paramiko

    request = paramiko.Message()
    request.add_byte(paramiko.common.cMSG_CHANNEL_REQUEST)
    request.add_int(channel.remote_chanid)
    request.add_string("exec")
    request.add_boolean(True)
    request.add_string(command)
    channel._event_pending()  # type: ignore[attr-defined]
    transport._send_user_message(request)  # type: ignore[attr-defined]


def _signatures(kind: str) -> tuple[str, ...]:
    """The names by which a key type is agreed upon."""
    return ("rsa-sha2-512", "rsa-sha2-256") if kind == "ssh-rsa" else (kind,)


@contextlib.contextmanager
def _told(target: Target) -> Iterator[None]:
    """Whatever the socket or paramiko raises, as Unreachable."""
    import paramiko

    try:
        yield
    except socket.gaierror as error:
        raise Unreachable(
            target.name,
            f"no such host: {target.address}",
            remedy="Is it in your ssh_config? Name the file with --ssh-config, or the address as `ssh: {host: …}` in the params.",
        ) from error
    except TimeoutError as error:
        raise Unreachable(
            target.name, f"no answer from {target.where} within {target.connect_timeout:g} s", remedy="Is it up, and the way to it open?"
        ) from error
    except FileNotFoundError as error:
        raise Unreachable(
            target.name, f"its ProxyCommand can't be run: {error.filename}", remedy="Correct ProxyCommand in the ssh_config."
        ) from error
    except paramiko.ssh_exception.IncompatiblePeer as error:
        raise Unreachable(
            target.name, f"{target.where} and we have no algorithm in common: {error}", remedy="Is its sshd from before 2013? Update it."
        ) from error
    except (paramiko.SSHException, EOFError) as error:
        raise Unreachable(
            target.name,
            f"{target.where} ended the connection: {error or type(error).__name__}",
            remedy="Is it an SSH server, and does it let this machine in (MaxStartups, hosts.deny)? `ssh -v` shows more.",
        ) from error
    except OSError as error:
        raise Unreachable(
            target.name, f"{target.where}: {error.strerror or error}", remedy="Is sshd running there, on this port?"
        ) from error


def _socket(target: Target) -> socket.socket | paramiko.ProxyCommand:
    import paramiko

    if target.proxy_command:
        return paramiko.ProxyCommand(target.proxy_command)
    sock = socket.create_connection((target.address, target.port), timeout=target.connect_timeout)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return sock


def _channel(through: Session, to: Target) -> paramiko.Channel:
    import paramiko

    try:
        return through.transport.open_channel("direct-tcpip", (to.address, to.port), ("127.0.0.1", 0), timeout=to.connect_timeout)
    except paramiko.SSHException as error:
        raise Unreachable(
            to.name,
            f"the jump host does not reach {to.where}: {error}",
            remedy="Is the host up, and does the jump host allow forwarding (AllowTcpForwarding)?",
        ) from error


def _verify(target: Target, transport: paramiko.Transport) -> None:
    key = transport.get_remote_server_key()
    shown = HostKey(key.get_name(), key.get_base64())
    lines: tuple[Pinned, ...] = pinned(target)
    for line in lines:
        if line.revoked and line.key == shown:
            raise HostKeyRevoked(target.name, target.where, shown.fingerprint, line.file)
    good = [line for line in lines if not line.revoked]
    if not good:
        raise HostKeyUnknown(target.name, target.where, shown.fingerprint)
    if not any(line.key == shown for line in good):
        expected = ", ".join(line.key.fingerprint for line in good)
        raise HostKeyChanged(target.name, target.where, shown.fingerprint, expected, good[0].file)


def _login(target: Target, transport: paramiko.Transport) -> None:
    import paramiko

    tried: list[str] = []
    for what, key in _keys(target, tried):
        tried.append(what)
        try:
            transport.auth_publickey(target.user, key)
        except paramiko.BadAuthenticationType:
            break
        except paramiko.AuthenticationException:
            if not transport.is_active():
                raise _refused(target, [*tried, "then it hung up: too many keys? Name the right one and set IdentitiesOnly"]) from None
            continue
        if transport.is_authenticated():
            return
    if target.password:
        tried.append(f"the password of {target.password}")
        try:
            transport.auth_password(target.user, secrets.resolve(target.password))
        except paramiko.AuthenticationException:
            pass
        else:
            if transport.is_authenticated():
                return
    raise _refused(target, tried)


def _refused(target: Target, tried: list[str]) -> LoginRefused:
    return LoginRefused(
        target.name,
        f"{target.user} may not log in at {target.where} with {', '.join(tried) or 'nothing: no key, no agent, no password'}",
        remedy="Put your key into its authorized_keys, start an agent, or name another key (`identity_file`) or user.",
    )


def _keys(target: Target, tried: list[str]) -> Iterator[tuple[str, paramiko.PKey]]:
    """Key files, then the agent's keys. A file that can't be used is noted in `tried`, for the person who wonders why."""
    import paramiko

    seen: set[bytes] = set()
    skipped: list[str] = []
    asked_for = [Path(file) for file in target.identity_files]
    for file in asked_for or [Path.home() / ".ssh" / f"id_{kind}" for kind in ("ed25519", "ecdsa", "rsa")]:
        try:
            key = paramiko.PKey.from_path(file)
        except FileNotFoundError:
            if asked_for:
                skipped.append(f"{file} (not there)")
        except (OSError, paramiko.SSHException, ValueError, TypeError) as error:
            locked = isinstance(error, paramiko.PasswordRequiredException) or "password" in str(error).lower()
            skipped.append(f"{file} ({'has a passphrase: ssh-add it' if locked else f'not usable: {type(error).__name__}'})")
        else:
            seen.add(key.asbytes())
            yield str(file), key
    if not target.identities_only or skipped:
        for agent_key in paramiko.Agent().get_keys():
            if agent_key.asbytes() not in seen:
                yield f"agent key {agent_key.get_name()}", agent_key
    tried += skipped
