"""Command lines as ipvsadm's option library reads them.

Short options may be combined (`-ln`), an option's value may be glued on (`-t10.0.0.1:80`, `--weight=3`) or follow, whatever it begins
with (`-s -rr`); options and other arguments may be mixed.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

#: kinds of values: none, a string, a string that may be missing, an integer
NONE, STRING, OPTIONAL, INTEGER = range(4)

#: long name, short name, kind of value, tag
TABLE: tuple[tuple[str, str, int, str], ...] = (
    ("add-service", "A", NONE, "A"),
    ("edit-service", "E", NONE, "E"),
    ("delete-service", "D", NONE, "D"),
    ("clear", "C", NONE, "C"),
    ("list", "L", NONE, "l"),
    ("list", "l", NONE, "l"),
    ("zero", "Z", NONE, "Z"),
    ("add-server", "a", NONE, "a"),
    ("edit-server", "e", NONE, "e"),
    ("delete-server", "d", NONE, "d"),
    ("set", "", NONE, "set"),
    ("help", "h", NONE, "h"),
    ("version", "v", NONE, "v"),
    ("restore", "R", NONE, "R"),
    ("save", "S", NONE, "S"),
    ("start-daemon", "", STRING, "start-daemon"),
    ("stop-daemon", "", STRING, "stop-daemon"),
    ("add-laddr", "P", NONE, "P"),
    ("del-laddr", "Q", NONE, "Q"),
    ("get-laddr", "G", NONE, "G"),
    ("add-blklst", "U", NONE, "U"),
    ("del-blklst", "V", NONE, "V"),
    ("get-blklst", "B", NONE, "B"),
    ("add-whtlst", "O", NONE, "O"),
    ("del-whtlst", "Y", NONE, "Y"),
    ("get-whtlst", "W", NONE, "W"),
    ("tcp-service", "t", STRING, "t"),
    ("udp-service", "u", STRING, "u"),
    ("sctp-service", "", STRING, "sctp"),
    ("icmp-service", "q", STRING, "q"),
    ("icmpv6-service", "1", STRING, "1"),
    ("fwmark-service", "f", STRING, "f"),
    ("scheduler", "s", STRING, "s"),
    ("persistent", "p", OPTIONAL, "p"),
    ("netmask", "M", STRING, "M"),
    ("real-server", "r", STRING, "r"),
    ("masquerading", "m", NONE, "m"),
    ("ipip", "i", NONE, "i"),
    ("gatewaying", "g", NONE, "g"),
    ("fullnat", "b", NONE, "b"),
    ("snat", "J", NONE, "J"),
    ("weight", "w", STRING, "w"),
    ("u-threshold", "x", STRING, "x"),
    ("l-threshold", "y", STRING, "y"),
    ("numeric", "n", NONE, "n"),
    ("connection", "c", NONE, "c"),
    ("mcast-interface", "", STRING, "mcast"),
    ("syncid", "", STRING, "syncid"),
    ("timeout", "", NONE, "timeout"),
    ("daemon", "", NONE, "daemon"),
    ("stats", "", NONE, "stats"),
    ("rate", "", NONE, "rate"),
    ("thresholds", "", NONE, "thresholds"),
    ("persistent-conn", "", NONE, "persistent-conn"),
    ("sockpair", "", STRING, "sockpair"),
    ("nosort", "", NONE, "nosort"),
    ("sort", "", NONE, "sort"),
    ("exact", "X", NONE, "X"),
    ("ipv6", "6", NONE, "6"),
    ("ops", "o", NONE, "o"),
    ("pe", "", STRING, "pe"),
    ("laddr", "z", STRING, "z"),
    ("blklst", "k", STRING, "k"),
    ("whtlst", "2", STRING, "2"),
    ("synproxy", "j", STRING, "j"),
    ("ifname", "F", STRING, "F"),
    ("match", "H", STRING, "H"),
    ("hash-target", "", STRING, "hash-target"),
    ("cpu", "", STRING, "cpu"),
    ("expire-quiescent", "", NONE, "expire-quiescent"),
    ("dest-check", "", STRING, "dest-check"),
    ("conn-timeout", "", INTEGER, "conn-timeout"),
    ("proxy-protocol", "", STRING, "proxy-protocol"),
    ("quic", "", NONE, "quic"),
)
_SHORT = {short: (kind, tag) for _, short, kind, tag in TABLE if short}
_LONG = {name: (kind, tag) for name, _, kind, tag in TABLE}


class OptionError(Exception):
    """The command line can't be read: `option` is the argument in question, `reason` what is wrong with it."""

    def __init__(self, option: str, reason: str) -> None:
        super().__init__(f"{option}: {reason}")
        self.option = option
        self.reason = reason


@dataclass(slots=True)
class Reader:
    """Reads options one by one. `rest` collects what is not an option; `current` is the argument read last."""

    argv: list[str]
    at: int = 0
    current: str = ""
    rest: list[str] = field(default_factory=list)

    def options(self) -> Iterator[tuple[str, str | None]]:
        """(tag, value) of each option.

        :raises OptionError: for an option that does not exist, and for a value that is missing, not wanted or no number.
        """
        while self.at < len(self.argv):
            argument = self.argv[self.at]
            self.at += 1
            self.current = argument
            if argument == "--":
                self.rest += self.argv[self.at :]
                self.at = len(self.argv)
            elif argument.startswith("--"):
                yield self._long(argument)
            elif len(argument) > 1 and argument[0] == "-":
                yield from self._short(argument)
            else:
                self.rest.append(argument)

    def _long(self, argument: str) -> tuple[str, str | None]:
        name, glued, value = argument[2:].partition("=")
        if name not in _LONG:
            raise OptionError(argument, "unknown option")
        kind, tag = _LONG[name]
        if kind == NONE:
            if glued:
                raise OptionError(argument, "option does not take an argument")
            return tag, None
        return tag, self._value(kind, value if glued else None)

    def _short(self, argument: str) -> Iterator[tuple[str, str | None]]:
        for place in range(1, len(argument)):
            if argument[place] not in _SHORT:
                raise OptionError(argument, "unknown option")
            kind, tag = _SHORT[argument[place]]
            if kind == NONE:
                self.current = argument
                yield tag, None
                continue
            glued = argument[place + 1 :]
            yield tag, self._value(kind, glued.removeprefix("=") if glued else None)
            return

    def _value(self, kind: int, glued: str | None) -> str | None:
        value = glued
        if value is None:
            if self.at >= len(self.argv):
                if kind == OPTIONAL:
                    return None
                raise OptionError(self.current, "missing argument")
            if kind == OPTIONAL and self.argv[self.at].startswith("-"):
                return None
            value = self.argv[self.at]
            self.at += 1
            self.current = value
        if kind == INTEGER:
            return str(self._number(value))
        return value

    def _number(self, text: str) -> int:
        """As C's strtol reads one with any base, to its end: 0x10, 010; nothing at all is 0."""
        found = re.fullmatch(r"\s*([+-]?)(?:0[xX]([0-9a-fA-F]+)|0([0-7]*)|([1-9][0-9]*))", text)
        if found is None and text:
            raise OptionError(self.current, "invalid numeric value")
        sign, hexadecimal, octal, decimal = found.groups() if found else ("", None, "", None)
        number = int(decimal) if decimal else int(hexadecimal, 16) if hexadecimal else int(octal or "0", 8)
        number = -number if sign == "-" else number
        if not -(2**31) <= number < 2**31:
            raise OptionError(self.current, "number too large or too small")
        return number
