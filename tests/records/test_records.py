"""The archive: written as a run goes, sealed, verified, found again, compared."""

from __future__ import annotations

import json
import os
import threading
from pathlib import Path

import pytest

from dpvsbook import records
from dpvsbook.records import DiskFullError, Record, RecordError, journal
from dpvsbook.records.assemble import NOT_KNOWN, NOT_SENT, NOT_THERE, PLANNED, READ_BACK, changes

from . import sample


def test_a_record_says_what_happened(tmp_path: Path) -> None:
    record = sample.converged(tmp_path)
    entry = records.read(record.path)
    document = entry.document
    assert record.path.parent == tmp_path / "fnat-two-arm"
    assert (entry.verdict, document["exit_code"], entry.mode) == ("converged", 0, "apply")
    assert {change["result"] for change in entry.changes} == {READ_BACK}
    assert len(entry.changes) == 8
    assert all(change["reason"] and change["inverse"] and change["commands"] for change in entry.changes)
    assert document["hosts"]["lb1"]["dpvs"] == "1.10-2"
    assert document["hosts"]["lb1"]["host_key"].startswith("SHA256:")
    assert [item["key"] for item in document["drift"]] == ["tcp 10.0.0.101:443"]
    assert document["commands"] == 11
    assert document["who"].count("@") == 1
    assert document["ended"] > document["started"]
    assert {"dpvsbook", "python", "platform"} <= document["tools"].keys()
    log = (record.path / "log" / "lb1.log").read_text()
    assert "$ dpip addr add 10.0.0.100/32 dev dpdk1\n[exit=0 in 0.012 s]\n" in log
    assert (record.path / "data" / "connections.csv").read_text().startswith("seconds,director,service,server,conns\n")
    words = records.describe(entry)
    assert words.splitlines()[0] == f"{entry.name}: converged: 8 changes made, 4 checks passed"
    assert "changes: 8 read back" in words


def test_a_log_keeps_both_streams_and_an_exit_that_is_not_known(tmp_path: Path) -> None:
    record = sample.create(tmp_path)
    record.command("lb1", sample.Result("ipvsadm -ln", "out\n", "err\n", exit=None))
    text = (record.path / "log" / "lb1.log").read_text()
    assert (
        text.split("\n", 1)[1] == "$ ipvsadm -ln\nout\n--stderr--\nerr\n[exit unknown: the connection was cut while it ran in 0.012 s]\n\n"
    )


def test_names_cannot_leave_the_record(tmp_path: Path) -> None:
    record = sample.create(tmp_path)
    record.command("../../evil", sample.Result("true"))
    assert [path.name for path in (record.path / "log").iterdir()] == ["_.._evil.log"]


