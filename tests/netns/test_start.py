"""`start` on real DPVS: from nothing to real traffic, every way to be dead, and mistakes with what real dpvs says of them."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from dpvsbook import params as params_module
from dpvsbook import records
from dpvsbook.errors import HostError, PlanError
from dpvsbook.lab.netns import NetnsLab
from dpvsbook.starting import launch
from dpvsbook.steps import start
from dpvsbook.steps.process.session import Start
from tests.conftest import PARAMS

pytestmark = [pytest.mark.root, pytest.mark.dpvs, pytest.mark.timeout(900)]

NOTEBOOK = PARAMS.parent / "notebooks" / "start.ipynb"
DEFAULTS = "/etc/default/dpvs"
GONE = "for i in $(seq 200); do grep -qsx dpvs /proc/[0-9]*/comm || exit 0; sleep 0.05; done; exit 1"
KILL = f"kill -9 $(grep -lsx dpvs /proc/[0-9]*/comm | cut -d / -f 3) 2>/dev/null; ({GONE})"
KILL_PARENT = "kill $(cat /run/parent.pid)"
KNI_HOST = "192.168.100.28/32"


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory, params_file: Path) -> Path:
    """The two-arm cluster with an address for the kernel: a /32 kni_host route says that it has one."""
    path = tmp_path_factory.mktemp("params") / "own.yaml"
    text = (
        params_file.read_text()
        .replace("name: fnat-two-arm", f"name: start-{os.getpid()}")
        .replace("  load: {requests: 100, rate: 20}\n", "")
    )
    route = f"    routes:\n      - {{to: {KNI_HOST}, device: dpdk0, scope: kni_host}}\n"
    path.write_text(text.replace("    lips:", f"{route}    lips:", 1))
    return path


@pytest.fixture(scope="module")
def lab(own: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[NetnsLab]:
    with NetnsLab.up(own, tmp_path_factory.mktemp("start") / "lab") as lab:
        lab.exec("lb1", [f"cp -p /etc/dpvs.conf /etc/good.conf; cp -p {DEFAULTS} /etc/good.defaults"])
        yield lab


Walk = Callable[..., Start]


@pytest.fixture
def walk(lab: NetnsLab, own: Path, tmp_path: Path) -> Iterator[Walk]:
    """Calls every step of the notebook: `walk("apply", action="restart")`. Afterwards the director has its files as they were."""

    def run(mode: str = "apply", *, path: Path = own, **more: object) -> Start:
        hosts = start.open(path, mode, ssh_config=lab.ssh_config, outputs=tmp_path / "outputs", **more)  # type: ignore[arg-type]
        try:
            for step in (start.unmanaged, start.dpvs, start.kni, start.state, start.verify):
                step(hosts)
        finally:
            hosts.finish()
        return hosts

    yield run
    lab.exec("lb1", [f"cp -p /etc/good.conf /etc/dpvs.conf; cp -p /etc/good.defaults {DEFAULTS}"])


def pid(lab: NetnsLab) -> str:
    return lab.exec("lb1", ["cat /run/dpvs.pid"]).stdout.strip()


def served(lab: NetnsLab) -> bool:
    return "saw 192.168.100.200" in lab.exec("client", ["curl -sS -m 10 http://10.0.0.100/"]).stdout


def test_the_notebook_from_a_dead_dpvs_to_real_traffic(lab: NetnsLab, own: Path, tmp_path: Path) -> None:
    lab.exec("lb1", [KILL])

    def run(*more: str) -> tuple[int, str]:
        argv = [sys.executable, "-m", "dpvsbook", "run", str(NOTEBOOK), str(own), *more]
        argv += ["--ssh-config", str(lab.ssh_config), "--outputs", str(tmp_path / "outputs")]
        ended = subprocess.run(argv, capture_output=True, text=True, check=False)
        return ended.returncode, ended.stdout + ended.stderr

    code, said = run()
    assert code == 2, said
    assert not served(lab)
    code, said = run("--apply")
    assert code == 0, said
    assert served(lab)
    assert f"inet {KNI_HOST} via 0.0.0.0 src 0.0.0.0 dev dpdk0 mtu 1500 tos 0 scope kni_host" in lab.exec("lb1", ["dpip route show"]).stdout
    assert "192.168.100.28/24" in lab.exec("lb1", ["ip -o addr show dpdk0.kni"]).stdout
    assert "1 received" in lab.exec("rs1", ["ping -c 1 -W 3 192.168.100.28"]).stdout  # only the kernel answers there
    code, said = run("--apply")
    assert code == 0, said
    assert "converged: 0 changes made" in said


def test_restart_says_what_is_lost_and_puts_it_back(lab: NetnsLab, walk: Walk) -> None:
    walk()
    before = pid(lab)
    lab.exec("lb1", ["dpip addr add 10.0.0.77/32 dev dpdk1; ipvsadm -A -t 10.0.0.77:8080 -s wrr"])
    lab.exec("lb1", ["ipvsadm -a -t 10.0.0.77:8080 -r 192.168.100.2:80 -b -w 7"])
    planned = walk("preview", action="restart")
    assert planned.verdict == "changes-pending"
    assert pid(lab) == before
    hosts = walk("apply", action="restart")
    assert hosts.verdict == "converged"
    assert pid(lab) != before
    assert served(lab)
    assert "10.0.0.77/32" in " ".join(hosts.told)
    assert "10.0.0.77" not in lab.exec("lb1", ["ipvsadm -ln"]).stdout
    document = records.read(hosts.record.path).document
    assert "10.0.0.77/32" in document["detail"]
    hosts = walk("apply", keep=True)  # what the broken-off or forgetful run saved
    assert hosts.verdict == "converged"
    assert re.search(r"-> 192\.168\.100\.2:80 +FullNat 7", lab.exec("lb1", ["ipvsadm -ln -t 10.0.0.77:8080"]).stdout)
    hosts = walk("apply", action="restart", keep=True)
    assert hosts.verdict == "converged"
    assert re.search(r"-> 192\.168\.100\.2:80 +FullNat 7", lab.exec("lb1", ["ipvsadm -ln -t 10.0.0.77:8080"]).stdout)
    lab.exec("lb1", ["ipvsadm -D -t 10.0.0.77:8080; dpip addr del 10.0.0.77/32 dev dpdk1"])


def test_a_dead_dpvs_is_said_and_another_one_too(lab: NetnsLab, walk: Walk) -> None:
    walk()
    lab.exec("lb1", [KILL])
    hosts = walk()
    assert hosts.told
    assert "dpvs is dead" in hosts.told[0]
    lab.exec("lb1", [KILL])
    lab.start_dpvs("lb1")
    hosts = walk()
    assert "dpvs was started anew" in hosts.told[0]
    assert "dpvs was started anew" in str(records.read(hosts.record.path).document["detail"])
    assert hosts.verdict == "converged"
    assert served(lab)


def test_stop_and_stop_again(lab: NetnsLab, walk: Walk) -> None:
    walk()
    hosts = walk("apply", action="stop")
    assert (hosts.verdict, hosts.applied) == ("converged", 1)
    assert lab.exec("lb1", [GONE]).exit == 0
    assert walk("apply", action="stop").applied == 0


def test_a_pid_file_that_names_another_program(lab: NetnsLab, walk: Walk) -> None:
    lab.exec("lb1", [f"{KILL}; sleep 1000 >/dev/null 2>&1 & echo $! >/run/dpvs.pid"])
    other = pid(lab)
    hosts = walk()
    assert hosts.verdict == "converged"
    assert lab.exec("lb1", [f"cat /proc/{other}/comm"]).stdout == "sleep\n", "it is none of ours"
    assert pid(lab) != other
    lab.exec("lb1", [f"kill {other}"])


def test_a_zombie_in_the_pid_file(lab: NetnsLab, walk: Walk) -> None:
    """A dpvs whose parent doesn't bury it; dpvs itself would say that it is already running."""
    parent = "import subprocess, time; p = subprocess.Popen(['lab-start-dpvs']); time.sleep(1000)"
    lab.exec("lb1", [KILL])
    lab.exec("lb1", [f'setsid {sys.executable} -I -c "{parent}" </dev/null >/dev/null 2>&1 & echo $! >/run/parent.pid'])
    try:
        lab.exec("lb1", ["until dpip link show >/dev/null 2>&1; do sleep 0.05; done"])
        zombie = pid(lab)
        lab.exec("lb1", [f"kill -9 {zombie}; until grep -q 'State:.Z' /proc/{zombie}/status; do sleep 0.05; done"])
        assert "already running" in lab.exec("lb1", ["lab-start-dpvs"], timeout=120).stderr
        hosts = walk()
        assert hosts.verdict == "converged"
        assert pid(lab) != zombie
        assert served(lab)
    finally:
        lab.exec("lb1", [KILL_PARENT])


