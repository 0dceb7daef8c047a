"""`python -m tests.record --dpvs FOLDER OUT`: captures of the DPVS in FOLDER into OUT/PARSER/VERSION-40-recorded-NN.txt.

Runs script.yaml in a netns lab of its own: root, and half a minute. A new DPVS release is

    sudo .venv/bin/python -m tests.record --dpvs /path/to/dpvs/bin tests/facts/captures

and a look at the .json beside each new .txt: it has what the parser makes of it today. What a parser refuses is told, and has no .json.
"""

from __future__ import annotations

import argparse
import shlex
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from dpvsbook.errors import ParseError
from dpvsbook.hosts import Command, Host, Result, Target
from dpvsbook.lab.netns import NetnsLab
from dpvsbook.params import Ssh
from tests.conformance.worlds import DIRECTOR, LIPS, PARAMS
from tests.facts.cases import PARSERS, dump

SCRIPT: list[dict[str, Any]] = YAML(typ="safe").load(Path(__file__).with_name("script.yaml").read_text())
SOURCE = "40-recorded"


@dataclass(frozen=True, slots=True)
class Capture:
    """What one command printed, and which parser reads it."""

    parser: str
    command: str
    text: str


class Refused(Exception):
    """A command of the script failed: its text, and what it said."""


def version_name(said: str) -> str:
    """`dpip-1.10-2` -> `1.10-2`. Captures of 1.9 are called 1.9.10, as `ipvsadm -ln` has it."""
    return said.strip().removeprefix("dpip-").replace("1.9-", "1.9.")


def captures(run: Callable[[str, str], Result]) -> Iterator[Capture]:
    """Run the script; `run(host, line)` runs one line. Refused where a change fails: the captures wouldn't be what they seem."""
    for step in SCRIPT:
        if "read" in step:
            result = run(DIRECTOR, step["read"])
            # where a tool prints what it was asked for on standard error (dpvs -v, dpip vlan show), that is the capture
            yield Capture(step["parser"], step["read"], result.stdout or result.stderr)
            continue
        for line in step["do"]:
            result = run(step.get("at", DIRECTOR), line)
            if result.exit != 0:
                raise Refused(f"{line}: exit {result.exit}\n{result.stderr}")


def write(found: list[Capture], out: Path) -> list[str]:
    """The captures into their files; returns what the parsers refused, a line each."""
    version = version_name(next(capture.text for capture in found if capture.command == "dpip -V"))
    refused = []
    for number, capture in enumerate(found, 1):
        path = out / capture.parser / f"{version}-{SOURCE}-{number:02d}.txt"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(capture.text)
        try:
            path.with_suffix(".json").write_text(dump(capture.command, PARSERS[capture.parser](capture.text)))
        except ParseError as error:
            path.with_suffix(".json").unlink(missing_ok=True)
            refused.append(f"{path}: {error}")
    return refused


def record(folder: Path, dpvs: Path) -> list[Capture]:
    """All captures of a DPVS, from a lab in `folder` that is up only for them. LabError, Refused."""
    path = folder / "params.yaml"
    # the same name each time: MACs, and with them the order of lists, follow it
    path.write_text(PARAMS.replace("NAME", "record").replace("LIPS", LIPS))
    with NetnsLab.up(path, folder / "lab", dpvs, kni="veth") as lab:
        hosts = {name: Host(name, Target.resolve(name, Ssh(), ssh_config=lab.ssh_config)) for name in (DIRECTOR, "client")}
        try:
            return list(captures(lambda host, line: hosts[host].run([Command(_argv(line))])[0]))
        finally:
            for host in hosts.values():
                host.close()


def _argv(line: str) -> tuple[str, ...]:
    """A line for dpip or ipvsadm as words; anything else is a shell's."""
    words = tuple(shlex.split(line))
    return words if words[0] in ("dpip", "ipvsadm", "dpvs") else ("sh", "-c", line)


def main() -> int:
    """Exit 0 when every parser understood its captures, 1 when one didn't, 2 when they could not be made."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.record", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--dpvs", type=Path, required=True, metavar="FOLDER", help="the folder with dpvs, dpip and ipvsadm")
    parser.add_argument("out", type=Path, metavar="OUT")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        try:
            found = record(Path(folder), chosen.dpvs)
        except Refused as refusal:
            print(refusal, file=sys.stderr)
            return 2
    refused = write(found, chosen.out)
    print(f"{len(found)} captures in {chosen.out}, {len(refused)} of them refused by their parsers", *refused, sep="\n")
    return 1 if refused else 0


if __name__ == "__main__":
    sys.exit(main())
