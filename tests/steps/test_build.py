"""Building: the stages as data, the runner under a real `sh`, what it says when it fails, and the whole over a real sshd."""

from __future__ import annotations

import dataclasses
import json
import os
import shutil
import signal
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from dpvsbook import params as params_module
from dpvsbook.building import failures, look, options, packages, preflight, runner, stages
from dpvsbook.building.look import BuildState, Tree
from dpvsbook.building.watch import BuildFailed
from dpvsbook.errors import ParamsError, PlanError
from dpvsbook.hosts import wire
from dpvsbook.known import catalogue
from dpvsbook.params.build import Origin, Source
from dpvsbook.progress import Progress
from dpvsbook.steps import build as steps
from tests.hosts.conftest import Sshd, _sshd, sshd, wait_for  # noqa: F401 - fixtures
from tests.steps import build_site
from tests.steps.build_site import Site

NOTEBOOK = Path(__file__).parents[2] / "notebooks" / "build.ipynb"
PARAMS = Path(__file__).parents[2] / "params"
LOGS: list[dict[str, Any]] = json.loads((Path(__file__).parent / "build_logs.json").read_text())
GIT = Source(dpvs=Origin(git="https://example.org/dpvs.git", ref="v1.10.2"), dpdk=Origin(git="https://example.org/dpdk.git", ref="v24.11"))
NAMED = GIT.model_copy(update={"drivers": ("net/tap", "net/mlx5")})


def of(source: Source, line: Any = "1.10", manager: Any = "apt", **trees: str) -> dict[str, stages.Stage]:
    return {stage.name: stage for stage in stages.stages(source, line, manager, "6.1.0", trees)}


# -- the stages


def test_the_stages_in_their_order() -> None:
    names = list(of(GIT))
    dpdk = ["dpdk-source", "dpdk-configure", "dpdk-build", "dpdk-install"]
    assert names == ["packages", "dpvs-source", *dpdk, "dpvs-build", "install", "current"]
    assert "current" not in of(GIT.model_copy(update={"current": False}))
    assert "packages" not in of(GIT, manager=None)


@pytest.mark.parametrize(
    ("manager", "some"), [("apt", {"libsystemd-dev", "ninja-build", "git"}), ("dnf", {"libnl3-devel", "systemd-devel"})]
)
def test_packages_are_the_distributions(manager: Any, some: set[str]) -> None:
    script = of(GIT, manager=manager)["packages"].script
    assert some <= set(script.replace(";", " ").split())
    assert (manager == "apt") == ("apt-get" in script)
    assert (manager == "dnf") == ("dnf -y install" in script)


def test_packages_by_what_is_built() -> None:
    plain = Source(dpvs=Origin(directory="/a"), dpdk=Origin(archive="https://example.org/dpdk.tar.xz"))
    assert {"git", "curl"} & set(packages.packages("apt", plain, "1.10", "6.1")) == {"curl"}
    kmods = plain.model_copy(update={"kmods": True})
    assert "linux-headers-6.1" in packages.packages("apt", kmods, "1.9", "6.1")
    assert "kernel-devel-6.1" in packages.packages("dnf", kmods, "1.9", "6.1")
    assert "meson" not in packages.packages("apt", plain, "1.8", "6.1")


def test_drivers_are_chosen_as_the_line_can() -> None:
    new, old = of(NAMED)["dpdk-configure"].script, of(NAMED, "1.9")["dpdk-configure"].script
    assert "-Denable_drivers=" in new
    assert "-Ddisable_drivers=" not in new
    assert {"bus/auxiliary", "common/mlx5", "net/virtio", "net/tap"} <= set(options.drivers(NAMED, "1.10"))
    assert "-Denable_drivers" not in old
    assert "-Ddisable_drivers=$disabled" in old
    assert "net/kni" in options.drivers(NAMED, "1.9")
    assert ("-Dplatform=native" in new, "-Dmachine=native" in old) == (True, True)
    assert "_drivers=" not in of(GIT)["dpdk-configure"].script
    assert all("-Denable_kmods=false" in script for script in (new, old))


@pytest.mark.parametrize(
    ("cpu", "new", "old"),
    [
        ("native", {"-Dplatform=native"}, {"-Dmachine=native"}),
        ("generic", {"-Dplatform=generic"}, {"-Dmachine=default"}),
        ("haswell", {"-Dplatform=generic", "-Dcpu_instruction_set=haswell"}, {"-Dmachine=haswell"}),
    ],
)
def test_compiled_for_one_cpu_or_for_any(cpu: str, new: set[str], old: set[str]) -> None:
    source = GIT.model_copy(update={"cpu": cpu})
    for line, wanted in (("1.10", new), ("1.9", old)):
        given = options.meson(source, line)  # type: ignore[arg-type]
        assert {word for word in given if word.startswith(("-Dplatform", "-Dmachine", "-Dcpu"))} == wanted


