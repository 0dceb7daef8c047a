"""dpip and ipvsadm answer to the letter like the real ones: every command of the recorded sessions, replayed and compared.

What is compared as what it is (and not letter by letter) is in `replay.comparable`; help texts are in our own words.
"""

from __future__ import annotations

import re

import pytest
from ruamel.yaml import YAML

from tests.lab.replay import SETUP, TRANSCRIPTS, Step, World, comparable, steps

NAMES = sorted(path.stem for path in TRANSCRIPTS.glob("*.txt"))
EXCEPTIONS: dict[str, dict[int, str]] = YAML(typ="safe").load((TRANSCRIPTS / "exceptions.yaml").read_text())
_TOOL = re.compile(r"\b(dpip|ipvsadm|dpvs -v|curl)\b")


def _compared(name: str, step: Step) -> bool:
    return bool(_TOOL.search(step.command)) and step.number not in EXCEPTIONS.get(name, {})


def _difference(step: Step, directive: dict[str, object], world: World) -> str:
    """What is different, "" if nothing is."""
    instead = str(directive.get("as", ""))
    out, err, status = world.run(instead or step.command, merged=step.merged)
    expected = "" if "awk" in step.command else step.stdout
    last = -int(str(directive.get("last", 0)))
    pairs = [("standard output", expected, out), ("standard error", step.stderr, err)]
    found = [
        f"{what}:\n  expected {comparable(want)[last:]}\n  found    {comparable(got)[last:]}"
        for what, want, got in pairs
        if comparable(want)[last:] != comparable(got)[last:]
    ]
    if status != step.status:
        found.append(f"status {status}, expected {step.status}")
    return f"{step.number}: $ {step.command[:160]}\n" + "\n".join(found) if found else ""


@pytest.mark.parametrize("name", NAMES)
def test_replayed(name: str):
    world, found = World(), []
    for step in steps(name):
        directive = SETUP.get(name, {}).get(step.number, {})
        world.prepare(directive)
        difference = _difference(step, directive, world)
        if _compared(name, step) and difference:
            found.append(difference)
    assert not found, "\n\n".join(found)


def test_every_transcript_of_the_tools_is_here():
    assert [name[:2] for name in NAMES] == ["01", "03", "04", "05", "06", "07", "08", "09", "10", "12"]
    assert sum(_compared(name, step) for name in NAMES for step in steps(name)) > 550


def test_setup_and_exceptions_name_commands_that_are_there():
    for name, numbers in (*SETUP.items(), *EXCEPTIONS.items()):
        known = {step.number for step in steps(name)}
        assert set(numbers) <= known, name
