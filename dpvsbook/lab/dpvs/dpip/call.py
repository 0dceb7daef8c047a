"""One call of a dpip object: its words, its options, where it writes, and how it fails."""

from __future__ import annotations

from dataclasses import dataclass

from dpvsbook.lab.dpvs import errors
from dpvsbook.lab.dpvs import ip as ips
from dpvsbook.lab.dpvs.dpip.args import Options
from dpvsbook.lab.dpvs.ip import Ip
from dpvsbook.lab.dpvs.sockopt import Wire, Writer


class Fail(Exception):
    """dpip ends with status 1: `message` was said already or is said now; then `dpip: STAGE: TEXT` for the error number."""

    def __init__(self, code: int = errors.INVAL, message: str = "", stage: str = "") -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.stage = stage


class NotHere(Exception):
    """The real dpip can do this and this lab can't; never pretend."""


@dataclass(slots=True)
class Call:
    """What an object gets. `command` is the canonical one (`list` is `show`, `change` is `set`); `stage` is what a failure to read the
    words is called ("" or "parse")."""

    wire: Wire
    out: Writer
    err: Writer
    command: str
    words: list[str]
    options: Options
    stage: str = ""

    def next(self, after: str) -> str:
        """The word behind another one.

        :raises Fail: when there is none
        """
        if not self.words:
            raise self.bad(f"missing argument for `{after}'")
        return self.words.pop(0)

    def bad(self, message: str = "", code: int = errors.INVAL) -> Fail:
        """The words don't make sense."""
        return Fail(code, message, self.stage)

    def address(self, text: str, family: int) -> Ip:
        """An address, of a family if that is known (not 0).

        :raises Fail: when it is none
        """
        found = ips.parse(text, family or None)
        if found is None:
            raise self.bad(f"invalid ipaddress: { {0: 'unspec', 4: 'inet', 6: 'inet6'}[family] } {text}")
        return found

    def unsupported(self) -> Fail:
        """An object that has no such command."""
        return Fail(errors.NOTSUPP)
