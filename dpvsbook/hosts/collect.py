"""What has come back of one batch so far: bytes in, results out. Pure."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence

from dpvsbook.errors import HostError, Locked, PlanError
from dpvsbook.hosts.wire import Command, Result, Shell, Splitter

OnOutput = Callable[[str, str, str], None]
"""Called with the command's text, "stdout" or "stderr", and a line, as soon as it is whole."""

STREAMS = ("stdout", "stderr")
PART = 1 << 16
"""Characters that are kept of a command whose end was not heard."""


class Collector:
    """Fed with what comes on each stream (0 stdout, 1 stderr). `began`: the far shell has answered; `through`: it has told the end."""

    def __init__(self, host: str, commands: Sequence[Command | Shell], mark: str, on_output: OnOutput | None = None) -> None:
        self.host = host
        self.commands = commands
        self.results: list[Result] = []
        self.began = self.through = False
        self._splitters = (Splitter(mark), Splitter(mark))
        self._outputs: list[tuple[str, int, float]] = []  # stdout, exit, when it ended
        self._errors: list[str] = []
        self._since = 0.0
        self._on_output = on_output

    def feed(self, stream: int, data: bytes) -> Iterator[Result]:
        """The results that are complete with this. Raises Locked, PlanError (the guard saw another state): then nothing ran."""
        splitter = self._splitters[stream]
        shown = splitter.shown
        for before, words in splitter.feed(data):
            match words[0]:
                case "begin":
                    self.began = True
                    self._since = _seconds(words[1]) if stream == 0 else self._since
                case "end":
                    self.through = True
                case "locked":
                    raise Locked(
                        self.host,
                        f"another run is changing it right now: {' '.join(words[1:])}",
                        remedy="Wait until it is through, then run again.",
                    )
                case "unlockable":
                    raise HostError(
                        self.host, f"no lock can be put at {' '.join(words[1:])}", remedy="Is that disk full, or mounted read-only?"
                    )
                case "changed":
                    raise PlanError(
                        f"{self.host}: it was changed after the plan was made, so nothing was sent",
                        remedy="Look at the plan again, then apply.",
                    )
                case _:
                    text = before.decode(errors="replace")
                    self._tell(stream, before[shown:].decode(errors="replace").splitlines())
                    if stream == 0:
                        self._outputs.append((text, int(words[1]), _seconds(words[2])))
                    else:
                        self._errors.append(text)
            shown = 0
        if self._on_output is not None and self.began:
            self._tell(stream, splitter.fresh())
        yield from self._complete()

    def _tell(self, stream: int, lines: list[str]) -> None:
        at = len(self._outputs if stream == 0 else self._errors)
        if self._on_output is not None and at < len(self.commands):
            for line in lines:
                self._on_output(self.commands[at].text, STREAMS[stream], line)

    def _complete(self) -> Iterator[Result]:
        while len(self.results) < min(len(self._outputs), len(self._errors)):
            i = len(self.results)
            text, code, ended = self._outputs[i]
            self.results.append(Result(self.commands[i].text, code, text, self._errors[i], max(0.0, ended - self._since), self._since))
            self._since = ended
            yield self.results[-1]

    @property
    def done(self) -> bool:
        """Every command has ended, and the lock is given back."""
        return self.through and len(self.results) == len(self.commands)

    @property
    def largest(self) -> int:
        """Bytes that wait for their mark, on the stream where more do."""
        return max(map(len, self._splitters))

    @property
    def open(self) -> Result | None:
        """The command that runs, as far as it was heard; None before the first began and after the last."""
        i = len(self.results)
        if not self.began or i >= len(self.commands):
            return None
        out = self._outputs[i][0] if i < len(self._outputs) else self._splitters[0].rest
        return Result(self.commands[i].text, None, out[:PART], self.said[:PART], 0.0, self._since or time.time())

    @property
    def said(self) -> str:
        """What stands on stderr after its last mark."""
        return self._splitters[1].rest.strip()

    @property
    def state(self) -> tuple[list[Result], str | None, list[str]]:
        """What is known, the command of which it isn't, and those of which nothing was heard."""
        texts = [command.text for command in self.commands[len(self.results) :]]
        return self.results, texts[0] if texts else None, texts[1:]


def _seconds(text: str) -> float:
    """What `date +%s%N` printed. A date that knows no %N (busybox, BSD) leaves whole seconds, and perhaps those letters."""
    digits = text.rstrip("%N")
    if not digits.isdecimal():
        return time.time()
    return int(digits) / 1e9 if len(digits) > 12 else float(digits)
