"""The lab's dpvs.conf: small pools, one worker, everything that DPVS needs named."""

from __future__ import annotations

from dataclasses import dataclass

PKTPOOL = 65535  # mbufs per NUMA node, 2^n - 1: about 140 MB
CONNPOOL = 65536  # the least that DPVS takes
TIMEOUT_US = 2_000_000  # master and worker may wait for a CPU: with less, reads fail now and then with `msg callback failed(-23)`


@dataclass(frozen=True, slots=True)
class Port:
    """One DPDK port of a director, in probing order."""

    name: str
    kni: str
    mtu: int = 1500


def dpvs_conf(ports: tuple[Port, ...], *, log_file: str, kni: bool = False) -> str:
    """The text of dpvs.conf for a master (lcore 0) and one worker (lcore 1) that has every port.

    `kni`: real KNI; off, the kernel side of DPVS's veth plays the KNI device. One worker needs no flow director.
    """
    queues = [_block(f"port {port.name}", "rx_queue_ids 0", "tx_queue_ids 0") for port in ports]
    tcp = (
        "none 2",
        "established 90",
        "syn_sent 3",
        "syn_recv 30",
        "fin_wait 7",
        "time_wait 7",
        "close 3",
        "close_wait 7",
        "last_ack 7",
        "listen 120",
        "synack 30",
        "last 2",
    )
    synproxy = _block(
        "synproxy",
        _block("synack_options", "mss 1452", "ttl 63", "sack"),
        "rs_syn_max_retry 3",
        "ack_storm_thresh 10",
        "max_ack_saved 3",
        _block("conn_reuse_state", "close", "time_wait"),
    )
    return "\n".join(
        (
            "! made by dpvsbook's lab: a change here lasts until the lab goes down",
            _block("global_defs", "log_level INFO", f"log_file {log_file}", f"<init> kni {'on' if kni else 'off'}"),
            _block("netif_defs", f"<init> pktpool_size {PKTPOOL}", "<init> pktpool_cache 256", *(_device(port) for port in ports)),
            _block(
                "worker_defs",
                _block("<init> worker cpu0", "type master", "cpu_id 0"),
                _block("<init> worker cpu1", "type slave", "cpu_id 1", *queues),
            ),
            _block("timer_defs", "schedule_interval 500"),
            _block("neigh_defs", "<init> unres_queue_length 128", "timeout 60"),
            _block(
                "ipv4_defs", "forwarding off", _block("fragment", "<init> bucket_number 4096", "<init> max_entries 4096", "<init> ttl 1")
            ),
            _block("ipv6_defs", "disable off", "forwarding off"),
            _block("ctrl_defs", _block("lcore_msg", "<init> ring_size 4096", f"sync_msg_timeout_us {TIMEOUT_US}", "priority_level low")),
            _block(
                "ipvs_defs",
                _block("conn", f"<init> conn_pool_size {CONNPOOL}", "<init> conn_pool_cache 256", "conn_init_timeout 3"),
                _block("udp", "uoa_mode opp", "uoa_max_trail 3", _block("timeout", "normal 300", "last 3")),
                _block("tcp", _block("timeout", *tcp), synproxy),
            ),
            _block("sa_pool", "<init> pool_hash_size 16", "<init> flow_enable off"),
            "",
        )
    )


def _device(port: Port) -> str:
    receive = _block("rx", "queue_number 1", "descriptor_number 256")
    transmit = _block("tx", "queue_number 1", "descriptor_number 512", "mbuf_fast_free off")
    return _block(f"<init> device {port.name}", receive, transmit, f"mtu {port.mtu}", "promisc_mode", f"kni_name {port.kni}")


def _block(title: str, *lines: str) -> str:
    body = "\n".join(lines).splitlines()
    return "\n".join((f"{title} {{", *(f"    {line}" for line in body), "}"))
