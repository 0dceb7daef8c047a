"""Every capture parses to what stands beside it; every parser has captures of both versions; a line that nobody knows is refused."""

from __future__ import annotations

import importlib
import pkgutil

import pytest

import dpvsbook.facts
from dpvsbook.errors import ParseError
from dpvsbook.facts import ipvsadm_stats, stats_frame

from .cases import CAPTURES, PARSERS, Case, cases, plain

CASES = [case for case in cases() if case.parser in PARSERS]
REFUSED = list(cases("refused"))
JUNK = "    % a line of tomorrow 42"


@pytest.mark.parametrize("case", CASES, ids=str)
def test_capture(case: Case):
    assert plain(PARSERS[case.parser](case.text)) == case.expected["expected"]


@pytest.mark.parametrize("case", [case for case in CASES if case.parser == "ipvsadm_stats"], ids=str)
def test_stats_capture_as_frame(case: Case):
    """The columns cut out of the text are those of the rows."""
    rows = stats_frame._rows(ipvsadm_stats.parse(case.text))
    assert ipvsadm_stats.frame(case.text).to_dict("list") == rows


@pytest.mark.parametrize("case", REFUSED, ids=str)
def test_refused(case: Case):
    with pytest.raises(ParseError) as error:
        PARSERS[case.expected["parser"]](case.text)
    assert error.value.line == case.expected["line"]


def test_every_parser_has_captures():
    modules = {
        module.name
        for module in pkgutil.iter_modules(dpvsbook.facts.__path__)
        if hasattr(importlib.import_module(f"dpvsbook.facts.{module.name}"), "COMMAND")
    }
    assert modules == set(PARSERS), "tests/facts/cases.py names every module that parses a command, and no other"
    for parser in PARSERS:
        versions = {case.path.name.split("-")[0] for case in cases(parser)}
        wanted = {"1.10", "1.9.10"}
        assert wanted <= versions, f"put captures of {parser} into {CAPTURES / parser}"
    assert all(case.path.with_suffix(".json").exists() for case in cases() if case.parser != "director")


@pytest.mark.parametrize("case", CASES, ids=str)
def test_unknown_line(case: Case):
    """At the end, and at every place of a short capture: the error has the line, and says which it is."""
    lines = case.text.split("\n")[:-1]
    for at in range(len(lines) + 1) if len(lines) <= 40 else (len(lines) // 2, len(lines)):
        changed = "".join(f"{line}\n" for line in [*lines[:at], JUNK, *lines[at:]])
        with pytest.raises(ParseError) as error:
            PARSERS[case.parser](changed)
        assert (error.value.line, error.value.lineno) == (JUNK, at + 1)
        assert JUNK in str(error.value)


@pytest.mark.parametrize("case", [case for case in CASES if case.parser == "ipvsadm_stats"], ids=str)
def test_unknown_line_in_frame(case: Case):
    with pytest.raises(ParseError, match="a line of tomorrow"):
        ipvsadm_stats.frame(f"{case.text}{JUNK}\n")


@pytest.mark.parametrize("parser", PARSERS)
def test_carriage_returns_are_refused(parser: str):
    """A terminal's line ends are no tool's: they would become part of a name."""
    case = next(case for case in CASES if case.parser == parser and case.text)
    with pytest.raises(ParseError):
        PARSERS[parser](case.text.replace("\n", "\r\n"))


TITLED = ("ipvsadm_acl", "ipvsadm_list", "ipvsadm_stats", "versions")


@pytest.mark.parametrize("parser", PARSERS)
def test_nothing_printed(parser: str):
    """Lists without a title may be empty; the others print their title always, so nothing at all is a read that failed."""
    if parser not in TITLED:
        assert PARSERS[parser]("") == ()
    else:
        with pytest.raises(ParseError, match="end of the output"):
            PARSERS[parser]("")
