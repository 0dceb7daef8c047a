"""The operator's ssh_config, with what it includes (paramiko reads the rest of the language, and leaves Include out)."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

DEEPEST = 16
"""As ssh_config(5) allows."""


def lines(path: Path, depth: int = 0) -> Iterator[str]:
    """The file's lines, each Include replaced by what it names. What comes after an Include belongs to the block that it stands in.

    Raises OSError, ValueError (quotes that aren't closed, Include that includes itself).
    """
    if depth > DEEPEST:
        raise ValueError(f"{path}: Include goes too deep")
    block = "Host *"
    for line in path.read_text(errors="surrogateescape").splitlines():
        word = re.match(r"\s*(\w+)\s*[=\s]\s*(.*)", line)
        keyword = word[1].lower() if word else ""
        if keyword in ("host", "match"):
            block = line
        if word is None or keyword != "include":
            yield line
            continue
        for pattern in shlex.split(word[2], comments=True):
            # Relative ones are the user's, as in ssh; a file of ours that isn't in ~/.ssh may also have them beside it.
            where = Path(pattern).expanduser()
            folders = [Path("/")] if where.is_absolute() else [Path.home() / ".ssh", path.parent]
            tail = str(where).lstrip("/")
            for file in dict.fromkeys(found for folder in folders for found in sorted(folder.glob(tail)) if found.is_file()):
                yield from lines(file, depth + 1)
        yield block
