"""Faults, and which check must see them: what makes the check decidable, what breaks the host, and words of the evidence."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from dpvsbook.conf.write import write
from tests.conf.made import small

PCI = "/sys/bus/pci/devices/0000:06:00"
LOG = "/var/log/dpvs.log"
GOOD_KEEPALIVED = "Keepalived v2.0.19 (06/23,2025)\n\nSystem options:  PIPE2 SIGNALFD LIBNL3 RTA_ENCAP"
NIC = (
    "mkdir -p /sys/class/net/eth2",
    f"ln -s {PCI}.0 /sys/class/net/eth2/device",
    "echo 3c:fd:fe:00:00:01 >/sys/class/net/eth2/address; echo up >/sys/class/net/eth2/operstate",
    "echo 1 >/sys/class/net/eth2/carrier",
    "mkdir -p /sys/class/net/eth3",
    f"ln -s {PCI}.1 /sys/class/net/eth3/device",
    "echo 3c:fd:fe:00:00:02 >/sys/class/net/eth3/address; echo up >/sys/class/net/eth3/operstate",
    "echo 1 >/sys/class/net/eth3/carrier",
)
"""The ports as the kernel has them, before they are bound."""


def script(path: str, text: str) -> str:
    """A program in the place of one: what it prints is all it does."""
    return f"rm -f {path}; cat >{path} <<'END'\n#!/bin/sh\n{text}\nEND\nchmod 755 {path}"


def pkg_config(version: str = "1.8.1", libdpdk: str = "24.11.2", libs: str = "-lrte_net_mlx5 -lrte_net_virtio") -> str:
    """A pkg-config that says these."""
    text = f"case \"$*\" in --version) echo {version} ;; *--modversion*) echo {libdpdk} ;; *--libs*) echo '{libs}' ;; esac"
    return script("/usr/bin/pkg-config", text)


def ethtool(most: int) -> str:
    """An ethtool whose NICs have that many queues."""
    return script(
        "/usr/sbin/ethtool",
        f"printf 'Channel parameters for eth2:\\nPre-set maximums:\\nCombined:\\t{most}\\nCurrent hardware settings:\\nCombined:\\t1\\n'",
    )


def driver(name: str, number: int = 0) -> str:
    """The port is with that driver."""
    return f"mkdir -p /sys/bus/pci/drivers/{name}; rm {PCI}.{number}/driver; ln -s /sys/bus/pci/drivers/{name} {PCI}.{number}/driver"


def conf(text: str) -> str:
    """That dpvs.conf."""
    return f"cat >/etc/dpvs.conf <<'END'\n{text}\nEND"


def edit(words: str) -> str:
    """dpvs.conf, through sed."""
    return f"sed '{words}' /etc/dpvs.conf >/tmp/new.conf && cp /tmp/new.conf /etc/dpvs.conf"


@dataclass(frozen=True)
class Fault:
    """`says`: words of the evidence. `when`: whether dpvs runs. `params`: replacements in the text of the params."""

    id: str
    what: str
    inject: tuple[str, ...]
    says: str
    ready: tuple[str, ...] = ()
    when: Literal["start", "running", "build"] = "start"
    params: tuple[tuple[str, str], ...] = ()
    name: str = ""
    before: str = "ok"


KNI_ON = edit("s/kni off/kni on/")
WITH_KNI = (
    ("name: dpdk0, network: lan,", "name: dpdk0, kni: dpdk0.kni, network: lan,"),
    ("name: dpdk1, network: wan,", "name: dpdk1, kni: dpdk1.kni, network: wan,"),
)
ON_1_9 = (("name: fnat-two-arm\n", 'name: fnat-two-arm\ndpvs: "1.9"\n'),)
SOURCE = "source: {dpvs: {directory: /src/dpvs}, dpdk: {directory: /src/dpdk}, prefix: /opt/own@MORE@}\n"
WITH_SOURCE = (("version: 1\n", f"version: 1\n{SOURCE.replace('@MORE@', '')}"),)
WITH_KMODS = (*ON_1_9, ("version: 1\n", f"version: 1\n{SOURCE.replace('@MORE@', ', kmods: true')}"))
BUILT = (
    "mkdir -p /opt/own/build/1.10/dpvs/src /opt/own/build/1.10/dpvs/patch/dpdk-24.11 /opt/own/build/1.10/dpdk",
    "echo 'export VERSION=1.10-2' >/opt/own/build/1.10/dpvs/src/VERSION",
    "echo 24.11.2 >/opt/own/build/1.10/dpdk/VERSION",
    "echo diff >/opt/own/build/1.10/dpvs/patch/dpdk-24.11/0001-pdump.patch",
    script("/usr/bin/patch", "exit 0"),
)

FAULTS = (
    Fault("F01", "a device too few", (edit("/device dpdk1 {/,/^    }/d"),), "DPDK finds 2 ports, and 1 devices are configured"),
    Fault(
        "F01",
        "a port more than is said",
        ("echo 'DPVS_ARGUMENTS=\"-l 0-1 -a 0000:06:00.0\"' >/etc/default/dpvs",),
        "2 devices are configured, and DPDK finds 1",
        ("mkdir -p /etc/default",),
    ),
    Fault("F02", "the kernel's driver", (driver("ixgbe"),), "0000:06:00.0 has the driver ixgbe"),
    Fault("F02", "no driver", (f"rm {PCI}.1/driver",), "0000:06:00.1 has no driver"),
    Fault("F02", "another slot", (f"rm -r {PCI}.0",), "0000:06:00.0 is no network device of this host"),
    Fault("F02", "no IOMMU", ("rm -r /sys/kernel/iommu_groups",), "there is no IOMMU"),
    Fault(
        "F02",
        "no driver for mlx5",
        (pkg_config(libs="-lrte_net_ixgbe"),),
        "libdpdk has no rte_net_mlx5",
        (driver("mlx5_core"), pkg_config()),
    ),
    Fault(
        "F02",
        "no such interface",
        ("rm -r /sys/class/net/eth2",),
        "the interface eth2, which there isn't",
        (*NIC, "mkdir -p /etc/default; echo 'DPVS_ARGUMENTS=\"-l 0-1 --no-pci --vdev=net_af_packet0,iface=eth2\"' >/etc/default/dpvs"),
    ),
    Fault(
        "F03",
        "too few pages",
        ("echo 100 >/sys/devices/system/node/node0/hugepages/hugepages-2048kB/nr_hugepages",),
        "node 0 has 200 MB free",
        name="huge pages are free",
    ),
    Fault(
        "F03",
        "nothing mounted",
        ("sed '/hugetlbfs/d' /proc/mounts >/tmp/mounts; cp /tmp/mounts /proc/mounts",),
        "no hugetlbfs is mounted",
        name="huge pages are free",
    ),
    Fault(
        "F03",
        "a dead process's files",
        ("head -c 4096 /dev/zero >/dev/hugepages/rtemap_7",),
        "/dev/hugepages/rtemap_7",
        name="no huge pages of the dead",
    ),
    Fault(
        "F04",
        "four nodes",
        (*(f"mkdir -p /sys/devices/system/node/node{n}" for n in (1, 2, 3)),),
        "NUMA nodes: 4; dpvs is built for 2",
        ("echo 'export CONFIG_DPVS_MAX_SOCKET=2' >/usr/sbin/config.mk",),
    ),
    Fault("F05", "a queue is missing", (edit("s/rx_queue_ids 0/rx_queue_ids 1/"),), "the rx queues of dpdk0 are 1: 0 is missing"),
    Fault("F05", "no slave", (edit("/<init> worker cpu1 {/,/^    }/d"),), "there is no slave worker"),
    Fault(
        "F06",
        "a cpu_id that is no lcore",
        (edit("s/cpu_id 1/cpu_id 5/"),),
        "cpu_id 5 is not among dpvs's lcores",
        ("mkdir -p /etc/default; echo 'DPVS_ARGUMENTS=\"-l 0-1 -a 0000:06:00.0 -a 0000:06:00.1\"' >/etc/default/dpvs",),
    ),
    Fault(
        "F06",
        "another main lcore",
        ("echo 'DPVS_ARGUMENTS=\"-l 0-1 --main-lcore 1 -a 0000:06:00.0 -a 0000:06:00.1\"' >/etc/default/dpvs",),
        "the master is on 0, and the main lcore is 1",
        ("mkdir -p /etc/default",),
    ),
    Fault(
        "F07", "every CPU", ("echo 'DPVS_ARGUMENTS=\"-l 0-3\"' >/etc/default/dpvs",), "dpvs takes 4 of 4 CPUs", ("mkdir -p /etc/default",)
    ),
    Fault("F08", "no vhost-net", ("rm /dev/vhost-net",), "there is no /dev/vhost-net", (KNI_ON,)),
    Fault("F08", "no tun", ("rm /dev/net/tun",), "there is no /dev/net/tun", (KNI_ON,)),
    Fault(
        "F08",
        "an interface is left",
        ("mkdir -p /sys/class/net/dpdk0.kni; echo 02:00:00:00:00:01 >/sys/class/net/dpdk0.kni/address",),
        "an interface dpdk0.kni is there already",
        (KNI_ON,),
    ),
    Fault(
        "F08",
        "no rte_kni",
        ("rm -r /sys/module/rte_kni",),
        "rte_kni is not loaded",
        (KNI_ON, "mkdir -p /sys/module/rte_kni"),
        params=ON_1_9,
    ),
    Fault(
        "F09",
        "carrier off",
        ("echo off >/sys/module/rte_kni/parameters/carrier",),
        "carrier is off",
        (KNI_ON, "mkdir -p /sys/module/rte_kni/parameters; echo on >/sys/module/rte_kni/parameters/carrier"),
        params=ON_1_9,
    ),
    Fault("F09", "the interface is down", ("ip link set dpdk0.kni down",), "dpdk0.kni is down", when="running", params=WITH_KNI),
    Fault("F10", "no cable", ("echo 0 >/sys/class/net/eth2/carrier",), "no carrier on 0000:06:00.0", NIC),
    Fault(
        "F10",
        "dpvs went on without",
        (f"echo 'DPVS: Start dpdk1 failed, skipping ...' >>{LOG}",),
        "Start dpdk1 failed, skipping",
        when="running",
    ),
    Fault("F10", "a port in no worker", (edit("/^        port dpdk1 {/,/^        }/d"),), "no worker has queues of dpdk1", NIC),
    Fault("F11", "the NIC has one", (ethtool(1), conf(write(small(2, 2)))), "has 1 queues, and the workers want 2", (*NIC, ethtool(8))),
    Fault("F11", "the port has one", (conf(write(small(2, 2))),), "has 1 queues, and the workers want 2", when="running"),
    Fault("F12", "a later step's error", (f"echo 'DPVS: sockopt type already exist' >>{LOG}",), "sockopt type already exist"),
    Fault(
        "F12", "the kernel killed it", ("echo '[ 99.01] Out of memory: Killed process 77 (dpvs)' >>/dev/kmsg",), "Killed process 77 (dpvs)"
    ),
    Fault("F13", "another's pid", ("echo 1 >/var/run/dpvs.pid",), "it names 1, which is init"),
    Fault("F14", "it crashed", ("echo '[ 99.01] dpvs[77]: segfault at 0 ip 0000 sp 0000 error 4' >>/dev/kmsg",), "segfault at 0"),
    Fault("F14", "another libdpdk", (pkg_config(libdpdk="23.11.1"),), "libdpdk is 23.11.1", (pkg_config(),)),
    Fault("F14", "a NIC on a node beyond", (f"echo 2 >{PCI}.0/numa_node",), "0000:06:00.0 is on NUMA node 2"),
    Fault("F15", "an old pkg-config", (pkg_config("0.27.1"),), "pkg-config is 0.27.1", (pkg_config(),), "build"),
    Fault(
        "F16", "another DPDK", (pkg_config(libdpdk="20.11.10"),), "libdpdk is 20.11.10, DPVS 1.10 goes with 24.11", (pkg_config(),), "build"
    ),
    Fault(
        "F16",
        "another DPVS",
        ("echo 'export VERSION=1.9-10' >/opt/own/build/1.10/dpvs/src/VERSION",),
        "the sources are DPVS 1.9-10",
        BUILT,
        "build",
        WITH_SOURCE,
    ),
    Fault(
        "F16",
        "patches are missing",
        (script("/usr/bin/patch", "exit 1"),),
        "lacks 1 of 1 patches: 0001-pdump.patch",
        BUILT,
        "build",
        WITH_SOURCE,
    ),
    Fault(
        "F17",
        "no libnl",
        (script("/usr/sbin/keepalived", "echo 'System options:  PIPE2 SIGNALFD' >&2"),),
        "have no LIBNL",
        (script("/usr/sbin/keepalived", f"echo '{GOOD_KEEPALIVED}' >&2"),),
        "build",
    ),
    Fault(
        "F18",
        "kmods on a new kernel",
        (script("/usr/bin/uname", "echo 6.1.0-18-amd64"),),
        "kernel 6.1.0-18-amd64, kmods on",
        (script("/usr/bin/uname", "echo 5.4.0-42-generic"),),
        "build",
        WITH_KMODS,
    ),
    Fault(
        "F19",
        "blocks in another order",
        (edit("s/device dpdk0/device dpdkX/; s/device dpdk1/device dpdk0/; s/device dpdkX/device dpdk1/"),),
        "dpdk1 will be the port 0000:06:00.0, which shall be dpdk0",
    ),
    Fault(
        "F19",
        "another MAC",
        ("echo 3c:fd:fe:00:00:99 >/sys/class/net/dpdk0.kni/address",),
        "and should have 3c:fd:fe:00:00:99",
        (
            "mkdir -p /sys/class/net/dpdk0.kni",
            "ip -o link show dpdk0.kni | sed 's/.*ether \\([^ ]*\\).*/\\1/' >/sys/class/net/dpdk0.kni/address",
        ),
        "running",
        WITH_KNI,
    ),
    Fault(
        "F74",
        "a larger pool",
        (edit("s/pktpool_size 65535/pktpool_size 131071/"),),
        "netif_defs.pktpool_size: dpvs runs with 65535, the file says 131071",
        when="running",
    ),
    Fault(
        "F74",
        "more queues",
        (edit("s/queue_number 1/queue_number 2/"),),
        "device dpdk0 rx.queue_number: dpvs runs with 1, the file says 2",
        when="running",
    ),
    Fault(
        "F74",
        "a new line",
        (edit("s/netif_defs {/ipv4_defs {\\n    default_ttl 7\\n}\\nnetif_defs {/"),),
        "ipv4_defs.default_ttl: the file says 7",
        when="running",
    ),
    Fault("F75", "a key misspelt", (edit("s/promisc_mode/promisc_mod/"),), "promisc_mod is not known in device"),
    Fault("F75", "a value out of range", (edit("s/conn_pool_size 65536/conn_pool_size 5/"),), "conn_pool_size 5 is not valid"),
    Fault(
        "F75",
        "said by the log",
        (f"echo 'NETIF: invalid pktpool_size abc, using default 65535' >>{LOG}",),
        "using default 65535",
        when="running",
    ),
)
