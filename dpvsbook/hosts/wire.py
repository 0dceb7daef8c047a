"""Many commands in one round trip: a script for the far shell, and its two output streams taken apart again. Pure.

Everything goes to one `sh -s` on its standard input, so that nothing is limited by the length of a command line. After each command the
script prints a mark with a random word of its own on both streams: what stands between two marks is that command's, to the byte, and what
was seen when a connection is cut is known, command by command. Only POSIX: functions, subshells, here-documents, printf, read, trap,
set -C, kill -0, and the tools date, rm, sleep, mkdir and rmdir.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from dpvsbook.errors import DpvsbookError

LOCK = "dpvsbook.lock"
"""The lock's name, in /run (or /tmp where that can't be written): the process id of the far shell, and who holds it."""


@dataclass(frozen=True, slots=True)
class Command:
    """One program and its arguments, quoted on the way. `mutates`: it changes the host, so it is never sent twice."""

    argv: tuple[str, ...]
    stdin: str | None = None
    name: str = ""
    mutates: bool = False
    env: tuple[tuple[str, str], ...] = ()

    def __post_init__(self) -> None:
        _refuse_nul(self.script, self.stdin)

    @property
    def text(self) -> str:
        """As a person would type it."""
        return shlex.join(self.argv)

    @property
    def script(self) -> str:
        """As the far shell gets it."""
        return "".join(f"{name}={shlex.quote(value)} " for name, value in self.env) + self.text


@dataclass(frozen=True, slots=True)
class Shell:
    """A fixed script of ours, run in a subshell. Whatever it holds of the params was quoted by who wrote it."""

    script: str
    name: str = ""
    stdin: str | None = None
    mutates: bool = False

    def __post_init__(self) -> None:
        _refuse_nul(self.script, self.stdin)

    @property
    def text(self) -> str:
        """Its name, or itself."""
        return self.name or self.script


@dataclass(frozen=True, slots=True)
class Result:
    """What a command did. `exit` None: it ran when the connection was cut. The times are by the host's clock."""

    command: str
    exit: int | None
    stdout: str
    stderr: str
    seconds: float
    started: float


def script(
    commands: Sequence[Command | Shell], mark: str, *, lock: str | None = None, guard: tuple[Shell, str] | None = None
) -> Iterator[str]:
    """The script, in pieces: a piece a command, so that the far shell starts before the last one is sent.

    `lock` is who we are: nothing runs while somebody else, whose shell is alive, holds the director. `guard`: under the lock, its output
    must be what is expected, or nothing runs.
    """
    # On both streams: what a login file or sudo's lecture printed before belongs to no command.
    begin = f"printf '\\n{mark} begin %s\\n' \"$(date +%s%N)\"; printf '\\n{mark} begin\\n' >&2\n"
    yield f"LC_ALL=C; export LC_ALL\n{begin}"
    if lock is not None:
        yield _lock(mark, lock)
    if guard is not None:
        check, expected = guard
        seen = f'"$( ( {check.script}\n) </dev/null 2>/dev/null )"'
        yield f"if [ {seen} != {shlex.quote(expected)} ]; then printf '\\n{mark} changed\\n'; exit 76; fi\n"
    if lock is not None or guard is not None:
        yield begin  # so that the first command's time is its own
    for i, command in enumerate(commands):
        if command.stdin is None:
            yield f"( {command.script}\n) </dev/null\n"
        else:
            text = command.stdin if not command.stdin or command.stdin.endswith("\n") else f"{command.stdin}\n"
            yield f"( {command.script}\n) <<'{mark}'\n{text}{mark}\n"
        yield f"printf '\\n{mark} {i} %s %s\\n' $? \"$(date +%s%N)\"; printf '\\n{mark} {i}\\n' >&2\n"
    unlock = 'rm -f "$lock"; mine=; ' if lock is not None else ""
    # Given back before the end is told: whoever hears of the end may take it.
    yield f"{unlock}printf '\\n{mark} end\\n'\n"


