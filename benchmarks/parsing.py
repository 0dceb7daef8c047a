"""`ipvsadm -ln --stats --exact` of 10,000 services with 10 real servers each, into a data frame; TextFSM on the same text."""

from __future__ import annotations

import random
import statistics
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from benchmarks.measure import Row, in_turn, left_out, number, row

SERVICES, SERVERS = 10_000, 10
OTHERS = Path(__file__).parents[1] / ".venv-bench" / "bin"
WHAT = f"{SERVICES * (1 + SERVERS):,} lines of ipvsadm --stats --exact into a frame"

# The commonest line first, and an unknown line is an error, as it is for us.
TEMPLATE = r"""Value Filldown PROTOCOL (\S+)
Value Filldown SERVICE (\S+)
Value SERVER (\S+)
Value Required CONNS (\d+)
Value INPKTS (\d+)
Value OUTPKTS (\d+)
Value INBYTES (\d+)
Value OUTBYTES (\d+)

Start
  ^  [-]> ${SERVER} +${CONNS} +${INPKTS} +${OUTPKTS} +${INBYTES} +${OUTBYTES}$$ -> Record
  ^${PROTOCOL}  ${SERVICE} +${CONNS} +${INPKTS} +${OUTPKTS} +${INBYTES} +${OUTBYTES}$$ -> Record
  ^IP Virtual Server version
  ^Prot LocalAddress:Port
  ^  [-]> RemoteAddress:Port
  ^. -> Error
"""

THEIRS = """
import io, sys, time, textfsm
from pathlib import Path
text = Path(sys.argv[1]).read_text()
template = textfsm.TextFSM(io.StringIO(Path(sys.argv[2]).read_text()))
started = time.process_time()
rows = [(*row[:3], *map(int, row[3:])) for row in template.ParseText(text)]
print(time.process_time() - started, len(rows))
"""


def listing() -> str:
    """What a busy director prints: counters of all lengths, a service's the sums of its servers'."""
    chance = random.Random(1)
    lines = [
        "IP Virtual Server version 1.10.2 (size=0)",
        "Prot LocalAddress:Port               Conns   InPkts  OutPkts  InBytes OutBytes",
        "  -> RemoteAddress:Port",
    ]
    for i in range(SERVICES):
        servers = [[int(10 ** chance.uniform(0, top)) for top in (7, 9, 9, 12, 12)] for _ in range(SERVERS)]
        total = [sum(column) for column in zip(*servers, strict=True)]
        lines.append(_line(f"TCP  10.0.{i % 200}.{i // 200 + 1}:80", total))
        lines += [_line(f"  -> 192.168.{i % 250}.{j + 2}:8080", counters) for j, counters in enumerate(servers)]
    return "".join(f"{line}\n" for line in lines)


def _line(name: str, counters: list[int]) -> str:
    return f"{name:<33} " + " ".join(f"{counter:>8}" for counter in counters)


def measure(rounds: int = 5) -> Iterator[Row]:
    """Ours in this process, warm; theirs in an environment of its own, of which only the parsing counts, not the start.

    Seconds of the processor: both do nothing but reckon, and so whatever else the machine does counts for less.
    """
    from dpvsbook.facts import ipvsadm_stats

    def ours() -> float:
        started = time.process_time()
        ipvsadm_stats.frame(text)
        return time.process_time() - started

    text = listing()
    if len(ipvsadm_stats.frame(text)) != SERVICES * (1 + SERVERS):
        raise SystemExit("rows are missing")
    if not (OTHERS / "textfsm").exists():
        yield number(WHAT, statistics.median(ours() for _ in range(rounds)), "s", 0.5)
        yield left_out(f"{WHAT} / TextFSM", "TextFSM is not installed (make bench installs it)")
        return
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "stats").write_text(text)
        (Path(folder) / "template").write_text(TEMPLATE)
        argv = [str(OTHERS / "python"), "-c", THEIRS, f"{folder}/stats", f"{folder}/template"]

        def theirs() -> float:
            took, rows = subprocess.run(argv, check=True, stdout=subprocess.PIPE, text=True).stdout.split()
            if int(rows) != SERVICES * (1 + SERVERS):
                raise SystemExit(f"TextFSM found {rows} rows")
            return float(took)

        pairs = in_turn(ours, theirs, rounds=rounds)
    yield number(WHAT, statistics.median(took for took, _ in pairs), "s", 0.5)
    yield row(f"{WHAT} / TextFSM", pairs, at_least=10)
