"""Starting dpvs: what its log says and what is known of it, plans from plain data, and the steps on the emulated lab."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from dpvsbook import params as params_module
from dpvsbook import records
from dpvsbook.errors import DpvsbookError, ParamsError, ParseError, PlanError
from dpvsbook.facts import dpip_link
from dpvsbook.known import catalogue
from dpvsbook.starting import kni, launch, look, plans
from dpvsbook.starting.failures import complaints, explain
from dpvsbook.starting.look import Process, StartState
from dpvsbook.starting.place import Place
from dpvsbook.steps import start
from dpvsbook.steps.process.session import Start
from tests.steps.director import LINKS, route

if TYPE_CHECKING:
    from dpvsbook.lab.emulated import Lab

CASES: list[dict[str, Any]] = json.loads(Path(__file__).with_name("start_cases.json").read_text())
ARGV = ("dpvs", "-c", "/etc/dpvs.conf", "-x", "/var/run/dpvs.ipc", "--", "-l", "0-1", "--file-prefix=lb1")
HOW = plans.How(ARGV, source="the params' start.arguments")
DEVICES = ("dpdk0", "dpdk1")
WELL = StartState(
    Place(),
    pid_file="501",
    named=(501, "dpvs", "S"),
    processes=(Process(501, "S", 5, 4000, ARGV),),
    links=dpip_link.parse(LINKS),
    now=1_700_001_000,
    uptime=1000.0,
)
DEAD = replace(WELL, named=None, processes=(), links=None, said="[dpvs_getsockopt] scoket msg connection error: Connection refused")


# -- what a log says


@pytest.mark.parametrize("case", CASES, ids=[case["name"] for case in CASES])
def test_a_start_that_failed_is_explained(case: dict[str, Any]) -> None:
    failure = explain(case["text"])
    assert (failure.known.id if failure.known else None) == case["id"]
    assert case["cause"] in failure.cause
    assert failure.error
    if failure.known:
        assert failure.fix
        assert "{" not in failure.cause + failure.fix


def test_every_known_failure_has_a_case() -> None:
    """F09, F10 and F75 don't end a start; F74 is seen from the file's time."""
    fatal = {known.id for known in catalogue("start") if known.fatal}
    assert fatal == {case["id"] for case in CASES if case["id"]}
    assert {known.id for known in catalogue("start") if not known.fatal} == {"F09", "F10", "F74", "F75"}
    wanted = {f"F{number:02}" for number in range(1, 15)} | {"F74", "F75"}
    assert wanted <= {known.id for known in catalogue("start")}
    assert all(known.cause and known.fix for known in catalogue("start"))


def test_what_a_running_dpvs_complains_of_is_told_once() -> None:
    log = "CFG_FILE: not supported keyword -- promisc_mod\n" * 2 + "NETIF: invalid pktpool_size abc, using default 65535\n"
    log += "DPVS: Start dpdk1 failed, skipping ...\nEthdev port_id=0 invalid rss_hf: 0x3afbc, using default\nNETIF: all else is well\n"
    found = [(failure.known.id, failure.error) for failure in complaints(log) if failure.known]
    assert sorted(found) == [
        ("F10", "DPVS: Start dpdk1 failed, skipping ..."),
        ("F75", "CFG_FILE: not supported keyword -- promisc_mod"),
        ("F75", "NETIF: invalid pktpool_size abc, using default 65535"),
    ]


# -- what is to be done


def plan(state: StartState, action: plans.Action = "start", how: plans.How = HOW) -> plans.ProcessPlan:
    return plans.process("lb1", state, action, DEVICES, how)


def done(found: plans.ProcessPlan) -> list[tuple[str, str]]:
    return [(change.action, change.key) for change in found.plan.changes]


def test_a_dpvs_that_is_well_is_left_alone() -> None:
    assert done(plan(WELL)) == []
    assert plan(WELL).problems == ()
    assert done(plan(DEAD, "stop")) == []


def test_a_dead_one_is_started_and_a_running_one_restarted_or_ended() -> None:
    assert done(plan(DEAD)) == [("add", "dpvs")]
    assert plan(DEAD).plan.changes[0].commands == (ARGV,)
    assert done(plan(WELL, "restart")) == [("change", "dpvs")]
    assert plan(WELL, "restart").plan.changes[0].commands == (("kill", "-TERM", "501"), ARGV)
    assert done(plan(WELL, "stop")) == [("remove", "dpvs")]


@pytest.mark.parametrize(
    ("named", "said"),
    [((501, "sleep", "S"), "which is sleep"), ((501, "dpvs", "Z"), "not yet buried (zombie)"), ((501, "dpvs", "X"), "dead")],
)
def test_a_pid_file_that_would_keep_dpvs_from_starting_is_removed(named: tuple[int, str, str], said: str) -> None:
    found = plan(replace(DEAD, named=named))
    assert done(found) == [("remove", "/var/run/dpvs.pid"), ("add", "dpvs")]
    assert said in found.plan.changes[0].reason


def test_a_number_that_nobody_has_is_for_dpvs_to_remove() -> None:
    assert done(plan(replace(DEAD, pid_file="999", named=None))) == [("add", "dpvs")]


def test_a_zombie_is_dead_and_one_that_dies_is_waited_for() -> None:
    zombie, dying = Process(501, "Z", 1, 4000), Process(501, "Z", 4, 4000)
    assert replace(WELL, processes=(zombie,)).own is None
    assert replace(WELL, processes=(zombie,)).dying == ()
    assert replace(WELL, processes=(dying,)).dying == (dying,)
    losing_its_memory = Process(501, "R", 1, 4000)
    assert replace(WELL, processes=(losing_its_memory,)).own is None
    assert replace(WELL, processes=(losing_its_memory,)).dying == (losing_its_memory,)
    assert "waited for" in plan(replace(DEAD, processes=(dying,))).plan.changes[0].reason


def test_one_that_is_starting_is_waited_for_and_one_that_hangs_is_a_problem() -> None:
    young = replace(WELL, links=None, said="Connection refused", uptime=50.0)
    assert plan(young).wait
    assert done(plan(young)) == []
    old = replace(WELL, links=None, said="Connection refused")
    assert "its tools don't reach it" in plan(old).problems[0][0]
    down = replace(WELL, links=dpip_link.parse(LINKS.replace("UP", "DOWN", 1)))
    assert "dpdk0 not UP" in plan(down).problems[0][0]
    assert done(plan(down, "restart")) == [("change", "dpvs")]


def test_another_dpvs_in_the_way_is_a_problem_and_one_beside_a_note() -> None:
    other = Process(700, "S", 5, 4000, ("dpvs", "-x", "/run/other.ipc", "--", "--file-prefix", "lb1"))
    assert "has the DPDK prefix lb1" in plan(replace(DEAD, processes=(other,))).problems[0][0]
    beside = replace(other, argv=("dpvs", "-x", "/run/other.ipc", "--", "--file-prefix=lb2"))
    assert plan(replace(DEAD, processes=(beside,))).problems == ()
    assert plan(replace(DEAD, processes=(beside,))).notes == ("another dpvs runs here: pid 700, /run/other.ipc",)
    its_pid_file = replace(DEAD, pid_file="700", named=(700, "dpvs", "S"), processes=(beside,))
    assert "/var/run/dpvs.pid belongs to another dpvs (pid 700" in plan(its_pid_file).problems[0][0]
    alias = Process(501, "S", 5, 4000, ("dpvs", "-x", "/run/dpvs.ipc", "--"))
    assert replace(WELL, processes=(alias,)).own == alias, "/var/run is /run"


def test_by_the_unit_where_there_is_one() -> None:
    unit = {"LoadState": "loaded", "ActiveState": "active"}
    how = replace(HOW, by_unit=True)
    assert plan(replace(DEAD, unit=unit), how=how).plan.changes[0].commands == (("systemctl", "start", "dpvs"),)
    assert plan(replace(WELL, unit=unit), "stop", how).plan.changes[0].commands == (("systemctl", "stop", "dpvs"),)
    by_hand = {"LoadState": "loaded", "ActiveState": "inactive"}
    restarted = plan(replace(WELL, unit=by_hand), "restart", how).plan.changes[0].commands
    assert restarted == (("kill", "-TERM", "501"), ("systemctl", "start", "dpvs")), "the unit knows nothing of a dpvs started by hand"


SETTLING = [("activating", "inactive"), ("active", "activating"), ("active", "active"), ("active", "failed")]


def test_what_systemd_starts_after_dpvs_is_waited_for() -> None:
    """The restore, inactive with a job until dpvs's own start is through, would put there what the run puts there too."""
    lines = "unit LoadState=loaded\nunit ActiveState={}\nfollows dpvs-restore.service {}\n"
    seen = [look.parse("clock 1700000000 5120.33 100\n" + lines.format(*words), Place()).settling for words in SETTLING]
    assert seen == [True, True, False, False]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", None),
        ("# DPVS_ARGUMENTS=no\nOTHER=1\n", None),
        ("DPVS_ARGUMENTS=-l\n", ("-l",)),
        ("DPVS_ARGUMENTS='-l 0-1 -a 0000:06:00.0'\n", ("-l", "0-1", "-a", "0000:06:00.0")),
        ("""export DPVS_ARGUMENTS="--lcores '0@(0,1),1@2'"\n""", ("--lcores", "0@(0,1),1@2")),
    ],
)
def test_a_hosts_own_arguments(text: str, words: tuple[str, ...] | None) -> None:
    assert plans.given(text) == words


