"""Compares sequence after sequence, each on a dpvs that has just been started.

A start takes half a second, no longer than taking everything away by commands: and it leaves nothing.
"""

from __future__ import annotations

from collections.abc import Sequence

from tests.conformance.compare import Difference, difference
from tests.conformance.worlds import Command, Emulated, Real


class Judge:
    """`commands` and `sequences` count what was compared; `unsteady` are differences that were gone when looked at again."""

    def __init__(self, real: Real, emulated: Emulated | None = None) -> None:
        self.real = real
        self.emulated = emulated or Emulated()
        self.commands = self.sequences = 0
        self.unsteady: list[Difference] = []

    def difference(self, sequence: Sequence[Command]) -> Difference | None:
        """The first difference, if it is there a second time too."""
        self.sequences += 1
        self.commands += len(sequence)
        found = self._once(sequence)
        if found is not None and (again := self._once(sequence)) is None:
            self.unsteady.append(found)
            return None
        return found and again

    def _once(self, sequence: Sequence[Command]) -> Difference | None:
        self.real.fresh()
        self.emulated.fresh()
        return difference(self.real, self.emulated, sequence)
