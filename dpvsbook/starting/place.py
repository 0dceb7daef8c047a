"""Where a director's dpvs has its files."""

from __future__ import annotations

import shlex
from dataclasses import dataclass

from dpvsbook.params import Director

IPC = "/var/run/dpvs.ipc"


@dataclass(frozen=True, slots=True)
class Place:
    """`unit` without `.service`; `out`: where what dpvs prints goes when it isn't started by systemd; `bin` "": found by PATH."""

    unit: str = "dpvs"
    conf: str = "/etc/dpvs.conf"
    ipc: str = IPC
    bin: str = ""

    @classmethod
    def of(cls, director: Director) -> Place:
        """From the params."""
        start = director.start
        unit = (start.unit if start else None) or "dpvs"
        conf = start.conf if start else "/etc/dpvs.conf"
        return cls(unit.removesuffix(".service"), conf, director.ipc or IPC, (director.bin or "").rstrip("/"))

    @property
    def pid_file(self) -> str:
        """dpvs's own place, unless several share a machine."""
        return f"/var/run/{self.unit}.pid"

    @property
    def out(self) -> str:
        return f"/var/log/{self.unit}.out"

    def tool(self, name: str) -> str:
        """A program of DPVS's, as a shell's word."""
        return shlex.quote(f"{self.bin}/{name}" if self.bin else name)


def same(one: str, other: str) -> bool:
    """Whether two paths are one file: /var/run is /run."""
    return one.replace("/var/run/", "/run/", 1) == other.replace("/var/run/", "/run/", 1)
