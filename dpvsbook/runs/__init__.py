"""Executing runbooks: one run or many at once, the truth about each in its record.

done = runs.run(Path("notebooks/fnat-two-arm.ipynb"), Path("params/fnat-two-arm.yaml"), mode="apply")
done.verdict, done.detail, done.exit_code, done.record, done.report
"""

from __future__ import annotations

from dpvsbook.runs.control import Control
from dpvsbook.runs.engine import Limits
from dpvsbook.runs.kernel import KernelError
from dpvsbook.runs.many import run_many
from dpvsbook.runs.notebook import NotebookError
from dpvsbook.runs.run import Mode, Run, run
from dpvsbook.runs.verdict import Cell

__all__ = ["Cell", "Control", "KernelError", "Limits", "Mode", "NotebookError", "Run", "run", "run_many"]
