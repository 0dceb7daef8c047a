"""Confs to test with, all our own: from the least to every item set."""

from __future__ import annotations

from dpvsbook.conf import items
from dpvsbook.conf.items import BOND, DEVICE, WORKER, Item, Value
from dpvsbook.conf.model import Bond, Conf, Device, Queues, Worker


def small(ports: int = 2, slaves: int = 1, **values: Value) -> Conf:
    """A conf without a finding: `ports` devices, a master, `slaves` workers with a queue of each port."""
    named = [f"dpdk{i}" for i in range(ports)]
    device = {"rx.queue_number": slaves, "tx.queue_number": slaves}
    workers = [Worker(f"cpu{i + 1}", "slave", i + 1, tuple(Queues(name, (i,), (i,)) for name in named)) for i in range(slaves)]
    settings: dict[str, Value] = {"netif_defs.pktpool_size": 65535, "sa_pool.flow_enable": slaves > 1}
    made = Conf(
        settings, tuple(Device(name, {**device, "kni_name": f"{name}.kni"}) for name in named), (), (Worker("cpu0", "master", 0), *workers)
    )
    return made.with_values(**values)


def bonded() -> Conf:
    """Two ports as one bond of mode 4."""
    made = small(2)
    bond = Bond("bond0", ("dpdk0", "dpdk1"), {"mode": 4, "primary": "dpdk0", "options": "dedicated_queues=off", "kni_name": "bond0.kni"})
    worker = Worker("cpu1", "slave", 1, (Queues("bond0", (0,), (0,)),))
    return Conf(made.values, made.devices, (bond,), (made.workers[0], worker))


def good(item: Item) -> Value:
    """A value that an item takes, other than its default where there is one."""
    return {
        "switch": item.default is not True,
        "flag": True,
        "word": item.words[-1] if item.words else "",
        "words": "tcp|udp",
        "path": "/var/log/other.log",
        "name": "dpdk0.kni",
        "hex": "0123456789abcdef" * 2,
        "options": "dedicated_queues=off",
        "int": item.low if item.low is not None and item.low != item.default else item.high or 70000,
        "ints": (0,),
    }[item.form]


def everything() -> Conf:
    """Every item there is, each with a value of its own."""
    named = {DEVICE: {}, BOND: {}, WORKER: {}, "": {}}  # type: dict[str, dict[str, Value]]
    for item in items.ITEMS:
        kind = next((block for block in (DEVICE, BOND, WORKER) if item.path.startswith(f"{block}.")), "")
        named[kind][item.path.removeprefix(f"{kind}.") if kind else item.path] = good(item)
    bond = {name: value for name, value in named[BOND].items() if name != "slave"}
    worker = Worker("cpu1", "kni", 1, (Queues("bond0", (0, 1), (0,), (2, 0), 4096),), icmp=True)
    return Conf(named[""], (Device("dpdk0", named[DEVICE]),), (Bond("bond0", ("dpdk0",), bond),), (Worker("cpu0", "master", 0), worker))
