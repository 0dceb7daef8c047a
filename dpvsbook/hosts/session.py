"""One SSH connection: the way there, the verified host key, the login. Every failure is one of ours, with the way out."""

from __future__ import annotations

import logging
import socket
from pathlib import Path
from typing import TYPE_CHECKING

from dpvsbook import secrets
from dpvsbook.errors import Unreachable
from dpvsbook.hosts.errors import HostKeyChanged, HostKeyUnknown, LoginRefused
from dpvsbook.hosts.keys import fingerprint, known
from dpvsbook.hosts.target import Target

if TYPE_CHECKING:
    import paramiko

KEEPALIVE = 15
"""Seconds between keepalives: a middlebox that forgets idle connections forgets them later."""


def quiet() -> None:
    """Paramiko logs what it also raises; the raised one is enough."""
    logging.getLogger("paramiko").setLevel(logging.CRITICAL)


def open_socket(target: Target) -> socket.socket | paramiko.Channel | paramiko.ProxyCommand:
    """The way to the host's SSH port: straight, through its jump hosts, or by its ProxyCommand."""
    import paramiko

    if target.proxy_command:
        return paramiko.ProxyCommand(target.proxy_command)
    if target.jumps:
        through = connect(target.jumps[0])
        for hop in target.jumps[1:]:
            through = connect(hop, _channel(through, hop))
        return _channel(through, target)
    try:
        sock = socket.create_connection((target.address, target.port), timeout=target.connect_timeout)
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
    except OSError as error:
        raise Unreachable(
            target.name, f"{target.where}: {error.strerror or error}", remedy="Is sshd running there, on this port?"
        ) from error
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return sock


def connect(target: Target, sock: object = None) -> paramiko.Transport:
    """A logged-in connection. Raises Unreachable and its kin."""
    import paramiko

    quiet()
    pinned = known(target).lookup(target.where)
    transport = paramiko.Transport(sock or open_socket(target))  # type: ignore[arg-type]
    try:
        if pinned:
            kinds = [name for kind in pinned for name in (("rsa-sha2-512", "rsa-sha2-256") if kind == "ssh-rsa" else (kind,))]
            options = transport.get_security_options()
            options.key_types = [*(k for k in kinds if k in options.key_types), *(k for k in options.key_types if k not in kinds)]
        transport.start_client(timeout=target.connect_timeout)
        _verify(target, transport, pinned)
        _login(target, transport)
    except (paramiko.SSHException, EOFError, OSError) as error:
        transport.close()
        raise Unreachable(target.name, f"{target.where} ended the connection: {error or type(error).__name__}") from error
    except BaseException:
        transport.close()
        raise
    transport.set_keepalive(KEEPALIVE)
    return transport


def _verify(target: Target, transport: paramiko.Transport, pinned: object) -> None:
    shown = transport.get_remote_server_key()
    if not pinned:
        raise HostKeyUnknown(target.name, target.where, fingerprint(shown.asbytes()))
    keys = dict(pinned)  # type: ignore[call-overload]
    if not any(key.asbytes() == shown.asbytes() for key in keys.values()):
        raise HostKeyChanged(
            target.name, target.where, fingerprint(shown.asbytes()), ", ".join(fingerprint(k.asbytes()) for k in keys.values())
        )


def _login(target: Target, transport: paramiko.Transport) -> None:
    import paramiko

    tried = []
    for what, key in _keys(target):
        tried.append(what)
        try:
            transport.auth_publickey(target.user, key)
        except paramiko.BadAuthenticationType:
            break
        except paramiko.AuthenticationException:
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
            return
    raise LoginRefused(
        target.name,
        f"{target.user} may not log in at {target.where} with {', '.join(tried) or 'nothing: no key, no agent, no password'}",
        remedy="Put your key into its authorized_keys, start an agent, or name another key (`identity_file`) or user.",
    )


def _keys(target: Target) -> list[tuple[str, paramiko.PKey]]:
    import paramiko

    found: list[tuple[str, paramiko.PKey]] = []
    files = [Path(f) for f in target.identity_files] or [Path.home() / ".ssh" / f"id_{kind}" for kind in ("ed25519", "ecdsa", "rsa")]
    for file in files:
        try:
            found.append((str(file), paramiko.PKey.from_path(file)))
        except (OSError, paramiko.SSHException, ValueError, TypeError):
            continue  # not there, or locked by a passphrase: the agent may have it
    if not target.identities_only or not found:
        found += [(f"agent key {key.get_name()}", key) for key in paramiko.Agent().get_keys()]
    return found


def _channel(through: paramiko.Transport, to: Target) -> paramiko.Channel:
    import paramiko

    try:
        return through.open_channel("direct-tcpip", (to.address, to.port), ("127.0.0.1", 0))
    except paramiko.SSHException as error:
        raise Unreachable(to.name, f"the jump host does not reach {to.where}: {error}") from error
