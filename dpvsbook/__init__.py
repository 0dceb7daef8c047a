"""Runbooks for DPVS load-balancer clusters that an operator can read, run, replay and trust.

import dpvsbook
from dpvsbook import steps

book = dpvsbook.open("params/fnat-two-arm.yaml")   # preview: nothing is changed
steps.address(book)
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from dpvsbook.book import Book

__version__ = "0.1.0"
__all__ = ["__version__", "open"]


def open(params: str | Path, mode: str = "preview", *, ssh_config: str | Path | None = None) -> Book:  # noqa: A001 - reads well: dpvsbook.open
    """Bind the hosts of a params file and look at them; see `dpvsbook.book.open_book`."""
    from dpvsbook.book import open_book  # what `import dpvsbook` doesn't need it doesn't import

    return open_book(params, mode, ssh_config=ssh_config)
