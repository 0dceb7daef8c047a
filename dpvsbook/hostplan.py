"""Changes of a host itself — files, huge pages, modules, drivers of NICs — beside `plan`, which is about what dpvs holds in memory.

The same idea: what is wanted less what is there, each change with its reason and its inverse. It stands apart because its state is
another look, its values are files, and its commands are scripts with a file on their standard input rather than one program.
"""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from typing import Any, Literal

from dpvsbook.hosts import Shell, put
from dpvsbook.plan import Action, Value

Sort = Literal["file", "hugepages", "module", "driver", "units"]


@dataclass(frozen=True, slots=True)
class HostChange:
    """One thing of a host that differs. Values by sort: file {text, mode}; hugepages {pages}; module {loaded}; driver {driver}."""

    kind: Sort
    key: str
    before: Value | None
    after: Value | None
    reason: str

    @property
    def action(self) -> Action:
        if self.before is None:
            return "add"
        return "remove" if self.after is None else "change"

    @property
    def inverse(self) -> HostChange:
        """The way back."""
        return HostChange(self.kind, self.key, self.after, self.before, f"back: {self.reason}")

    def shells(self) -> tuple[Shell, ...]:
        """The scripts that do it. All that comes from the params is quoted."""
        after = self.after or {}
        if self.kind == "file":
            if self.after is None:
                return (Shell(f"rm -f {shlex.quote(self.key)}", name=f"rm {self.key}", mutates=True),)
            folder = self.key.rpartition("/")[0] or "/"
            made = Shell(f"mkdir -p {shlex.quote(folder)}", name=f"mkdir -p {folder}", mutates=True)
            return (made, put(self.key, str(after["text"]).encode(), mode=int(after["mode"])))
        if self.kind == "hugepages":
            where = shlex.quote(f"/sys/devices/system/node/{self.key}/nr_hugepages")
            pages = int(after.get("pages", 0))
            return (Shell(f"echo {pages} >{where} && cat {where}", name=f"echo {pages} > {self.key}", mutates=True),)
        if self.kind == "module":
            word = "modprobe" if after.get("loaded") else "modprobe -r"
            return (Shell(f"{word} {shlex.quote(self.key)}", name=f"{word} {self.key}", mutates=True),)
        if self.kind == "driver":
            return (bind(self.key, after.get("driver"), str(after.get("tool", "driverctl")), down=str(after.get("down") or "")),)
        return (Shell("systemctl daemon-reload", name="systemctl daemon-reload", mutates=True),)

    def as_json(self) -> dict[str, Any]:
        """As the journal keeps it, in the form of `plan.Change.as_json`."""
        return {
            "kind": self.kind,
            "key": self.key,
            "action": self.action,
            "before": None if self.before is None else dict(self.before),
            "after": None if self.after is None else dict(self.after),
            "reason": self.reason,
            "commands": [shell.text for shell in self.shells()],
            "inverse": [shell.text for shell in self.inverse.shells()],
        }


def bind(address: str, driver: object, tool: str, *, down: str = "") -> Shell:
    """Give a PCI device to a driver; None: to the one that the kernel would choose. `down`: its interface, taken down before."""
    where = shlex.quote(address)
    first = f"ip link set {shlex.quote(down)} down || exit 1\n" if down else ""
    if tool == "driverctl":
        what = f"driverctl unset-override {where}" if driver is None else f"driverctl set-override {where} {shlex.quote(str(driver))}"
    else:
        what = f"dpdk-devbind.py -u {where}" if driver is None else f"dpdk-devbind.py -b {shlex.quote(str(driver))} {where}"
    return Shell(f"{first}{what}", name=what, mutates=True)


@dataclass(frozen=True, slots=True)
class Refusal:
    """Something that is wanted and is not done, because it would harm: `remedy` is the way out."""

    key: str
    reason: str
    remedy: str


@dataclass(frozen=True, slots=True)
class HostPlan:
    """What a step would do on one host, in its order; what it refuses; what a person should know (`notes`)."""

    step: str
    host: str
    changes: tuple[HostChange, ...] = ()
    refused: tuple[Refusal, ...] = ()
    notes: tuple[str, ...] = ()
