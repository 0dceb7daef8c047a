"""What the netns tests stand on: root, a built DPVS or a stand-in for it, and a lab name of their own on this machine."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from dpvsbook.lab.netns import plan, record

FNAT = (
    "dpip addr add 10.0.0.100/32 dev dpdk1",
    "dpip route add 10.0.0.0/16 dev dpdk1",
    "dpip route add 192.168.100.0/24 dev dpdk0",
    "ipvsadm -A -t 10.0.0.100:80 -s rr",
    "ipvsadm -a -t 10.0.0.100:80 -r 192.168.100.2:80 -b",
    "ipvsadm -a -t 10.0.0.100:80 -r 192.168.100.3:80 -b",
    "ipvsadm --add-laddr -z 192.168.100.200 -t 10.0.0.100:80 -F dpdk0",
)
"""The tutorial's two-arm FULLNAT, as the transcripts have it, with the ports that it forgets."""

STAND_IN = {
    "dpvs": "#!/bin/sh\necho $$ > /run/dpvs.pid\nexec sleep 1000\n",
    "dpip": "#!/bin/sh\ntest -e /run/dpvs.pid || exit 1\necho '    UP 10000 Mbps'\necho '    UP 10000 Mbps'\n",
    "ipvsadm": "#!/bin/sh\nexit 1\n",
}


@pytest.fixture(scope="module")
def own_params(tmp_path_factory: pytest.TempPathFactory, params_file: Path) -> Path:
    """The two-arm cluster under a name that no other lab of this machine has."""
    path = tmp_path_factory.mktemp("params") / "own.yaml"
    path.write_text(params_file.read_text().replace("name: fnat-two-arm", f"name: test-{os.getpid()}"))
    return path


@pytest.fixture
def stand_in(tmp_path: Path) -> Path:
    """A folder with scripts in DPVS's place: what is the lab's own can be tested without DPVS."""
    folder = tmp_path / "dpvs-bin"
    folder.mkdir()
    for name, text in STAND_IN.items():
        (folder / name).write_text(text)
        (folder / name).chmod(0o755)
    return folder


def traces(name: str) -> list[str]:
    """What a lab of that name has left on this machine."""
    prefix = plan.prefix_of(name)
    found = [path.name for path in record.NETNS.glob(f"{prefix}*")] if record.NETNS.is_dir() else []
    found += [str(path) for path in record.FOLDER.glob(f"{prefix}*")]
    mark = f"{record.MARK}={prefix}\0".encode()
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                marked = mark in (entry / "environ").read_bytes()
            except OSError:
                continue
            if marked:
                found.append(f"process {entry.name}")
    return found
