"""What goes wrong in the field, against the emulated lab: a clear error, nothing lost, and the next run converges."""

from __future__ import annotations

import json
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from dpvsbook import hosts, records, steps
from dpvsbook.book import Book, open_book
from dpvsbook.errors import DpvsbookError, Locked, ParamsError, PlanError
from dpvsbook.site import DpvsNotRunning, LipsWithoutMemory

if TYPE_CHECKING:
    from dpvsbook.lab.emulated import Lab


@pytest.fixture
def outputs(tmp_path: Path) -> Path:
    return tmp_path / "outputs"


@pytest.fixture
def bound(lab: Lab, params_file: Path, outputs: Path) -> Any:
    def make(mode: str = "apply") -> Book:
        return open_book(params_file, mode, ssh_config=lab.ssh_config, outputs=outputs)

    return make


def events(book: Book, kind: str) -> list[dict[str, Any]]:
    lines = (book.record.path / "journal.jsonl").read_text().splitlines()
    return [event for event in map(json.loads, lines) if event["kind"] == kind]


def listed(lab: Lab) -> str:
    return lab.exec("lb1", ["ipvsadm", "-S", "-n"]).stdout


def converge(book: Book) -> str:
    steps.preflight(book)
    for step in steps.CONFIGURATION:
        step(book)
    steps.verify(book)
    book.finish()
    return book.verdict


def test_the_walk_converges_and_a_second_one_sends_nothing(lab: Lab, bound: Any) -> None:
    assert converge(bound()) == "converged"
    again = bound()
    before = again.hosts["lb1"].round_trips
    for step in steps.CONFIGURATION:
        assert step(again).changes == 0  # type: ignore[attr-defined]
    assert (before, again.hosts["lb1"].round_trips) == (1, 1)
    assert not events(again, "apply")


def test_preview_changes_nothing(lab: Lab, bound: Any) -> None:
    assert converge(bound("preview")) == "changes-pending"
    assert listed(lab) == ""


def test_a_cut_in_the_middle_of_an_apply(lab: Lab, bound: Any) -> None:
    """The record says what is known and what isn't; the next run does what is missing."""
    book = bound()
    steps.address(book)
    lab.inject("lb1", "cut", "0")
    with pytest.raises(hosts.ConnectionLost):
        steps.route(book)
    (lost,) = events(book, "lost")
    assert lost["unknown"] == "dpip route add 192.168.100.0/24 dev dpdk0"
    assert lost["not_run"] == ["dpip route add 10.0.0.0/16 dev dpdk1"]
    assert [change["result"] for change in lost["changes"]] == ["not known", "not known"]
    assert events(book, "error")[-1]["type"] == "ConnectionLost"
    assert converge(bound()) == "converged"


def test_dpvs_is_not_running(lab: Lab, bound: Any) -> None:
    lab.inject("lb1", "dpvs-kill")
    with pytest.raises(DpvsNotRunning, match="lb1: dpvs is not running") as caught:
        bound()
    assert "Start dpvs" in str(caught.value)


def test_dpvs_dies_in_the_middle_of_a_run(lab: Lab, bound: Any) -> None:
    book = bound()
    steps.address(book)
    lab.inject("lb1", "dpvs-kill")
    with pytest.raises(DpvsbookError):
        steps.route(book)
    lab.inject("lb1", "dpvs-start")
    assert converge(bound()) == "converged"


def test_a_dpvs_that_was_started_anew_is_noticed(lab: Lab, bound: Any) -> None:
    first = bound()
    assert converge(first) == "converged"
    assert converge(bound()) == "converged"
    lab.inject("lb1", "dpvs-stop")
    lab.inject("lb1", "dpvs-start")
    again = bound()
    (told,) = again.told
    assert told.startswith("lb1: dpvs was started anew at 2")
    assert told in repr(again)
    assert converge(again) == "converged"
    document = records.read(again.record.path).document
    assert told in document["detail"]
    assert document["hosts"]["lb1"]["restarted"] == told
    assert told in (again.record.path / "report.html").read_text()
    assert not bound().told


def test_other_peoples_services_stay(lab: Lab, bound: Any) -> None:
    theirs = "-A -t 10.0.0.7:443 -s wlc\n-a -t 10.0.0.7:443 -r 192.168.100.9:443 -b -w 1\n"
    lab.exec("lb1", ["ipvsadm", "-R"], stdin=theirs)
    book = bound()
    assert converge(book) == "converged"
    assert theirs in listed(lab)
    assert book.drift
    undo = bound("undo")
    assert converge(undo) == "converged"
    assert listed(lab) == theirs


