"""The recorder: its script on the emulated director, its files, and (with a built DPVS) all of it for real."""

from __future__ import annotations

import os
import shlex
from pathlib import Path

import pytest

from dpvsbook.hosts import Result
from tests.conformance.worlds import Command, Emulated
from tests.facts.cases import PARSERS
from tests.record.__main__ import SCRIPT, Capture, Refused, captures, record, version_name, write

READ = [step for step in SCRIPT if "read" in step]


def result(line: str, status: int, stdout: str = "", stderr: str = "") -> Result:
    return Result(line, status, stdout, stderr, 0.0, 0.0)


@pytest.mark.parametrize(
    ("said", "name"), [("dpip-1.10-2\n", "1.10-2"), ("dpip-1.9-10\n", "1.9.10"), ("dpip-1.9-8\n", "1.9.8"), ("dpip-1.11-0\n", "1.11-0")]
)
def test_version_name(said: str, name: str):
    assert version_name(said) == name


def test_the_script_reads_for_every_parser():
    assert {step["parser"] for step in READ} == set(PARSERS)


def test_the_script_runs():
    """On the emulated director, each change succeeds, and each capture is one that its parser reads."""
    director = Emulated()

    def run(host: str, line: str) -> Result:
        words = shlex.split(line)
        if words[0] not in ("dpip", "ipvsadm"):  # dpvs itself, and the clients' requests
            return result(line, 0, "dpvs version: 1.10-2, build on 2026.01.02.03:04:05\n" if words[0] == "dpvs" else "")
        seen = director.run([Command(tuple(words))])[0]
        return result(line, seen.exit, seen.stdout, seen.stderr)

    found = list(captures(run))
    assert [capture.command for capture in found] == [step["read"] for step in READ]
    rows = {capture.parser: len(tuple(PARSERS[capture.parser](capture.text))) for capture in found}
    assert all(rows[parser] for parser in rows if parser != "ipvsadm_conns"), rows


def test_a_change_that_fails_ends_it():
    with pytest.raises(Refused, match=r"(?s)dpip addr add 10\.0\.0\.100/32 dev dpdk1: exit 1\nno such device"):
        list(captures(lambda _, line: result(line, int(" add " in line), stderr="no such device")))


def test_files_and_what_is_refused(tmp_path: Path):
    vlan = "dpdk0.100 link dpdk0 proto 802.1q id 100\n"
    found = [
        Capture("versions", "dpip -V", "dpip-1.11-0\n"),
        Capture("dpip_vlan", "dpip vlan show", vlan),
        Capture("dpip_vlan", "dpip vlan show", "a line of tomorrow\n"),
    ]
    (refused,) = write(found, tmp_path)
    assert "1.11-0-40-recorded-03.txt" in refused
    assert "a line of tomorrow" in refused
    assert (tmp_path / "dpip_vlan/1.11-0-40-recorded-02.txt").read_text() == vlan
    assert sorted(path.name for path in tmp_path.glob("*/*.json")) == ["1.11-0-40-recorded-01.json", "1.11-0-40-recorded-02.json"]


@pytest.mark.root
@pytest.mark.dpvs
@pytest.mark.skipif(not os.environ.get("DPVSBOOK_DPVS"), reason="needs a built DPVS: DPVSBOOK_DPVS=FOLDER")
def test_recorded_from_real_dpvs(tmp_path: Path):
    assert write(record(tmp_path, Path(os.environ["DPVSBOOK_DPVS"])), tmp_path / "out") == []
