"""The two long forms of `dpip link show`: `-v`, what the driver says of itself, and `BOND status`.

    pci_addr                        driver_name
    vdev                            net_af_packet
    if_index        min_rx_bufsize  max_rx_pktlen   max_mac_addrs
    2               0               1518            1
    …

    Detail(pci_addr="vdev", driver="net_af_packet", limits={"if_index": 2, "max_rx_pktlen": 1518, …}, queues={"rx0-tx0": ("cpu1-cpu1",)},
           multicast=(Multicast("33:33:ff:3a:be:3a", refcnt=1, synced=0), …))

1.9 leaves pci_addr blank for a vdev, and both versions leave both blank for a VLAN or a tunnel. 1.9 writes `0000:06:00:0`, with a colon
before the function; 1.10 only prints the bus, `pci` or `vdev`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from dpvsbook.facts.lines import Lines

_DRIVER = re.compile(r"    pci_addr {24}driver_name {21}")
_PCI_WIDTH = slice(4, 36)  # cut by column: white space alone can't tell a blank pci_addr
_DRIVER_ROW = re.compile(r"    [ -~]{64,}")
_ROWS = (
    ("if_index", "min_rx_bufsize", "max_rx_pktlen", "max_mac_addrs"),
    ("max_rx_queues", "max_tx_queues", "max_hash_addrs", "max_vfs"),
    ("max_vmdq_pools", "rx_ol_capa", "tx_ol_capa", "reta_size"),
    ("hash_key_size", "flowtype_rss_ol", "vmdq_que_base", "vmdq_que_num"),
    ("rx_desc_max", "rx_desc_min", "rx_desc_align", "vmdq_pool_base"),
    ("tx_desc_max", "tx_desc_min", "tx_desc_align", "speed_capa"),
)
_HEADERS = tuple(re.compile("    " + "".join(f"{name:<16}" for name in row)) for row in _ROWS)
# A hexadecimal of 15 or 16 digits fills its column, and the next number follows without a space.
_VALUES = re.compile(r"    (\d+) +(?:0x([0-9A-F]{1,16}) *|(\d+) +)(?:0x([0-9A-F]{1,16}) *|(\d+) +)(\d+) *", re.A)
_QUEUES = re.compile(r"    Queue Configuration:")
_QUEUE = re.compile(r"    (rx\d+-tx\d+) +((?:(?:cpu\d+|xx|--)-(?:cpu\d+|xx|--) +)+)", re.A)
_MULTICAST = re.compile(r"    HW mcast list:")
_GROUP = re.compile(r" {8}link ([0-9a-f:]{17}) refcnt (\d+), synced (\d+)", re.A)
_CUT = re.compile(r"     \.\.\. \(truncated\)")

_BOND = re.compile(r"    --- bonding status ---")
_BOND_MODE = re.compile(r"    mode (\d+) mac_addr ([0-9A-Fa-f:]{17}) xmit_policy ([ -~]*) link_monitor (\d+)ms", re.A)
_BOND_DELAYS = re.compile(r"    ative/slaves (\d+)/(\d+) link_down_prop_delay (\d+)ms link_up_prop_delay (\d+)ms", re.A)
_BOND_SLAVES = re.compile(r"    slaves: ((?:[!-~]+\([0-9A-Fa-f:]{17}, (?:in)?active(?:, primary)?\) )*)", re.A)
_BOND_SLAVE = re.compile(r"([!-~]+)\(([0-9A-Fa-f:]{17}), ((?:in)?active)(, primary)?\) ", re.A)


@dataclass(frozen=True, slots=True)
class Multicast:
    """A multicast MAC address that a device listens to."""

    mac: str
    refcnt: int
    synced: int


@dataclass(frozen=True, slots=True)
class Detail:
    """What `-v` adds. `limits` has the driver's numbers by their printed names; `queues` says which CPUs read and write each queue."""

    pci_addr: str
    driver: str
    limits: Mapping[str, int]
    queues: Mapping[str, tuple[str, ...]]
    multicast: tuple[Multicast, ...]


@dataclass(frozen=True, slots=True)
class BondSlave:
    """A device in a bond."""

    name: str
    mac: str
    active: bool
    primary: bool


@dataclass(frozen=True, slots=True)
class Bond:
    """What `status` adds for a bond. Delays in ms."""

    mode: int
    mac: str
    xmit_policy: str
    link_monitor: int
    active: int
    link_down_delay: int
    link_up_delay: int
    slaves: tuple[BondSlave, ...]


def detail(lines: Lines) -> Detail | None:
    """The `-v` part at the cursor, or None where there is none. Raises ParseError."""
    if lines.take(_DRIVER) is None:
        return None
    row = lines.need(_DRIVER_ROW)[0]
    limits: dict[str, int] = {}
    for names, header in zip(_ROWS, _HEADERS, strict=True):
        lines.need(header)
        a, b_hex, b, c_hex, c, d = lines.need(_VALUES).groups()
        values = (int(a), int(b_hex, 16) if b_hex else int(b), int(c_hex, 16) if c_hex else int(c), int(d))
        limits.update(zip(names, values, strict=True))
    queues: dict[str, tuple[str, ...]] = {}
    if lines.take(_QUEUES):
        while match := lines.take(_QUEUE):
            queues[match[1]] = tuple(match[2].split())
        lines.take(_CUT)
    groups: list[Multicast] = []
    if lines.take(_MULTICAST):
        while match := lines.take(_GROUP):
            groups.append(Multicast(match[1], int(match[2]), int(match[3])))
        lines.take(_CUT)
    return Detail(row[_PCI_WIDTH].strip(), row[_PCI_WIDTH.stop :].strip(), limits, queues, tuple(groups))


def bond(lines: Lines) -> Bond | None:
    """The bond's status at the cursor, or None where there is none. Raises ParseError."""
    if lines.take(_BOND) is None:
        return None
    mode, delays, slaves = lines.need(_BOND_MODE), lines.need(_BOND_DELAYS), lines.need(_BOND_SLAVES)
    return Bond(
        mode=int(mode[1]),
        mac=mode[2].lower(),
        xmit_policy=mode[3],
        link_monitor=int(mode[4]),
        active=int(delays[1]),
        link_down_delay=int(delays[3]),
        link_up_delay=int(delays[4]),
        slaves=tuple(BondSlave(m[1], m[2].lower(), m[3] == "active", bool(m[4])) for m in _BOND_SLAVE.finditer(slaves[1])),
    )
