"""Making a host ready for dpvs: plans from plain data, what is refused, and a file written and read back on the emulated lab."""

from __future__ import annotations

import subprocess
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from dpvsbook import params as params_module
from dpvsbook.conf.model import read
from dpvsbook.conf.parse import parse
from dpvsbook.conf.validate import validate
from dpvsbook.conf.write import write
from dpvsbook.errors import ParamsError, PlanError
from dpvsbook.facts import setup
from dpvsbook.facts.setup import Dpvs, File, Pages, SetupState, Slot
from dpvsbook.hostplan import HostPlan
from dpvsbook.params import Params
from dpvsbook.steps import configure
from dpvsbook.steps.setup.command import machine
from dpvsbook.steps.setup.common import PAGES_AT_BOOT, Planner
from dpvsbook.steps.setup.conf import plan_conf
from dpvsbook.steps.setup.modules import plan_modules
from dpvsbook.steps.setup.nics import carries, plan_nics
from dpvsbook.steps.setup.pages import plan_pages
from dpvsbook.steps.setup.units import unit_files
from dpvsbook.steps.setup.wanted import wanted_conf
from tests.conf.made import small
from tests.steps.setup_site import HOST, A, B

if TYPE_CHECKING:
    from dpvsbook.lab.emulated import Lab


@pytest.fixture(scope="module")
def params(params_file: Path) -> Params:
    return params_module.load(params_file)


def plan(planner: Planner, params: Params, state: SetupState) -> HostPlan:
    return planner(params, params.directors[0], state)


def after(state: SetupState, made: HostPlan) -> SetupState:
    """The host as it is when the plan was done."""
    for change in made.changes:
        values = change.after or {}
        if change.kind == "file":
            state = replace(state, files={**state.files, change.key: File(str(values["text"]), int(values["mode"]))})
        elif change.kind == "hugepages":
            node = int(change.key.removeprefix("node").partition("/")[0])
            pages = int(values["pages"])
            state = replace(state, pages=tuple(replace(p, total=pages) if (p.node, p.size_kb) == (node, 2048) else p for p in state.pages))
        elif change.kind == "module":
            state = replace(state, modules=state.modules | {change.key.replace("-", "_")})
        elif change.kind == "driver":
            state = replace(state, slots={**state.slots, change.key: replace(state.slots[change.key], driver=str(values["driver"]))})
    return state


def test_a_fresh_host_gets_all_of_it_and_then_has_nothing_to_do(params: Params):
    state = HOST
    for planner in configure.PLANS:
        made = plan(planner, params, state)
        assert made.changes or made.notes, planner
        assert made.refused == ()
        state = after(state, made)
        again = plan(planner, params, state)
        assert again.changes == ()
    for planner in configure.PLANS:
        assert plan(planner, params, state).changes == ()


def test_the_conf_that_is_written_is_good(params: Params):
    made = plan(plan_conf, params, HOST)
    text = str((made.changes[0].after or {})["text"])
    assert validate(text, machine(params, params.directors[0], HOST)) == ()
    assert [d.name for d in read(parse(text)).devices] == ["dpdk0", "dpdk1"]


def test_a_site_starts_from_what_it_has(params: Params):
    """Its own settings stay; what the params say differs; and what that takes is said."""
    own = small(2, netif_defs__pktpool_size=262143, neigh_defs__timeout=90, sa_pool__flow_enable=False)
    state = replace(HOST, files={"/etc/dpvs.conf": File(write(own), 0o600)}, dpvs=Dpvs(77, has_read=True))
    made = plan(plan_conf, params, state)
    written = made.changes[0].after or {}
    conf = read(parse(str(written["text"])))
    assert (conf.get("netif_defs.pktpool_size"), conf.get("neigh_defs.timeout"), conf.get("sa_pool.flow_enable")) == (262143, 90, True)
    assert written["mode"] == 0o600
    assert "flow_enable: off -> on (restart)" in made.changes[0].reason
    assert "Needs a restart of dpvs, which this does not do: sa_pool.flow_enable" in made.notes[0]


def test_the_same_values_in_other_words_are_left_alone(params: Params):
    text = "# our own words\n" + write(small(2, sa_pool__flow_enable=True))
    assert plan(plan_conf, params, replace(HOST, files={"/etc/dpvs.conf": File(text, 0o644)})).changes == ()


def test_what_is_wrong_in_the_file_there_is_said(params: Params):
    text = write(small(2)).replace("netif_defs {", "netif_defs {\n    pktpool_sise 5")
    made = plan(plan_conf, params, replace(HOST, files={"/etc/dpvs.conf": File(text, 0o644)}))
    assert any("pktpool_sise is not known" in note and "pktpool_size" in note for note in made.notes)


