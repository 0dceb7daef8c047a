"""Files on a host, as parts of a batch: no SFTP, no second connection, and sudo counts for them too."""

from __future__ import annotations

import base64
import os
import shlex

from dpvsbook.hosts.wire import Shell


def put(path: str, data: bytes, *, mode: int = 0o644, owner: str | None = None, keep: bool = True) -> Shell:
    """Written beside its place, then moved there, so that it is the old one or the new one at any time; prints its SHA-256.

    The old one stays as PATH.dpvsbook-UTC, with a + behind it where there is one of that second.
    """
    where, folder = shlex.quote(path), shlex.quote(os.path.dirname(path) or ".")  # noqa: PTH120 - a path on the host, whatever runs here
    beside = f'kept={where}.dpvsbook-"$(date -u +%Y%m%dT%H%M%SZ)"; while [ -e "$kept" ]; do kept=$kept+; done'  # two in one second
    kept = f'if [ -e {where} ]; then {beside}; cp -p {where} "$kept" || exit 1; fi\n' if keep else ""
    owned = f'chown {shlex.quote(owner)} "$new" || exit 1\n' if owner else ""
    text = (
        f"new=$(mktemp {folder}/.dpvsbook.XXXXXX) || exit 1\n"
        "trap 'rm -f \"$new\"' EXIT\n"
        f'base64 -d >"$new" || exit 1\nchmod {mode:o} "$new" || exit 1\n{owned}{kept}mv -f "$new" {where} || exit 1\nsha256sum {where}'
    )
    return Shell(text, name=f"write {path}", stdin=base64.encodebytes(data).decode(), mutates=True)


def get(path: str) -> Shell:
    """Prints the file in base64, so that every byte of it comes over."""
    return Shell(f"base64 <{shlex.quote(path)}", name=f"read {path}")
