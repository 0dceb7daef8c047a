"""A params file as a tree: YAML to plain values, with the line of each, and without any of YAML's ways to blow up.

Only the composer of ruamel.yaml runs, or `quick` in its place (YAML 1.2: `on` and `no` are words). No tag makes an object; aliases may
be used, and are counted, so that a few of them can't become a billion values; a mapping's key twice is an error.
"""

from __future__ import annotations

import re
import warnings
from dataclasses import dataclass, field
from typing import Any, Final

from dpvsbook.params import quick

Path = tuple[str | int, ...]

MAX_BYTES: Final = 8 * 1024 * 1024
MAX_VALUES: Final = 1_000_000
MAX_DEPTH: Final = 40
_CORE = "tag:yaml.org,2002:"


@dataclass(frozen=True, slots=True)
class Problem:
    """A rule that is broken at a place of the file. `line` 0: it is looked up by the path. `absence`: that something isn't there."""

    path: Path
    rule: str
    line: int = 0
    absence: bool = False


class Unreadable(Exception):
    """It isn't YAML, or not the YAML that a params file is made of."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.rule)
        self.problem = problem


@dataclass
class Tree:
    """`value`: mappings as dicts, lists as tuples, scalars. `lines`, `origin`: a path in `value` to its line and its path in the file."""

    value: Any = None
    lines: dict[Path, int] = field(default_factory=dict)
    origin: dict[Path, Path] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)

    def place(self, path: Path) -> tuple[Path, int]:
        """Where a path of `value` is in the file. What isn't there (a missing key) has the line of what it is missing from."""
        for length in range(len(path), -1, -1):
            if path[:length] in self.lines:
                return self.origin[path[:length]] + path[length:], self.lines[path[:length]]
        return path, 1


def compose(text: str) -> Any:
    """The YAML nodes of a text. Raises Unreadable."""
    if len(text) > MAX_BYTES:
        raise Unreadable(Problem((), f"must be smaller than {MAX_BYTES // 1024**2} MiB", 1))
    found = quick.nodes(text)
    if found is not None:
        return found
    from ruamel.yaml import YAML
    from ruamel.yaml.error import MarkedYAMLError, YAMLError

    try:
        with warnings.catch_warnings():  # about an anchor that is there twice, with the line that it is in: it may hold a password
            warnings.simplefilter("ignore")
            node = YAML(typ="safe", pure=True).compose(text)
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise Unreadable(Problem((), f"must be YAML: {_said(error)}", mark.line + 1 if mark else 1)) from None
    except YAMLError as error:
        raise Unreadable(Problem((), f"must be YAML: {_said(error)}", 1)) from None
    except RecursionError:
        raise Unreadable(Problem((), f"must not be nested deeper than {MAX_DEPTH} levels", 1)) from None
    except Exception:  # noqa: BLE001, RUF100 - the scanner has ways to fail that aren't YAMLErrors, on input that is no YAML
        raise Unreadable(Problem((), "must be YAML", 1)) from None
    if node is None:
        raise Unreadable(Problem((), "must not be empty", 1))
    return node


def _said(error: Any) -> str:
    """What ruamel.yaml has to say, without the words of the file that it quotes: one may be a password."""
    text = str(getattr(error, "problem", None) or getattr(error, "reason", None) or "not readable")
    return re.sub(r"\s+", " ", re.sub(r"""(['"]).{2,}\1""", "…", text, flags=re.DOTALL)).strip()[:200]


def build(node: Any, *, without: frozenset[Path] = frozenset()) -> Tree:
    """The tree of composed nodes; paths in `without` are left out. Raises Unreadable for too deep, too many, or a loop of aliases."""
    tree = Tree()
    budget = [MAX_VALUES]

    def convert(node: Any, path: Path, origin: Path, above: tuple[int, ...]) -> Any:
        budget[0] -= 1
        line = node.start_mark.line + 1
        tree.lines.setdefault(path, line)
        tree.origin[path] = origin
        if budget[0] < 0:
            raise Unreadable(Problem((), f"must not have more than {MAX_VALUES} values, aliases counted as often as they are used", line))
        if id(node) in above:
            raise Unreadable(Problem(origin, "must not contain itself by an alias", line))
        if len(above) > MAX_DEPTH:
            raise Unreadable(Problem((), f"must not be nested deeper than {MAX_DEPTH} levels", line))
        kind = type(node).__name__
        if kind == "ScalarNode":
            return _scalar(node, origin, tree)
        known = {"SequenceNode": "seq", "MappingNode": "map"}
        if str(node.tag) != f"{_CORE}{known.get(kind, '')}":
            tree.problems.append(Problem(origin, "must not have a YAML tag (!…)", line))
            return None
        above = (*above, id(node))
        if kind == "SequenceNode":
            kept: list[Any] = []
            for index, item in enumerate(node.value):
                if (*origin, index) not in without:
                    kept.append(convert(item, (*path, len(kept)), (*origin, index), above))
            return tuple(kept)
        found: dict[str, Any] = {}
        first: dict[str, int] = {}
        for key_node, value_node in node.value:
            at = key_node.start_mark.line + 1
            if type(key_node).__name__ != "ScalarNode":
                tree.problems.append(Problem(origin, "must have plain words as keys", at))
                continue
            key = str(key_node.value)
            if key == "<<":
                tree.problems.append(Problem(origin, "must not use the merge key <<: write an alias for a whole value", at))
                continue
            here = (*origin, key)
            if key in first:
                tree.problems.append(Problem(here, f"must be there once; it is on line {first[key]} already", at))
                continue
            first[key] = at
            if here not in without:
                tree.lines[(*path, key)] = at
                found[key] = convert(value_node, (*path, key), here, above)
        return found

    tree.value = convert(node, (), (), ())
    return tree


def _scalar(node: Any, origin: Path, tree: Tree) -> Any:
    text, tag = str(node.value), str(node.tag).removeprefix(_CORE)
    try:
        if tag == "null":
            return None
        if tag == "bool":
            return text.lower() == "true"
        if tag == "int":
            digits = text.replace("_", "")
            return int(digits, 0) if re.match(r"[-+]?0[xob]", digits) else int(digits)
        if tag == "float":
            return float(text.replace("_", "").lower().replace(".inf", "inf").replace(".nan", "nan"))
    except ValueError:
        return text
    if tag not in ("str", "timestamp"):
        tree.problems.append(Problem(origin, "must not have a YAML tag (!…)", node.start_mark.line + 1))
    return text
