"""One director, bound to its host: what it is asked, and asked again where a worker was too busy to answer."""

from __future__ import annotations

import shlex
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from dpvsbook.errors import DpvsbookError, HostError
from dpvsbook.facts import director as director_facts
from dpvsbook.facts.director import DirectorState
from dpvsbook.hosts import Command, Host, Result, Shell
from dpvsbook.params import Director
from dpvsbook.plan import Argv

READ_TRIES = 5
"""A read fails now and then when a worker misses its deadline: `msg callback failed(-23)` (transcript 20)."""

TRANSIENT = ("msg callback failed(-23)", "msg callback dropped(-24)", "msg dropped(-24)")
STATS: Argv = ("ipvsadm", "-ln", "--stats", "--exact")
PORTS: Argv = ("dpip", "-s", "addr", "show")


class LipsWithoutMemory(HostError):
    """dpvs's workers lack addresses that its master has: it had no memory for a LIP's ports, and said success (transcript 12)."""

    def __init__(self, host: str) -> None:
        super().__init__(
            host,
            "there was no memory for the ports of a LIP, which dpvs has and can't use: it refuses `dpip -s addr show` (corrupted response)",
            remedy="Its log names the LIPs (`ifa_entry_add: … no memory`). Take them back (dpip addr del LIP/32 dev DEV) and name fewer, "
            "or reserve more huge pages, 42 MB for each LIP, and start dpvs anew.",
        )


class DpvsNotRunning(HostError):
    """The tools found no dpvs to talk to."""

    def __init__(self, host: str, stderr: str) -> None:
        super().__init__(
            host,
            f"dpvs is not running, or its tools look for it elsewhere ({stderr.strip().splitlines()[0]})",
            remedy="Start dpvs and wait until `dpip link show` answers. Where its IPC file isn't the default one, name it as `ipc`.",
        )


@dataclass
class Site:
    """One bound director: its params, its connection, and what was last seen there."""

    director: Director
    host: Host
    state: DirectorState = field(init=False)
    outputs: Mapping[Argv, str] = field(default_factory=dict)

    def look(self) -> DirectorState:
        """One round trip: everything that the director shows."""
        return self.take(self.host.run(self.looking()))

    def looking(self) -> list[Command]:
        """The commands of one look, whose results `take` takes."""
        return [self.command(argv) for argv in director_facts.READ]

    def take(self, results: Sequence[Result]) -> DirectorState:
        """The state out of the results of `READ`. What a busy worker failed to answer is read again; what was torn, all of it."""
        outputs = dict(zip(director_facts.READ, results, strict=True))
        for attempt in range(READ_TRIES):
            again = [argv for argv, result in outputs.items() if result.exit != 0 and any(text in result.stderr for text in TRANSIENT)]
            if not again:
                for argv, result in outputs.items():
                    if result.exit != 0:
                        raise self._explain(argv, result)
                texts = {argv: result.stdout or result.stderr for argv, result in outputs.items()}
                try:
                    self.state = director_facts.parse(texts)
                except director_facts.TornRead:
                    if attempt == READ_TRIES - 1:
                        raise
                    again = list(director_facts.READ)
                else:
                    self.outputs = {**self.outputs, **texts}
                    return self.state
            time.sleep(0.05 * 2**attempt)
            outputs.update(zip(again, self.host.run([self.command(argv) for argv in again]), strict=True))
        argv, result = next((argv, result) for argv, result in outputs.items() if result.exit != 0)
        raise self._explain(argv, result)

    def read(self, *reads: Argv) -> list[str]:
        """What these commands print, in one round trip; asked again while a worker is too busy to answer."""
        for attempt in range(READ_TRIES):
            results = self.host.run([self.command(argv) for argv in reads])
            if all(result.exit == 0 for result in results):
                return [result.stdout for result in results]
            time.sleep(0.05 * 2**attempt)
        raise next(self._explain(argv, result) for argv, result in zip(reads, results, strict=True) if result.exit != 0)

    def command(self, argv: Argv, *, stdin: str | None = None, mutates: bool = False, name: str = "") -> Command:
        """A DPVS tool's command as this director needs it: from its own folder, talking to its own dpvs."""
        path = f"{self.director.bin.rstrip('/')}/{argv[0]}" if self.director.bin and argv[0] in ("dpip", "ipvsadm", "dpvs") else argv[0]
        env = (("DPVS_IPC_FILE", self.director.ipc),) if self.director.ipc else ()
        return Command((path, *argv[1:]), stdin=stdin, mutates=mutates, name=name, env=env)

    def guard(self) -> tuple[Shell, str]:
        """A script that prints one hash of what plans are made from, and the hash of what was last seen."""
        return Shell(guard_script(self.director)), director_facts.fingerprint(self.outputs)

    def _explain(self, argv: Argv, result: Result) -> DpvsbookError:
        name, text = self.director.name, " ".join(argv)
        if argv == PORTS and "corrupted response" in result.stderr:
            return LipsWithoutMemory(name)
        if "socket msg connection error" in result.stderr or "scoket msg connection error" in result.stderr:
            return DpvsNotRunning(name, result.stderr)
        if result.exit == 127:
            return HostError(
                name,
                f"`{text}`: the command is not there",
                remedy="Name the folder of DPVS's tools as `bin` of this director in the params, or put it on the PATH of its login.",
            )
        said = (result.stderr or result.stdout).strip() or "nothing"
        return HostError(name, f"`{text}` ended with {result.exit} and said: {said}")


def guard_script(director: Director) -> str:
    """Prints one hash of what the plans are made from; `facts.director.fingerprint` is the same of an observation."""
    tool = {name: shlex.quote(f"{director.bin.rstrip('/')}/{name}" if director.bin else name) for name in ("dpip", "ipvsadm")}
    env = f"DPVS_IPC_FILE={shlex.quote(director.ipc)}; export DPVS_IPC_FILE; " if director.ipc else ""
    reads = f"{tool['dpip']} addr show; {tool['dpip']} route show; {tool['dpip']} -6 route show; {tool['ipvsadm']} -S -n"
    return f"{env}{{ {reads}; }} 2>/dev/null | sort | sha256sum | cut -d ' ' -f 1"
