"""What the shell needs of the host that it runs on, and how it calls that host's programs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

from dpvsbook.lab.files import FileSystem
from dpvsbook.lab.processes import Process, ProcessTable
from dpvsbook.lab.shell.streams import Null, Stream


@dataclass(frozen=True, slots=True)
class Call:
    """One program being run: its arguments, descriptors and surroundings. The program returns its exit code."""

    system: System
    process: Process
    argv: tuple[str, ...]
    stdin: Stream = field(default_factory=Null)
    stdout: Stream = field(default_factory=Null)
    stderr: Stream = field(default_factory=Null)
    environment: Mapping[str, str] = field(default_factory=dict)
    cwd: str = "/"
    uid: int = 0

    @property
    def name(self) -> str:
        return self.argv[0].rsplit("/", 1)[-1]

    def out(self, text: str) -> None:
        self.stdout.write(text)

    def err(self, text: str) -> None:
        self.stderr.write(text)

    def fail(self, message: str, status: int = 1) -> int:
        """`NAME: message` on standard error."""
        self.stderr.write(f"{self.name}: {message}\n")
        return status

    def spawn(self, argv: Sequence[str], *, environment: Mapping[str, str] | None = None, uid: int | None = None) -> int:
        """Runs another program in this one's place (env, sudo, xargs, timeout)."""
        call = replace(
            self,
            argv=tuple(argv),
            environment=self.environment if environment is None else environment,
            uid=self.uid if uid is None else uid,
        )
        return self.system.run(call)


class System(Protocol):
    hostname: str
    files: FileSystem
    processes: ProcessTable

    def has(self, name: str, cwd: str, path: str, uid: int) -> str | None:
        """The absolute path of the program called `name` (looked up along `path` if it has no slash), else None."""

    def run(self, call: Call) -> int:
        """Runs a program: 127 with a message when there is none, 126 when it can't be executed."""

    def user_name(self, uid: int) -> str: ...

    def home(self, uid: int) -> str: ...
