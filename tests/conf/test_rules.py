"""The nine rules of the reference, and what of F01 to F14 and F66 to F70 a file and the facts of a host can decide. One case a line."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import pytest

from dpvsbook.conf.machine import BadArguments, Machine, Port, arguments
from dpvsbook.conf.model import Bond, Conf, Device, Queues, Worker
from dpvsbook.conf.validate import validate
from dpvsbook.conf.write import write
from dpvsbook.lab.netns import conf as lab_conf
from tests.conf.made import bonded, small

PORTS = (Port("0000:06:00.0"), Port("0000:06:00.1"))


def workers(*lists: tuple[tuple[str, tuple[int, ...], tuple[int, ...]], ...]) -> Callable[[Conf], Conf]:
    """A master, and a slave for each list of (port, rx queues, tx queues)."""

    def change(conf: Conf) -> Conf:
        slaves = [Worker(f"cpu{i}", "slave", i, tuple(Queues(*queues) for queues in given)) for i, given in enumerate(lists, start=1)]
        return replace(conf, workers=(Worker("cpu0", "master", 0), *slaves))

    return change


def without(*names: str) -> Callable[[Conf], Conf]:
    return lambda conf: replace(conf, workers=tuple(w for w in conf.workers if w.name not in names))


def worker(index: int, **values: object) -> Callable[[Conf], Conf]:
    def change(conf: Conf) -> Conf:
        changed = [replace(w, **values) if i == index else w for i, w in enumerate(conf.workers)]  # type: ignore[arg-type]
        return replace(conf, workers=tuple(changed))

    return change


def nameless(conf: Conf) -> Conf:
    return replace(conf, devices=tuple(Device(d.name, {k: v for k, v in d.values.items() if k != "kni_name"}) for d in conf.devices))


ANY = Machine()


@dataclass(frozen=True)
class Case:
    """A good conf, what is done to it, the host: then a finding of the rule that says this."""

    name: str
    rule: str
    says: str
    conf: Conf
    change: Callable[[Conf], Conf] = lambda conf: conf
    host: Machine = ANY
    code: int | None = None
    severity: str = "error"


A, B = ("dpdk0", (0,), (0,)), ("dpdk1", (0,), (0,))
A1, B1 = ("dpdk0", (1,), (1,)), ("dpdk1", (1,), (1,))

CASES = [
    Case(
        "1 F01 more ports than devices",
        "ports",
        "RTE (3) != ports in dpvs.conf(2)",
        small(),
        host=Machine(ports=(*PORTS, Port("0000:07:00.0"))),
    ),
    Case("1 more devices than ports", "ports", "without a port", small(), host=Machine(ports=PORTS[:1])),
    Case("1 F02 no port", "ports", "No dpdk ports found", small(), host=Machine(ports=())),
    Case("1 no device", "ports", "dpvs.conf(0)", small(), lambda c: replace(c, devices=())),
    Case(
        "2 F19 the wrong port",
        "port-order",
        "dpdk0 will be the port 0000:06:00.0, which shall be dpdk1",
        small(),
        host=Machine(ports=(Port("0000:06:00.0", "dpdk1"), Port("0000:06:00.1", "dpdk0"))),
    ),
    Case(
        "3 F05 rx queue twice",
        "queues",
        "rx queue 0 of dpdk0 is in cpu1 and in cpu2",
        small(),
        workers((A, B), (("dpdk0", (0,), (1,)), B1)),
        code=-2,
    ),
    Case(
        "3 F05 tx queue twice",
        "queues",
        "tx queue 0 of dpdk1 is in cpu1 and in cpu2",
        small(),
        workers((A, B), (A1, ("dpdk1", (1,), (0,)))),
        code=-3,
    ),
    Case("3 F05 a gap", "queues", "1 is missing", small(), workers((A, B), (("dpdk0", (2,), (1,)), B1)), code=-4),
    Case("3 F05 not from 0", "queues", "0 is missing", small(), workers((A1, B)), code=-4),
    Case("3 F05 a port too many", "queues", "has 3 ports, and there are 2", small(), workers((A, B, ("dpdk2", (0,), (0,)))), code=-5),
    Case("3 F05 a port that a worker lacks", "queues", "cpu2 has no queue of dpdk1", small(), workers((A, B), (A1,)), code=-6),
    Case("3 F05 no tx queue", "queues", "cpu2 has no tx queue of dpdk1", small(), workers((A, B), (A1, ("dpdk1", (1,), ()))), code=-6),
    Case("3 F05 no slave", "queues", "there is no slave worker", small(), without("cpu1"), code=-7),
    Case("3 F05 a slave without ports", "queues", "cpu1, the first slave, has no port", small(), workers((), (A, B)), code=-7),
    Case("3 a later slave without ports", "queues", "every worker with a higher cpu_id", small(), workers((A, B), ())),
    Case("3 a port that no device is", "queues", "no device or bond is called so", small(), workers((A, B, ("dpdk7", (0,), (0,))))),
    Case("3 F10 a device without queues", "queues", "no worker has queues of dpdk1", small(), workers((A,))),
    Case(
        "4 queue_number",
        "queue-number",
        "queue_number is 1, and the workers have 2",
        small(),
        workers((A, B), (A1, B1)),
        severity="warning",
    ),
    Case(
        "4 F11 a NIC with fewer queues",
        "queue-number",
        "has 1 queues, and the workers want 4",
        small(slaves=4),
        host=Machine(ports=tuple(replace(port, queues=1) for port in PORTS)),
    ),
    Case("5 F06 an lcore that isn't there", "lcores", "non-EAL thread lcore", small(), worker(1, cpu_id=5), Machine(lcores=(0, 1))),
    Case("5 F05 more workers than lcores", "lcores", "error code: -4", small(slaves=8), host=Machine(lcores=(0, 1))),
    Case("5 lcores without a worker", "lcores", "lcores 2, 3", small(), host=Machine(lcores=(0, 1, 2, 3)), severity="warning"),
    Case(
        "5 F06 main lcore is a slave's",
        "lcores",
        "the master is on 0, and the main lcore is 1",
        small(),
        host=Machine(lcores=(0, 1), main=1),
    ),
    Case("5 two masters", "lcores", "2 workers are master", small(slaves=2), worker(2, type="master")),
    Case("5 no master", "lcores", "0 workers are master", small(), without("cpu0")),
    Case("5 one cpu_id twice", "lcores", "cpu_id 0 is in 2 workers", small(), worker(1, cpu_id=0)),
    Case("5 no cpu_id", "lcores", "cpu1 has no cpu_id", small(), worker(1, cpu_id=None)),
    Case("5 no type", "lcores", "cpu1 has no type", small(), worker(1, type=None)),
    Case("5 F07 more than there are CPUs", "lcores", "takes 5 CPUs of 4", small(slaves=4), host=Machine(cpus=4)),
    Case("5 F07 every CPU", "lcores", "leaves nothing to sshd", small(slaves=4), host=Machine(cpus=5), severity="warning"),
    Case("6 F68 a worker on a member", "bond-ports", "dpdk0, which is in bond0", bonded(), workers((A,))),
    Case(
        "6 F66 mode 6",
        "bond-ports",
        "mode 6 is taken and does not work",
        bonded(),
        lambda c: replace(c, bonds=(Bond("bond0", ("dpdk0", "dpdk1"), {"mode": 6, "primary": "dpdk0"}),)),
    ),
    Case(
        "6 a member that isn't there",
        "bond-ports",
        "dpdk5, a slave of bond0, is no device",
        bonded(),
        lambda c: replace(c, bonds=(Bond("bond0", ("dpdk0", "dpdk5"), {"mode": 4, "primary": "dpdk0"}),)),
    ),
    Case(
        "6 another's primary",
        "bond-ports",
        "primary dpdk9 is none of its slaves",
        bonded(),
        lambda c: replace(c, bonds=(Bond("bond0", ("dpdk0", "dpdk1"), {"mode": 4, "primary": "dpdk9"}),)),
    ),
    Case(
        "7 flow off with two workers",
        "flow-director",
        "flow_enable is off with 2 slave workers",
        small(slaves=2, sa_pool__flow_enable=False),
    ),
    Case(
        "7 a NIC without rte_flow",
        "flow-director",
        "has no rte_flow",
        small(sa_pool__flow_enable=True),
        host=Machine(ports=(replace(PORTS[0], flow=False), PORTS[1])),
    ),
    Case("8 six workers", "power-of-two", "6 slave workers use 6 of 8", small(slaves=6), severity="warning"),
    Case("9 more descriptors than packets", "descriptors", "of the 1023 in the pool", small(netif_defs__pktpool_size=1023)),
    Case("9 nearly as many", "descriptors", "of the 3000 in the pool", small(netif_defs__pktpool_size=3000), severity="warning"),
    Case("F03 F12 too few huge pages", "pages", "NUMA node 1 has 512 MB", small(), host=Machine(free_mb={0: 4096, 1: 512})),
    Case(
        "F03 LIPs need pages too",
        "pages",
        "needs about 958 MB",
        small(ipvs_defs__conn__conn_pool_size=65536),
        host=Machine(free_mb={0: 800}, lips=6),
    ),
    Case("F04 more NUMA nodes than built for", "nodes", "4 NUMA nodes, and dpvs is built for 2", small(), host=Machine(nodes=4)),
    Case("two KNIs without a name", "kni", "dpdk0, dpdk1 have no kni_name", small(), nameless),
    Case("one KNI without a name", "kni", "dpdk0 has no kni_name", small(1), nameless, severity="warning"),
    Case("F08 KNI without vhost-net", "kni", "no /dev/vhost-net", small(), host=Machine(vhost_net=False)),
    Case("F70 arms on two NUMA nodes", "nodes", "mbuf_fast_free on", small(), host=Machine(ports=(Port("a", node=0), Port("b", node=1)))),
    Case(
        "too many fragments",
        "fragments",
        "above bucket_number x bucket_entries",
        small(**{"ipv4_defs__fragment__bucket_number": 64}),
        severity="warning",
    ),
]


NOWHERE = ("nodes", "kni")
"""Rules that a line that isn't there can break."""


@pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])
def test_rule(case: Case):
    """The good conf has no finding for this rule; the changed one has it, on a line of the file, with a way out."""
    changed = case.change(case.conf)
    text = write(changed)
    found = [f for f in validate(text, case.host) if f.rule == case.rule and case.says in f"{f.message} {f.silently}"]
    assert found, validate(text, case.host)
    assert found[0].severity == case.severity
    assert case.code is None or found[0].code == case.code
    assert found[0].fix
    assert found[0].silently
    assert 0 < found[0].line <= text.count("\n") or (found[0].line == 0 and case.rule in NOWHERE)


@pytest.mark.parametrize("conf", [small(), small(1), small(2, 2), small(4, 8), bonded()], ids=["two", "one", "2x2", "4x8", "bond"])
def test_good_confs_have_no_finding(conf: Conf):
    assert validate(write(conf)) == ()


def test_the_labs_conf_has_no_finding():
    """The file that the netns lab writes for real dpvs."""
    made = lab_conf.dpvs_conf((lab_conf.Port("dpdk0", "dpdk0.kni"), lab_conf.Port("dpdk1", "dpdk1.kni")), log_file="/var/log/dpvs.log")
    host = Machine(ports=(Port("net_af_packet0", flow=False), Port("net_af_packet1", flow=False)), lcores=(0, 1), main=0, vhost_net=False)
    assert validate(made, host) == ()


