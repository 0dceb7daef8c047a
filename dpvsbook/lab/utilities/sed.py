"""`sed`."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from dpvsbook.lab.shell.system import Call
from dpvsbook.lab.utilities.options import Inputs, UsageError, basic_to_python, compiled, extended_to_python, options, repeated

SED_COMMAND = re.compile(r"\s*(?:(\d+|\$|/(?:\\.|[^/])*/)(?:,(\d+|\$|/(?:\\.|[^/])*/))?)?\s*(!?)\s*(?:([pdq])|s(.))", re.S)


def sed(call: Call) -> int:
    """s, p, d and q, with line numbers, $ and /re/ as addresses; -n, -e, -E, -i."""
    short = "ne:Eri"
    found, operands = options(call, short)
    scripts = repeated(call, short, "-e") or operands[:1]
    paths = operands if "-e" in found else operands[1:]
    convert = extended_to_python if "-E" in found or "-r" in found else basic_to_python
    commands = [command for script in scripts for command in _sed_commands(script, convert)]
    groups = [[path] for path in paths] if "-i" in found else [paths]
    status = 0
    for group in groups:
        inputs = Inputs(call, group)
        lines = [line.removesuffix("\n") for line in inputs.lines()]
        out = _sed_lines(lines, commands, quiet="-n" in found)
        status = status or inputs.status
        if "-i" in found:
            call.system.files.open_write(group[0], call.cwd, uid=call.uid).write(out)
        else:
            call.out(out)
    return status


SedAddress = Callable[[int, int, str], bool]
SedCommand = tuple[SedAddress, str, re.Pattern[str] | None, str, str]


def _sed_commands(script: str, convert: Callable[[str], str]) -> Iterator[SedCommand]:
    at = 0
    while at < len(script):
        if script[at] in "; \n":
            at += 1
            continue
        match = SED_COMMAND.match(script, at)
        if match is None:
            raise UsageError(f"-e expression #1, char {at + 1}: unknown command: `{script[at]}'")
        first, last, negated, letter, delimiter = match.groups()
        address = _sed_address(first, last, bool(negated), convert)
        at = match.end()
        if letter:
            yield address, letter, None, "", ""
            continue
        pieces = re.match(
            rf"((?:\\.|[^\\{delimiter}])*)[{delimiter}]((?:\\.|[^\\{delimiter}])*)[{delimiter}]([gpiI0-9]*)", script[at:], re.S
        )
        if pieces is None:
            raise UsageError(f"-e expression #1, char {len(script)}: unterminated `s' command")
        at += pieces.end()
        expression = pieces[1].replace(f"\\{delimiter}", delimiter)
        replacement = re.sub(r"\\(.)|&|([^\\&]+)", _sed_replacement, pieces[2].replace(f"\\{delimiter}", delimiter), flags=re.S)
        flags = re.I if "i" in pieces[3].lower() else 0
        yield address, "s", compiled(convert(expression), flags), replacement, pieces[3]


def _sed_replacement(match: re.Match[str]) -> str:
    if match[0] == "&":
        return r"\g<0>"
    if match[2] is not None:
        return match[2]
    return (
        rf"\g<{match[1]}>"
        if match[1].isdigit()
        else {"n": "\n", "t": "\t"}.get(match[1], re.escape(match[1]) if match[1] == "\\" else match[1])
    )


def _sed_address(first: str | None, last: str | None, negated: bool, convert: Callable[[str], str]) -> SedAddress:
    def one(text: str) -> SedAddress:
        if text.isdigit():
            return lambda number, _total, _line: number == int(text)
        if text == "$":
            return lambda number, total, _line: number == total
        regex = compiled(convert(text[1:-1]))
        return lambda _number, _total, line: regex.search(line) is not None

    if first is None:
        return lambda *_: not negated
    begins, ends = one(first), one(last) if last else None
    inside = False

    def matches(number: int, total: int, line: str) -> bool:
        nonlocal inside
        if ends is None:
            return begins(number, total, line) != negated
        here = inside or begins(number, total, line)
        inside = here and not (ends(number, total, line) if inside or not last or not last.isdigit() else int(last) <= number)
        return here != negated

    return matches


def _sed_lines(lines: list[str], commands: list[SedCommand], *, quiet: bool) -> str:
    out: list[str] = []
    for number, line in enumerate(lines, 1):
        text, deleted, leave = line, False, False
        for address, letter, regex, replacement, flags in commands:
            if not address(number, len(lines), text):
                continue
            if letter == "d":
                deleted = True
                break
            if letter == "p":
                out.append(text)
            elif letter == "q":
                leave = True
            elif regex is not None:
                text, changed = regex.subn(replacement, text, 0 if "g" in flags else 1)
                if changed and "p" in flags:
                    out.append(text)
        if not quiet and not deleted:
            out.append(text)
        if leave:
            break
    return "".join(f"{line}\n" for line in out)


TOOLS = {"sed": sed}