def test_a_line_that_the_look_did_not_print_is_an_error() -> None:
    with pytest.raises(ParseError):
        look.parse("clock 1 2 3\nwhat is this\n", Place())


# -- KNI

KERNEL = """\
1: lo: <LOOPBACK,UP,LOWER_UP> mtu 65536 qdisc noqueue state UNKNOWN group default qlen 1000
    link/loopback 00:00:00:00:00:00 brd 00:00:00:00:00:00
    inet 127.0.0.1/8 scope host lo
       valid_lft forever preferred_lft forever
7: dpdk1.kni: <BROADCAST,MULTICAST,UP,LOWER_UP> mtu 1500 qdisc noqueue state UP group default qlen 1000
    link/ether 02:a8:7d:f7:20:fc brd ff:ff:ff:ff:ff:ff
5: dpdk0.kni@if6: <BROADCAST,MULTICAST> mtu 1500 qdisc noqueue state DOWN group default qlen 1000
    link/ether 02:a8:7d:f7:20:fd brd ff:ff:ff:ff:ff:ff link-netnsid 0
"""


@pytest.fixture(scope="module")
def kni_params(params_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("kni") / "params.yaml"
    text = (
        params_file.read_text().replace("  load: {requests: 100, rate: 20}\n", "").replace("name: dpdk0, ", "name: dpdk0, kni: dpdk0.kni, ")
    )
    extra = "    routes: [{to: 192.168.100.28/32, device: dpdk0, scope: kni_host}]\n"
    path.write_text(text.replace("    lips:", f"{extra}    lips:", 1))
    return path


def test_kni_devices_come_up_with_their_addresses_and_routes(kni_params: Path) -> None:
    wanted = params_module.load(kni_params)
    made, problems = kni.plan(wanted, wanted.directors[0], KERNEL, "")
    assert [change.commands[0] for change in made.changes] == [
        ("ip", "addr", "add", "192.168.100.28/24", "dev", "dpdk0.kni"),
        ("ip", "link", "set", "dpdk0.kni", "up"),
        ("dpip", "route", "add", "192.168.100.28/32", "scope", "kni_host", "dev", "dpdk0"),
    ]
    assert problems == ()
    kernel = KERNEL.replace("<BROADCAST,MULTICAST>", "<BROADCAST,UP>") + "    inet 192.168.100.28/24 scope global dpdk0.kni\n"
    made, problems = kni.plan(wanted, wanted.directors[0], kernel, route("192.168.100.28/32", "dpdk0", scope="kni_host"))
    assert (made.changes, problems) == ((), ())


def test_an_address_that_dpvs_has_itself_never_reaches_the_kernel(kni_params: Path) -> None:
    wanted = params_module.load(kni_params)
    _, problems = kni.plan(wanted, wanted.directors[0], KERNEL, route("192.168.100.28/32", "dpdk0", scope="host"))
    assert "dpip addr del 192.168.100.28/24 dev dpdk0" in problems[0]
    _, problems = kni.plan(wanted, wanted.directors[0], "", "")
    assert "dpdk0.kni is not there" in problems[0]


def test_kni_addresses_of_keepalived_and_ospf() -> None:
    folder = Path(__file__).parents[2] / "params"
    by_vrrp = params_module.load(folder / "fnat-keepalived.yaml")
    (node,) = [one for one in kni.wanted(by_vrrp, by_vrrp.directors[0]) if one.addresses]
    assert node.handed_on == (kni.host(node.addresses[0]),)
    by_ospf = params_module.load(folder / "fnat-ospf.yaml")
    (peer,) = [one for one in kni.wanted(by_ospf, by_ospf.directors[0]) if one.addresses]
    assert peer.handed_on == (), "DPVS has the interconnect itself, and OSPF reaches the kernel anyway"


# -- on the emulated lab

Walk = Callable[..., Start]


@pytest.fixture
def lab(lab_of: Callable[[str], Lab], kni_params: Path) -> Lab:
    return lab_of(kni_params.read_text())


@pytest.fixture
def walk(lab: Lab, kni_params: Path, tmp_path: Path) -> Iterator[Walk]:
    def run(mode: str = "apply", **more: Any) -> Start:
        path = more.pop("path", kni_params)
        hosts = start.open(path, mode, ssh_config=lab.ssh_config, outputs=tmp_path / "outputs", **more)
        try:
            for step in (start.unmanaged, start.dpvs, start.kni, start.state, start.verify):
                step(hosts)
        finally:
            hosts.finish()
        return hosts

    yield run
    lab.inject("lb1", "none")


def test_from_a_dead_dpvs_to_real_requests_and_again(lab: Lab, walk: Walk) -> None:
    lab.exec("lb1", ["kill -9 $(cat /run/dpvs.pid); ip link set dpdk0.kni down"])
    assert walk("preview").verdict == "changes-pending"
    hosts = walk()
    assert (hosts.verdict, hosts.applied) == ("converged", 4 + 8)  # dpvs and the KNI device; the state
    assert "10.0.0.100:80" in lab.exec("lb1", ["ipvsadm -ln"]).stdout
    assert "192.168.100.28/24" in lab.exec("lb1", ["ip addr show dpdk0.kni"]).stdout
    again = walk()
    assert (again.verdict, again.applied) == ("converged", 0)
    document = records.read(hosts.record.path).document
    assert {(change["kind"], change["result"]) for change in document["changes"]} >= {("process", "read back"), ("kni-route", "read back")}


def test_restart_and_stop_end_the_process_and_say_so(lab: Lab, walk: Walk) -> None:
    walk()
    before = lab.exec("lb1", ["cat /run/dpvs.pid"]).stdout
    lab.exec("lb1", ["ipvsadm -A -t 10.0.0.77:81 -s wrr; ipvsadm -a -t 10.0.0.77:81 -r 192.168.100.2:80 -b -w 7"])
    hosts = walk(action="restart")
    assert hosts.verdict == "converged"
    assert lab.exec("lb1", ["cat /run/dpvs.pid"]).stdout != before
    assert "10.0.0.77:81" in hosts.told[0]
    assert walk(keep=True).verdict == "converged"
    assert "192.168.100.2:80             FullNat 7" in lab.exec("lb1", ["ipvsadm -ln -t 10.0.0.77:81"]).stdout
    assert walk(action="stop").verdict == "converged"
    assert lab.exec("lb1", ["grep -lsx dpvs /proc/[0-9]*/comm"]).stdout == ""


WRONG = {
    "F01": ("s/^ *<init> device dpdk1 {/    bogus {/", ""),
    "F02": ("", "-a 0000:99:00.0"),
    "F03": ("s/pktpool_size .*/pktpool_size 67108863/", ""),
    "F05": ("s/rx_queue_ids 0/rx_queue_ids 1/", ""),
    "F06": ("s/cpu_id 1/cpu_id 9/", "-l 0-1"),
    "F07": ("", "-l 0-9"),
    "F13": ("", ""),
    "S03": ("", "--bogus"),
}


@pytest.mark.parametrize("known", [name for name in WRONG if name != "F13"])
def test_a_mistake_is_named_with_its_fix(lab: Lab, walk: Walk, known: str) -> None:
    change, arguments = WRONG[known]
    lab.exec("lb1", ["kill -9 $(cat /run/dpvs.pid); while [ -e /proc/$(cat /run/dpvs.pid) ]; do :; done"])
    if change:
        lab.exec("lb1", [f"sed -i '{change}' /etc/dpvs.conf"])
    if arguments:
        lab.exec("lb1", [f"mkdir -p /etc/default; echo \"DPVS_ARGUMENTS='{arguments}'\" >/etc/default/dpvs"])
    with pytest.raises(launch.StartFailed) as said:
        walk()
    assert said.value.failure.known is not None, said.value
    assert said.value.failure.known.id == known, said.value
    assert said.value.remedy


def test_kni_without_vhost_net(lab: Lab, walk: Walk) -> None:
    lab.exec("lb1", ["kill -9 $(cat /run/dpvs.pid); rm /dev/vhost-net; sed -i 's/kni off/kni on/' /etc/dpvs.conf"])
    with pytest.raises(launch.StartFailed) as said:
        walk()
    assert "add KNI port fail" in lab.exec("lb1", ["cat /var/log/dpvs.log"]).stdout
    assert said.value.failure.known is not None
    assert said.value.failure.known.id == "F08"


def test_a_pid_file_of_another_program(lab: Lab, walk: Walk) -> None:
    lab.exec("lb1", ["kill -9 $(cat /run/dpvs.pid); echo 1 >/run/dpvs.pid"])
    assert "already running" in lab.exec("lb1", ["dpvs"]).stderr
    hosts = walk()
    assert hosts.verdict == "converged"


def test_a_dead_dpvs_and_a_new_one_are_told(lab: Lab, walk: Walk) -> None:
    walk()
    lab.inject("lb1", "dpvs-kill")
    assert "dpvs is dead" in walk("preview").told[0]
    lab.inject("lb1", "dpvs-start")
    lab.exec("lb1", ["touch -d 2020-01-01 /run/dpvs.pid"])  # another second
    hosts = walk()
    assert hosts.told == [] or "started anew" in hosts.told[0]
    assert hosts.verdict == "converged"


def test_a_running_dpvs_is_not_ended_for_a_conf_that_would_not_start(lab: Lab, walk: Walk) -> None:
    walk()
    before = lab.exec("lb1", ["cat /run/dpvs.pid; sed -i 's/rx_queue_ids 0/rx_queue_ids 1/' /etc/dpvs.conf"]).stdout
    with pytest.raises(PlanError, match="the one that runs is left alone"):
        walk(action="restart")
    assert lab.exec("lb1", ["cat /run/dpvs.pid"]).stdout == before


def test_networkmanager_is_kept_off_where_it_is(lab: Lab, walk: Walk) -> None:
    assert walk().applied == 2 + 8  # the KNI device's address and its route; the state
    lab.exec("lb1", ["mkdir -p /etc/NetworkManager/conf.d"])
    assert walk().applied == 1
    text = lab.exec("lb1", [f"cat {look.NM_FILE}"]).stdout
    assert "unmanaged-devices+=interface-name:dpdk0.kni;interface-name:dpdk1.kni" in text
    assert walk().applied == 0


def test_a_cut_connection_is_gone_on_with(lab: Lab, walk: Walk) -> None:
    lab.exec("lb1", ["kill -9 $(cat /run/dpvs.pid)"])
    for tools in range(1, 5):
        lab.inject("lb1", "cut", str(tools))
        try:
            walk()
        except DpvsbookError:
            continue
    lab.inject("lb1", "none")
    assert walk().verdict == "converged"


def test_ctrl_c_leaves_a_dpvs_that_the_next_run_finds(lab: Lab, walk: Walk, monkeypatch: pytest.MonkeyPatch) -> None:
    lab.exec("lb1", ["kill -9 $(cat /run/dpvs.pid)"])
    with monkeypatch.context() as patch:
        patch.setattr(launch, "wait_ready", lambda *_, **__: signal.raise_signal(signal.SIGINT))
        with pytest.raises(KeyboardInterrupt):
            walk()
    assert walk().verdict == "converged"


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"mode": "undo"}, "action = 'stop'"),
        ({"action": "reload"}, "is not one of start, restart, stop"),
        ({"keep": True}, "prune removes it"),
    ],
)
def test_what_makes_no_sense_is_refused(kni_params: Path, tmp_path: Path, more: dict[str, Any], said: str) -> None:
    path = tmp_path / "prune.yaml"
    path.write_text(kni_params.read_text().replace("prune: false", "prune: true"))
    with pytest.raises(ParamsError) as refused:
        start.open(path, **more)
    assert said in str(refused.value)


