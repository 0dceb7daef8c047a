"""Every item of dpvs.conf: where it stands, what it takes, its default, whether a running dpvs takes a new value, since which version.

Defaults and ranges are what DPVS 1.10-2 does, which its own list (reference A1) has otherwise for a few: `rss`, `schedule_interval`,
`lpm6_*`, `defence_*_drop`, udp `last`, `max_entries`. Ranges are inclusive.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

Value = int | bool | str | tuple[int, ...]
Form = Literal["int", "switch", "word", "words", "flag", "ints", "path", "name", "hex", "options"]

MAX_LCORE = 64
"""CONFIG_DPVS_MAX_LCORE as shipped."""
MAX_QUEUES = 16
MAX_SECONDS = 31_535_999
LEVELS = ("EMERG", "ALERT", "CRIT", "ERR", "WARNING", "NOTICE", "INFO", "DEBUG")
RSS = ("all", "ip", "tcp", "udp", "sctp", "ether", "port", "tunnel")

DEVICE, BOND, WORKER, PORT = "netif_defs.device", "netif_defs.bonding", "worker_defs.worker", "worker_defs.worker.port"


@dataclass(frozen=True, slots=True)
class Block:
    """A block: `path` with dots. `named`: a name follows the word (`device dpdk0`), and there may be several."""

    path: str
    about: str
    named: bool = False
    init: bool = False


@dataclass(frozen=True, slots=True)
class Item:
    """One item. `init`: read at start only. `sticky`: a reload of a file that leaves it out does not bring the default back.

    `bad`: what dpvs does with a value that it doesn't take, where that isn't "takes the default". `since`: the first version that has it.
    """

    path: str
    form: Form
    default: Value | None = None
    low: int | None = None
    high: int | None = None
    words: tuple[str, ...] = ()
    init: bool = False
    sticky: bool = False
    any_case: bool = False
    bad: str = ""
    since: str = ""

    @property
    def name(self) -> str:
        return self.path.rpartition(".")[2]

    @property
    def block(self) -> str:
        return self.path.rpartition(".")[0]

    @property
    def takes(self) -> str:
        """What may stand behind it, for a person."""
        if self.form in ("int", "ints"):
            span = f"{self.low} or more" if self.high is None else f"{self.low} to {self.high}"
            return f"whole numbers, {span}, with spaces between" if self.form == "ints" else f"a whole number, {span}"
        if self.form == "words":
            return f"one or more of {', '.join(self.words)}, joined by |"
        return {
            "switch": "on or off",
            "word": f"one of {', '.join(self.words)}",
            "flag": "nothing: its presence turns it on",
            "path": "an absolute path without spaces",
            "name": "an interface name of at most 15 characters",
            "hex": "32 hexadecimal digits",
            "options": "dedicated_queues=on or dedicated_queues=off",
        }[self.form]


def _int(path: str, default: int | None, low: int, high: int | None = None, *, init: bool = False, bad: str = "", since: str = "") -> Item:
    return Item(path, "int", default, low, high, init=init, bad=bad, since=since)


def _switch(path: str, default: bool, *, init: bool = False, sticky: bool = False, bad: str = "", since: str = "") -> Item:
    return Item(path, "switch", default, init=init, sticky=sticky, any_case=True, bad=bad, since=since)


def _flag(path: str, default: bool = False, *, init: bool = False, sticky: bool = False, since: str = "") -> Item:
    return Item(path, "flag", default, init=init, sticky=sticky, since=since)


def _timeouts(block: str, bad: str = "", **defaults: int) -> tuple[Item, ...]:
    since = {"oneway": "1.9.6"}
    return tuple(_int(f"{block}.{name}", value, 1, MAX_SECONDS, bad=bad, since=since.get(name, "")) for name, value in defaults.items())


BLOCKS: tuple[Block, ...] = (
    Block("global_defs", "logging, and what is switched on or off as a whole"),
    Block("netif_defs", "packet memory, and the ports: the first device is DPDK's first port"),
    Block(DEVICE, "a port", named=True, init=True),
    Block(f"{DEVICE}.rx", "receiving", init=True),
    Block(f"{DEVICE}.tx", "sending", init=True),
    Block(BOND, "several ports as one", named=True, init=True),
    Block("worker_defs", "one master, and slaves that each have queues of every port; cpu_id is the EAL's lcore"),
    Block(WORKER, "an lcore", named=True, init=True),
    Block(PORT, "its queues of a port", named=True, init=True),
    Block("timer_defs", "the timer wheel"),
    Block("neigh_defs", "ARP and neighbour discovery"),
    Block("ipset_defs", "sets of addresses"),
    Block("ipv4_defs", "IPv4"),
    Block("ipv4_defs.fragment", "reassembly", init=True),
    Block("ipv6_defs", "IPv6"),
    Block("ipv6_defs.route6", "its routes"),
    Block("ipv6_defs.route6.lpm", "sizes for method lpm", init=True),
    Block("ctrl_defs", "how the master talks to the workers"),
    Block("ctrl_defs.lcore_msg", "messages between lcores", init=True),
    Block("ipvs_defs", "the load balancer"),
    Block("ipvs_defs.conn", "connections"),
    Block("ipvs_defs.udp", "UDP"),
    Block("ipvs_defs.udp.timeout", "seconds"),
    Block("ipvs_defs.tcp", "TCP"),
    Block("ipvs_defs.tcp.timeout", "seconds"),
    Block("ipvs_defs.tcp.synproxy", "answering SYNs for the real servers"),
    Block("ipvs_defs.tcp.synproxy.synack_options", "what its SYN-ACKs carry"),
    Block("ipvs_defs.tcp.synproxy.conn_reuse_state", "states in which a client's port may be used again"),
    Block("sa_pool", "local addresses and ports"),
)

_LPM, _SYN, _FRAG = "ipv6_defs.route6.lpm", "ipvs_defs.tcp.synproxy", "ipv4_defs.fragment"
_ZERO = "takes 0 in its place"
_KEEPS = "leaves it as it was"

ITEMS: tuple[Item, ...] = (
    Item("global_defs.log_level", "word", "DEBUG", words=LEVELS, sticky=True, bad=_KEEPS),
    Item("global_defs.log_file", "path", None, sticky=True, bad="looks for it beside dpvs.conf"),
    _switch("global_defs.log_with_timestamp", False, sticky=True, bad=_KEEPS, since="1.9.2"),
    _switch("global_defs.log_async_mode", False, init=True, bad=_KEEPS),
    _int("global_defs.log_async_pool_size", 16383, 1023, init=True, since="1.9.2"),
    _switch("global_defs.pdump", False, init=True, bad=_KEEPS),
    _switch("global_defs.kni", True, init=True, bad=_KEEPS, since="1.9.4"),
    _switch("global_defs.lldp", False, sticky=True, bad=_KEEPS, since="1.9.8"),
    _int("netif_defs.pktpool_size", 65535, 1023, 134_217_727, init=True),
    _int("netif_defs.pktpool_cache", 256, 32, 8192, init=True),
    Item("netif_defs.fdir_mode", "word", "perfect", words=("perfect", "signature"), init=True, any_case=True),
    _int(f"{DEVICE}.rx.queue_number", 16, 0, MAX_QUEUES, init=True),
    _int(f"{DEVICE}.rx.descriptor_number", 256, 16, 8192, init=True),
    Item(f"{DEVICE}.rx.rss", "words", "tcp", words=RSS, init=True),
    _int(f"{DEVICE}.tx.queue_number", 16, 0, MAX_QUEUES, init=True),
    _int(f"{DEVICE}.tx.descriptor_number", 512, 16, 8192, init=True),
    _switch(f"{DEVICE}.tx.mbuf_fast_free", True, init=True, since="1.9.10"),
    _int(f"{DEVICE}.mtu", 1500, 1, 9000, init=True),
    _flag(f"{DEVICE}.promisc_mode", init=True),
    _flag(f"{DEVICE}.allmulticast", init=True, since="1.9.6"),
    Item(f"{DEVICE}.kni_name", "name", None, init=True, bad="cuts it, or fails to make the KNI device"),
    _int(f"{BOND}.mode", 0, 0, 6, init=True),
    Item(f"{BOND}.slave", "name", None, init=True, bad="skips it"),
    Item(f"{BOND}.primary", "name", None, init=True, bad="skips it"),
    _int(f"{BOND}.numa_node", 0, 0, 7, init=True, bad="takes mode 0 instead of node 0"),
    Item(f"{BOND}.kni_name", "name", None, init=True, bad="cuts it, or fails to make the KNI device"),
    Item(f"{BOND}.options", "options", None, init=True, bad="skips it"),
    Item(f"{WORKER}.type", "word", None, words=("master", "slave", "kni"), init=True, bad="takes slave in its place"),
    _int(f"{WORKER}.cpu_id", None, 0, MAX_LCORE - 1, init=True, bad=_ZERO),
    _flag(f"{WORKER}.icmp_redirect_core", init=True),
    Item(f"{PORT}.rx_queue_ids", "ints", None, 0, MAX_QUEUES - 1, init=True, bad=_ZERO),
    Item(f"{PORT}.tx_queue_ids", "ints", None, 0, MAX_QUEUES - 1, init=True, bad=_ZERO),
    Item(f"{PORT}.isol_rx_cpu_ids", "ints", None, 0, MAX_LCORE - 1, init=True, bad="does not isolate that queue"),
    _int(f"{PORT}.isol_rxq_ring_sz", 1_048_576, 1024, 2_147_483_648, init=True),
    _int("timer_defs.schedule_interval", 10, 1, 10_000_000),
    _int("neigh_defs.unres_queue_length", 128, 16, 8192, init=True),
    _int("neigh_defs.timeout", 60, 1, 3600),
    _int("ipset_defs.ipset_hash_pool_size", 262_143, 65536, 524_288, init=True, since="1.9.2"),
    _switch("ipv4_defs.forwarding", False, sticky=True, bad=_KEEPS),
    _int("ipv4_defs.default_ttl", 64, 0, 255, init=True),
    _int(f"{_FRAG}.bucket_number", 4096, 32, 65536, init=True),
    _int(f"{_FRAG}.bucket_entries", 16, 1, 256, init=True),
    _int(
        f"{_FRAG}.max_entries",
        4096,
        32,
        65536,
        init=True,
        bad="takes half of bucket_number x bucket_entries where it is above their product",
    ),
    _int(f"{_FRAG}.ttl", 1, 1, 255, init=True),
    _switch("ipv6_defs.disable", False, bad=_KEEPS),
    _switch("ipv6_defs.forwarding", False, bad=_KEEPS),
    Item(
        "ipv6_defs.addr_gen_mode",
        "word",
        "eui64",
        words=("eui64", "none", "stable-privacy", "random"),
        any_case=True,
        bad=_KEEPS,
        since="1.9.8",
    ),
    Item("ipv6_defs.stable_secret", "hex", None, bad="goes on without one", since="1.9.8"),
    Item("ipv6_defs.route6.method", "word", "hlist", words=("hlist", "lpm"), init=True),
    _int("ipv6_defs.route6.recycle_time", 10, 1, 36000),
    _int(f"{_LPM}.lpm6_max_rules", 256, 16, 65536, init=True),
    _int(f"{_LPM}.lpm6_num_tbl8s", 4096, 256, 1_048_576, init=True),
    _int(f"{_LPM}.rt6_hash_bucket", 256, 16, 65536, init=True),
    _int("ctrl_defs.lcore_msg.ring_size", 4096, 256, 524_288, init=True),
    _int("ctrl_defs.lcore_msg.sync_msg_timeout_us", 2000, 1),
    Item("ctrl_defs.lcore_msg.priority_level", "word", "low", words=("low", "norm", "high", "ign"), any_case=True),
    _int("ipvs_defs.conn.conn_pool_size", 2_097_151, 65536, init=True),
    _int("ipvs_defs.conn.conn_pool_cache", 256, 1, init=True),
    _int("ipvs_defs.conn.conn_init_timeout", 3, 1, MAX_SECONDS),
    _flag("ipvs_defs.conn.expire_quiescent_template"),
    _flag("ipvs_defs.conn.fast_xmit_close", init=True),
    _flag("ipvs_defs.conn.xmit_ttl", sticky=True),
    _switch("ipvs_defs.conn.redirect", False, init=True, bad=_KEEPS),
    _flag("ipvs_defs.udp.defence_udp_drop"),
    Item("ipvs_defs.udp.uoa_mode", "word", "opp", words=("opp", "ipo"), bad=_KEEPS),
    _int("ipvs_defs.udp.uoa_max_trail", 3, 0, bad=_KEEPS),
    *_timeouts("ipvs_defs.udp.timeout", oneway=300, normal=300, last=2),
    _flag("ipvs_defs.tcp.defence_tcp_drop"),
    *_timeouts(
        "ipvs_defs.tcp.timeout",
        none=2,
        established=90,
        syn_sent=3,
        syn_recv=30,
        fin_wait=7,
        time_wait=7,
        close=3,
        close_wait=7,
        last_ack=7,
        listen=120,
        synack=30,
        last=2,
    ),
    _int(f"{_SYN}.synack_options.mss", 1452, 1, 65535),
    _int(f"{_SYN}.synack_options.ttl", 63, 1, 255),
    _flag(f"{_SYN}.synack_options.sack", True),
    _int(f"{_SYN}.synack_options.wscale", 0, 0, 14, bad="sets mss to 0", since="1.9.6"),
    _flag(f"{_SYN}.synack_options.timestamp"),
    _flag(f"{_SYN}.close_client_window"),
    _flag(f"{_SYN}.defer_rs_syn"),
    _int(f"{_SYN}.rs_syn_max_retry", 3, 1, 99),
    _int(f"{_SYN}.ack_storm_thresh", 10, 1, 999),
    _int(f"{_SYN}.max_ack_saved", 3, 1, 63),
    _flag(f"{_SYN}.conn_reuse_state.close", True),
    _flag(f"{_SYN}.conn_reuse_state.time_wait", True),
    _flag(f"{_SYN}.conn_reuse_state.fin_wait"),
    _flag(f"{_SYN}.conn_reuse_state.close_wait"),
    _flag(f"{_SYN}.conn_reuse_state.last_ack"),
    _int("sa_pool.pool_hash_size", 16, 1, 128, init=True),
    _switch("sa_pool.flow_enable", True, init=True, bad=_KEEPS),
)

ITEM: Mapping[str, Item] = {item.path: item for item in ITEMS}
BLOCK: Mapping[str, Block] = {block.path: block for block in BLOCKS}


def parent(path: str) -> str:
    """The block around a block or an item; "" for the file itself."""
    return path.rpartition(".")[0]


def keys_in(block: str) -> tuple[str, ...]:
    """The words that may stand in a block ("" is the file itself)."""
    paths = [*(b.path for b in BLOCKS), *(i.path for i in ITEMS)]
    return tuple(path.rpartition(".")[2] for path in paths if parent(path) == block)


def version(text: str) -> tuple[int, ...]:
    """ "1.10-2" -> (1, 10, 2), to compare by."""
    return tuple(int(part) for part in re.findall(r"\d+", text))
