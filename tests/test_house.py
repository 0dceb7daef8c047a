"""What the house promises about itself: layers, notebooks, versions, and nothing of anybody's machine in the tree."""

from __future__ import annotations

import ast
import json
import re
import subprocess
import sys
import tomllib
from importlib.metadata import version
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]
LAYERS = (
    ("cli", "progress", "__main__"),
    ("runs",),
    ("steps",),
    ("book",),
    ("runbook", "views", "restarts", "site"),
    ("checks",),
    ("starting",),
    ("report",),
    ("plots",),
    ("records",),
    ("plan", "hostplan"),
    ("facts",),
    ("building",),
    ("hosts",),
    ("params",),
    ("conf",),
    ("secrets", "known"),
    ("errors",),
)
"""Top to bottom. The lab stands beside them: it may use params, facts' spelling and errors, and only the command may use it."""
LAB_MAY_USE = {"params", "errors", "secrets", "hosts", "facts", "conf", "lab"}


def layer(module: str) -> int | None:
    return next((i for i, names in enumerate(LAYERS) if module in names), None)


def imports(path: Path) -> set[str]:
    """The parts of dpvsbook that a file imports, at its top or inside a function; what is only for types is left out."""
    tree = ast.parse(path.read_text())
    for node in ast.walk(tree):
        if isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING":
            node.body = []
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[1] for alias in node.names if alias.name.startswith("dpvsbook.")}
        elif isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] == "dpvsbook":
            parts = node.module.split(".")
            found |= {parts[1]} if len(parts) > 1 else {alias.name for alias in node.names}
    return found


MODULES = sorted((ROOT / "dpvsbook").rglob("*.py"))


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT / "dpvsbook")))
def test_imports_only_point_down(path: Path) -> None:
    own = path.relative_to(ROOT / "dpvsbook").parts[0].removesuffix(".py")
    used = imports(path) - {own, "__version__"}
    if own == "lab":
        assert used <= LAB_MAY_USE
        return
    if own == "__init__":
        return
    assert "lab" not in used or own == "cli"
    mine = layer(own)
    assert mine is not None, f"{own} has no place in the layers"
    above = {name for name in used - {"lab"} if (theirs := layer(name)) is not None and theirs < mine}
    assert not above, f"{own} imports {above}"


NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.name)
def test_a_notebook_is_prose_and_calls(path: Path) -> None:
    book = json.loads(path.read_text())
    assert (book["nbformat"], book["nbformat_minor"]) == (4, 5)
    ids = [cell["id"] for cell in book["cells"]]
    assert len(set(ids)) == len(ids)
    assert all(re.fullmatch(r"[a-z]+(-[a-z]+)*", name) for name in ids)
    code = [cell for cell in book["cells"] if cell["cell_type"] == "code"]
    assert all(not cell["outputs"] and cell["execution_count"] is None for cell in code)
    assert [cell["id"] for cell in code if "parameters" in cell["metadata"].get("tags", [])] == ["parameters"]
    for cell in code:
        for node in ast.walk(ast.parse("".join(cell["source"]))):
            assert not isinstance(node, ast.FunctionDef | ast.For | ast.While | ast.ListComp | ast.ClassDef), cell["id"]


def test_the_lock_satisfies_what_is_asked_for() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    lock = (ROOT / "requirements.lock").read_text()
    pinned = dict(re.findall(r"^([a-z0-9._-]+)==([^ ;\\]+)", lock, re.MULTILINE))
    groups = project["dependency-groups"]
    asked = project["project"]["dependencies"] + groups["test"] + [item for item in groups["dev"] if isinstance(item, str)]
    for requirement in map(Requirement, asked):
        name = canonicalize_name(requirement.name)
        assert name in pinned, f"{name} is not in the lock: make lock"
        assert pinned[name] in requirement.specifier, f"{name} {pinned[name]} is not {requirement.specifier}"
    assert "://" not in lock
    entries = re.split(r"\n(?=[a-z0-9])", lock.strip())
    assert all("--hash=sha256:" in entry for entry in entries), "every version has its hashes"


def test_conda_makes_the_same_environment() -> None:
    text = (ROOT / "environment.yml").read_text()
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    (python,) = re.findall(r"- python (.*)", text)
    assert SpecifierSet(python) == SpecifierSet(project["requires-python"])
    assert "- -r requirements.lock" in text


def test_the_versions_agree() -> None:
    import dpvsbook

    assert dpvsbook.__version__ == tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"] == version("dpvsbook")
    assert sys.version_info[:2] in {(3, 11), (3, 12), (3, 13)}


def test_nothing_of_a_machine_is_in_the_tree() -> None:
    """No path of whoever worked here, and no package registry's address."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=False)
    if listed.returncode:
        pytest.skip("not a git checkout")
    words = ["/" + "work/", "/opt/" + "realdpvs", "pypi" + ".org", "files.python" + "hosted", "/root/" + ".pyenv", "conda" + ".anaconda"]
    for name in filter(None, listed.stdout.decode().split("\0")):
        path = ROOT / name
        if path.suffix in {".png", ".ico"} or not path.is_file():
            continue
        text = path.read_text(errors="replace")
        assert not [word for word in words if word in text], name
