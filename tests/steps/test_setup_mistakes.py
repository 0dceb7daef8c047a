"""dpvs.conf with each of the mistakes F01 to F14 that are mistakes of a conf: the plan refuses it with the rule, or mends it and says so.

Of the others F09 (a module's parameter), F13 (a pid file) and F14 (a NIC's driver) are none of dpvs.conf.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from dpvsbook import params as params_module
from dpvsbook.conf.model import Conf, Queues, Worker, read
from dpvsbook.conf.parse import parse
from dpvsbook.conf.write import write
from dpvsbook.facts.setup import Pages, SetupState
from dpvsbook.hostplan import HostPlan
from dpvsbook.params import Params
from dpvsbook.params.build import Origin, Source
from dpvsbook.steps.setup.conf import plan_conf
from dpvsbook.steps.setup.pages import plan_pages
from tests.conf.made import small
from tests.steps.setup_site import HOST, A, B, with_conf, with_start


def queues(*lists: tuple[tuple[int, ...], tuple[int, ...]]) -> Conf:
    """Two ports, and a slave for each (rx, tx) of dpdk0; of dpdk1 each has its own."""
    slaves = [
        Worker(f"cpu{i}", "slave", i, (Queues("dpdk0", rx, tx), Queues("dpdk1", (i - 1,), (i - 1,)))) for i, (rx, tx) in enumerate(lists, 1)
    ]
    return replace(small(2, len(lists)), workers=(Worker("cpu0", "master", 0), *slaves))


def same(params: Params) -> Params:
    return params


@dataclass(frozen=True)
class Mistake:
    """What the site has and asks for; `refused` with this, or `mended` with this said of the file there."""

    name: str
    state: SetupState = HOST
    change: Callable[[Params], Params] = same
    refused: str = ""
    mended: str = ""
    planner: Callable[..., HostPlan] = plan_conf


BUILT = Source(dpvs=Origin(git="https://git.example.org/dpvs", ref="v1.10"), dpdk=Origin(git="https://git.example.org/dpdk", ref="v24.11"))
WIDE = tuple(Pages(node, 2048, 9000, 9000) for node in range(4))
ONE = replace(small(), workers=(small().workers[0], replace(small().workers[1], queues=small().workers[1].queues[:1])))
TWO = small(2, 2)
LACKS = replace(TWO, workers=(*TWO.workers[:2], replace(TWO.workers[2], queues=TWO.workers[2].queues[:1])))
MORE = replace(
    small(), workers=(small().workers[0], replace(small().workers[1], queues=(*small().workers[1].queues, Queues("dpdk2", (0,), (0,)))))
)
MISTAKES = [
    Mistake(
        "F01 more ports than devices",
        change=lambda p: with_start(p, arguments=("-a", A, "-a", B, "-a", "0000:07:00.0")),
        refused="ports in DPDK RTE (3) != ports in dpvs.conf(2)",
    ),
    Mistake("F01 a device too many", with_conf(write(small(3))), mended="3 devices are configured, and DPDK finds 2 ports"),
    Mistake("F02 no port", change=lambda p: with_start(p, arguments=("--no-pci",)), refused="No dpdk ports found"),
    Mistake(
        "F03 F12 not enough memory for the huge pages",
        replace(HOST, available_mb=500),
        refused="MB of memory are available",
        planner=plan_pages,
    ),
    Mistake(
        "F03 a packet pool that the queues fill",
        change=lambda p: with_start(p, settings={"netif_defs.pktpool_size": 1023}),
        refused="of the 1023 in the pool",
    ),
    Mistake(
        "F04 more NUMA nodes than it was built for",
        replace(HOST, pages=WIDE),
        lambda p: p.model_copy(update={"source": BUILT}),
        refused="4 NUMA nodes, and dpvs is built for 2",
    ),
    Mistake(
        "F05 -2 an rx queue twice",
        with_conf(write(queues(((0,), (0,)), ((0,), (1,))))),
        lambda p: with_start(p, workers=2),
        refused="error code: -2",
    ),
    Mistake(
        "F05 -3 a tx queue twice",
        with_conf(write(queues(((0,), (0,)), ((1,), (0,))))),
        lambda p: with_start(p, workers=2),
        refused="error code: -3",
    ),
    Mistake("F05 -4 a gap", with_conf(write(queues(((1,), (0,))))), refused="error code: -4"),
    Mistake(
        "F05 -6 a port that a worker lacks",
        with_conf(write(LACKS)),
        lambda p: with_start(p, workers=2),
        mended="cpu2 has no queue of dpdk1",
    ),
    Mistake("F05 -5 a port too many", with_conf(write(MORE)), mended="has 3 ports, and there are 2"),
    Mistake("F05 -7 no slave", with_conf(write(replace(small(), workers=small().workers[:1]))), mended="there is no slave worker"),
    Mistake("F06 lcores of the sample's README", change=lambda p: with_start(p, arguments=("-l", "1-2")), refused="non-EAL thread lcore"),
    Mistake(
        "F06 the main lcore is a slave's",
        change=lambda p: with_start(p, arguments=("-l", "0,1", "--main-lcore", "1")),
        refused="the master is on 0, and the main lcore is 1",
    ),
    Mistake("F07 more workers than CPUs", change=lambda p: with_start(p, workers=9), refused="takes 10 CPUs of 8"),
    Mistake(
        "F08 KNI without vhost-net",
        with_conf(write(small(2, global_defs__kni=True)), tools=frozenset({"driverctl"})),
        refused="no /dev/vhost-net",
    ),
    Mistake("F10 a device without queues", with_conf(write(ONE)), mended="no worker has queues of dpdk1"),
]


@pytest.fixture(scope="module")
def params(params_file: Path) -> Params:
    return params_module.load(params_file)


@pytest.mark.parametrize("mistake", MISTAKES, ids=[mistake.name for mistake in MISTAKES])
def test_a_mistake(params: Params, mistake: Mistake):
    wanted = mistake.change(params)
    plan = mistake.planner(wanted, wanted.directors[0], mistake.state)
    said = [f"{refusal.reason} {refusal.remedy}" for refusal in plan.refused]
    if mistake.refused:
        assert any(mistake.refused in text for text in said), said
        assert plan.changes == ()
        assert all(refusal.remedy for refusal in plan.refused)
    else:
        assert said == []
        assert any(mistake.mended in note and note.startswith("The file there: line ") for note in plan.notes)
        text = next(str((change.after or {})["text"]) for change in plan.changes if change.kind == "file")
        assert {queue.port for queue in read(parse(text)).slaves[0].queues} == {"dpdk0", "dpdk1"}
