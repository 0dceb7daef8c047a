"""Start-up: what an operator waits for before anything happens."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from benchmarks.measure import Ratio, against

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


def python(*argv: str) -> None:
    """One interpreter, its output thrown away."""
    subprocess.run([sys.executable, *argv], check=True, stdout=subprocess.DEVNULL)


def measure() -> Iterator[Ratio]:
    """`import dpvsbook` over an empty interpreter, and `dpvsbook --help` against a two-command typer program."""
    yield against(
        "import dpvsbook, against an interpreter that imports nothing",
        lambda: python("-c", "import dpvsbook"),
        lambda: python("-c", "pass"),
        rounds=9,
        bound="at most 0.1 s more",
    )
    with tempfile.TemporaryDirectory() as folder:
        program = Path(folder) / "two.py"
        program.write_text(TWO_COMMANDS)
        yield against(
            "dpvsbook --help, against a two-command typer program's",
            lambda: python("-m", "dpvsbook", "--help"),
            lambda: python(str(program), "--help"),
            rounds=9,
            bound="at most 1.3",
        )
