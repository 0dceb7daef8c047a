"""The seal of a record: the hash of every file, and one root hash over them all. `verify` says what was altered since."""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Mapping
from pathlib import Path

from dpvsbook.records import files, journal

NAME = "seal.json"


def seal(folder: Path) -> str:
    """Writes seal.json and makes every file read-only. Gives the root hash: kept elsewhere, it proves the whole record."""
    hashes = {str(path.relative_to(folder).as_posix()): files.sha256(path) for path in _files(folder)}
    root = root_hash(hashes)
    document = {"format": 1, "sealed": journal.now(), "files": hashes, "root": root}
    files.replace(folder / NAME, json.dumps(document, indent=1).encode() + b"\n")
    for path in [*_files(folder), folder / NAME]:
        with contextlib.suppress(OSError):  # a file system without modes: the hashes hold all the same
            path.chmod(path.stat().st_mode & ~0o222)
    return root


def root_hash(hashes: Mapping[str, str]) -> str:
    """SHA-256 over the lines `<sha256>  <path>` in the order of the paths: what `sha256sum` would print."""
    return hashlib.sha256("".join(f"{hashes[name]}  {name}\n" for name in sorted(hashes)).encode()).hexdigest()


def verify(folder: Path) -> list[str]:
    """What is wrong with a record: empty if it is sealed and every file is as it was then."""
    path = folder / NAME
    if not path.exists():
        return [f"{folder.name}: not sealed (no {NAME}): the run didn't end, or it was removed"]
    try:
        document = json.loads(path.read_text())
        hashes = {str(name): str(value) for name, value in document["files"].items()}
        root = str(document["root"])
    except (ValueError, KeyError, AttributeError, TypeError) as error:
        return [f"{NAME}: can't be read: {error}"]
    problems = [] if root == root_hash(hashes) else [f"{NAME}: the root hash doesn't fit the hashes: {NAME} was altered"]
    present = {item.relative_to(folder).as_posix(): item for item in _files(folder)}
    problems += [f"{name}: missing" for name in sorted(hashes.keys() - present.keys())]
    problems += [f"{name}: not in the seal (added later)" for name in sorted(present.keys() - hashes.keys())]
    problems += [f"{name}: altered" for name in sorted(hashes.keys() & present.keys()) if files.sha256(present[name]) != hashes[name]]
    return problems


def _files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file() and path != folder / NAME)
