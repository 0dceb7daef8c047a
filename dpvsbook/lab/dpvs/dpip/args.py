"""The command line of dpip: options anywhere, then OBJECT and COMMAND, then the object's own words."""

from __future__ import annotations

from dataclasses import dataclass, field

from dpvsbook.lab.dpvs.ip import atoi

_SHORT = "vhV46f:si:c:CDF"
_LONG = {
    "verbose": ("v", False),
    "help": ("h", False),
    "version": ("V", False),
    "family": ("f", True),
    "stats": ("s", False),
    "statistics": ("s", False),
    "color": ("C", False),
    "interval": ("i", True),
    "count": ("c", True),
    "force": ("F", False),
}


class OptionError(Exception):
    """An option that dpip doesn't know or that lacks its value; the message is what it prints."""


@dataclass(slots=True)
class Options:
    """What the options say; `words` is what is left."""

    verbose: bool = False
    help: bool = False
    version: bool = False
    family: int = 0
    stats: bool = False
    interval: int = 0
    count: int = 0
    force: bool = False
    words: list[str] = field(default_factory=list)


def parse(argv: list[str]) -> Options:
    """Read the options, which may stand anywhere; `argv[0]` is the name that error messages begin with.

    :raises OptionError: with the lines to print
    """
    found = Options()
    at = 1
    while at < len(argv):
        argument = argv[at]
        at += 1
        if argument == "--":
            found.words += argv[at:]
            break
        if argument.startswith("--"):
            at = _long(argv, at, argument, found)
        elif len(argument) > 1 and argument[0] == "-":
            at = _short(argv, at, argument, found)
        else:
            found.words.append(argument)
        if found.version:
            break
    return found


def _at(argv: list[str], at: int) -> str:
    return argv[at] if at < len(argv) else "(null)"


def _long(argv: list[str], at: int, argument: str, found: Options) -> int:
    name, glued, value = argument[2:].partition("=")
    candidates = [option for option in _LONG if option.startswith(name)]
    if name in _LONG:
        candidates = [name]
    if len({_LONG[option] for option in candidates}) > 1:
        possible = "".join(f" '--{option}'" for option in candidates)
        raise OptionError(f"{argv[0]}: option '--{name}' is ambiguous; possibilities:{possible}\nInvalid option: {_at(argv, at)}\n")
    if not candidates:
        raise OptionError(f"{argv[0]}: unrecognized option '--{name}'\nInvalid option: {_at(argv, at)}\n")
    letter, valued = _LONG[candidates[0]]
    if glued and not valued:
        raise OptionError(f"{argv[0]}: option '--{candidates[0]}' doesn't allow an argument\nInvalid option: {_at(argv, at)}\n")
    if valued and not glued:
        if at >= len(argv):
            raise OptionError(f"{argv[0]}: option '--{candidates[0]}' requires an argument\nInvalid option: (null)\n")
        value, at = argv[at], at + 1
    _take(letter, value, found)
    return at


def _short(argv: list[str], at: int, argument: str, found: Options) -> int:
    for place in range(1, len(argument)):
        letter = argument[place]
        last = place == len(argument) - 1
        where = _SHORT.find(letter)
        if letter == ":" or where < 0 or letter == "D":
            complaint = "" if letter == "D" else f"{argv[0]}: invalid option -- '{letter}'\n"
            raise OptionError(f"{complaint}Invalid option: {_at(argv, at) if last else argument}\n")
        if _SHORT[where + 1 : where + 2] != ":":
            _take(letter, "", found)
            continue
        value = argument[place + 1 :]
        if not value:
            if at >= len(argv):
                raise OptionError(f"{argv[0]}: option requires an argument -- '{letter}'\nInvalid option: (null)\n")
            value, at = argv[at], at + 1
        _take(letter, value, found)
        break
    return at


def _take(letter: str, value: str, found: Options) -> None:
    if letter == "v":
        found.verbose = True
    elif letter == "h":
        found.help = True
    elif letter == "V":
        found.version = True
    elif letter in ("4", "6"):
        found.family = int(letter)
    elif letter == "f":
        if value not in ("inet", "inet6"):
            raise OptionError("invalid family\n")
        found.family = 4 if value == "inet" else 6
    elif letter == "s":
        found.stats = True
    elif letter == "i":
        found.interval = atoi(value)
    elif letter == "c":
        found.count = atoi(value)
    elif letter == "F":
        found.force = True
