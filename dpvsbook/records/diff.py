"""What differs between two records: params, verdict, versions, changes, checks, timings."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dpvsbook.records.index import Entry, read


@dataclass(frozen=True, slots=True)
class Difference:
    """One thing: `before` as the first record has it, `after` as the second; None where it isn't there."""

    part: str  # verdict, params, hosts, changes, checks, steps, tools, notebook
    path: str
    before: Any
    after: Any

    def __str__(self) -> str:
        return f"{self.part}: {self.path}: {_text(self.before)} -> {_text(self.after)}"


def diff(a: Entry | Path, b: Entry | Path) -> list[Difference]:
    """The differences, in the order in which one would ask: verdict, params, versions and keys, changes, checks, timings."""
    before, after = (side.document if isinstance(side, Entry) else read(side).document for side in (a, b))
    found: list[Difference] = []
    for key in ("verdict", "detail", "mode", "runbook"):
        found += _compare("verdict" if key == "detail" else key, key, before.get(key), after.get(key))
    found += _compare("params", "", before.get("params"), after.get("params"))
    found += _compare("notebook", "", before.get("notebook"), after.get("notebook"))
    found += _compare("hosts", "", before.get("hosts", {}), after.get("hosts", {}))
    found += _compare("tools", "", before.get("tools", {}), after.get("tools", {}))
    found += _compare("changes", "", _changes(before), _changes(after))
    found += _compare("checks", "", _checks(before), _checks(after))
    found += _compare("steps", "", _steps(before), _steps(after))
    return found


def timings(a: Entry | Path, b: Entry | Path) -> list[tuple[str, float | None, float | None]]:
    """Seconds of each step in both records, and of the whole run at the end."""
    one, other = (side if isinstance(side, Entry) else read(side) for side in (a, b))
    first, second = ({_step_name(step): step.get("seconds") for step in entry.document.get("steps", ())} for entry in (one, other))
    rows = [(name, first.get(name), second.get(name)) for name in dict.fromkeys([*first, *second])]
    return [*rows, ("whole run", one.seconds, other.seconds)]


def _compare(part: str, path: str, before: Any, after: Any) -> Iterator[Difference]:
    if before == after:
        return
    if isinstance(before, Mapping) and isinstance(after, Mapping):
        for key in dict.fromkeys([*before, *after]):
            yield from _compare(part, f"{path}.{key}".lstrip("."), before.get(key), after.get(key))
    elif isinstance(before, list) and isinstance(after, list):
        keyed = _by_name(before), _by_name(after)
        if keyed[0] is not None and keyed[1] is not None:
            yield from _compare(part, path, *keyed)
        else:
            for index in range(max(len(before), len(after))):
                pair = (side[index] if index < len(side) else None for side in (before, after))
                yield from _compare(part, f"{path}[{index}]", *pair)
    else:
        yield Difference(part, path, before, after)


def _by_name(items: list[Any]) -> dict[str, Any] | None:
    """A list of named things as a mapping, so that a real server put first doesn't make all of them differ."""
    if not all(isinstance(item, Mapping) and "name" in item for item in items):
        return None
    named = {str(item["name"]): item for item in items}
    return named if len(named) == len(items) else None


def _changes(document: Mapping[str, Any]) -> dict[str, str]:
    return {
        " ".join(str(change.get(key, "")) for key in ("director", "step", "action", "key")): str(change.get("result", ""))
        for change in document.get("changes", ())
    }


def _checks(document: Mapping[str, Any]) -> dict[str, Any]:
    return {str(check.get("name", "")): {"ok": check.get("ok"), "detail": check.get("detail")} for check in document.get("checks", ())}


def _steps(document: Mapping[str, Any]) -> dict[str, str]:
    return {_step_name(step): str(step.get("status", "")) for step in document.get("steps", ())}


def _step_name(step: Mapping[str, Any]) -> str:
    return " ".join(str(step[key]) for key in ("director", "step") if step.get(key))


def _text(value: Any) -> str:
    return "nothing" if value is None else str(value)
