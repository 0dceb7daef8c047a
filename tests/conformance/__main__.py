"""`python -m tests.conformance --commands 10000 --seed 1`: random sequences until so many commands are compared.

Unlike the test it does not stop at a difference: each is made as short as it goes, and told once.
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, Phase, given, seed, settings

from dpvsbook.lab.netns import NetnsLab
from tests.conformance import known
from tests.conformance.commands import SEQUENCE
from tests.conformance.compare import Difference
from tests.conformance.judge import Judge
from tests.conformance.worlds import Command, Died, Emulated, Real, version_of


def shortened(judge: Judge, found: Difference, tries: int = 60) -> Difference:
    """The same kind of difference with as few commands as leaving out gives."""
    commands = list(found.sequence)
    if found.at >= 0:
        commands = commands[: found.at + 1]
    size = max(1, len(commands) // 2)
    while size and tries > 0:
        at = 0
        while at < len(commands) and tries > 0:
            fewer = commands[:at] + commands[at + size :]
            tries -= 1
            again = _difference(judge, fewer)
            if again is not None and kind(again) == kind(found):
                commands, found = fewer, again
                if found.at >= 0:
                    commands = commands[: found.at + 1]
            else:
                at += size
        size //= 2
    return found


def _difference(judge: Judge, commands: list[Command]) -> Difference | None:
    try:
        return judge.difference(commands) if commands else None
    except Died:
        return None


def kind(found: Difference) -> tuple[Any, ...]:
    """What makes two differences look alike: the command's first words, and how each world ended."""
    words = tuple(word for word in found.command.argv if not any(c.isdigit() for c in word))[:3]
    return (*words, found.at < 0, found.real.exit, found.emulated.exit, found.real.stderr[:40], found.emulated.stderr[:40])


def main() -> int:
    """Exit 0 when nothing unexplained was found, and dpvs lived."""
    parser = argparse.ArgumentParser(prog="python -m tests.conformance", description=__doc__)
    parser.add_argument("--commands", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--most", type=int, default=20, help="stop after so many kinds of differences")
    parser.add_argument("--dpvs", type=Path, metavar="FOLDER", help="the folder with dpvs, dpip and ipvsadm (default: env DPVSBOOK_DPVS)")
    parser.add_argument("--lab", type=Path, help="the folder of a lab that is up, and stays up")
    chosen = parser.parse_args()
    kinds: set[tuple[Any, ...]] = set()
    done: set[tuple[Command, ...]] = set()
    explained: Counter[str] = Counter()
    unexplained = compared = sequences = deaths = 0
    begun = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        real = Real(NetnsLab.find(chosen.lab)) if chosen.lab else Real.up(Path(folder), chosen.dpvs)
        judge = Judge(real, Emulated(version_of(real)))
        try:

            def one(sequence: tuple[Command, ...]) -> None:
                nonlocal unexplained, compared, sequences, deaths
                if compared >= chosen.commands or len(kinds) >= chosen.most:
                    return
                if sequence in done:
                    return
                done.add(sequence)
                compared += len(sequence)
                sequences += 1
                if sequences % 20 == 0:
                    print(f"  {compared} commands, {time.monotonic() - begun:.0f} s", file=sys.stderr, flush=True)
                try:
                    found = judge.difference(sequence)
                except Died as death:
                    deaths += 1
                    print(f"DIED: {death}", flush=True)
                    return
                if found is None:
                    return
                if explanation := known.explanation(found):
                    explained[explanation.name] += 1
                    return
                unexplained += 1
                if kind(found) not in kinds:
                    kinds.add(kind(found))
                    print(shortened(judge, found), "\n", flush=True)

            rounds = random.Random(chosen.seed)
            while compared < chosen.commands and len(kinds) < chosen.most:
                drawn = settings(
                    max_examples=200, deadline=None, database=None, phases=[Phase.generate], suppress_health_check=list(HealthCheck)
                )
                seed(rounds.randrange(2**32))(drawn(given(SEQUENCE)(one)))()
        finally:
            if not chosen.lab:
                real.close()
    for gone in judge.unsteady:
        print(f"UNSTEADY (gone when looked at again):\n{gone}\n")
    for name, times in explained.most_common():
        print(f"explained {times} times: {name}")
    seconds = time.monotonic() - begun
    print(
        f"{compared} commands in {sequences} sequences: {unexplained} unexplained differences ({len(kinds)} kinds),"
        f" {explained.total()} explained, {len(judge.unsteady)} unsteady, {deaths} deaths of dpvs;"
        f" {seconds:.0f} s, {compared / seconds:.0f} commands/s"
    )
    return 1 if unexplained or deaths else 0


if __name__ == "__main__":
    sys.exit(main())