def test_the_oldest_line_is_built_by_make() -> None:
    made = of(GIT, "1.8")
    assert "meson" not in "".join(stage.script for stage in made.values())
    assert "RTE_SDK" in made["dpvs-build"].script


@pytest.mark.parametrize(
    ("change", "again"),
    [
        ({"jobs": 3}, {"dpdk-build", "dpdk-install", "dpvs-build", "install", "current"}),
        ({"config": {"CONFIG_PDUMP": "n"}}, {"dpvs-build", "install", "current"}),
        ({"drivers": ("net/tap",)}, {"dpdk-configure", "dpdk-build", "dpdk-install", "dpvs-build", "install", "current"}),
        (
            {"dpdk": Origin(directory="/dpdk")},
            {"dpdk-source", "dpdk-configure", "dpdk-build", "dpdk-install", "dpvs-build", "install", "current"},
        ),
    ],
)
def test_a_change_does_again_what_hangs_on_it(change: dict[str, Any], again: set[str]) -> None:
    before, after = of(GIT), of(GIT.model_copy(update=change))
    assert {name for name in after if name != "packages" and after[name].key != before[name].key} == again


def test_a_directory_that_changed_is_taken_again() -> None:
    here = Source(dpvs=Origin(directory="/dpvs"), dpdk=Origin(directory="/dpdk"))
    one, other = of(here, dpvs="a", dpdk="b"), of(here, dpvs="a", dpdk="c")
    assert one["dpvs-source"].key == other["dpvs-source"].key
    assert one["dpdk-source"].key != other["dpdk-source"].key


def test_words_of_the_params_are_quoted() -> None:
    odd = Source(dpvs=Origin(directory="/a;touch${IFS}x"), dpdk=Origin(directory="/b"), prefix="/p$(id)")
    script = runner.script(odd.prefix, tuple(of(odd).values()))
    assert "'/a;touch${IFS}x'" in script
    assert "prefix='/p$(id)'" in script
    assert script.count("$(id)") == script.count("'/p$(id)'")


# -- what is left


def done(made: dict[str, stages.Stage], **more: Any) -> BuildState:
    stamps = {name: stage.key for name, stage in made.items()}
    return dataclasses.replace(BuildState(manager="apt", stamps=stamps, built="1.10.2", current="1.10.2"), **more)


def names(found: tuple[stages.Stage, ...]) -> list[str]:
    return [stage.name for stage in found]


def test_nothing_is_left_when_all_is_done() -> None:
    made = of(GIT)
    assert look.left(tuple(made.values()), done(made)) == ()
    # what a finished build doesn't need any more is not installed again
    assert look.left(tuple(made.values()), done(made, missing=frozenset({"meson"}))) == ()


def test_it_goes_on_from_the_first_that_is_not_done() -> None:
    made = of(GIT)
    state = done(made)
    stopped = dataclasses.replace(state, stamps={**state.stamps, "dpdk-install": ""})
    assert names(look.left(tuple(made.values()), stopped)) == ["dpdk-install", "dpvs-build", "install", "current"]
    lacking = dataclasses.replace(stopped, missing=frozenset({"meson"}))
    assert names(look.left(tuple(made.values()), lacking))[:2] == ["packages", "dpdk-install"]


def test_current_that_moved_elsewhere_moves_back() -> None:
    made = of(GIT)
    assert names(look.left(tuple(made.values()), done(made, current="1.9.10"))) == ["current"]


# -- versions that don't belong together


CLUSTER = """
name: site
dpvs: "{dpvs}"
networks: {{wan: {{subnets: [10.0.0.0/16]}}}}
directors: [{{name: lb1, devices: [{{name: dpdk0, network: wan}}]}}]
source:
  dpvs: {{git: "https://example.org/dpvs", ref: {ref}}}
  dpdk: {{archive: /src/dpdk-{dpdk}.tar.xz}}
"""


def rule(**words: str) -> str:
    given = {"dpvs": "1.10", "ref": "v1.10.2", "dpdk": "24.11.1", **words}
    extra = given.pop("extra", "")
    try:
        params_module.parse(CLUSTER.format(**given) + extra)
    except ParamsError as error:
        return error.message
    return ""


