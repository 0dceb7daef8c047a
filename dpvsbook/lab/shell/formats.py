"""printf's formats and the backslash escapes of printf and echo."""

from __future__ import annotations

import re

ESCAPES = {"a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v", "\\": "\\", '"': '"', "e": "\033"}
ESCAPE = re.compile(r"\\(?:(c)|x([0-9a-fA-F]{1,2})|(0?[0-7]{1,3})|(.))", re.S)
DIRECTIVE = re.compile(r"%([-+ #0]*)(\*|\d+)?(?:\.(\*|\d*))?([a-zA-Z%])")


def _byte(number: int) -> str:
    return bytes([number & 255]).decode("utf-8", "surrogateescape")


def _unescape(text: str, *, zero: bool) -> tuple[str, bool]:
    """`zero`: an octal number must begin with 0 (echo, %b take \\0nnn; a format takes \\nnn)."""
    out, at = [], 0
    for match in ESCAPE.finditer(text):
        out.append(text[at : match.start()])
        at = match.end()
        stop, hexadecimal, octal, other = match.groups()
        if stop and zero:
            return "".join(out), True
        if hexadecimal:
            out.append(_byte(int(hexadecimal, 16)))
        elif octal and (not zero or octal[0] == "0"):
            digits = octal if zero else octal[:3]
            out.append(_byte(int(digits, 8)) + octal[len(digits) :])
        else:
            out.append(ESCAPES.get(other or "", match[0]))
    out.append(text[at:])
    return "".join(out), False


def echo_escapes(text: str) -> tuple[str, bool]:
    """(the text, whether \\c ended it)."""
    return _unescape(text, zero=True) if "\\" in text else (text, False)


def _integer(word: str) -> tuple[int, str]:
    text = word.strip()
    if text[:1] in ("'", '"'):
        return (ord(text[1]) if len(text) > 1 else 0), ""
    if not text:
        return 0, ""
    try:
        return (int(text, 8) if re.fullmatch(r"[-+]?0[0-7]+", text) else int(text, 0)), ""
    except ValueError:
        leading = re.match(r"[-+]?\d+", text)
        return int(leading[0]) if leading else 0, f"{word}: expected numeric value"


def printf(template: str, words: list[str]) -> tuple[str, str]:
    """(what to print, a complaint or '')."""
    out: list[str] = []
    complaint = ""
    left = list(words)
    while True:
        before = len(left)
        stopped, problem = _once(template, left, out)
        complaint = complaint or problem
        if stopped or not left or len(left) == before:
            return "".join(out), complaint


def _once(template: str, left: list[str], out: list[str]) -> tuple[bool, str]:
    complaint, at = "", 0
    for match in DIRECTIVE.finditer(template):
        if match.start() < at:
            continue
        out.append(_unescape(template[at : match.start()], zero=False)[0])
        at = match.end()
        flags, width, precision, kind = match.groups()
        if kind == "%":
            out.append("%")
            continue
        if width == "*":
            width = str(_integer(left.pop(0))[0]) if left else "0"
        if precision == "*":
            precision = str(_integer(left.pop(0))[0]) if left else "0"
        word = left.pop(0) if left else ""
        specification = f"%{flags}{width or ''}{'' if precision is None else '.' + precision}"
        if kind in "di":
            value, problem = _integer(word)
            out.append((specification + "d") % value)
        elif kind in "uoxX":
            value, problem = _integer(word)
            out.append((specification + ("d" if kind == "u" else kind)) % (value & (1 << 64) - 1 if value < 0 else value))
        elif kind in "eEfFgG":
            problem = ""
            try:
                number = float(word or 0)
            except ValueError:
                number, problem = 0.0, f"{word}: expected numeric value"
            out.append((specification + kind) % number)
        elif kind == "c":
            problem = ""
            out.append((specification.split(".")[0] + "s") % word[:1])
        elif kind in "sb":
            problem = ""
            text, stopped = _unescape(word, zero=True) if kind == "b" else (word, False)
            out.append((specification + "s") % text)
            if stopped:
                return True, complaint
        else:
            return True, f"%{kind}: invalid directive"
        complaint = complaint or problem
    out.append(_unescape(template[at:], zero=False)[0])
    return False, complaint


def single_quoted(value: str) -> str:
    """As a shell reads it back."""
    return "'" + value.replace("'", "'\"'\"'") + "'"
