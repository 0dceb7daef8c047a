"""The quick way to read YAML says the same as ruamel.yaml, or leaves it to it."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from dpvsbook.params import quick, tree

FILES = [file.read_text() for file in sorted((Path(__file__).parents[1] / "params").glob("*.yaml"))]
SCALARS = r"""
on no ~ null Null true TRUE 0o17 017 08 1_000 _1 +_1 1e3 1. 1._5 .5 .5e5 .5e+5 ._ +.inf -.nan 0x1F 0b11 0b -5 - + +1 = << 2001::1
0000:06:00.0 12:30:45 2020-01-01 10.0.0.0/16 ?x :x x:y 'x' "\x41" é *a &a !x !!str
"""
WHOLE = r"""
a: &x 1\nb: *x|&r [*r]|a: &x 1\nb: &x 2|--- a|---|a: 1\n---\nb: 2|%YAML 1.1\n---\na: on|a: >-\n  x\n  y|? a\n: b|? [a]\n: b|a:\tb
a: {"b":1}|a: {: b}|a: {b:1}|a: [,]|a: 1\na: 2|a: 1\n...\n||# x|<<: {a: 1}
"""
TEXTS = [
    *(form % scalar for form in ("a: %s", "%s: 1", "a: [%s]", "a: {b: %s}") for scalar in SCALARS.split()),
    *(text.replace(r"\n", "\n").replace(r"\t", "\t") for line in WHOLE.strip().splitlines() for text in line.split("|")),
]


def outcome(nodes: object) -> object:
    try:
        built = tree.build(nodes)
    except tree.Unreadable as error:
        return error.problem
    return repr(built.value), built.lines, built.origin, built.problems


def same(text: str) -> bool:
    """Whether it was read quickly; fails where ruamel.yaml reads something else."""
    found = quick.nodes(text)
    if found is not None:
        assert outcome(found) == outcome(YAML(typ="safe", pure=True).compose(text))
    return found is not None


@pytest.mark.parametrize("text", TEXTS)
def test_same_as_ruamel(text: str) -> None:
    same(text)


@pytest.mark.parametrize("seed", range(60))
def test_same_as_ruamel_after_slips_of_the_finger(seed: int) -> None:
    chance = random.Random(seed)
    text = list(chance.choice(FILES))
    for _ in range(chance.randint(1, 3)):
        at = chance.randrange(len(text))
        text[at] = chance.choice(["", text[at] * 2, *"[]{}:,-#&*!|>'\"%@` \n\tab0.~?=<"])
    same("".join(text))


@pytest.mark.parametrize("text", FILES, ids=range(len(FILES)))
def test_params_files_are_read_quickly(text: str) -> None:
    assert same(text)


@pytest.mark.parametrize("deep", ["[" * 200_000, "- " * 200_000 + "a", "{a: " * 200_000, "[" * 200 + "]" * 200])
def test_deep_nesting_is_left_alone_at_once(deep: str) -> None:
    assert quick.nodes(deep) is None
