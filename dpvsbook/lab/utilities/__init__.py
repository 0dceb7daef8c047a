"""The everyday commands of the emulated hosts. An option that isn't implemented is refused, never ignored."""

from __future__ import annotations

from collections.abc import Callable

from dpvsbook.lab.shell.system import Call
from dpvsbook.lab.utilities import filing, hosting, listing, sed, sums, text

Tool = Callable[[Call], int]

UTILITIES: dict[str, Tool] = {}
for _module in (text, sed, filing, sums, hosting, listing):
    UTILITIES.update(_module.TOOLS)