@pytest.mark.parametrize(
    ("dpvs", "ref", "dpdk"),
    [
        ("1.10", "v1.10.2", "24.11"),
        ("1.10", "master", "24.11.1"),
        ("1.9", "v1.9.10", "stable-20.11.10"),
        ("1.9", "DPVS-1.9-LTS", "20.11.1"),
    ],
)
def test_pairs_that_belong_together(dpvs: str, ref: str, dpdk: str) -> None:
    assert rule(dpvs=dpvs, ref=ref, dpdk=dpdk) == ""


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"dpdk": "20.11.10"}, "source.dpdk.archive: must be DPDK 24.11 for DPVS 1.10; it names 20.11"),
        ({"dpvs": "1.9", "ref": "v1.9.10"}, "source.dpdk.archive: must be DPDK 20.11 for DPVS 1.9; it names 24.11"),
        ({"ref": "v1.9.10"}, "source.dpvs.ref: must be a DPVS 1.10, as dpvs says; it names 1.9"),
        ({"extra": "  version: '1.8'\n", "ref": "v1.8.12", "dpdk": "19.11"}, "must be DPDK 18.11 for DPVS 1.8"),
        ({"extra": "  kmods: true\n"}, "source.kmods: must be false with DPVS 1.10"),
        ({"extra": "  config: {CONFIG_KNI_VIRTIO_USER: y}\n"}, "must not be there: DPVS 1.10 has no such switch"),
        ({"ref": "v1.8.12", "dpdk": "18.11.2", "extra": '  version: "1.8"\n  cpu: generic\n'}, "source.cpu: must be native with DPVS 1.8"),
        ({"extra": "  cpu: -O3\n"}, "source.cpu: must be native, generic or what gcc's -march takes"),
        ({"extra": "  drivers: [ixgbe]\n"}, "source.drivers[0]: must be a DPDK driver with its class"),
        ({"extra": "  config: {CONFIG_PDUMP: 'y;reboot'}\n"}, "must be y, n or a number"),
    ],
)
def test_what_does_not_belong_together_is_refused(given: dict[str, str], said: str) -> None:
    assert said in rule(**given)


@pytest.mark.parametrize(
    ("origin", "said"),
    [
        ({"git": "ext::sh -c id", "ref": "x"}, "must be a repository's URL"),
        ({"git": "https://me:secret@example.org/x", "ref": "x"}, "must not hold a password"),
        ({"git": "https://example.org/x"}, "must have a ref with git"),
        ({"git": "https://example.org/x", "ref": "--upload-pack=id"}, "must be a tag, a branch or a commit"),
        ({"git": "https://example.org/x", "ref": "x", "directory": "/x"}, "exactly one of git, archive and directory"),
        ({"archive": "dpvs.tar.gz"}, "must be a URL"),
        ({"archive": "/dpvs.tar.gz", "sha256": "abc"}, "must be a SHA-256"),
        ({}, "exactly one of git, archive and directory"),
    ],
)
def test_bad_origins(origin: dict[str, str], said: str) -> None:
    from pydantic import ValidationError

    with pytest.raises(ValidationError) as caught:
        Origin(**origin)  # type: ignore[arg-type]
    assert said in str(caught.value)
    assert "secret" not in str(caught.value)


# -- the first real error


@pytest.mark.parametrize("case", LOGS, ids=lambda case: case["name"])
def test_the_first_error_of_a_log(case: dict[str, Any]) -> None:
    found = failures.explain("\n".join(case["log"]), case["stage"])
    assert (found.error.splitlines()[0], found.line) == (case["error"], case["line"])
    assert len(found.error.splitlines()) == case["lines"]
    assert (found.known.id if found.known else None) == case["known"]


def test_a_full_disk_comes_first() -> None:
    log = "a.c:1:1: error: what follows from it\ncc1: fatal error: error writing to /tmp/x.s: No space left on device\n"
    found = failures.explain(log, "dpvs-build")
    assert found.known is not None
    assert (found.known.id, found.line) == ("B01", 2)


@pytest.mark.parametrize("log", ["", "make: *** [Makefile:1: all] Error 2", "nothing\nof note"])
def test_a_log_that_says_little(log: str) -> None:
    found = failures.explain(log, "dpvs-build")
    assert found.known is None
    assert found.error


def test_a_long_line_is_cut() -> None:
    error, _ = failures.first(f"ninja: noise\nx.c:1:1: error: {'x' * 5000}\n")
    assert error.startswith("x.c:1:1: error: xxx")
    assert len(error) < 500


def test_each_known_failure_says_what_to_do() -> None:
    known = catalogue("build")
    assert len({entry.id for entry in known}) == len(known)
    assert {"F15", "F16", "F17", "F18"} <= {entry.id for entry in known}
    assert all(entry.cause and entry.fix for entry in known)


# -- before anything is sent


def wrong(state: BuildState, source: Source = GIT, line: Any = "1.10") -> list[str]:
    made = stages.stages(source, line, state.manager, "6.1", state.prints)
    return [check.name for check in preflight.checks(source, line, state, look.left(made, state)) if not check.ok]


