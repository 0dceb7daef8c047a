"""A real server: answers HTTP with who it is and whom it saw, as the transcripts' servers do. A script of its own, standard library only.

    python -I -S answer.py rs1 tcp:80 udp:5353      ->  "rs1 saw 192.168.100.200:1025"

One thread and epoll: some thousand requests a second, keep-alive included, which is more than two shared cores of DPVS give it.
"""

from __future__ import annotations

import select
import socket
import sys

LIMIT = 65536  # bytes of an unfinished request that are kept


def seen(address: tuple[str, int]) -> str:
    """A peer as the transcripts print it: IPv4 plain also where the socket is an IPv6 one, IPv6 without brackets."""
    return f"{address[0].removeprefix('::ffff:')}:{address[1]}"


def listen(kind: str, port: int) -> socket.socket:
    """A socket for both families where the kernel has IPv6, for IPv4 where it hasn't."""
    type_ = socket.SOCK_DGRAM if kind == "udp" else socket.SOCK_STREAM
    try:
        found = socket.socket(socket.AF_INET6, type_)
        found.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        anywhere = "::"
    except OSError:
        found = socket.socket(socket.AF_INET, type_)
        anywhere = "0.0.0.0"  # noqa: S104  every interface of this network namespace is meant
    found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    found.bind((anywhere, port))
    if kind != "udp":
        found.listen(1024)
    found.setblocking(False)
    return found


def response(name: str, request: bytes, peer: str) -> tuple[bytes, bool]:
    """The whole HTTP response to one request's head, and whether the connection stays open."""
    line, _, rest = request.partition(b"\r\n")
    words = line.split()
    headers = rest.lower()
    version = words[2] if len(words) == 3 else b""
    keep = b"connection: close" not in headers and (version == b"HTTP/1.1" or b"connection: keep-alive" in headers)
    if len(words) != 3 or words[0] not in (b"GET", b"HEAD"):
        status, body = "400 Bad Request", "bad request\n"
        keep = False
    else:
        status, body = "200 OK", f"{name} saw {peer}\n"
    connection = "keep-alive" if keep else "close"
    fields = (f"HTTP/1.1 {status}", "Content-Type: text/plain", f"Content-Length: {len(body)}", f"Connection: {connection}")
    head = "\r\n".join(fields) + "\r\n\r\n"
    return (head if words[:1] == [b"HEAD"] else head + body).encode(), keep


class Connections:
    """The open connections of one server, by file descriptor."""

    def __init__(self, name: str, poll: select.epoll) -> None:
        self.name, self.poll = name, poll
        self.open: dict[int, tuple[socket.socket, str, bytes]] = {}

    def accept(self, listener: socket.socket) -> None:
        try:
            connection, address = listener.accept()
        except OSError:  # it was gone again
            return
        connection.setblocking(False)
        self.open[connection.fileno()] = (connection, seen(address), b"")
        self.poll.register(connection, select.EPOLLIN)

    def close(self, fd: int) -> None:
        connection, _, _ = self.open.pop(fd)
        self.poll.unregister(fd)
        connection.close()

    def read(self, fd: int) -> None:
        connection, peer, kept = self.open[fd]
        try:
            data = connection.recv(LIMIT)
            kept += data
            while (end := kept.find(b"\r\n\r\n")) >= 0:
                answer, keep = response(self.name, kept[: end + 2], peer)
                kept = kept[end + 4 :]
                connection.sendall(answer)
                if not keep:
                    data = b""
                    break
        except OSError:  # reset by the peer, or a peer that doesn't read
            data = b""
        if data and len(kept) < LIMIT:
            self.open[fd] = (connection, peer, kept)
        else:
            self.close(fd)


def serve(name: str, wanted: list[str]) -> None:
    """Answer on every `tcp:PORT` and `udp:PORT` for ever."""
    poll = select.epoll()
    connections = Connections(name, poll)
    streams: dict[int, socket.socket] = {}
    datagrams: dict[int, socket.socket] = {}
    for item in wanted:
        kind, _, port = item.partition(":")
        found = listen(kind, int(port))
        (datagrams if kind == "udp" else streams)[found.fileno()] = found
        poll.register(found, select.EPOLLIN)
    while True:
        for fd, _ in poll.poll():
            if fd in streams:
                connections.accept(streams[fd])
            elif fd in datagrams:
                _, address = datagrams[fd].recvfrom(LIMIT)
                datagrams[fd].sendto(f"{name} saw {seen(address)}\n".encode(), address)
            elif fd in connections.open:
                connections.read(fd)


if __name__ == "__main__":
    serve(sys.argv[1], sys.argv[2:])
