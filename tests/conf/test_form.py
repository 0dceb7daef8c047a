"""The form of the file: what is read otherwise than it looks is found, on its line."""

from __future__ import annotations

from pathlib import Path

import pytest

from dpvsbook.conf.__main__ import main
from dpvsbook.conf.parse import ConfSyntax, parse
from dpvsbook.conf.validate import BadConf, require, validate
from dpvsbook.conf.write import write
from tests.conf.made import small

BASE = write(small())


def at(needle: str, text: str = BASE) -> int:
    return next(i for i, line in enumerate(text.splitlines(), start=1) if needle in line)


def test_comments_attributes_and_quotes():
    text = """\
! a comment { with a brace
# and another }
sa_pool {                       # behind a block
    <init> pool_hash_size  32   <16, 1-128>   ! behind a value
    <init>  flow_enable <on, on|off> off
}
ipv6_defs {
    route6 {
        <init> method "lpm"
    }
}
"""
    assert {f.rule for f in validate(text)} == {"ports", "queues", "lcores"}  # no device and no worker, and nothing else
    tree = parse(text)
    assert [(n.key, n.args, n.line, n.init) for n in tree[0].nodes or ()] == [
        ("pool_hash_size", ("32",), 4, True),
        ("flow_enable", ("off",), 5, True),
    ]
    assert (tree[0].line, tree[0].end) == (3, 6)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("        rx {", "        rx { queue_number 1 }", "same line"),
        ("sa_pool {", "sa_pool{", "space before"),
        ("sa_pool {", "} sa_pool {", "same line"),
        ("sa_pool {", "! " + "x" * 1100 + " {", "bytes"),
        ("sa_pool {", "<init sa_pool {", "without its >"),
        ("sa_pool {", '"sa_pool {', "without its partner"),
        ("type                    master", "type master }", "takes one value"),
    ],
)
def test_what_is_read_otherwise(old: str, new: str, said: str):
    line = at(old)
    assert line in [f.line for f in validate(BASE.replace(old, new, 1)) if said in f.message]


def test_brace_on_a_line_of_its_own_is_fine():
    assert validate(BASE.replace("sa_pool {", "sa_pool\n{")) == validate(BASE) == ()


def test_carriage_returns_are_line_ends():
    assert validate(BASE.replace("\n", "\r\n")) == ()


def test_a_lost_closing_brace_names_the_block_that_lost_it():
    """Transcript 18: dpvs says that there are 0 ports in dpvs.conf, and nothing of a brace."""
    text = BASE.replace("\n}\n", "\n", 1)
    found = [f for f in validate(text) if f.rule == "form"]
    assert len(found) == 1
    assert "within netif_defs" in found[0].message
    with pytest.raises(ConfSyntax, match=r"dpvs\.conf:\d+: .*not closed"):
        parse(text)


def test_a_brace_too_many():
    found = [f for f in validate(BASE + "}\n") if f.rule == "form"]
    assert [(f.line, "closes nothing" in f.message) for f in found] == [(BASE.count("\n") + 1, True)]


def test_the_last_block_not_closed():
    found = [f for f in validate(BASE.rstrip()[:-1]) if f.rule == "form"]
    assert [(f.line, f.message) for f in found] == [(at("sa_pool {"), "sa_pool is not closed")]


@pytest.mark.parametrize(
    ("block", "key", "fix"),
    [
        ("netif_defs", "pktpool_sise 65535", "pktpool_size"),
        ("netif_defs", "mode signature", "fdir_mode"),  # the tutorial's
        ("ipvs_defs", "conn_pool_size 65536", "belongs in ipvs_defs.conn"),
        ("sa_pool", "zebra 1", "Known here: pool_hash_size, flow_enable"),
        ("global_defs", "daemon", "No version of today"),
        ("ctrl_defs", "ipc_msg", "No version of today"),  # until 1.9.4
    ],
)
def test_unknown_keys(block: str, key: str, fix: str):
    found = [f for f in validate(f"{block} {{\n    {key}\n}}\n") if f.rule == "unknown"]
    assert [f.line for f in found] == [2]
    assert fix in found[0].fix
    assert "skips the line" in found[0].silently


def test_an_unknown_block_ends_the_one_around_it():
    found = [f for f in validate("ipvs_defs {\n  cnn {\n    redirect on\n  }\n}\n") if f.rule == "unknown"]
    assert [f.line for f in found] == [2]
    assert "closing brace for the end of ipvs_defs" in found[0].silently
    assert found[0].fix == "Did you mean conn?"


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        ("sa_pool {\npool_hash_size 16\npool_hash_size 32\n}", 3, "there twice"),
        ("netif_defs {\n}\nnetif_defs {\n}", 3, "there twice"),
        ("netif_defs {\ndevice dpdk0 {\n}\ndevice dpdk0 {\n}\n}", 4, "there twice"),
        ("include /etc/other.conf", 1, "was not checked"),
        ("worker_defs {\nworker cpu2 {\ncpu_id 2\ntype kni\n}\n}", 3, "before type kni"),
        ("netif_defs {\nbonding bond0 {\noptions dedicated_queues=off\nmode 4\n}\n}", 3, "before mode"),
        ("netif_defs {\ndevice {\n}\n}", 2, "no name"),
        ("sa_pool it {\n}", 1, "takes no name"),
        ("sa_pool", 1, "no braces"),
        ("sa_pool {\nflow_enable {\n}\n}", 2, "is no block"),
        ("{", 1, "without a block's name"),
    ],
)
def test_order_and_repetition(text: str, line: int, said: str):
    assert [f.line for f in validate(text) if said in f.message] == [line]


@pytest.mark.parametrize("text", ["", "\n\n", "\x00\x01", "}}}}", "{{{{", '"', "<", "a" * 5000, "worker_defs {\nworker {\nport {\n"])
def test_rubbish_is_findings_and_no_crash(text: str):
    assert validate(text)


def test_require_raises_with_every_error():
    with pytest.raises(BadConf, match="promisc_mod is not known") as caught:
        require(BASE.replace("        queue_number", "        promisc_mod\n        queue_number", 1))
    assert caught.value.exit_code == 4
    assert require(BASE) == small()


def test_as_a_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    old, new = tmp_path / "old.conf", tmp_path / "new.conf"
    old.write_text(BASE)
    new.write_text(write(small(ipvs_defs__conn__conn_init_timeout=5)))
    assert main([str(old), "--", "-l", "0-1"]) == 0
    assert capsys.readouterr().out == ""
    assert main([str(old), str(new)]) == 0
    assert capsys.readouterr().out == "ipvs_defs.conn.conn_init_timeout: 3 -> 5 (reload)\nneeds: reload\n"
    assert main([str(old), "--", "-l", "0"]) == 4
    assert f"{old}:" in capsys.readouterr().out
    assert main([str(tmp_path / "none")]) == 4
    assert main([]) == 4
