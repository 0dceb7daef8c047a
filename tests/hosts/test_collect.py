"""What comes back of a batch, without a network: fed in pieces of any size."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dpvsbook.errors import DpvsbookError, HostError, Locked, PlanError
from dpvsbook.hosts import Command, Result, Shell
from dpvsbook.hosts.collect import Collector, _seconds
from dpvsbook.hosts.wire import Splitter

MARK = "0123456789abcdef01234567"
TWO = [Command(("echo", "a")), Shell("false", name="second")]


def mark(*words: object) -> bytes:
    return f"\n{MARK} {' '.join(map(str, words))}\n".encode()


@given(st.integers(1, 70), st.booleans())
def test_results_however_the_streams_come(size: int, errors_first: bool) -> None:
    out = mark("begin", 1_700_000_000_000_000_000) + b"a\n" + mark(0, 0, 1_700_000_000_500_000_000) + mark(1, 1, 1_700_000_002_500_000_000)
    streams = [(0, out + mark("end")), (1, b"lecture" + mark("begin") + b"oh" + mark(0) + mark(1))]
    batch = Collector("lb1", TWO, MARK)
    results: list[Result] = []
    for stream, text in reversed(streams) if errors_first else streams:
        for at in range(0, len(text), size):
            results += batch.feed(stream, text[at : at + size])
    assert [(r.command, r.exit, r.stdout, r.stderr) for r in results] == [("echo a", 0, "a\n", "oh"), ("second", 1, "", "")]
    assert [round(r.seconds, 3) for r in results] == [0.5, 2.0]
    assert batch.done


def test_the_end_is_waited_for_even_by_an_empty_batch() -> None:
    batch = Collector("lb1", [], MARK)
    assert list(batch.feed(0, mark("begin", 1))) == []
    assert not batch.done
    list(batch.feed(0, mark("end")))
    assert batch.done


def test_what_ran_when_it_was_last_heard_of() -> None:
    batch = Collector("lb1", TWO, MARK)
    assert (batch.open, batch.state[1:]) == (None, ("echo a", ["second"]))
    list(batch.feed(0, mark("begin", 1) + b"a\n" + mark(0, 0, 2) + b"half a li"))
    list(batch.feed(1, mark("begin") + mark(0) + b"oh"))
    assert batch.open is not None
    assert (batch.open.command, batch.open.exit, batch.open.stdout, batch.open.stderr) == ("second", None, "half a li", "oh")
    assert batch.state == (batch.results, "second", [])
    list(batch.feed(0, mark(1, 0, 3)))  # its end was heard, what it said on stderr was not
    assert batch.open.stdout == "half a li"


@pytest.mark.parametrize(
    ("words", "error", "text"),
    [
        (("locked", "ann@desk", "run 1"), Locked, "ann@desk run 1"),
        (("changed",), PlanError, "changed after the plan"),
        (("unlockable", "/run/dpvsbook.lock"), HostError, "/run/dpvsbook.lock"),
    ],
)
def test_nothing_runs(words: tuple[str, ...], error: type[DpvsbookError], text: str) -> None:
    with pytest.raises(error, match=text) as caught:
        list(Collector("lb1", TWO, MARK).feed(0, mark("begin", 1) + mark(*words)))
    assert caught.value.remedy


@given(st.lists(st.sampled_from(["", "a", "bc", "x y"]), max_size=8), st.booleans(), st.integers(1, 9))
def test_lines_are_told_once_each_as_they_come(lines: list[str], ended: bool, size: int) -> None:
    """Whatever the pieces: all lines, in order, and nothing of the mark."""
    text = "\n".join(lines) + ("\n" if ended and lines else "")
    told: list[str] = []
    batch = Collector("lb1", TWO[:1], MARK, lambda _, stream, line: told.append(line) if stream == "stdout" else None)
    stream = mark("begin", 1) + text.encode() + mark(0, 0, 2) + mark("end")
    for at in range(0, len(stream), size):
        list(batch.feed(0, stream[at : at + size]))
    assert told == text.splitlines()


def test_a_line_is_told_before_its_command_ends() -> None:
    splitter = Splitter(MARK)
    list(splitter.feed(b"one\ntw"))
    assert splitter.fresh() == ["one"]
    list(splitter.feed(b"o\n\n"))
    assert splitter.fresh() == ["two"]
    list(splitter.feed(b"\nthree\n"))
    assert splitter.fresh() == ["", "", "three"]


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("1700000000123456789", 1700000000.123456789),
        ("1700000000", 1700000000),
        ("1700000000N", 1700000000),
        ("1700000000%N", 1700000000),
        ("", None),
    ],
)
def test_every_date_is_good_enough(text: str, seconds: float | None) -> None:
    assert _seconds(text) == pytest.approx(seconds) if seconds else _seconds(text) > 1_700_000_000


@pytest.mark.parametrize("make", [lambda: Command(("echo", "a\0b")), lambda: Command(("cat",), stdin="\0"), lambda: Shell("echo \0")])
def test_a_nul_never_reaches_a_shell(make: object) -> None:
    with pytest.raises(DpvsbookError, match="NUL"):
        make()  # type: ignore[operator]
