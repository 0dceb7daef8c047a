"""The tool `ipvsadm`."""

from __future__ import annotations

from collections.abc import Mapping

from dpvsbook.lab.dpvs import errors
from dpvsbook.lab.dpvs.ipvsadm import restore
from dpvsbook.lab.dpvs.ipvsadm.commands import change
from dpvsbook.lab.dpvs.ipvsadm.options import read
from dpvsbook.lab.dpvs.ipvsadm.reports import list_everything, report
from dpvsbook.lab.dpvs.ipvsadm.request import BadOption, GiveUp, Request
from dpvsbook.lab.dpvs.ipvsadm.usage import VERSION, usage
from dpvsbook.lab.dpvs.process import Dpvs
from dpvsbook.lab.dpvs.sockopt import Message, Wire, Writer

_READERS = frozenset("lSGBW")


def main(dpvs: Dpvs | None, argv: list[str], stdin: str, out: Writer, err: Writer, env: Mapping[str, str]) -> int:
    """Run ipvsadm. `argv[0]` is its name as typed; `dpvs` None is one that doesn't run. Returns the exit status, 0 to 255.

    Standard output comes in one piece at the end, as from any program that writes into a pipe; errors come at once.
    """
    printed: list[str] = []
    wire = Wire(dpvs, err, env)
    try:
        status = _start(wire, argv, stdin, printed, err)
    except GiveUp as end:
        if end.message:
            err(f"{end.message}\n")
        status = end.status
    if printed:
        out("".join(printed))
    return status & 0xFF


def _start(wire: Wire, argv: list[str], stdin: str, printed: list[str], err: Writer) -> int:
    try:
        names = wire.ask(Message.INFO, lambda running: running.names)
    except errors.Refused:
        raise GiveUp(2, f"Can't initialize ipvs: {wire.connect_error}\nAre you sure that dpvs is running?") from None
    if len(argv) == 1:
        return list_everything(wire, printed.append)
    request = read_or_complain(argv, names, err)
    if request is None:
        return -1
    if request.command != "R":
        return _carry_out(wire, argv, request, printed, err)
    result = 0
    for words in restore.lines(stdin):
        line = [argv[0], *words]
        request = read_or_complain(line, names, err)
        if request is not None and request.command == "R":
            raise GiveUp(255, f"Try `{argv[0]} -h' or '{argv[0]} --help' for more information.")
        result = -1 if request is None else _carry_out(wire, line, request, printed, err)
    return result


def read_or_complain(argv: list[str], names: Mapping[str, str], err: Writer) -> Request | None:
    """The request of a command line; None when it can't be read to its end (said on standard error)."""
    try:
        return read(argv, names)
    except BadOption as complaint:
        err(f"{complaint}\n")
        return None


def _carry_out(wire: Wire, argv: list[str], request: Request, printed: list[str], err: Writer) -> int:
    if request.command == "h":
        printed.append(usage(argv[0]))
        raise GiveUp(0, "")
    if request.command == "v":
        printed.append(VERSION)
        raise GiveUp(0, "")
    if request.command in _READERS:
        return report(wire, request, printed.append, err)
    return change(wire, request, err)
