"""The archive: every run leaves a record under outputs/, written as it goes, sealed at the end.

record = Record.create(outputs, "fnat-two-arm", mode="apply", params=…, params_sha256=…, params_file=…)
record.event("step", step="laddr", status="applied", changes=1, seconds=0.2)
record.finish("converged")
record.seal()
verify(record.path)                      # [] : every file is as it was sealed
"""

from __future__ import annotations

from dpvsbook.records.describe import describe
from dpvsbook.records.diff import Difference, diff, timings
from dpvsbook.records.files import DiskFullError, RecordError
from dpvsbook.records.index import Entry, applied_changes, latest, listing, locate, opened_before, read
from dpvsbook.records.journal import Follower, Journal
from dpvsbook.records.seal import verify
from dpvsbook.records.write import EXIT_CODES, Record, Verdict

__all__ = [
    "EXIT_CODES",
    "Difference",
    "DiskFullError",
    "Entry",
    "Follower",
    "Journal",
    "Record",
    "RecordError",
    "Verdict",
    "applied_changes",
    "describe",
    "diff",
    "latest",
    "listing",
    "locate",
    "opened_before",
    "read",
    "timings",
    "verify",
]
