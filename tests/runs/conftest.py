"""Small runbooks, run for real: a kernel, a record, no hosts."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from dpvsbook import records, runs

PARAMS = Path(__file__).parents[2] / "params" / "fnat-two-arm.yaml"
ATTACH = "import os\nfrom dpvsbook.records import Record\nrecord = Record.attach(os.environ['DPVSBOOK_RECORD'])"
CONVERGED = "record.event('verdict', verdict='converged', detail='all is well')"
PARAMETERS = 'params: str = "params.yaml"  # the cluster\nmode: str = "preview"  # what to do\n'


def code(source: str, name: str, *tags: str) -> dict[str, Any]:
    return {"cell_type": "code", "id": name, "metadata": {"tags": list(tags)}, "source": source, "outputs": [], "execution_count": None}


def document(*sources: str, parameters: str = PARAMETERS) -> dict[str, Any]:
    """A notebook: prose, parameters, and a cell `cell-<n>` for every source."""
    cells = [
        {"cell_type": "markdown", "id": "purpose", "metadata": {}, "source": "# A runbook"},
        code(parameters, "parameters", "parameters"),
    ]
    cells += [code(source, f"cell-{number}") for number, source in enumerate(sources)]
    return {"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": cells}


Make = Callable[..., Path]


@pytest.fixture
def runbook(tmp_path: Path) -> Make:
    """Writes a notebook of some cells; gives its path."""

    def make(*sources: str, **more: Any) -> Path:
        path = tmp_path / "book.ipynb"
        path.write_text(json.dumps(document(*sources, **more)))
        return path

    return make


@pytest.fixture
def run(runbook: Make, tmp_path: Path) -> Callable[..., runs.Run]:
    """Runs some cells in apply mode; gives the result."""

    def go(*sources: str, **more: Any) -> runs.Run:
        more = {"mode": "apply", "outputs": tmp_path / "outputs", **more}
        return runs.run(runbook(*sources), PARAMS, **more)

    return go


def states(found: runs.Run) -> dict[str, str]:
    """Cell to status, of the cells that a test wrote."""
    return {cell.id: cell.status for cell in found.cells if cell.id.startswith("cell-")}


def entry(found: runs.Run) -> records.Entry:
    assert found.record is not None
    return records.read(found.record)


def notebook(found: runs.Run) -> Mapping[str, Any]:
    """The executed notebook in a record."""
    assert found.record is not None
    loaded: Mapping[str, Any] = json.loads((found.record / "notebook.ipynb").read_text())
    return loaded
