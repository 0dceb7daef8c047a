"""Start-up: what an operator waits for before anything happens."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from benchmarks.measure import Row, in_turn, row, seconds

TWO_COMMANDS = '''
import typer
app = typer.Typer(rich_markup_mode=None)
@app.command()
def one(name: str) -> None:
    """The first."""
@app.command()
def two(name: str) -> None:
    """The second."""
if __name__ == "__main__":
    app()
'''
ROUNDS = 9


def python(*argv: str) -> float:
    """The seconds that one interpreter takes; its output is thrown away."""
    return seconds(lambda: subprocess.run([sys.executable, *argv], check=True, stdout=subprocess.DEVNULL))


def measure() -> Iterator[Row]:
    """`import dpvsbook` over an empty interpreter, and `dpvsbook --help` against a two-command typer program."""
    empty = in_turn(lambda: python("-c", "import dpvsbook"), lambda: python("-c", "pass"), rounds=ROUNDS)
    yield row("import dpvsbook / an interpreter that imports nothing", empty, more_by=0.1)
    with tempfile.TemporaryDirectory() as folder:
        program = Path(folder) / "two.py"
        program.write_text(TWO_COMMANDS)
        helps = in_turn(lambda: python("-m", "dpvsbook", "--help"), lambda: python(str(program), "--help"), rounds=ROUNDS)
    yield row("dpvsbook --help / a two-command typer program's", helps, at_most=1.3)
