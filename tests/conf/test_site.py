"""An existing dpvs.conf read back into params: what is made of them is the same file again, or what isn't is said."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from ruamel.yaml import YAML

from dpvsbook import params
from dpvsbook.conf.__main__ import main
from dpvsbook.conf.desired import desired
from dpvsbook.conf.diff import diff
from dpvsbook.conf.items import ITEM
from dpvsbook.conf.machine import Machine
from dpvsbook.conf.memory import need_mb
from dpvsbook.conf.model import Conf, read
from dpvsbook.conf.parse import parse
from dpvsbook.conf.site import as_params, section, unsaid
from dpvsbook.conf.validate import validate
from dpvsbook.conf.write import write
from dpvsbook.params import Director
from tests.conf.made import bonded, small
from tests.conf.test_round_trip import CONFS

EAL = ["-l", "0-8", "-a", "06:00.1", "-a", "0000:06:00.0"]


def director(made: dict[str, Any]) -> Director:
    """The section as a whole params file has it, through all of its rules; each device in a network of its own."""
    nets = {f"net{i}": {"subnets": [f"10.{i}.0.0/16"]} for i, _ in enumerate(made["devices"])}
    devices = [{**device, "network": net} for device, net in zip(made["devices"], nets, strict=True)]
    whole = {"version": 1, "name": "site", "networks": nets, "directors": [{**made, "name": "lb1", "devices": devices}]}
    return params.parse(json.dumps(whole), "site.yaml").directors[0]


GOOD = {
    "one port": small(1),
    "four workers": small(2, 4),
    "its own pools": small(2, netif_defs__pktpool_size=1048575, ipvs_defs__conn__conn_pool_size=4194304),
    "its own timeouts": small(2, ipvs_defs__tcp__timeout__established=600, neigh_defs__timeout=30),
    "a flag": small(2, ipvs_defs__conn__expire_quiescent_template=True),
    "a log": small(2, global_defs__log_file="/var/log/other.log", global_defs__log_level="INFO"),
    "redirect": small(2, 2, ipvs_defs__conn__redirect=True, sa_pool__flow_enable=False),
    "KNI off": small(2, global_defs__kni=False),
    "devices alike": replace(
        small(2), devices=tuple(replace(d, values={**d.values, "rx.descriptor_number": 1024, "mtu": 9000}) for d in small(2).devices)
    ),
}


@pytest.mark.parametrize("name", GOOD)
def test_a_site_starts_from_what_it_has(name: str):
    """With the file there is nothing to do; without it, the params alone make the same, but for what is named."""
    conf = GOOD[name]
    made = section(conf, EAL[: 4 if len(conf.devices) == 1 else 6])
    its = director(made)
    assert [d.pci for d in its.devices] == ["0000:06:00.0", "0000:06:00.1"][-len(conf.devices) :]
    assert diff(conf, desired(its, conf)) == ()
    assert diff(conf, desired(its)) == unsaid(conf, made)
    assert [d.what for d in unsaid(conf, made)] == ([] if "global_defs.log_file" in conf.values else ["global_defs.log_file"])
    assert its.start is not None
    assert its.start.arguments == ("-l", "0-8")


def test_a_bond():
    conf = replace(bonded(), bonds=(replace(bonded().bonds[0], values={"mode": 4, "primary": "dpdk1", "kni_name": "bond0.kni"}),))
    its = director(section(conf, EAL))
    assert [(bond.name, bond.mode, bond.primary, [s.pci for s in bond.slaves]) for bond in its.bonds] == [
        ("bond0", 4, "dpdk1", ["0000:06:00.0", "0000:06:00.1"])
    ]
    assert diff(conf, desired(its, conf)) == ()


def test_what_params_cannot_say_is_named():
    """Devices that differ, and a layout of queues of somebody's own."""
    devices = (replace(small().devices[0], values={**small().devices[0].values, "tx.descriptor_number": 1024}), small().devices[1])
    workers = (small().workers[0], replace(small().workers[1], name="worker1"))
    conf = replace(small(), devices=devices, workers=workers)
    made = section(conf)
    assert {d.what for d in unsaid(conf, made)} == {
        "global_defs.log_file",
        "device dpdk0 tx.descriptor_number",
        "worker worker1",
        "worker cpu1",
    }
    assert diff(conf, desired(director(made), conf)) == ()


@given(CONFS)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_every_setting_of_any_file_is_said(conf: Conf):
    """Whatever a file sets by a whole path stands in the section; only that there is no log file can't be said."""
    one = replace(conf, devices=conf.devices[:1] or small(1).devices, bonds=(), workers=conf.workers or small(1).workers)
    named = {difference.what for difference in unsaid(one, section(one)) if difference.what in ITEM}
    assert named <= ({"global_defs.log_file"} if "global_defs.log_file" not in one.values else set())


def test_as_a_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    """It prints YAML; a file with mistakes is not taken over."""
    file = tmp_path / "dpvs.conf"
    file.write_text(write(small(neigh_defs__timeout=30)))
    assert main([str(file), "--params", "--", *EAL[2:]]) == 0
    (said,) = YAML(typ="safe").load(capsys.readouterr().out)["directors"]
    assert said == {"name": "lb1", **section(small(neigh_defs__timeout=30), EAL[2:])}
    file.write_text(write(small()).replace("pktpool_size", "pktpool_sise"))
    assert main([str(file), "--params"]) == 4
    ended = capsys.readouterr()
    assert (ended.out, "pktpool_size" in ended.err) == ("", True)
    assert main([str(file), str(file), "--params"]) == 4


@pytest.mark.dpvs
@pytest.mark.parametrize(
    "name", ["dpvs.conf.sample", "dpvs.conf.single-nic.sample", "dpvs.conf.single-bond.sample", "dpvs.bond.conf.sample"]
)
def test_the_samples_of_dpvs(name: str):
    """Those that stand beside a built dpvs."""
    folder = os.environ.get("DPVSBOOK_DPVS")
    path = Path(folder or "").resolve().parent / "conf" / name
    if not folder or not path.exists():
        pytest.skip("needs a built DPVS with its conf folder: DPVSBOOK_DPVS=FOLDER")
    text = path.read_text()
    assert not [f for f in validate(text) if f.severity == "error"]
    conf = read(parse(text))
    made = section(conf)
    its = director(made)
    assert diff(conf, desired(its, conf)) == ()
    assert {d.what.split()[0] for d in unsaid(conf, made)} <= {"global_defs.log_file", "bonding", "device"}
    assert "directors:" in as_params(text)


def test_a_first_file_names_its_kni_devices_and_counts_its_connections():
    """1.10 gives a KNI no name of its own, and dpvs dies of the second; the default conn pool takes 1.4 GB."""
    its = director(section(small(2, global_defs__kni=True), EAL))
    its = its.model_copy(update={"devices": tuple(device.model_copy(update={"kni": None}) for device in its.devices)})
    made = desired(its)
    assert [device.values.get("kni_name") for device in made.devices] == ["dpdk0.kni", "dpdk1.kni"]
    assert "kni_name" not in desired(its, kni=False).devices[0].values
    assert need_mb(made) == need_mb(made.with_values(ipvs_defs__conn__conn_pool_size=65536)) + 1389
    assert validate(write(made), Machine(vhost_net=True)) == ()
