"""The kernel's way through DPVS's ports, by real KNI and by the veth that plays it: the same addresses, answers and multicast on both."""

from __future__ import annotations

import os
import re
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from dpvsbook.lab.netns import LabError, NetnsLab, machine
from tests.netns.conftest import FNAT, traces

pytestmark = [pytest.mark.root, pytest.mark.dpvs, pytest.mark.timeout(900)]
ADDRESS = "192.168.100.28"
PATIENCE = 60.0  # seconds: an emulated machine is slow

LISTEN = """\
import socket, struct, sys
s = socket.socket(socket.AF_INET, socket.SOCK_RAW, 89)
s.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, socket.inet_aton("224.0.0.5") + socket.inet_aton(sys.argv[1]))
open("/run/listening", "w").close()
got = []
while not got or got[-1] != "end":
    got.append(s.recv(2048)[20:].decode())
open("/run/heard.part", "w").write(" ".join(got))
import os; os.rename("/run/heard.part", "/run/heard")
"""
SPEAK = """\
import socket, sys
s = socket.socket(socket.AF_INET, socket.SOCK_RAW, 89)
s.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton(sys.argv[1]))
for word in ("one", "two", "three", "end"):
    s.sendto(word.encode(), ("224.0.0.5", 0))
"""


@pytest.fixture(scope="module", params=["veth", "real"])
def lab(request: pytest.FixtureRequest, own_params: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[NetnsLab]:
    """The two-arm cluster, configured; the kernel of its director has an address of its own on dpdk0.kni."""
    try:
        machine.real_kni(machine.built(), request.param)
    except LabError as error:
        pytest.skip(str(error))
    folder = tmp_path_factory.mktemp(request.param)
    path = folder / "kni.yaml"
    path.write_text(own_params.read_text().replace("name: test-", f"name: kni-{request.param}-"))
    with NetnsLab.up(path, folder / "lab", kni=request.param) as lab:
        configure(lab)
        yield lab
    assert traces(f"kni-{request.param}-{os.getpid()}") == []


def configure(lab: NetnsLab) -> None:
    """What a director needs after each start of its dpvs; `ip address replace` because only real KNI loses its address with it."""
    kernel = ("ip link set dpdk0.kni up", "ip link set dpdk1.kni up", f"ip address replace {ADDRESS}/24 dev dpdk0.kni")
    for command in (*kernel, f"dpip route add {ADDRESS}/32 dev dpdk0 scope kni_host", *FNAT):
        ended = lab.exec("lb1", [command])
        assert (ended.exit, ended.stderr) == (0, ""), command


def until(met: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not met():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def answered(lab: NetnsLab) -> str:
    return lab.exec("rs1", [f"ping -c 3 -i 0.2 -W 10 {ADDRESS}"]).stdout


def served(lab: NetnsLab) -> int:
    return lab.exec("client", ["for i in $(seq 10); do curl -sS -m 20 http://10.0.0.100/; done"]).stdout.count("saw 192.168.100.200")


def test_status_says_which(lab: NetnsLab) -> None:
    expected = "real, by vhost-net" if lab.record.kni else "the kernel side of the veths"
    assert f"KNI: {expected}" in str(lab.status())


def test_it_has_the_mac_of_the_device(lab: NetnsLab) -> None:
    for index in (0, 1):
        shown = lab.exec("lb1", [f"dpip link show dpdk{index}"]).stdout
        found = re.search(r"addr ([0-9A-F:]{17})", shown)
        assert found, shown
        assert lab.exec("lb1", [f"cat /sys/class/net/dpdk{index}.kni/address"]).stdout.strip() == found[1].lower()


def test_only_real_kni_is_dpvss_own(lab: NetnsLab) -> None:
    assert ("tun type tap" in lab.exec("lb1", ["ip -d link show dpdk0.kni"]).stdout) == lab.record.kni


def test_the_kernel_answers_once_and_reaches_out(lab: NetnsLab) -> None:
    said = answered(lab)
    assert "3 received" in said
    assert "duplicates" not in said
    assert f"rs1 saw {ADDRESS}:" in lab.exec("lb1", ["curl -sS -m 20 http://192.168.100.2/"]).stdout


def test_ospf_s_multicast_comes_through_once(lab: NetnsLab) -> None:
    lab.exec("lb1", ["rm -f /run/listening /run/heard; cat >/run/listen.py"], stdin=LISTEN)
    lab.exec("rs1", ["cat >/run/speak.py"], stdin=SPEAK)
    lab.exec("lb1", [f"setsid {sys.executable} -I -S /run/listen.py {ADDRESS} </dev/null >/dev/null 2>&1 &"])
    until(lambda: lab.exec("lb1", ["test -e /run/listening"]).exit == 0)
    lab.exec("rs1", [f"{sys.executable} -I -S /run/speak.py 192.168.100.2"])
    until(lambda: lab.exec("lb1", ["test -e /run/heard"]).exit == 0)
    assert lab.exec("lb1", ["cat /run/heard"]).stdout == "one two three end"


def test_dpvs_learns_of_a_group_with_the_next_event_of_an_address(lab: NetnsLab) -> None:
    """A join alone is no event for it: a port that isn't promiscuous would not take the group's packets."""
    if not lab.record.kni:
        pytest.skip("with a veth in its place, DPVS doesn't look at the kernel's groups")
    lab.exec("lb1", ["ip maddr add 01:00:5e:00:00:05 dev dpdk0.kni; ip address add 192.0.2.1/32 dev dpdk0.kni"])
    until(lambda: "01:00:5e:00:00:05" in lab.exec("lb1", ["dpip maddr show"]).stdout)
    lab.exec("lb1", ["ip maddr del 01:00:5e:00:00:05 dev dpdk0.kni; ip address del 192.0.2.1/32 dev dpdk0.kni"])
    until(lambda: "01:00:5e:00:00:05" not in lab.exec("lb1", ["dpip maddr show"]).stdout)


def test_a_vip_that_the_kernel_has_too(lab: NetnsLab) -> None:
    """OSPF announces it from lo. DPVS answers, and what no service of it takes reaches the kernel by real KNI only, as on a cluster."""
    lab.exec("lb1", ["ip address add 10.0.0.100/32 dev lo; ip route add 10.0.0.0/16 dev dpdk1.kni"])
    try:
        assert served(lab) == 10
        refused = lab.exec("client", ["curl -sS -m 2 http://10.0.0.100:81/"]).exit == 7
        assert refused == lab.record.kni
    finally:
        lab.exec("lb1", ["ip route del 10.0.0.0/16 dev dpdk1.kni; ip address del 10.0.0.100/32 dev lo"])


def test_real_kni_goes_and_comes_with_dpvs(lab: NetnsLab) -> None:
    lab.exec("lb1", ["kill -9 $(cat /run/dpvs.pid)"])
    if lab.record.kni:
        until(lambda: lab.exec("lb1", ["test -e /sys/class/net/dpdk0.kni"]).exit != 0)
    lab.start_dpvs("lb1")
    configure(lab)
    assert "3 received" in answered(lab)
    assert served(lab) == 10
