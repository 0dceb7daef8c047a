"""Forms that no transcript has (a bond, a real NIC's numbers, old spellings), and the speed of the big table."""

from __future__ import annotations

import random

import pytest

from dpvsbook.errors import ParseError
from dpvsbook.facts import dpip_link, dpip_neigh, ipvsadm_acl, ipvsadm_list, ipvsadm_stats, versions
from dpvsbook.facts.dpip_link_detail import BondSlave
from dpvsbook.facts.ipvs import Endpoint, ServiceKey, canonical_match

from . import made

LINK = """\
1: bond0: socket 0 mtu 1500 rx-queue 8 tx-queue 8
    UP 20000 Mbps full-duplex auto-nego {flags}
    addr 98:03:9B:1A:2B:3C OF_RX_IP_CSUM OF_TX_FAST_FREE 
"""  # noqa: W291 - as printed


def test_bond_status():
    status = (
        "    --- bonding status ---\n"
        "    mode 4 mac_addr 98:03:9B:1A:2B:3C xmit_policy LAYER34 link_monitor 100ms\n"
        "    ative/slaves 1/2 link_down_prop_delay 0ms link_up_prop_delay 50ms\n"
        "    slaves: dpdk0(98:03:9B:1A:2B:3C, active, primary) dpdk1(98:03:9B:1A:2B:3D, inactive) \n"
    )
    (link,) = dpip_link.parse(LINK.format(flags="") + status)
    assert link.bond is not None
    assert (link.bond.mode, link.bond.xmit_policy, link.bond.active, link.bond.link_up_delay) == (4, "LAYER34", 1, 50)
    assert link.bond.slaves == (BondSlave("dpdk0", "98:03:9b:1a:2b:3c", True, True), BondSlave("dpdk1", "98:03:9b:1a:2b:3d", False, False))


@pytest.mark.parametrize(
    ("printed", "flags"),
    [
        ("promisc-off forward2kni-off ", set()),
        ("promisc-on foward2kni ", {"promisc", "forward2kni"}),
        ("allmulticast foward2kni tc-egress tc-ingress lldp ", {"allmulticast", "forward2kni", "tc-egress", "tc-ingress", "lldp"}),
    ],
)  # fmt: skip
def test_flags_of_every_version(printed: str, flags: set[str]):
    (link,) = dpip_link.parse(LINK.format(flags=printed))
    assert link.flags == flags
    assert link.offloads == {"OF_RX_IP_CSUM", "OF_TX_FAST_FREE"}
    with pytest.raises(ParseError, match="turbo"):
        dpip_link.parse(LINK.format(flags=f"{printed}turbo "))


@pytest.mark.parametrize(("printed", "speed"), [("-1", None), ("4294967295", None), ("0", 0), ("100000", 100000)])
def test_speed(printed: str, speed: int | None):
    (link,) = dpip_link.parse(LINK.format(flags="").replace("20000", printed))
    assert link.speed == speed


@pytest.mark.parametrize(
    ("fused", "expected"),
    [("0x7FFFFFFFFFFFFFF0              ", 0x7FFFFFFFFFFFFFF), ("0xF00000000003AFBC0               ", 0xF00000000003AFBC)],
)
def test_numbers_without_a_space_between(fused: str, expected: int):
    """A Mellanox NIC's flow types fill their column of 16, and the next number follows at once."""
    rows = [
        f"{'pci_addr':<32}{'driver_name':<32}",
        f"{'0000:06:00:0':<32}{'mlx5_pci':<32}",
    ]
    tables = (
        ("if_index min_rx_bufsize max_rx_pktlen max_mac_addrs", "3 32 65536 128"),
        ("max_rx_queues max_tx_queues max_hash_addrs max_vfs", "1024 1024 0 0"),
        ("max_vmdq_pools rx_ol_capa tx_ol_capa reta_size", "0 0x1A2B3C 0xD2B6F 1"),
        ("hash_key_size flowtype_rss_ol vmdq_que_base vmdq_que_num", None),
        ("rx_desc_max rx_desc_min rx_desc_align vmdq_pool_base", "65535 0 1 0"),
        ("tx_desc_max tx_desc_min tx_desc_align speed_capa", "65535 0 1 0"),
    )
    for head, values in tables:
        rows.append("".join(f"{name:<16}" for name in head.split()))
        rows.append(f"{40:<16}{fused}{0:<16}" if values is None else "".join(f"{value:<16}" for value in values.split()))
    (link,) = dpip_link.parse(LINK.format(flags="") + "".join(f"    {row}\n" for row in rows))
    assert link.detail is not None
    assert (link.detail.pci_addr, link.detail.driver) == ("0000:06:00:0", "mlx5_pci")
    assert (link.detail.limits["flowtype_rss_ol"], link.detail.limits["vmdq_que_base"]) == (expected, 0)
    assert link.detail.limits["rx_ol_capa"] == 0x1A2B3C


