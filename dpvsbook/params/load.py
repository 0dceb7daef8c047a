"""From a file to `Params`, or to one ParamsError that has every mistake in it, each with its line.

The models find what is wrong with single values; the rules, what is wrong between them. So that one mistake of the first kind doesn't
hide all of the second, the rules look at what is left of the file without the broken parts, and are not believed about what is missing.
"""

from __future__ import annotations

import contextlib
import gc
import re
from collections.abc import Iterable, Iterator
from pathlib import Path as File
from typing import Any, get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from dpvsbook.errors import ParamsError
from dpvsbook.params.model import Params
from dpvsbook.params.places import closest, written
from dpvsbook.params.rules import broken
from dpvsbook.params.tree import Path, Problem, Tree, Unreadable, build, compose
from dpvsbook.params.types import SECRET_RULE

SECRETS = frozenset({"password", "sudo_password", "auth"})
REMEDY = "Nothing was touched. `dpvsbook check --schema` prints what a params file may have, for an editor."


def load(path: File | str) -> Params:
    """Reads a params file. Raises ParamsError: `file:line: path.in.file: the rule that is broken`, one line each."""
    source = str(path)
    try:
        data = File(path).read_bytes()
    except OSError as error:
        raise ParamsError(f"{source}: {error.strerror or 'is not readable'}", remedy="Name a params file (YAML).") from None
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise ParamsError(f"{source}:{line}: must be text in UTF-8", remedy=REMEDY) from None
    return parse(text, source)


@contextlib.contextmanager
def _keeping() -> Iterator[None]:
    """All that is made here lives on: the collector would find nothing, and takes half of the time that 1,000 services are read in."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


@_keeping()
def parse(text: str, source: str = "params") -> Params:
    """The params in a text; `source` names it in messages. Raises ParamsError as `load` does."""
    params: Params | None = None
    try:
        node = compose(text)
        tree = build(node)
        params, errors = _validate(tree)
        sound = not tree.problems and all(error["type"] == "extra_forbidden" for error in errors)
        problems = [*tree.problems, *_said(tree, errors)]
        best, at = (params, tree) if params else _salvage(node, tree, errors)
        if best is not None:
            problems += [_placed(at, problem) for problem in broken(best) if sound or not problem.absence]
    except Unreadable as error:
        problems = [error.problem]
    if problems or params is None:
        ordered = sorted(problems, key=lambda problem: problem.line)
        raise ParamsError("\n".join(dict.fromkeys(_line(source, problem) for problem in ordered)), remedy=REMEDY) from None
    return params


def _validate(tree: Tree) -> tuple[Params | None, list[ErrorDetails]]:
    try:
        return Params.model_validate(tree.value), []
    except ValidationError as caught:
        found = caught.errors(include_url=False)
        for error in found:
            error["loc"] = tuple(part for part in error["loc"] if part != "[key]")  # how pydantic says that the key is wrong
        inner = {error["loc"][:length] for error in found for length in range(len(error["loc"]))}
        # a list whose items are broken is "too short" for pydantic too
        return None, [error for error in found if error["type"] != "too_short" or error["loc"] not in inner]


def _salvage(node: Any, tree: Tree, errors: list[ErrorDetails]) -> tuple[Params | None, Tree]:
    """What is left when the values with errors are left out, then what needed them, and so on up; None where nothing is left."""
    without: set[Path] = set()
    while errors:
        for error in errors:
            path = tuple(error["loc"])
            if path and path not in tree.lines:  # it isn't there: without it, what it belongs to makes no sense
                path = path[:-1]
            if not path:
                return None, tree
            without.add(tree.place(path)[0])
        tree = build(node, without=frozenset(without))
        params, errors = _validate(tree)
        if params is not None:
            return params, tree
    return None, tree


def _said(tree: Tree, errors: Iterable[ErrorDetails]) -> list[Problem]:
    """pydantic's errors as rules. What is below a secret's key is the secret, as far as anybody knows."""
    found = []
    marked = {problem.path for problem in tree.problems}
    for error in errors:
        path, line = tree.place(tuple(error["loc"]))
        if path in marked:
            continue
        found.append(Problem(path, _rule(error), line))
    return found


def _placed(tree: Tree, problem: Problem) -> Problem:
    path, line = tree.place(problem.path)
    return Problem(path, problem.rule, line)


PLAIN = {
    "missing": "must be there",
    "string_type": "must be text (in quotes where it looks like a number)",
    "int_type": "must be a whole number",
    "float_type": "must be a number",
    "finite_number": "must be a number, and not an endless one",
    "bool_type": "must be true or false",
    "tuple_type": "must be a list",
    "dict_type": "must be a mapping, key: value",
    "model_type": "must be a mapping, key: value",
    "too_short": "must not be empty",
    "int_parsing_size": "must be a smaller number",
}


def _rule(error: ErrorDetails) -> str:
    kind, context = error["type"], error.get("ctx", {})
    if kind == "extra_forbidden":
        keys = _keys_at(tuple(error["loc"][:-1]))
        name, colon, _ = str(error["loc"][-1]).partition(":")
        if colon and name in keys:
            return f"must be written {name}: with a blank behind the colon"
        near = closest(str(error["loc"][-1]), keys)
        return f"must be a known key{near or '; there are ' + ', '.join(keys)}"
    if kind == "literal_error":
        given = error["input"]
        return f"must be {context['expected']}" + (closest(given, _words(context["expected"])) if isinstance(given, str) else "")
    if kind == "value_error":
        return str(context["error"])
    bounds = {"greater_than_equal": "ge", "greater_than": "gt", "less_than_equal": "le", "less_than": "lt"}
    words = {"ge": "at least", "gt": "more than", "le": "at most", "lt": "less than"}
    if kind in bounds:
        return f"must be {words[bounds[kind]]} {context[bounds[kind]]}"
    return PLAIN.get(kind, "must be of another kind")


def _words(expected: str) -> list[str]:
    return re.findall(r"'([^']*)'", expected)


def _keys_at(path: Path) -> list[str]:
    """The keys that a mapping of a params file may have."""
    model: type[BaseModel] | None = Params
    for part in path:
        if model is None:
            return []
        if isinstance(part, str) and part in model.model_fields:
            held = _model_in(model.model_fields[part].annotation)
            model = held or model
    return list(model.model_fields) if model else []


def _model_in(annotation: Any) -> type[BaseModel] | None:
    """The model that an annotation is about: itself, or what its tuple, dict or option holds."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((found for part in get_args(annotation) if (found := _model_in(part))), None)


def _line(source: str, problem: Problem) -> str:
    path, rule = problem.path, problem.rule
    for index, part in enumerate(path):
        if part in SECRETS and index + 1 < len(path):
            path, rule = path[: index + 1], SECRET_RULE
            break
    where = f" {written(path)}:" if path else ""
    return f"{source}:{problem.line or 1}:{where} {rule}"