def test_some_directors_of_a_cluster(lab: Lab, walk: Walk, kni_params: Path, tmp_path: Path) -> None:
    """The other one is not even reached: this lab has none of that name."""
    two = tmp_path / "two.yaml"
    text = kni_params.read_text()
    begin, end = text.index("  - name: lb1"), text.index("hosts:")
    second = text[begin:end].replace("lb1", "lb2").replace("06:00", "07:00").replace("100.200", "100.201").replace("100.28", "100.29")
    two.write_text(text[:end].rstrip() + "\n" + second + text[end:])
    hosts = walk(path=two, only="lb1")
    assert (hosts.verdict, hosts.directors) == ("converged", ["lb1"])
    with pytest.raises(ParamsError, match="lb9 is no director"):
        walk(path=two, only="lb9")


def test_a_conf_that_is_newer_than_its_dpvs_is_said(lab: Lab, walk: Walk) -> None:
    lab.exec("lb1", ["touch -d 2037-01-01 /etc/dpvs.conf"])
    hosts = walk()
    assert hosts.verdict == "converged"
    assert "F74" in hosts.told[0]


@pytest.mark.parametrize(
    ("setting", "code", "said"),
    [
        ("action=stop", 0, "converged: 1 changes made"),
        ("action=3", 4, "action"),
        ("nosuch=3", 4, "nosuch"),
        ("action", 2, "NAME=VALUE"),
    ],
)
def test_the_notebook_with_another_parameter(lab: Lab, kni_params: Path, tmp_path: Path, setting: str, code: int, said: str) -> None:
    notebook = Path(__file__).parents[2] / "notebooks" / "start.ipynb"
    argv = [sys.executable, "-m", "dpvsbook", "run", str(notebook), str(kni_params), "--apply", "--set", setting]
    argv += ["--ssh-config", str(lab.ssh_config), "--outputs", str(tmp_path / "outputs")]
    ended = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert (ended.returncode, said in ended.stdout + ended.stderr) == (code, True), ended.stdout + ended.stderr
