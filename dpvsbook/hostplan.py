"""Changes of a host itself — files, huge pages, modules, drivers of NICs — beside `plan`, which is about what dpvs holds in memory.

The same idea: what is wanted less what is there, each change with its reason and its inverse. It stands apart because its state is
another look, its values are files, and its commands are scripts with a file on their standard input rather than one program.
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from dpvsbook.facts.setup import SetupState
from dpvsbook.facts.setup_look import reload_script
from dpvsbook.hosts import Shell, put
from dpvsbook.plan import Difference, Value

KINDS = frozenset({"file", "hugepages", "module", "driver", "units", "reload"})
AFTERWARDS = ("units", "reload")
"""Kinds that tell a daemon of changed files: always last, on the way there and on the way back."""


@dataclass(frozen=True, slots=True)
class HostChange(Difference):
    """One thing of a host that differs; `kind` is one of KINDS.

    Values by kind: file {text, mode}; hugepages {pages}; module {loaded}; driver {driver, tool, down}; units {read}; reload {read, conf,
    pid_file, loaded, restart}.
    """

    @property
    def inverse(self) -> HostChange:
        """The way back."""
        before = self.before
        if self.kind in AFTERWARDS:  # a daemon can't unread: it reads what is there then
            before = {**(self.before or {}), "read": True}
        return HostChange(self.kind, self.key, self.after, before, f"back: {self.reason}")

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
        if self.kind == "reload":
            text = reload_script(str(after["pid_file"]), str(after["conf"]), str(after["loaded"]), after.get("restart", ()))
            return (Shell(text, name=f"kill -HUP $(cat {after['pid_file']})", mutates=True),)
        return (Shell("systemctl daemon-reload", name="systemctl daemon-reload", mutates=True),)

    def as_json(self) -> dict[str, Any]:
        """See `Difference.described`."""
        return self.described((shell.text for shell in self.shells()), (shell.text for shell in self.inverse.shells()))


def bind(address: str, driver: object, tool: str, *, down: str = "") -> Shell:
    """Give a PCI device to a driver; None: to the one that the kernel would choose. `down`: its interfaces, taken down before."""
    where = shlex.quote(address)
    first = "".join(f"ip link set {shlex.quote(name)} down || exit 1\n" for name in down.split())
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


def undo(step: str, host: str, state: SetupState, applied: Sequence[Mapping[str, Any]]) -> HostPlan:
    """The plan that takes back `applied` (changes as `HostChange.as_json` wrote them), last first, from the host as it is now.

    Only what is still as the run left it is taken back; what somebody changed since is said, and left alone.
    """
    back: list[HostChange] = []
    last: list[HostChange] = []
    refused: list[Refusal] = []
    notes: list[str] = []
    for item in reversed(applied):
        done = HostChange(item["kind"], item["key"], item["before"], item["after"], item["reason"])
        if done.kind in AFTERWARDS:
            last.append(done.inverse)
            continue
        now = _now(done, state)
        if _same(done, now, done.before):
            continue
        if not _same(done, now, done.after):
            notes.append(f"{done.key} was changed since by somebody else: left as it is")
        elif said := _in_use(done, state):
            refused.append(said)
        else:
            back.append(done.inverse)
    told = [change for change in last if any(change.kind == "units" or c.key == (change.after or {}).get("conf") for c in back)]
    runs = [change for change in told if change.kind == "units" or state.dpvs is not None]
    return HostPlan(step, host, (*back, *runs), tuple(refused), tuple(notes))


def _now(done: HostChange, state: SetupState) -> Value | None:
    """What the host has in the place of a change."""
    if done.kind == "file":
        file = state.files.get(done.key)
        return None if file is None else {"text": file.text, "mode": file.mode}
    if done.kind == "hugepages":
        node, _, size = done.key.partition("/hugepages/hugepages-")
        return next(({"pages": p.total} for p in state.pages if (f"node{p.node}", f"{p.size_kb}kB") == (node, size)), None)
    if done.kind == "module":
        return {"loaded": done.key.replace("-", "_") in state.modules}
    slot = state.slots.get(done.key)
    return None if slot is None else {"driver": slot.driver}


def _same(done: HostChange, now: Value | None, value: Value | None) -> bool:
    if now is None or value is None:
        return now is value
    if done.kind == "driver" and value.get("driver") is None:  # driverctl's way back: whatever the kernel would choose
        return now.get("driver") != (done.after or {}).get("driver")
    return all(value.get(name) == there for name, there in now.items())


def _in_use(done: HostChange, state: SetupState) -> Refusal | None:
    """Huge pages that a process has can't be given back."""
    if done.kind != "hugepages":
        return None
    node, _, size = done.key.partition("/hugepages/hugepages-")
    held = next((p.total - p.free for p in state.pages if (f"node{p.node}", f"{p.size_kb}kB") == (node, size)), 0)
    left = int((done.before or {}).get("pages", 0))
    if held <= left:
        return None
    return Refusal(done.key, f"{held} huge pages of {node} are in use, and {left} would be left", "Stop dpvs first, then undo.")
