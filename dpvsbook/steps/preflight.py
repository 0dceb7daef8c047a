"""Before anything is changed: is this what the params describe, and can it carry what they want?"""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from dataclasses import dataclass

from dpvsbook.book import Book
from dpvsbook.errors import PlanError
from dpvsbook.facts.director import DirectorState
from dpvsbook.params import Director, Params
from dpvsbook.steps.laddr import PoolKind
from dpvsbook.views import ChecksView

LIP_MEMORY = 42 << 20
"""Bytes of huge pages that one LIP's port pool takes: 65,536 ports x 16 buckets x 40 bytes (observed.md; reference F25)."""


@dataclass(frozen=True, slots=True)
class Check:
    """One thing looked at: what was seen, and what to do where it isn't right."""

    name: str
    ok: bool
    detail: str
    remedy: str = ""


def checks(params: Params, director: Director, state: DirectorState, meminfo: str) -> Iterator[Check]:
    """Every check of one director, from one observation."""
    yield Check(
        f"{director.name}: version",
        state.version.startswith(params.dpvs),
        f"dpvs {state.version}, the params say {params.dpvs}",
        f"Set `dpvs:` in the params to what runs there, or upgrade {director.name}.",
    )
    links = {link.name: link for link in state.links}
    for device in director.devices:
        link = links.get(device.name)
        seen = "not there" if link is None else "UP" if link.up else "DOWN"
        remedy = (
            "The link is down: look at the cable and the switch port."
            if link
            else "dpvs.conf has no such device: compare its device blocks."
        )
        yield Check(f"{director.name}: {device.name}", link is not None and link.up, f"{device.name} is {seen}", remedy)
    yield from conflicts(params, director, state)
    yield memory(params, director, state, meminfo)


def conflicts(params: Params, director: Director, state: DirectorState) -> Iterator[Check]:
    """A VIP or a subnet's route on a second device: both are accepted in silence, and lead traffic astray (transcript 05)."""
    for device in director.devices:
        for subnet in params.networks[device.network].subnets:
            other = sorted({r.device for r in state.routes if r.prefix == subnet and r.scope == "link"} - {device.name})
            if other:
                yield Check(
                    f"{director.name}: route {subnet}",
                    False,
                    f"{subnet} belongs to {device.name} and is routed by {', '.join(other)} too",
                    f"dpip route del {subnet} dev {other[0]}",
                )
    for service in params.services_on(director):
        wanted = params.device_for(director, service.network)
        other = sorted({a.device for a in state.addresses if a.address == service.vip} - {wanted})
        if other:
            yield Check(
                f"{director.name}: VIP {service.vip}",
                False,
                f"{service.vip} belongs on {wanted} and is on {', '.join(other)} too",
                f"dpip addr del {service.vip}/32 dev {other[0]}",
            )


def memory(params: Params, director: Director, state: DirectorState, meminfo: str) -> Check:
    """Huge pages for the LIPs that are still to be made: dpvs says nothing when they run out, the LIP just has no ports (transcript 12)."""
    missing = [
        key for key in PoolKind().desired(params, director) if not PoolKind().observed(params, director, state).get(key, {}).get("pool")
    ]
    fields = {name: int(value) for name, value in re.findall(r"^(\w+):\s+(\d+)", meminfo, re.MULTILINE)}
    name, need = f"{director.name}: memory for LIPs", len(missing) * LIP_MEMORY
    made = "1 LIP to make" if len(missing) == 1 else f"{len(missing)} LIPs to make"
    if not fields.get("HugePages_Total"):
        return Check(name, True, f"{made}; this host has no huge pages reserved, so nothing can be said of what is left")
    free = fields["HugePages_Free"] * fields["Hugepagesize"] * 1024
    return Check(
        name,
        need <= free,
        f"{made}: {need >> 20} MB of huge pages; {free >> 20} MB are free",
        "Reserve more huge pages on the host, or give the director fewer LIPs.",
    )


def preflight(book: Book) -> ChecksView:
    """Check every director. In apply mode a failed check stops the run before the first change."""
    started = time.monotonic()
    found = [
        check
        for site in book.sites.values()
        for check in checks(book.params, site.director, site.state, site.outputs[("cat", "/proc/meminfo")])
    ]
    for check in found:
        book.check(check.name, check.ok, check.detail)
    bad = [check for check in found if not check.ok]
    book.record.event(
        "step",
        step="preflight",
        title="Preflight",
        status="failed" if bad else "passed",
        changes=0,
        seconds=round(time.monotonic() - started, 3),
        detail=f"{len(found) - len(bad)} of {len(found)} checks passed",
    )
    view = ChecksView("Preflight", [(c.name, c.ok, c.detail if c.ok else f"{c.detail}. {c.remedy}") for c in found])
    if bad and book.mode == "apply":
        with book.journalled():
            raise PlanError(f"preflight: {'; '.join(f'{c.name}: {c.detail}' for c in bad)}", remedy=bad[0].remedy)
    return view
