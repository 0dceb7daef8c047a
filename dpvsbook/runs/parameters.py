"""The parameters that a notebook declares, and the values given for them. Nothing is executed: the cell is read as text.

A parameters cell holds assignments of literals, each with its type (written, or that of the literal) and a comment:

    params: str = "../params/fnat-two-arm.yaml"   # the cluster
    mode: Literal["preview", "apply", "undo"] = "preview"
"""

from __future__ import annotations

import ast
import io
import tokenize
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from dpvsbook.errors import ParamsError

_SCALARS: Mapping[str, type] = {"str": str, "int": int, "float": float, "bool": bool}
_ANY = "Any"


class _Missing:
    def __repr__(self) -> str:
        return "(required)"


MISSING = _Missing()


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter: `type` as it would be written ("str", "list[str]", "int | None", "Literal['a', 'b']"); MISSING: no default."""

    name: str
    type: str
    default: Any = MISSING
    help: str = ""

    def accepts(self, value: Any) -> bool:
        """Whether a value is of the parameter's type; True is not an int, and an int will do for a float."""
        return _fits(ast.parse(self.type, mode="eval").body, value)

    def read(self, text: str) -> Any:
        """A value that was typed in a shell: the text itself where a string will do, a literal otherwise. Raises ParamsError."""
        if self.accepts(text):
            return text
        try:
            value = ast.literal_eval({"true": "True", "false": "False", "none": "None"}.get(text.lower(), text))
        except (ValueError, SyntaxError, MemoryError, RecursionError):
            value = MISSING
        if not self.accepts(value):
            raise ParamsError(f"parameter {self.name!r}: {text!r} is not {self.type}")
        return value


def declared(source_name: str, cell: str) -> tuple[Parameter, ...]:
    """The parameters of a cell, in order. Raises ParamsError naming every line that isn't a parameter."""
    try:
        body = ast.parse(cell).body
    except SyntaxError as error:
        raise ParamsError(f"{source_name}: parameters cell, line {error.lineno}: not Python: {error.msg}") from error
    comments = _comments(cell)
    found: dict[str, Parameter] = {}
    problems: list[str] = []
    for node in body:
        where = f"{source_name}: parameters cell, line {node.lineno}"
        if isinstance(node, ast.ImportFrom) and node.module in ("typing", "__future__"):
            continue
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
            continue
        parameter = _parameter(node, comments.get(node.end_lineno or node.lineno, ""))
        if isinstance(parameter, str):
            problems.append(f"{where}: {parameter}")
        elif parameter.name in found:
            problems.append(f"{where}: {parameter.name!r} is declared twice")
        elif parameter.default is not MISSING and not parameter.accepts(parameter.default):
            problems.append(f"{where}: the default of {parameter.name!r}, {parameter.default!r}, is not {parameter.type}")
        else:
            found[parameter.name] = parameter
    if problems:
        raise ParamsError(
            "\n".join(problems), remedy="The cell may hold only assignments of literals: name = value, or name: type = value."
        )
    return tuple(found.values())


def bind(source_name: str, parameters: tuple[Parameter, ...], given: Mapping[str, Any]) -> dict[str, Any]:
    """The value of every parameter: what is given, else its default. Raises ParamsError naming all that is unknown, missing, ill-typed."""
    known = {parameter.name: parameter for parameter in parameters}
    problems = [
        f"{source_name}: parameter {name!r} is not known; it has: {', '.join(known) or 'none'}" for name in given if name not in known
    ]
    values: dict[str, Any] = {}
    for name, parameter in known.items():
        value = given.get(name, parameter.default)
        if value is MISSING:
            problems.append(f"{source_name}: parameter {name!r} ({parameter.type}) is missing: it has no default")
        elif not parameter.accepts(value):
            problems.append(f"{source_name}: parameter {name!r}: {value!r} is not {parameter.type}")
        values[name] = value
    if problems:
        raise ParamsError("\n".join(problems))
    return values


def _parameter(node: ast.stmt, comment: str) -> Parameter | str:
    """A statement as a parameter, or what is wrong with it."""
    if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
        kind: str | None = ast.unparse(node.annotation)
        if not _known(node.annotation):
            return f"the type {kind} is not one that a parameter can have"
        name, value = node.target.id, node.value
    elif isinstance(node, ast.Assign) and len(node.targets) == 1 and isinstance(node.targets[0], ast.Name):
        name, value, kind = node.targets[0].id, node.value, None
    else:
        return "not an assignment of a literal to a name"
    if value is None:
        return Parameter(name, kind or _ANY, MISSING, comment)
    try:
        default = ast.literal_eval(value)
    except (ValueError, TypeError):
        return f"the default of {name!r} is not a literal: {ast.unparse(value)}"
    return Parameter(name, kind or _type_of(default), default, comment)


def _type_of(value: Any) -> str:
    if value is None:
        return _ANY
    if isinstance(value, list) and value and len({type(item) for item in value}) == 1:
        return f"list[{_type_of(value[0])}]"
    return type(value).__name__


def _known(node: ast.expr) -> bool:
    if isinstance(node, ast.Constant):
        return node.value is None
    if isinstance(node, ast.Name):
        return node.id in {*_SCALARS, "list", "dict", "tuple", "set", _ANY}
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitOr):
        return _known(node.left) and _known(node.right)
    if isinstance(node, ast.Subscript) and isinstance(node.value, ast.Name):
        inner = node.slice.elts if isinstance(node.slice, ast.Tuple) else [node.slice]
        if node.value.id == "Literal":
            return all(isinstance(item, ast.Constant) for item in inner)
        return (node.value.id, len(inner)) in {("list", 1), ("dict", 2)} and all(_known(item) for item in inner)
    return False


def _fits(node: ast.expr, value: Any) -> bool:
    if isinstance(node, ast.Constant):
        return value is None
    if isinstance(node, ast.BinOp):
        return _fits(node.left, value) or _fits(node.right, value)
    if isinstance(node, ast.Subscript) and isinstance(node.value, ast.Name):
        inner = node.slice.elts if isinstance(node.slice, ast.Tuple) else [node.slice]
        if node.value.id == "Literal":
            choices = [item.value for item in inner if isinstance(item, ast.Constant)]
            return any(value == choice and type(value) is type(choice) for choice in choices)
        if node.value.id == "list":
            return isinstance(value, list) and all(_fits(inner[0], item) for item in value)
        pairs = value.items() if isinstance(value, dict) else ()
        return isinstance(value, dict) and all(_fits(inner[0], key) and _fits(inner[1], item) for key, item in pairs)
    name = node.id if isinstance(node, ast.Name) else _ANY
    if value is MISSING:
        return False
    if name == _ANY:
        return True
    if name == "float":
        return isinstance(value, int | float) and not isinstance(value, bool)
    if name == "int":
        return isinstance(value, int) and not isinstance(value, bool)
    return type(value).__name__ == name


def _comments(cell: str) -> dict[int, str]:
    """The comment at the end of each line."""
    tokens = tokenize.generate_tokens(io.StringIO(cell).readline)
    return {token.start[0]: token.string.lstrip("# ") for token in tokens if token.type == tokenize.COMMENT}
