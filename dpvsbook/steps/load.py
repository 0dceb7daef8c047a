"""A bounded load from the client, and what the director counts meanwhile: the pictures of a runbook."""

from __future__ import annotations

import contextlib
import shlex
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from dpvsbook.book import Book
from dpvsbook.facts import dpip_addr, ipvsadm_stats
from dpvsbook.hosts import Shell
from dpvsbook.params import HttpCheck
from dpvsbook.steps.service import key_of
from dpvsbook.steps.verify import url_of

if TYPE_CHECKING:
    import pandas as pd

SAMPLE_SECONDS = 0.5
"""Between two samples; each asks every worker, so it isn't made shorter (reference C, Metrics)."""


@dataclass(frozen=True)
class Load:
    """The samples of one load. `connections`: seconds, director, service, server, conns (a counter);
    `ports`: seconds, director, lip, used, free, miss."""

    connections: pd.DataFrame | None
    ports: pd.DataFrame | None
    note: str

    def requests(self) -> Any:
        """Requests per real server over time, as a figure; the note where there was no load."""
        from dpvsbook import plots

        return self.note if self.connections is None else plots.requests(self.connections)

    def lip_ports(self) -> Any:
        """LIP ports in use over time, as a figure; the note where there was no load."""
        from dpvsbook import plots

        return self.note if self.ports is None else plots.lip_ports(self.ports)

    def __repr__(self) -> str:
        return self.note


def load(book: Book) -> Load:
    """Send the requests that `checks.load` names, at its rate, and sample every director until they are through. Nothing in preview."""
    check, http = book.params.checks.load, book.params.checks.http or HttpCheck()
    if check is None or book.mode != "apply":
        return Load(None, None, "no load in the params" if check is None else f"no load is sent in {book.mode}")
    started = time.monotonic()
    target = next(service for service in book.params.services if service.protocol == "tcp")
    client = http.client or book.params.clients[0].name
    done = threading.Event()
    failed: list[BaseException] = []
    answered: list[str] = []

    def send() -> None:
        try:
            (result,) = book.run_on(
                client,
                [_script(url_of(target, http), check.requests, check.rate, http.timeout)],
                timeout=60 + check.requests * (1 / check.rate + http.timeout),
            )
            answered.extend(result.stdout.split())
        except BaseException as error:
            failed.append(error)
        finally:
            done.set()

    sender = threading.Thread(target=send, name=f"load from {client}", daemon=True)
    connections: list[dict[str, Any]] = []
    ports: list[dict[str, Any]] = []
    with book.journalled():
        _sample(book, 0.0, connections, ports)
        sender.start()
        threading.Thread(target=_import, name="imports of the plots", daemon=True).start()  # seconds, which pass while the load runs
        last = False
        while not last:
            last = done.wait(SAMPLE_SECONDS)
            _sample(book, time.monotonic() - started, connections, ports)
        if failed:
            raise failed[0]
    good = sum(status == str(http.expect_status) for status in answered)
    book.check(
        f"{key_of(target)}: load",
        good == check.requests,
        f"{good} of {check.requests} requests answered {http.expect_status} at {check.rate}/s",
    )
    import pandas as pd

    frames = {"connections": pd.DataFrame(connections), "lip-ports": pd.DataFrame(ports)}
    for name, frame in frames.items():
        book.record.table(name, frame)
    taken = Load(frames["connections"], frames["lip-ports"], f"{good} of {check.requests} requests answered")
    book.record.figure("requests", taken.requests())
    book.record.figure("lip-ports", taken.lip_ports())
    book.record.event(
        "step",
        step="load",
        title="Load",
        status="passed" if good == check.requests else "failed",
        changes=0,
        seconds=round(time.monotonic() - started, 3),
        detail=taken.note,
    )
    return taken


def _import() -> None:
    from dpvsbook import plots

    with contextlib.suppress(ImportError):  # said where a picture is wanted
        plots.warm_up()


def _script(url: str, requests: int, rate: float, timeout: float) -> Shell:
    """A loop on the client, so that a load of any length is one command; each request prints its status."""
    curl = f"curl -g -s -o /dev/null -m {timeout} -w '%{{http_code}}\\n' {shlex.quote(url)}"
    one = f"{curl} & i=$((i+1)); sleep {1 / rate:.3f}; wait"  # the request within the pause, or the rate wouldn't be kept
    return Shell(f"i=0; while [ $i -lt {requests} ]; do {one}; done", name=f"load: {requests} requests")


def _sample(book: Book, seconds: float, connections: list[dict[str, Any]], ports: list[dict[str, Any]]) -> None:
    for name, site in book.sites.items():
        stats, addresses = book.sample(site)
        for row in ipvsadm_stats.parse(stats):
            connections += [
                {"seconds": seconds, "director": name, "service": str(row.key), "server": str(s.endpoint), "conns": s.conns}
                for s in row.servers
            ]
        pools = [(a.address, a.pool) for a in dpip_addr.parse(addresses) if a.pool is not None]
        ports += [{"seconds": seconds, "director": name, "lip": lip, "used": p.used, "free": p.free, "miss": p.miss} for lip, p in pools]
