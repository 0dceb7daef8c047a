"""The commands that are the shell itself."""

# ruff: noqa: ARG001  (every builtin gets the shell and its arguments)

from __future__ import annotations

import os
import re
from collections.abc import Callable
from typing import TYPE_CHECKING

from dpvsbook.lab.files import Directory
from dpvsbook.lab.shell import expand, run, signals
from dpvsbook.lab.shell.conditions import test
from dpvsbook.lab.shell.formats import echo_escapes, printf, single_quoted

if TYPE_CHECKING:
    from dpvsbook.lab.shell.run import Shell

Builtin = Callable[["Shell", list[str]], int]
NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")


def _number(shell: Shell, argv: list[str], default: int) -> int:
    if len(argv) < 2:
        return default
    if not argv[1].lstrip("-").isdigit():
        shell.say(f"{argv[0]}: Illegal number: {argv[1]}")
        raise run.ExitShell(2)
    return int(argv[1])


def _true(shell: Shell, argv: list[str]) -> int:
    return 0


def _false(shell: Shell, argv: list[str]) -> int:
    return 1


def _echo(shell: Shell, argv: list[str]) -> int:
    words, newline, escapes = argv[1:], True, shell.flavour == "sh"
    while words and re.fullmatch(r"-[neE]+" if shell.flavour == "bash" else "-n", words[0]):
        newline = newline and "n" not in words[0]
        escapes = "e" in words[0] or (escapes and "E" not in words[0])
        words = words[1:]
    text = " ".join(words)
    if escapes:
        text, stopped = echo_escapes(text)
        newline = newline and not stopped
    shell.descriptors[1].write(text + "\n" if newline else text)
    return 0


def _printf(shell: Shell, argv: list[str]) -> int:
    words = argv[2:] if argv[1:2] == ["--"] else argv[1:]
    if not words:
        shell.say("printf: usage: printf format [arg ...]")
        return 2
    text, complaint = printf(words[0], words[1:])
    shell.descriptors[1].write(text)
    if complaint:
        shell.say(f"printf: {complaint}")
    return int(bool(complaint))


def _read(shell: Shell, argv: list[str]) -> int:
    words, raw = argv[1:], False
    while words and words[0].startswith("-"):
        raw = raw or "r" in words[0]
        if "p" in words[0]:
            shell.descriptors[2].write(words[1])
            words = words[1:]
        words = words[1:]
    line, complete = "", True
    while True:
        part = shell.descriptors[0].readline()
        complete = part.endswith("\n")
        line += part.removesuffix("\n")
        if raw or not complete or not re.search(r"(?<!\\)(\\\\)*\\$", line):
            break
        line = line[:-1]
    text = line if raw else re.sub(r"\\(.)", r"\1", line)
    names = words or ["REPLY"]
    for name, value in zip(names, _split_for_read(text, shell.variables.get("IFS", " \t\n"), len(names)), strict=True):
        shell.assign(name, value)
    return int(not complete)


def _split_for_read(text: str, separators: str, count: int) -> list[str]:
    blank = "".join(char for char in separators if char in " \t\n")
    solid = "".join(char for char in separators if char not in " \t\n")
    values, rest = [], text.strip(blank) if blank else text
    for _ in range(count - 1):
        at = next((i for i, char in enumerate(rest) if char in separators), len(rest))
        values.append(rest[:at])
        rest = rest[at:].lstrip(blank) if blank else rest[at:]
        if rest[:1] and rest[0] in solid:
            rest = rest[1:].lstrip(blank) if blank else rest[1:]
    return [*values, rest]


