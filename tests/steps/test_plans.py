"""Desired - observed, on directors in every state that the transcripts show."""

from __future__ import annotations

from pathlib import Path

import pytest

from dpvsbook import params as params_module
from dpvsbook import steps
from dpvsbook.params import Params
from dpvsbook.plan import DIRECTOR_KINDS, Plan, Step, compile_commands
from tests.steps.director import address, route, state

FILE = Path(__file__).parents[2] / "params" / "fnat-two-arm.yaml"
VIP, LIP = address("10.0.0.100/32", "dpdk1"), address("192.168.100.200/32", "dpdk0", pool=True)
HOST_ROUTES = route("10.0.0.100/32", "dpdk1", scope="host") + route("192.168.100.200/32", "dpdk0", scope="host")
LINK_ROUTES = route("10.0.0.0/16", "dpdk1") + route("192.168.100.0/24", "dpdk0")
SERVERS = ["192.168.100.2:80 -b -w 1", "192.168.100.3:80 -b -w 1"]
DONE = state(VIP + LIP, HOST_ROUTES + LINK_ROUTES, {"10.0.0.100:80": ("rr", SERVERS)}, {"10.0.0.100:80": ["192.168.100.200"]})


@pytest.fixture(scope="module")
def params() -> Params:
    return params_module.load(FILE)


def plan(step: Step, params: Params, seen: object) -> Plan:
    return step.plan(params, params.directors[0], seen)  # type: ignore[arg-type]


def sent(found: Plan) -> list[str]:
    return [" ".join(argv) for change in found.changes for argv in change.commands]


def test_from_nothing_it_is_the_tutorial(params: Params) -> None:
    assert sent(plan(steps.converge, params, state())) == [
        "dpip addr add 10.0.0.100/32 dev dpdk1",
        "dpip route add 192.168.100.0/24 dev dpdk0",
        "dpip route add 10.0.0.0/16 dev dpdk1",
        "ipvsadm -A -t 10.0.0.100:80 -s rr",
        "ipvsadm -a -t 10.0.0.100:80 -r 192.168.100.2:80 -b -w 1",
        "ipvsadm -a -t 10.0.0.100:80 -r 192.168.100.3:80 -b -w 1",
        "dpip addr add 192.168.100.200/32 dev dpdk0 sapool",
        "ipvsadm -P -t 10.0.0.100:80 -z 192.168.100.200 -F dpdk0",
    ]


def test_done_is_an_empty_plan(params: Params) -> None:
    found = plan(steps.converge, params, DONE)
    assert not found
    assert not found.changes
    assert not found.drift


