"""The real servers' own answers, over loopback: no root needed."""

from __future__ import annotations

import http.client
import os
import select
import signal
import socket
import sys
import time
from collections.abc import Iterator
from contextlib import closing

import pytest

from dpvsbook.lab.netns import answer

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="epoll")


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    """A server in a process of its own, on a port that is free for TCP and UDP."""
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        free = probe.getsockname()[1]
    pid = os.fork()
    if pid == 0:
        answer.serve("rs1", [f"tcp:{free}", f"udp:{free}"])
        os._exit(0)
    deadline = time.monotonic() + 10
    while True:
        try:
            socket.create_connection(("127.0.0.1", free), timeout=1).close()
            break
        except OSError:
            assert time.monotonic() < deadline
    yield free
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)


def test_it_says_who_it_is_and_whom_it_saw(port: int):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    for _ in range(2):  # the second on the same connection
        connection.request("GET", "/")
        response = connection.getresponse()
        assert response.status == 200
        assert response.read().decode() == f"rs1 saw 127.0.0.1:{connection.sock.getsockname()[1]}\n"
    connection.close()


def test_udp(port: int):
    with closing(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) as client:
        client.bind(("127.0.0.1", 0))
        client.sendto(b"hello", ("127.0.0.1", port))
        assert select.select([client], [], [], 5)[0]
        assert client.recv(100).decode() == f"rs1 saw 127.0.0.1:{client.getsockname()[1]}\n"


def test_a_request_in_pieces(port: int):
    with closing(socket.create_connection(("127.0.0.1", port), timeout=5)) as client:
        for piece in (b"GET / HT", b"TP/1.1\r\nHost: x\r\n", b"Connection: close\r\n\r\n"):
            client.sendall(piece)
        text = client.makefile("rb").read()
    assert text.startswith(b"HTTP/1.1 200 OK\r\n")


def test_nonsense_is_refused_and_the_next_one_served(port: int):
    with closing(socket.create_connection(("127.0.0.1", port), timeout=5)) as client:
        client.sendall(b"\x16\x03\x01nonsense\r\n\r\n")
        assert client.makefile("rb").read().startswith(b"HTTP/1.1 400 ")
    test_it_says_who_it_is_and_whom_it_saw(port)


@pytest.mark.parametrize(
    ("request_", "keep"),
    [
        (b"GET / HTTP/1.0\r\n", False),
        (b"GET / HTTP/1.0\r\nConnection: keep-alive\r\n", True),
        (b"GET / HTTP/1.1\r\n", True),
        (b"GET / HTTP/1.1\r\nConnection: Close\r\n", False),
    ],
)
def test_keep_alive(request_: bytes, keep: bool):
    assert answer.response("rs1", request_, "1.2.3.4:5")[1] is keep


def test_peers_are_printed_as_the_transcripts_do():
    assert answer.seen(("::ffff:192.168.100.200", 1025)) == "192.168.100.200:1025"
    assert answer.seen(("2001::1", 80)) == "2001::1:80"