def test_killed_a_moment_ago(lab: NetnsLab, walk: Walk) -> None:
    """It has its memory and its locks to the last: a start that doesn't wait would fail."""
    walk()
    lab.exec("lb1", ["kill -9 $(cat /run/dpvs.pid)"])
    assert walk().verdict == "converged"


def test_a_start_that_was_cut_off_is_followed(lab: NetnsLab, walk: Walk, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C while dpvs starts: it goes on there, and the next run waits for it, and puts the state back."""
    lab.exec("lb1", [KILL])

    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(launch, "wait_ready", interrupted)
        with pytest.raises(KeyboardInterrupt):
            walk()
    hosts = walk()
    assert hosts.verdict == "converged"
    assert served(lab)
    assert lab.exec("lb1", ["grep -lsx dpvs /proc/[0-9]*/comm | wc -l"]).stdout.strip() == "1"


def test_another_dpvs_is_left_alone(lab: NetnsLab, walk: Walk, own: Path, tmp_path: Path) -> None:
    """The one that runs has another IPC file than the params name, and the same DPDK prefix and pid file."""
    walk()
    before = pid(lab)
    other = tmp_path / "other.yaml"
    other.write_text(own.read_text().replace("    devices:", "    ipc: /run/other.ipc\n    devices:", 1))
    with pytest.raises(PlanError) as said:
        walk(path=other)
    assert f"another dpvs (pid {before}" in str(said.value)
    assert "--file-prefix" in str(said.value)
    assert pid(lab) == before
    assert served(lab)


def test_a_running_dpvs_is_not_ended_for_a_conf_that_would_not_start(lab: NetnsLab, walk: Walk) -> None:
    walk()
    before = pid(lab)
    lab.exec("lb1", ["sed -i 's/tx_queue_ids 0/tx_queue_ids 1/' /etc/dpvs.conf"])
    with pytest.raises(PlanError) as said:
        walk(action="restart")
    assert "the one that runs is left alone" in str(said.value)
    assert pid(lab) == before
    assert served(lab)


WRONG = {
    "a brace is missing": ("0,/^}/s/^}//", "F01", "ports in DPDK RTE (2) != ports in dpvs.conf(0)"),
    "a device is missing": ("/device dpdk1 {/,/^    }/d", "F01", "ports in DPDK RTE (2) != ports in dpvs.conf(1)"),
    "an lcore that isn't there": ("s/cpu_id 1/cpu_id 5/", "F06", "lcore_index_init failed"),
    "a queue left out": ("0,/tx_queue_ids 0/s/tx_queue_ids 0/tx_queue_ids 1/", "F05", "error code: -4"),
    "KNI without vhost-net": ("s/kni off/kni on/", "F08", "hotplug_add failed"),
    "no slave": ("s/type slave/type master/", "F05", "error code: -"),
}
"""What sed does to dpvs.conf, which known failure it is, and a part of what real dpvs says."""


@pytest.mark.parametrize("name", WRONG)
def test_a_conf_that_dpvs_refuses(lab: NetnsLab, walk: Walk, name: str) -> None:
    change, known, text = WRONG[name]
    if known == "F08" and Path("/dev/vhost-net").exists():
        pytest.skip("this machine has /dev/vhost-net")
    lab.exec("lb1", [f"{KILL}; sed -i {shlex.quote(change)} /etc/dpvs.conf"])
    with pytest.raises(launch.StartFailed) as said:
        walk()
    assert said.value.failure.known is not None
    assert said.value.failure.known.id == known, said.value.failure
    assert text in said.value.failure.error, said.value.failure
    assert said.value.remedy


ARGUMENTS = {
    "an interface that isn't there": ("s/iface=[^ ,]*/iface=nope/", "S04"),
    "no port at all": ("s/ --vdev=[^ ']*//g", "F02"),
    "too little memory": ("s/--huge-unlink --huge-dir=[^ ]*/--no-huge -m 64/", "F03"),
    "more lcores than CPUs": ("s/DPVS_ARGUMENTS=.*/DPVS_ARGUMENTS='-l 0-127 --no-pci'/", "F07"),
    "an option that DPDK doesn't know": ("s/--no-pci/--no-pcj/", "S03"),
}


@pytest.mark.parametrize("name", ARGUMENTS)
def test_arguments_that_dpdk_refuses(lab: NetnsLab, walk: Walk, name: str) -> None:
    change, known = ARGUMENTS[name]
    lab.exec("lb1", [f"{KILL}; sed -i {shlex.quote(change)} {DEFAULTS}"])
    with pytest.raises(launch.StartFailed) as said:
        walk()
    assert said.value.failure.known is not None
    assert said.value.failure.known.id == known, said.value.failure


def test_no_conf_and_no_program(lab: NetnsLab, walk: Walk, own: Path, tmp_path: Path) -> None:
    lab.exec("lb1", [f"{KILL}; rm /etc/dpvs.conf"])
    with pytest.raises(launch.StartFailed) as said:
        walk()
    assert said.value.failure.known is not None
    assert said.value.failure.known.id == "F01"
    lab.exec("lb1", ["cp -p /etc/good.conf /etc/dpvs.conf"])
    nowhere = tmp_path / "nowhere.yaml"
    nowhere.write_text(own.read_text().replace("    devices:", "    bin: /opt/nowhere\n    devices:", 1))
    with pytest.raises(launch.StartFailed) as said:
        walk(path=nowhere)
    assert said.value.failure.known is not None
    assert said.value.failure.known.id == "S01"


def test_a_line_that_dpvs_did_not_take_is_said(lab: NetnsLab, walk: Walk) -> None:
    lab.exec("lb1", [f"{KILL}; sed -i 's/promisc_mode/promisc_mod/; s/pktpool_size 65535/pktpool_size abc/' /etc/dpvs.conf"])
    hosts = walk()
    assert hosts.verdict == "converged"
    said = " ".join(hosts.told)
    assert "F75" in said
    assert "promisc_mod" in said
    assert "pktpool_size abc" in said
    lab.exec("lb1", [KILL])


def test_devices_that_dpvs_calls_otherwise(lab: NetnsLab, walk: Walk) -> None:
    lab.exec("lb1", [f"{KILL}; sed -i 's/device dpdk1/device dpdk7/; s/port dpdk1/port dpdk7/' /etc/dpvs.conf"])
    with pytest.raises(HostError) as said:
        walk()
    assert "has no dpdk1: its devices are dpdk0, dpdk7" in str(said.value)
    lab.exec("lb1", [KILL])


def test_params_have_the_last_word_on_the_arguments(lab: NetnsLab, walk: Walk, own: Path, tmp_path: Path) -> None:
    """A host without a file of its own is started with `start.arguments`."""
    words = start_words(lab)
    lab.exec("lb1", [f"{KILL}; rm {DEFAULTS}"])
    path = tmp_path / "arguments.yaml"
    path.write_text(own.read_text().replace("    lips:", f"    start: {{arguments: {words!r}}}\n    lips:", 1))
    params_module.load(path)
    hosts = walk(path=path)
    assert hosts.verdict == "converged"
    assert served(lab)


def start_words(lab: NetnsLab) -> list[str]:
    line = lab.exec("lb1", ["cat /etc/good.defaults"]).stdout.splitlines()[-1].partition("=")[2]
    return shlex.split(shlex.split(line)[0])


SYSTEMCTL = """\
#!/bin/sh
# As much of systemctl as is asked here: a lab's host has no systemd. The unit's dpvs is the lab's; frr.service is part of it.
up() { grep -qsx dpvs /proc/[0-9]*/comm; }
begin() { setsid lab-start-dpvs </dev/null >>/run/journal 2>&1 & echo active >/run/frr.state; }
end() { kill $(cat /run/dpvs.pid); while up; do sleep 0.02; done; echo inactive >/run/frr.state; }
verb=$1
[ "$2" != --no-block ] || shift
echo "$verb $2" >>/run/asked
case $verb in
  show)
    case $* in
      *ConsistsOf*) printf 'ConsistsOf=\\nBoundBy=frr.service\\n' ;;
      *) echo LoadState=loaded; if up; then echo ActiveState=active; else echo ActiveState=inactive; fi ;;
    esac ;;
  is-active) cat /run/frr.state ;;
  start) up || begin ;;
  stop) end ;;
  restart) end; begin ;;
  reset-failed) ;;
  *) exit 1 ;;
