"""DPVS from real sources to real traffic, as docs/real-lab.md has it: minutes. DPVSBOOK_SOURCES=FOLDER with the trees `dpvs` and `dpdk`."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from dpvsbook import steps
from dpvsbook.book import open_book
from dpvsbook.building import runner
from dpvsbook.lab.netns import NetnsLab
from tests.hosts.conftest import wait_for

pytestmark = [pytest.mark.root, pytest.mark.slow, pytest.mark.timeout(3600)]
ROOT = Path(__file__).parents[2]


@pytest.fixture
def wanted(tmp_path: Path) -> Path:
    """params/build.yaml with these sources."""
    sources = Path(os.environ.get("DPVSBOOK_SOURCES", "/nowhere"))
    if not all((sources / name).is_dir() for name in ("dpvs", "dpdk")):
        pytest.skip("needs the sources: DPVSBOOK_SOURCES=FOLDER with dpvs and dpdk")
    text = (ROOT / "params/build.yaml").read_text().replace("/usr/src", str(sources)).replace("/opt/dpvsbook ", f"{tmp_path}/prefix ")
    (tmp_path / "params").mkdir()
    path = tmp_path / "params/build.yaml"
    path.write_text(text)
    return path


def start(wanted: Path) -> subprocess.Popen[str]:
    """The first of the two commands. With a /run of its own: other runs on this machine aren't its business, nor it theirs."""
    run = [sys.executable, "-m", "dpvsbook", "run", str(ROOT / "notebooks/build.ipynb"), str(wanted), "--apply", "--here"]
    inner = 'mount -t tmpfs tmpfs /run && exec "$@"'
    argv = ["unshare", "-m", "--propagation", "private", "sh", "-c", inner, "sh", *run, "--outputs", str(wanted.parent.parent / "outputs")]
    return subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def finish(process: subprocess.Popen[str]) -> str:
    said, _ = process.communicate()
    assert process.returncode == 0, said
    return said


def test_an_interrupted_build_its_end_and_traffic_through_it(wanted: Path, own_params: Path, tmp_path: Path) -> None:
    work = tmp_path / "prefix/build/1.10"

    def progress() -> runner.Progress:
        return runner.read(subprocess.run(["sh", "-c", runner.poll(str(work))], capture_output=True, text=True, check=True).stdout)

    first = start(wanted)
    wait_for(lambda: first.poll() is not None or (progress().count or (0, 0))[0] > 20, 300)
    first.send_signal(signal.SIGINT)
    said, _ = first.communicate()
    assert first.returncode == 3, said
    assert progress().state == "running"
    said = finish(start(wanted))
    assert "DPDK 24.11: compile" in said
    assert "DPVS: " not in said, "what is done stays done"
    assert "nothing to do" in finish(start(wanted))

    with NetnsLab.up(own_params, tmp_path / "lab", tmp_path / "prefix/current/bin") as lab:
        book = open_book(own_params, "apply", ssh_config=lab.ssh_config, outputs=tmp_path / "outputs")
        steps.converge(book)
        steps.verify(book)
        assert book.finish().badge == "converged"
