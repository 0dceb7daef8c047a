"""What can go wrong between here and a host, and what to do about each."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from dpvsbook.errors import DpvsbookError, HostError, Unreachable

if TYPE_CHECKING:
    from dpvsbook.hosts.together import Outcome
    from dpvsbook.hosts.wire import Result

T = TypeVar("T")


class HostKeyUnknown(Unreachable):
    """Nobody has said yet that this key is the host's."""

    def __init__(self, host: str, where: str, fingerprint: str) -> None:
        super().__init__(
            host,
            f"its host key is not known: {where} shows {fingerprint}",
            remedy="Compare it with what the host itself says (ssh-keygen -lf on its public key), then pin it: dpvsbook trust PARAMS",
        )


class HostKeyChanged(Unreachable):
    """The host shows another key than the one that was pinned."""

    def __init__(self, host: str, where: str, fingerprint: str, expected: str, file: Path) -> None:
        super().__init__(
            host,
            f"its host key has changed: {where} shows {fingerprint}, pinned in {file} is {expected}",
            remedy=f"Only if you know that it was installed anew: ssh-keygen -f {shlex.quote(str(file))} -R {shlex.quote(where)},"
            " then dpvsbook trust PARAMS.",
        )


class HostKeyRevoked(Unreachable):
    """The host shows a key that known_hosts says is not to be trusted any more (`@revoked`)."""

    def __init__(self, host: str, where: str, fingerprint: str, file: Path) -> None:
        super().__init__(
            host,
            f"its host key is revoked: {where} shows {fingerprint}, marked @revoked in {file}",
            remedy="Somebody else may have this key. Give the host a new one.",
        )


class LoginRefused(Unreachable):
    """The host is there, and lets us in by none of the keys and passwords that we have."""


class SudoRefused(HostError):
    """Logged in, and not allowed to be root there. Nothing ran."""


class ShellRefused(HostError):
    """Logged in, and no shell that takes commands answered. Nothing ran."""


class Interrupted(HostError):
    """A batch whose end was not heard. `results`: what is known; `unknown`: the command that ran when it was last heard of; `not_run`:
    those of which nothing was heard. Most likely they never began; only looking says it for sure, for the news of it may be what was lost.
    """

    def __init__(
        self, host: str, message: str, results: Sequence[Result], unknown: str | None, not_run: Sequence[str], *, remedy: str
    ) -> None:
        running = f" while `{_short(unknown)}` ran" if unknown else ""
        super().__init__(host, f"{message}{running} ({len(results)} commands had ended, {len(not_run)} were not heard of)", remedy=remedy)
        self.results, self.unknown, self.not_run = tuple(results), unknown, tuple(not_run)


class ConnectionLost(Interrupted):
    """The connection was cut. Whether the command that ran then has ended is not known, and nothing is repeated blindly."""


class ShellEnded(ConnectionLost):
    """The connection is there, and the far shell ended before the batch did."""


class CommandTimeout(Interrupted):
    """The host said nothing for too long, or the batch took too long."""


class OutputTooLong(Interrupted):
    """A command printed without end."""


class HostsFailed(DpvsbookError):
    """Several hosts failed; `outcomes` has the results of the others as well."""

    def __init__(self, outcomes: Mapping[str, Outcome[Any]]) -> None:
        failed = {name: outcome.error for name, outcome in outcomes.items() if outcome.error is not None}
        remedies = dict.fromkeys(error.remedy for error in failed.values() if error.remedy)
        super().__init__("\n".join(error.message for error in failed.values()), remedy="\n  ".join(remedies))
        self.outcomes, self.failed = dict(outcomes), failed
        self.exit_code = max(getattr(error, "exit_code", 3) for error in failed.values())

    @classmethod
    def unwrap(cls, outcomes: Mapping[str, Outcome[T]]) -> dict[str, T]:
        """The values, where every host has one. One failure alone is raised as itself."""
        failed = [outcome.error for outcome in outcomes.values() if outcome.error is not None]
        if len(failed) == 1:
            raise failed[0]
        if failed:
            raise cls(outcomes)
        return {name: outcome.get() for name, outcome in outcomes.items()}


def _short(text: str) -> str:
    return text if len(text) <= 80 else f"{text[:77]}..."
