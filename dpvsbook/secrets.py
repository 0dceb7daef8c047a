"""Secrets are references, `env:NAME` or `file:PATH`, resolved where they are used and written nowhere.

Whatever was resolved in this process is known to `scrub`, through which every text goes on its way to a record, a notebook or a log.
"""

from __future__ import annotations

import html
import json
import os
import shlex
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final, Protocol

from dpvsbook.errors import DpvsbookError

HIDDEN: Final = "•••"
_SHORTEST = 4
"""Shorter ones are not looked for: taking every `a` out of a log would hide what happened, and protect nothing."""

_known: set[str] = set()
_lock = threading.Lock()


class SecretError(DpvsbookError):
    """A secret's reference leads nowhere."""

    exit_code = 4


class HasJson(Protocol):
    """Params, as far as this module looks at them."""

    def as_json(self) -> dict[str, Any]: ...


def resolve(reference: str) -> str:
    """The secret behind `env:NAME` or `file:PATH` (without its last line feed). Raises SecretError, which never shows a value."""
    kind, _, name = reference.partition(":")
    if kind == "env":
        value = os.environ.get(name)
        if not value:
            raise SecretError(f"the secret {reference} is not set", remedy=f"export {name}=…")
    elif kind == "file":
        path = Path(name).expanduser()
        try:
            if path.stat().st_mode & 0o077:
                raise SecretError(f"the secret {reference} can be read by others", remedy=f"chmod 600 {path}")
            value = path.read_text().removesuffix("\n")
        except OSError as error:
            raise SecretError(
                f"the secret {reference} can't be read: {error.strerror}", remedy=f"Put it there, readable by you alone: {path}"
            ) from error
        except UnicodeDecodeError:
            raise SecretError(f"the secret {reference} is not UTF-8 text", remedy="Write it as text; a binary key can be base64.") from None
        if not value:
            raise SecretError(f"the secret {reference} is empty", remedy=f"Put it there, readable by you alone: {path}")
    else:
        raise SecretError("a secret is written as env:NAME or file:PATH, never as itself", remedy="export NAME=…, then write env:NAME.")
    with _lock:
        _known.add(value)
    return value


def learn(params: HasJson) -> None:
    """Resolve all that the params refer to, so that this process scrubs what another one uses. What isn't set is passed over."""
    for reference in _references(params.as_json()):
        try:
            resolve(reference)
        except SecretError:
            continue


def any_known() -> bool:
    """Is there anything to scrub at all?"""
    return bool(_known)


def scrub(text: str) -> str:
    """The text without any secret that this process knows."""
    with _lock:
        values = sorted((form for v in _known if len(v) >= _SHORTEST for form in _forms(v)), key=len, reverse=True)
    for value in values:
        if value in text:
            text = text.replace(value, HIDDEN)
    return text


def _forms(value: str) -> set[str]:
    """The secret as it may stand in a text: itself, as Python shows it, as JSON and as HTML write it, quoted for a shell."""
    as_json = {json.dumps(value, ensure_ascii=plain)[1:-1] for plain in (True, False)}
    return {value, repr(value)[1:-1], *as_json, html.escape(value), shlex.quote(value)}


def _references(data: Any) -> Iterator[str]:
    if isinstance(data, str) and data.startswith(("env:", "file:")):
        yield data
    elif isinstance(data, Mapping):
        for value in data.values():
            yield from _references(value)
    elif isinstance(data, list):
        for value in data:
            yield from _references(value)
