"""What is compared of a command and of the state behind it, and what may differ between two runs and is compared as what it is."""

from __future__ import annotations

import re
import time
from collections.abc import Sequence
from dataclasses import dataclass

from tests.conformance.worlds import Command, Seen, World
from tests.lab.replay import without_help

STATE = tuple(
    Command.parse(line)
    for line in (
        "dpip addr show",
        "dpip -s addr show",
        "dpip route show",
        "dpip -6 route show",
        "dpip neigh show",
        "dpip link show",
        "dpip vlan show link dpdk0",
        "dpip vlan show link dpdk1",
        "dpip tunnel show",
        "dpip ipset show",
        "ipvsadm -S -n",
        "ipvsadm -ln",
        "ipvsadm -ln --thresholds",
        "ipvsadm -ln --stats",
        "ipvsadm -G",
        "ipvsadm -B",
        "ipvsadm -W",
        "ipvsadm -lnc",
    )
)
"""What is read back after a sequence: everything that the commands can have changed."""

READERS = {"show", "list"}
PATIENCE = 1.0
"""Seconds in which a read may come to what is expected: dpvs's worker does some things a moment after the command has returned."""

_UNORDERED = {("dpip", "addr"), ("dpip", "route"), ("dpip", "neigh"), ("dpip", "vlan"), ("dpip", "tunnel")}
_SETS = ("dpip", "ipset")  # in the order of a hash, and so are their members


@dataclass(frozen=True, slots=True)
class Difference:
    """Where the two worlds part. `at` is the command's place in the sequence; -1 is the state that is read back after it."""

    sequence: tuple[Command, ...]
    at: int
    command: Command
    real: Seen
    emulated: Seen

    def __str__(self) -> str:
        lines = [*(f"    {command}" for command in self.sequence), f"  differ at: {self.command}" + ("" if self.at >= 0 else " (state)")]
        for name, seen in (("real", self.real), ("emulated", self.emulated)):
            lines.append(f"  {name}: exit {seen.exit}")
            lines += [f"    | {line}" for line in seen.stdout.splitlines()]
            lines += [f"    ! {line}" for line in seen.stderr.splitlines()]
        return "\n".join(lines)


def reads(command: Command) -> bool:
    """Does the command only read?"""
    words = [word for word in command.argv[1:] if not word.startswith("-")]
    if command.argv[0] == "dpip":
        return len(words) > 1 and words[1] in READERS
    letter = command.argv[1][1:2] if len(command.argv) > 1 else "l"
    return letter in set("lLSGBW")


def _line(line: str) -> str:
    line = re.sub(r"state: \S+", "state: *", line)  # ages by itself
    return re.sub(r"(?<=valid_lft )\d+|(?<=preferred_lft )\d+", "*", line)


def _lists_clients(text: str) -> bool:
    """A deny or an allow list: in the order of a hash with a random seed."""
    return text.startswith("PROTO ")


def _entries(text: str) -> list[str]:
    """The entries of a dpip list, each with its indented lines."""
    entries: list[str] = []
    for line in text.splitlines():
        if line.startswith((" ", "\t")) and entries:
            entries[-1] += "\n" + line
        else:
            entries.append(line)
    return sorted(entries)


def view(command: Command, seen: Seen) -> tuple[object, ...]:
    """What two worlds must agree on."""
    words = [word for word in command.argv[1:] if not word.startswith("-")][:1]
    streams = []
    for text in (seen.stdout, seen.stderr):
        if command.argv[0] == "ipvsadm" and "\nUsage:\n" in text:
            text = text.partition("\n")[0]  # its help is its authors' text, and the lab's is the lab's
        lines = [_line(line) for line in without_help(text).splitlines()]
        if reads(command) and (command.argv[0], *words) == _SETS:
            lines = sorted("\n".join(sorted(one.splitlines())) for one in "\n".join(lines).split("\n\n"))
        if reads(command) and ((command.argv[0], *words) in _UNORDERED or _lists_clients(text)):
            lines = _entries("\n".join(lines))
        streams.append(lines)
    return seen.exit, *streams


def same(command: Command, real: Seen, emulated: Seen) -> bool:
    """Do the two agree?"""
    return real == emulated or view(command, real) == view(command, emulated)


def difference(real: World, emulated: World, sequence: Sequence[Command]) -> Difference | None:
    """The first difference of a sequence, in its commands or in the state behind it; None where there is none."""
    sequence = tuple(sequence)
    commands = (*sequence, *STATE)
    ours = emulated.run(commands)
    theirs = real.run(commands)
    for at, (command, one, other) in enumerate(zip(commands, theirs, ours, strict=True)):
        if same(command, one, other):
            continue
        behind = at >= len(sequence)
        if behind and (one := _again(real, command, other)) is None:
            continue
        return Difference(sequence, -1 if behind else at, command, one, other)
    return None


def _again(real: World, command: Command, wanted: Seen) -> Seen | None:
    """Read again until it is as wanted (None), or for so long that it never will be: what was seen last."""
    deadline = time.monotonic() + PATIENCE
    while True:
        seen = real.run([command])[0]
        if same(command, seen, wanted):
            return None
        if time.monotonic() > deadline:
            return seen
