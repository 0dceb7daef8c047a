"""Mistakes in a params file, one a case: what is changed in the example, and what must be said, with its line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from dpvsbook import params
from dpvsbook.errors import ParamsError

FOLDER = Path(__file__).parents[2] / "params"
EXAMPLE = (FOLDER / "fnat-two-arm.yaml").read_text()

CASES = {
    "unknown key": ("weight: 1}", "weigth: 1}", r":43: services\[0\].real_servers\[0\].weigth: .*did you mean weight"),
    "unknown scheduler": ("scheduler: rr", "scheduler: rrr", r":41: services\[0\].scheduler: .*did you mean rr"),
    "bad address": ("vip: 10.0.0.100", "vip: 10.0.0.300", r":37: services\[0\].vip"),
    "VIP is the network's address": ("vip: 10.0.0.100", "vip: 10.0.0.0", r":37: services\[0\].vip: .*network address"),
    "VIP with a mask": ("vip: 10.0.0.100", "vip: 10.0.0.100/32", r":37: services\[0\].vip"),
    "VIP is a multicast address": ("vip: 10.0.0.100", "vip: 224.0.0.5", r":37: services\[0\].vip"),
    "LIP is a VIP": ("vip: 10.0.0.100", "vip: 192.168.100.200", "192.168.100.200"),
    "LIP outside its device's subnets": (
        "{address: 192.168.100.200",
        "{address: 192.168.101.9",
        r":19: directors\[0\].lips\[0\].address: .*192.168.100.0/24",
    ),
    "LIP is a host's address": (
        "{address: 192.168.100.200",
        "{address: 192.168.100.2",
        r":19: directors\[0\].lips\[0\].address: .*one node's alone",
    ),
    "no LIP for FULLNAT": (
        "    lips:               # local addresses, this director's alone\n      - {address: 192.168.100.200, device: dpdk0}\n",
        "",
        "LIP",
    ),
    "RS without a port": ("{host: rs1, port: 80, weight: 1}", "{host: rs1, weight: 1}", r":43: services\[0\].real_servers\[0\]"),
    "RS with port 0": ("{host: rs1, port: 80, weight: 1}", "{host: rs1, port: 0, weight: 1}", r":43: services\[0\].real_servers\[0\].port"),
    "RS twice": ("host: rs2, port", "host: rs1, port", "must be there once"),
    "unknown host": ("host: rs2, port", "host: rs9, port", r":44: services\[0\].real_servers\[1\].host: .*did you mean rs2"),
    "unknown network": ("network: wan        #", "network: wen        #", r":38: services\[0\].network: .*did you mean wan"),
    "unknown device": ("200, device: dpdk0}", "200, device: dpdk9}", r"directors\[0\].lips\[0\].device"),
    "weight too large": ("port: 80, weight: 1}", "port: 80, weight: 70000}", "weight"),
    "hash_target without conhash": ("scheduler: rr", "scheduler: rr\n    hash_target: sip", "conhash"),
    "nobody to send the check": ("role: client", "role: router", "role client"),
    "a literal secret": ("ssh: {user: root}\n    devices", "ssh: {user: root, password: hunter2-canary}\n    devices", "env:NAME"),
    "a key twice": ("method: fnat ", "method: fnat\nmethod: dr ", "method"),
    "not YAML": ("networks:", "networks: [", ":"),
    "a tab": ("  - name: lb1", "\t- name: lb1", ":"),
    "nothing": (EXAMPLE, "", "must"),
    "a list": (EXAMPLE, "- 1\n", "must"),
}


@pytest.mark.parametrize("case", CASES)
def test_a_mistake_is_named_with_its_place(case: str, tmp_path: Path) -> None:
    old, new, said = CASES[case]
    assert old in EXAMPLE
    file = tmp_path / "cluster.yaml"
    file.write_text(EXAMPLE.replace(old, new))
    with pytest.raises(ParamsError, match=rf"cluster\.yaml.*{said}") as caught:
        params.load(file)
    assert "hunter2" not in str(caught.value)
    assert caught.value.exit_code == 4


def test_all_at_once(tmp_path: Path) -> None:
    file = tmp_path / "cluster.yaml"
    file.write_text(EXAMPLE.replace("weight: 1}", "weigth: 1}").replace("scheduler: rr", "scheduler: rrr"))
    with pytest.raises(ParamsError) as caught:
        params.load(file)
    assert str(caught.value).count("cluster.yaml:") == 3


@pytest.mark.parametrize("file", sorted(FOLDER.glob("*.yaml")), ids=lambda file: file.name)
def test_the_examples_are_fine(file: Path) -> None:
    assert params.load(file).name == file.stem


def test_the_published_schema_is_the_models() -> None:
    assert json.loads((FOLDER / "params.schema.json").read_text()) == params.schema(), "dpvsbook check --schema > params/params.schema.json"
