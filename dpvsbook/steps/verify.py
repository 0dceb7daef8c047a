"""The proof: every plan is empty, and real requests through the VIP reach every real server in the shares that the scheduler promises."""

from __future__ import annotations

import ipaddress
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from dpvsbook.book import Book
from dpvsbook.facts import ipvsadm_stats
from dpvsbook.facts.ipvs import ServiceKey
from dpvsbook.hosts import Command, Result
from dpvsbook.params import HttpCheck, Params, Service
from dpvsbook.steps.address import address
from dpvsbook.steps.laddr import laddr
from dpvsbook.steps.route import route
from dpvsbook.steps.service import key_of, service
from dpvsbook.views import ChecksView

EVEN = ("rr", "wrr")
"""Schedulers that share connections in proportion to the weights, whatever the client."""

SPREADING = (*EVEN, "wlc")
"""Schedulers by which one client reaches every real server; mh and conhash bind a client to one, fo uses only the heaviest."""


@dataclass(frozen=True, slots=True)
class Answer:
    """One request: HTTP status (0: none came), seconds, and what curl said where it failed."""

    status: int
    seconds: float
    said: str


def curl(url: str, check: HttpCheck) -> Command:
    """One request on a connection of its own, its status and time on a last line."""
    return Command(("curl", "-g", "-sS", "-m", str(check.timeout), "-w", r"\n%{http_code} %{time_total}\n", url))


def url_of(service: Service, check: HttpCheck) -> str:
    """Where the check's requests go."""
    assert service.vip is not None  # noqa: S101 - match services are refused when a book is opened
    host = f"[{service.vip}]" if ipaddress.ip_address(service.vip).version == 6 else service.vip
    return f"http://{host}:{service.port}{check.path}"


def answer(result: Result) -> Answer:
    """What a `curl` command's result says."""
    lines = result.stdout.splitlines()
    try:
        status, seconds = lines[-1].split()
        return Answer(int(status), float(seconds), result.stderr.strip())
    except (IndexError, ValueError):
        return Answer(0, result.seconds, result.stderr.strip() or f"curl ended with {result.exit}")


def connections(text: str, key: ServiceKey) -> dict[str, int]:
    """Connections so far per real server of one service, from `ipvsadm -ln --stats --exact`."""
    return {str(server.endpoint): server.conns for row in ipvsadm_stats.parse(text) if row.key == key for server in row.servers}


def expected_shares(params: Params, service: Service) -> dict[str, float]:
    """Real server to its share of the connections, by weight; a real server of weight 0 gets none."""
    total = sum(rs.weight for rs in service.real_servers) or 1
    shares: dict[str, float] = {}
    for rs in service.real_servers:
        host = params.service_address(service, rs)
        shares[f"[{host}]:{rs.port}" if ":" in host else f"{host}:{rs.port}"] = (
            1 / sum(r.weight > 0 for r in service.real_servers) if service.scheduler == "rr" and rs.weight else rs.weight / total
        )
    return shares


def judge_shares(params: Params, service: Service, got: Mapping[str, int]) -> tuple[bool, str]:
    """Whether the connections went where the scheduler promises, and that in words. One connection either way is the rounding."""
    total = sum(got.values())
    expected = expected_shares(params, service)
    said = ", ".join(f"{server} {got.get(server, 0)} of {total} ({share:.0%} expected)" for server, share in expected.items())
    if service.persistent:
        return total > 0, f"persistent, so one client stays with one real server: {said}"
    if service.scheduler in EVEN:
        slack = max(1.0, 0.05 * total)
        return total > 0 and all(abs(got.get(server, 0) - share * total) <= slack for server, share in expected.items()), said
    if service.scheduler in SPREADING:
        return all(got.get(server, 0) > 0 for server, share in expected.items() if share), said
    return total > 0 and not any(got.get(server, 0) for server, share in expected.items() if not share), f"{service.scheduler}: {said}"


def verify(book: Book) -> ChecksView:
    """Look again: each step's plan must be empty. Then send the check's requests and see where they went.

    In preview nothing is sent while changes are pending; in undo this is where the changes are taken back.
    """
    if book.mode == "undo":
        return _verify_undo(book)
    started = time.monotonic()
    with book.journalled():
        book.look_everywhere()
        rows: list[tuple[str, bool, str]] = []
        for name, site in book.sites.items():
            for step in (address, route, service, laddr):
                left = step.plan(book.params, site.director, site.state)
                if book.mode == "apply" or not left:
                    rows.append(
                        (f"{name}: {step.name}", not left, "as the params say" if not left else f"{len(left.changes)} changes left")
                    )
        if not book.pending and book.params.checks.http:
            for wanted in book.params.services:
                if wanted.protocol == "tcp":
                    rows += _traffic(book, wanted, book.params.checks.http)
        for name, ok, detail in rows:
            book.check(name, ok, detail)
    book.verified = True
    bad = sum(not ok for _, ok, _ in rows)
    book.record.event(
        "step",
        step="verify",
        title="Verify",
        status="failed" if bad else "planned" if book.pending else "passed",
        changes=0,
        seconds=round(time.monotonic() - started, 3),
        detail=f"{len(rows) - bad} of {len(rows)} checks passed",
    )
    note = f"{book.pending} changes are pending: no request was sent." if book.pending else ""
    return ChecksView("Verify", rows, note)


def _traffic(book: Book, wanted: Service, check: HttpCheck) -> Sequence[tuple[str, bool, str]]:
    sites = [site for site in book.sites.values() if wanted in book.params.services_on(site.director)]
    client = check.client or book.params.clients[0].name
    key, command = key_of(wanted), curl(url_of(wanted, check), check)
    before = Counter[str]()
    after = Counter[str]()
    for site in sites:
        before.update(connections(book.stats(site), key))
    answers = [answer(result) for result in book.run_on(client, [command] * check.requests)]
    for site in sites:
        after.update(connections(book.stats(site), key))
    good = [a for a in answers if a.status == check.expect_status]
    book.record.event("requests", service=str(key), client=client, answers=[[a.status, a.seconds] for a in answers])
    wrong = Counter(a.said or f"status {a.status}" for a in answers if a.status != check.expect_status)
    detail = f"{len(good)} of {len(answers)} requests from {client} answered {check.expect_status}"
    if wrong:
        detail += "; " + ", ".join(f"{count} x {text}" for text, count in wrong.most_common(3))
    ok, said = judge_shares(book.params, wanted, {server: after[server] - before[server] for server in after})
    return [(f"{key}: answers", len(good) == len(answers), detail), (f"{key}: shares", ok, said)]


def _verify_undo(book: Book) -> ChecksView:
    with book.journalled():
        book.take_back()
        rows = [
            (f"{name}: {step.name}", not left, "as it was before" if not left else f"{len(left.changes)} changes left")
            for step in book.steps
            for name, left in book.plan_undo(step).items()
        ]
        for name, ok, detail in rows:
            book.check(name, ok, detail)
    book.verified = True
    return ChecksView("Taken back", rows)
