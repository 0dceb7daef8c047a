"""Compares sequence after sequence, each on a dpvs that has just been started.

A start takes half a second, no longer than taking everything away by commands: and it leaves nothing.
"""

from __future__ import annotations

from collections.abc import Sequence

from tests.conformance.compare import Difference, difference
from tests.conformance.worlds import Command, Emulated, World

RACE = "msg callback failed(-23)"
"""What a tool says when dpvs's worker did not answer in time: any command can meet it, most often a list right after `-C`."""

AGAIN = 6
"""How often a sequence is repeated whose difference is a RACE."""


class Judge:
    """`commands` and `sequences` count what was compared; `unsteady` are differences that were gone when looked at again."""

    def __init__(self, real: World, emulated: World | None = None) -> None:
        self.real = real
        self.emulated = emulated or Emulated()
        self.commands = self.sequences = 0
        self.unsteady: list[Difference] = []

    def difference(self, sequence: Sequence[Command]) -> Difference | None:
        """The first difference, if it is there a second time too."""
        self.sequences += 1
        self.commands += len(sequence)
        first = found = self._once(sequence)
        if first is None:
            return None
        for _ in range(AGAIN):
            found = self._once(sequence)
            if found is None or RACE not in found.real.stderr:
                break
        if found is None:
            self.unsteady.append(first)
        return found

    def _once(self, sequence: Sequence[Command]) -> Difference | None:
        self.real.fresh()
        self.emulated.fresh()
        return difference(self.real, self.emulated, sequence)
