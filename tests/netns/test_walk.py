"""The two-arm walk on real DPVS: every point of an apply at which dpvs can die, and the run after it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from dpvsbook import records, steps
from dpvsbook.book import Book, open_book
from dpvsbook.errors import DpvsbookError
from dpvsbook.lab.netns import NetnsLab, machine
from dpvsbook.site import LipsWithoutMemory

pytestmark = [pytest.mark.root, pytest.mark.dpvs]

DYING = """\
#!/bin/sh
# A tool of DPVS's that kills dpvs: before (or in the middle of) the change that /run/dies-at counts down to.
case "$* " in *"add "* | *"del "* | "-R "*) ;; *) exec {tool} "$@" ;; esac
left=$(cat /run/dies-at 2>/dev/null) || exec {tool} "$@"
echo $((left - 1)) >/run/dies-at
[ "$left" = 1 ] || exec {tool} "$@"
rm /run/dies-at
if [ "$1" = -R ]; then
  rules=$(cat)
  echo "$rules" | head -n 1 | {tool} -R
  kill -9 "$(cat /run/dpvs.pid)"
  while [ -e "/proc/$(cat /run/dpvs.pid)/fd/0" ]; do :; done
  echo "$rules" | tail -n +2 | {tool} -R
else
  kill -9 "$(cat /run/dpvs.pid)"
  while [ -e "/proc/$(cat /run/dpvs.pid)/fd/0" ]; do :; done
  exec {tool} "$@"
fi
"""
CHANGES = 6
"""The commands of the walk that change something: a VIP, two routes, a batch of rules, a LIP, a batch with the LIP."""


@pytest.fixture(scope="module")
def lab(own_params: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[NetnsLab]:
    real = Path(os.environ["DPVSBOOK_DPVS"]).resolve()
    folder = tmp_path_factory.mktemp("dying")
    (folder / "dpvs").symlink_to(real / "dpvs")
    for name in ("dpip", "ipvsadm"):
        (folder / name).write_text(DYING.format(tool=real / name))
        (folder / name).chmod(0o755)
    with NetnsLab.up(own_params, tmp_path_factory.mktemp("walk") / "lab", folder) as lab:
        yield lab


def walk(lab: NetnsLab, params: Path, outputs: Path) -> Book:
    book = open_book(params, "apply", ssh_config=lab.ssh_config, outputs=outputs)
    steps.preflight(book)
    for step in steps.CONFIGURATION:
        step(book)
    steps.verify(book)
    book.finish()
    return book


@pytest.mark.parametrize("point", range(1, CHANGES + 1))
def test_dpvs_is_killed_in_the_middle_of_an_apply(lab: NetnsLab, own_params: Path, tmp_path: Path, point: int) -> None:
    """The run fails and says so; the next one finds an empty dpvs, says that it was started anew, and restores everything."""
    lab.exec("lb1", ["ipvsadm -C; dpip addr flush dev dpdk0; dpip addr flush dev dpdk1; kill -9 $(cat /run/dpvs.pid)"])
    lab.start_dpvs("lb1")
    lab.exec("lb1", [f"echo {point} >/run/dies-at"])
    with pytest.raises(DpvsbookError) as said:
        walk(lab, own_params, tmp_path / "outputs")
    assert "dpvs" in str(said.value)
    (broken,) = records.listing(tmp_path / "outputs")
    assert broken.verdict in ("failed", "running")
    lab.start_dpvs("lb1")
    book = walk(lab, own_params, tmp_path / "outputs")
    assert book.verdict == "converged"
    assert book.applied == 8
    assert "lb1: dpvs was started anew" in book.told[0]
    assert "lb1: dpvs was started anew" in str(records.read(book.record.path).document["detail"])


def test_lips_that_find_no_memory_are_told(own_params: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """dpvs says nothing: the LIP is there, and has no ports. The lab gives it plain memory for two LIPs more than its params name."""
    monkeypatch.setattr(machine, "NR_HUGEPAGES", tmp_path / "none")
    text = own_params.read_text().replace("name: test-", "name: small-test-")
    made, wanted = tmp_path / "made.yaml", tmp_path / "wanted.yaml"
    made.write_text(text)
    lip = "      - {address: 192.168.100.200, device: dpdk0}\n"
    assert lip in text
    wanted.write_text(text.replace(lip, "".join(lip.replace(".200,", f".{last},") for last in range(200, 208))))
    with NetnsLab.up(made, tmp_path / "lab") as lab:
        book = open_book(wanted, "apply", ssh_config=lab.ssh_config, outputs=tmp_path / "outputs")
        with pytest.raises(LipsWithoutMemory, match="lb1: there was no memory for the ports of a LIP"):
            steps.converge(book)