esac
"""


@pytest.fixture
def systemd(lab: NetnsLab) -> Iterator[None]:
    """A stand-in: no systemd runs in namespaces like these."""
    lab.exec(
        "lb1", [f"{KILL}; mkdir -p /run/systemd/system; echo inactive >/run/frr.state; cat >/usr/local/sbin/systemctl"], stdin=SYSTEMCTL
    )
    journal = "#!/bin/sh\ncat /run/journal\n"
    lab.exec("lb1", ["cat >/usr/local/sbin/journalctl; chmod 755 /usr/local/sbin/*ctl; rm -f /run/journal /run/asked"], stdin=journal)
    yield
    lab.exec("lb1", [f"{KILL}; rm -rf /run/systemd /usr/local/sbin/systemctl /usr/local/sbin/journalctl"])


@pytest.mark.usefixtures("systemd")
def test_by_the_unit_where_systemd_has_one(lab: NetnsLab, walk: Walk) -> None:
    def asked() -> list[str]:
        lines = lab.exec("lb1", ["cat /run/asked; rm -f /run/asked"]).stdout.splitlines()
        return [line for line in lines if line.split()[0] in ("start", "stop", "restart")]

    hosts = walk()
    assert hosts.verdict == "converged"
    assert served(lab)
    assert asked() == ["start dpvs.service"]
    assert walk(action="restart").verdict == "converged"
    assert asked() == ["restart dpvs.service"], "a stop and a start would leave frr down"
    assert served(lab)
    lab.exec("lb1", ["echo inactive >/run/frr.state"])
    assert "frr.service" in " ".join(walk().told)
    assert walk(action="stop").verdict == "converged"
    assert asked() == ["stop dpvs.service"]
    lab.exec("lb1", ["sed -i 's/cpu_id 1/cpu_id 5/' /etc/dpvs.conf"])
    with pytest.raises(launch.StartFailed) as said:
        walk()
    assert said.value.failure.known is not None
    assert said.value.failure.known.id == "F06"
    assert "journalctl -u dpvs" in str(said.value)
