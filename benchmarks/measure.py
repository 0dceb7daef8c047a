"""Timing that a noisy, shared machine can't fool: the two sides in turn, and the median of the ratios pair by pair."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Ratio:
    """`ours` against `theirs`: medians in seconds, and the median of the pairs' ratios (theirs / ours where `faster`)."""

    what: str
    ours: float
    theirs: float
    ratio: float
    bound: str

    def __str__(self) -> str:
        return f"{self.what:<66} {self.ours:9.3f} s {self.theirs:9.3f} s   {self.ratio:7.2f}   {self.bound}"


def seconds(do: Callable[[], object]) -> float:
    """How long one call takes."""
    started = time.perf_counter()
    do()
    return time.perf_counter() - started


def against(
    what: str,
    ours: Callable[[], object],
    theirs: Callable[[], object],
    *,
    rounds: int = 5,
    bound: str = "",
    faster: bool = False,
    before: Callable[[], object] = lambda: None,
) -> Ratio:
    """Both in turn, `rounds` times after a warm-up each; `before` is called, untimed, ahead of every one."""
    pairs = []
    for i in range(rounds + 1):
        before()
        a = seconds(ours)
        before()
        b = seconds(theirs)
        if i:
            pairs.append((a, b))
    ratios = [b / a if faster else a / b for a, b in pairs]
    return Ratio(what, statistics.median(a for a, _ in pairs), statistics.median(b for _, b in pairs), statistics.median(ratios), bound)
