"""Fixtures for all tests: an emulated lab, shared or fresh."""

from __future__ import annotations

import functools
import os
import signal
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings

if TYPE_CHECKING:
    from dpvsbook.lab.emulated import Lab

# The same examples each time, so that a red run is about what was changed; `HYPOTHESIS_PROFILE=default pytest` looks for new ones.
settings.register_profile("same", derandomize=True)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "same"))

# A shell's background job ignores Ctrl-C and hands that on to its children, the tests' own interrupts among them.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

PARAMS = Path(__file__).parents[1] / "params"


@functools.cache
def what_root_lacks() -> str:
    """Why tests marked `root` can't run here; "" where they can. A container's root may be one by name only."""
    if getattr(os, "geteuid", lambda: 1)() != 0:
        return "needs root"
    with tempfile.TemporaryDirectory() as folder:
        layers = "lowerdir=low,upperdir=up,workdir=work"
        script = f"cd {folder} && mount -t tmpfs none . && cd {folder} && mkdir low up work all && mount -t overlay -o {layers} none all"
        try:
            argv = ["unshare", "--mount", "--net", "--pid", "--ipc", "--uts", "--fork", "sh", "-c", script]
            done = subprocess.run(argv, capture_output=True, text=True, timeout=30, check=False)
        except (OSError, subprocess.TimeoutExpired) as error:
            return f"needs unshare: {error}"
    return "" if done.returncode == 0 else f"root may not make namespaces and overlays here: {done.stderr.strip()}"


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip, with the reason, what this machine can't run; before any fixture is made."""
    if item.get_closest_marker("root") and (lacking := what_root_lacks()):
        pytest.skip(lacking)
    if item.get_closest_marker("dpvs") and not os.environ.get("DPVSBOOK_DPVS"):
        pytest.skip("needs a built DPVS: DPVSBOOK_DPVS=FOLDER")


@pytest.fixture(scope="session")
def params_file() -> Path:
    """The tutorial's two-arm FULLNAT cluster: lb1, rs1, rs2, client."""
    return PARAMS / "fnat-two-arm.yaml"


@pytest.fixture(scope="session")
def _shared_lab(params_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    from dpvsbook.lab.emulated import Lab

    with Lab.up(params_file, state=tmp_path_factory.mktemp("lab") / ".lab", detach=False) as lab:
        yield lab


@pytest.fixture
def lab(_shared_lab: Lab) -> Lab:
    """A lab in this process, up for all tests. Each test finds faults mended and dpvs just started; files stay as others left them."""
    for host in _shared_lab.hosts:
        _shared_lab.inject(host, "none")
    for machine in _shared_lab.running.machines.values() if _shared_lab.running else ():
        if machine.spec.role == "director":
            machine.kill_dpvs(15)
            machine.start_dpvs()
    return _shared_lab


@pytest.fixture
def fresh_lab(params_file: Path, tmp_path: Path) -> Iterator[Lab]:
    """A lab of the test's own, in this process (about 30 ms)."""
    from dpvsbook.lab.emulated import Lab

    with Lab.up(params_file, state=tmp_path / ".lab", detach=False) as lab:
        yield lab


@pytest.fixture
def lab_of(tmp_path: Path) -> Iterator[Callable[[str], Lab]]:
    """Makes labs from params text; they go down at the end of the test."""
    from dpvsbook.lab.emulated import Lab

    labs: list[Lab] = []

    def make(text: str) -> Lab:
        file = tmp_path / f"params-{len(labs)}.yaml"
        file.write_text(text)
        labs.append(Lab.up(file, state=tmp_path / f"lab-{len(labs)}", detach=False))
        return labs[-1]

    yield make
    for lab in labs:
        lab.down()


@pytest.fixture(autouse=True)
def _no_operator_ssh(monkeypatch: pytest.MonkeyPatch) -> None:
    """No test reads the ssh_config, the agent or the lab of whoever runs it."""
    for name in ("DPVSBOOK_SSH_CONFIG", "DPVSBOOK_LAB", "DPVSBOOK_RECORD", "DPVSBOOK_RESUME", "SSH_AUTH_SOCK"):
        monkeypatch.delenv(name, raising=False)
