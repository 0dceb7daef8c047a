"""Real dpvs reads what `write` wrote, and refuses with the codes that `validate` foretells. DPVSBOOK_DPVS names its folder."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from dpvsbook.conf.machine import Machine
from dpvsbook.conf.model import Conf
from dpvsbook.conf.validate import validate
from dpvsbook.conf.write import write
from dpvsbook.lab.netns import NetnsLab, plan
from tests.conf.made import small
from tests.conf.test_rules import CASES, Case

pytestmark = [pytest.mark.root, pytest.mark.dpvs]

LOG, TRIED = "/var/log/dpvs.log", "/var/log/tried.log"
COMPLAINTS = ("not supported keyword", "invalid", "using default")
END = """\
[ -e /var/run/dpvs.pid ] && kill -9 $(cat /var/run/dpvs.pid); rm -f /var/run/dpvs.pid
for i in $(seq 100); do grep -qsx dpvs /proc/[0-9]*/comm || exit 0; sleep 0.1; done; exit 1"""
REFUSED = [case for case in CASES if case.code is not None]


def for_lab(conf: Conf, log: str = LOG) -> Conf:
    """With what a machine without KNI and with two CPUs needs."""
    return conf.with_values(
        global_defs__log_level="INFO",
        global_defs__log_file=log,
        global_defs__kni=False,
        ipvs_defs__conn__conn_pool_size=65536,
        ctrl_defs__lcore_msg__sync_msg_timeout_us=2_000_000,
    )


@pytest.fixture(scope="module")
def lab(params_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[NetnsLab]:
    folder = tmp_path_factory.mktemp("conf")
    path = folder / "own.yaml"
    path.write_text(params_file.read_text().replace("name: fnat-two-arm", f"name: conf-{os.getpid()}"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(plan, "conf_of", lambda _: write(for_lab(small(2, ipvs_defs__conn__conn_init_timeout=3))))
        with NetnsLab.up(path, folder / "lab", kni="veth") as lab:
            yield lab


def until(lab: NetnsLab, command: str, text: str) -> str:
    """What a command prints, as soon as it has the text."""
    deadline = time.monotonic() + 15
    while True:
        said = lab.exec("lb1", [command]).stdout
        if text in said or time.monotonic() > deadline:
            return said
        time.sleep(0.1)


def test_dpvs_takes_what_was_written(lab: NetnsLab):
    """It is up, with both devices, and complained of no line."""
    assert lab.exec("lb1", ["dpip link show"]).stdout.count(" UP ") == 2
    log = lab.exec("lb1", [f"cat {LOG}"]).stdout
    said = [
        line for line in log.splitlines() if any(word in line for word in COMPLAINTS) and "rss_hf" not in line and "offload" not in line
    ]
    assert said == []


def test_a_reload_takes_what_diff_says(lab: NetnsLab):
    changed = write(for_lab(small(2, ipvs_defs__conn__conn_init_timeout=9, ipv4_defs__forwarding=True)))
    lab.exec("lb1", ["cat > /etc/dpvs.conf; kill -HUP $(cat /var/run/dpvs.pid)"], stdin=changed)
    log = until(lab, f"cat {LOG}", "ipv4:forwarding = on")
    assert "conn_init_timeout = 9" in log or "init_timeout = 9" in log
    assert "ipv4:forwarding = on" in log


@pytest.mark.parametrize("case", REFUSED, ids=[case.name for case in REFUSED])
def test_dpvs_refuses_with_the_code_that_was_foretold(lab: NetnsLab, case: Case):
    """The first finding that has a code is what dpvs ends with."""
    text = write(for_lab(case.change(case.conf), TRIED))
    assert case.code in {f.code for f in validate(text, Machine())}
    start = lab.exec("lb1", ["cat /usr/local/sbin/lab-start-dpvs"]).stdout
    start = re.sub(r",1@(\([^)]*\)|\d+)", r",1@\1,2@\1", start).replace("/etc/dpvs.conf", "/etc/tried.conf")
    ended = lab.exec("lb1", [END], timeout=20)
    assert ended.exit == 0, "a dpvs that is being killed has its memory's locks to the last"
    lab.exec("lb1", [f"cat > /etc/tried.conf; rm -f {TRIED}"], stdin=text)
    lab.exec("lb1", ["cat > /tmp/start; timeout 20 sh /tmp/start >/tmp/tried.out 2>&1; true"], stdin=start, timeout=40)
    said = lab.exec("lb1", [f"cat {TRIED} /tmp/tried.out"]).stdout
    assert f"bad lcore configuration (error code: {case.code})" in said, said[-2000:]
