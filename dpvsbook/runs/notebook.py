"""A runbook as a file: read, its structure checked, its parameters bound, before any kernel starts."""

from __future__ import annotations

import copy
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dpvsbook.errors import ParamsError
from dpvsbook.runs.parameters import Parameter, bind, declared

_INJECTED = "injected-parameters"


class NotebookError(ParamsError):
    """The notebook can't be run as it is: not a notebook, or without the cell that its parameters go into."""


@dataclass(frozen=True)
class Notebook:
    """A runbook: its path, the hash of its file, the parsed document (nbformat 4) and the parameters that it declares."""

    path: Path
    sha256: str
    document: Mapping[str, Any]
    parameters: tuple[Parameter, ...]

    @property
    def name(self) -> str:
        return self.path.stem

    def prepared(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """The document to run: outputs dropped, the values in a cell of their own after the parameters cell. Raises ParamsError."""
        values = bind(self.path.name, self.parameters, given)
        document: dict[str, Any] = copy.deepcopy(dict(self.document))
        cells = [cell for cell in document["cells"] if _INJECTED not in _tags(cell)]
        for cell in cells:
            cell.setdefault("metadata", {})
            if cell["cell_type"] == "code":
                cell |= {"outputs": [], "execution_count": None}
        place = next(index for index, cell in enumerate(cells) if "parameters" in _tags(cell)) + 1
        source = "# The parameters of this run\n" + "\n".join(f"{name} = {value!r}" for name, value in values.items())
        injected: dict[str, Any] = {
            "cell_type": "code",
            "metadata": {"tags": [_INJECTED]},
            "source": source,
            "outputs": [],
            "execution_count": None,
        }
        if (document["nbformat"], document["nbformat_minor"]) >= (4, 5):
            injected["id"] = _INJECTED
        cells.insert(place, injected)
        document["cells"] = cells
        document["metadata"] = {**document.get("metadata", {}), "papermill": {"parameters": values, "input_path": str(self.path)}}
        return document


def read(path: Path) -> Notebook:
    """Reads a notebook and checks its structure. Raises NotebookError with what is wrong and how to mend it."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise NotebookError(f"{path}: can't be read: {error.strerror}") from error
    try:
        document = json.loads(data)
    except ValueError as error:
        raise NotebookError(f"{path}: not a notebook: it isn't JSON ({error})") from error
    if not isinstance(document, dict) or not isinstance(document.get("cells"), list):
        raise NotebookError(f"{path}: not a notebook: it has no cells", remedy="Open it in JupyterLab and save it: nbformat 4 is needed.")
    if document.get("nbformat") != 4 or not isinstance(document.get("nbformat_minor"), int):
        raise NotebookError(f"{path}: nbformat {document.get('nbformat')!r} is not 4", remedy="Open it in JupyterLab and save it again.")
    _check_cells(path, document["cells"])
    language = document.get("metadata", {}).get("language_info", {}).get("name", "python")
    if language != "python":
        raise NotebookError(f"{path}: written in {language}: a runbook is Python")
    cell = next((cell for cell in document["cells"] if "parameters" in _tags(cell)), None)
    assert cell is not None  # noqa: S101 - _check_cells saw to it
    return Notebook(path, hashlib.sha256(data).hexdigest(), document, declared(path.name, cell["source"]))


def _check_cells(path: Path, cells: list[Any]) -> None:
    problems: list[str] = []
    seen: set[str] = set()
    for number, cell in enumerate(cells, 1):
        if not isinstance(cell, dict) or cell.get("cell_type") not in ("code", "markdown", "raw"):
            problems.append(f"{path}: cell {number} is neither code, markdown nor raw")
            continue
        source = cell.get("source", "")
        cell["source"] = "".join(source) if isinstance(source, list) else str(source)
        name = cell.get("id")
        if name is not None and name in seen:
            problems.append(f"{path}: cell {number}: its id {name!r} is another cell's too")
        seen.add(str(name))
    tagged = [number for number, cell in enumerate(cells, 1) if isinstance(cell, dict) and "parameters" in _tags(cell)]
    if not tagged:
        problems.append(f"{path}: no cell has the tag `parameters`")
    elif len(tagged) > 1:
        problems.append(f"{path}: cells {', '.join(map(str, tagged))} all have the tag `parameters`: one may")
    elif cells[tagged[0] - 1].get("cell_type") != "code":
        problems.append(f"{path}: cell {tagged[0]} has the tag `parameters`, but is not code")
    if problems:
        remedy = "A runbook has one code cell tagged `parameters`: in JupyterLab, the property inspector (the gears) sets tags."
        raise NotebookError("\n".join(problems), remedy=remedy)


def _tags(cell: Mapping[str, Any]) -> list[str]:
    metadata = cell.get("metadata")
    tags = metadata.get("tags", []) if isinstance(metadata, dict) else []
    return tags if isinstance(tags, list) else []
