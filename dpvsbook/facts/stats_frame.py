"""A big `--stats --exact` as a data frame, quickly and still strictly.

One expression has to cover the text to the last byte, so every line has exactly seven words and the columns can be cut out of the
whole text at once, without an object per line. What it doesn't cover (`123M`, IPv6 marks, 19 digits, or a line that is wrong) goes to
`ipvsadm_stats.parse`, which knows it or names the line.
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
    words = text[head.end() :].split()
    kinds, names = words[0::7], np.array(words[1::7], dtype=object)
    starts = np.flatnonzero(np.array([kind != "->" for kind in kinds], dtype=bool))
    sizes = np.diff(np.append(starts, len(kinds)))
    protocols = [kinds[i].lower() for i in starts.tolist()]
    try:
        services = [canonical_match(name) if protocol == "match" else name for protocol, name in zip(protocols, names[starts], strict=True)]
    except ValueError:
        return None
    names[starts] = ""
    columns: dict[str, Any] = {
        "protocol": np.repeat(np.array(protocols, dtype=object), sizes),
        "service": np.repeat(np.array(services, dtype=object), sizes),
        "server": names,
    }
    for i, column in enumerate(COLUMNS[3:], 2):
        columns[column] = np.fromstring(" ".join(words[i::7]), dtype=np.int64, sep=" ")
    return columns


def _rows(services: Sequence[StatsService]) -> dict[str, list[object]]:
    rows: list[tuple[object, ...]] = []
    for s in services:
        protocol, _, name = str(s.key).partition(" ")
        rows.append((protocol, name, "", s.conns, s.in_pkts, s.out_pkts, s.in_bytes, s.out_bytes))
        rows += [(protocol, name, str(r.endpoint), r.conns, r.in_pkts, r.out_pkts, r.in_bytes, r.out_bytes) for r in s.servers]
    return {column: [row[i] for row in rows] for i, column in enumerate(COLUMNS)}
