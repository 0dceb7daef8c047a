"""From an ipvsadm command line to a `Request`, or to the message with which ipvsadm gives up."""

from __future__ import annotations

from collections.abc import Mapping

from dpvsbook.lab.dpvs.ipvsadm import endpoints, rules
from dpvsbook.lab.dpvs.ipvsadm.popt import OptionError, Reader
from dpvsbook.lab.dpvs.ipvsadm.request import BadOption, GiveUp, Request
from dpvsbook.lab.dpvs.ipvsadm.values import MAX_TIMEOUT, TAKERS


def read(argv: list[str], names: Mapping[str, str]) -> Request:
    """Read a command line; `argv[0]` is the program's name as typed.

    :raises GiveUp: where ipvsadm ends with a message
    :raises BadOption: where it says what it can't read and comes back with -1
    """
    program = argv[0]
    try_help = GiveUp(255, f"Try `{program} -h' or '{program} --help' for more information.")
    reader = Reader(argv[1:])
    options = reader.options()
    try:
        command, value = next(options)
    except (StopIteration, OptionError):
        raise try_help from None
    request = Request(command)
    if command in ("start-daemon", "stop-daemon"):
        if value not in ("master", "backup"):
            raise GiveUp(2, "illegal start-daemon parameter specified" if command == "start-daemon" else "illegal start_daemon specified")
    elif command in ("h", "v"):
        return request
    elif command not in rules.COMMANDS:
        raise try_help
    try:
        for tag, value in options:
            take = TAKERS.get(tag)
            if take is None:
                raise GiveUp(2, f"invalid option `{reader.current}'")
            take(request, value or "", names)
    except OptionError as error:
        raise BadOption(f"{error.option}: {error.reason}") from None
    if command == "set":
        _read_timeouts(reader.rest)
    if reader.rest:
        raise GiveUp(2, f"unexpected argument {reader.rest[0]}")
    rules.check(request)
    rules.complete(request)
    return request


def _read_timeouts(rest: list[str]) -> None:
    if len(rest) < 3:
        raise GiveUp(2, "--set option requires 3 timeout values")
    for text in rest[:3]:
        if endpoints.number(text, 0, MAX_TIMEOUT) is None:
            raise GiveUp(2, f"invalid timeout value `{text}' specified")
    del rest[:3]
