from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd

    from dpvsbook.facts.ipvsadm_stats import StatsService


def frame(text: str, parse: Callable[[str], tuple[StatsService, ...]]) -> pd.DataFrame:
    """The rows of `parse`, as columns."""
    import pandas as pd

    columns = ("protocol", "service", "server", "conns", "in_pkts", "out_pkts", "in_bytes", "out_bytes")
    rows: list[tuple[object, ...]] = []
    for s in parse(text):
        name = str(s.key).partition(" ")
        rows.append((name[0], name[2], "", s.conns, s.in_pkts, s.out_pkts, s.in_bytes, s.out_bytes))
        rows += [(name[0], name[2], str(r.endpoint), r.conns, r.in_pkts, r.out_pkts, r.in_bytes, r.out_bytes) for r in s.servers]
    return pd.DataFrame(rows, columns=list(columns))