@pytest.mark.parametrize(
    ("seen", "commands", "reason"),
    [
        pytest.param(
            state(
                VIP + address("192.168.100.200/32", "dpdk0"),
                HOST_ROUTES + LINK_ROUTES,
                {"10.0.0.100:80": ("rr", SERVERS)},
                {"10.0.0.100:80": ["192.168.100.200"]},
            ),
            ["dpip addr del 192.168.100.200/32 dev dpdk0", "dpip addr add 192.168.100.200/32 dev dpdk0 sapool"],
            "without a port pool",
            id="a LIP without a pool (transcript 12)",
        ),
        pytest.param(
            state(
                VIP + LIP,
                route("192.168.100.200/32", "dpdk0", scope="host") + LINK_ROUTES,
                {"10.0.0.100:80": ("rr", SERVERS)},
                {"10.0.0.100:80": ["192.168.100.200"]},
            ),
            ["dpip addr del 10.0.0.100/32 dev dpdk1", "dpip addr add 10.0.0.100/32 dev dpdk1"],
            "host route is gone",
            id="a VIP that lost its host route (transcript 05)",
        ),
        pytest.param(
            state(
                VIP + LIP,
                HOST_ROUTES + LINK_ROUTES,
                {"10.0.0.100:80": ("rr", [SERVERS[0].replace("-b -w 1", "-g -w 5"), SERVERS[1]])},
                {"10.0.0.100:80": ["192.168.100.200"]},
            ),
            ["ipvsadm -e -t 10.0.0.100:80 -r 192.168.100.2:80 -b -w 1 -x 0 -y 0"],
            "method is dr, wanted fnat, weight is 5, wanted 1",
            id="an edit without -b made it Route (transcript 09)",
        ),
        pytest.param(
            state(
                VIP + LIP,
                HOST_ROUTES + LINK_ROUTES,
                {"10.0.0.100:80": ("wrr conn-timeout 60", SERVERS)},
                {"10.0.0.100:80": ["192.168.100.200"]},
            ),
            ["ipvsadm -E -t 10.0.0.100:80 -s rr -j disable --conn-timeout 0 --proxy-protocol disable --dest-check=disable"],
            "scheduler is wrr, wanted rr, conn timeout is 60, wanted off",
            id="another scheduler: an edit names every option",
        ),
        pytest.param(
            state(
                VIP + LIP,
                HOST_ROUTES + LINK_ROUTES,
                {"10.0.0.100:80": ("rr persistent 60", SERVERS)},
                {"10.0.0.100:80": ["192.168.100.200"]},
            ),
            [
                "ipvsadm -D -t 10.0.0.100:80",
                "ipvsadm -A -t 10.0.0.100:80 -s rr",
                "ipvsadm -a -t 10.0.0.100:80 -r 192.168.100.2:80 -b -w 1",
                "ipvsadm -a -t 10.0.0.100:80 -r 192.168.100.3:80 -b -w 1",
                "ipvsadm -P -t 10.0.0.100:80 -z 192.168.100.200 -F dpdk0",
            ],
            "made anew",
            id="persistence can't be taken off by an edit (transcript 09)",
        ),
        pytest.param(
            state(
                VIP + LIP,
                HOST_ROUTES + route("10.0.0.0/16", "dpdk1", via="10.0.0.9") + route("192.168.100.0/24", "dpdk0"),
                {"10.0.0.100:80": ("rr", SERVERS)},
                {"10.0.0.100:80": ["192.168.100.200"]},
            ),
            ["dpip route del 10.0.0.0/16 dev dpdk1", "dpip route add 10.0.0.0/16 dev dpdk1"],
            "via 10.0.0.9",
            id="a route with another gateway: adding it again would be ignored (F28)",
        ),
        pytest.param(
            state(VIP + LIP, HOST_ROUTES + LINK_ROUTES, {"10.0.0.100:80": ("rr", SERVERS)}, {}),
            ["ipvsadm -P -t 10.0.0.100:80 -z 192.168.100.200 -F dpdk0"],
            "may not use",
            id="after -S | -R the service has no LIP (transcript 10)",
        ),
    ],
)
def test_what_is_wrong_is_mended(params: Params, seen: object, commands: list[str], reason: str) -> None:
    found = plan(steps.converge, params, seen)
    assert sent(found) == commands
    assert reason in found.changes[0].reason


def test_other_peoples_services_are_drift_and_stay(params: Params) -> None:
    seen = state(
        VIP + LIP + address("10.0.0.7/32", "dpdk1"),
        HOST_ROUTES + LINK_ROUTES + route("10.9.0.0/16", "dpdk1"),
        {"10.0.0.100:80": ("rr", SERVERS), "10.0.0.7:443": ("wlc", ["192.168.100.9:443 -b -w 1"])},
        {"10.0.0.100:80": ["192.168.100.200"]},
    )
    found = plan(steps.converge, params, seen)
    assert not found
    assert {(d.kind, d.key) for d in found.drift} == {
        ("address", "10.0.0.7/32 dev dpdk1"),
        ("route", "10.9.0.0/16 dev dpdk1"),
        ("service", "tcp 10.0.0.7:443"),
    }
    pruned = plan(steps.converge, params.model_copy(update={"prune": True}), seen)
    assert sent(pruned) == ["dpip addr del 10.0.0.7/32 dev dpdk1", "dpip route del 10.9.0.0/16 dev dpdk1", "ipvsadm -D -t 10.0.0.7:443"]


def test_a_real_server_without_a_port_is_named(params: Params) -> None:
    seen = state(
        VIP + LIP,
        HOST_ROUTES + LINK_ROUTES,
        {"10.0.0.100:80": ("rr", [*SERVERS, "192.168.100.2:0 -b -w 1"])},
        {"10.0.0.100:80": ["192.168.100.200"]},
    )
    (drift,) = plan(steps.converge, params, seen).drift
    assert "port 0" in drift.detail


