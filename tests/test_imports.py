"""What a command doesn't use it doesn't import: an operator waits for each of these."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from dpvsbook.lab.emulated import Lab

NEVER = ("pandas", "papermill", "nbformat", "nbclient", "plotly", "IPython", "jupyter_client")
CODE = """
import sys
from dpvsbook import cli
try:
    cli.main()
except SystemExit as end:
    code = end.code
print("\\nIMPORTED", *sys.modules)
sys.exit(code)
"""


def imported(*argv: str, exits: int = 0) -> set[str]:
    done = subprocess.run([sys.executable, "-c", CODE, *argv], capture_output=True, text=True, check=False)
    assert done.returncode == exits, done.stderr
    return set(done.stdout.partition("\nIMPORTED ")[2].split())


@pytest.mark.parametrize("argv", [("--help",), ("run", "--help"), ("--version",)])
def test_help_imports_next_to_nothing(argv: tuple[str, ...]) -> None:
    assert not imported(*argv) & {*NEVER, "paramiko", "ruamel.yaml", "yaml", "asyncssh", "dpvsbook.params", "dpvsbook.book"}


def test_check_touches_no_network_library(params_file: Path) -> None:
    assert not imported("check", str(params_file)) & {*NEVER, "paramiko", "asyncssh"}


def test_plan_imports_no_notebook_and_no_frame(lab: Lab, params_file: Path, tmp_path: Path) -> None:
    found = imported("plan", str(params_file), "--ssh-config", str(lab.ssh_config), "--outputs", str(tmp_path), exits=2)
    assert "paramiko" in found
    assert not found & set(NEVER)
