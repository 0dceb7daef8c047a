"""A place to build in a second: source trees that only look like DPVS and DPDK, and a meson, ninja and make that only pretend."""

from __future__ import annotations

import os
import stat
import subprocess
from dataclasses import dataclass
from pathlib import Path

from dpvsbook.building import look, runner, stages
from dpvsbook.building.look import BuildState
from dpvsbook.building.stages import Stage
from dpvsbook.params.build import Line, Origin, Source
from tests.hosts.conftest import wait_for

PATCH = "--- a/README\n+++ b/README\n@@ -1 +1 @@\n-{before}\n+{after}\n"

PROGRAMS = {
    "dpkg-query": "printf ii",
    "apt-get": "echo 'E: not in a test' >&2; exit 100",
    "meson": 'echo "$@" >meson.args; mkdir -p "$2"; touch "$2/build.ninja"',
    "ninja": """\
case "$*" in *install*)
  mkdir -p dpdk-lib/lib/any/pkgconfig dpdk-lib/include; touch dpdk-lib/lib/any/pkgconfig/libdpdk.pc; exit ;;
esac
echo '[1/3] Compiling one'
if [ -e gate ]; then touch waiting; while [ -e gate ]; do sleep 0.02; done; fi
echo '[3/3] Linking'""",
    "make": """\
if [ -e ../broken ]; then cat ../broken; exit 2; fi
[ -e "$PKG_CONFIG_PATH/libdpdk.pc" ] || { echo 'DPDK library was not found' >&2; exit 2; }
echo "$@" >../make.args
program() { mkdir -p "${1%/*}"; printf '#!/bin/sh\\n%s\\n' "$2" >"$1"; chmod 755 "$1"; }
. ./src/VERSION >/dev/null
program src/dpvs "echo 'dpvs version: $VERSION-$RELEASE, build on 2026.01.01.00:00:00' >&2"
program tools/dpip/build/dpip :
program tools/ipvsadm/ipvsadm :
program tools/keepalived/bin/keepalived "echo 'System options: LIBNL3' >&2\"""",
}


def program(folder: Path, name: str, text: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / name
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)


def dpvs(folder: Path, version: str = "1.10.2", patches: str = "dpdk-24.11") -> Path:
    """A tree that tells its version and brings two patches, of which the second builds on the first."""
    line, _, release = version.rpartition(".")
    for part in ("src", "tools", f"patch/{patches}"):
        (folder / part).mkdir(parents=True)
    (folder / "src/VERSION").write_text(
        f"#!/bin/sh\n# program: dpvs\nexport VERSION={line}\nexport RELEASE={release}\n\necho $VERSION-$RELEASE\n"
    )
    (folder / "tools/Makefile").touch()
    (folder / "config.mk").write_text("export CONFIG_PDUMP=y\nexport CONFIG_DPVS_MAX_LCORE=64\n")
    (folder / f"patch/{patches}/0001-a.patch").write_text(PATCH.format(before="plain", after="patched"))
    (folder / f"patch/{patches}/0002-b.patch").write_text(PATCH.format(before="patched", after="patched twice"))
    return folder


def dpdk(folder: Path, version: str = "24.11.0") -> Path:
    for name in ("net/tap", "net/virtio", "net/kni", "net/ixgbe", "bus/pci", "crypto/null"):
        (folder / "drivers" / name).mkdir(parents=True)
        (folder / "drivers" / name / "meson.build").touch()
    (folder / "VERSION").write_text(f"{version}\n")
    (folder / "README").write_text("plain\n")
    (folder / "usertools").mkdir()
    program(folder / "usertools", "dpdk-devbind.py", ":")
    return folder


@dataclass
class Site:
    """This machine as a host, without SSH: what would be sent runs under `sh` here, with the pretended programs first in its PATH."""

    folder: Path
    source: Source
    line: Line = "1.10"

    @classmethod
    def make(cls, folder: Path, **more: object) -> Site:
        for name, text in PROGRAMS.items():
            program(folder / "bin", name, text)
        wanted: dict[str, object] = {
            "dpvs": Origin(directory=str(dpvs(folder / "dpvs"))),
            "dpdk": Origin(directory=str(dpdk(folder / "dpdk"))),
            "prefix": str(folder / "prefix"),
            "drivers": ("net/tap",),
            **more,
        }
        return cls(folder, Source(**wanted))  # type: ignore[arg-type]

    @property
    def work(self) -> Path:
        return Path(stages.work(self.source.prefix, self.line))

    def sh(self, script: str, path: str | None = None) -> subprocess.CompletedProcess[str]:
        env = {**os.environ, "PATH": path or f"{self.folder}/bin:{os.environ['PATH']}", "LC_ALL": "C"}
        return subprocess.run(["sh", "-s"], input=script, capture_output=True, text=True, env=env, cwd="/", check=False)

    def look(self, path: str | None = None) -> BuildState:
        return look.parse(self.sh(look.script(self.source, self.line), path).stdout)

    def stages(self, state: BuildState | None = None) -> tuple[Stage, ...]:
        state = state or self.look()
        return stages.stages(self.source, self.line, state.manager, state.kernel, state.prints)

    def left(self) -> list[str]:
        state = self.look()
        return [stage.name for stage in look.left(self.stages(state), state)]

    def start(self) -> str:
        """Start what is left, as `watch.start` does; what the start said."""
        state = self.look()
        self.sh(runner.prepare(str(self.work)))
        (self.work / "run.sh").write_text(runner.script(self.source.prefix, look.left(self.stages(state), state)))
        return self.sh(runner.start(str(self.work))).stdout.strip()

    def progress(self) -> runner.Progress:
        return runner.read(self.sh(runner.poll(str(self.work))).stdout)

    def build(self) -> runner.Progress:
        """Start what is left, and wait for its end."""
        assert self.start() == "started"
        wait_for(lambda: self.progress().state != "running")
        return self.progress()

    def log(self, stage: str) -> str:
        return (self.work / "log" / stage).read_text()
