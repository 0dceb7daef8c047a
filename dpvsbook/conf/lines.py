"""Where things stand in a dpvs.conf, and what a rule between them looks like."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from dpvsbook.conf.finding import Finding
from dpvsbook.conf.items import BOND, DEVICE, PORT, WORKER
from dpvsbook.conf.machine import Machine
from dpvsbook.conf.model import Conf, leaves
from dpvsbook.conf.parse import Node, walk

EXITS = "does not start"


@dataclass(frozen=True, slots=True)
class Lines:
    """Where things stand: settings by path, devices, bonds and workers by name, a worker's port by both names. 0: nowhere."""

    of_path: dict[str, int] = field(default_factory=dict)
    of_name: dict[tuple[str, ...], int] = field(default_factory=dict)

    @classmethod
    def of(cls, nodes: tuple[Node, ...]) -> Lines:
        lines = cls()
        for path, node in walk(nodes):
            lines.of_path.setdefault(path, node.line)
        for path, node in leaves(nodes):
            if path in (DEVICE, BOND, WORKER):
                lines.of_name.setdefault((path, node.name), node.line)
                for inner, child in walk(node.nodes or (), path):
                    key = (path, node.name, child.name) if inner == PORT else (path, node.name, inner.removeprefix(f"{path}."))
                    lines.of_name.setdefault(key, child.line)
        return lines

    def at(self, *names: str) -> int:
        """The line of a setting (one path) or of a name (kind, name …); of what is around it where it isn't there."""
        if len(names) == 1:
            path = names[0]
            while path and path not in self.of_path:
                path = path.rpartition(".")[0]
            return self.of_path.get(path, 0)
        return self.of_name.get(names) or (self.at(*names[:-1]) if len(names) > 2 else self.of_path.get(names[0].partition(".")[0], 0))


Rule = Callable[[Conf, Machine, Lines], Iterator[Finding]]
