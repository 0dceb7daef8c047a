"""The dpvs.conf that the params ask for: what a site's own file has stays, what the params say about ports and workers goes over it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from dpvsbook.conf.items import DEVICE, ITEM, Value
from dpvsbook.conf.memory import need_mb
from dpvsbook.conf.model import Bond, Conf, Device, Queues, Worker
from dpvsbook.conf.values import take

if TYPE_CHECKING:
    from dpvsbook.params import Director

LEAST_CONNS = 65536
IFNAME = 15
"""The longest name of an interface."""
START: dict[str, Value] = {
    "global_defs.log_level": "WARNING",
    "global_defs.log_file": "/var/log/dpvs.log",
    "ctrl_defs.lcore_msg.sync_msg_timeout_us": 20_000,  # with the default, 2,000, reads fail now and then (transcript 20)
}
"""What a file begins with where a site has none."""


def desired(director: Director, existing: Conf | None = None, *, kni: bool | None = None) -> Conf:
    """The conf of a director. `existing` is the site's; its other settings, and its devices' and workers' own, are kept where they fit.

    `kni`: None leaves it as the site has it.
    """
    start = director.start
    slaves = start.workers if start else 1
    flow, redirect = (start.flow, start.redirect) if start else (True, False)
    names = _ports(director)
    values: dict[str, Value] = dict(existing.values if existing else START)
    _set(values, "", start.settings if start else {})
    values["sa_pool.flow_enable"] = flow
    values["ipvs_defs.conn.redirect"] = redirect
    if kni is not None:
        values["global_defs.kni"] = kni
    workers = _workers(existing, slaves, names)
    named = bool(values.get("global_defs.kni", True))
    devices = tuple(_device(name, existing, director, _queues_of(workers, names), named) for name in _devices(director))
    made = Conf(values, devices, _bonds(director, existing, named), workers)
    return made if existing else _sized(made, start.hugepages_mb if start else None, len(director.lips))


def _sized(conf: Conf, have_mb: int | None, lips: int) -> Conf:
    """Pools for a first file: the packet pool four times what the queues can hold, few connections where memory is short."""
    held = sum(len(q.rx) * 256 + len(q.tx) * 512 for w in conf.workers for q in w.queues) + 256 * len(conf.workers)
    pool = max(65535, (1 << (held * 4).bit_length()) - 1)
    sized = conf if "netif_defs.pktpool_size" in conf.values else conf.with_values(netif_defs__pktpool_size=pool)
    short = have_mb is not None and have_mb < need_mb(sized, lips) and "ipvs_defs.conn.conn_pool_size" not in conf.values
    return sized.with_values(ipvs_defs__conn__conn_pool_size=LEAST_CONNS) if short else sized


def _set(values: dict[str, Value], block: str, settings: Mapping[str, bool | int | str]) -> None:
    """Puts the params' settings over the values of a block ("": all that have no name). A flag that is false is left out."""
    for path, value in settings.items():
        if path.startswith(f"{DEVICE}.") != bool(block):
            continue
        item, name = ITEM[path], path.removeprefix(f"{block}.") if block else path
        taken = value if isinstance(value, bool) else take(item, (str(value),)).value
        if taken is None or (item.form == "flag" and not taken):
            values.pop(name, None)
        else:
            values[name] = taken


def _devices(director: Director) -> tuple[str, ...]:
    """The blocks in the order in which DPDK finds the ports: by PCI address, bonds' members among them."""
    bonds = {bond.name: bond for bond in director.bonds}
    found: list[tuple[str, str]] = []
    for device in director.devices:
        if device.name in bonds:
            found += [(slave.pci or "", slave.name) for slave in bonds[device.name].slaves]
        else:
            found.append((device.pci or "", device.name))
    return tuple(name for _, name in (sorted(found) if all(address for address, _ in found) else found))


def _ports(director: Director) -> tuple[str, ...]:
    """What workers have queues of: bonds rather than their members."""
    return tuple(device.name for device in director.devices)


def _queues_of(workers: tuple[Worker, ...], names: tuple[str, ...]) -> int:
    return sum(len(queues.rx) for worker in workers for queues in worker.queues if queues.port == names[0])


def _device(name: str, existing: Conf | None, director: Director, queues: int, named: bool) -> Device:
    """`named`: its KNI gets a name, without which 1.10 dies of the second one."""
    old = next((d.values for d in existing.devices if d.name == name), None) if existing else None
    values: dict[str, Value] = dict(old) if old is not None else {"rx.rss": "all", "promisc_mode": True}
    _set(values, DEVICE, director.start.settings if director.start else {})
    values |= {"rx.queue_number": queues, "tx.queue_number": queues}
    of = next((d for d in director.devices if d.name == name), None)
    if of is not None:
        if of.mtu != values.get("mtu", 1500):
            values["mtu"] = of.mtu
        if of.kni is not None:
            values["kni_name"] = of.kni
        elif named:
            values.setdefault("kni_name", f"{name}.kni"[:IFNAME])
    return Device(name, values)


def _bonds(director: Director, existing: Conf | None, named: bool) -> tuple[Bond, ...]:
    made = []
    for bond in director.bonds:
        old = next((b.values for b in existing.bonds if b.name == bond.name), {}) if existing else {}
        slaves = tuple(slave.name for slave in bond.slaves)
        old = {"kni_name": f"{bond.name}.kni"[:IFNAME], **old} if named else old
        made.append(Bond(bond.name, slaves, {**old, "mode": bond.mode, "primary": bond.primary or next(iter(slaves), "")}))
    return tuple(made)


def _workers(existing: Conf | None, slaves: int, names: tuple[str, ...]) -> tuple[Worker, ...]:
    """The site's own workers where they are as many and have the same ports, which may hold an operator's layout of queues; else anew."""
    if existing and len(existing.slaves) == slaves and all({q.port for q in w.queues} == set(names) for w in existing.slaves):
        return existing.workers
    new = [Worker(f"cpu{i + 1}", "slave", i + 1, tuple(Queues(name, (i,), (i,)) for name in names)) for i in range(slaves)]
    return (Worker("cpu0", "master", 0), *new)
