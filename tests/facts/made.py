"""Outputs of a director with many services, made up in the tools' formats, for the properties and the speed limits."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from dpvsbook.facts import director
from dpvsbook.facts.director import Argv
from dpvsbook.facts.ipvs import METHOD_OF_FLAG, METHOD_OF_NAME, Endpoint, Method, ServiceKey
from dpvsbook.facts.laddr_order import printed, rank

BANNER = "IP Virtual Server version 1.10.2 (size=0)\n"
FLAG_OF = {method: flag for flag, method in METHOD_OF_FLAG.items()}
NAME_OF = {method: name for name, method in METHOD_OF_NAME.items() if name != "Local"}


@dataclass(frozen=True)
class Server:
    endpoint: Endpoint
    method: Method = "fnat"
    weight: int = 1
    upper: int = 0
    lower: int = 0
    active: int = 0
    inactive: int = 0


@dataclass(frozen=True)
class Service:
    key: ServiceKey
    scheduler: str = "rr"
    flags: str = ""
    servers: tuple[Server, ...] = ()
    lips: tuple[str, ...] = ()

    @property
    def ipv4(self) -> bool:
        return ":" not in self.key.address


def saved(services: Iterable[Service]) -> str:
    """`ipvsadm -S -n`."""
    lines = []
    for s in services:
        selector = " ".join(s.key.selector)
        lines.append(f"-A {selector} -s {s.scheduler}")
        lines += [f"-a {selector} -r {r.endpoint} {FLAG_OF[r.method]} -w {r.weight}" for r in s.servers]
    return "".join(f"{line}\n" for line in lines)


def cut(service: Service, server: Server) -> str:
    """A real server's name as the lists print it."""
    return str(server.endpoint)[:28] if service.ipv4 else str(server.endpoint)


def listed(services: Iterable[Service]) -> str:
    """`ipvsadm -ln`."""
    text = [BANNER, "Prot LocalAddress:Port Scheduler Flags\n  -> RemoteAddress:Port           Forward Weight ActiveConn InActConn\n"]
    for s in services:
        text.append(f"{s.key.protocol.upper()}  {Endpoint(s.key.address, s.key.port)} {s.scheduler}{s.flags}\n")
        text += [f"  -> {cut(s, r):<28} {NAME_OF[r.method]:<7} {r.weight:<6} {r.active:<10} {r.inactive:<10}\n" for r in s.servers]
    return "".join(text)


def thresholds(services: Iterable[Service]) -> str:
    """`ipvsadm -ln --thresholds`."""
    text = [BANNER, f"{'Prot LocalAddress:Port':<33} Uthreshold Lthreshold ActiveConn InActConn \n  -> RemoteAddress:Port\n"]
    for s in services:
        text.append(f"{s.key.protocol.upper()}  {Endpoint(s.key.address, s.key.port)} {s.scheduler}{s.flags}\n")
        text += [f"  -> {cut(s, r):<28} {r.upper:<10} {r.lower:<10} {r.active:<10} {r.inactive:<10}\n" for r in s.servers]
    return "".join(text)


def laddrs(services: Sequence[Service]) -> str:
    """`ipvsadm -G`, in dpvs's order."""
    if not services:
        return ""
    text = ["VIP:VPORT            TOTAL    SNAT_IP              CONFLICTS  CONNS     \n"]
    newest_first = services[::-1]
    for s in sorted(newest_first, key=lambda s: rank(s.key)):
        text.append(f"{printed(s.key):<20} {len(s.lips):<8} \n")
        text += [f"{'':<20} {'':<8} {lip:<20} {0:<10} {0:<10}\n" for lip in s.lips]
    return "".join(text)


def outputs(services: Sequence[Service], addresses: str = "", routes: str = "", routes6: str = "") -> dict[Argv, str]:
    """Everything that `director.READ` would have brought."""
    texts = (
        "dpvs version: 1.10-2, build on 2026.11.22.19:47:08\n",
        "1: dpdk0: socket 0 mtu 1500 rx-queue 1 tx-queue 1\n"
        "    UP 10000 Mbps full-duplex fixed-nego promisc \n    addr 7E:78:CD:3A:BE:3A \n",
        addresses,
        routes,
        routes6,
        saved(services),
        thresholds(services),
        laddrs(services),
    )
    return dict(zip(director.READ, texts, strict=True))


def number(value: int) -> str:
    """A counter as `--stats --exact` prints it."""
    return f"{value:>9}" if value < 10**8 else f" {value}"


def stats(services: Iterable[tuple[ServiceKey, Sequence[tuple[Endpoint, Sequence[int]]]]]) -> str:
    """`ipvsadm -ln --stats --exact`; a service's row is the sum of its real servers'."""
    text = [BANNER, f"{'Prot LocalAddress:Port':<33}    Conns   InPkts  OutPkts  InBytes OutBytes\n  -> RemoteAddress:Port\n"]
    for key, servers in services:
        total = [sum(column) for column in zip(*(row for _, row in servers), strict=True)] or [0] * 5
        text.append(f"{f'{key.protocol.upper()}  {Endpoint(key.address, key.port)}':<33}{''.join(map(number, total))}\n")
        text += [f"  -> {endpoint!s:<28}{''.join(map(number, row))}\n" for endpoint, row in servers]
    return "".join(text)
