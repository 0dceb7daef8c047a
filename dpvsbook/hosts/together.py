"""Many hosts at once; one host's failure never hides another's result."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Generic, TypeVar, cast

from dpvsbook.errors import DpvsbookError

T = TypeVar("T")
AT_ONCE = 64


@dataclass(frozen=True, slots=True)
class Outcome(Generic[T]):
    """A value, or the error that came instead."""

    value: T | None = None
    error: DpvsbookError | None = None

    def get(self) -> T:
        """The value; raises the error."""
        if self.error is not None:
            raise self.error
        return cast("T", self.value)


def together(hosts: Iterable[str], do: Callable[[str], T]) -> dict[str, Outcome[T]]:
    """`do` for each name, in threads. Our own errors become outcomes; anything else is a bug, and is raised."""
    names = list(hosts)

    def one(name: str) -> Outcome[T]:
        try:
            return Outcome(do(name))
        except DpvsbookError as error:
            return Outcome(error=error)

    if len(names) == 1:
        return {names[0]: one(names[0])}
    with ThreadPoolExecutor(max_workers=min(AT_ONCE, max(1, len(names)))) as pool:
        return dict(zip(names, pool.map(one, names), strict=True))
