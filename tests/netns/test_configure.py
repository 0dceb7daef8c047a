"""`configure` on a real host with a real dpvs: huge pages of this machine, a reload that dpvs takes, units and restore.sh that work, undo.

What needs a PCI bus, modules or a driver is in test_configure_host.py, with those faked.
"""

from __future__ import annotations

import os
import shlex
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from dpvsbook import steps
from dpvsbook.book import open_book
from dpvsbook.errors import PlanError
from dpvsbook.lab.netns import NetnsLab
from dpvsbook.steps import configure
from dpvsbook.steps.setup.session import Prepared

pytestmark = [pytest.mark.root, pytest.mark.dpvs]

START = "start: {flow: false}"
PAGES = Path("/sys/devices/system/node/node0/hugepages/hugepages-2048kB/nr_hugepages")
GONE = "for i in $(seq 100); do grep -qsx dpvs /proc/[0-9]*/comm || exit 0; sleep 0.1; done; exit 1"
Open = Callable[..., Prepared]


@pytest.fixture(scope="module")
def lab(params_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[NetnsLab]:
    folder = tmp_path_factory.mktemp("configure")
    pages = PAGES.read_text()
    with NetnsLab.up(own(params_file, folder), folder / "lab") as lab:
        lab.exec("lb1", ["cp /etc/dpvs.conf /root/dpvs.conf"])
        yield lab
    assert PAGES.read_text() == pages


def own(params_file: Path, folder: Path, start: str = START) -> Path:
    """The two-arm cluster under a name of its own. af_packet has no rte_flow, so the flow director is off."""
    path = folder / "own.yaml"
    text = params_file.read_text().replace("name: fnat-two-arm", f"name: configure-{os.getpid()}")
    path.write_text(text.replace("    lips:", f"    {start}\n    lips:", 1))
    return path


@pytest.fixture
def conf(lab: NetnsLab) -> Iterator[None]:
    """dpvs.conf and dpvs as they were, after a test that changes them."""
    yield
    lab.exec("lb1", ["cp /root/dpvs.conf /etc/dpvs.conf; rm -rf /run/dpvsbook; kill -HUP $(cat /var/run/dpvs.pid)"])


@pytest.fixture
def opened(lab: NetnsLab, params_file: Path, tmp_path: Path) -> Open:
    """Opens the hosts: `opened("apply", "start: {…}")`; the records are the test's own."""

    def make(mode: str, start: str = START) -> Prepared:
        return configure.open(own(params_file, tmp_path, start), mode, ssh_config=lab.ssh_config, outputs=tmp_path / "outputs")

    return make


def left(lab: NetnsLab, path: Path) -> int:
    """How many changes the main notebook would make."""
    book = open_book(path, "preview", ssh_config=lab.ssh_config, outputs=path.parent / "book")
    view = book.perform(steps.converge)
    book.close()
    return view.changes


def restart(lab: NetnsLab) -> None:
    """Kill dpvs, and start it again: everything in its memory is gone."""
    assert lab.exec("lb1", [f"kill -9 $(cat /var/run/dpvs.pid); {GONE}"], timeout=20).exit == 0
    lab.start_dpvs("lb1")


def test_huge_pages_of_this_machine_and_back(lab: NetnsLab, opened: Open):
    before = int(PAGES.read_text())
    start = f"start: {{flow: false, hugepages_mb: {2 * before + 16}}}"
    try:
        hosts = opened("apply", start)
        assert "are" in repr(configure.pages(hosts))
        assert hosts.finish().badge == "converged"
        assert int(PAGES.read_text()) == before + 8
        assert f"- - - - {before + 8}" in lab.exec("lb1", ["cat /etc/tmpfiles.d/dpvsbook-hugepages.conf"]).stdout
        hosts = opened("apply", start)
        assert "nothing to do" in repr(configure.pages(hosts))
        hosts.finish()
        hosts = opened("undo", start)
        assert "planned" in repr(configure.pages(hosts))
        assert hosts.finish().badge == "converged"
        assert int(PAGES.read_text()) == before
        assert lab.exec("lb1", ["ls /etc/tmpfiles.d/dpvsbook-hugepages.conf"]).exit != 0
    finally:
        PAGES.write_text(str(before))


def test_more_huge_pages_than_memory_are_refused(opened: Open):
    hosts = opened("apply", "start: {flow: false, hugepages_mb: 4000000}")
    before = PAGES.read_text()
    with pytest.raises(PlanError, match="MB of memory are available"):
        configure.pages(hosts)
    assert hosts.finish().badge == "failed"
    assert PAGES.read_text() == before


@pytest.mark.usefixtures("conf")
def test_a_reload_reaches_the_running_dpvs_and_no_connection_is_lost(lab: NetnsLab, opened: Open):
    """A connection that was there stays; the next one has the new timeout."""
    hosts = opened("apply")
    configure.restore(hosts)
    hosts.finish()
    assert lab.exec("lb1", ["sh /etc/dpvsbook/restore.sh"]).exit == 0
    assert connection(lab, 41001) == "90s"
    pid = lab.exec("lb1", ["cat /var/run/dpvs.pid"]).stdout
    hosts = opened("apply", "start: {flow: false, settings: {ipvs_defs.tcp.timeout.established: 33}}")
    shown = repr(configure.conf(hosts))
    assert "established: 90 -> 33 (reload)" in shown
    assert "kill -HUP $(cat /var/run/dpvs.pid)" in shown
    assert hosts.finish().badge == "converged"
    log = (hosts.record.path / "journal.jsonl").read_text()
    assert "can't be told whether dpvs read" not in log
    assert lab.exec("lb1", ["cat /var/run/dpvs.pid"]).stdout == pid
    logged(lab, "tcp_timeout_established = 33")
    assert connection(lab, 41002) == "33s"
    assert ":41001" in lab.exec("lb1", ["ipvsadm -lnc"]).stdout
    hosts = opened("undo", "start: {flow: false, settings: {ipvs_defs.tcp.timeout.established: 33}}")
    assert "kill -HUP" in repr(configure.conf(hosts))
    assert hosts.finish().badge == "converged"
    assert connection(lab, 41003) == "90s"


def logged(lab: NetnsLab, text: str) -> None:
    """Until dpvs says it in its log: it acts on the file a moment after it has read it."""
    deadline = time.monotonic() + 5
    while lab.exec("lb1", [f"grep -q '{text}' /var/log/dpvs.log"]).exit:
        assert time.monotonic() < deadline, text


def connection(lab: NetnsLab, port: int) -> str:
    """A connection from a port of the client that stays open for a while; the timeout that dpvs has for it."""
    script = f"""import socket, time
s = socket.create_connection(("10.0.0.100", 80), 3, ("10.0.0.48", {port}))
print("up", flush=True)
time.sleep(20)"""
    lab.exec("client", [f"{sys.executable} -c {shlex.quote(script)} </dev/null >/dev/null 2>/tmp/connection &"])
    deadline = time.monotonic() + 5
    while True:
        rows = [line for line in lab.exec("lb1", ["ipvsadm -lnc"]).stdout.splitlines() if f":{port} " in line and " TCP_EST " in line]
        if rows or time.monotonic() > deadline:
            assert rows, lab.exec("client", ["cat /tmp/connection; ss -tan"]).stdout + lab.exec("lb1", ["ipvsadm -lnc"]).stdout
            return rows[0].split()[1]


@pytest.mark.usefixtures("conf")
def test_what_needs_a_restart_is_said_until_it_was_restarted(lab: NetnsLab, opened: Open):
    start = "start: {flow: false, settings: {netif_defs.pktpool_cache: 128, ipvs_defs.conn.conn_init_timeout: 9}}"
    said = "Needs a restart of dpvs, which this does not do: netif_defs.pktpool_cache; every connection"
    assert said in repr(configure.conf(opened("preview", start)))
    hosts = opened("apply", start)
    assert said in repr(configure.conf(hosts))
    assert hosts.finish().badge == "converged"
    shown = repr(configure.conf(opened("preview", start)))
    assert "nothing to do" in shown
    assert "dpvs still runs without what an earlier change needs a restart for: netif_defs.pktpool_cache" in shown
    restart(lab)
    shown = repr(configure.conf(opened("preview", start)))
    assert "nothing to do" in shown
    assert "restart" not in shown


@pytest.mark.usefixtures("conf")
def test_a_file_that_was_changed_by_hand_is_read_by_dpvs(lab: NetnsLab, opened: Open):
    """Whether dpvs was told isn't known, and telling it costs nothing."""
    lab.exec("lb1", ["sed -i 's/fin_wait 7/fin_wait 8/' /etc/dpvs.conf"])
    hosts = opened("apply")
    assert "has not read the file since it was changed" in repr(configure.conf(hosts))
    assert hosts.finish().badge == "converged"
    logged(lab, "tcp_timeout_fin_wait = 8")
    assert "nothing to do" in repr(configure.conf(opened("preview")))


def test_the_units_commands_start_dpvs_and_the_restore_fills_it(lab: NetnsLab, opened: Open, tmp_path: Path):
    """What systemd would run, in its order; then the main notebook has nothing to do, and real requests are answered."""
    given = shlex.split(lab.exec("lb1", ["tail -1 /usr/local/sbin/lab-start-dpvs"]).stdout)
    eal = given[given.index("--") + 1 :]
    start = f"bin: {os.environ['DPVSBOOK_DPVS']}\n    start: {{flow: false, arguments: {[f'{word}' for word in joined(eal)]}}}"
    hosts = opened("apply", start)
    configure.units(hosts)
    configure.restore(hosts)
    assert hosts.finish().badge == "converged"
    unit = lab.exec("lb1", ["cat /etc/systemd/system/dpvs.service"]).stdout
    assert lab.exec("lb1", [f"kill -9 $(cat /var/run/dpvs.pid); rm -f /var/run/dpvs.pid; {GONE}"], timeout=20).exit == 0
    run = f"{command(unit, 'ExecStart')} </dev/null >/dev/null 2>&1 & MAINPID=$!; export MAINPID; {command(unit, 'ExecStartPost')}"
    assert lab.exec("lb1", [run], timeout=60).exit == 0
    assert left(lab, tmp_path / "own.yaml") > 0
    ended = lab.exec("lb1", [command(lab.exec("lb1", ["cat /etc/systemd/system/dpvs-restore.service"]).stdout, "ExecStart")], timeout=60)
    assert (ended.exit, ended.stdout) == (0, "put back: 9 things, and read back\n")
    assert left(lab, tmp_path / "own.yaml") == 0
    asked = lab.exec("client", ["for i in 1 2 3 4; do curl -sS -m 3 http://10.0.0.100/; done"])
    assert asked.stdout.count("saw 192.168.100.200") == 4
    again = lab.exec("lb1", ["sh /etc/dpvsbook/restore.sh"])
    assert (again.exit, again.stdout) == (0, "all of it is there\n")


def joined(words: list[str]) -> Iterator[str]:
    """Options with their values behind an = rather than a blank, as the params take them."""
    rest = iter(words)
    for word in rest:
        yield f"{word}={next(rest)}" if word in ("--lcores", "--main-lcore") else word


def command(unit: str, key: str) -> str:
    """A command of a unit, for a shell: systemd's quotes, % and $ taken as systemd takes them."""
    line = next(line for line in unit.splitlines() if line.startswith(f"{key}="))
    return shlex.join(word.replace("%%", "%").replace("$$", "$") for word in shlex.split(line.removeprefix(f"{key}=")))


def test_a_restore_that_does_not_work_says_what_is_missing(lab: NetnsLab, opened: Open):
    """A LIP that was put there by hand has no pool: every command of the restore says success, and nothing would flow (transcript 12)."""
    hosts = opened("apply")
    configure.restore(hosts)
    hosts.finish()
    restart(lab)
    lab.exec("lb1", ["dpip addr add 192.168.100.200/32 dev dpdk0"])
    ended = lab.exec("lb1", ["sed 's/-le 10 /-le 1 /' /etc/dpvsbook/restore.sh | sh"])
    assert ended.exit == 1
    assert ended.stderr.endswith("everything was sent, and this is not there:\npool 192.168.100.200/32 dev dpdk0\n")
    restart(lab)
    assert lab.exec("lb1", ["sh /etc/dpvsbook/restore.sh"]).exit == 0


MORE = """
  - name: options
    vip: 10.0.0.100
    network: wan
    port: 8080
    scheduler: wrr
    persistent: 60
    netmask: 255.255.255.0
    synproxy: true
    conn_timeout: 100
    proxy_protocol: v2
    expire_quiescent: true
    real_servers: [{host: rs1, port: 8080, weight: 5, upper: 100, lower: 50}]
  - name: hash
    vip: 10.0.0.101
    network: wan
    port: 443
    scheduler: conhash
    hash_target: sip
    real_servers: [{host: rs2, port: 443, weight: 0}]
  - name: dns
    vip: 10.0.0.101
    network: wan
    port: 53
    protocol: udp
    scheduler: wlc
    real_servers: [{host: rs2, port: 53, weight: 3}]
"""


def test_a_restore_of_services_with_options(lab: NetnsLab, params_file: Path, tmp_path: Path):
    """Every option that the params have is put back, read back, and leaves the main notebook nothing to do."""
    path = own(params_file, tmp_path)
    path.write_text(path.read_text().replace("\nchecks:", f"{MORE}\nchecks:", 1))
    hosts = configure.open(path, "apply", ssh_config=lab.ssh_config, outputs=tmp_path / "outputs")
    configure.restore(hosts)
    hosts.finish()
    restart(lab)
    ended = lab.exec("lb1", ["sh /etc/dpvsbook/restore.sh"], timeout=60)
    assert ended.exit == 0, ended.stderr
    assert left(lab, path) == 0


def test_a_restore_without_dpvs_fails(lab: NetnsLab):
    """It waits for the links no longer than is told, and sends nothing."""
    shortened = "sed 's/-le 90/-le 1/' /etc/dpvsbook/restore.sh | DPVS_IPC_FILE=/none sed 's#/var/run/dpvs.ipc#/none#' | sh"
    ended = lab.exec("lb1", [shortened])
    assert (ended.exit, ended.stderr) == (1, "dpvs has not brought 2 links up\n")
