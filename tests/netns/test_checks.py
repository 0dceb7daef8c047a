"""Preflight on real DPVS: no check cries wolf there, and faults made there are seen, before the start and while it runs."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from dpvsbook.lab.netns import NetnsLab
from dpvsbook.steps import checks, configure
from dpvsbook.steps.checks import CheckedView
from dpvsbook.steps.setup.session import Prepared

pytestmark = [pytest.mark.root, pytest.mark.dpvs]
FREE = Path("/sys/devices/system/node/node0/hugepages/hugepages-2048kB/free_hugepages")
GONE = "for i in $(seq 100); do grep -qsx dpvs /proc/[0-9]*/comm || exit 0; sleep 0.1; done; exit 1"
END = f"kill $(cat /var/run/dpvs.pid); {GONE}"


@pytest.fixture(scope="module")
def lab(own_params: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[NetnsLab]:
    with NetnsLab.up(own_params, tmp_path_factory.mktemp("checks") / "lab", kni="veth") as lab:
        do(lab, "cp /etc/dpvs.conf /root/dpvs.conf")
        yield lab


@pytest.fixture
def hosts(lab: NetnsLab, own_params: Path, tmp_path: Path) -> Iterator[Prepared]:
    """The director, looked at as a host; its dpvs.conf is as it was afterwards, and its dpvs runs."""
    if lab.exec("lb1", ["dpip link show"]).exit != 0:
        lab.start_dpvs("lb1")
    opened = configure.open(own_params, "preview", ssh_config=lab.ssh_config, outputs=tmp_path / "outputs")
    yield opened
    opened.finish()
    do(lab, "cp /root/dpvs.conf /etc/dpvs.conf")


def do(lab: NetnsLab, command: str) -> str:
    ended = lab.exec("lb1", [command], timeout=30)
    assert ended.exit == 0, (command, ended)
    return ended.stdout


def evidence(view: CheckedView, name: str) -> tuple[str, str]:
    (check,) = [check for check in view.checks["lb1"] if name in check.name]
    return check.verdict, check.evidence


def test_none_cries_wolf_on_real_dpvs(lab: NetnsLab, hosts: Prepared):
    view = checks.running(hosts)
    assert view.failed == (), repr(view)
    verdicts = [check.verdict for check in view.checks["lb1"]]
    assert verdicts.count("undecided") == 0, repr(view)
    assert evidence(view, "F74") == ("ok", "the 28 values that its log has of the start are those of /etc/dpvs.conf")
    assert "dpdk0 has its MAC" in evidence(view, "F19")[1]
    assert "the workers want 1" in evidence(view, "F11")[1]
    build = checks.before_build(hosts)
    assert build.failed == (), repr(build)
    assert evidence(build, "F17") == ("ok", "its options have LIBNL3")
    do(lab, END)
    view = checks.before_start(hosts)
    assert view.failed == (), repr(view)
    assert [check.id for check in view.checks["lb1"] if check.verdict == "undecided"] == ["F11"], repr(view)


def test_wrong_keys_and_values_that_wait_are_seen_in_a_real_dpvs(lab: NetnsLab, hosts: Prepared):
    do(lab, "sed -i 's/promisc_mode/promisc_mod/; s/pktpool_size 65535/pktpool_size 131071/' /etc/dpvs.conf")
    view = checks.running(hosts)
    assert evidence(view, "F75") == ("failed", "; ".join(f"line {n}: promisc_mod is not known in device" for n in lines(lab)))
    assert evidence(view, "F74") == ("failed", "netif_defs.pktpool_size: dpvs runs with 65535, the file says 131071")
    do(lab, END)
    do(lab, "sed -i 's/pktpool_size 131071/pktpool_size 65535/' /etc/dpvs.conf")
    lab.start_dpvs("lb1")
    do(lab, "cp /root/dpvs.conf /etc/dpvs.conf")
    view = checks.running(hosts)
    assert evidence(view, "F75")[0] == "failed"
    assert "not supported keyword -- promisc_mod" in evidence(view, "F75")[1]
    do(lab, END)
    lab.start_dpvs("lb1")
    assert checks.running(hosts).failed == ()


def lines(lab: NetnsLab) -> list[str]:
    return do(lab, "grep -n promisc_mod /etc/dpvs.conf | cut -d : -f 1").split()


def test_what_is_in_the_way_of_a_start_is_seen(lab: NetnsLab, hosts: Prepared):
    do(lab, END)
    do(lab, "sleep 600 >/dev/null 2>&1 & echo $! >/var/run/dpvs.pid")
    mount = do(lab, "sed -n 's/^[^ ]* \\([^ ]*\\) hugetlbfs .*/\\1/p' /proc/mounts | head -n 1").strip()
    do(lab, f"fallocate -l 2M {mount}/stalemap_0")
    taken = max(0, int(FREE.read_text()) - 64)  # as another program takes them; the machine's number stays as it is
    try:
        do(lab, f"fallocate -l {2 * taken}M {mount}/others")
        view = checks.before_start(hosts)
        assert evidence(view, "F13")[0] == "failed"
        assert "which is sleep" in evidence(view, "F13")[1]
        assert evidence(view, "huge pages of the dead") == ("failed", f"1 files that no process has hold 2 MB: {mount}/stalemap_0")
        verdict, said = evidence(view, "huge pages are free")
        assert verdict == "failed"
        assert "and dpvs needs about 748 MB" in said
        assert {"F03", "F13"} == set(view.failed)
    finally:
        do(lab, f"kill $(cat /var/run/dpvs.pid); rm -f /var/run/dpvs.pid {mount}/stalemap_0 {mount}/others")
    assert checks.before_start(hosts).failed == ()


def test_devices_in_another_order_are_seen_before_and_after(lab: NetnsLab, hosts: Prepared):
    do(lab, END)
    swap = "s/device dpdk0/device dpdkX/; s/device dpdk1/device dpdk0/; s/device dpdkX/device dpdk1/"
    do(lab, f"sed '{swap}' /root/dpvs.conf >/etc/dpvs.conf")
    assert checks.before_start(hosts).failed == ()  # each block keeps its kni_name, which is all that says what it should be
    do(
        lab,
        f"sed '{swap}; s/kni_name dpdk0.kni/kni_name X/; s/kni_name dpdk1.kni/kni_name dpdk0.kni/; s/kni_name X/kni_name dpdk1.kni/' "
        "/root/dpvs.conf >/etc/dpvs.conf",
    )
    assert evidence(checks.before_start(hosts), "F19")[0] == "failed"
    lab.start_dpvs("lb1")
    verdict, said = evidence(checks.running(hosts), "F19")
    assert verdict == "failed"
    assert "and should have" in said
    do(lab, END)


def test_a_conf_that_real_dpvs_refuses_is_refused_before(lab: NetnsLab, hosts: Prepared):
    """The same mistakes, told by the check and then by dpvs itself."""
    do(lab, END)
    for change, name, dpvs_says in (
        ("s/cpu_id 1/cpu_id 5/", "F06", "lcore_index_init failed"),
        ("s/rx_queue_ids 0/rx_queue_ids 1/", "F05", "error code: -4"),
        ("/device dpdk1 {/,/^    }/d", "F01", "ports in DPDK RTE (2) != ports in dpvs.conf"),
    ):
        do(lab, f"sed '{change}' /root/dpvs.conf >/etc/dpvs.conf")
        view = checks.before_start(hosts)
        assert name in view.failed, repr(view)
        do(lab, "rm -f /var/run/dpvs.pid; lab-start-dpvs </dev/null >/var/log/dpvs.out 2>&1 || true")  # ends by itself
        do(lab, GONE)
        assert dpvs_says in do(lab, "cat /var/log/dpvs.log /var/log/dpvs.out")