# -- NICs


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"defaults": ("eth2",)}, "carries the default route"),
        ({"ssh": ("eth2",)}, "carries this SSH session"),
        ({"defaults": ("bond0",), "lowers": {"bond0": ("eth1", "eth2")}}, "carries the default route of bond0"),
        ({"ssh": ("br0.5",), "lowers": {"br0.5": ("br0",), "br0": ("eth2",)}}, "carries this SSH session over br0.5"),
        ({"ssh": ()}, "can't be told which interface carries this session"),
        ({"tools": frozenset({"modprobe"})}, "neither driverctl nor dpdk-devbind.py"),
        ({"slots": {B: Slot(B, "ixgbe", 0)}}, "is no network device of this host"),
    ],
)
def test_a_nic_that_must_not_be_bound_is_refused_by_name(params: Params, change: dict[str, object], said: str):
    made = plan(plan_nics, params, replace(HOST, **change))  # type: ignore[arg-type]
    refused = {refusal.key: refusal for refusal in made.refused}
    assert said in refused[A].reason
    assert refused[A].remedy
    assert A not in {c.key for c in made.changes}


def test_mlx5_is_never_bound(params: Params):
    made = plan(plan_nics, params, replace(HOST, slots={A: Slot(A, "mlx5_core", 0), B: Slot(B, "vfio-pci", 0)}))
    assert (made.changes, made.refused) == ((), ())
    assert "stays with mlx5_core" in made.notes[0]


@pytest.mark.parametrize(
    ("tool", "there", "back"),
    [
        ("driverctl", f"driverctl set-override {A} vfio-pci", f"driverctl unset-override {A}"),
        ("dpdk-devbind.py", f"dpdk-devbind.py -b vfio-pci {A}", f"dpdk-devbind.py -b ixgbe {A}"),
    ],
)
def test_binding_and_its_way_back(params: Params, tool: str, there: str, back: str):
    made = plan(plan_nics, params, replace(HOST, tools=frozenset({tool})))
    assert [change.key for change in made.changes] == [A, B]
    assert made.changes[0].as_json()["commands"] == [there]
    assert made.changes[0].as_json()["inverse"] == [back]
    assert made.changes[0].shells()[0].script.startswith("ip link set eth2 down || exit 1\n")


# -- pages, modules, units


def test_huge_pages_are_added_per_node_and_never_taken(params: Params):
    made = plan(plan_pages, params, HOST)
    assert [(c.kind, c.key) for c in made.changes] == [("hugepages", "node0/hugepages/hugepages-2048kB"), ("file", PAGES_AT_BOOT)]
    text = str((made.changes[1].after or {})["text"])
    assert "node1/hugepages/hugepages-2048kB/nr_hugepages - - - - 4096" in text
    plenty = replace(HOST, pages=(Pages(0, 2048, 9000, 0), Pages(1, 2048, 9000, 0)))
    assert plan(plan_pages, params, plenty).changes == ()


def test_modules_of_each_version(params: Params):
    assert [c.key for c in plan(plan_modules, params, HOST).changes if c.kind == "module"] == ["vfio-pci", "vhost-net", "tun"]
    bound = replace(HOST, slots={A: Slot(A, "vfio-pci", 0), B: Slot(B, "vfio-pci", 0)})  # built into the kernel: no /sys/module to see
    assert [c.key for c in plan(plan_modules, params, bound).changes if c.kind == "module"] == ["vhost-net", "tun"]
    old = params.model_copy(update={"dpvs": "1.9"})
    assert [c.key for c in plan(plan_modules, old, HOST).changes if c.kind == "module"] == ["vfio-pci"]


def test_the_order_of_the_units(params: Params):
    """dpvs, restore, keepalived, frr."""
    texts = dict(unit_files(params.directors[0], wanted_conf(params.directors[0], HOST), HOST))
    main = texts["/etc/systemd/system/dpvs.service"]
    assert f"-- -l 0,1 --main-lcore 0 -a {A} -a {B}" in main
    assert "-ge 2 ]" in main
    assert "kill -0 $$MAINPID 2>/dev/null || exit 1;" in main, "systemd waits for this script even when dpvs has ended: 120 s on a real one"
    assert "After=dpvs.service\n" in texts["/etc/systemd/system/dpvs-restore.service"]
    assert "After=dpvs.service dpvs-restore.service\n" in texts["/etc/systemd/system/keepalived.service.d/dpvsbook.conf"]
    frr = texts["/etc/systemd/system/frr.service.d/dpvsbook.conf"]
    assert "After=dpvs.service dpvs-restore.service keepalived.service\nBindsTo=dpvs.service\nRequires=dpvs-restore.service\n" in frr


# -- the look


def test_the_look_is_read_on_this_machine():
    """POSIX sh, whatever it runs on."""
    text = setup.script(["/etc/passwd", "/no/such file"])
    ended = subprocess.run(["sh", "-s"], input=text.replace("/no/such file", "/no/such"), capture_output=True, text=True, check=True)
    state = setup.parse(ended.stdout)
    assert state.cpus >= 1
    file = state.files["/etc/passwd"]
    assert file is not None
    assert file.text == Path("/etc/passwd").read_text()
    assert state.files["/no/such"] is None


