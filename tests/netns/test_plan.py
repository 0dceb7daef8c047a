"""The pure part: what a lab is made of, from the params alone."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from dpvsbook import params
from dpvsbook.lab.netns import machine, network, plan
from dpvsbook.lab.netns.machine import LabError

Pretend = Callable[..., Path]


@pytest.fixture
def made(params_file: Path) -> plan.LabPlan:
    return plan.make(params.load(params_file))


def test_every_host_is_a_namespace_with_the_labs_prefix(made: plan.LabPlan):
    assert made.prefix == "dpvsbook-fnat-two-arm."
    assert made.namespaces == tuple(f"dpvsbook-fnat-two-arm.{name}" for name in ("sw", "lb1", "rs1", "rs2", "client"))


def test_no_labs_prefix_begins_anothers():
    assert not plan.prefix_of("two-arm").startswith(plan.prefix_of("two"))
    assert plan.prefix_of("two arm/ä") == "dpvsbook-two-arm-."


def test_a_directors_devices_are_veths_named_as_their_kni(made: plan.LabPlan):
    lb1 = made.host("lb1")
    assert [(nic.name, nic.bridge, nic.addresses) for nic in lb1.nics] == [("dpdk0.kni", "br1", ()), ("dpdk1.kni", "br0", ())]
    assert len({nic.mac for host in made.hosts for nic in host.nics}) == 5
    assert all(len(nic.name) <= plan.IFNAMSIZ and len(nic.port) <= plan.IFNAMSIZ for host in made.hosts for nic in host.nics)


def test_macs_are_the_same_each_time_and_local(made: plan.LabPlan, params_file: Path):
    assert plan.make(params.load(params_file)) == made
    assert all(int(nic.mac[:2], 16) & 3 == 2 for host in made.hosts for nic in host.nics)


def test_the_order_of_the_vdevs_is_that_of_the_devices(made: plan.LabPlan):
    argv = plan.dpvs_argv(made.host("lb1"), folder="/dpvs", cpus=(1, 0), huge=True)
    assert argv[:8] == ("/dpvs/dpvs", "-c", "/etc/dpvs.conf", "-p", "/var/run/dpvs.pid", "-x", "/var/run/dpvs.ipc", "--")
    assert argv[-2:] == ("--vdev=net_af_packet0,iface=dpdk0.kni", "--vdev=net_af_packet1,iface=dpdk1.kni")
    assert "0@(0,1),1@(0,1)" in argv
    assert "--huge-unlink" in argv


def test_without_hugepages_the_memory_is_named(made: plan.LabPlan):
    argv = plan.dpvs_argv(made.host("lb1"), folder="/dpvs", cpus=(0,), huge=False)
    assert argv[argv.index("--no-huge") + 1 :][:2] == ("-m", str(2 * made.pages))


def test_memory_grows_with_the_lips(made: plan.LabPlan):
    assert made.pages == 400 + 21 * (1 + 2)


def test_real_servers_listen_where_the_services_expect_them(made: plan.LabPlan):
    assert {host.name: host.listens for host in made.hosts} == {"lb1": (), "rs1": ("tcp:80",), "rs2": ("tcp:80",), "client": ()}


def test_the_conf_names_every_port_in_the_one_worker(made: plan.LabPlan):
    text = plan.conf_of(made.host("lb1"))
    assert text.count("{") == text.count("}")
    assert [line.strip() for line in text.splitlines() if line.strip().startswith(("<init> device", "port "))] == [
        "<init> device dpdk0 {",
        "<init> device dpdk1 {",
        "port dpdk0 {",
        "port dpdk1 {",
    ]
    assert "sync_msg_timeout_us 2000000" in text
    assert "<init> kni off" in text


def test_the_kernel_drops_what_is_dpvss(made: plan.LabPlan):
    script = network.host_setup(made.host("lb1"))
    assert "ip daddr 10.0.0.100 drop" in script
    assert "ip daddr 192.168.100.200 drop" in script
    assert "nft" not in network.host_setup(made.host("client"))


def test_offloads_are_off_on_both_ends(made: plan.LabPlan):
    for host in made.hosts:
        script = network.host_setup(host)
        assert all(f"ethtool -K {nic.name} tx off rx off tso off gso off gro off" in script for nic in host.nics)
        assert all(f"ethtool -K {nic.port} tx off" in network.switch_setup(made) for nic in host.nics)


class TestRealKni:
    @pytest.fixture
    def lb1(self, params_file: Path) -> plan.HostPlan:
        made = plan.make(params.load(params_file), kni=True)
        assert made.kni
        return made.host("lb1")

    def test_the_veths_leave_the_names_to_the_devices_that_dpvs_makes(self, lb1: plan.HostPlan, made: plan.LabPlan):
        assert [nic.name for nic in lb1.nics] == ["nic0", "nic1"]
        assert [nic.mac for nic in lb1.nics] == [nic.mac for nic in made.host("lb1").nics]
        argv = plan.dpvs_argv(lb1, folder="/dpvs", cpus=(1, 0), huge=True)
        assert argv[-2:] == ("--vdev=net_af_packet0,iface=nic0", "--vdev=net_af_packet1,iface=nic1")

    def test_a_device_may_be_called_as_a_veth_would_be(self, params_file: Path, tmp_path: Path):
        path = tmp_path / "named.yaml"
        path.write_text(params_file.read_text().replace("name: dpdk1,", "name: dpdk1, kni: nic0,"))
        lb1 = plan.make(params.load(path), kni=True).host("lb1")
        assert "nic0" in plan.conf_of(lb1)
        assert [nic.name for nic in lb1.nics] == ["nic1", "nic2"]

    def test_the_conf_has_it_on_under_the_names_of_the_params(self, lb1: plan.HostPlan):
        text = plan.conf_of(lb1)
        assert "<init> kni on" in text
        assert [line.split()[1] for line in text.splitlines() if "kni_name" in line] == ["dpdk0.kni", "dpdk1.kni"]

    def test_the_kernel_sees_nothing_of_the_nics(self, lb1: plan.HostPlan):
        script = network.host_setup(lb1)
        assert "link set nic0 promisc on arp off up" in script
        assert "iifname { nic0, nic1 } drop" in script
        assert "daddr" not in script
        assert "/proc/sys/net/ipv6/conf/nic1/disable_ipv6" in script


class TestWhichKni:
    """On a pretended machine: its device files, and what `dpip -V` says."""

    @pytest.fixture
    def folder(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
        devices = (tmp_path / "vhost-net", tmp_path / "tun")
        for path in devices:
            path.touch()
        monkeypatch.setattr(machine, "KNI_DEVICES", devices)
        (tmp_path / "dpip").write_text("#!/bin/sh\necho dpip-1.10-2\n")
        (tmp_path / "dpip").chmod(0o755)
        return tmp_path

    def test_real_where_it_is_possible(self, folder: Path):
        assert machine.real_kni(folder)
        assert machine.real_kni(folder, "real")
        assert not machine.real_kni(folder, "veth")

    def test_without_vhost_net_a_veth_plays_it(self, folder: Path):
        (folder / "vhost-net").unlink()
        assert not machine.real_kni(folder)
        with pytest.raises(LabError, match=r"(?s)vhost-net: No such file or directory.*modprobe vhost_net"):
            machine.real_kni(folder, "real")

    @pytest.mark.parametrize("said", ["dpip-1.9-10", "dpip-1.8-2", ""])
    def test_older_dpvs_has_another_kni(self, folder: Path, said: str):
        (folder / "dpip").write_text(f"#!/bin/sh\necho {said}\n")
        assert not machine.real_kni(folder)
        with pytest.raises(LabError, match=r"(?s)from 1.10 on.*Build DPVS 1.10"):
            machine.real_kni(folder, "real")

    def test_another_word_is_refused(self, folder: Path):
        with pytest.raises(LabError, match=r"(?s)no such KNI: 'yes'.*auto, real, veth"):
            machine.real_kni(folder, "yes")


@pytest.mark.parametrize(
    ("directors", "usable", "cpus", "expected"),
    [
        (1, [0], "auto", [(0,)]),
        (1, [0, 1], "auto", [(1, 0)]),
        (1, [0, 1], "shared", [(1,)]),
        (2, [0, 1], "auto", [(1, 0), (1, 0)]),
        (2, [0, 1, 2, 3, 4], "auto", [(4, 3), (2, 1)]),
        (3, [0, 1], "shared", [(1,), (0,), (1,)]),
    ],
)
def test_cpus(directors: int, usable: list[int], cpus: machine.Cpus, expected: list[tuple[int, ...]]):
    assert machine.cpus_for(directors, usable, cpus) == expected


def test_not_root(made: plan.LabPlan, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    with pytest.raises(LabError, match="needs root"):
        machine.check(made, Path("/nowhere"))


@pytest.mark.parametrize("system", ["darwin", "win32"])
def test_not_linux(made: plan.LabPlan, monkeypatch: pytest.MonkeyPatch, system: str):
    monkeypatch.setattr("sys.platform", system)
    with pytest.raises(LabError, match="needs Linux"):
        machine.check(made, None)


class TestDpvsFolder:
    @pytest.fixture(autouse=True)
    def _as_root_with_tools(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("os.geteuid", lambda: 0)
        monkeypatch.setattr("shutil.which", lambda tool, **_: f"/usr/bin/{tool}")

    def test_none_named(self, made: plan.LabPlan):
        with pytest.raises(LabError, match=r"(?s)no built one was named.*params/build.yaml"):
            machine.check(made, None)

    def test_not_there(self, made: plan.LabPlan, tmp_path: Path):
        with pytest.raises(LabError, match="no folder"):
            machine.check(made, tmp_path / "nothing")

    def test_not_dpvss(self, made: plan.LabPlan, tmp_path: Path):
        with pytest.raises(LabError, match="has no dpvs, dpip, ipvsadm"):
            machine.check(made, tmp_path)


def test_tools_that_lack_are_named_with_their_packages(made: plan.LabPlan, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("os.geteuid", lambda: 0)
    monkeypatch.setattr("shutil.which", lambda tool, **_: None if tool in ("ethtool", "nsenter") else tool)
    with pytest.raises(LabError, match=r"(?s)nsenter, ethtool.*Install: ethtool util-linux"):
        machine.check(made, None)


class TestOverlay:
    """On a pretended machine, whose modprobe is a script."""

    @pytest.fixture(autouse=True)
    def filesystems(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
        file = tmp_path / "filesystems"
        file.write_text("nodev\ttmpfs\n\text4\n")
        monkeypatch.setattr(machine, "FILESYSTEMS", file)
        monkeypatch.setattr("os.geteuid", lambda: 0)
        monkeypatch.setattr("shutil.which", lambda tool, **_: str(tmp_path / tool))
        return file

    def test_a_module_is_loaded_as_its_first_mount_would(self, made: plan.LabPlan, filesystems: Path, tmp_path: Path):
        modprobe = tmp_path / "modprobe"
        modprobe.write_text(f'#!/bin/sh\n[ "$*" = "-q overlay" ] && printf "nodev\\toverlay\\n" >>{filesystems}\n')
        modprobe.chmod(0o755)
        with pytest.raises(LabError, match="no built one was named"):
            machine.check(made, None)

    def test_a_kernel_without_it(self, made: plan.LabPlan, tmp_path: Path):
        (tmp_path / "modprobe").symlink_to("/bin/false")
        with pytest.raises(LabError, match="no overlay file system"):
            machine.check(made, None)


class TestHugepages:
    """On a pretended machine: `nr` is the kernel's file, which gives `limit` pages at most."""

    @pytest.fixture
    def pretend(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Pretend:
        def make(*, nr: int, free: int, available_mb: int) -> Path:
            file = tmp_path / "nr_hugepages"
            file.write_text(str(nr))
            monkeypatch.setattr(machine, "NR_HUGEPAGES", file)
            monkeypatch.setattr(
                machine,
                "meminfo",
                lambda: {"Hugepagesize": 2048, "HugePages_Free": free + int(file.read_text()) - nr, "MemAvailable": available_mb * 1024},
            )
            return file

        return make

    def test_what_lacks_is_added_and_given_back(self, pretend: Pretend, tmp_path: Path):
        file = pretend(nr=100, free=60, available_mb=8000)
        memory = machine.take_hugepages(463, tmp_path)
        assert memory == machine.Memory(huge=True, taken=403)
        assert file.read_text() == "503"
        machine.give_back_hugepages(memory.taken, tmp_path)
        assert file.read_text() == "100"

    def test_enough_are_free(self, pretend: Pretend, tmp_path: Path):
        file = pretend(nr=1000, free=500, available_mb=100)
        assert machine.take_hugepages(463, tmp_path) == machine.Memory(huge=True, taken=0)
        assert file.read_text() == "1000"

    def test_free_pages_of_another_lab_are_left_to_it(self, pretend: Pretend, tmp_path: Path):
        pretend(nr=463, free=463, available_mb=8000)
        assert machine.take_hugepages(463, tmp_path, alone=False) == machine.Memory(huge=True, taken=463)

    def test_not_enough_memory_is_said_before_anything_is_made(self, pretend: Pretend, tmp_path: Path):
        file = pretend(nr=0, free=0, available_mb=900)
        with pytest.raises(LabError, match="not enough memory"):
            machine.take_hugepages(463, tmp_path)
        assert file.read_text() == "0"

    def test_a_machine_without_hugepages_gets_plain_memory(self, pretend: Pretend, monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
        pretend(nr=0, free=0, available_mb=8000)
        monkeypatch.setattr(machine, "NR_HUGEPAGES", tmp_path / "none")
        assert machine.take_hugepages(463, tmp_path) == machine.Memory(huge=False)
