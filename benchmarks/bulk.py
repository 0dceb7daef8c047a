"""1,000 services, two real servers and a LIP each, from nothing to read back and verified, against the least that SSH could do it in."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from benchmarks import labs
from benchmarks.measure import Row, in_turn, left_out, number, row, seconds

SERVICES = 1000
LOOK = "ipvsadm -S -n; ipvsadm -G; dpip -s addr show"
WHAT = f"{SERVICES:,} services, applied and verified"


def ours(params: Path, ssh_config: Path, outputs: Path) -> dict[str, float]:
    """In a process of its own, libraries loaded by a preview: seconds to read back and verified, to its record, and its peak in MB.

    So it is in a notebook, where this is the second cell that does something. The row of the whole process has the loading and the preview.
    """
    from dpvsbook import steps
    from dpvsbook.book import open_book

    preview = open_book(params, "preview", ssh_config=ssh_config, outputs=outputs)
    steps.converge(preview)
    preview.finish()
    started = time.perf_counter()
    book = open_book(params, "apply", ssh_config=ssh_config, outputs=outputs)
    steps.converge(book)  # which looks again after it has sent, and raises unless its plan is then empty
    left = [len(steps.converge.plan(book.params, site.director, site.state).changes) for site in book.sites.values()]
    book.check("every plan is empty", not any(left), f"{sum(left)} changes left")
    verified = time.perf_counter() - started
    book.verified = True
    book.finish()
    recorded = time.perf_counter() - started
    if book.verdict != "converged" or book.applied < 4 * SERVICES:
        raise SystemExit(f"verdict {book.verdict}, {book.applied} changes")
    return {"verified": verified, "recorded": recorded, "megabytes": peak()}


def peak() -> float:
    """This process's peak in MB. Linux's getrusage counts the parent's memory in, from before the exec; VmHWM doesn't."""
    status = Path("/proc/self/status")
    if status.exists():
        return int(status.read_text().partition("VmHWM:")[2].split()[0]) / 1024
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1024 * 1024 if sys.platform == "darwin" else 1024)


def measure(rounds: int = 5) -> Iterator[Row]:
    """Open to verified and to its record, the whole process around it, and its memory."""
    from shutil import which

    if which("ssh") is None:
        yield left_out(WHAT, "no ssh client is on the PATH")
        return
    inside: list[dict[str, float]] = []
    with labs.up(SERVICES) as (lab, params, folder):
        rules = labs.rules(SERVICES).encode()
        ssh = ["ssh", "-F", str(lab.ssh_config), "lb1"]

        def floor() -> None:
            subprocess.run([*ssh, "ipvsadm -R"], input=rules, check=True, capture_output=True)
            seen = subprocess.run([*ssh, LOOK], check=True, capture_output=True).stdout
            if seen.count(b"\n-A ") + seen.startswith(b"-A ") != SERVICES:
                raise SystemExit("the floor did not make its services")

        def fresh() -> None:
            argv = [sys.executable, "-m", "benchmarks.bulk", str(params), str(lab.ssh_config), str(folder / "outputs")]
            inside.append(json.loads(subprocess.run(argv, check=True, stdout=subprocess.PIPE).stdout))

        whole = in_turn(lambda: seconds(fresh), lambda: seconds(floor), rounds=rounds, before=lambda: labs.empty(lab))
    floors = [theirs for _, theirs in whole]
    name = f"{WHAT}: open to %s / ssh ipvsadm -R, ssh look"
    yield row(name % "read back and verified", zip((seen["verified"] for seen in inside[1:]), floors, strict=True), at_most=1.5)
    yield row(name % "the archived record", zip((seen["recorded"] for seen in inside[1:]), floors, strict=True))
    yield row(f"{WHAT}: the whole process, a preview before it included / the same", whole)
    yield number(f"{WHAT}: memory", statistics.median(seen["megabytes"] for seen in inside), "MB", 300)


if __name__ == "__main__":
    print(json.dumps(ours(*map(Path, sys.argv[1:]))))
