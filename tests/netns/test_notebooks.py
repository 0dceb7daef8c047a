"""`dpvsbook run` with the walk's notebook on real DPVS, for every topology that it configures: preview, apply, nothing to do, undo."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from dpvsbook.lab.netns import NetnsLab
from tests.conftest import PARAMS

pytestmark = [pytest.mark.root, pytest.mark.dpvs, pytest.mark.timeout(300)]
NOTEBOOK = PARAMS.parent / "notebooks" / "fnat-two-arm.ipynb"
LOOK = "dpip addr show; dpip route show; dpip -6 route show; ipvsadm -S -n; ipvsadm -G"


@pytest.fixture(scope="module", params=["fnat-two-arm", "fnat-one-arm", "fnat-ipv6", "nat64"])
def site(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[NetnsLab, Path]]:
    folder = tmp_path_factory.mktemp(request.param)
    params = folder / "params.yaml"
    params.write_text(re.sub(r"(?m)^name: .*", f"name: test-{os.getpid()}-{request.param}", (PARAMS / f"{request.param}.yaml").read_text()))
    with NetnsLab.up(params, folder / "lab") as lab:
        yield lab, params


def test_the_walk(site: tuple[NetnsLab, Path], tmp_path: Path) -> None:
    lab, params = site

    def run(*mode: str) -> tuple[int, str]:
        argv = [sys.executable, "-m", "dpvsbook", "run", str(NOTEBOOK), str(params), *mode]
        ended = subprocess.run(
            [*argv, "--ssh-config", str(lab.ssh_config), "--outputs", str(tmp_path / "outputs")],
            capture_output=True,
            text=True,
            check=False,
        )
        return ended.returncode, ended.stdout + ended.stderr

    def look() -> str:
        lines = lab.exec("lb1", [LOOK]).stdout.splitlines()
        return "\n".join(sorted(re.sub(r"^( {20}.*?) +\d+ +\d+ *$", r"\1", line) for line in lines))  # without the LIPs' counters

    before = look()
    code, said = run()
    assert (code, look()) == (2, before), said
    code, said = run("--apply")
    assert code == 0, said
    assert re.search(r"converged: [1-9]\d* changes made, \d+ checks passed", said)
    applied = look()
    assert applied != before
    code, said = run("--apply")
    assert (code, look()) == (0, applied), said
    assert "converged: 0 changes made" in said
    code, said = run("--undo")
    assert (code, look()) == (0, before), said
