"""What is written reads back as it was; what a change needs."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dpvsbook.conf import items
from dpvsbook.conf.diff import diff, needs
from dpvsbook.conf.items import BOND, DEVICE, WORKER, Item, Value
from dpvsbook.conf.model import Bond, Conf, Device, Queues, Worker, read
from dpvsbook.conf.parse import parse
from dpvsbook.conf.validate import validate
from dpvsbook.conf.write import Unwritable, write
from tests.conf.made import everything, good, small


def values_of(item: Item) -> st.SearchStrategy[Value]:
    """Every value that an item takes."""
    return {
        "int": st.integers(item.low or 0, item.high if item.high is not None else 2**31 - 1),
        "switch": st.booleans(),
        "flag": st.just(True),
        "word": st.sampled_from(item.words or ("x",)),
        "words": st.lists(st.sampled_from(items.RSS), min_size=1, max_size=3, unique=True).map("|".join),
        "path": st.from_regex(r"/[a-z0-9/._-]{1,20}", fullmatch=True),
        "name": st.from_regex(r"[a-z][a-z0-9.]{0,14}", fullmatch=True),
        "hex": st.from_regex(r"[0-9a-f]{32}", fullmatch=True),
        "options": st.sampled_from(["dedicated_queues=on", "dedicated_queues=off"]),
        "ints": st.lists(st.integers(0, 15), min_size=1, max_size=16).map(tuple),
    }[item.form]


def some_of(block: str, *, leave: tuple[str, ...] = ()) -> st.SearchStrategy[dict[str, Value]]:
    chosen = {i.path.removeprefix(f"{block}."): values_of(i) for i in items.ITEMS if i.path.startswith(f"{block}.")}
    return st.fixed_dictionaries({}, optional={name: value for name, value in chosen.items() if name not in leave})


PLAIN = {i.path: values_of(i) for i in items.ITEMS if not i.path.startswith((f"{DEVICE}.", f"{BOND}.", f"{WORKER}."))}
NAMES = st.from_regex(r"dpdk[0-9]{1,2}", fullmatch=True)
IDS = st.lists(st.integers(0, 15), max_size=4).map(tuple)
QUEUES = st.builds(Queues, NAMES, IDS, IDS, IDS, st.none() | st.integers(1024, 2**31))
WORKERS = st.builds(
    Worker,
    st.from_regex(r"cpu[0-9]{1,2}", fullmatch=True),
    st.none() | st.sampled_from(["master", "slave", "kni"]),
    st.none() | st.integers(0, 63),
    st.lists(QUEUES, max_size=3).map(tuple),
    st.booleans(),
)
CONFS = st.builds(
    Conf,
    st.fixed_dictionaries({}, optional=PLAIN),
    st.lists(st.builds(Device, NAMES, some_of(DEVICE)), max_size=3).map(tuple),
    st.lists(st.builds(Bond, NAMES, st.lists(NAMES, max_size=2).map(tuple), some_of(BOND, leave=("slave",))), max_size=2).map(tuple),
    st.lists(WORKERS, max_size=4).map(tuple),
)


@given(CONFS)
@settings(max_examples=150, deadline=None)
def test_what_is_written_reads_back(conf: Conf):
    """And is the same text again; and has no finding of form, value or unknown keys."""
    text = write(conf)
    assert read(parse(text)) == conf
    assert write(read(parse(text))) == text
    assert not [f for f in validate(text) if f.rule in ("form", "value", "unknown")]


def test_every_item_at_once():
    conf = everything()
    text = write(conf)
    assert read(parse(text)) == conf
    written = {item.name for item in items.ITEMS if item.name in text}
    assert written == {item.name for item in items.ITEMS}


PIECES = ("a", " ", "{", "}", "\n", "!", "<", ">", '"', "netif_defs", "worker_defs", "worker", "device", "port", "type", "rx")


@given(st.lists(st.sampled_from(PIECES), max_size=60).map("".join))
@settings(max_examples=200, deadline=None)
def test_no_text_breaks_the_check(text: str):
    validate(text)


@pytest.mark.parametrize(
    "conf",
    [
        Conf({"netif_defs.pktpool_size": 5}),
        Conf({"netif_defs.pktpool": 65535}),
        Conf({"global_defs.log_file": "/a b"}),
        Conf({"global_defs.log_file": "/a\n}"}),
        Conf({"ipvs_defs.conn.fast_xmit_close": False}),
        Conf({"global_defs.kni": "on"}),
        Conf({}, (Device("dpdk0", {"rx.queues": 1}),)),
    ],
)
def test_what_dpvs_would_take_otherwise_is_not_written(conf: Conf):
    with pytest.raises(Unwritable):
        write(conf)


def test_comments_at_the_top():
    text = write(small(), head=("director lb1", "from params/x.yaml"))
    assert text.splitlines()[1:3] == ["! director lb1", "! from params/x.yaml"]


# -- what a change needs


def test_no_change():
    assert diff(small(), small()) == ()
    assert needs(()) is None
    assert diff(small(), small(ipvs_defs__conn__redirect=False)) == ()  # the default, said


@pytest.mark.parametrize("path", [item.path for item in items.ITEMS if item.path in PLAIN])
def test_each_item_needs_what_it_needs(path: str):
    item = items.ITEM[path]
    changed = diff(Conf(), Conf({path: good(item)}))
    if good(item) == item.default:
        assert changed == ()
        return
    assert [(d.what, d.needs) for d in changed] == [(path, "restart" if item.init else "reload")]


def test_leaving_out_what_a_reload_keeps():
    """dpvs doesn't set `forwarding` back when a file no longer names it."""
    found = diff(Conf({"ipv4_defs.forwarding": True}), Conf())
    assert [(d.needs, "write its value" in d.note) for d in found] == [("restart", True)]
    assert needs(diff(Conf({"ipv4_defs.forwarding": True}), Conf({"ipv4_defs.forwarding": False}))) == "reload"


def test_ports_and_workers_need_a_restart():
    found = diff(small(2, 1), small(1, 2))
    assert {d.needs for d in found if d.what.startswith(("device", "worker"))} == {"restart"}
    assert "device dpdk1" in {d.what for d in found}
    assert "worker cpu2" in {d.what for d in found}
    assert str(next(d for d in found if d.what == "worker cpu2")).startswith("worker cpu2: nothing -> slave on lcore 2, dpdk0 rx 1 tx 1")


def test_order_of_devices():
    one = small()
    other = Conf(one.values, one.devices[::-1], (), one.workers)
    assert [d.what for d in diff(one, other)] == ["order of the devices"]