def test_a_shared_lip_is_given_back(params: Params) -> None:
    """--del-laddr takes the address from every service that uses it (transcript 05)."""
    seen = state(
        VIP + LIP + address("192.168.100.201/32", "dpdk0", pool=True),
        HOST_ROUTES + LINK_ROUTES,
        {"10.0.0.100:80": ("rr", SERVERS), "10.0.0.100:81": ("rr", SERVERS)},
        {"10.0.0.100:80": ["192.168.100.200", "192.168.100.201"], "10.0.0.100:81": ["192.168.100.201"]},
    )
    pruned = sent(plan(steps.laddr, params.model_copy(update={"prune": True}), seen))
    at = pruned.index("ipvsadm -Q -t 10.0.0.100:80 -z 192.168.100.201 -F dpdk0")
    assert pruned[at + 1] == "dpip addr add 192.168.100.201/32 dev dpdk0 sapool"


def test_undo_takes_back_what_was_applied_and_only_that(params: Params) -> None:
    applied = [change.as_json() for change in plan(steps.converge, params, state()).changes]
    back = steps.converge.undo(params, params.directors[0], DONE, applied)
    commands = sent(back)
    assert "ipvsadm -D -t 10.0.0.100:80" in commands
    assert "dpip addr del 10.0.0.100/32 dev dpdk1" in commands
    assert not any(command.startswith("ipvsadm -d ") for command in commands), "real servers go with their service"
    assert steps.converge.undo(params, params.directors[0], state(), applied).changes == ()


def test_undo_leaves_what_somebody_changed_since(params: Params) -> None:
    applied = [change.as_json() for change in plan(steps.service, params, state()).changes]
    since = state(VIP + LIP, HOST_ROUTES + LINK_ROUTES, {"10.0.0.100:80": ("wlc", SERVERS)})
    back = steps.service.undo(params, params.directors[0], since, applied)
    assert not back
    assert [d.key for d in back.drift] == ["tcp 10.0.0.100:80"]


def test_rules_go_through_one_restore() -> None:
    commands = [("ipvsadm", "-A", "-t", "a"), ("ipvsadm", "-a", "-t", "a"), ("dpip", "x"), ("ipvsadm", "-P", "-t", "a")]
    assert [(b.argv, b.stdin) for b in compile_commands(commands)] == [
        (("ipvsadm", "-R"), "-A -t a\n-a -t a\n"),
        (("dpip", "x"), None),
        (("ipvsadm", "-R"), "-P -t a\n"),
    ]


@pytest.mark.parametrize("bad", ["", "a b", "a\nb", "\t"])
def test_nothing_is_pasted_into_a_rule(bad: str) -> None:
    with pytest.raises(ValueError, match="not a rule"):
        list(compile_commands([("ipvsadm", "-A", bad)]))


def test_a_lip_that_nobody_uses_any_more_is_not_given_back(params: Params) -> None:
    """Two services give up a LIP in one plan: its address goes with it, and no command puts it back in between."""
    services = {f"10.0.0.100:{port}": ("rr", SERVERS) for port in (80, 81)}
    lips = {vip: ["192.168.100.200", "192.168.100.201"] for vip in services}
    seen = state(VIP + LIP + address("192.168.100.201/32", "dpdk0", pool=True), HOST_ROUTES + LINK_ROUTES, services, lips)
    both = (*params.services, params.services[0].model_copy(update={"name": "web81", "port": 81}))
    wanted = params.model_copy(update={"prune": True, "services": both})
    assert sent(plan(steps.laddr, wanted, seen)) == [
        "dpip addr del 192.168.100.201/32 dev dpdk0",
        "ipvsadm -Q -t 10.0.0.100:80 -z 192.168.100.201 -F dpdk0",
        "ipvsadm -Q -t 10.0.0.100:81 -z 192.168.100.201 -F dpdk0",
    ]


def test_an_undo_knows_every_kind() -> None:
    assert {kind.name for step in steps.CONFIGURATION for kind in step.kinds} == DIRECTOR_KINDS
