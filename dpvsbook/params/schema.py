"""The JSON schema of a params file, for editors."""

from __future__ import annotations

from typing import Any

from dpvsbook.params.model import Params


def schema() -> dict[str, Any]:
    """JSON schema 2020-12. Rules between values (a LIP twice, a network that isn't there) are `load`'s alone."""
    found = Params.model_json_schema()
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "dpvsbook params", **_without_titles(found)}


def _without_titles(data: Any) -> Any:
    """Titles that repeat the names of the keys are noise in an editor."""
    if isinstance(data, dict):
        return {
            key: {name: _without_titles(value) for name, value in part.items()} if key in ("properties", "$defs") else _without_titles(part)
            for key, part in data.items()
            if key != "title" or not isinstance(part, str)
        }
    if isinstance(data, list):
        return [_without_titles(part) for part in data]
    return data