def _lock(mark: str, holder: str) -> str:
    """Created where none is, or not at all; one that is still empty gets a second to say whose it is. A dead run's lock is taken over by
    one alone of those who try. None could be created and none is there: another's may just have gone, so it is tried again."""
    who = shlex.quote(" ".join(holder.split()))
    return f"""\
if [ -w /run ]; then lock=/run/{LOCK}; else lock=/tmp/{LOCK}; fi
mine=
trap '[ -z "$mine" ] || rm -f "$lock"' EXIT
trap 'exit 129' HUP INT TERM PIPE
take() {{ ( set -C; printf '%s\\n%s\\n' $$ {who} >"$lock" ) && mine=1; }}
holder() {{ pid=; who=; {{ read -r pid; read -r who; }} <"$lock"; }}
alive() {{ [ -n "$1" ] && {{ kill -0 "$1" || [ -d "/proc/$1" ]; }}; }}
held() {{ printf '\\n{mark} locked %s\\n' "${{who:-somebody who was a moment faster}}$1"; exit 75; }}
tries=0
until take 2>/dev/null || [ -e "$lock" ]; do
  tries=$((tries+1))
  if [ $tries = 5 ]; then printf '\\n{mark} unlockable %s\\n' "$lock"; exit 75; fi
done
if [ -z "$mine" ]; then
  holder 2>/dev/null
  if [ -z "$pid" ]; then sleep 1; holder 2>/dev/null; fi
  if alive "$pid" 2>/dev/null; then held; fi
  dead=$pid
  mkdir "$lock.of.$dead" 2>/dev/null || held " (dead; another run takes its lock over. If none does: rmdir $lock.of.$dead)"
  holder 2>/dev/null
  [ "$pid" != "$dead" ] || rm -f "$lock"
  take 2>/dev/null || holder 2>/dev/null
  rmdir "$lock.of.$dead"
  [ -n "$mine" ] || held
fi
"""


class Splitter:
    """Takes one stream apart at its marks, as it comes."""

    def __init__(self, mark: str) -> None:
        self._mark = f"\n{mark} ".encode()
        self._buffer = bytearray()
        self._searched = 0
        self._shown = 0

    def feed(self, data: bytes) -> Iterator[tuple[bytes, list[str]]]:
        """More of the stream: gives (what stood before, the mark's words) for each mark that is complete by now."""
        self._buffer += data
        while True:
            at = self._buffer.find(self._mark, max(0, self._searched - len(self._mark)))
            end = self._buffer.find(b"\n", at + len(self._mark)) if at >= 0 else -1
            if end < 0:
                self._searched = at if at >= 0 else len(self._buffer)
                return
            before, words = bytes(self._buffer[:at]), self._buffer[at + len(self._mark) : end].decode(errors="replace").split(" ")
            del self._buffer[: end + 1]
            self._searched = self._shown = 0
            yield before, words

    def fresh(self) -> list[str]:
        """The whole lines that came since this was last asked, of the command that runs. Its last blank ones wait: one may be a mark's."""
        end = self._buffer.rfind(b"\n")
        while end > 0 and self._buffer[end - 1] == ord("\n"):
            end -= 1
        if end <= self._shown:
            return []
        lines = self._buffer[self._shown : end].decode(errors="replace").split("\n")
        self._shown = end + 1
        return lines

    @property
    def shown(self) -> int:
        """How many bytes of what came after the last mark `fresh` has told."""
        return self._shown

    @property
    def rest(self) -> str:
        """What came after the last mark so far."""
        return self._buffer.decode(errors="replace")

    def __len__(self) -> int:
        return len(self._buffer)


def _refuse_nul(*texts: str | None) -> None:
    """A shell drops or stops at a NUL, so the host would run something else."""
    if any(text is not None and "\0" in text for text in texts):
        raise DpvsbookError("a command can't hold a NUL character")