FINE = BuildState(manager="apt", root=True, free=99 << 20, writable=True, memory=9 << 20)


@pytest.mark.parametrize(
    ("state", "names"),
    [
        (FINE, []),
        (dataclasses.replace(FINE, free=100 << 10), ["room"]),
        (dataclasses.replace(FINE, writable=False), ["prefix"]),
        (dataclasses.replace(FINE, memory=300 << 10), ["memory"]),
        (dataclasses.replace(FINE, root=False), []),
        (dataclasses.replace(FINE, root=False, missing=frozenset({"git"})), ["packages"]),
        (dataclasses.replace(FINE, manager=None, tools=frozenset({"git"})), ["tools"]),
    ],
)
def test_what_a_host_must_have(state: BuildState, names: list[str]) -> None:
    assert wrong(state) == names


@pytest.mark.parametrize(
    ("trees", "names"),
    [
        ({"dpvs": Tree(True, "1.10"), "dpdk": Tree(True, "24.11.0")}, []),
        ({"dpvs": Tree(False), "dpdk": Tree(True, "24.11.0")}, ["DPVS"]),
        ({"dpvs": Tree(True, ""), "dpdk": Tree(True, "24.11.0")}, ["DPVS"]),
        ({"dpvs": Tree(True, "1.10"), "dpdk": Tree(True, "20.11.10")}, ["DPDK"]),
        ({"dpvs": Tree(True, "1.9"), "dpdk": Tree(True, "24.11.0")}, ["DPVS"]),
    ],
)
def test_what_the_trees_on_the_host_are(trees: dict[str, Tree], names: list[str]) -> None:
    here = Source(dpvs=Origin(directory="/dpvs"), dpdk=Origin(directory="/dpdk"))
    assert wrong(dataclasses.replace(FINE, trees=trees), here) == names


# -- the runner, under this machine's own shell


@pytest.fixture
def site(tmp_path: Path) -> Site:
    if sys.platform != "linux":
        pytest.skip("needs Linux")
    return Site.make(tmp_path)


def test_a_build_from_nothing_and_a_second_that_has_nothing_to_do(site: Site) -> None:
    ended = site.build()
    assert (ended.state, ended.code) == ("done", 0)
    assert [name for name, _ in ended.done][-1] == "current"
    state = site.look()
    assert (state.current, state.built, state.releases, state.keepalived) == ("1.10.2", "1.10.2", ("1.10.2",), True)
    assert "1.10-2" in state.says
    assert site.left() == []
    assert (site.work / "dpdk/README").read_text() == "patched twice\n"
    assert (site.folder / "dpdk/README").read_text() == "plain\n", "nobody's own tree is patched"
    assert (site.folder / "prefix/current").readlink() == Path("1.10.2")
    assert os.access(site.folder / "prefix/1.10.2/bin/dpdk-devbind.py", os.X_OK)
    assert not (site.work / "reserve").exists()


def test_what_was_made_and_is_gone_is_made_again(site: Site) -> None:
    site.build()
    (site.folder / "prefix/1.10.2/bin/dpip").unlink()
    assert site.left() == ["install", "current"]
    assert site.build().state == "done"
    assert site.left() == []


def test_a_failed_build_goes_on_where_it_stopped(site: Site) -> None:
    site.sh(runner.prepare(str(site.work)))
    (site.work / "broken").write_text("x.c:1:1: error: no good\n")
    ended = site.build()
    assert (ended.state, ended.stage, ended.code) == ("failed", "dpvs-build", 2)
    assert failures.explain(site.log("dpvs-build"), "dpvs-build").error == "x.c:1:1: error: no good"
    assert site.left() == ["dpvs-build", "install", "current"]
    assert not (site.folder / "prefix/current").exists()
    (site.work / "broken").unlink()
    assert [name for name, _ in site.build().done] == ["dpvs-build", "install", "current"]
    assert "no good" in site.log("dpvs-build.before")


def test_it_tells_how_far_it_is_and_is_started_once(site: Site) -> None:
    site.sh(runner.prepare(str(site.work)))
    (site.work / "gate").touch()
    assert site.start() == "started"
    wait_for((site.work / "waiting").exists)
    seen = site.progress()
    assert (seen.state, seen.stage, seen.count) == ("running", "dpdk-build", (1, 3))
    assert str(seen) == "dpdk-build [1/3]"
    assert site.start() == "running"
    assert site.look().progress.stage == "dpdk-build"
    (site.work / "gate").unlink()
    wait_for(lambda: site.progress().state == "done")


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_a_build_that_was_killed_is_seen_and_goes_on(site: Site, how: signal.Signals) -> None:
    site.sh(runner.prepare(str(site.work)))
    (site.work / "gate").touch()
    site.start()
    wait_for((site.work / "waiting").exists)
    pid = int((site.work / "runner.pid").read_text().split()[0])
    if how == signal.SIGKILL:
        os.killpg(pid, how)
    else:
        os.kill(pid, how)  # it takes the stage that runs along, at once
    wait_for(lambda: site.progress().state != "running")
    assert site.progress().state == ("stopped" if how == signal.SIGKILL else "failed")
    assert site.left()[0] == "dpdk-build"
    (site.work / "gate").unlink()
    assert site.build().state == "done"


