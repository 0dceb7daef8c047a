"""CPUs, the reload, restore.sh, the way back: plans from plain data, and the scripts where the machine's own sh can run them."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from dpvsbook import params as params_module
from dpvsbook.conf.write import write
from dpvsbook.facts import director as director_facts
from dpvsbook.facts import ipvsadm_list, setup
from dpvsbook.facts.setup import Dpvs, File
from dpvsbook.facts.setup_look import reload_script, script
from dpvsbook.hostplan import HostChange, undo
from dpvsbook.params import Params
from dpvsbook.steps import converge
from dpvsbook.steps.service import observed_value
from dpvsbook.steps.setup import restore
from dpvsbook.steps.setup.command import eal
from dpvsbook.steps.setup.conf import plan_conf
from dpvsbook.steps.setup.cpus import plan_cpus
from dpvsbook.steps.setup.units import plan_units, unit_files
from dpvsbook.steps.setup.wanted import wanted_conf
from tests.conf.made import small
from tests.steps.setup_site import HOST, cpus, with_conf, with_start

CAPTURES = Path(__file__).parents[1] / "facts" / "captures" / "ipvsadm_list"


@pytest.fixture(scope="module")
def params(params_file: Path) -> Params:
    return params_module.load(params_file)


# -- CPUs

TWO_NODES = [(i, i // 4, i % 4) for i in range(8)]
THREADS = [(0, 0, 0), (1, 0, 1), (2, 0, 2), (3, 0, 0), (4, 0, 1), (5, 0, 2)]


@pytest.mark.parametrize(
    ("host", "workers", "said"),
    [
        (cpus(*TWO_NODES), 1, "0@1,1@2"),
        (cpus(*TWO_NODES), 2, "0@1,1@2,2@3"),
        (cpus(*TWO_NODES), 3, "0@1,1@2,2@3,3@4"),
        (cpus(*TWO_NODES, isolated=frozenset({2, 3})), 1, "0@2,1@3"),
        (cpus(*THREADS), 1, "0@1,1@2"),
        (cpus(*THREADS), 3, "0@1,1@2,2@4,3@5"),
    ],
    ids=["the NICs' node", "three", "the other node last", "isolated ones", "one of each core", "both of a core last"],
)
def test_each_lcore_has_a_cpu_near_its_nics_and_never_cpu_0s_core(params: Params, host: dict[str, Any], workers: int, said: str):
    wanted, state = with_start(params, workers=workers), replace(HOST, **host)
    director = wanted.directors[0]
    assert eal(director, wanted_conf(director, state), state)[:2] == ("--lcores", said)
    plan = plan_cpus(wanted, director, state)
    assert plan.changes == ()
    assert len([note for note in plan.notes if note.startswith("lcore ")]) == workers + 1
    bare = not host["isolated"]
    assert any("isolcpus=" in note for note in plan.notes) is bare


def test_too_few_cpus_are_said(params: Params):
    state = replace(HOST, **cpus((0, 0, 0), (1, 0, 1)))
    director = params.directors[0]
    assert "too few" in plan_cpus(params, director, state).notes[0]
    assert eal(director, wanted_conf(director, state), state)[:2] == ("-l", "0,1")


# -- the running dpvs


@pytest.mark.parametrize(
    ("lines", "wanted"),
    [
        ([], None),
        (["dpvs 77 1234 no abc"], Dpvs(77, True)),
        (["dpvs 77 1234 yes abc"], Dpvs(77, False)),
        (["dpvs 77 1234 yes abc", "loaded 77 1234 abc"], Dpvs(77, True)),
        (["dpvs 77 1234 yes abc", "loaded 77 1234 other"], Dpvs(77, False)),
        (["dpvs 77 1234 no abc", "loaded 76 1000 abc", "loaded worker cpu1"], Dpvs(77, True)),
        (["dpvs 77 1234 yes abc", "loaded 77 1234 abc", "loaded worker cpu1"], Dpvs(77, True, ("worker cpu1",))),
    ],
)
def test_whether_dpvs_has_read_its_file(lines: list[str], wanted: Dpvs | None):
    """What is noted of another process, an earlier dpvs say, counts for nothing."""
    assert setup.parse("".join(f"{line}\n" for line in lines)).dpvs == wanted


def test_what_else_the_look_shows():
    state = setup.parse("available 2048000\ncpu 1 0 0 1\nisolated 2-3,8\nsystemd stale\n")
    assert (state.available_mb, state.topology[0].place, sorted(state.isolated), state.systemd) == (2000, (0, 1), [2, 3, 8], "stale")


def test_a_reload_only_for_a_running_dpvs_and_only_once(params: Params):
    wanted = with_start(params, settings={"neigh_defs.timeout": 99, "netif_defs.pktpool_cache": 128})
    there = write(small(2, sa_pool__flow_enable=True))

    def kinds(dpvs: Dpvs | None) -> list[str]:
        return [change.kind for change in plan_conf(wanted, wanted.directors[0], with_conf(there, dpvs=dpvs)).changes]

    assert kinds(None) == ["file"]
    assert kinds(Dpvs(7, has_read=True)) == ["file", "reload"]
    plan = plan_conf(wanted, wanted.directors[0], with_conf(there, dpvs=Dpvs(7, has_read=True, restart=("worker cpu1",))))
    assert plan.changes[1].reason == "dpvs takes neigh_defs.timeout without losing a connection"
    assert (plan.changes[1].after or {})["restart"] == ["worker cpu1", "netif_defs.pktpool_cache"]
    assert plan.notes[0].startswith("Needs a restart of dpvs, which this does not do: netif_defs.pktpool_cache; every connection")
    assert plan.notes[1] == "dpvs still runs without what an earlier change needs a restart for: worker cpu1"


@pytest.fixture
def fake_dpvs(tmp_path: Path) -> Iterator[Any]:
    """Starts a process by the name of dpvs that does this on SIGHUP; its conf, pid file and note are in the folder."""
    started: list[subprocess.Popen[bytes]] = []

    def start(on_hup: str, name: str = "dpvs") -> None:
        (tmp_path / "dpvs.conf").write_text("! the file\n")
        program = tmp_path / name
        program.write_text(f"#!/bin/sh\ntrap '{on_hup}' HUP\necho up\nwhile :; do sleep 0.05; done\n")
        program.chmod(0o755)
        process = subprocess.Popen([program], stdout=subprocess.PIPE, cwd=tmp_path)
        started.append(process)
        assert process.stdout
        process.stdout.readline()  # its trap is set
        (tmp_path / "dpvs.pid").write_text(f"{process.pid}\n")

    yield start
    for process in started:
        process.send_signal(signal.SIGKILL)
        process.wait()


def reload(folder: Path) -> subprocess.CompletedProcess[str]:
    text = reload_script(str(folder / "dpvs.pid"), str(folder / "dpvs.conf"), str(folder / "run" / "dpvs.loaded"), ["worker cpu1", "it's"])
    return subprocess.run(["sh", "-c", text], capture_output=True, text=True, check=False)


@pytest.mark.skipif(not Path("/proc/self/comm").exists(), reason="needs Linux's /proc")
class TestReload:
    """The script, under this machine's sh."""

    def test_one_that_reads_its_file(self, fake_dpvs: Any, tmp_path: Path):
        fake_dpvs("cat dpvs.conf >/dev/null")
        ended = reload(tmp_path)
        assert (ended.returncode, ended.stderr) == (0, "")
        pid = (tmp_path / "dpvs.pid").read_text().strip()
        noted = (tmp_path / "run" / "dpvs.loaded").read_text().splitlines()
        assert (noted[0].split()[0], noted[1:]) == (pid, ["worker cpu1", "it's"])

    def test_one_that_does_not(self, fake_dpvs: Any, tmp_path: Path):
        fake_dpvs("")
        ended = reload(tmp_path)
        if "can't be told" in ended.stdout:
            pytest.skip("this file system keeps no time of access")
        assert (ended.returncode, "did not read" in ended.stderr) == (1, True)
        assert not (tmp_path / "run" / "dpvs.loaded").exists()

    def test_one_that_ends_of_it(self, fake_dpvs: Any, tmp_path: Path):
        """Dead, and a zombie as long as nobody asks for it."""
        fake_dpvs("exit 0")
        ended = reload(tmp_path)
        assert (ended.returncode, ended.stderr) == (1, "dpvs ended when it was told to read its file again\n")
        look = script([], (str(tmp_path / "dpvs.pid"), str(tmp_path / "dpvs.conf"), str(tmp_path / "none")))
        assert setup.parse(subprocess.run(["sh"], input=look, capture_output=True, text=True, check=True).stdout).dpvs is None

    def test_a_pid_that_is_somebody_elses_now(self, fake_dpvs: Any, tmp_path: Path):
        fake_dpvs("", name="nginx")
        ended = reload(tmp_path)
        assert (ended.returncode, ended.stderr) == (1, "dpvs does not run any more\n")


