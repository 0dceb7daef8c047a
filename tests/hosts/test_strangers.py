"""Something listens at a host's port, and isn't what it should be."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from dpvsbook import hosts
from dpvsbook.errors import Unreachable
from dpvsbook.hosts import Command, Host, Target
from dpvsbook.params import Ssh


@contextlib.contextmanager
def server(answer: Callable[[socket.socket], object]) -> Iterator[Target]:
    """Answers each connection in a thread; gone at the end."""
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def accept() -> None:
            with contextlib.suppress(OSError):
                while True:
                    connection, _ = listening.accept()
                    answer(connection)

        threading.Thread(target=accept, daemon=True).start()
        yield Target.resolve("lb1", Ssh(host="127.0.0.1", port=listening.getsockname()[1], connect_timeout=0.5))
        listening.shutdown(socket.SHUT_RDWR)


def said(found: Target) -> str:
    with Host("lb1", found) as host, pytest.raises(Unreachable) as caught:
        host.run([Command(("true",))])
    assert caught.value.remedy
    with pytest.raises(Unreachable):
        hosts.offered_key(found)
    return str(caught.value)


def test_one_that_says_nothing() -> None:
    held = []
    with server(held.append) as found:
        assert "no answer from [127.0.0.1]:" in said(found)
        assert "within 0.5 s" in said(found)


def test_one_that_greets_and_freezes() -> None:
    held = []

    def greet(connection: socket.socket) -> None:
        connection.sendall(b"SSH-2.0-OpenSSH_9.9\r\n")
        held.append(connection)

    with server(greet) as found:
        assert "no answer from [127.0.0.1]:" in said(found)


def test_one_that_speaks_http() -> None:
    def http(connection: socket.socket) -> None:
        connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        connection.close()

    with server(http) as found:
        assert "ended the connection" in said(found)


def test_one_that_hangs_up() -> None:
    with server(lambda connection: connection.close()) as found:
        assert "127.0.0.1" in said(found)


def test_one_that_lets_us_in_and_runs_nothing(tmp_path: Path) -> None:
    import paramiko

    class Refusing(paramiko.ServerInterface):
        def check_auth_publickey(self, *_: object) -> int:
            return paramiko.AUTH_SUCCESSFUL

        def get_allowed_auths(self, *_: object) -> str:
            return "publickey"

        def check_channel_request(self, *_: object) -> int:
            return paramiko.OPEN_SUCCEEDED

    held = []
    key = paramiko.ECDSAKey.generate()
    key.write_private_key_file(str(tmp_path / "id"))

    def refuse(connection: socket.socket) -> None:
        transport = paramiko.Transport(connection)
        transport.add_server_key(key)
        transport.start_server(event=threading.Event(), server=Refusing())  # one that goes away early must not end the others' server
        held.append(transport)

    with server(refuse) as found:
        found = replace(found, known_hosts=(tmp_path / "known_hosts",), identity_files=(str(tmp_path / "id"),), connect_timeout=10)
        hosts.trust(found, hosts.offered_key(found))
        with Host("lb1", found) as host, pytest.raises(hosts.ShellRefused, match="no POSIX shell answered"):
            host.run([Command(("true",))])
    for transport in held:
        transport.close()
