"""`dpip -v link show`: what the driver says of itself (transcript 01; the values of net_af_packet)."""

from __future__ import annotations

from dpvsbook.lab.dpvs.devices import Device
from dpvsbook.lab.dpvs.multicast import macs
from dpvsbook.lab.dpvs.process import Dpvs


def verbose(dpvs: Dpvs, device: Device) -> str:
    """The lines behind the three basic ones. 1.9 leaves the bus column of a virtual device blank and knows other sizes."""
    old = dpvs.version.daemon < (1, 10)
    rows: tuple[tuple[tuple[str, object], ...], ...] = (
        (("if_index", device.index + 1), ("min_rx_bufsize", 0), ("max_rx_pktlen", 1514 if old else 1518), ("max_mac_addrs", 1)),
        (("max_rx_queues", 1), ("max_tx_queues", 1), ("max_hash_addrs", 0), ("max_vfs", 0)),
        (("max_vmdq_pools", 0), ("rx_ol_capa", "0x0" if old else "0x4001"), ("tx_ol_capa", "0x8001"), ("reta_size", 0)),
        (("hash_key_size", 0), ("flowtype_rss_ol", "0x0"), ("vmdq_que_base", 0), ("vmdq_que_num", 0)),
        (("rx_desc_max", 65535), ("rx_desc_min", 0), ("rx_desc_align", 1), ("vmdq_pool_base", 0)),
        (("tx_desc_max", 65535), ("tx_desc_min", 0), ("tx_desc_align", 1), ("speed_capa", 0)),
    )
    lines = [f"    {'pci_addr':<32}{'driver_name':<32}\n", f"    {'' if old else device.bus:<32}{device.driver:<32}\n"]
    for row in rows:
        lines.append("    " + "".join(f"{name:<16}" for name, _ in row) + "\n")
        lines.append("    " + "".join(f"{value!s:<16}" for _, value in row) + "\n")
    lines.append(f"    Queue Configuration:\n    {'rx0-tx0':<12}{'cpu1-cpu1':<25}\n    HW mcast list:\n")
    lines += [f"        link {mac} refcnt 1, synced 0\n" for mac in macs(dpvs, device)]
    return "".join(lines)