def test_undo_takes_back_what_was_applied(lab: Lab, bound: Any) -> None:
    look = ["sh", "-c", "dpip addr show | sort; dpip route show | sort; ipvsadm -S -n; ipvsadm -G"]
    lab.exec("lb1", ["dpip", "addr", "add", "192.168.100.200/32", "dev", "dpdk0"])  # a LIP without a pool
    before = lab.exec("lb1", look).stdout
    assert converge(bound()) == "converged"
    assert lab.exec("lb1", look).stdout != before
    assert converge(bound("undo")) == "converged"
    assert lab.exec("lb1", look).stdout == before


def test_nothing_to_undo_is_said(lab: Lab, bound: Any) -> None:
    with pytest.raises(DpvsbookError, match="no applied run to take back"):
        bound("undo")


def test_two_runs_at_once_on_one_director(lab: Lab, bound: Any) -> None:
    """One of them applies; the other is told who does."""
    one, other = bound(), bound()
    lab.inject("lb1", "slow", "0.05")
    outcome: list[BaseException] = []
    seen = threading.Event()
    one.hosts["lb1"]._on_result = lambda *_: seen.set()
    run = threading.Thread(target=steps.converge, args=(one,))
    run.start()
    assert seen.wait(20)
    try:
        steps.converge(other)
    except (Locked, PlanError) as error:
        outcome.append(error)
    run.join()
    lab.inject("lb1", "none")
    assert len(outcome) == 1
    assert one.record.run_id in str(outcome[0])
    assert converge(bound()) == "converged"


def test_somebody_changed_the_director_after_the_plan(lab: Lab, bound: Any) -> None:
    """The plan that was shown no longer holds, so it isn't sent."""
    book = bound()
    lab.exec("lb1", ["ipvsadm", "-A", "-t", "10.0.0.100:80", "-s", "wlc"])
    with pytest.raises(PlanError, match="changed after the plan was made"):
        steps.service(book)
    assert listed(lab) == "-A -t 10.0.0.100:80 -s wlc\n"


def test_a_change_elsewhere_on_the_director_does_not_stop_a_run(lab: Lab, bound: Any) -> None:
    book = bound()
    lab.exec("lb1", ["ipvsadm", "-A", "-t", "10.0.0.7:443", "-s", "wlc"])
    with pytest.raises(PlanError):
        steps.service(book)  # drift is a part of what was shown
    again = bound()
    lab.exec("lb1", ["dpip", "addr", "add", "10.0.0.9/32", "dev", "dpdk1"])
    steps.service(again)
    assert "10.0.0.100:80" in listed(lab)


def test_reads_that_fail_now_and_then_are_read_again(lab: Lab, bound: Any) -> None:
    lab.inject("lb1", "failing-reads", "3")
    assert converge(bound()) == "converged"


def test_reads_that_always_fail_end_the_run(lab: Lab, bound: Any) -> None:
    lab.inject("lb1", "failing-reads", "1000")
    with pytest.raises(DpvsbookError, match=r"lb1: .*-2[34]"):
        bound()


def test_a_lip_that_gets_no_ports(lab: Lab, bound: Any) -> None:
    """Out of huge pages, every command says success (transcript 12): preflight says it before, the read-back after."""
    assert lab.running is not None
    machine = lab.running.machines["lb1"]
    machine.director().hugepages.free = 5  # type: ignore[union-attr]
    with pytest.raises(PlanError, match="memory for LIPs"):
        steps.preflight(bound())
    with pytest.raises(LipsWithoutMemory, match="no memory for the ports of a LIP"):
        steps.laddr(bound())


def test_a_dead_real_server_fails_the_verdict(lab: Lab, bound: Any) -> None:
    lab.inject("rs1", "http-down")
    book = bound()
    assert converge(book) == "failed"
    assert {name for name, ok in book.checks if not ok} >= {"tcp 10.0.0.100:80: answers"}
    lab.inject("rs1", "up")
    assert converge(bound()) == "converged"


def test_an_unreachable_host_is_named_and_nothing_was_changed(lab: Lab, bound: Any) -> None:
    lab.inject("rs2", "refuse-login")
    with pytest.raises(hosts.LoginRefused, match="rs2"):
        bound()
    assert listed(lab) == ""


def test_a_mode_that_there_is_not(params_file: Path, outputs: Path) -> None:
    with pytest.raises(ParamsError, match="mode 'aply'"):
        open_book(params_file, "aply", outputs=outputs)
    assert not outputs.exists()


def test_the_record_of_an_interactive_book_is_sealed(lab: Lab, bound: Any) -> None:
    book = bound()
    assert converge(book) == "converged"
    assert records.verify(book.record.path) == []
