"""What dpvs's log tells at a start of the values that only a start takes (log_level INFO): reading it, and writing it as dpvs does.

    CFG_FILE: load dpvs configuation file at 2026/11/23 01:56:03 Monday
    NETIF: pktpool_size = 65535 (round to 2^n-1)         {"netif_defs.pktpool_size": "65535"}
    NETIF: dpdk0:rx_queue_number = 1                     {"device dpdk0 rx.queue_number": "1"}
    NETIF: cpu1:cpu_id = 1                               {"worker cpu1 cpu_id": "1"}

Seen with 1.10-2; a value that the file leaves out is not there. The log at WARNING has none of it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from dpvsbook.conf.items import DEVICE, ITEM, WORKER
from dpvsbook.conf.model import Conf
from dpvsbook.conf.values import show

LOAD = "CFG_FILE: load dpvs configuation file at"
RELOAD = "CFG_FILE: Got signal SIGHUP"
SINGLE: Mapping[str, tuple[str, str]] = {
    "global_defs.kni": ("CFG_FILE", "kni"),
    "netif_defs.pktpool_size": ("NETIF", "pktpool_size"),
    "netif_defs.pktpool_cache": ("NETIF", "pktpool_cache_size"),
    "neigh_defs.unres_queue_length": ("NEIGHBOUR", "arp_unres_qlen"),
    "ipv4_defs.default_ttl": ("IPV4", "inet_def_ttl"),
    "ipv4_defs.fragment.bucket_number": ("IP4FRAG", "ip4_frag_buckets"),
    "ipv4_defs.fragment.bucket_entries": ("IP4FRAG", "ip4_frag_bucket_entries"),
    "ipv4_defs.fragment.max_entries": ("IP4FRAG", "ip4_frag_max_entries"),
    "ipv4_defs.fragment.ttl": ("IP4FRAG", "ip4_frag_ttl"),
    "ctrl_defs.lcore_msg.ring_size": ("MSGMGR", "msg_ring_size"),
    "ipvs_defs.conn.conn_pool_size": ("IPVS", "conn_pool_size"),
    "ipvs_defs.conn.conn_pool_cache": ("IPVS", "conn_pool_cache"),
    "ipvs_defs.conn.redirect": ("IPVS", "conn:redirect"),
}
OF_DEVICE = {
    "rx.queue_number": "rx_queue_number",
    "rx.descriptor_number": "nb_rx_desc",
    "tx.queue_number": "tx_queue_number",
    "tx.descriptor_number": "nb_tx_desc",
    "tx.mbuf_fast_free": "tx_mbuf_fast_free",
    "mtu": "mtu",
    "kni_name": "kni_name",
}
ROUNDED = {
    "netif_defs.pktpool_size": "2^n-1",
    "netif_defs.pktpool_cache": "2^n",
    "ipv4_defs.fragment.bucket_entries": "2^n",
    "ctrl_defs.lcore_msg.ring_size": "2^n",
    "ipvs_defs.conn.conn_pool_size": "2^n-1",
    "ipvs_defs.conn.conn_pool_cache": "2^n",
    "rx.descriptor_number": "2^n",
    "tx.descriptor_number": "2^n",
}
"""Numbers that dpvs rounds: the log has what came of it."""
_PATHS = {words: path for path, words in SINGLE.items()}
_LINE = re.compile(r"^([A-Z0-9_]+): (?:(\S+?):)?([\w]+) ?= ?(\S+)")


def of_conf(conf: Conf) -> Iterator[tuple[str, str]]:
    """(what, value) of a file, in the words of `of_log`: only what it names."""
    for path in SINGLE:
        if path in conf.values:
            yield path, show(ITEM[path], conf.values[path])
    for device in conf.devices:
        for name in OF_DEVICE:
            if name in device.values:
                yield f"device {device.name} {name}", show(ITEM[f"{DEVICE}.{name}"], device.values[name])
    for worker in conf.workers:
        for name, value in (("type", worker.type), ("cpu_id", worker.cpu_id)):
            if value is not None:
                yield f"worker {worker.name} {name}", show(ITEM[f"{WORKER}.{name}"], value)


def of_log(text: str) -> dict[str, str]:
    """The values of the last start that is whole in the log: {what: value}. Empty where there is none."""
    found: dict[str, str] = {}
    device = {logged: name for name, logged in OF_DEVICE.items()}
    reload, inside = False, False
    for line in text.splitlines():
        if line.startswith(RELOAD):
            reload = True
        elif line.startswith(LOAD):
            inside, reload = not reload, False
            if inside:
                found = {}
        elif inside and (match := _LINE.match(line)):
            unit, owner, name, value = match.groups()
            path = _PATHS.get((unit, f"{owner}:{name}" if owner else name))
            if path:
                found.setdefault(path, value)
            elif unit == "NETIF" and owner and name in device:
                found.setdefault(f"device {owner} {device[name]}", value)
            elif unit == "NETIF" and owner and name in ("type", "cpu_id"):
                found.setdefault(f"worker {owner} {name}", value)
    return found


def differ(what: str, one: str, other: str) -> bool:
    """Whether two values of an item are really two: dpvs rounds some numbers."""
    if one.isdigit() and other.isdigit():
        a, b = int(one), int(other)
        if what in ROUNDED or what.rpartition(" ")[2] in ROUNDED:
            return not (b / 2 < a < b * 2)
        return a != b
    return one.lower() != other.lower()


def log_of(conf: Conf) -> Iterator[str]:
    """The lines that a start prints of a file."""
    known = dict(of_conf(conf))
    for path, (unit, name) in SINGLE.items():
        if path in known and not path.startswith(("neigh", "ipv", "ctrl", "ipvs")):
            yield _line(unit, name, path, known[path])
    for device in conf.devices:
        yield f"NETIF: netif device config: {device.name}"
        for name, logged in OF_DEVICE.items():
            if (value := known.get(f"device {device.name} {name}")) is not None:
                yield _line("NETIF", f"{device.name}:{logged}", name, value)
    for worker in conf.workers:
        yield f"NETIF: netif worker config: {worker.name}"
        for name in ("type", "cpu_id"):
            if (value := known.get(f"worker {worker.name} {name}")) is not None:
                yield f"NETIF: {worker.name}:{name} = {value}"
    for path, (unit, name) in SINGLE.items():
        if path in known and path.startswith(("neigh", "ipv", "ctrl", "ipvs")):
            yield _line(unit, name, path, known[path])


def _line(unit: str, name: str, item: str, value: str) -> str:
    return f"{unit}: {name} = {value}{f' (round to {ROUNDED[item]})' if item in ROUNDED else ''}"