def test_unresolved_neighbour():
    text = f"ip: {'10.0.0.9':<48} mac:incomplate                       state: {'SEND':<12}   dev: dpdk1  core: 1  \n"
    assert dpip_neigh.parse(text) == (dpip_neigh.Neighbour("10.0.0.9", None, "SEND", "dpdk1", 1, False),)


def test_real_server_states():
    text = made.listed([made.Service(ServiceKey.parse("tcp 10.0.0.1:80"), servers=tuple(
        made.Server(Endpoint("192.168.100.2", port)) for port in (80, 81, 82, 83)))])  # fmt: skip
    lines = text.splitlines()
    for at, state in enumerate(("", " inhibited", " inhibited,overload", " overload"), -4):
        lines[at] += state
    (service,) = ipvsadm_list.parse("\n".join(lines))
    assert [(s.inhibited, s.overload) for s in service.servers] == [(False, False), (True, False), (True, True), (False, True)]
    with pytest.raises(ParseError, match="bewildered"):
        ipvsadm_list.parse(f"{text.rstrip()} bewildered\n")


def test_titles_of_two_forms_do_not_mix():
    plain, limits = made.listed([]).splitlines(), made.thresholds([]).splitlines()
    with pytest.raises(ParseError, match="RemoteAddress"):
        ipvsadm_list.parse(f"{plain[1]}\n{limits[2]}\n")


def test_allow_list_of_icmpv6():
    """So spelled by the tool."""
    text = f"{'PROTO':<8} {'VIP:VPORT':<30} {'WHITELIST':<30}\n{'IMCPv6':<8} {'[2001:db8::1]:0':<30} {'2001:db8::9':<30}\n"
    assert ipvsadm_acl.parse(text) == (ipvsadm_acl.Entry(ServiceKey.parse("icmpv6 [2001:db8::1]:0"), "allow", "2001:db8::9"),)


@pytest.mark.parametrize("text", ["tcp,from=nowhere,weather=fine", "from=10.0.0.1-10.0.0.2:0-0", "tcp,tcp", "proto=tcp,proto=udp", ""])
def test_no_match(text: str):
    with pytest.raises(ValueError, match="is not a match"):
        canonical_match(text)


def test_version_numbers_compare():
    assert versions.release(versions.parse("dpip-1.9-10\n")[0].version) == "1.9.10"


@pytest.mark.parametrize(
    ("printed", "value"),
    [("99999999", 99_999_999), ("123456K", 123_456_000), ("98765M", 98_765_000_000), ("7G", 7 * 10**9), ("3T", 3 * 10**12)],
)
def test_short_numbers(printed: str, value: int):
    """Without `--exact`; both ways of reading know them."""
    title = "".join(f"{line}\n" for line in made.stats([]).splitlines())
    text = f"{title}TCP  10.0.0.1:80                 {printed:>9}        0        0        0        0\n"
    assert ipvsadm_stats.parse(text)[0].conns == value
    assert ipvsadm_stats.frame(text)["conns"].tolist() == [value]
    with pytest.raises(ParseError):
        ipvsadm_stats.frame(text.replace(printed, printed + "X"))


def test_empty_frame_has_its_columns():
    frame = ipvsadm_stats.frame(made.stats([]))
    assert list(frame.columns) == ["protocol", "service", "server", "conns", "in_pkts", "out_pkts", "in_bytes", "out_bytes"]
    assert str(frame["conns"].dtype) == "int64"


def test_the_big_table_is_quick():
    """10,000 services with 10 real servers, 110,000 lines: half a second of this machine's time, strict all the same."""
    pytest.importorskip("pandas")
    source = random.Random(1)

    def numbers() -> list[int]:
        return [source.randrange(10 ** source.randrange(1, 13)) for _ in range(5)]

    services = [
        (ServiceKey("tcp", f"10.{i >> 8}.{i & 255}.1", 80), [(Endpoint(f"192.168.{i & 255}.{j + 1}", 80), numbers()) for j in range(10)])
        for i in range(10_000)
    ]
    text = made.stats(services)
    frame = ipvsadm_stats.frame(text)
    assert len(frame) == 110_000
    assert frame[frame.server == ""].conns.sum() == frame[frame.server != ""].conns.sum()
    at = text.rindex("  -> ")
    with pytest.raises(ParseError, match=r"=> 192\.168\.15\.10:80"):
        ipvsadm_stats.frame(f"{text[:at]}  => 192.168.15.10:80 1 2 3 4 5\n{text[at:]}")
