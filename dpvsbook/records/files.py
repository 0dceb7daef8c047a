"""Writing files so that a full disk or a crash is seen, and never taken for success."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import re
from pathlib import Path

from dpvsbook.errors import DpvsbookError

RESERVE = ".reserve"
RESERVE_BYTES = 256 * 1024
_NO_SPACE = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


class RecordError(DpvsbookError):
    """The record can't be written or read as it should be."""


class DiskFullError(RecordError):
    """No room left under outputs/: the run stops, because what can't be recorded must not happen."""

    def __init__(self, path: Path, cause: OSError) -> None:
        super().__init__(
            f"{path}: the record can't be written: {os.strerror(cause.errno or 0)}",
            remedy="Free some space under outputs/ (old records may be moved away), then run again with --resume.",
        )


def translate(path: Path, error: OSError) -> DpvsbookError:
    """The error to raise for an OSError met while writing `path`."""
    if error.errno in _NO_SPACE:
        return DiskFullError(path, error)
    return RecordError(f"{path}: can't be written: {error.strerror or error}", remedy="Check the folder's owner, mode and file system.")


def append(path: Path, data: bytes, *, sync: bool = False) -> None:
    """Appends in one write (O_APPEND), so that two processes may write to one file without mixing their lines.

    Raises DiskFullError or RecordError; a write that the system cut short is an error too.
    """
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
        try:
            view = memoryview(data)
            while view:
                written = os.write(descriptor, view)
                if not written:
                    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
                view = view[written:]
            if sync:
                os.fsync(descriptor)
        finally:
            os.close(descriptor)
    except OSError as error:
        raise translate(path, error) from error


def replace(path: Path, data: bytes, *, sync: bool = True) -> None:
    """Writes a whole file atomically: a reader sees the old one or the new one. Raises DiskFullError or RecordError."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with temporary.open("wb") as stream:
            stream.write(data)
            stream.flush()
            if sync:
                os.fsync(stream.fileno())
        temporary.replace(path)
    except OSError as error:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise translate(path, error) from error


def reserve(folder: Path) -> None:
    """Sets some room aside, which `release` frees: with it a verdict can be written to a disk that is full."""
    append(folder / RESERVE, os.urandom(RESERVE_BYTES), sync=True)


def release(folder: Path) -> None:
    """Frees the room that `reserve` took."""
    with contextlib.suppress(OSError):
        (folder / RESERVE).unlink(missing_ok=True)


def sha256(path: Path) -> str:
    """The SHA-256 of a file, in hex."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def file_name(text: str) -> str:
    """`text` as a file name: whatever isn't a letter, a digit or one of `._-` becomes `_`, and it can't leave its folder."""
    return re.sub(r"[^A-Za-z0-9._-]", "_", text).lstrip(".") or "_"
