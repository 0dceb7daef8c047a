"""Modules and NICs over real SSH, with the real look and the real `ip`, on a host whose PCI bus, modules, driverctl and modprobe are faked:

no NIC of this machine may be taken from it, and a module needs its kernel's files. Which interface carries what is the kernel's own answer.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from dpvsbook.errors import PlanError
from dpvsbook.lab.netns import NetnsLab
from dpvsbook.steps import configure
from dpvsbook.steps.setup.session import Prepared
from tests.netns.conftest import STAND_IN

pytestmark = pytest.mark.root

A, B, MANAGEMENT = "0000:06:00.0", "0000:06:00.1", "0000:03:00.0"
FAKES = r"""
mkdir -p /tmp/fake/devices /tmp/fake/drivers/ixgbe /tmp/fake/drivers/vfio-pci /tmp/fake/drivers/mlx5_core /tmp/fake/module /tmp/fake/net
for slot in 0000:06:00.0 0000:06:00.1 0000:03:00.0; do
  mkdir /tmp/fake/devices/$slot; echo 0x020000 >/tmp/fake/devices/$slot/class; echo 0 >/tmp/fake/devices/$slot/numa_node
  ln -s /tmp/fake/drivers/ixgbe /tmp/fake/devices/$slot/driver
done
n=0
for slot in 0000:03:00.0 0000:06:00.0 0000:06:00.1; do
  ip link add eth$n type veth peer name far$n; ip link set eth$n up; ip link set far$n up
  mkdir /tmp/fake/net/eth$n; ln -s /tmp/fake/devices/$slot /tmp/fake/net/eth$n/device
  n=$((n + 1))