def _cd(shell: Shell, argv: list[str]) -> int:
    target = argv[1] if len(argv) > 1 else shell.variables.get("HOME", "/")
    if target == "-":
        target = shell.variables.get("OLDPWD", shell.cwd)
    try:
        where, node, _ = shell.system.files.resolve(target, shell.cwd, uid=shell.uid)
    except OSError:
        node = None
    if not isinstance(node, Directory) or not node.allows(shell.uid, 1):
        shell.say(f"cd: {target}: No such file or directory" if shell.flavour == "bash" else f"cd: can't cd to {target}")
        return 1 if shell.flavour == "bash" else 2
    shell.variables.update(OLDPWD=shell.cwd, PWD=where)
    shell.cwd = where
    if argv[1:] == ["-"]:
        shell.descriptors[1].write(f"{where}\n")
    return 0


def _pwd(shell: Shell, argv: list[str]) -> int:
    shell.descriptors[1].write(shell.cwd + "\n")
    return 0


def _declare(shell: Shell, argv: list[str], *, export: bool, readonly: bool) -> int:
    words = [word for word in argv[1:] if word != "--"]
    if not words or words == ["-p"]:
        for name in sorted(shell.exported if export else shell.readonly):
            value = shell.variables.get(name)
            shell.descriptors[1].write(f"{argv[0]} {name}{'' if value is None else '=' + single_quoted(value)}\n")
        return 0
    for word in words:
        name, given, value = word.partition("=")
        if not NAME.match(name):
            shell.say(f"{argv[0]}: {name}: bad variable name")
            raise run.ExitShell(2)
        if given:
            shell.assign(name, value)
        if export:
            shell.exported.add(name)
        if readonly:
            shell.readonly.add(name)
    return 0


def _export(shell: Shell, argv: list[str]) -> int:
    return _declare(shell, argv, export=True, readonly=False)


def _readonly(shell: Shell, argv: list[str]) -> int:
    return _declare(shell, argv, export=False, readonly=True)


def _local(shell: Shell, argv: list[str]) -> int:
    return _declare(shell, ["local", *argv[1:]], export=False, readonly=False) if len(argv) > 1 else 0


def _unset(shell: Shell, argv: list[str]) -> int:
    for word in argv[1:]:
        if word == "-v":
            continue
        if argv[1] == "-f":
            shell.functions.pop(word, None)
            continue
        if word in shell.readonly:
            raise expand.ExpansionError(f"{word}: is read only")
        shell.variables.pop(word, None)
        shell.exported.discard(word)
    return 0


def _set(shell: Shell, argv: list[str]) -> int:
    named = {"noclobber": "C", "errexit": "e", "nounset": "u", "xtrace": "x", "noglob": "f", "allexport": "a"}
    words = argv[1:]
    if not words:
        for name in sorted(shell.variables):
            shell.descriptors[1].write(f"{name}={single_quoted(shell.variables[name])}\n")
        return 0
    while words and re.match(r"[-+].", words[0]) and words[0] != "--":
        flag, letters, words = words[0][0], words[0][1:], words[1:]
        if "o" in letters:
            name = words.pop(0) if words else ""
            if name not in named:
                shell.say(f"set: Illegal option -o {name}")
                raise run.ExitShell(2)
            letters = letters.replace("o", named[name])
        for letter in letters:
            if letter not in "Ceuxfabhmnv":
                shell.say(f"set: Illegal option {flag}{letter}")
                raise run.ExitShell(2)
            (shell.options.add if flag == "-" else shell.options.discard)(letter)
    if words:
        shell.arguments = words[1:] if words[0] == "--" else words
    return 0


def _shift(shell: Shell, argv: list[str]) -> int:
    count = _number(shell, argv, 1)
    if count > len(shell.arguments):
        shell.say("shift: can't shift that many")
        raise run.ExitShell(2)
    shell.arguments = shell.arguments[count:]
    return 0


def _exit(shell: Shell, argv: list[str]) -> int:
    raise run.ExitShell(_number(shell, argv, shell.status) & 255)


def _return(shell: Shell, argv: list[str]) -> int:
    raise run.ReturnFrom(_number(shell, argv, shell.status) & 255)


def _break(shell: Shell, argv: list[str]) -> int:
    raise run.LoopControl(_number(shell, argv, 1), again=False)


