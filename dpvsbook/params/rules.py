"""The rules between the values of a params file. Each yields what is broken, with the path of where it is to be mended."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator

from dpvsbook.params.model import Params
from dpvsbook.params.tree import Problem


def closest(word: str, known: Iterable[str]) -> str:
    """ "; did you mean …?" where something known is like it, else ""."""
    near = difflib.get_close_matches(word[:80], list(known), n=1, cutoff=0.6)
    return f"; did you mean {near[0]}?" if near else ""


def broken(params: Params) -> Iterator[Problem]:
    """Everything that is wrong between the values."""
    yield from ()
