"""The rules about memory and the host: reference A1, 9, and what of F03, F04, F08, F12 and F70 a file and a look at the host can decide."""

from __future__ import annotations

import math
from collections.abc import Iterator

from dpvsbook.conf.finding import Finding
from dpvsbook.conf.items import DEVICE
from dpvsbook.conf.lines import EXITS, Lines, Rule
from dpvsbook.conf.machine import Machine
from dpvsbook.conf.model import Conf

MBUF_KB = 2.4
"""Of an mbuf with its room (reference A0)."""
BASE_MB = 706
"""What dpvs took in all with a pktpool of 65,535, a conn pool of 65,536 and one worker: 353 pages of 2 MB (observed.md)."""
LIP_MB = 42
SMALL = 65535
CONN_KB = 0.7
"""Of a place in the conn pool: the 576 bytes that dp_vs_conn_init asks for, the pool's own header, and what spreads them over the memory's
channels. The default, 2,097,151 of them, takes 1.4 GB."""
NAMED = 2
"""Ports with a KNI from which on the lack of a name is the end: the second has the first one's."""


def descriptors(conf: Conf, host: Machine, lines: Lines) -> Iterator[Finding]:  # noqa: ARG001 - as every rule
    """9: what the queues and the lcores' caches hold must be far below the packet pool."""
    pool, cache = _number(conf.get("netif_defs.pktpool_size")), _number(conf.get("netif_defs.pktpool_cache"))
    held = cache * max(1, len(conf.workers))
    for device in conf.devices:
        port = next((bond.name for bond in conf.bonds if device.name in bond.slaves), device.name)
        mine = [queues for worker in conf.workers for queues in worker.queues if queues.port == port]
        held += sum(len(queues.rx) for queues in mine) * _number(conf.device(device.name, "rx.descriptor_number"))
        held += sum(len(queues.tx) for queues in mine) * _number(conf.device(device.name, "tx.descriptor_number"))
    if held * 2 > pool:
        full = held >= pool
        yield Finding(
            lines.at("netif_defs.pktpool_size"),
            "descriptors",
            f"queues and caches hold up to {held} packets of the {pool} in the pool",
            f"{EXITS}, or gets no packets" if full else "starts, and drops packets under load",
            f"Make pktpool_size {(1 << math.ceil(math.log2(held * 4))) - 1} or more, or descriptor_number less.",
            "error" if full else "warning",
        )


def pages(conf: Conf, host: Machine, lines: Lines) -> Iterator[Finding]:
    """Huge pages for the pools, which are made on each NUMA node (F03, F12)."""
    if not host.free_mb:
        return
    need = need_mb(conf, host.lips)
    for node, free in sorted(host.free_mb.items()):
        if free < need:
            yield Finding(
                lines.at("netif_defs.pktpool_size"),
                "pages",
                f"NUMA node {node} has {free} MB of free huge pages, and dpvs needs about {need} MB there",
                f"{EXITS}: Cannot init mbuf pool on socket {node}; with a little more, LIPs fail silently",
                "Reserve more huge pages, or make pktpool_size and conn_pool_size less.",
            )


def need_mb(conf: Conf, lips: int = 0) -> int:
    """About what dpvs takes of each NUMA node: measured for the least pools, and what a larger packet or conn pool and LIPs add."""
    packets, conns = _number(conf.get("netif_defs.pktpool_size")), _number(conf.get("ipvs_defs.conn.conn_pool_size"))
    more = max(0, packets - SMALL) * MBUF_KB + max(0, conns - SMALL - 1) * CONN_KB
    return math.ceil(BASE_MB + more / 1024 + lips * LIP_MB)


def nodes(conf: Conf, host: Machine, lines: Lines) -> Iterator[Finding]:
    """NUMA nodes beyond what dpvs was built for (F04), and arms on two of them (F70)."""
    if host.nodes is not None and host.nodes > host.sockets:
        yield Finding(
            0,
            "nodes",
            f"the host has {host.nodes} NUMA nodes, and dpvs is built for {host.sockets}",
            f"{EXITS}: DPVS_MAX_SOCKET is smaller than system numa nodes!",
            "Set CONFIG_DPVS_MAX_SOCKET in config.mk, and build again.",
        )
    if len({port.node for port in host.ports or () if port.node is not None}) > 1:
        for device in conf.devices:
            if conf.device(device.name, "tx.mbuf_fast_free"):
                yield Finding(
                    lines.at(DEVICE, device.name, "tx.mbuf_fast_free"),
                    "nodes",
                    f"{device.name} has mbuf_fast_free on, and the ports are on different NUMA nodes",
                    "starts, and loses packets or crashes",
                    "Write mbuf_fast_free off for every device.",
                )


def kni(conf: Conf, host: Machine, lines: Lines) -> Iterator[Finding]:
    """KNI of 1.10 is a virtio-user port, over /dev/vhost-net (F08)."""
    if conf.get("global_defs.kni") and host.vhost_net is False:
        yield Finding(
            lines.at("global_defs.kni"),
            "kni",
            "kni is on, and the host has no /dev/vhost-net",
            f"{EXITS}: add KNI port fail, exiting",
            "modprobe vhost-net tun, or write <init> kni off.",
        )
    if conf.get("global_defs.kni") and host.version == "1.10":
        slaves = {slave for bond in conf.bonds for slave in bond.slaves}
        nameless = [d.name for d in conf.devices if d.name not in slaves and not d.values.get("kni_name")]
        nameless += [bond.name for bond in conf.bonds if not bond.values.get("kni_name")]
        if nameless:
            ends = len(nameless) >= NAMED
            yield Finding(
                lines.at(DEVICE, nameless[0]),
                "kni",
                f"kni is on, and {', '.join(nameless)} {'have' if ends else 'has'} no kni_name",
                f"{EXITS}: failed to create kni rx ring, Segmentation fault" if ends else "starts, and the kernel calls the device tap0",
                f"Write kni_name {nameless[0]}.kni: 1.10 gives none of its own, as 1.9 did.",
                "error" if ends else "warning",
            )


def fragments(conf: Conf, host: Machine, lines: Lines) -> Iterator[Finding]:  # noqa: ARG001 - as every rule
    """The fragments' table has bucket_number x bucket_entries places."""
    fragment = "ipv4_defs.fragment"
    room = _number(conf.get(f"{fragment}.bucket_number")) * _number(conf.get(f"{fragment}.bucket_entries"))
    if _number(conf.get(f"{fragment}.max_entries")) > room:
        yield Finding(
            lines.at(f"{fragment}.max_entries"),
            "fragments",
            f"max_entries is above bucket_number x bucket_entries, {room}",
            f"takes {room // 2}",
            f"Make it {room} or less.",
            "warning",
        )


RULES: tuple[Rule, ...] = (descriptors, pages, nodes, kni, fragments)


def _number(value: object) -> int:
    return value if isinstance(value, int) else 0
