"""What DPVS answers when it refuses: its error numbers and their texts.

Both are the interface of its control socket: a tool prints `text(code)` and turns the code into an exit status
(dpip: always 1; ipvsadm: the code modulo 256). Seen in transcripts 05, 06, 09 and 10.
"""

from __future__ import annotations

OK = 0
INVAL = -1
NOMEM = -2
EXIST = -3
NOTEXIST = -4
NOROUTE = -8
NOTSUPP = -14
RESOURCE = -15
NOSERV = -17
DISABLED = -18
DROP = -6
MSG_FAIL = -23
MSG_DROP = -24
BUSY = -13
NODEV = -27
#: the client's own code for "could not talk to the socket"; the tools have no text for it and print `<unknow>`
IO = -1000

_TEXTS = {
    OK: "OK",
    INVAL: "invalid parameter",
    NOMEM: "no memory",
    EXIST: "already exist",
    NOTEXIST: "not exist",
    NOROUTE: "no route",
    NOTSUPP: "not support",
    RESOURCE: "no resource",
    NOSERV: "no service",
    DISABLED: "disabled",
    DROP: "packet dropped",
    MSG_FAIL: "msg callback failed",
    MSG_DROP: "msg dropped",
    BUSY: "resource busy",
    NODEV: "no such device",
}


def text(code: int) -> str:
    """The text that the tools print for an error number."""
    return _TEXTS.get(code, "<unknow>")


class Refused(Exception):
    """DPVS refused a request; `code` is its (negative) error number."""

    def __init__(self, code: int) -> None:
        super().__init__(f"{text(code)}({code})")
        self.code = code
