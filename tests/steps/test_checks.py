"""Preflight: each fault on the emulated lab is seen by its check, with its evidence, and the check passes without it."""

from __future__ import annotations

import json
from collections.abc import Callable
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from dpvsbook.checks.catalogue import UNDECIDABLE, Check, quoted, rules
from dpvsbook.checks.look import parse
from dpvsbook.errors import ParseError, PlanError
from dpvsbook.steps import checks, configure
from dpvsbook.steps.checks import CheckedView
from dpvsbook.steps.setup.session import Prepared
from tests.steps.checks_faults import FAULTS, PCI, Fault

if TYPE_CHECKING:
    from dpvsbook.lab.emulated import Lab

LabOf = Callable[[str], "Lab"]
ALL = [f"F{number:02}" for number in (*range(1, 20), 73, 74, 75)]
"""The failures of the phases build, start and config."""
STEPS = {"start": checks.before_start, "running": checks.running, "build": checks.before_build}


def opened(lab: Lab, text: str, folder: Path, mode: str = "preview") -> Prepared:
    path = folder / "own.yaml"
    path.write_text(text)
    return configure.open(path, mode, ssh_config=lab.ssh_config, outputs=folder / "outputs")


def do(lab: Lab, commands: tuple[str, ...]) -> None:
    for command in commands:
        ended = lab.exec("lb1", [command])
        assert ended.exit == 0, (command, ended)


def found(view: CheckedView, fault: Fault) -> Check:
    (check,) = [check for check in view.checks["lb1"] if check.id == fault.id and fault.name in check.name]
    return check


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: f"{fault.id} {fault.what}")
def test_a_fault_is_seen_with_its_evidence(lab_of: LabOf, params_file: Path, tmp_path: Path, fault: Fault):
    text = params_file.read_text()
    for old, new in fault.params:
        assert old in text
        text = text.replace(old, new)
    lab = lab_of(text)
    if fault.when != "running":
        lab.inject("lb1", "dpvs-stop")
    do(lab, fault.ready)
    hosts, step = opened(lab, text, tmp_path), STEPS[fault.when]
    before = found(step(hosts), fault)
    assert (before.verdict, fault.says in before.evidence) == (fault.before, False), before.evidence
    do(lab, fault.inject)
    view = step(hosts)
    check = found(view, fault)
    assert check.verdict == "failed", check.evidence
    assert fault.says in check.evidence
    assert check.rule.cause
    assert check.rule.fix
    assert view.badge == "warned"
    assert fault.id in view.failed
    assert check.rule.fix in repr(view)
    assert escape(check.rule.fix) in view._repr_html_()
    hosts.finish()


def test_every_failure_has_its_check_and_its_fault():
    decided = {rule.id for rule in rules()}
    assert decided == {fault.id for fault in FAULTS}
    assert [name for name in ALL if name not in decided] == ["F73"]
    assert set(UNDECIDABLE) <= set(ALL)
    assert {rule.name for rule in rules() if rule.id == "F03"} == {fault.name for fault in FAULTS if fault.id == "F03"}


@pytest.mark.parametrize("file", ["fnat-two-arm", "fnat-one-arm", "fnat-keepalived", "fnat-ospf", "fnat-ipv6", "snat-two-arm"])
def test_none_cries_wolf(lab_of: LabOf, params_file: Path, tmp_path: Path, file: str):
    """Labs as they come up, and with their dpvs ended: no check fails."""
    text = (params_file.parent / f"{file}.yaml").read_text()
    lab = lab_of(text)
    hosts = opened(lab, text, tmp_path)
    assert checks.running(hosts).badge == "passed"
    for director in hosts.params.directors:
        lab.inject(director.name, "dpvs-stop")
    assert checks.before_start(hosts).badge == "passed"
    assert checks.before_build(hosts).badge == "passed"
    hosts.finish()


def test_one_round_trip_and_the_record_has_it_all(lab_of: LabOf, params_file: Path, tmp_path: Path):
    lab = lab_of(params_file.read_text())
    lab.inject("lb1", "dpvs-stop")
    do(lab, ("echo 1 >/var/run/dpvs.pid",))
    hosts = opened(lab, params_file.read_text(), tmp_path)
    before = hosts.hosts["lb1"].round_trips
    checks.before_start(hosts)
    assert hosts.hosts["lb1"].round_trips == before + 1
    hosts.finish()
    record = json.loads((hosts.record.path / "record.json").read_text())
    (row,) = [row for row in record["checks"] if row.get("id") == "F13"]
    assert (row["verdict"], row["ok"]) == ("failed", None)
    assert "it names 1, which is init" in row["evidence"]
    assert "Remove the pid file" in row["detail"]
    (page,) = hosts.record.path.glob("*.html")
    assert "it names 1, which is init" in page.read_text()


def test_what_dpvs_dies_of_ends_a_run_that_would_start_it(lab_of: LabOf, params_file: Path, tmp_path: Path):
    lab = lab_of(params_file.read_text())
    lab.inject("lb1", "dpvs-stop")
    do(lab, (f"mv {PCI}.0 /tmp/slot",))
    hosts = opened(lab, params_file.read_text(), tmp_path, "apply")
    assert checks.before_start(hosts).badge == "failed"
    with pytest.raises(PlanError, match=r"F02 DPDK can take the ports: 0000:06:00\.0 is no network device"):
        checks.before_start(hosts, must=True)
    do(lab, (f"mv /tmp/slot {PCI}.0", "echo 1 >/var/run/dpvs.pid"))
    assert checks.before_start(hosts, must=True).badge == "warned"  # `start.dpvs` removes it
    do(lab, ("rm /var/run/dpvs.pid",))
    assert checks.before_start(hosts, must=True).badge == "passed"
    hosts.finish()


def test_a_crash_of_an_earlier_dpvs_is_past(lab_of: LabOf, params_file: Path, tmp_path: Path):
    """A dpvs that wrote its log after the crash ended otherwise."""
    lab = lab_of(params_file.read_text())
    lab.inject("lb1", "dpvs-stop")
    do(lab, ("echo '[ 0.01] dpvs[77]: segfault at 0 ip 0000 sp 0000 error 4' >>/dev/kmsg",))
    hosts = opened(lab, params_file.read_text(), tmp_path)
    assert checks.before_start(hosts).failed == ("F14",)
    do(lab, ("touch -m -d 2037-01-01 /var/log/dpvs.log",))
    assert checks.before_start(hosts).failed == ()
    hosts.finish()


def test_evidence_can_not_draw_on_a_terminal_or_in_a_page(lab_of: LabOf, params_file: Path, tmp_path: Path):
    lab = lab_of(params_file.read_text())
    do(lab, ("printf 'NETIF: \\033[2J<script>alert(1)</script> using default 5\\n' >>/var/log/dpvs.log",))
    hosts = opened(lab, params_file.read_text(), tmp_path)
    view = checks.running(hosts)
    (check,) = [check for check in view.checks["lb1"] if check.id == "F75"]
    assert check.verdict == "failed"
    assert "\x1b" not in repr(view)
    assert "<script>" not in view._repr_html_()
    assert quoted("x" * 1000).endswith("…")
    hosts.finish()


def test_an_unknown_line_of_the_look_is_refused():
    with pytest.raises(ParseError, match="line 2 is not known"):
        parse("node\t0\nzebra\n")
