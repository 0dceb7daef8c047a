"""The SSH servers of a lab: one per host, on loopback, all in one asyncio loop."""

# ruff: noqa: ARG002  (asyncssh names the arguments)

from __future__ import annotations

import asyncio
from pathlib import Path

import asyncssh

from dpvsbook.lab.machines import Machine
from dpvsbook.lab.sessions import Session

ADDRESS = "127.0.0.1"


class Login(asyncssh.SSHServer):
    """Who may log in: root and the login user, with the lab's key or the password that the params refer to."""

    def __init__(self, machine: Machine, key: asyncssh.SSHKey) -> None:
        self._machine, self._key = machine, key

    def connection_made(self, conn: asyncssh.SSHServerConnection) -> None:
        self._connection = conn
        loop = asyncio.get_running_loop()

        def drop() -> None:
            loop.call_soon_threadsafe(conn.abort)

        self._machine.connections[id(conn)] = drop

    def connection_lost(self, exc: Exception | None) -> None:
        self._machine.connections.pop(id(self._connection), None)

    def begin_auth(self, username: str) -> bool:
        return True

    def _welcome(self, username: str) -> bool:
        return self._machine.uid_of(username) is not None and not self._machine.faults.refuse_login

    def public_key_auth_supported(self) -> bool:
        return True

    def validate_public_key(self, username: str, key: asyncssh.SSHKey) -> bool:
        return self._welcome(username) and key.public_data == self._key.public_data

    def password_auth_supported(self) -> bool:
        return bool(self._machine.spec.password)

    def validate_password(self, username: str, password: str) -> bool:
        return self._welcome(username) and password == self._machine.spec.password

    def session_requested(self) -> Session:
        return Session(self._machine, str(self._connection.get_extra_info("username")), self._connection)


class SshServers:
    """`keys` is the folder with `id_ed25519` (the operator's key) and `host_NAME` (one per host)."""

    def __init__(self, machines: dict[str, Machine], keys: Path) -> None:
        self._machines, self._keys = machines, keys
        self._login = asyncssh.read_private_key(keys / "id_ed25519")
        self._acceptors: dict[str, asyncssh.SSHAcceptor] = {}
        self._changed: set[str] = set()
        self.ports: dict[str, int] = {}

    async def start(self) -> None:
        loop = asyncio.get_running_loop()
        for name, machine in self._machines.items():
            await self._listen(name, asyncssh.read_private_key(self._keys / f"host_{name}"))
            machine.change_host_key = lambda name=name: _wait(loop, self._other_key(name))  # type: ignore[misc]
            machine.restore_host_key = lambda name=name: _wait(loop, self._own_key(name))  # type: ignore[misc]

    async def _listen(self, name: str, key: asyncssh.SSHKey) -> None:
        machine = self._machines[name]
        acceptor = await asyncssh.listen(
            ADDRESS,
            self.ports.get(name, 0),
            server_host_keys=[key],
            server_factory=lambda: Login(machine, self._login),
            encoding="utf-8",
            errors="surrogateescape",
            line_history=1000,
            max_line_length=1 << 16,
            window=1 << 22,
            max_pktsize=1 << 15,
            login_timeout=30,
            keepalive_interval=0,
            compression_algs=["none"],
            server_version="dpvsbook-lab",
            reuse_address=True,
        )
        self._acceptors[name] = acceptor
        self.ports[name] = acceptor.get_port()

    async def _restart(self, name: str, key: asyncssh.SSHKey) -> None:
        self._machines[name].drop_connections()
        self._acceptors[name].close()
        await self._acceptors[name].wait_closed()
        await self._listen(name, key)

    async def _other_key(self, name: str) -> None:
        self._changed.add(name)
        await self._restart(name, asyncssh.generate_private_key("ssh-ed25519"))

    async def _own_key(self, name: str) -> None:
        if name in self._changed:
            self._changed.discard(name)
            await self._restart(name, asyncssh.read_private_key(self._keys / f"host_{name}"))

    async def stop(self) -> None:
        for name, acceptor in self._acceptors.items():
            self._machines[name].drop_connections()
            acceptor.close()


def _wait(loop: asyncio.AbstractEventLoop, work: object) -> None:
    """From another thread: until the loop has done it."""
    asyncio.run_coroutine_threadsafe(work, loop).result(10)  # type: ignore[arg-type]
