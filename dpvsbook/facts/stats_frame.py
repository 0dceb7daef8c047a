"""A big `--stats --exact` as a data frame, quickly and still strictly.

One expression has to cover the text to the last byte, so every line has a name and five numbers where they belong, and the columns
can be cut out of the whole text at once, without an object per line. What it doesn't cover (`123M`, IPv6 marks, 19 digits, or a line
that is wrong) goes to `ipvsadm_stats.parse`, which knows it or names the line.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from dpvsbook.facts.ipvs import canonical_match

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

    from dpvsbook.facts.ipvsadm_stats import StatsService

COLUMNS = ("protocol", "service", "server", "conns", "in_pkts", "out_pkts", "in_bytes", "out_bytes")
WIDTH = 33

_NUMBER = "(?:0|[1-9][0-9]*+)"
_ENDPOINT = rf"(?:[0-9.]+|\[[0-9a-f:]+\]):{_NUMBER}"
_NUMBERS = r"(?: ++[0-9]{1,18}+){5}"
_ROWS = re.compile(
    rf"(?:(?:(?:TCP|UDP|SCTP|ICMP|ICMPv6)  {_ENDPOINT}|MATCH [!-~]++|FWM  {_NUMBER}){_NUMBERS}\n(?:  -> {_ENDPOINT}{_NUMBERS}\n)*+)*+", re.A
)
_SERVER = re.compile(r"\n  -> ([!-~]+)")
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
    body = text[head.end() :]
    raw = np.frombuffer(body.encode("ascii"), dtype=np.uint8)
    ends = np.flatnonzero(raw == ord("\n"))
    begins = np.concatenate(([0], ends[:-1] + 1))
    if (ends - begins).min() <= WIDTH:
        return None
    values = np.fromstring(_without_names(raw, begins), dtype=np.int64, sep=" ")
    if len(values) != 5 * len(begins):  # some stand before column 33
        return None
    starts = np.flatnonzero(raw[begins] != ord(" "))
    sizes = np.diff(np.append(starts, len(begins)))
    services = [body[begin:end] for begin, end in zip(begins[starts].tolist(), ends[starts].tolist(), strict=True)]
    kinds = [line[: line.index(" ")] for line in services]
    titles = [line.split(None, 2)[1] for line in services]
    try:
        if "MATCH" in kinds:
            titles = [canonical_match(name) if kind == "MATCH" else name for kind, name in zip(kinds, titles, strict=True)]
    except ValueError:
        return None
    servers = np.full(len(begins), "", dtype=object)
    servers[np.delete(np.arange(len(begins)), starts)] = _SERVER.findall(body)
    columns: dict[str, Any] = {
        "protocol": np.repeat(np.array([kind.lower() for kind in kinds], dtype=object), sizes),
        "service": np.repeat(np.array(titles, dtype=object), sizes),
        "server": servers,
    }
    table = values.reshape(-1, 5)
    return columns | {column: table[:, i] for i, column in enumerate(COLUMNS[3:])}


def _without_names(raw: np.ndarray[Any, np.dtype[np.uint8]], begins: np.ndarray[Any, np.dtype[np.int64]]) -> bytes:
    """The text with spaces where the names are. A name is padded to column 33; only a longer one moves the numbers to the right."""
    blank = raw.copy()
    for column in range(WIDTH):
        blank[begins + column] = ord(" ")
    column, longer = WIDTH, begins[raw[begins + WIDTH] != ord(" ")]
    while len(longer):
        blank[longer + column] = ord(" ")
        column += 1
        longer = longer[raw[longer + column] != ord(" ")]
    return blank.tobytes()


def _rows(services: Sequence[StatsService]) -> dict[str, list[object]]:
    rows: list[tuple[object, ...]] = []
    for s in services:
        protocol, _, name = str(s.key).partition(" ")
        rows.append((protocol, name, "", s.conns, s.in_pkts, s.out_pkts, s.in_bytes, s.out_bytes))
        rows += [(protocol, name, str(r.endpoint), r.conns, r.in_pkts, r.out_pkts, r.in_bytes, r.out_bytes) for r in s.servers]
    return {column: [row[i] for row in rows] for i, column in enumerate(COLUMNS)}
