"""Word expansion: tilde, parameters, command substitution, arithmetic, field splitting, file names, quote removal (POSIX, XCU 2.6)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from dpvsbook.lab.shell import arithmetic, pattern
from dpvsbook.lab.shell.syntax import Arithmetic, Literal, Parameter, Part, Substitution, Word

if TYPE_CHECKING:
    from dpvsbook.lab.shell.run import Shell

Field = list[tuple[str, bool]]  # (text, quoted)


class ExpansionError(Exception):
    """A parameter that isn't set where it must be, a bad arithmetic expression: ends a script with status 2."""


def fields(shell: Shell, words: tuple[Word, ...]) -> list[str]:
    """The words as the arguments of a command."""
    expanded: list[str] = []
    for word in words:
        if len(word.parts) == 1 and isinstance(part := word.parts[0], Literal) and (part.quoted or _plain(part.text)):
            expanded.append(part.text)
            continue
        for found in _split(shell, word):
            expanded.extend(_names(shell, found))
    return expanded


def string(shell: Shell, word: Word) -> str:
    """The word as one string: assignments, redirections, here-documents, `case`."""
    return "".join(text for text, _ in _flat(shell, word))


def as_pattern(shell: Shell, word: Word) -> str:
    return "".join(pattern.escaped(text) if quoted else text for text, quoted in _flat(shell, word))


def _plain(text: str) -> bool:
    return not text.startswith("~") and not any(char in pattern.SPECIAL for char in text)


def _names(shell: Shell, found: Field) -> list[str]:
    if "f" not in shell.options and any(not quoted and pattern.has_magic(text) for text, quoted in found):
        wanted = "".join(pattern.escaped(text) if quoted else text for text, quoted in found)
        if names := shell.system.files.glob(wanted, shell.cwd):
            return names
    return ["".join(text for text, _ in found)]


def _flat(shell: Shell, word: Word) -> Iterator[tuple[str, bool]]:
    for index, part in enumerate(word.parts):
        if isinstance(part, Parameter) and part.name in "@*" and not part.operator:
            joint = " " if part.name == "@" else shell.variables.get("IFS", " ")[:1]
            yield joint.join(shell.arguments), part.quoted
        elif isinstance(part, Literal):
            yield (_tilde(shell, part.text) if index == 0 and not part.quoted else part.text), part.quoted
        else:
            yield from _values(shell, part)


def _split(shell: Shell, word: Word) -> list[Field]:
    done: list[Field] = []
    current: Field | None = None
    for index, part in enumerate(word.parts):
        if isinstance(part, Literal):
            text = _tilde(shell, part.text) if index == 0 and not part.quoted else part.text
            current = [*(current or []), (text, part.quoted)]
            continue
        if isinstance(part, Parameter) and part.name in ("@", "*") and not part.operator and not (part.quoted and part.name == "*"):
            for position, argument in enumerate(shell.arguments):
                if position and current is not None:
                    done.append(current)
                    current = None
                current = [*(current or []), (argument, True)] if part.quoted else _spread(shell, argument, current, done)
            continue
        for text, quoted in _values(shell, part):
            current = [*(current or []), (text, True)] if quoted else _spread(shell, text, current, done)
    if current is not None:
        done.append(current)
    return done


def _spread(shell: Shell, text: str, current: Field | None, done: list[Field]) -> Field | None:
    """Splits `text` at IFS; finished fields go to `done`, the open one is returned."""
    separators = shell.variables.get("IFS", " \t\n")
    if not text:
        return current
    if not separators:
        return [*(current or []), (text, False)]
    blank = "".join(char for char in separators if char in " \t\n")
    solid = "".join(char for char in separators if char not in " \t\n")
    either = []
    if solid:
        either.append(f"[{re.escape(blank)}]*[{re.escape(solid)}][{re.escape(blank)}]*" if blank else f"[{re.escape(solid)}]")
    if blank:
        either.append(f"[{re.escape(blank)}]+")
    at = 0
    for match in re.finditer("|".join(either), text):
        piece = text[at : match.start()]
        if piece:
            current = [*(current or []), (piece, False)]
        if current is not None:
            done.append(current)
        elif solid and any(char in solid for char in match[0]):
            done.append([("", True)])
        current, at = None, match.end()
    return [*(current or []), (text[at:], False)] if at < len(text) else current


def _tilde(shell: Shell, text: str) -> str:
    if text == "~" or text.startswith("~/"):
        return shell.variables.get("HOME", shell.system.home(shell.uid)) + text[1:]
    return text


def _values(shell: Shell, part: Part) -> Iterator[tuple[str, bool]]:
    """The text of an expansion, in pieces with their own quoting (the word of `${x:-…}` may be quoted in part)."""
    if isinstance(part, Substitution):
        yield shell.substitute(part.script), part.quoted
    elif isinstance(part, Arithmetic):
        try:
            yield str(arithmetic.evaluate(string(shell, part.word), shell.variables)), part.quoted
        except arithmetic.ExpressionError as error:
            raise ExpansionError(f"arithmetic expression: {error}") from None
    elif isinstance(part, Parameter):
        yield from _parameter(shell, part)
    else:
        yield part.text, part.quoted


def _parameter(shell: Shell, part: Parameter) -> Iterator[tuple[str, bool]]:
    value = value_of(shell, part.name)
    operator = part.operator
    if operator in ("", "length", "%", "%%", "#", "##"):
        if value is None:
            if "u" in shell.options and part.name not in "@*":
                raise ExpansionError(f"{part.name}: parameter not set")
            value = ""
        if operator == "length":
            value = str(len(value))
        elif operator and part.word is not None:
            value = pattern.trim(value, as_pattern(shell, part.word), operator)
        yield value, part.quoted
        return
    missing = value is None or (operator[0] == ":" and not value)
    kind = operator[-1]
    if kind == "+":
        if not missing:
            yield from _word(shell, part)
        elif part.quoted:
            yield "", True
    elif not missing:
        yield value or "", part.quoted
    elif kind == "-":
        yield from _word(shell, part)
    elif kind == "=":
        value = string(shell, part.word or Word(()))
        shell.assign(part.name, value)
        yield value, part.quoted
    else:
        raise ExpansionError(f"{part.name}: {string(shell, part.word or Word(())) or 'parameter not set or null'}")


def _word(shell: Shell, part: Parameter) -> Iterator[tuple[str, bool]]:
    pieces = list(_flat(shell, part.word)) if part.word is not None else []
    for text, quoted in pieces or [("", part.quoted)]:
        yield text, quoted or part.quoted


def value_of(shell: Shell, name: str) -> str | None:
    match name:
        case "?":
            return str(shell.status)
        case "$":
            return str(shell.pid)
        case "!":
            return str(shell.last_background) if shell.last_background else None
        case "#":
            return str(len(shell.arguments))
        case "@" | "*":
            return " ".join(shell.arguments) if shell.arguments else None
        case "-":
            return "".join(sorted(shell.options))
        case "0":
            return shell.name
        case "PPID":
            return str(shell.process.parent)
    if name.isdigit():
        return shell.arguments[int(name) - 1] if int(name) <= len(shell.arguments) else None
    return shell.variables.get(name)
