"""What a dpvs.conf says, as values: the settings that it names, its ports, bonds and lcores. What it doesn't name has its default."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

from dpvsbook.conf import items
from dpvsbook.conf.items import BOND, DEVICE, ITEM, PORT, WORKER, Value
from dpvsbook.conf.parse import Node
from dpvsbook.conf.values import take

Values = Mapping[str, Value]


@dataclass(frozen=True, slots=True)
class Device:
    """A port. `values`: "rx.queue_number" and so on."""

    name: str
    values: Values = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Bond:
    """Several devices as one. `values`: "mode", "primary" …"""

    name: str
    slaves: tuple[str, ...] = ()
    values: Values = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Queues:
    """What a worker has of a port. `isolated`: for each receive queue the lcore that polls it in the worker's place, 0 for none."""

    port: str
    rx: tuple[int, ...] = ()
    tx: tuple[int, ...] = ()
    isolated: tuple[int, ...] = ()
    ring: int | None = None


@dataclass(frozen=True, slots=True)
class Worker:
    """An lcore of dpvs. `cpu_id` is the EAL's lcore id."""

    name: str
    type: str | None = None
    cpu_id: int | None = None
    queues: tuple[Queues, ...] = ()
    icmp: bool = False


@dataclass(frozen=True, slots=True)
class Conf:
    """A dpvs.conf. `values` by path ("ipvs_defs.conn.conn_pool_size"): what it names, no defaults. A flag is there (True) or it isn't."""

    values: Values = field(default_factory=dict)
    devices: tuple[Device, ...] = ()
    bonds: tuple[Bond, ...] = ()
    workers: tuple[Worker, ...] = ()

    def get(self, path: str) -> Value | None:
        """What holds: the value that is set, or the default. KeyError for what is no item."""
        return self.values.get(path, ITEM[path].default)

    def device(self, name: str, path: str) -> Value | None:
        """The same for an item of a device."""
        found = next((device.values for device in self.devices if device.name == name), {})
        return found.get(path, ITEM[f"{DEVICE}.{path}"].default)

    def bond(self, name: str, path: str) -> Value | None:
        """The same for an item of a bond."""
        found = next((bond.values for bond in self.bonds if bond.name == name), {})
        return found.get(path, ITEM[f"{BOND}.{path}"].default)

    @property
    def masters(self) -> tuple[Worker, ...]:
        return tuple(worker for worker in self.workers if worker.type == "master")

    @property
    def slaves(self) -> tuple[Worker, ...]:
        return tuple(worker for worker in self.workers if worker.type in ("slave", None))

    @property
    def members(self) -> frozenset[str]:
        """The devices that are in a bond."""
        return frozenset(name for bond in self.bonds for name in bond.slaves)

    @property
    def lcores(self) -> tuple[int, ...]:
        """Every lcore that it needs: the workers', and those that poll isolated queues."""
        own = [worker.cpu_id for worker in self.workers if worker.cpu_id is not None]
        isolated = [cpu for worker in self.workers for queues in worker.queues for cpu in queues.isolated if cpu]
        return tuple(sorted({*own, *isolated}))

    def with_values(self, **values: Value) -> Conf:
        """With other settings; dots are written as two underscores: `ipvs_defs__conn__redirect=True`."""
        return replace(self, values={**self.values, **{name.replace("__", "."): value for name, value in values.items()}})


def read(nodes: tuple[Node, ...]) -> Conf:
    """A tree as the values that dpvs takes from it: an unknown line is left out, a bad value is what dpvs makes of it."""
    values: dict[str, Value] = {}
    devices: list[Device] = []
    bonds: list[Bond] = []
    workers: list[Worker] = []
    for path, node in leaves(nodes):
        if path == DEVICE:
            devices.append(Device(node.name, _values(node, DEVICE)))
        elif path == BOND:
            slaves = tuple(str(taken) for child in node.nodes or () if (taken := _taken(child, BOND, "slave")) is not None)
            bonds.append(Bond(node.name, slaves, {k: v for k, v in _values(node, BOND).items() if k != "slave"}))
        elif path == WORKER:
            workers.append(_worker(node))
        elif path in ITEM:
            values.pop(path, None)
            value = take(ITEM[path], node.args).value
            if value is not None:
                values[path] = value
    return Conf(values, tuple(devices), tuple(bonds), tuple(workers))


def leaves(nodes: tuple[Node, ...], path: str = "") -> Iterator[tuple[str, Node]]:
    """Every item with its path, and each named block as one; what is in unknown blocks is left out."""
    for node in nodes:
        here = f"{path}.{node.key}" if path else node.key
        if node.nodes is None or here in (DEVICE, BOND, WORKER):
            yield here, node
        elif here in items.BLOCK:
            yield from leaves(node.nodes, here)


def _values(block: Node, path: str) -> dict[str, Value]:
    found: dict[str, Value] = {}
    for here, node in leaves(block.nodes or (), path):
        if here in ITEM:
            name = here.removeprefix(f"{path}.")
            taken = take(ITEM[here], node.args)
            found.pop(name, None)
            if taken.value is not None:
                found[name] = taken.value
    return found


def _taken(node: Node, path: str, key: str) -> Value | None:
    return take(ITEM[f"{path}.{key}"], node.args).value if node.key == key and node.nodes is None else None


def _worker(block: Node) -> Worker:
    values = {path.rpartition(".")[2]: node for path, node in leaves(block.nodes or (), WORKER) if path in ITEM}
    kind = take(ITEM[f"{WORKER}.type"], values["type"].args) if "type" in values else None
    cpu = take(ITEM[f"{WORKER}.cpu_id"], values["cpu_id"].args) if "cpu_id" in values else None
    return Worker(
        block.name,
        None if kind is None else str(kind.value or "slave"),
        None if cpu is None else int(cpu.value) if isinstance(cpu.value, int) else 0,
        tuple(_queues(node) for node in block.nodes or () if node.key == "port" and node.nodes is not None),
        "icmp_redirect_core" in values,
    )


def _queues(block: Node) -> Queues:
    values = _values(block, PORT)
    rings = values.get("isol_rxq_ring_sz")
    return Queues(
        block.name,
        _ints(values.get("rx_queue_ids")),
        _ints(values.get("tx_queue_ids")),
        _ints(values.get("isol_rx_cpu_ids")),
        rings if isinstance(rings, int) else None,
    )


def _ints(value: Value | None) -> tuple[int, ...]:
    return value if isinstance(value, tuple) else ()
