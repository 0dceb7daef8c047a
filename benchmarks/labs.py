"""The lab that bulk, idle and rivals are measured on: one director, in a process of its own, and a way to empty it again."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

from dpvsbook import lab as labs
from dpvsbook.lab.emulated import Lab
from dpvsbook.lab.netns import NetnsLab

REAL = "DPVSBOOK_BENCH_STATE"
"""Set to the folder of a lab that is up (of params/fnat-two-arm.yaml), `bulk`, `idle` and `rivals` are measured on that, real DPVS say."""

VIP, LIP, FIRST_PORT = "10.0.0.100", "192.168.100.200", 10001
SERVERS = ("192.168.100.2", "192.168.100.3")
AnyLab = Lab | NetnsLab


def params(services: int) -> str:
    """A params file: the tutorial's director alone, with so many services on one VIP, two real servers and a LIP each."""
    servers = ", ".join(f"{{address: {address}, port: 80, weight: 1}}" for address in SERVERS)
    return "\n".join(
        [
            "version: 1\nname: bench\nmethod: fnat",
            "networks: {wan: {subnets: [10.0.0.0/16]}, lan: {subnets: [192.168.100.0/24]}}",
            "directors:",
            "  - name: lb1",
            "    ssh: {user: root}",
            "    devices:",
            '      - {name: dpdk0, network: lan, pci: "0000:06:00.0"}',
            '      - {name: dpdk1, network: wan, pci: "0000:06:00.1"}',
            f"    lips: [{{address: {LIP}, device: dpdk0}}]",
            "services:",
            *(
                f"  - {{name: s{port}, vip: {VIP}, network: wan, port: {port}, protocol: tcp, scheduler: rr, real_servers: [{servers}]}}"
                for port in range(FIRST_PORT, FIRST_PORT + services)
            ),
            "",
        ]
    )


def rules(services: int) -> str:
    """The same as lines for `ipvsadm -R`."""
    lines: list[str] = []
    for port in range(FIRST_PORT, FIRST_PORT + services):
        service = f"-t {VIP}:{port}"
        lines.append(f"-A {service} -s rr")
        lines += [f"-a {service} -r {server}:80 -b -w 1" for server in SERVERS]
        lines.append(f"-P {service} -z {LIP} -F dpdk0")
    return "".join(f"{line}\n" for line in lines)


@contextlib.contextmanager
def up(services: int) -> Iterator[tuple[AnyLab, Path, Path]]:
    """A lab, the params file of so many services, and an empty folder. The lab goes down at the end, unless it was there before."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "bench.yaml"
        file.write_text(params(services))
        if os.environ.get(REAL):
            yield labs.find(Path(os.environ[REAL])), file, Path(folder)
            return
        found = labs.up(file, state=Path(folder) / "lab")
        try:
            yield found, file, Path(folder)
        finally:
            found.down()


def empty(lab: AnyLab) -> None:
    """A dpvs that was just started, with nothing configured."""
    if isinstance(lab, Lab):
        lab.inject("lb1", "dpvs-stop")
        lab.inject("lb1", "dpvs-start")
    else:
        from dpvsbook.lab.netns.plan import PID

        lab.exec("lb1", [f"kill $(cat {PID})"])
        lab.start_dpvs("lb1")