done
mkdir /tmp/fake/net/lo
mount --bind /tmp/fake/devices /sys/bus/pci/devices; mount --bind /tmp/fake/module /sys/module; mount --bind /tmp/fake/net /sys/class/net
cat >/usr/local/bin/driverctl <<'.'
#!/bin/sh
case $1 in set-override) to=$3 ;; unset-override) to=ixgbe ;; esac
ln -sfn /tmp/fake/drivers/$to /tmp/fake/devices/$2/driver
.
cat >/usr/local/bin/modprobe <<'.'
#!/bin/sh
[ "$1" = -r ] && exec rmdir /tmp/fake/module/$(echo $2 | tr - _)
mkdir /tmp/fake/module/$(echo $1 | tr - _)
.
chmod 755 /usr/local/bin/driverctl /usr/local/bin/modprobe
"""
Open = Callable[[str], Prepared]


@pytest.fixture
def lab(params_file: Path, tmp_path: Path) -> Iterator[NetnsLab]:
    folder = tmp_path / "dpvs-bin"
    folder.mkdir()
    for name, text in STAND_IN.items():
        (folder / name).write_text(text)
        (folder / name).chmod(0o755)
    path = tmp_path / "own.yaml"
    text = params_file.read_text().replace("name: fnat-two-arm", f"name: host-{os.getpid()}")
    path.write_text(text.replace("    lips:", "    start: {flow: false}\n    lips:", 1))
    with NetnsLab.up(path, tmp_path / "lab", folder) as lab:
        made = lab.exec("lb1", [FAKES])
        assert (made.exit, made.stderr) == (0, "")
        yield lab


@pytest.fixture
def opened(lab: NetnsLab, tmp_path: Path) -> Open:
    return lambda mode: configure.open(tmp_path / "own.yaml", mode, ssh_config=lab.ssh_config, outputs=tmp_path / "outputs")


def driver(lab: NetnsLab, address: str) -> str:
    return lab.exec("lb1", [f"readlink /sys/bus/pci/devices/{address}/driver"]).stdout.strip().rpartition("/")[2]


def test_modules_and_nics_and_back(lab: NetnsLab, opened: Open):
    hosts = opened("apply")
    assert "vfio-pci is not loaded" in repr(configure.modules(hosts))
    assert f"driverctl set-override {A} vfio-pci" in repr(configure.nics(hosts))
    assert hosts.finish().badge == "converged"
    assert [driver(lab, slot) for slot in (A, B, MANAGEMENT)] == ["vfio-pci", "vfio-pci", "ixgbe"]
    assert lab.exec("lb1", ["ip -br link show eth1"]).stdout.split()[1] == "DOWN"
    assert "vfio-pci" in lab.exec("lb1", ["cat /etc/modules-load.d/dpvsbook.conf"]).stdout
    hosts = opened("apply")
    assert [repr(step(hosts)).splitlines()[0] for step in (configure.modules, configure.nics)] == [
        "Kernel modules: nothing to do",
        "NICs for DPDK: nothing to do",
    ]
    assert hosts.finish().badge == "converged"
    hosts = opened("undo")
    configure.modules(hosts)
    assert f"driverctl unset-override {A}" in repr(configure.nics(hosts))
    assert hosts.finish().badge == "converged"
    assert [driver(lab, slot) for slot in (A, B, MANAGEMENT)] == ["ixgbe", "ixgbe", "ixgbe"]
    assert lab.exec("lb1", ["ls /sys/module /etc/modules-load.d/dpvsbook.conf"]).stdout == "/sys/module:\n"


ROUTED = "ip addr add 198.51.100.9/24 dev {0}; ip route add default via 198.51.100.1 dev {0}"


@pytest.mark.parametrize(
    ("made", "said"),
    [
        (ROUTED.format("eth1"), f"{A} (eth1) carries the default route"),
        ("ip -6 addr add 2001:db8::9/64 dev eth2 nodad; ip -6 route add default dev eth2", f"{B} (eth2) carries the default route"),
        (
            "ip link add br9 type bridge; ip link set eth1 master br9; ip link set br9 up; "
            + ROUTED.format("br9")
            + "; mkdir /tmp/fake/net/br9; ln -s /sys/devices/virtual/net/eth1 /tmp/fake/net/br9/lower_eth1",
            f"{A} (eth1) carries the default route of br9",
        ),
        ("ip addr add 127.0.0.1/8 dev eth2", f"{B} (eth2) carries this SSH session"),
    ],
    ids=["default route", "IPv6 default route", "a bridge's default route", "this session"],
)
def test_what_must_stay_is_refused_by_name_and_nothing_is_bound(lab: NetnsLab, opened: Open, made: str, said: str):
    done = lab.exec("lb1", [made])
    assert (done.exit, done.stderr) == (0, "")
    hosts = opened("preview")
    assert f"Refused on lb1: {said}" in repr(configure.nics(hosts))
    assert hosts.finish().badge == "failed"
    hosts = opened("apply")
    with pytest.raises(PlanError) as caught:
        configure.nics(hosts)
    assert said in caught.value.message
    assert hosts.finish().badge == "failed"
    assert [driver(lab, slot) for slot in (A, B)] == ["ixgbe", "ixgbe"]


def test_mlx5_stays_where_it_is(lab: NetnsLab, opened: Open):
    lab.exec("lb1", [f"ln -sfn /tmp/fake/drivers/mlx5_core /tmp/fake/devices/{A}/driver"])
    hosts = opened("apply")
    assert f"{A} (eth1) stays with mlx5_core" in repr(configure.nics(hosts))
    hosts.finish()
    assert [driver(lab, slot) for slot in (A, B)] == ["mlx5_core", "vfio-pci"]


def test_a_tool_that_says_success_and_does_nothing_is_found_out(lab: NetnsLab, opened: Open):
    lab.exec("lb1", ["printf '#!/bin/sh\\necho done\\n' >/usr/local/bin/driverctl"])
    hosts = opened("apply")
    with pytest.raises(Exception, match="everything was sent, and it is not so"):
        configure.nics(hosts)
    hosts.finish()
