"""Known failures, as data: by what their messages say, with the cause and the way out. `catalogue("build")` is data/failures-build.json."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib import resources
from typing import Any


@dataclass(frozen=True, slots=True)
class Known:
    """One failure. `stages`: those of a build that it is looked for in, () for all; `fatal`: dpvs doesn't start with it;
    `codes`: what a group `code` of the pattern means, where dpvs gives a number."""

    id: str
    name: str
    pattern: re.Pattern[str]
    cause: str
    fix: str
    refs: tuple[str, ...] = ()
    stages: tuple[str, ...] = ()
    fatal: bool = True
    codes: Mapping[str, str] = field(default_factory=dict, hash=False)


@cache
def catalogue(name: str) -> tuple[Known, ...]:
    """What is known, in the order in which it is looked for."""
    data: list[dict[str, Any]] = json.loads((resources.files("dpvsbook") / "data" / f"failures-{name}.json").read_text("utf-8"))
    return tuple(
        Known(
            row["id"],
            row["name"],
            re.compile("|".join(row["patterns"]), re.MULTILINE),
            row["cause"],
            row["fix"],
            tuple(row.get("refs", ())),
            tuple(row.get("stages", ())),
            row.get("fatal", True),
            row.get("codes", {}),
        )
        for row in data
    )
