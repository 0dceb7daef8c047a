"""What a file descriptor of the emulated hosts points at: pipes, files, text, nothing.

Text everywhere is str with `surrogateescape`, so that any bytes pass through unharmed."""

# ruff: noqa: ARG002  (the base class names the arguments)

from __future__ import annotations

import errno
import os
import threading
from collections.abc import Callable

PIPE_LIMIT = 1 << 16


def encode(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


def decode(data: bytes | bytearray) -> str:
    return data.decode("utf-8", "surrogateescape")


class Stream:
    """An open file. Reading one that can't be read (or the like) raises OSError, as the kernel would."""

    tty = False

    def write(self, text: str) -> None:
        raise OSError(errno.EBADF, os.strerror(errno.EBADF))

    def readline(self) -> str:
        """The next line with its newline; '' at the end."""
        raise OSError(errno.EBADF, os.strerror(errno.EBADF))

    def read(self) -> str:
        """Everything up to the end."""
        lines = []
        while line := self.readline():
            lines.append(line)
        return "".join(lines)

    def close(self) -> None:
        return None


class Null(Stream):
    def write(self, text: str) -> None:
        return None

    def readline(self) -> str:
        return ""


class Full(Null):
    """/dev/full: every write fails."""

    def write(self, text: str) -> None:
        if text:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


class Text(Stream):
    """Reads from a string (here-documents, standard input given as a value)."""

    def __init__(self, text: str) -> None:
        self._text, self._at = text, 0

    def readline(self) -> str:
        end = self._text.find("\n", self._at) + 1 or len(self._text)
        line, self._at = self._text[self._at : end], end
        return line

    def read(self) -> str:
        rest, self._at = self._text[self._at :], len(self._text)
        return rest


class Capture(Stream):
    """Collects what is written; several threads may write."""

    def __init__(self) -> None:
        self._parts: list[str] = []

    def write(self, text: str) -> None:
        self._parts.append(text)

    @property
    def text(self) -> str:
        return "".join(self._parts)


class Calls(Stream):
    """Hands every write on to a function (an SSH channel)."""

    def __init__(self, write: Callable[[str], None], *, tty: bool = False) -> None:
        self._write = write
        self.tty = tty

    def write(self, text: str) -> None:
        if text:
            self._write(text)


class Pipe(Stream):
    """A pipe between threads. `limit=0` never blocks the writer (input arriving from a network has its own flow control)."""

    def __init__(self, limit: int = PIPE_LIMIT) -> None:
        self._limit = limit
        self._buffer, self._at = "", 0
        self._changed = threading.Condition()
        self._write_end, self._read_end = True, True

    def write(self, text: str) -> None:
        with self._changed:
            while self._limit and len(self._buffer) - self._at > self._limit and self._read_end and self._write_end:
                self._changed.wait()
            if not self._read_end or not self._write_end:
                raise BrokenPipeError(errno.EPIPE, os.strerror(errno.EPIPE))
            self._buffer = self._buffer[self._at :] + text
            self._at = 0
            self._changed.notify_all()

    def feed(self, text: str) -> None:
        """Like write, but for input from a network: once nobody reads, it is dropped."""
        with self._changed:
            if self._write_end and self._read_end:
                self._buffer, self._at = self._buffer[self._at :] + text, 0
                self._changed.notify_all()

    def readline(self) -> str:
        with self._changed:
            scanned = self._at
            while (end := self._buffer.find("\n", scanned)) < 0 and self._write_end and self._read_end:
                unscanned = len(self._buffer) - self._at
                self._changed.wait()
                scanned = self._at + unscanned
            return self._take(end + 1 if end >= 0 else len(self._buffer))

    def read(self) -> str:
        with self._changed:
            while self._write_end and self._read_end:
                if len(self._buffer) - self._at > self._limit:
                    self._limit = len(self._buffer) * 2  # the reader wants it all: don't hold the writer back
                    self._changed.notify_all()
                self._changed.wait()
            return self._take(len(self._buffer))

    def _take(self, end: int) -> str:
        taken = self._buffer[self._at : end]
        self._at = end
        self._changed.notify_all()
        return taken

    def close(self) -> None:
        """The writer is done: the reader sees the end after what is buffered."""
        with self._changed:
            self._write_end = False
            self._changed.notify_all()

    def close_reader(self) -> None:
        """The reader is gone: writing fails with EPIPE from now on."""
        with self._changed:
            self._read_end = False
            self._changed.notify_all()
