"""Timing that a noisy, shared machine can't fool: the two sides in turn, and the median of the ratios pair by pair."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table. `ratio` is ours / theirs, or theirs / ours where the bound asks how many times faster we are.

    `theirs` and `ratio` are None for a plain number, `within` is None where nothing is promised, `ours` where it could not be measured.
    """

    what: str
    ours: float | None
    theirs: float | None = None
    ratio: float | None = None
    bound: str = ""
    within: bool | None = None
    unit: str = "s"
    note: str = ""


def seconds(do: Callable[[], object]) -> float:
    """How long one call takes."""
    started = time.perf_counter()
    do()
    return time.perf_counter() - started


def in_turn(
    ours: Callable[[], float], theirs: Callable[[], float], *, rounds: int = 5, before: Callable[[], object] = lambda: None
) -> list[tuple[float, float]]:
    """What each says that it took, pair by pair, after a pair that isn't counted; `before` is called ahead of every single one."""
    pairs = []
    for i in range(rounds + 1):
        before()
        a = ours()
        before()
        b = theirs()
        if i:
            pairs.append((a, b))
    return pairs


def row(
    what: str,
    pairs: Iterable[tuple[float, float]],
    *,
    at_most: float | None = None,
    at_least: float | None = None,
    more_by: float | None = None,
    note: str = "",
) -> Row:
    """The medians of the pairs against one bound: a ratio of at most, a speed-up of at least, or so many seconds more than theirs."""
    pairs = list(pairs)
    ours, theirs = (statistics.median(side) for side in zip(*pairs, strict=True))
    ratio = statistics.median(b / a if at_least else a / b for a, b in pairs)
    bound, within = "", None
    if at_most is not None:
        bound, within = f"at most {at_most:g} times", ratio <= at_most
    elif at_least is not None:
        bound, within = f"at least {at_least:g} times faster", ratio >= at_least
    elif more_by is not None:
        bound, within = f"at most {more_by:g} s more", statistics.median(a - b for a, b in pairs) <= more_by
    return Row(what, ours, theirs, ratio, bound, within, note=note)


def number(what: str, value: float, unit: str, at_most: float | None = None) -> Row:
    """A plain number with a bound of its own."""
    bound = "" if at_most is None else f"at most {at_most:g} {unit}"
    return Row(what, value, bound=bound, within=None if at_most is None else value <= at_most, unit=unit)


def left_out(what: str, why: str) -> Row:
    """What could not be measured here, and why."""
    return Row(what, None, note=f"left out: {why}")