def test_many_threads_write_whole_lines(tmp_path: Path) -> None:
    record = sample.create(tmp_path)

    def write(number: int) -> None:
        for turn in range(20):
            record.event("note", number=number, turn=turn, text="x" * 5000)

    threads = [threading.Thread(target=write, args=(number,)) for number in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    found = journal.read(record.path)
    assert not found.cut
    assert len(list(found.of("note"))) == 100


@pytest.mark.parametrize(
    ("tamper", "problem"),
    [
        (lambda path: (path / "log" / "lb1.log").write_text("nothing happened"), "log/lb1.log: altered"),
        (lambda path: (path / "journal.jsonl").unlink(), "journal.jsonl: missing"),
        (lambda path: (path / "extra.txt").write_text("more"), "extra.txt: not in the seal (added later)"),
        (lambda path: (path / "seal.json").unlink(), "not sealed"),
        (lambda path: (path / "seal.json").write_text("{"), "seal.json: can't be read"),
        (
            lambda path: (path / "seal.json").write_text((path / "seal.json").read_text().replace('"record.json"', '"other.json"')),
            "the root hash doesn't fit",
        ),
    ],
)
def test_a_seal_shows_what_was_altered(tmp_path: Path, tamper: object, problem: str) -> None:
    record = sample.converged(tmp_path)
    root = record.seal()
    assert records.verify(record.path) == []
    assert len(root) == 64
    files = [path for path in record.path.rglob("*") if path.is_file()]
    assert not any(path.stat().st_mode & 0o222 for path in files)
    for path in files:
        path.chmod(0o644)
    tamper(record.path)  # type: ignore[operator]
    assert problem in "\n".join(records.verify(record.path))


def test_a_record_is_found_by_many_names(tmp_path: Path) -> None:
    first, second = sample.converged(tmp_path), sample.failed(tmp_path)
    (tmp_path / "broken" / "20260101T000000Z-00000000").mkdir(parents=True)
    (tmp_path / "broken" / "20260101T000000Z-00000000" / "record.json").write_text("{")
    assert [entry.verdict for entry in records.listing(tmp_path)] == ["failed", "converged", "unreadable"]
    assert records.locate(tmp_path, "latest") == second.path
    assert records.locate(tmp_path, "fnat-two-arm") == second.path
    assert records.locate(tmp_path, first.run_id[:6]) == first.path
    assert records.locate(tmp_path, first.name).samefile(first.path)
    assert records.locate(Path("elsewhere"), str(first.path)) == first.path
    with pytest.raises(RecordError, match="there is no record 'nothing'"):
        records.locate(tmp_path, "nothing")
    with pytest.raises(RecordError, match="may be any of"):
        records.locate(tmp_path, "20")


def test_what_differs(tmp_path: Path) -> None:
    first, second = sample.converged(tmp_path), sample.failed(tmp_path)
    assert records.diff(first.path, first.path) == []
    found = {(item.part, item.path): (item.before, item.after) for item in records.diff(first.path, second.path)}
    assert found["verdict", "verdict"] == ("converged", "failed")
    assert found["changes", f"lb1 service add {sample.KEY}"] == (READ_BACK, NOT_THERE)
    assert found["checks", f"{sample.KEY}: answers"][1] is None
    params = json.loads(json.dumps(sample.PARAMS))
    params["services"][0]["real_servers"].reverse()
    params["hosts"].reverse()
    params["services"][0]["scheduler"] = "wlc"
    third = sample.create(tmp_path, params=params)
    parts = {(item.path, item.before, item.after) for item in records.diff(first.path, third.path) if item.part == "params"}
    assert ("services.web.scheduler", "rr", "wlc") in parts
    assert not any(path.startswith("hosts") for path, *_ in parts)
    assert [name for name, *_ in records.timings(first.path, second.path)][-1] == "whole run"


def test_a_run_that_never_ended_is_read_from_its_journal(tmp_path: Path) -> None:
    record = sample.create(tmp_path)
    sample.bound(record)
    sample.plan(record, 0)
    with (record.path / "journal.jsonl").open("ab") as stream:
        stream.write(b'{"t":"2026-01-01T00:00:00.000000Z","kind":"app')
    entry = records.read(record.path)
    assert entry.verdict == "running"
    assert entry.document["journal_cut"] is True
    assert [change["result"] for change in entry.changes] == [NOT_KNOWN]
    record.finish("failed", "the process was killed")
    assert next(records.read(record.path).journal().of("finish"))["verdict"] == "failed"


def planned(*events: dict[str, object], mode: str = "apply") -> list[str]:
    change = {"kind": "address", "key": "10.0.0.100/32 dev dpdk1"}
    first: dict[str, object] = {"kind": "plan", "step": "address", "director": "lb1", "changes": [change]}
    where = {"step": "address", "director": "lb1"}
    return [item["result"] for item in changes(journal.Journal((first, *({**where, **event} for event in events))), mode)]


def test_what_became_of_a_change() -> None:
    change = {"kind": "address", "key": "10.0.0.100/32 dev dpdk1"}
    assert planned(mode="preview") == [PLANNED]
    assert planned() == [NOT_KNOWN]
    assert planned({"kind": "error"}) == [NOT_SENT]
    assert planned({"kind": "applying"}, {"kind": "error"}) == [NOT_KNOWN]
    assert planned({"kind": "apply", "changes": [{**change, "result": "read back"}]}) == [READ_BACK]
    assert planned({"kind": "apply", "changes": [{**change, "result": "not there"}]}) == [NOT_THERE]
    assert planned({"kind": "apply"}) == [NOT_THERE]
    assert planned({"kind": "apply"}, {"kind": "readback", "empty": False}) == [NOT_THERE]
    assert planned({"kind": "apply"}, {"kind": "readback", "empty": True}) == [READ_BACK]
    assert planned({"kind": "lost"}) == [NOT_KNOWN]
    assert planned({"kind": "plan", "changes": [change]}, {"kind": "error"}) == [NOT_SENT]
    assert planned({"kind": "lost"}, {"kind": "plan", "changes": []}) == [NOT_KNOWN]


def test_an_undo_takes_back_the_last_run_that_sent_anything(tmp_path: Path) -> None:
    first = sample.converged(tmp_path)
    nothing_to_do = sample.create(tmp_path)
    nothing_to_do.finish("converged")
    undo = sample.create(tmp_path, mode="undo")
    taken = records.applied_changes(tmp_path, "fnat-two-arm", before=undo)
    assert {name: len(items) for name, items in taken.items()} == {"lb1": 8}
    undo.finish("converged")
    assert records.read(undo.path).document["undoes"] == first.name
    again = sample.create(tmp_path, mode="undo")
    assert records.applied_changes(tmp_path, "fnat-two-arm", before=again) == {}
    assert records.applied_changes(tmp_path, "another", before=again) == {}


def test_what_is_no_record(tmp_path: Path) -> None:
    with pytest.raises(RecordError, match="is not a record"):
        Record.attach(tmp_path)
    with pytest.raises(RecordError, match="is not a record"):
        records.read(tmp_path)


@pytest.mark.skipif(os.name != "posix" or os.getuid() == 0, reason="root may write anywhere")
def test_outputs_that_cannot_be_written(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(RecordError, match="can't be written"):
        sample.create(tmp_path / "outputs")


def test_a_full_disk_stops_the_run_and_leaves_what_can_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    record = sample.create(tmp_path)
    record.event("note", number=1)
    real = os.write
    monkeypatch.setattr(os, "write", _filling(real, room=30))
    with pytest.raises(DiskFullError, match="No space left"):
        record.event("note", number=2)
    monkeypatch.setattr(os, "write", real)
    found = journal.read(record.path)
    assert [event["number"] for event in found.of("note")] == [1]
    assert found.cut
    record.finish("failed", "the disk is full")
    assert records.read(record.path).verdict == "failed"


def _filling(real: object, room: int) -> object:
    """An os.write for which the disk has `room` bytes left."""
    left = [room]

    def write(descriptor: int, data: bytes) -> int:
        if not left[0]:
            raise OSError(28, "No space left on device")
        taken = min(left[0], len(data))
        left[0] -= taken
        return int(real(descriptor, bytes(data)[:taken]))  # type: ignore[operator]

    return write