def test_a_process_id_that_somebody_else_has_now_is_no_build(site: Site) -> None:
    site.build()
    (site.work / "runner.pid").write_text(f"{os.getpid()} 1\n")
    assert site.progress().state == "done"


def test_a_switch_builds_dpvs_again_and_one_that_is_not_known_is_refused(site: Site) -> None:
    site.build()
    site.source = site.source.model_copy(update={"config": {"CONFIG_PDUMP": "n"}})
    assert site.left() == ["dpvs-build", "install", "current"]
    site.build()
    assert "CONFIG_PDUMP=n" in (site.work / "make.args").read_text()
    site.source = site.source.model_copy(update={"config": {"CONFIG_NO_SUCH": "y"}})
    assert site.build().state == "failed"
    found = failures.explain(site.log("dpvs-build"), "dpvs-build")
    assert found.known is not None
    assert found.known.id == "B14"
    assert (site.folder / "prefix/current/bin/dpvs").exists(), "the release that runs stays"


def test_the_drivers_that_an_older_dpdk_is_told_not_to_build(tmp_path: Path) -> None:
    site = Site.make(tmp_path)
    site.line = "1.9"
    shutil.rmtree(tmp_path / "dpvs")
    shutil.rmtree(tmp_path / "dpdk")
    build_site.dpvs(tmp_path / "dpvs", "1.9.10", "dpdk-stable-20.11.10")
    build_site.dpdk(tmp_path / "dpdk", "20.11.10")
    assert site.build().state == "done"
    assert "-Ddisable_drivers=crypto/null,net/ixgbe" in (site.work / "meson.args").read_text().split()
    assert site.look().current == "1.9.10"


def test_releases_side_by_side_and_current_goes_back(site: Site) -> None:
    site.build()
    newer = build_site.dpvs(site.folder / "newer", "1.10.3")
    old, site.source = site.source, site.source.model_copy(update={"dpvs": Origin(directory=str(newer)), "current": False})
    site.build()
    assert (site.look().releases, site.look().current) == (("1.10.2", "1.10.3"), "1.10.2")
    site.source = site.source.model_copy(update={"current": True})
    assert site.left() == ["current"]
    site.build()
    assert site.look().current == "1.10.3"
    site.source = old
    site.build()
    assert site.look().current == "1.10.2"


# -- bad sources


def failed(site: Site) -> tuple[str, str | None]:
    """Build; the stage that failed and what is known of it."""
    ended = site.build()
    assert ended.state == "failed"
    found = failures.explain(site.log(ended.stage), ended.stage)
    return ended.stage, found.known.id if found.known else None


def test_a_wrong_directory(site: Site) -> None:
    site.source = site.source.model_copy(update={"dpvs": Origin(directory=str(site.folder / "bin"))})
    assert wrong(dataclasses.replace(site.look(), free=99 << 20, root=True), site.source) == ["DPVS"]
    assert failed(site) == ("dpvs-source", "B07")
    site.source = site.source.model_copy(update={"dpvs": Origin(directory=str(site.folder / "nowhere"))})
    assert failed(site) == ("dpvs-source", "B07")


def test_a_dpdk_of_another_line(site: Site) -> None:
    (site.folder / "dpdk/VERSION").write_text("23.11.0\n")
    assert failed(site) == ("dpdk-source", "F16")
    assert "DPVS 1.10 needs 24.11" in site.log("dpdk-source")


def test_a_dpvs_without_patches_for_this_dpdk(site: Site) -> None:
    (site.folder / "dpvs/patch/dpdk-24.11").rename(site.folder / "dpvs/patch/dpdk-stable-20.11.10")
    assert failed(site) == ("dpdk-source", "B06")


def test_a_dpdk_that_somebody_changed(site: Site) -> None:
    (site.folder / "dpdk/README").write_text("changed\n")
    assert failed(site) == ("dpdk-source", "B05")


def test_a_dpdk_that_has_the_patches_already(site: Site) -> None:
    (site.folder / "dpdk/README").write_text("patched twice\n")
    site.source = site.source.model_copy(update={"dpvs": Origin(directory=str(site.folder / "dpvs"))})
    (site.folder / "dpvs/patch/dpdk-24.11/0001-a.patch").unlink()
    assert site.build().state == "done"


