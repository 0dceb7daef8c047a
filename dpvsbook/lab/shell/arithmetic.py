"""`$((…))`: integers, C's operators and precedence, assignment to variables."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, MutableMapping

TOKEN = re.compile(r"\s*(0[xX][0-9a-fA-F]+|\d+|[A-Za-z_]\w*|<<=|>>=|<<|>>|<=|>=|==|!=|&&|\|\||[-+*/%&|^]=|[-+*/%<>&|^!~?:=()])")
LEVELS: tuple[tuple[str, ...], ...] = (
    ("||",),
    ("&&",),
    ("|",),
    ("^",),
    ("&",),
    ("==", "!="),
    ("<", "<=", ">", ">="),
    ("<<", ">>"),
    ("+", "-"),
    ("*", "/", "%"),
)


class ExpressionError(Exception):
    """In dash's words."""


def _divide(a: int, b: int) -> int:
    if b == 0:
        raise ExpressionError("division by zero")
    return abs(a) // abs(b) * (1 if (a < 0) == (b < 0) else -1)


OPERATORS: dict[str, Callable[[int, int], int]] = {
    "||": lambda a, b: int(bool(a or b)),
    "&&": lambda a, b: int(bool(a and b)),
    "|": operator.or_,
    "^": operator.xor,
    "&": operator.and_,
    "==": lambda a, b: int(a == b),
    "!=": lambda a, b: int(a != b),
    "<": lambda a, b: int(a < b),
    "<=": lambda a, b: int(a <= b),
    ">": lambda a, b: int(a > b),
    ">=": lambda a, b: int(a >= b),
    "<<": operator.lshift,
    ">>": operator.rshift,
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": _divide,
    "%": lambda a, b: a - b * _divide(a, b),
}


def evaluate(text: str, variables: MutableMapping[str, str]) -> int:
    return _Expression(text, variables).value()


class _Expression:
    def __init__(self, text: str, variables: MutableMapping[str, str]) -> None:
        self._tokens, self._at, self._variables = [], 0, variables
        at = 0
        while at < len(text.rstrip()):
            match = TOKEN.match(text, at)
            if match is None:
                raise ExpressionError(f'expecting primary: "{text.strip()}"')
            self._tokens.append(match[1])
            at = match.end()

    def value(self) -> int:
        if not self._tokens:
            return 0
        value = self._ternary()
        if self._peek():
            raise ExpressionError(f'expecting EOF: "{self._peek()}"')
        return _wrapped(value)

    def _peek(self, ahead: int = 0) -> str:
        return self._tokens[self._at + ahead] if self._at + ahead < len(self._tokens) else ""

    def _next(self) -> str:
        token = self._peek()
        self._at += 1
        return token

    def _ternary(self) -> int:
        name, assign = self._peek(), self._peek(1)
        if name and (name[0].isalpha() or name[0] == "_") and assign.endswith("=") and assign not in ("==", "<=", ">=", "!="):
            self._at += 2
            value = self._ternary()
            if assign != "=":
                value = OPERATORS[assign[:-1]](self._variable(name), value)
            self._variables[name] = str(value)
            return value
        condition = self._binary(0)
        if self._peek() != "?":
            return condition
        self._next()
        yes = self._ternary()
        if self._next() != ":":
            raise ExpressionError("expecting ':'")
        no = self._ternary()
        return yes if condition else no

    def _binary(self, level: int) -> int:
        if level == len(LEVELS):
            return self._unary()
        value = self._binary(level + 1)
        while self._peek() in LEVELS[level]:
            symbol = self._next()
            value = OPERATORS[symbol](value, self._binary(level + 1))
        return value

    def _unary(self) -> int:
        symbol = self._next()
        if symbol == "-":
            return -self._unary()
        if symbol == "+":
            return self._unary()
        if symbol == "!":
            return int(not self._unary())
        if symbol == "~":
            return ~self._unary()
        if symbol == "(":
            value = self._ternary()
            if self._next() != ")":
                raise ExpressionError("expecting ')'")
            return value
        if symbol and (symbol[0].isalpha() or symbol[0] == "_"):
            return self._variable(symbol)
        return _number(symbol)

    def _variable(self, name: str) -> int:
        return _number(self._variables.get(name, "").strip() or "0")


def _number(text: str) -> int:
    try:
        if re.fullmatch(r"-?0[0-7]+", text):
            return int(text, 8)
        return int(text, 0)
    except ValueError:
        raise ExpressionError(f"Illegal number: {text}" if text else "expecting primary") from None


def _wrapped(value: int) -> int:
    """64 bits, two's complement, like intmax_t."""
    value &= (1 << 64) - 1
    return value - (1 << 64) if value >> 63 else value