# -- restore.sh


def test_restore_sends_what_converge_would_send_to_an_empty_director(params: Params):
    director = params.directors[0]
    text = restore.script(params, director)
    commands = [argv for change in converge.plan(params, director, restore.EMPTY).changes for argv in change.commands]
    sent = text[text.index('echo "all of it is there"') :]
    places = [sent.index(" ".join(argv[1:] if argv[0] == "ipvsadm" else argv)) for argv in commands]
    assert places == sorted(places)
    assert subprocess.run(["sh", "-n"], input=text, text=True, check=False).returncode == 0


@pytest.mark.parametrize("name", sorted(path.name for path in CAPTURES.glob("*option*.txt")))
def test_options_are_looked_for_in_the_words_of_a_real_listing(name: str):
    """Every option that ipvsadm shows of a service is one that restore.sh finds in its row."""
    rows = [line for line in (CAPTURES / name).read_text().splitlines() if line.startswith(("TCP", "UDP"))]
    assert rows
    for row in rows:
        listed = ipvsadm_list.parse("\n".join((CAPTURES / name).read_text().splitlines()[:3]) + f"\n{row}\n")[0]
        service = director_facts.ServiceState(listed.key, listed.scheduler, listed.flags)
        assert set(restore._options(dict(observed_value(service)))) <= set(row.split()[3:]), row


