"""The everyday commands of the emulated hosts. An option that isn't implemented is refused, never ignored."""

from __future__ import annotations

from collections.abc import Callable

from dpvsbook.lab.shell.system import Call
from dpvsbook.lab.utilities import filing, hosting, text

Tool = Callable[[Call], int]

UTILITIES: dict[str, Tool] = {**text.TOOLS, **filing.TOOLS, **hosting.TOOLS}