def test_packages_that_can_not_be_had(site: Site) -> None:
    build_site.program(site.folder / "bin", "dpkg-query", "exit 1")
    assert "meson" in site.look().missing
    build_site.program(site.folder / "bin", "apt-get", "[ \"$1\" = -qq ] || { echo 'E: Unable to locate package meson' >&2; exit 100; }")
    assert failed(site) == ("packages", "B12")
    build_site.program(site.folder / "bin", "apt-get", "echo all there")
    assert site.build().state == "done"


def packed(site: Site, name: str) -> Path:
    path = site.folder / f"{name}.tar.gz"
    with tarfile.open(path, "w:gz") as archive:
        archive.add(site.folder / name, arcname=f"{name}-x")
    return path


def test_archives(site: Site) -> None:
    made = {name: packed(site, name) for name in ("dpvs", "dpdk")}
    digest = sha256(made["dpdk"].read_bytes()).hexdigest()
    site.source = site.source.model_copy(
        update={"dpvs": Origin(archive=str(made["dpvs"])), "dpdk": Origin(archive=str(made["dpdk"]), sha256="0" * 64)}
    )
    assert failed(site) == ("dpdk-source", "B10")
    site.source = site.source.model_copy(update={"dpdk": Origin(archive=str(made["dpdk"]), sha256=digest)})
    assert site.build().state == "done"
    made["dpdk"].write_bytes(b"not an archive")
    site.source = site.source.model_copy(update={"dpdk": Origin(archive=str(made["dpdk"]))})
    assert failed(site) == ("dpdk-source", "B10")


def git(folder: Path, *words: str) -> str:
    env = {**os.environ, "GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_NOSYSTEM": "1"}
    who = ("-c", "user.name=a", "-c", "user.email=a@example.org", "-c", "init.defaultBranch=main")
    return subprocess.run(["git", "-C", str(folder), *who, *words], check=True, capture_output=True, text=True, env=env).stdout.strip()


@pytest.mark.skipif(not shutil.which("git"), reason="no git")
def test_git_by_tag_by_commit_and_one_that_is_not_there(site: Site) -> None:
    tree = site.folder / "dpvs"
    for words in (
        ("init", "-q"),
        ("add", "."),
        ("commit", "-qm", "one"),
        ("tag", "v1.10.2"),
        ("commit", "-q", "--allow-empty", "-m", "two"),
    ):
        git(tree, *words)
    commit = git(tree, "rev-parse", "v1.10.2")
    for ref in ("v1.10.2", "main", commit):
        site.source = site.source.model_copy(update={"dpvs": Origin(git=f"file://{tree}", ref=ref)})
        assert site.build().state == "done"
        assert site.left() == []
    site.source = site.source.model_copy(update={"dpvs": Origin(git=f"file://{tree}", ref="v9.9")})
    assert failed(site) == ("dpvs-source", "B08")
    site.source = site.source.model_copy(update={"dpvs": Origin(git=f"file://{tree}.gone", ref="v1")})
    assert failed(site) == ("dpvs-source", "B09")


def test_git_that_is_not_there(site: Site, tmp_path: Path) -> None:
    """Neither git nor a package manager: said before anything is sent, and by the stage as well."""
    lean = tmp_path / "lean"
    lean.mkdir()
    for name in (
        "sh",
        "id",
        "uname",
        "awk",
        "df",
        "readlink",
        "head",
        "sed",
        "tail",
        "cut",
        "grep",
        "find",
        "sort",
        "sha256sum",
        "mkdir",
        "rm",
    ):
        (lean / name).symlink_to(shutil.which(name) or "")
    site.source = site.source.model_copy(update={"dpvs": Origin(git="https://example.org/dpvs", ref="v1.10.2")})
    state = site.look(path=str(lean))
    assert state.manager is None
    assert "git" in state.tools
    assert "tools" in wrong(state, site.source)
    fetch = next(stage for stage in site.stages(state) if stage.name == "dpvs-source")
    ended = site.sh(f"cd {tmp_path}; fail() {{ exit 1; }}; set -eu; {fetch.script}", path=str(lean))
    assert ended.returncode
    found = failures.explain(ended.stderr, "dpvs-source")
    assert found.known is not None
    assert found.known.id == "B17"


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    path = tmp_path / "small"
    path.mkdir()
    if (
        os.geteuid() != 0
        or subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(path)], capture_output=True, check=False).returncode
    ):
        pytest.skip("may not mount")
    try:
        yield path
    finally:
        subprocess.run(["umount", "-l", str(path)], check=True)


