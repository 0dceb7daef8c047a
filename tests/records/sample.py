"""A record as a real run leaves it, made from events like those of the book; for tests, and to look at the report."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dpvsbook.records import Record
from dpvsbook.runs.verdict import Cell

PARAMS: dict[str, Any] = {
    "name": "fnat-two-arm",
    "method": "fnat",
    "networks": {"wan": {"subnets": ["10.0.0.0/16"]}, "lan": {"subnets": ["192.168.100.0/24"]}},
    "directors": [
        {
            "name": "lb1",
            "devices": [{"name": "dpdk0", "network": "lan", "addresses": []}, {"name": "dpdk1", "network": "wan", "addresses": []}],
            "lips": [{"address": "192.168.100.200", "device": "dpdk0"}],
        }
    ],
    "hosts": [
        {
            "name": "rs1",
            "role": "real-server",
            "interfaces": [{"name": "eth0", "network": "lan", "addresses": ["192.168.100.2/24"]}],
        },
        {
            "name": "rs2",
            "role": "real-server",
            "interfaces": [{"name": "eth0", "network": "lan", "addresses": ["192.168.100.3/24"]}],
        },
        {"name": "client", "role": "client", "interfaces": [{"name": "eth0", "network": "wan", "addresses": ["10.0.0.48/16"]}]},
    ],
    "services": [
        {
            "name": "web",
            "vip": "10.0.0.100",
            "network": "wan",
            "port": 80,
            "protocol": "tcp",
            "scheduler": "rr",
            "real_servers": [{"host": "rs1", "port": 80, "weight": 1}, {"host": "rs2", "port": 80, "weight": 1}],
        }
    ],
}

KEY = "tcp 10.0.0.100:80"
STEPS: list[tuple[str, str, list[dict[str, Any]]]] = [
    (
        "address",
        "Addresses: the VIP on its device",
        [
            {
                "kind": "address",
                "key": "10.0.0.100/32 dev dpdk1",
                "reason": "10.0.0.100/32 is not on dpdk1 yet",
                "commands": ["dpip addr add 10.0.0.100/32 dev dpdk1"],
                "inverse": ["dpip addr del 10.0.0.100/32 dev dpdk1"],
            }
        ],
    ),
    (
        "route",
        "Routes: both sides, and further",
        [
            {
                "kind": "route",
                "key": f"{net} dev {device}",
                "reason": f"{net} is not reached by {device} yet",
                "commands": [f"dpip route add {net} dev {device}"],
                "inverse": [f"dpip route del {net} dev {device}"],
            }
            for net, device in (("10.0.0.0/16", "dpdk1"), ("192.168.100.0/24", "dpdk0"))
        ],
    ),
    (
        "service",
        "Virtual services and their real servers",
        [
            {
                "kind": "service",
                "key": KEY,
                "reason": f"{KEY} is not there yet",
                "commands": ["ipvsadm -A -t 10.0.0.100:80 -s rr"],
                "inverse": ["ipvsadm -D -t 10.0.0.100:80"],
            },
            *(
                {
                    "kind": "server",
                    "key": f"{KEY} -> 192.168.100.{n}:80",
                    "reason": f"192.168.100.{n}:80 does not serve {KEY} yet",
                    "commands": [f"ipvsadm -a -t 10.0.0.100:80 -r 192.168.100.{n}:80 -b -w 1"],
                    "inverse": [f"ipvsadm -d -t 10.0.0.100:80 -r 192.168.100.{n}:80"],
                }
                for n in (2, 3)
            ),
        ],
    ),
    (
        "laddr",
        "Local addresses: where FULLNAT sends from",
        [
            {
                "kind": "lip-address",
                "key": "192.168.100.200/32 dev dpdk0",
                "reason": "192.168.100.200/32 is not on dpdk0 yet; `sapool` gives it its ports",
                "commands": ["dpip addr add 192.168.100.200/32 dev dpdk0 sapool"],
                "inverse": ["dpip addr del 192.168.100.200/32 dev dpdk0"],
            },
            {
                "kind": "lip",
                "key": f"{KEY} from 192.168.100.200",
                "reason": f"{KEY} may not use 192.168.100.200 yet",
                "commands": ["ipvsadm -P -t 10.0.0.100:80 -z 192.168.100.200 -F dpdk0"],
                "inverse": ["ipvsadm -Q -t 10.0.0.100:80 -z 192.168.100.200 -F dpdk0"],
            },
        ],
    ),
]


@dataclass(frozen=True)
class Result:
    """What hosts.Result has."""

    command: str
    stdout: str = ""
    stderr: str = ""
    exit: int | None = 0
    seconds: float = 0.012
    started: float = 1_767_268_800.0


def create(outputs: Path, mode: str = "apply", **more: Any) -> Record:
    """A record that has begun."""
    more.setdefault("params", PARAMS)
    return Record.create(
        outputs,
        "fnat-two-arm",
        mode=mode,
        params_sha256="0a1b2c3d4e5f60718293a4b5c6d7e8f90a1b2c3d4e5f60718293a4b5c6d7e8f9",
        params_file="params/fnat-two-arm.yaml",
        notebook={"name": "fnat-two-arm.ipynb", "sha256": "9f8e7d6c5b4a39281706f5e4d3c2b1a09f8e7d6c5b4a39281706f5e4d3c2b1a0"},
        **more,
    )


def bound(record: Record) -> None:
    """The hosts answer."""
    rows = [
        {
            "host": name,
            "role": role,
            "hostname": name,
            "system": "Linux 6.1.0-26-amd64",
            "dpvs": "1.10-2" if name == "lb1" else None,
            "host_key": f"SHA256:{name.ljust(43, 'x')}",
        }
        for name, role in (("lb1", "director"), ("rs1", "real-server"), ("rs2", "real-server"), ("client", "client"))
    ]
    record.event("open", mode="apply", hosts=rows, dpvsbook="0.1.0")
    record.command(
        "lb1", Result("dpip link show", "1: dpdk0: socket 0 mtu 1500 rx-queue 1 tx-queue 1\n    UP 10000 Mbps full-duplex auto-nego\n")
    )
    record.command("lb1", Result("ipvsadm -S -n"))
    record.command("client", Result("hostname", "client\n"))


def plan(record: Record, number: int, *, drift: bool = False) -> list[dict[str, Any]]:
    """A step is planned."""
    name, _, changes = STEPS[number]
    planned = [{"action": "add", "before": None, "after": {}, **change} for change in changes]
    foreign = [{"kind": "service", "key": "tcp 10.0.0.101:443", "detail": "tcp 10.0.0.101:443 is on the director and not in the params"}]
    record.event("plan", step=name, director="lb1", changes=planned, drift=foreign if drift else [])
    return planned


def apply(record: Record, number: int, changes: list[dict[str, Any]], result: str = "read back") -> None:
    """A step is applied and read back."""
    name = STEPS[number][0]
    for change in changes:
        record.command("lb1", Result(change["commands"][0]))
    record.event(
        "apply", step=name, director="lb1", commands=len(changes), seconds=0.21, changes=[{**c, "result": result} for c in changes]
    )
    record.event("readback", step=name, director="lb1", empty=result == "read back")


def step(record: Record, number: int, status: str, changes: int) -> None:
    """A step has ended."""
    record.event("step", step=STEPS[number][0], title=STEPS[number][1], status=status, changes=changes, seconds=0.23)


def figures(record: Record) -> None:
    """A load was sent, and sampled."""
    import pandas as pd

    from dpvsbook import plots

    seconds = [n / 2 for n in range(25)]
    servers = ("192.168.100.2:80", "192.168.100.3:80")
    sent = [min(100, int(10 * t + 4 * math.sin(t))) for t in seconds]
    connections = pd.DataFrame(
        [
            {"seconds": t, "director": "lb1", "service": KEY, "server": server, "conns": n + (number and n % 2)}
            for t, n in zip(seconds, sent, strict=True)
            for number, server in enumerate(servers)
        ]
    )
    ports = pd.DataFrame(
        [
            {"seconds": t, "director": "lb1", "lip": "192.168.100.200", "used": 2 * n, "free": 64_511 - 2 * n, "miss": 0}
            for t, n in zip(seconds, sent, strict=True)
        ]
    )
    record.table("connections", connections)
    record.table("lip-ports", ports)
    record.figure("requests", plots.requests(connections))
    record.figure("lip-ports", plots.lip_ports(ports))


def cells(*statuses: str) -> tuple[Cell, ...]:
    """Cells that ended so."""
    names = (
        "parameters",
        "injected-parameters",
        "binding",
        "preflight",
        "apply-address",
        "apply-route",
        "apply-service",
        "apply-laddr",
        "verify",
        "record",
    )
    lines = (
        "params: str = …",
        "The parameters of this run",
        "import dpvsbook",
        *(f"steps.{name.removeprefix('apply-')}(book)" for name in names[3:]),
    )
    return tuple(
        Cell(number, name, lines[number], status, seconds=0.25 if status != "pending" else None)  # type: ignore[arg-type]
        for number, (name, status) in enumerate(zip(names, statuses, strict=False))
    )


def converged(outputs: Path) -> Record:
    """A run that applied everything and proved it."""
    record = create(outputs)
    bound(record)
    record.event("step", step="preflight", title="Preflight", status="passed", changes=0, seconds=0.04, detail="6 of 6 checks passed")
    for number in range(len(STEPS)):
        changes = plan(record, number, drift=number == 2)
        apply(record, number, changes)
        step(record, number, "applied", len(changes))
    for name, detail in (
        ("lb1: address", "as the params say"),
        ("lb1: service", "as the params say"),
        (f"{KEY}: answers", "20 of 20 requests from client answered 200"),
        (f"{KEY}: shares", "192.168.100.2:80 10 of 20 (50% expected), 192.168.100.3:80 10 of 20 (50% expected)"),
    ):
        record.event("check", name=name, ok=True, detail=detail)
    record.event("step", step="verify", title="Verify", status="passed", changes=0, seconds=1.4, detail="4 of 4 checks passed")
    figures(record)
    record.event("verdict", verdict="converged", detail="8 changes made, 4 checks passed")
    record.finish("converged", "8 changes made, 4 checks passed", cells=cells(*["completed"] * 10))
    return record


def failed(outputs: Path) -> Record:
    """A run that stopped in the middle: the service isn't there when it is read back."""
    record = create(outputs)
    bound(record)
    for number in (0, 1):
        changes = plan(record, number)
        apply(record, number, changes)
        step(record, number, "applied", len(changes))
    apply(record, 2, plan(record, 2), "not there")
    message = "lb1: 3 changes were sent and are not there when read back; the first: tcp 10.0.0.100:80"
    record.event("error", type="NotConverged", exit_code=3, message=message, remedy="Look at log/lb1.log, then run again with --resume.")
    statuses = ["completed"] * 6 + ["failed"] + ["pending"] * 3
    record.finish("failed", f"cell 'apply-service': {message}", cells=cells(*statuses))
    return record
