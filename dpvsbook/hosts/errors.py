"""What can go wrong between here and a host, and what to do about each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
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

    def __init__(self, host: str, where: str, fingerprint: str, expected: str) -> None:
        super().__init__(
            host,
            f"its host key has changed: {where} shows {fingerprint}, pinned is {expected}",
            remedy=f"Only if you know that it was installed anew: ssh-keygen -R '{where}', then dpvsbook trust PARAMS.",
        )


class LoginRefused(Unreachable):
    """The host is there, and lets us in by none of the keys and passwords that we have."""


class SudoRefused(HostError):
    """Logged in, and not allowed to be root there."""


class Interrupted(HostError):
    """A batch that did not end. `results`: what is known; `unknown`: the command that ran when it was cut; `not_run`: what never began."""

    def __init__(
        self, host: str, message: str, results: Sequence[Result], unknown: str | None, not_run: Sequence[str], *, remedy: str
    ) -> None:
        running = f" while `{_short(unknown)}` ran" if unknown else ""
        super().__init__(host, f"{message}{running} ({len(results)} commands had ended, {len(not_run)} had not begun)", remedy=remedy)
        self.results, self.unknown, self.not_run = tuple(results), unknown, tuple(not_run)


class ConnectionLost(Interrupted):
    """The connection was cut. Whether the command that ran then has ended is not known, and nothing is repeated blindly."""


class CommandTimeout(Interrupted):
    """The host said nothing for too long."""


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