@pytest.mark.root
@pytest.mark.parametrize("stage", ["dpdk-source", "dpvs-build"])
def test_a_disk_that_fills_up(site: Site, small_disk: Path, stage: str) -> None:
    """The log can't grow any more either; still it is told what happened, and the build goes on when there is room."""
    site.source = site.source.model_copy(update={"prefix": str(small_disk / "prefix")})
    big = small_disk / "big"
    if stage == "dpdk-source":
        (site.folder / "dpdk/data").write_bytes(bytes(3 << 20))
    else:
        site.sh(runner.prepare(str(site.work)))
        full = f"printf 'gcc -c half a line'; cat /dev/zero >{big} 2>/dev/null; echo 'x.c:1: error: half'; exit 2"
        build_site.program(site.folder / "bin", "make", full)
    assert failed(site) == (stage, "B01")
    if stage == "dpvs-build":
        assert failures.first(site.log(stage))[0] == f"dpvsbook: No space left on device: {small_disk}"
    assert site.progress().code != 0
    assert not (small_disk / "prefix/current").exists()
    big.unlink(missing_ok=True)
    (site.folder / "dpdk/data").unlink(missing_ok=True)
    build_site.program(site.folder / "bin", "make", build_site.PROGRAMS["make"])
    assert site.build().state == "done"


# -- the whole, over a real sshd


@pytest.fixture
def cluster(site: Site, sshd: Sshd, monkeypatch: pytest.MonkeyPatch) -> Path:  # noqa: F811
    monkeypatch.setattr(wire, "LOCK", f"dpvsbook-{os.getpid()}.lock")  # other tests lock this machine as well
    for name, text in build_site.PROGRAMS.items():
        sshd.program(name, text)
    path = site.folder / "params" / "site.yaml"
    path.parent.mkdir()
    path.write_text(
        "name: site\nnetworks: {wan: {subnets: [10.0.0.0/16]}}\n"
        "directors: [{name: real, ssh: {sudo: false}, devices: [{name: dpdk0, network: wan}]}]\n"
        f"source:\n  dpvs: {{directory: {site.folder}/dpvs}}\n  dpdk: {{directory: {site.folder}/dpdk}}\n"
        f"  prefix: {site.folder}/prefix\n  drivers: [net/tap]\n"
    )
    return path


def run(cluster: Path, server: Sshd, mode: str) -> tuple[steps.Build, list[str]]:
    hosts = steps.open(cluster, mode, ssh_config=server.config())
    shown = [repr(hosts), repr(steps.preflight(hosts)), repr(steps.compile(hosts)), repr(steps.verify(hosts)), repr(hosts.finish())]
    return hosts, shown


def test_preview_apply_and_again(cluster: Path, sshd: Sshd, site: Site) -> None:  # noqa: F811
    _, shown = run(cluster, sshd, "preview")
    assert "changes-pending: " not in shown[0]
    assert "Verdict: changes-pending" in shown[-1]
    assert not (site.folder / "prefix").exists()
    _, shown = run(cluster, sshd, "apply")
    assert "Verdict: converged" in shown[-1]
    assert "current/bin/dpvs says 1.10.2" in shown[3]
    hosts, shown = run(cluster, sshd, "apply")
    assert "DPDK and DPVS: nothing to do" in shown[2]
    assert "Verdict: converged" in shown[-1]
    assert hosts.hosts["real"].round_trips == 3  # who it is, a look, a look again


def test_a_cut_connection_ends_the_looking_only(cluster: Path, sshd: Sshd, site: Site) -> None:  # noqa: F811
    import threading

    site.sh(runner.prepare(str(site.work)))
    (site.work / "gate").touch()
    shown: list[str] = []
    thread = threading.Thread(target=lambda: shown.extend(run(cluster, sshd, "apply")[1]))
    thread.start()
    wait_for((site.work / "waiting").exists)
    wait_for(lambda: any('"progress"' in path.read_text() for path in site.folder.glob("outputs/*/*/journal.jsonl")))  # not at its start
    pid = (site.work / "runner.pid").read_text()
    for session in sshd.sessions():
        os.kill(session, signal.SIGKILL)
    wait_for(lambda: bool(sshd.sessions()))  # it looks again, by itself
    (site.work / "gate").unlink()
    thread.join(30)
    assert "Verdict: converged" in shown[-1]
    assert (site.work / "runner.pid").read_text() == pid, "one build, never a second"


def test_a_build_that_runs_already_is_followed(cluster: Path, sshd: Sshd, site: Site) -> None:  # noqa: F811
    import threading

    site.sh(runner.prepare(str(site.work)))
    (site.work / "gate").touch()
    site.start()
    wait_for((site.work / "waiting").exists)
    shown: list[str] = []
    thread = threading.Thread(target=lambda: shown.extend(run(cluster, sshd, "apply")[1]))
    thread.start()
    wait_for(lambda: bool(sshd.sessions()))
    (site.work / "gate").unlink()
    thread.join(30)
    assert "Verdict: converged" in shown[-1]


