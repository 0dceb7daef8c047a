"""A big `--stats --exact` as a data frame, quickly and still strictly.

One expression has to cover the text to the last byte, so every line has a name and five numbers where they belong, and the columns
can be cut out of the whole text at once, without an object per row. What it doesn't cover (`123M`, IPv6 marks, 19 digits, or a line
that is wrong) goes to `ipvsadm_stats.parse`, which knows it or names the line.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from dpvsbook.facts.ipvs import canonical_match

if TYPE_CHECKING:
    import pandas as pd

    from dpvsbook.facts.ipvsadm_stats import StatsService

COLUMNS = ("protocol", "service", "server", "conns", "in_pkts", "out_pkts", "in_bytes", "out_bytes")
WIDTH = 33

_ENDPOINT = r"(?:[0-9.]+|\[[0-9a-f:]+\]):[0-9]+"
_NUMBERS = r"(?: ++[0-9]{1,18}+){5}"
_ROWS = re.compile(
    rf"(?:(?:(?:TCP|UDP|SCTP|ICMP|ICMPv6)  {_ENDPOINT}|MATCH [!-~]++|FWM  [0-9]+){_NUMBERS}\n(?:  -> {_ENDPOINT}{_NUMBERS}\n)*+)*+", re.A
)
_HEAD = re.compile(
    r"(?:IP Virtual Server version \d+\.\d+\.\d+ \(size=\d+\)\n)?Prot LocalAddress:Port {15}Conns   InPkts  OutPkts  InBytes OutBytes\n"
    r"  -> RemoteAddress:Port\n",
    re.ASCII,
)


def frame(text: str, parse: Callable[[str], tuple[StatsService, ...]]) -> pd.DataFrame:
    """The rows of `parse`, as columns (`ipvsadm_stats.frame` describes them)."""
    import pandas as pd

    columns = _cut(text)
    made = pd.DataFrame(_rows(parse(text)) if columns is None else columns)
    return made if len(made) else made.astype({column: "str" if column in COLUMNS[:3] else "int64" for column in COLUMNS})


def _cut(text: str) -> dict[str, Any] | None:
    """The columns cut out of the whole text, or None where it has something out of the ordinary."""
    import numpy as np

    head = _HEAD.match(text)
    if head is None:
        return None
    if not text.endswith("\n"):
        text += "\n"
    if head.end() == len(text) or _ROWS.fullmatch(text, head.end()) is None:
        return None
    lines = text[head.end() : -1].split("\n")
    names, numbers = _halves(lines)
    starts = np.flatnonzero(np.array([line[0] != " " for line in lines], dtype=bool))
    sizes = np.diff(np.append(starts, len(lines)))
    # A service's name is the second word; the width of the first varies.
    services = [lines[i].split(None, 2)[:2] for i in starts.tolist()]
    try:
        titles = [canonical_match(name) if kind == "MATCH" else name for kind, name in services]
    except ValueError:
        return None
    servers = np.array(names, dtype=object)
    servers[starts] = ""
    columns: dict[str, Any] = {
        "protocol": np.repeat(np.array([kind.lower() for kind, _ in services], dtype=object), sizes),
        "service": np.repeat(np.array(titles, dtype=object), sizes),
        "server": servers,
    }
    values = np.fromstring(numbers, dtype=np.int64, sep=" ").reshape(len(lines), 5)
    return columns | {column: values[:, i] for i, column in enumerate(COLUMNS[3:])}


def _halves(lines: Sequence[str]) -> tuple[list[str], str]:
    """The real servers' names, and all the numbers. A name is padded to column 33; only a longer one moves the numbers to the right."""
    numbers = "\n".join([line[WIDTH:] for line in lines])
    if numbers.count("\n ") == len(lines) - 1 and numbers[0] == " ":
        return [line[5:WIDTH].rstrip() for line in lines], numbers
    ends = [line.index(" ", WIDTH) for line in lines]
    return [line[5:end].rstrip() for line, end in zip(lines, ends, strict=True)], "\n".join(
        [line[end:] for line, end in zip(lines, ends, strict=True)]
    )


def _rows(services: Sequence[StatsService]) -> dict[str, list[object]]:
    rows: list[tuple[object, ...]] = []
    for s in services:
        protocol, _, name = str(s.key).partition(" ")
        rows.append((protocol, name, "", s.conns, s.in_pkts, s.out_pkts, s.in_bytes, s.out_bytes))
        rows += [(protocol, name, str(r.endpoint), r.conns, r.in_pkts, r.out_pkts, r.in_bytes, r.out_bytes) for r in s.servers]
    return {column: [row[i] for row in rows] for i, column in enumerate(COLUMNS)}
