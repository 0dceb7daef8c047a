"""A director's state from what its tools print: the pieces that a test is about, and the rest as dpvs prints it."""

from __future__ import annotations

from dpvsbook.facts.director import READ, DirectorState, parse

LINKS = """\
1: dpdk0: socket 0 mtu 1500 rx-queue 1 tx-queue 1
    UP 10000 Mbps full-duplex fixed-nego promisc lldp 
    addr 7E:78:CD:3A:BE:3A 
2: dpdk1: socket 0 mtu 1500 rx-queue 1 tx-queue 1
    UP 10000 Mbps full-duplex fixed-nego promisc lldp 
    addr E2:41:99:BB:FA:54 
"""  # noqa: W291 - dpip prints them so
LIST_HEAD = """\
IP Virtual Server version 1.10.2 (size=0)
Prot LocalAddress:Port            Uthreshold Lthreshold ActiveConn InActConn 
  -> RemoteAddress:Port
"""  # noqa: W291
LADDR_HEAD = "VIP:VPORT            TOTAL    SNAT_IP              CONFLICTS  CONNS     \n"


def address(cidr: str, device: str, *, pool: bool = False) -> str:
    """One address of `dpip -s addr show`."""
    ports = " sa_used 0 sa_free 1032176 sa_miss 0" if pool else ""
    return f"inet {cidr} scope global {device}\n     valid_lft forever preferred_lft forever{ports}\n"


def route(prefix: str, device: str, *, via: str = "0.0.0.0", scope: str = "link") -> str:
    """One route of `dpip route show`."""
    return f"inet {prefix} via {via} src 0.0.0.0 dev {device} mtu 1500 tos 0 scope {scope} metric 0 proto auto \n"


def state(
    addresses: str = "",
    routes: str = "",
    services: dict[str, tuple[str, list[str]]] | None = None,
    lips: dict[str, list[str]] | None = None,
    version: str = "1.10-2",
    links: str = LINKS,
) -> DirectorState:
    """`services`: VIP:PORT to (scheduler with its options, ["RS:PORT -b -w 1", …]); `lips`: VIP:PORT to its LIPs."""
    saved, listed, laddrs = "", LIST_HEAD, LADDR_HEAD if services else ""
    for vip, (scheduler, servers) in sorted((services or {}).items()):
        saved += f"-A -t {vip} -s {scheduler.split()[0]}\n"
        listed += f"TCP  {vip} {scheduler}\n"
        for server in servers:
            endpoint = server.split()[0]
            saved += f"-a -t {vip} -r {server}\n"
            listed += f"  -> {endpoint:<28} {0:<10} {0:<10} {0:<10} {0:<10}\n"
    for vip in sorted(services or {}, reverse=True):
        its = (lips or {}).get(vip, [])
        laddrs += f"{vip:<20} {len(its):<8} \n" + "".join(f"{'':<20} {'':<8} {lip:<20} {0:<10} {0:<10}\n" for lip in its)
    texts = (f"dpvs version: {version}, build on 2026.11.22.19:47:08\n", links, addresses, routes, "", saved, listed, laddrs)
    return parse(dict(zip(READ, texts, strict=True)))