def test_what_failed_is_told_with_its_cause_and_fix(cluster: Path, sshd: Sshd, site: Site) -> None:  # noqa: F811
    site.sh(runner.prepare(str(site.work)))
    (site.work / "broken").write_text("src/x.c:7:9: error: 'struct y' has no member named 'z'\nmake: *** [x.o] Error 1\n")
    with pytest.raises(BuildFailed) as caught:
        run(cluster, sshd, "apply")
    assert "has no member named 'z'" in str(caught.value)
    assert "F16" in caught.value.message
    assert "belongs together" in caught.value.remedy
    assert caught.value.log.endswith("/log/dpvs-build")
    (site.work / "broken").unlink()
    assert "Verdict: converged" in run(cluster, sshd, "apply")[1][-1]


def test_a_pair_that_does_not_belong_together_is_refused_before_anything_is_sent(cluster: Path, sshd: Sshd, site: Site) -> None:  # noqa: F811
    (site.folder / "dpdk/VERSION").write_text("20.11.10\n")
    _, shown = run(cluster, sshd, "preview")
    assert "Verdict: failed" in shown[-1]
    with pytest.raises(PlanError, match=r"24\.11 is wanted"):
        run(cluster, sshd, "apply")
    assert not (site.folder / "prefix").exists()


def test_params_without_a_source(params_file: Path, sshd: Sshd) -> None:  # noqa: F811
    with pytest.raises(ParamsError, match="no `source` section"):
        steps.open(params_file, ssh_config=sshd.config())


def test_undo_says_how_to_go_back(cluster: Path) -> None:
    with pytest.raises(ParamsError) as caught:
        steps.open(cluster, "undo")
    assert "former `source`" in caught.value.remedy


# -- the notebook, as it is typed


def typed(folder: Path, *words: object) -> subprocess.CompletedProcess[str]:
    argv = [sys.executable, "-m", "dpvsbook", "run", str(NOTEBOOK), *map(str, words), "--outputs", str(folder / "outputs")]
    return subprocess.run(argv, cwd=folder, capture_output=True, text=True, check=False)


def here_params(folder: Path, prefix: Path) -> Path:
    """params/build.yaml as shipped, with the sources set as its comment says."""
    text = (PARAMS / "build.yaml").read_text()
    for name in ("dpvs", "dpdk"):
        assert f"/usr/src/{name}" in text
        text = text.replace(f"/usr/src/{name}", f"{folder}/{name}")
    assert "prefix: /opt/dpvsbook " in text
    text = text.replace("prefix: /opt/dpvsbook ", f"prefix: {prefix} ").replace("localhost ", "localhost\n    ssh: {sudo: false} ", 1)
    (folder / "params").mkdir()
    (folder / "params/build.yaml").write_text(text)
    return folder / "params/build.yaml"


@pytest.mark.skipif(not shutil.which("sshd", path=f"{os.environ['PATH']}:/usr/sbin"), reason="no OpenSSH server on this machine")
def test_the_notebook_here_with_a_source_that_is_none(site: Site) -> None:
    shutil.rmtree(site.folder / "dpvs")
    ended = typed(site.folder, here_params(site.folder, site.folder / "prefix"), "--here")
    assert ended.returncode == 3, ended.stdout + ended.stderr
    assert f"localhost: DPVS: there is no {site.folder}/dpvs" in ended.stdout
    assert "localhost: DPDK: " not in ended.stdout
    assert not (site.folder / "prefix").exists()


def test_here_is_one_director(site: Site) -> None:
    ended = typed(site.folder, PARAMS / "fnat-ospf.yaml", "--here")
    assert ended.returncode == 4
    assert "the params have 3: lb1, lb2, lb3" in ended.stderr + ended.stdout


def test_how_far_it_is_goes_into_a_log_by_tenths(capsys: pytest.CaptureFixture[str]) -> None:
    with Progress() as progress:
        for done in (0, 5, 70, 95, 101, 199):
            progress.event("x", {"kind": "progress", "director": "lb1", "stage": "dpdk-build", "count": [done, 1000], "last": ""})
        progress.event("x", {"kind": "progress", "director": "lb1", "stage": "dpvs-build", "count": None, "last": "cc [x.o]"})
    told = ["  lb1: dpdk-build 0/1000 (0 %)", "  lb1: dpdk-build 101/1000 (10 %)"]
    assert capsys.readouterr().out.splitlines() == told
