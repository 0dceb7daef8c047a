"""What a dpvs writes into its log as it starts, made from its dpvs.conf: when it was read, what it skipped, the values that it took."""

from __future__ import annotations

import time
from collections.abc import Iterator

from dpvsbook.conf.items import BLOCK, ITEM
from dpvsbook.conf.logged import LOAD, log_of
from dpvsbook.conf.model import read
from dpvsbook.conf.parse import Node, parse_lenient


def start_log(text: str) -> list[str]:
    """The lines for the text of a dpvs.conf."""
    tree = parse_lenient(text)
    skipped = [f"CFG_FILE: not supported keyword -- {key}" for key in _unknown("", tree.nodes)]
    return [f"{LOAD} {time.strftime('%Y/%m/%d %H:%M:%S %A')}", *skipped, *log_of(read(tree.nodes))]


def _unknown(path: str, nodes: tuple[Node, ...]) -> Iterator[str]:
    for node in nodes:
        here = f"{path}.{node.key}" if path else node.key
        if here not in BLOCK and here not in ITEM and node.key != "include":
            yield node.key
        elif node.nodes is not None:
            yield from _unknown(here, node.nodes)