def test_the_look_finds_the_slot_of_a_virtio_nic():
    """Its own folder is `virtio2`, below the PCI device: taken by its name it would not be seen that the default route is on it."""
    state = setup.parse("nic eth0 0000:00:03.0\npci 0000:00:03.0 virtio-pci -1\ndefault eth0\nssh eth0\nlower br0 eth0\n")
    assert carries(state, "eth0") == "carries the default route"
    assert "s#.*/" in setup.LOOK


def test_an_unknown_line_of_the_look_is_refused():
    with pytest.raises(Exception, match="line 2 is not known"):
        setup.parse("cpus 2\nzebra\n")


# -- on the emulated lab


def write_there(lab: Lab, path: str, text: str) -> None:
    lab.exec("lb1", ["sh", "-c", f"cat > {path}"], stdin=text)


def test_conf_is_written_read_back_and_kept(fresh_lab: Lab, params_file: Path, tmp_path: Path):
    """The site's file, with a difference to the params: previewed, applied, and then nothing is left to do."""
    write_there(fresh_lab, "/etc/dpvs.conf", write(small(2, global_defs__kni=False, sa_pool__flow_enable=False, neigh_defs__timeout=77)))

    def run(mode: str) -> tuple[str, str]:
        hosts = configure.open(params_file, mode, ssh_config=fresh_lab.ssh_config, outputs=tmp_path / "outputs")
        return repr(configure.conf(hosts)), hosts.finish().badge

    assert run("preview")[1] == "changes-pending"
    shown, verdict = run("apply")
    assert "sa_pool.flow_enable: off -> on (restart)" in shown
    assert verdict == "converged"
    text = fresh_lab.exec("lb1", ["cat", "/etc/dpvs.conf"]).stdout
    assert (read(parse(text)).get("sa_pool.flow_enable"), read(parse(text)).get("neigh_defs.timeout")) == (True, 77)
    kept = fresh_lab.exec("lb1", ["sh", "-c", "cat /etc/dpvs.conf.dpvsbook-*"]).stdout
    assert read(parse(kept)).get("sa_pool.flow_enable") is False
    shown, verdict = run("apply")
    assert "nothing to do" in shown
    assert verdict == "converged"


def test_a_refusal_stops_an_apply_before_anything_is_sent(fresh_lab: Lab, params_file: Path, tmp_path: Path):
    wrong = tmp_path / "wrong.yaml"
    wrong.write_text(params_file.read_text().replace("0000:06:00.", "0000:f9:00."))
    hosts = configure.open(wrong, "apply", ssh_config=fresh_lab.ssh_config, outputs=tmp_path / "outputs")
    before = hosts.hosts["lb1"].round_trips
    with pytest.raises(PlanError, match=r"0000:f9:00\.0 is no network device of this host"):
        configure.nics(hosts)
    assert hosts.hosts["lb1"].round_trips == before
    assert hosts.finish().badge == "failed"


def test_undo_puts_every_file_back(fresh_lab: Lab, params_file: Path, tmp_path: Path):
    """As it was, mode and all; a file that was not there is gone; a second undo has nothing left to take back."""
    before = write(small(2, global_defs__kni=False, sa_pool__flow_enable=False))
    write_there(fresh_lab, "/etc/dpvs.conf", before)
    fresh_lab.exec("lb1", ["chmod", "600", "/etc/dpvs.conf"])

    def run(mode: str) -> str:
        hosts = configure.open(params_file, mode, ssh_config=fresh_lab.ssh_config, outputs=tmp_path / "outputs")
        configure.conf(hosts)
        configure.restore(hosts)
        return hosts.finish().badge

    assert run("apply") == "converged"
    assert fresh_lab.exec("lb1", ["test", "-x", "/etc/dpvsbook/restore.sh"]).exit == 0
    assert run("undo") == "converged"
    assert fresh_lab.exec("lb1", ["cat", "/etc/dpvs.conf"]).stdout == before
    assert fresh_lab.exec("lb1", ["stat", "-c", "%a", "/etc/dpvs.conf"]).stdout == "600\n"
    assert fresh_lab.exec("lb1", ["test", "-e", "/etc/dpvsbook/restore.sh"]).exit == 1
    with pytest.raises(PlanError, match="no applied run of `configure` to take back"):
        run("undo")


def test_modes(fresh_lab: Lab, params_file: Path, tmp_path: Path):
    with pytest.raises(ParamsError, match="is not one of preview, apply, undo"):
        configure.open(params_file, "force", outputs=tmp_path / "outputs")
    with pytest.raises(PlanError, match="no applied run of `configure` to take back"):
        configure.open(params_file, "undo", ssh_config=fresh_lab.ssh_config, outputs=tmp_path / "outputs")