def _continue(shell: Shell, argv: list[str]) -> int:
    raise run.LoopControl(_number(shell, argv, 1), again=True)


def _exec(shell: Shell, argv: list[str]) -> int:
    if len(argv) == 1:
        return 0
    shell.traps.clear()
    raise run.ExitShell(shell._external(argv[1:], {}))


def _eval(shell: Shell, argv: list[str]) -> int:
    shell.status = 0
    return shell.run_text(" ".join(argv[1:]))


def _source(shell: Shell, argv: list[str]) -> int:
    try:
        text = shell.system.files.open_read(argv[1], shell.cwd, uid=shell.uid).read()
    except (OSError, IndexError) as error:
        reason = os.strerror(error.errno or 0) if isinstance(error, OSError) else "filename argument required"
        shell.say(f".: {argv[1] if len(argv) > 1 else ''}: {reason}")
        raise run.ExitShell(2) from None
    try:
        return shell.run_text(text)
    except run.ReturnFrom as leaving:
        return leaving.status


def _test(shell: Shell, argv: list[str]) -> int:
    words = argv[1:]
    if argv[0] == "[":
        if words[-1:] != ["]"]:
            shell.say("[: missing ]")
            return 2
        words = words[:-1]
    try:
        return int(
            not test(words, shell.system.files, shell.cwd, shell.uid, tty=lambda fd: fd in shell.descriptors and shell.descriptors[fd].tty)
        )
    except ValueError as error:
        shell.say(f"{argv[0]}: {error}")
        return 2


def _command(shell: Shell, argv: list[str]) -> int:
    words = argv[1:]
    if words[:1] not in (["-v"], ["-V"]):
        words = words[words[:1] == ["-p"] :]
        if not words:
            return 0
        return BUILTINS[words[0]](shell, words) if words[0] in BUILTINS else shell._external(words, {})
    status = 0 if len(words) > 1 else 2
    for word in words[1:]:
        described = (
            word
            if word in shell.functions or word in BUILTINS
            else shell.system.has(word, shell.cwd, shell.variables.get("PATH", ""), shell.uid)
        )
        if described is None:
            status = 127 if shell.flavour == "sh" else 1
        else:
            shell.descriptors[1].write(described + "\n")
    return status


def _type(shell: Shell, argv: list[str]) -> int:
    status = 0
    for word in argv[1:]:
        path = shell.system.has(word, shell.cwd, shell.variables.get("PATH", ""), shell.uid)
        if word in shell.functions:
            text = "is a shell function"
        elif word in BUILTINS:
            text = "is a shell builtin"
        elif path is not None:
            text = f"is {path}"
        else:
            text, status = ": not found", 127
        shell.descriptors[1].write(f"{word}{'' if text[0] == ':' else ' '}{text}\n")
    return status


def _umask(shell: Shell, argv: list[str]) -> int:
    if len(argv) == 1:
        shell.descriptors[1].write("0022\n")
        return 0
    if argv[1] not in ("022", "0022", "22"):
        shell.options |= {"\0umask"} if argv[1].lstrip("0") == "77" else set()
    return 0


SPECIAL = frozenset(
    {":", ".", "break", "continue", "eval", "exec", "exit", "export", "readonly", "return", "set", "shift", "trap", "unset"}
)
BUILTINS: dict[str, Builtin] = {
    ":": _true,
    "true": _true,
    "false": _false,
    "echo": _echo,
    "printf": _printf,
    "read": _read,
    "cd": _cd,
    "pwd": _pwd,
    "export": _export,
    "readonly": _readonly,
    "local": _local,
    "unset": _unset,
    "set": _set,
    "shift": _shift,
    "exit": _exit,
    "logout": _exit,
    "return": _return,
    "break": _break,
    "continue": _continue,
    "exec": _exec,
    "eval": _eval,
    ".": _source,
    "source": _source,
    "test": _test,
    "[": _test,
    "command": _command,
    "type": _type,
    "umask": _umask,
    **signals.BUILTINS,
}
