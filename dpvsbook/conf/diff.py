"""Two dpvs.confs: what differs, and whether a reload (SIGHUP) brings it to a running dpvs or only a start does."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

from dpvsbook.conf import items
from dpvsbook.conf.items import BOND, DEVICE, ITEM, Value
from dpvsbook.conf.model import Conf, Worker
from dpvsbook.conf.values import show

Needs = Literal["reload", "restart"]


@dataclass(frozen=True, slots=True)
class Difference:
    """`what` for a person ("device dpdk0 rx.queue_number"); the values as in the file, "" for nothing. `note`: why."""

    what: str
    before: str
    after: str
    needs: Needs
    note: str = ""

    def __str__(self) -> str:
        change = f"{self.before or 'nothing'} -> {self.after or 'nothing'}"
        return f"{self.what}: {change} ({self.needs}{f': {self.note}' if self.note else ''})"


def diff(old: Conf, new: Conf) -> tuple[Difference, ...]:
    """What differs in effect: a line that says the default is no change against none. Order: as in the file."""
    return (
        *_settings(old, new),
        *_named("device", DEVICE, _devices(old), _devices(new)),
        *_order(old, new),
        *_bonds(old, new),
        *_workers(old, new),
    )


def needs(differences: tuple[Difference, ...]) -> Needs | None:
    """What all of it takes together: None for nothing."""
    if any(difference.needs == "restart" for difference in differences):
        return "restart"
    return "reload" if differences else None


def _settings(old: Conf, new: Conf) -> Iterator[Difference]:
    for path in (item.path for item in items.ITEMS if item.path in old.values or item.path in new.values):
        item, before, after = ITEM[path], old.get(path), new.get(path)
        if before == after:
            continue
        left_out = item.sticky and path not in new.values
        note = "a reload keeps what a file no longer names: write its value instead" if left_out else ""
        yield Difference(path, _text(item, before), _text(item, after), "restart" if item.init or left_out else "reload", note)


def _devices(conf: Conf) -> Mapping[str, Mapping[str, Value]]:
    return {device.name: device.values for device in conf.devices}


def _named(word: str, block: str, old: Mapping[str, Mapping[str, Value]], new: Mapping[str, Mapping[str, Value]]) -> Iterator[Difference]:
    for name in dict.fromkeys((*old, *new)):
        if name not in old or name not in new:
            yield Difference(f"{word} {name}", "there" if name in old else "", "there" if name in new else "", "restart")
            continue
        for item in items.ITEMS:
            key = item.path.removeprefix(f"{block}.")
            if key == item.path:
                continue
            before, after = old[name].get(key, item.default), new[name].get(key, item.default)
            if before != after:
                yield Difference(f"{word} {name} {key}", _text(item, before), _text(item, after), "restart")


def _order(old: Conf, new: Conf) -> Iterator[Difference]:
    before, after = [d.name for d in old.devices], [d.name for d in new.devices]
    if before != after and sorted(before) == sorted(after):
        yield Difference("order of the devices", " ".join(before), " ".join(after), "restart", "the names move to other ports")


def _bonds(old: Conf, new: Conf) -> Iterator[Difference]:
    yield from _named("bonding", BOND, {b.name: b.values for b in old.bonds}, {b.name: b.values for b in new.bonds})
    slaves = {bond.name: bond.slaves for bond in new.bonds}
    for bond in old.bonds:
        if bond.name in slaves and slaves[bond.name] != bond.slaves:
            yield Difference(f"bonding {bond.name} slaves", " ".join(bond.slaves), " ".join(slaves[bond.name]), "restart")


def _workers(old: Conf, new: Conf) -> Iterator[Difference]:
    before, after = {worker.name: worker for worker in old.workers}, {worker.name: worker for worker in new.workers}
    for name in dict.fromkeys((*before, *after)):
        one, other = before.get(name), after.get(name)
        if _worker(one) != _worker(other):
            yield Difference(f"worker {name}", _worker(one), _worker(other), "restart")


def _worker(worker: Worker | None) -> str:
    if worker is None:
        return ""
    cpu = "no lcore" if worker.cpu_id is None else f"lcore {worker.cpu_id}"
    parts = [f"{worker.type or 'no type'} on {cpu}", *(["icmp"] if worker.icmp else [])]
    for queues in worker.queues:
        ids = f"{queues.port} rx {' '.join(map(str, queues.rx)) or '-'} tx {' '.join(map(str, queues.tx)) or '-'}"
        isolated = f" isolated on {' '.join(map(str, queues.isolated))}" if queues.isolated else ""
        parts.append(f"{ids}{isolated}{f' ring {queues.ring}' if queues.ring is not None else ''}")
    return ", ".join(parts)


def _text(item: items.Item, value: Value | None) -> str:
    if value is None:
        return ""
    return ("on" if value else "off") if item.form == "flag" else show(item, value)
