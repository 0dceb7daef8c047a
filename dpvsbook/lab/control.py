"""How another process talks to a running lab: a line of JSON each way over a loopback socket, with the token from the lab's folder."""

from __future__ import annotations

import asyncio
import hmac
import json
import socket
from collections.abc import Callable
from typing import Any

LIMIT = 1 << 26
Handler = Callable[[dict[str, Any]], Any]


class ControlServer:
    """`handle` gets the request and gives what can be JSON; an exception's text goes back as the error. It runs outside of the loop."""

    def __init__(self, token: str, handle: Handler) -> None:
        self._token, self._handle = token, handle
        self.port = 0

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, limit=LIMIT)
        self.port = self._server.sockets[0].getsockname()[1]

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            request = json.loads(await reader.readline())
            if not hmac.compare_digest(str(request.pop("token", "")), self._token):
                return
            try:
                answer = {"value": await asyncio.to_thread(self._handle, request)}
            except Exception as error:
                answer = {"error": str(error)}
            writer.write(json.dumps(answer).encode() + b"\n")
            await writer.drain()
        except (OSError, ValueError):
            return
        finally:
            writer.close()

    def stop(self) -> None:
        self._server.close()


class ControlError(Exception):
    """The lab refused: its words."""


def ask(port: int, token: str, request: dict[str, Any], *, timeout: float | None = None) -> Any:
    """One request. Raises OSError when no lab listens there, ControlError when it refuses."""
    with socket.create_connection(("127.0.0.1", port), timeout=timeout or 5.0) as connection:
        connection.settimeout(timeout)
        connection.sendall(json.dumps({**request, "token": token}).encode() + b"\n")
        with connection.makefile("rb") as stream:
            line = stream.readline()
    if not line:
        raise OSError("the lab closed the connection")
    answer = json.loads(line)
    if "error" in answer:
        raise ControlError(answer["error"])
    return answer["value"]
