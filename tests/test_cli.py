"""The command as a person types it: what it prints, its exit codes, and what it leaves behind."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from dpvsbook.lab.emulated import Lab

NOTEBOOK = Path(__file__).parents[1] / "notebooks" / "fnat-two-arm.ipynb"
Cli = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def environment(lab: Lab, tmp_path: Path) -> dict[str, str]:
    return {**os.environ, "DPVSBOOK_SSH_CONFIG": str(lab.ssh_config), "DPVSBOOK_OUTPUTS": str(tmp_path / "outputs"), "COLUMNS": "140"}


@pytest.fixture
def cli(environment: dict[str, str], tmp_path: Path) -> Cli:
    def run(*argv: object, code: int = 0) -> subprocess.CompletedProcess[str]:
        ended = subprocess.run(
            [sys.executable, "-m", "dpvsbook", *map(str, argv)],
            env=environment,
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=100,
            check=False,
        )
        assert ended.returncode == code, ended.stdout + ended.stderr
        assert "Traceback" not in ended.stdout + ended.stderr
        return ended

    return run


@pytest.fixture
def cluster(params_file: Path, tmp_path: Path) -> Path:
    """The example cluster, with a load that is over at once."""
    file = tmp_path / "cluster.yaml"
    file.write_text(params_file.read_text().replace("{requests: 100, rate: 20}", "{requests: 10, rate: 50}"))
    return file


def test_a_run_from_preview_to_undo_and_its_records(cli: Cli, lab: Lab, cluster: Path, tmp_path: Path) -> None:
    preview = cli("run", NOTEBOOK, cluster, code=2)
    assert "changes-pending: 8 changes to make" in preview.stdout
    assert lab.exec("lb1", ["ipvsadm", "-S", "-n"]).stdout == ""

    applied = cli("run", NOTEBOOK, cluster, "--apply")
    lines = applied.stdout.splitlines()
    steps = [line[2:].partition(":")[0].partition("  ")[0] for line in lines if line.startswith("✓")]
    assert steps[:5] == ["Hosts", "Preflight", "Addresses", "Routes", "Virtual services and their real servers"]
    assert "converged: 8 changes made" in applied.stdout
    assert "10 of 10 requests answered" in applied.stdout

    again = cli("run", NOTEBOOK, cluster, "--apply", "--resume")
    assert again.stdout.count("nothing to do") == 4

    (record,) = [line.split()[1] for line in lines if line.startswith("  record ")]
    names = {path.name for path in Path(record).iterdir()}
    assert names >= {
        "record.json",
        "report.html",
        "notebook.ipynb",
        "journal.jsonl",
        "seal.json",
        "log",
        "data",
    }
    document = json.loads((Path(record) / "record.json").read_text())
    assert document["verdict"] == "converged"
    assert cli("records", "list").stdout.count("fnat-two-arm") == 3
    assert "converged" in cli("records", "show", record).stdout
    cli("records", "verify", record)
    cli("records", "diff", record, record)
    log = Path(record) / "log" / "lb1.log"
    log.chmod(0o600)
    log.write_text(log.read_text().replace("10.0.0.100", "10.0.0.101"))
    assert "lb1.log" in cli("records", "verify", record, code=3).stderr

    assert "converged" in cli("run", NOTEBOOK, cluster, "--undo").stdout
    assert lab.exec("lb1", ["ipvsadm", "-S", "-n"]).stdout == ""


def test_a_run_goes_on_when_nobody_reads_what_it_says(environment: dict[str, str], cluster: Path, tmp_path: Path) -> None:
    """As with `| head -n 1`: the directors are changed as they should be, and the record is whole."""
    argv = [sys.executable, "-m", "dpvsbook", "run", str(NOTEBOOK), str(cluster), "--apply"]
    with subprocess.Popen(argv, env=environment, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout
        assert process.stderr
        process.stdout.readline()
        process.stdout.close()
        assert process.wait(timeout=100) == 0, process.stderr.read()
        assert process.stderr.read() == ""
    (record,) = (tmp_path / "outputs").glob("*/*/record.json")
    assert json.loads(record.read_text())["verdict"] == "converged"


def test_plan_is_the_drift_check(cli: Cli, cluster: Path) -> None:
    assert "dpip addr add 10.0.0.100/32 dev dpdk1" in cli("plan", cluster, code=2).stdout


def test_bad_params_touch_no_host(cli: Cli, lab: Lab, cluster: Path) -> None:
    cluster.write_text(cluster.read_text().replace("scheduler: rr", "scheduler: rrr").replace("weight: 1}", "weigth: 1}"))
    said = cli("check", cluster, code=4).stderr
    assert "scheduler" in said
    assert said.count("weigth") == 2, "every mistake at once"
    assert "cluster.yaml:" in said
    for command in (("plan", cluster), ("run", NOTEBOOK, cluster, "--apply")):
        cli(*command, code=4)
    assert lab.exec("lb1", ["ipvsadm", "-S", "-n"]).stdout == ""


def test_an_unreachable_host(cli: Cli, lab: Lab, cluster: Path) -> None:
    lab.inject("rs1", "refuse-login")
    assert "rs1: root may not log in" in cli("run", NOTEBOOK, cluster, "--apply", code=5).stdout
    assert lab.exec("lb1", ["ipvsadm", "-S", "-n"]).stdout == ""


def test_trust_pins_a_key_after_it_was_shown(cli: Cli, lab: Lab, cluster: Path, environment: dict[str, str], tmp_path: Path) -> None:
    config = tmp_path / "config"
    config.write_text(lab.ssh_config.read_text().replace(str(lab.ssh_config.parent / "known_hosts"), str(tmp_path / "known")))
    environment["DPVSBOOK_SSH_CONFIG"] = str(config)
    assert "dpvsbook trust" in cli("plan", cluster, code=5).stderr
    assert cli("trust", cluster, "--yes").stdout.count("pinned in") == 4
    assert cli("trust", cluster).stdout.count("is known already") == 4
    cli("plan", cluster, code=2)
    lab.inject("rs1", "host-key")
    changed = cli("trust", cluster, code=5)
    assert changed.stdout.count("is known already") == 3
    assert "rs1: its host key has changed" in changed.stderr
    assert "Trust it?" not in changed.stdout


@pytest.mark.skipif(sys.platform == "win32", reason="no SIGINT to another process there")
def test_ctrl_c_is_recorded_as_what_it_is(environment: dict[str, str], lab: Lab, params_file: Path, tmp_path: Path) -> None:
    """Interrupted while the load runs: the verdict is interrupted, the cells behind it are pending, and nothing hangs."""
    argv = [sys.executable, "-m", "dpvsbook", "run", str(NOTEBOOK), str(params_file), "--apply"]
    run = subprocess.Popen(argv, env=environment, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    assert run.stdout is not None
    for line in run.stdout:
        if "Verify" in line:
            break
    journal = next((tmp_path / "outputs").glob("fnat-two-arm/*/journal.jsonl"))
    deadline = time.monotonic() + 30
    while '"load"' not in journal.read_text() and time.monotonic() < deadline:
        time.sleep(0.05)
    run.send_signal(signal.SIGINT)
    rest, _ = run.communicate(timeout=60)
    assert run.returncode == 3
    assert "interrupted" in rest
    document = json.loads((journal.parent / "record.json").read_text())
    assert document["verdict"] == "interrupted"
    states = {cell["id"]: cell["status"] for cell in document["cells"]}
    assert states["verify"] == "completed"
    assert states["record"] == "pending"


def test_help_names_every_command_and_the_exit_codes(cli: Cli) -> None:
    said = cli("--help").stdout
    for word in ("check", "plan", "run", "lab", "records", "trust", "Exit codes: 0 converged"):
        assert word in said
    for command in ("check", "plan", "run", "trust", "lab", "records", "lab up", "records verify"):
        cli(*command.split(), "--help")


def test_a_notebook_that_is_not_there(cli: Cli, cluster: Path) -> None:
    cli("run", "nosuch.ipynb", cluster, code=4)


def test_params_that_are_not_there(cli: Cli) -> None:
    assert "nosuch.yaml" in cli("check", "nosuch.yaml", code=4).stderr
