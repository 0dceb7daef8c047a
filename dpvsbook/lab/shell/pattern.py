"""Shell patterns (`*`, `?`, `[…]`) over text in which some characters are quoted."""

from __future__ import annotations

import re
from functools import lru_cache

ESCAPE = "\\"
SPECIAL = "*?["
CLASSES = {
    "alpha": "A-Za-z",
    "digit": "0-9",
    "alnum": "A-Za-z0-9",
    "space": r"\s",
    "upper": "A-Z",
    "lower": "a-z",
    "blank": r" \t",
    "punct": r"!-/:-@\[-`{-~",
    "xdigit": "0-9A-Fa-f",
}


def escaped(text: str) -> str:
    """`text` as a pattern that matches only itself."""
    return re.sub(r"([\\*?\[\]])", r"\\\1", text)


def has_magic(pattern: str) -> bool:
    return any(char in SPECIAL for char in re.sub(r"\\.", "", pattern))


def unescaped(pattern: str) -> str:
    return re.sub(r"\\(.)", r"\1", pattern, flags=re.S)


@lru_cache(maxsize=512)
def regex(pattern: str) -> re.Pattern[str]:
    return re.compile(translate(pattern) + r"\Z", re.S)


def translate(pattern: str, *, greedy: bool = True) -> str:
    """The regular expression of a shell pattern."""
    out, at = [], 0
    many = ".*" if greedy else ".*?"
    while at < len(pattern):
        char = pattern[at]
        at += 1
        if char == ESCAPE and at < len(pattern):
            out.append(re.escape(pattern[at]))
            at += 1
        elif char == "*":
            out.append(many)
        elif char == "?":
            out.append(".")
        elif char == "[" and (end := _bracket_end(pattern, at)) > 0:
            out.append(_bracket(pattern[at:end]))
            at = end + 1
        else:
            out.append(re.escape(char))
    return "".join(out)


def _bracket_end(pattern: str, at: int) -> int:
    at += pattern[at : at + 1] in ("!", "^")
    at += pattern[at : at + 1] == "]"
    while at < len(pattern) and pattern[at] != "]":
        if pattern.startswith("[:", at) and (close := pattern.find(":]", at)) > 0:
            at = close + 1
        at += 1
    return at if at < len(pattern) else -1


def _bracket(inner: str) -> str:
    negated = inner[:1] in ("!", "^")
    body = inner[1:] if negated else inner
    body = (
        body.replace("\\", "").replace("[:", "\0").replace("[", r"\[").replace("]", r"\]").replace("\0", "[:") if "[:" not in body else body
    )
    body = re.sub(r"\[:(\w+):\\?\]", lambda m: CLASSES.get(m[1], ""), body)
    return f"[{'^' if negated else ''}{body}]"


def matches(pattern: str, text: str) -> bool:
    return regex(pattern).match(text) is not None


def trim(text: str, pattern: str, operator: str) -> str:
    """`${text#pattern}` and its three relatives."""
    greedy = len(operator) == 2
    if operator[0] == "#":
        match = re.match(translate(pattern, greedy=greedy), text, re.S)
        return text[match.end() :] if match else text
    starts = range(len(text) + 1) if greedy else range(len(text), -1, -1)
    compiled = regex(pattern)
    return next((text[:at] for at in starts if compiled.match(text, at)), text)
