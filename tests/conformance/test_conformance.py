"""Real DPVS and the emulated director, compared command by command: `pytest -m dpvs tests/conformance`, as root, with DPVSBOOK_DPVS.

DPVSBOOK_CONFORMANCE=N compares N random commands (300 where it isn't set). What needs no DPVS is tested without.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from ruamel.yaml import YAML

from tests.conformance.__main__ import shortened
from tests.conformance.commands import LONGEST, SEQUENCE
from tests.conformance.compare import STATE, Difference
from tests.conformance.judge import Judge
from tests.conformance.known import KNOWN, Known, explanation
from tests.conformance.worlds import Command, Emulated, Real, Seen, version_of

WRITTEN = YAML(typ="safe").load(Path(__file__).with_name("sequences.yaml").read_text())
COMMANDS = int(os.environ.get("DPVSBOOK_CONFORMANCE", "300"))
real_dpvs = [pytest.mark.root, pytest.mark.dpvs, pytest.mark.slow]


@pytest.fixture(scope="module")
def judge(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Judge]:
    if os.geteuid() != 0 or not os.environ.get("DPVSBOOK_DPVS"):
        pytest.skip("needs root and a built DPVS: DPVSBOOK_DPVS=FOLDER")
    real = Real.up(tmp_path_factory.mktemp("conformance"))
    try:
        yield Judge(real, Emulated(version_of(real)))
    finally:
        real.close()


def unexplained(found: Difference | None) -> str:
    return "" if found is None or explanation(found) is not None else str(found)


@pytest.mark.parametrize("name", WRITTEN)
@pytest.mark.usefixtures("judge")
class TestWritten:
    pytestmark = real_dpvs

    def test_alike(self, judge: Judge, name: str):
        if text := unexplained(judge.difference([Command.parse(line) for line in WRITTEN[name]])):
            pytest.fail(text)


@pytest.mark.root
@pytest.mark.dpvs
@pytest.mark.slow
@pytest.mark.timeout(7200)
def test_random(judge: Judge):
    """Hypothesis makes the first unexplained difference as short as it goes."""
    compared = 0

    @settings(
        derandomize=True,
        database=None,
        deadline=None,
        max_examples=max(1, 6 * COMMANDS // LONGEST),
        suppress_health_check=list(HealthCheck),
    )
    @given(SEQUENCE)
    def alike(sequence: tuple[Command, ...]) -> None:
        nonlocal compared
        if compared >= COMMANDS:
            return
        if text := unexplained(judge.difference(sequence)):
            pytest.fail(text)
        compared += len(sequence)

    alike()
    assert compared >= COMMANDS


@pytest.mark.root
@pytest.mark.dpvs
@pytest.mark.slow
@pytest.mark.parametrize("known", KNOWN, ids=lambda known: known.name)
def test_known_difference_is_still_there(judge: Judge, known: Known):
    found = judge.difference(known.example)
    if known.timing and found is None:
        return
    assert found is not None, "the two agree by now: take it out of known.yaml"
    assert known.explains(found), str(found)


# ---- without DPVS


@settings(derandomize=True, database=None, deadline=None, max_examples=150, suppress_health_check=list(HealthCheck))
@given(SEQUENCE)
def test_the_emulated_director_answers_everything(sequence: tuple[Command, ...]):
    for command, seen in zip((*sequence, *STATE), Emulated().run((*sequence, *STATE)), strict=True):
        assert "is not implemented in this lab" not in seen.stderr, command
        assert 0 <= seen.exit <= 255, command


def test_a_difference_is_told_with_its_commands():
    command = Command.parse("ipvsadm -ln")
    found = Difference((command,), 0, command, Seen(0, "a\n", ""), Seen(1, "", "b\n"))
    assert str(found).splitlines() == [
        "    ipvsadm -ln", "  differ at: ipvsadm -ln", "  real: exit 0", "    | a", "  emulated: exit 1", "    ! b",
    ]  # fmt: skip


def test_a_difference_is_found_and_made_short():
    """Two releases, of which one word is known to differ: what their tools call themselves."""
    judge = Judge(Emulated("1.9"), Emulated("1.10"))
    alike = [Command.parse(line) for line in ("ipvsadm -A -t 10.0.0.1:80", "ipvsadm -S -n", "dpip addr show", "dpip bogus show")]
    found = judge.difference([*alike, Command.parse("dpip -V"), *alike])
    assert found is not None
    assert shortened(judge, found).sequence == (Command.parse("dpip -V"),)


@pytest.mark.parametrize("text", ["ipvsadm -A -t 10.0.0.1:80", "dpip addr add '' dev dpdk0", "ipvsadm -R <<< '-A -f 1\n-C\n'"])
def test_commands_have_a_text(text: str):
    assert str(Command.parse(text)) == text


def test_known_differences_have_reasons():
    assert len({known.name for known in KNOWN}) == len(KNOWN)
    assert all(len(known.reason) > 20 and known.example for known in KNOWN)
