"""Whatever a params file is turned into, reading it gives Params or a ParamsError: every line with its file and its place, no traceback."""

from __future__ import annotations

import copy
import io
import json
import random
import re
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from ruamel.yaml import YAML

from dpvsbook import params
from dpvsbook.errors import ParamsError

FILES = sorted((Path(__file__).parents[2] / "params").glob("*.yaml"))
Where = tuple[str | int, ...]

WEIRD: tuple[Any, ...] = (
    None, True, 0, -1, 65536, 10**30, -(2**64), float("nan"), float("inf"), "", [], {}, [[]], {"a": 1}, "\x00", "\n", "²", "١", "ä…\u202e",
    "x" * 5000, "10.0.0.100", "0.0.0.0", "255.255.255.255", "224.0.0.1", "::1", "::ffff:1.2.3.4", "fe80::1%eth0", "10.0.0.0/33",
    "10.2.3.4/16",
    "1.2.3.4/²", "0.0.0.0/0", "::/0", "default", "proto=,=,", "src-range=-", "src-range=[::1]-[::2]:1-2", "src-range=1.2.3.4-1.2.3.4:1-",
    "2020-01-01", "12:30:00", "0x1F", "1e400", "-1", "/", "snat", "dr", "icmp", "udp", "env:X", "lb1", "wan", "rs1",
)  # fmt: skip
JUNK = (
    "&a ", "*a", "&a [*a]", "!!python/object:os.system ", "!!binary AA==", "!!int x",
    "<<: ", "{", "}", "[", "]", ": ", "- ", "\t", "? ", "| ", "'",
    '"', "\\ud800", "%YAML 1.1\n---\n", "---\n", "...\n", "#", "@", "`", "~", "0o9", "\ufeff", "\x00", "\x07", "\r", "\x85",
    "\u2028", "\ud800",
)  # fmt: skip


@cache
def bases() -> tuple[tuple[str, Any], ...]:
    texts = [file.read_text() for file in FILES]
    return tuple((text, YAML(typ="safe", pure=True).load(text)) for text in texts)


def places(value: Any, at: Where = ()) -> Iterator[tuple[Where, Any]]:
    for key, part in value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ():
        yield (*at, key), part
        yield from places(part, (*at, key))


def _delete(holder: Any, key: Any, chance: random.Random, base: Any) -> None:
    del holder[key]


def _rename(holder: Any, key: Any, chance: random.Random, base: Any) -> None:
    if isinstance(holder, dict):
        holder[chance.choice([f"{key}s", str(key)[1:], "vip", "ssh", "ä"])] = holder.pop(key)


def _strange(holder: Any, key: Any, chance: random.Random, base: Any) -> None:
    holder[key] = copy.deepcopy(chance.choice(WEIRD))


def _other(holder: Any, key: Any, chance: random.Random, base: Any) -> None:
    """Something from elsewhere in the examples, in this place."""
    holder[key] = copy.deepcopy(chance.choice([value for _, value in places(chance.choice(bases())[1])]))


def _again(holder: Any, key: Any, chance: random.Random, base: Any) -> None:
    if isinstance(holder, list):
        holder.insert(chance.randrange(len(holder) + 1), copy.deepcopy(holder[key]))


def _shuffle(holder: Any, key: Any, chance: random.Random, base: Any) -> None:
    if isinstance(holder, list):
        chance.shuffle(holder)


def _deep(holder: Any, key: Any, chance: random.Random, base: Any) -> None:
    for _ in range(60):
        holder[key] = [holder[key]]


MUTATIONS: tuple[Callable[[Any, Any, random.Random, Any], None], ...] = (_delete, _rename, _strange, _other, _again, _shuffle, _deep)


