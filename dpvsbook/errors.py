"""Every error that dpvsbook raises on purpose: one root, and leaves that say which host, which command, what came back and what to do."""

from __future__ import annotations


class DpvsbookError(Exception):
    """The root. `str(error)` is one paragraph for a person; `remedy` is the way out, shown on a line of its own."""

    exit_code = 3

    def __init__(self, message: str, *, remedy: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.remedy = remedy

    def __str__(self) -> str:
        return f"{self.message}\n  {self.remedy}" if self.remedy else self.message

    def _render_traceback_(self, *_: object, **__: object) -> list[str]:
        """What IPython shows in a notebook: the message and the way out, not sixty lines of ours."""
        return [f"{type(self).__name__}: {self}"]


class ParamsError(DpvsbookError):
    """The params file can't be used. Nothing was touched."""

    exit_code = 4


class HostError(DpvsbookError):
    """Something went wrong with one host; `host` names it."""

    def __init__(self, host: str, message: str, *, remedy: str = "") -> None:
        super().__init__(f"{host}: {message}", remedy=remedy)
        self.host = host


class Unreachable(HostError):
    """No SSH session with the host: name, route, port, host key or login."""

    exit_code = 5


class PlanError(DpvsbookError):
    """A plan can't be made or applied as it stands (the director changed meanwhile, or the desired state contradicts itself)."""


class Locked(HostError):
    """Another run is changing this director right now; the message names who."""


class NotConverged(HostError):
    """Everything was sent, and reading back shows that it isn't so."""


class ParseError(DpvsbookError):
    """A tool printed a line that its parser doesn't know: `line` has it, 1-based `lineno` says where."""

    def __init__(self, parser: str, line: str, lineno: int) -> None:
        super().__init__(
            f"{parser}: line {lineno} is not known: {line!r}",
            remedy="The tool may be newer than dpvsbook: report the line with `dpvs -v`, or update dpvsbook.",
        )
        self.line, self.lineno = line, lineno
