"""What a parameters cell declares, and what fits it: nothing is executed, and nothing starts when it doesn't fit."""

from __future__ import annotations

import json
from typing import Any

import pytest

from dpvsbook.errors import ParamsError
from dpvsbook.runs import NotebookError
from dpvsbook.runs.notebook import read
from dpvsbook.runs.parameters import bind, declared

from .conftest import Make, code, document

CELL = """\
# what this run is about
params: str = "params.yaml"  # the cluster
mode: Literal["preview", "apply", "undo"] = "preview"
rate = 2.5  # requests a second
count: int
names: list[str] = []
deadline: float | None = None
"""


def test_declared() -> None:
    found = {parameter.name: (parameter.type, parameter.help) for parameter in declared("book.ipynb", CELL)}
    assert found == {
        "params": ("str", "the cluster"),
        "mode": ("Literal['preview', 'apply', 'undo']", ""),
        "rate": ("float", "requests a second"),
        "count": ("int", ""),
        "names": ("list[str]", ""),
        "deadline": ("float | None", ""),
    }


@pytest.mark.parametrize(
    ("cell", "problem"),
    [
        ("import os", "line 1: not an assignment of a literal to a name"),
        ("a = 1\nb = open('x')", "line 2: the default of 'b' is not a literal: open('x')"),
        ("a: Path = 'x'", "line 1: the type Path is not one that a parameter can have"),
        ("a: int = 'x'", "line 1: the default of 'a', 'x', is not int"),
        ("a: int = True", "line 1: the default of 'a', True, is not int"),
        ("a = 1\na = 2", "line 2: 'a' is declared twice"),
        ("a = b = 1", "line 1: not an assignment of a literal to a name"),
        ("a = ", "line 1: not Python"),
        ("def f(): pass", "line 1: not an assignment of a literal to a name"),
    ],
)
def test_what_is_no_parameter(cell: str, problem: str) -> None:
    with pytest.raises(ParamsError, match="parameters cell") as caught:
        declared("book.ipynb", cell)
    assert problem in str(caught.value)


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        ({}, "parameter 'count' (int) is missing: it has no default"),
        ({"count": 1, "cuont": 2}, "parameter 'cuont' is not known; it has: params, mode, rate, count, names, deadline"),
        ({"count": "1"}, "parameter 'count': '1' is not int"),
        ({"count": True}, "parameter 'count': True is not int"),
        ({"count": 1, "mode": "destroy"}, "parameter 'mode': 'destroy' is not Literal['preview', 'apply', 'undo']"),
        ({"count": 1, "names": ["a", 1]}, "parameter 'names': ['a', 1] is not list[str]"),
        ({"count": 1, "deadline": "soon"}, "parameter 'deadline': 'soon' is not float | None"),
    ],
)
def test_what_does_not_fit(given: dict[str, Any], problem: str) -> None:
    with pytest.raises(ParamsError) as caught:
        bind("book.ipynb", declared("book.ipynb", CELL), given)
    assert problem in str(caught.value)


def test_all_that_does_not_fit_is_told_at_once() -> None:
    with pytest.raises(ParamsError) as caught:
        bind("book.ipynb", declared("book.ipynb", CELL), {"cuont": 1, "rate": "fast"})
    assert len(str(caught.value).splitlines()) == 3


def test_values_are_defaults_unless_given() -> None:
    values = bind("book.ipynb", declared("book.ipynb", CELL), {"count": 3, "rate": 4})
    assert values == {"params": "params.yaml", "mode": "preview", "rate": 4, "count": 3, "names": [], "deadline": None}


def test_values_typed_in_a_shell() -> None:
    by_name = {parameter.name: parameter for parameter in declared("book.ipynb", CELL)}
    assert by_name["params"].read("1") == "1"
    assert by_name["count"].read("12") == 12
    assert by_name["deadline"].read("none") is None
    assert by_name["names"].read("['a']") == ["a"]
    with pytest.raises(ParamsError, match="'twelve' is not int"):
        by_name["count"].read("twelve")


def test_the_values_stand_in_a_cell_of_their_own_after_the_parameters(runbook: Make) -> None:
    book = read(runbook("1"))
    cells = book.prepared({"params": "a 'quoted' path", "mode": "apply"})["cells"]
    assert [cell["id"] for cell in cells] == ["purpose", "parameters", "injected-parameters", "cell-0"]
    assert cells[2]["source"].splitlines()[1:] == ["params = \"a 'quoted' path\"", "mode = 'apply'"]
    assert [cell["id"] for cell in book.document["cells"]] == ["purpose", "parameters", "cell-0"]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("not json", "it isn't JSON"),
        ("[]", "it has no cells"),
        (json.dumps({"cells": [], "nbformat": 3, "nbformat_minor": 0}), "nbformat 3 is not 4"),
        (json.dumps({"cells": [], "nbformat": 4, "nbformat_minor": 5}), "no cell has the tag `parameters`"),
        (json.dumps(document() | {"cells": [code("", "a", "parameters"), code("", "b", "parameters")]}), "cells 1, 2 all have the tag"),
        (json.dumps(document() | {"cells": [code("", "a", "parameters"), code("", "a")]}), "its id 'a' is another cell's too"),
        (json.dumps(document() | {"cells": [{"cell_type": "poem"}, code("", "a", "parameters")]}), "cell 1 is neither code"),
        (json.dumps(document() | {"metadata": {"language_info": {"name": "R"}}}), "written in R"),
    ],
)
def test_what_is_no_runbook(runbook: Make, text: str, problem: str) -> None:
    path = runbook()
    path.write_text(text)
    with pytest.raises(NotebookError) as caught:
        read(path)
    assert problem in str(caught.value)
    assert caught.value.exit_code == 4


def test_a_notebook_that_is_not_there(runbook: Make) -> None:
    with pytest.raises(NotebookError, match="can't be read"):
        read(runbook().with_name("nowhere.ipynb"))