def by_structure(chance: random.Random) -> str:
    base = copy.deepcopy(chance.choice(bases())[1])
    for _ in range(chance.choice((1, 1, 1, 2, 3, 6))):
        there = [at for at, _ in places(base)]
        if not there:
            break
        at = chance.choice(there)
        holder = base
        for part in at[:-1]:
            holder = holder[part]
        chance.choice(MUTATIONS)(holder, at[-1], chance, base)
    out = io.StringIO()
    YAML(typ="safe", pure=True).dump(base, out)
    return out.getvalue()


def by_text(chance: random.Random) -> str:
    text = chance.choice(bases())[0]
    for _ in range(chance.choice((1, 1, 2, 5))):
        at = chance.randrange(len(text) + 1)
        lines = text.splitlines(keepends=True) or [""]
        text = chance.choice(
            (
                text[:at],
                text[:at] + chance.choice(JUNK) + text[at:],
                text[:at] + text[at + chance.randrange(40) :],
                "".join([*lines[: at % len(lines)], chance.choice(lines), *lines[at % len(lines) :]]),
            )
        )
    return text


def read(text: str) -> str:
    """ "" where the text is fine and its Params do what others call them for; the message where it isn't."""
    try:
        found = params.parse(text, "f.yaml")
    except ParamsError as error:
        lines = error.message.splitlines()
        assert lines
        for line in lines:
            assert re.match(r"f\.yaml:[1-9]\d*: ", line), line
            assert line.isprintable(), ascii(line)
            assert len(line) < 1000
        return error.message
    for director in found.directors:
        for service in found.services_on(director):
            assert found.device_for(director, service.network)
            assert all(lip in director.lips for lip in found.desired_lips(director, service))
            assert all(found.service_address(service, rs) for rs in service.real_servers)
    again = params.parse(json.dumps(found.as_json()))
    assert (again, again.sha256) == (found, found.sha256)
    return ""


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.integers(0, 2**32), st.sampled_from([by_structure, by_structure, by_text]))
def test_300_mutated_files(seed: int, mutated: Callable[[random.Random], str]) -> None:
    read(mutated(random.Random(seed)))


@settings(max_examples=50, deadline=None)
@given(data=st.binary(max_size=200))
def test_bytes_that_are_no_params(tmp_path_factory: pytest.TempPathFactory, data: bytes) -> None:
    file = tmp_path_factory.getbasetemp() / "junk.yaml"
    file.write_bytes(data)
    with pytest.raises(ParamsError, match=r"junk\.yaml:\d+: "):
        params.load(file)


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_an_example_is_fine_and_says_who_runs_it(file: Path) -> None:
    assert read(file.read_text()) == ""
    first = [line for line in file.read_text().splitlines() if line.startswith("# ")][1]
    assert any(book in first + file.name for book in ("fnat-two-arm", "notebooks/build.ipynb")) or "Described and checked; the " in first
    assert params.load(file).name == file.stem


BASE = (Path(__file__).parents[2] / "params" / "fnat-two-arm.yaml").read_text()
LAUGHS = "a: &a [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{y}: &{y} [{', '.join([f'*{x}'] * 10)}]\n" for x, y in zip("abcdefghi", "bcdefghij", strict=True)
)


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        (LAUGHS, "aliases counted as often as they are used"),
        ("a: &a [*a]", "must not contain itself by an alias"),
        ("[" * 3000, "must not be nested deeper than"),
        ("\n".join(f"{' ' * depth}a:" for depth in range(300)), "must not be nested deeper than"),
        (BASE.replace("port: 80", f"port: {'9' * 50_000}"), "services[0].port: must be a whole number"),
        (BASE.replace("timeout: 3", "timeout: .nan"), "checks.http.timeout: must be a number"),
        (BASE + "name: again\n", "name: must be there once; it is on line"),
        (f"{BASE}---\n{BASE}", "must be YAML"),
        ("", "must not be empty"),
        ("- a\n", "must be a mapping"),
    ],
    ids=["billion laughs", "alias loop", "deep flow", "deep block", "huge int", "nan", "key twice", "two documents", "empty", "list"],
)
def test_yaml_that_is_after_us(text: str, rule: str) -> None:
    assert rule in read(text)