def test_a_finding_names_the_line_of_the_value():
    text = write(small(netif_defs__pktpool_size=1023))
    line = next(f.line for f in validate(text) if f.rule == "descriptors")
    assert "pktpool_size" in text.splitlines()[line - 1]


@pytest.mark.parametrize(
    ("words", "lcores", "main", "ports"),
    [
        ("-l 0-8 -a 0000:06:00.1 -a 06:00.0", tuple(range(9)), 0, ("0000:06:00.0", "0000:06:00.1")),
        ("--lcores 0@1,1@2,(2-4)@(3,5) --main-lcore=1", (0, 1, 2, 3, 4), 1, None),
        ("-l0,2 --no-pci --vdev=net_af_packet0,iface=x --vdev net_af_packet1,iface=y", (0, 2), 0, ("net_af_packet0", "net_af_packet1")),
        ("-c 0x3 --file-prefix=dpvs1", (0, 1), 0, None),
        ("--lcores (0,1)@1", (0, 1), 0, None),
    ],
)
def test_arguments(words: str, lcores: tuple[int, ...], main: int, ports: tuple[str, ...] | None):
    found = arguments(words.split())
    assert (found.lcores, found.main, found.ports) == (lcores, main, ports)


@pytest.mark.parametrize("words", ["-l", "-l x", "-l 0-", "-c zz", "--main-lcore=a"])
def test_bad_arguments(words: str):
    with pytest.raises(BadArguments):
        arguments(words.split())