def test_a_restore_that_no_step_knows_is_refused(params_file: Path):
    dr = params_module.load(params_file.with_name("dr-one-arm.yaml"))
    plan = restore.plan_restore(dr, dr.directors[0], HOST)
    assert "no step of today puts back services[0].method" in plan.refused[0].reason
    assert plan.changes == ()
    ospf = params_module.load(params_file.with_name("fnat-ospf.yaml"))
    assert restore.plan_restore(ospf, ospf.directors[0], HOST).refused == ()


# -- units


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="needs systemd-analyze")
def test_systemd_takes_the_units(params: Params, tmp_path: Path):
    for name in ("dpvs", "dpip"):
        (tmp_path / name).write_text("#!/bin/sh\n")
        (tmp_path / name).chmod(0o755)
    wanted = with_start(params, arguments=("--lcores=(0,1)@1", "--file-prefix=a%b$c"))
    director = wanted.directors[0].model_copy(update={"bin": str(tmp_path)})
    for path, text in unit_files(director, wanted_conf(director, HOST), HOST)[:2]:
        (tmp_path / Path(path).name).write_text(text)
    units = [str(tmp_path / "dpvs.service"), str(tmp_path / "dpvs-restore.service")]
    ended = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", *units],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "SYSTEMD_UNIT_PATH": f"{tmp_path}:"},
    )
    assert [line for line in ended.stderr.splitlines() if "dpvs" in line] == []


def test_systemd_is_told_only_where_it_runs(params: Params):
    def kinds(**state: Any) -> list[str]:
        return [change.kind for change in plan_units(params, params.directors[0], replace(HOST, **state)).changes]

    assert kinds() == ["file"] * 4 + ["units"]
    assert kinds(systemd=None) == ["file"] * 4
    assert kinds(systemd=None, tools=frozenset()) == []
    texts = dict(unit_files(params.directors[0], wanted_conf(params.directors[0], HOST), HOST))
    files = {path: File(text, 0o644) for path, text in texts.items()}
    assert kinds(files=files) == []
    assert kinds(files=files, systemd="stale") == ["units"]


# -- the way back


def applied(*changes: HostChange) -> list[dict[str, Any]]:
    return [change.as_json() for change in changes]


OURS = HostChange("file", "/etc/dpvs.conf", {"text": "old", "mode": 0o600}, {"text": "new", "mode": 0o600}, "it differs")
NEW = HostChange("file", "/etc/new", None, {"text": "new", "mode": 0o644}, "there is none")
WHERE = {"conf": "/etc/dpvs.conf", "pid_file": "/var/run/dpvs.pid", "loaded": "/run/dpvsbook/dpvs.loaded"}
TOLD = HostChange("reload", "dpvs 7", {**WHERE, "read": False}, {**WHERE, "read": True}, "it differs")


def test_the_way_back_is_the_last_first_and_daemons_are_told_at_the_end():
    state = with_conf("new", dpvs=Dpvs(7, True))
    state = replace(state, files={**state.files, "/etc/dpvs.conf": File("new", 0o600), "/etc/new": File("new", 0o644)})
    plan = undo("conf", "lb1", state, applied(OURS, TOLD, NEW))
    assert [(c.kind, c.key, c.after and c.after.get("text")) for c in plan.changes] == [
        ("file", "/etc/new", None),
        ("file", "/etc/dpvs.conf", "old"),
        ("reload", "dpvs 7", None),
    ]
    gone = replace(state, files={"/etc/dpvs.conf": File("old", 0o600), "/etc/new": None})
    assert undo("conf", "lb1", gone, applied(OURS, TOLD, NEW)).changes == ()
    assert [c.kind for c in undo("conf", "lb1", replace(state, dpvs=None), applied(OURS, TOLD)).changes] == ["file"]


def test_what_somebody_changed_since_is_left_alone():
    plan = undo("conf", "lb1", with_conf("theirs"), applied(OURS))
    assert (plan.changes, plan.notes) == ((), ("/etc/dpvs.conf was changed since by somebody else: left as it is",))


def test_huge_pages_in_use_are_not_given_back():
    done = HostChange("hugepages", "node1/hugepages/hugepages-2048kB", {"pages": 100}, {"pages": 4096}, "too few")
    held = replace(HOST, pages=(replace(HOST.pages[1], free=3900),))
    assert "196 huge pages of node1 are in use" in undo("pages", "lb1", held, applied(done)).refused[0].reason
    assert [c.after for c in undo("pages", "lb1", HOST, applied(done)).changes] == [{"pages": 100}]
