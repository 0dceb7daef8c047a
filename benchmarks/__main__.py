"""`python -m benchmarks [NAME …] [--json]`: what dpvsbook costs against what one would use instead. Exits 1 where a bound is missed."""

from __future__ import annotations

import argparse
import importlib
import json
import os
import sys
from dataclasses import asdict

from benchmarks.labs import REAL
from benchmarks.measure import Row

NAMES = ("startup", "parsing", "idle", "bulk", "rivals", "many_runs")
HEAD = f"{'what':<86} {'ours':>10} {'theirs':>10} {'ratio':>7}  bound"


def line(row: Row) -> str:
    """One row of the table."""
    if row.ours is None:
        return f"{row.what:<86} {row.note}"
    digits = {"s": 3, "ms": 2}.get(row.unit, 0)
    ours = f"{row.ours:.{digits}f} {row.unit}"
    theirs = "" if row.theirs is None else f"{row.theirs:.{digits}f} {row.unit}"
    ratio = "" if row.ratio is None else f"{row.ratio:.2f}"
    verdict = {True: f"{row.bound}: within", False: f"{row.bound}: BEYOND", None: row.bound}[row.within]
    return f"{row.what:<86} {ours:>10} {theirs:>10} {ratio:>7}  {'; '.join(part for part in (verdict, row.note) if part)}"


def main() -> int:
    """Measure what was named, printing each row as it is known."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", choices=[[], *NAMES], help=f"only these of: {', '.join(NAMES)}")
    parser.add_argument("--json", action="store_true", help="print JSON in the end instead of a table as it goes")
    parser.add_argument("--real", metavar="STATE", help="the folder of a lab that is up: bulk, idle and rivals are measured on it")
    wanted = parser.parse_args()
    if wanted.real:
        os.environ[REAL] = wanted.real
    rows: list[Row] = []
    if not wanted.json:
        print(HEAD)
    for name in wanted.names or NAMES:
        for row in importlib.import_module(f"benchmarks.{name}").measure():
            rows.append(row)
            if not wanted.json:
                print(line(row), flush=True)
    if wanted.json:
        print(json.dumps([asdict(row) for row in rows], indent=1))
    return 1 if any(row.within is False for row in rows) else 0


if __name__ == "__main__":
    sys.exit(main())
