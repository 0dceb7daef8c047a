"""A fleet's drift check: 20 previews of the notebook with --jobs, against 20 papermill commands one after another."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from benchmarks.measure import Row, row, seconds
from dpvsbook import lab as labs

ROOT = Path(__file__).parents[1]
NOTEBOOK = ROOT / "notebooks" / "fnat-two-arm.ipynb"
PARAMS = ROOT / "params" / "fnat-two-arm.yaml"
CLUSTERS, JOBS = 20, 4
PENDING = 2


def measure() -> Iterator[Row]:
    """Once each (theirs takes minutes). The clusters are one lab under 20 names: a preview changes nothing, so they don't meet."""
    with tempfile.TemporaryDirectory() as folder:
        files = [Path(folder) / "params" / f"cluster-{i}.yaml" for i in range(CLUSTERS)]
        files[0].parent.mkdir()
        for i, file in enumerate(files):
            file.write_text(PARAMS.read_text().replace("name: fnat-two-arm", f"name: cluster-{i}", 1))
        lab = labs.up(files[0], state=Path(folder) / "lab")
        env = {**os.environ, "DPVSBOOK_SSH_CONFIG": str(lab.ssh_config), "PYTHONPATH": str(ROOT)}
        dpvsbook = [sys.executable, "-m", "dpvsbook", "run", str(NOTEBOOK), "--outputs", f"{folder}/outputs", "--jobs", str(JOBS)]
        papermill = [sys.executable, "-m", "papermill", "--no-progress-bar", str(NOTEBOOK)]

        def run(argv: list[str], *, expected: int) -> None:
            ended = subprocess.run(argv, env=env, cwd=folder, capture_output=True, text=True, check=False)
            if ended.returncode != expected:
                raise SystemExit(f"{' '.join(argv[:5])} … ended with {ended.returncode}:\n{ended.stdout[-2000:]}{ended.stderr[-2000:]}")

        def one_by_one() -> None:
            for file in files:
                run([*papermill, f"{folder}/{file.stem}.ipynb", "-p", "params", str(file), "-p", "mode", "preview"], expected=0)

        try:
            ours = seconds(lambda: run([*dpvsbook, *map(str, files)], expected=PENDING))
            theirs = seconds(one_by_one)
        finally:
            lab.down()
    yield row(f"{CLUSTERS} previews of the notebook, --jobs {JOBS} / {CLUSTERS} papermill commands", [(ours, theirs)], at_least=2.5)
