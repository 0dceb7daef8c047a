"""The captures: what real tools printed (`captures/<parser>/<dpvs version>-<where from>.txt`), and beside each what it means (`.json`).

`python -m tests.facts.cases` writes the missing `.json` of new captures: review them, then commit both.
The key "command" of a `.json` says which command printed the text.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, fields, is_dataclass
from pathlib import Path
from typing import Any

from dpvsbook.facts import (
    dpip_addr,
    dpip_link,
    dpip_link_cpu,
    dpip_neigh,
    dpip_route,
    dpip_tunnel,
    dpip_vlan,
    ipvsadm_acl,
    ipvsadm_conns,
    ipvsadm_laddr,
    ipvsadm_list,
    ipvsadm_save,
    ipvsadm_stats,
    versions,
)
from dpvsbook.facts.ipvs import Endpoint, ServiceKey

CAPTURES = Path(__file__).parent / "captures"
MODULES = (
    dpip_addr, dpip_link, dpip_link_cpu, dpip_neigh, dpip_route, dpip_tunnel, dpip_vlan,
    ipvsadm_acl, ipvsadm_conns, ipvsadm_laddr, ipvsadm_list, ipvsadm_save, ipvsadm_stats, versions,
)  # fmt: skip
PARSERS: dict[str, Callable[[str], Iterable[object]]] = {module.__name__.rpartition(".")[2]: module.parse for module in MODULES}


@dataclass(frozen=True)
class Case:
    """One capture of one parser."""

    parser: str
    path: Path

    def __str__(self) -> str:
        return f"{self.parser}/{self.path.stem}"

    @property
    def text(self) -> str:
        return self.path.read_text()

    @property
    def expected(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.path.with_suffix(".json").read_text())
        return found


def cases(parser: str = "*") -> Iterator[Case]:
    """The captures of one parser, or of all."""
    for path in sorted(CAPTURES.glob(f"{parser}/*.txt")):
        yield Case(path.parent.name, path)


def plain(value: Any) -> Any:
    """A parsed value as JSON has it: keys and endpoints as their text, sets sorted."""
    if isinstance(value, (ServiceKey, Endpoint)):
        return str(value)
    if is_dataclass(value) and not isinstance(value, type):
        return {field.name: plain(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, tuple) and hasattr(value, "_asdict"):
        return plain(value._asdict())
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    if isinstance(value, frozenset):
        return sorted(value)
    return value


def dump(command: str, rows: Iterable[object]) -> str:
    """The `.json`: a parsed row per line, so that a person can review it beside the text."""
    body = ",\n".join("  " + json.dumps(plain(row)) for row in rows)
    return f'{{"command": {json.dumps(command)},\n "expected": [\n{body}\n]}}\n'


if __name__ == "__main__":
    for case in cases():
        if case.parser in PARSERS and not case.path.with_suffix(".json").exists():
            case.path.with_suffix(".json").write_text(dump("", PARSERS[case.parser](case.text)))
            print(case.path.with_suffix(".json"))
