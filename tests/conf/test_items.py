"""Every item: its values are taken, its bad ones found with their line and with what dpvs does instead."""

from __future__ import annotations

import pytest

from dpvsbook.conf import items
from dpvsbook.conf.items import BOND, DEVICE, ITEM, PORT, WORKER, Item
from dpvsbook.conf.machine import Machine
from dpvsbook.conf.validate import validate
from dpvsbook.conf.values import show, take
from tests.conf.made import good

HUGE = "99999999999999"
BAD = {
    "int": ["", "abc", "-1", "1.5", "0x10", HUGE, "1 2"],
    "switch": ["", "yes", "1", "on#off", "on off"],
    "word": ["", "nonsense", "a b"],
    "words": ["", "nonsense", "|tcp", "tcp,udp"],
    "flag": ["off", "on", "0"],
    "ints": ["", "abc", "-1", "0 16777216", "0,1"],
    "path": ["", "relative.log"],
    "name": ["", "a-name-of-more-than-fifteen"],
    "hex": ["", "0123", "z" * 32],
    "options": ["", "dedicated_queues", "dedicated_queues=maybe", "other=on"],
}
"""What no item of the form takes."""


def lines_with(item: Item, text: str) -> tuple[str, int]:
    """A file with nothing but the item in its blocks, and the line that it is on."""
    blocks, path = [], item.block
    while path:
        blocks.append((path.rpartition(".")[2], items.BLOCK[path].named))
        path = items.parent(path)
    heads = [f"{word}{' it' if named else ''} {{" for word, named in reversed(blocks)]
    return "\n".join([*heads, f"{item.name} {text}", *("}" for _ in heads)]), len(heads) + 1


def beyond(item: Item) -> list[str]:
    """The values just outside of a range."""
    ends = [item.low - 1] if item.low else []
    return [str(end) for end in (*ends, *([item.high + 1] if item.high is not None else []))]


def bad_values(item: Item) -> list[str]:
    endless = item.form == "int" and item.high is None
    return [*(text for text in BAD[item.form] if not (endless and text == HUGE)), *(beyond(item) if item.form == "int" else [])]


CASES = [(item.path, text) for item in items.ITEMS for text in bad_values(item)]


@pytest.mark.parametrize(("path", "text"), CASES)
def test_bad_values_are_found(path: str, text: str):
    """Each has its line, its rule, what dpvs does silently, and the way out."""
    item = ITEM[path]
    conf, line = lines_with(item, text)
    found = [f for f in validate(conf) if f.rule == "value"]
    assert [f.line for f in found] == [line], found
    assert found[0].severity == "error"
    assert item.name in found[0].message
    assert found[0].silently
    assert item.takes in found[0].fix


@pytest.mark.parametrize("path", [item.path for item in items.ITEMS])
def test_good_values_are_taken(path: str):
    item = ITEM[path]
    values = [good(item), *([] if item.default is None else [item.default]), *(word for word in item.words)]
    if item.form == "int":
        values += [value for value in (item.low, item.high) if value is not None]
    for value in values:
        if item.form == "flag" or value == ():
            continue
        conf, _ = lines_with(item, show(item, value))
        assert not [f for f in validate(conf) if f.rule in ("value", "unknown", "form")], value
        assert take(item, tuple(show(item, value).split())).value == value


@pytest.mark.parametrize("path", [item.path for item in items.ITEMS if item.form == "int" and item.default is not None])
def test_defaults_are_in_range(path: str):
    item = ITEM[path]
    assert isinstance(item.default, int)
    assert (item.low or 0) <= item.default
    assert item.high is None or item.default <= item.high


def test_every_item_of_the_reference_is_there():
    """Those of reference A1, and `xmit_ttl`, which it lacks and dpvs has."""
    assert len(items.ITEMS) == len({item.path for item in items.ITEMS}) == 99
    assert {item.block for item in items.ITEMS} <= set(items.BLOCK)
    assert {items.parent(block.path) for block in items.BLOCKS} <= {"", *items.BLOCK}
    assert {"kni", "pktpool_size", "redirect", "flow_enable", "wscale", "stable_secret"} <= {item.name for item in items.ITEMS}


@pytest.mark.parametrize(
    ("text", "value", "silently"),
    [
        ("conn_pool_size 5", None, "2097151"),  # transcript 18
        ("conn_pool_size 65536k", 65536, "takes 65536"),
        ("redirect yes", None, "as it was"),
    ],
)
def test_what_dpvs_makes_of_it(text: str, value: object, silently: str):
    name, _, rest = text.partition(" ")
    taken = take(ITEM[f"ipvs_defs.conn.{name}"], (rest,))
    assert taken.value == value
    assert silently in taken.silently


@pytest.mark.parametrize(
    ("path", "init"),
    [
        ("global_defs.log_level", False),
        ("global_defs.kni", True),
        ("ipvs_defs.conn.redirect", True),
        ("ipvs_defs.conn.conn_init_timeout", False),
        ("ctrl_defs.lcore_msg.sync_msg_timeout_us", False),
        (f"{DEVICE}.mtu", True),
        (f"{BOND}.mode", True),
        (f"{WORKER}.cpu_id", True),
        (f"{PORT}.rx_queue_ids", True),
        ("sa_pool.flow_enable", True),
    ],
)
def test_which_need_a_restart(path: str, init: bool):
    assert ITEM[path].init is init


@pytest.mark.parametrize(("version", "warns"), [("1.9.8", True), ("1.9.10", False), ("1.10-2", False), ("1.10", False)])
def test_an_item_that_a_version_lacks(version: str, warns: bool):
    text, line = lines_with(ITEM[f"{DEVICE}.tx.mbuf_fast_free"], "off")
    found = [f for f in validate(text, Machine(version=version)) if f.rule == "version"]
    assert [f.line for f in found] == ([line] if warns else [])
