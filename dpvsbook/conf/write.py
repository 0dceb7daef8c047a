"""A `Conf` as the text of dpvs.conf: the same text for the same values, in the order of `items`, with what an operator asks about it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from dpvsbook.conf import items
from dpvsbook.conf.items import BLOCK, BLOCKS, BOND, DEVICE, ITEM, ITEMS, PORT, WORKER, Value
from dpvsbook.conf.model import Bond, Conf, Device, Queues, Worker
from dpvsbook.conf.values import Taken, show, take
from dpvsbook.errors import DpvsbookError

HEAD = "! Written by dpvsbook from the params of this cluster. <init>: a running dpvs doesn't take a new value, it must be started again."
INDENT = "    "


class Unwritable(DpvsbookError):
    """A value that dpvs would take otherwise, or an item that there isn't."""

    exit_code = 4


def write(conf: Conf, *, head: Sequence[str] = ()) -> str:
    """The text. `head`: more comment lines at its top. Raises `Unwritable` for what dpvs would not take as it is."""
    for path in conf.values:
        if path not in ITEM or path.startswith((f"{DEVICE}.", f"{BOND}.", f"{WORKER}.")):
            raise Unwritable(f"dpvs.conf has no item {path}", remedy="dpvsbook.conf.items has all that there are.")
    lines = [HEAD, *(f"! {line}" for line in head)]
    for block in BLOCKS:
        if "." not in block.path:
            body = list(_body(block.path, conf))
            if body:
                lines += ["", *_wrap(block.path, "", body)]
    return "\n".join(lines) + "\n"


def _body(path: str, conf: Conf) -> Iterator[str]:
    """What stands in a block that has no name. Items before blocks, so that nothing hides behind a long one."""
    yield from _items(path, conf.values, f"{path}.")
    for block in BLOCKS:
        if items.parent(block.path) == path and not block.named:
            body = list(_body(block.path, conf))
            if body:
                yield from _wrap(block.path, "", body)
    if path == "netif_defs":
        for device in conf.devices:
            yield from _wrap(DEVICE, device.name, list(_device(device)))
        for bond in conf.bonds:  # after the devices: dpvs looks a slave up as it reads its line
            yield from _wrap(BOND, bond.name, list(_bond(bond)))
    if path == "worker_defs":
        for worker in conf.workers:
            yield from _wrap(WORKER, worker.name, list(_worker(worker)))


def _device(device: Device) -> Iterator[str]:
    _known(device.values, DEVICE, device.name)
    for side in ("rx", "tx"):
        values = {name.partition(".")[2]: value for name, value in device.values.items() if name.startswith(f"{side}.")}
        if values:
            yield from _wrap(f"{DEVICE}.{side}", "", list(_items(f"{DEVICE}.{side}", values, "")))
    yield from _items(DEVICE, device.values, "")


def _bond(bond: Bond) -> Iterator[str]:
    _known(bond.values, BOND, bond.name)
    mode = {name: value for name, value in bond.values.items() if name == "mode"}
    yield from _items(BOND, mode, "")  # before the options, which dpvs takes for mode 4 only
    for slave in bond.slaves:
        yield _line(ITEM[f"{BOND}.slave"], slave)
    yield from _items(BOND, {name: value for name, value in bond.values.items() if name != "mode"}, "")


def _worker(worker: Worker) -> Iterator[str]:
    if worker.type is not None:  # before the cpu_id: a kni worker's lcore is noted where the type is known by then
        yield _line(ITEM[f"{WORKER}.type"], worker.type)
    if worker.cpu_id is not None:
        yield _line(ITEM[f"{WORKER}.cpu_id"], worker.cpu_id)
    if worker.icmp:
        yield _line(ITEM[f"{WORKER}.icmp_redirect_core"], True)
    for queues in worker.queues:
        yield from _wrap(PORT, queues.port, list(_queues(queues)))


def _queues(queues: Queues) -> Iterator[str]:
    values: dict[str, Value] = {"rx_queue_ids": queues.rx, "tx_queue_ids": queues.tx, "isol_rx_cpu_ids": queues.isolated}
    if queues.ring is not None:
        values["isol_rxq_ring_sz"] = queues.ring
    yield from _items(PORT, {name: value for name, value in values.items() if value != ()}, "")


def _items(block: str, values: Mapping[str, Value], prefix: str) -> Iterator[str]:
    for item in ITEMS:
        if item.block == block and f"{prefix}{item.name}" in values:
            yield _line(item, values[f"{prefix}{item.name}"])


def _line(item: items.Item, value: Value) -> str:
    text = show(item, value)
    if item.form == "flag":
        taken = Taken(True) if value is True else Taken(None, "a flag is there, or it isn't: leave it out to have it off")
    else:
        taken = take(item, tuple(text.split(" ")) if item.form == "ints" else (text,))
    if taken.problem or taken.value != value or type(taken.value) is not type(value):
        raise Unwritable(f"{item.path}: {taken.problem or f'{value!r} would be read as {taken.value!r}'}", remedy=f"It takes {item.takes}.")
    mark = "<init> " if item.init and not _within_init(item.block) else ""
    return f"{mark}{item.name}{' ' * max(1, 24 - len(mark) - len(item.name))}{text}".rstrip()


def _within_init(block: str) -> bool:
    """Whether `<init>` stands at a block around it already."""
    while block:
        if block in BLOCK and BLOCK[block].init and BLOCK[block].named:
            return True
        block = items.parent(block)
    return False


def _wrap(path: str, name: str, body: list[str]) -> list[str]:
    block = BLOCK[path]
    mark = "<init> " if block.init and block.named and not _within_init(items.parent(path)) else ""
    title = f"{mark}{path.rpartition('.')[2]}{f' {name}' if name else ''} {{"
    about = [] if block.named or _within_init(path) else [f"! {block.about}"]
    return [*about, title, *(f"{INDENT}{line}" for line in body), "}"]


def _known(values: Mapping[str, Value], path: str, name: str) -> None:
    for key in values:
        if f"{path}.{key}" not in ITEM:
            raise Unwritable(f"{path.rpartition('.')[2]} {name} has no item {key}", remedy="dpvsbook.conf.items has all that there are.")
