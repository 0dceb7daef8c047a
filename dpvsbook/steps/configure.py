"""Making a director ready for dpvs: huge pages, modules, NICs, dpvs.conf, units. Before dpvs runs, so it needs no running dpvs.

Each `plan_*` is pure: params and one look at the host in, changes out. `open` binds the directors, and what it gives is called with the
steps: `hosts = configure.open(params, mode=mode)`, `configure.pages(hosts)` and so on.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from dpvsbook.conf.desired import desired
from dpvsbook.conf.diff import diff, needs
from dpvsbook.conf.machine import Arguments, Machine, Port, arguments
from dpvsbook.conf.memory import need_mb
from dpvsbook.conf.model import Conf, read
from dpvsbook.conf.parse import parse_lenient
from dpvsbook.conf.validate import Finding, validate
from dpvsbook.conf.write import write
from dpvsbook.facts.setup import SetupState
from dpvsbook.hostplan import HostChange, HostPlan, Refusal
from dpvsbook.params import Director, Params
from dpvsbook.plan import Value

if TYPE_CHECKING:
    from dpvsbook.prepare import PlanView, Prepared

PAGES_AT_BOOT, MODULES_AT_BOOT = "/etc/tmpfiles.d/dpvsbook-hugepages.conf", "/etc/modules-load.d/dpvsbook.conf"
UNITS = "/etc/systemd/system"
RESTORE = "/etc/dpvsbook/restore.sh"
BIFURCATED = ("mlx4_core", "mlx5_core", "mana")
"""Drivers that DPDK works beside: such a NIC is never taken from the kernel."""
USERSPACE = ("vfio-pci", "uio_pci_generic", "igb_uio")
DRIVER = "vfio-pci"
PAGE_KB = 2048

Planner = Callable[[Params, Director, SetupState], HostPlan]


def conf_path(director: Director) -> str:
    """Where a director's dpvs.conf is."""
    return director.start.conf if director.start else "/etc/dpvs.conf"


def unit_name(director: Director) -> str:
    """The name of its dpvs's unit, without `.service`."""
    name = director.start.unit if director.start and director.start.unit else "dpvs"
    return name.removesuffix(".service")


def files(director: Director) -> tuple[str, ...]:
    """The files that the look has to read."""
    return (conf_path(director), PAGES_AT_BOOT, MODULES_AT_BOOT, *(path for path, _ in unit_files(director, desired(director))))


def existing_conf(director: Director, state: SetupState) -> Conf | None:
    """What the site has, read back; None where it has no file."""
    file = state.files.get(conf_path(director))
    return read(parse_lenient(file.text).nodes) if file else None


def wanted_conf(director: Director, state: SetupState) -> Conf:
    """The site's own settings with the params' over them. A first file has KNI off where the host can't have it."""
    can = state.vhost_net or "modprobe" in state.tools
    return desired(director, existing_conf(director, state), kni=None if can or state.files.get(conf_path(director)) else False)


# -- the plans


def plan_pages(params: Params, director: Director, state: SetupState) -> HostPlan:  # noqa: ARG001 - as every plan
    """Huge pages per NUMA node, now and at boot. Never fewer than there are: others may use them."""
    pages = [p for p in state.pages if p.size_kb == PAGE_KB]
    need = need_mb(wanted_conf(director, state), len(director.lips))
    wanted_mb = (director.start.hugepages_mb if director.start else None) or need
    count = -(-wanted_mb * 1024 // PAGE_KB)
    notes = [f"{wanted_mb} MB are wanted on each NUMA node; dpvs needs about {need} MB there"] if wanted_mb < need else []
    if not pages:
        told = "The kernel shows no 2 MB huge pages by NUMA node: reserve them on its command line."
        return HostPlan("pages", director.name, refused=(Refusal("huge pages", "the host has no 2 MB huge pages", told),))
    changes = [
        HostChange(
            "hugepages",
            f"node{p.node}/hugepages/hugepages-{PAGE_KB}kB",
            {"pages": p.total},
            {"pages": count},
            f"NUMA node {p.node} has {p.total} huge pages of 2 MB, {wanted_mb} MB are {count}",
        )
        for p in pages
        if p.total < count
    ]
    lines = [
        f"w /sys/devices/system/node/node{p.node}/hugepages/hugepages-{PAGE_KB}kB/nr_hugepages - - - - {max(count, p.total)}" for p in pages
    ]
    if not changes and state.files.get(PAGES_AT_BOOT) is None and all(p.total >= count for p in pages):
        lines = []  # somebody reserves them already, at boot or otherwise
    changes += (
        _file(state, PAGES_AT_BOOT, "\n".join(["# Written by dpvsbook: huge pages at boot.", *lines, ""]), "at boot") if lines else []
    )
    return HostPlan("pages", director.name, tuple(changes), (), tuple(notes))


def plan_modules(params: Params, director: Director, state: SetupState) -> HostPlan:
    """The kernel modules, now and at boot. 1.10's KNI is vhost-net and tun; 1.9's is rte_kni, which its own build brings."""
    wanted = ["vfio-pci"] if any(_kernel_driver(state, address) not in (*BIFURCATED, "") for address in addresses(director)) else []
    if params.dpvs == "1.10" and wanted_conf(director, state).get("global_defs.kni"):
        wanted += ["vhost-net", "tun"]
    changes = [
        HostChange("module", name, {"loaded": False}, {"loaded": True}, f"{name} is not loaded")
        for name in wanted
        if name.replace("-", "_") not in state.modules
    ]
    if changes and "modprobe" not in state.tools:
        told = "Load them on the host that this one runs on, or write <init> kni off."
        return HostPlan("modules", director.name, refused=tuple(Refusal(change.key, change.reason, told) for change in changes))
    text = "".join(f"{line}\n" for line in ("# Written by dpvsbook.", *wanted))
    return HostPlan("modules", director.name, tuple(changes + (_file(state, MODULES_AT_BOOT, text, "at boot") if wanted else [])))


def plan_nics(params: Params, director: Director, state: SetupState) -> HostPlan:  # noqa: ARG001
    """Give the ports of the params to vfio-pci. Never one that carries the default route or this session; never a bifurcated one."""
    changes: list[HostChange] = []
    refused: list[Refusal] = []
    notes: list[str] = []
    tool = "driverctl" if "driverctl" in state.tools else "dpdk-devbind" if "dpdk-devbind.py" in state.tools else ""
    for address in addresses(director):
        slot = state.slots.get(address)
        name = next((nic for nic, bus in state.nics.items() if bus == address), "")
        called = f"{address} ({name})" if name else address
        if slot is None:
            refused.append(
                Refusal(
                    address,
                    f"{address} is no network device of this host",
                    "Correct `pci` in the params: `dpdk-devbind.py --status-dev net`.",
                )
            )
        elif slot.driver in BIFURCATED:
            notes.append(f"{called} stays with {slot.driver}: DPDK works beside it")
        elif slot.driver in USERSPACE:
            continue
        elif name and (why := carries(state, name)):
            refused.append(Refusal(address, f"{called} {why}", "Give dpvs another port, or manage this host by another one."))
        elif name and not state.ssh:
            refused.append(
                Refusal(
                    address,
                    f"{called}: it can't be told which interface carries this session",
                    "Bind it by hand, or log in over SSH as root.",
                )
            )
        elif not tool:
            refused.append(
                Refusal(address, f"{called}: the host has neither driverctl nor dpdk-devbind.py", "Install driverctl, or DPDK's tools.")
            )
        else:
            before: dict[str, Value | str | None] = {"driver": None if tool == "driverctl" else slot.driver, "tool": tool}
            changes.append(
                HostChange(
                    "driver",
                    address,
                    before,
                    {"driver": DRIVER, "tool": tool, "down": name},
                    f"{called} is with {slot.driver or 'no driver'}",
                )
            )
    return HostPlan("nics", director.name, tuple(changes), tuple(refused), tuple(notes))


def plan_conf(params: Params, director: Director, state: SetupState) -> HostPlan:
    """dpvs.conf. Refused where it would not start, or not as it says; what each change needs is said."""
    old, new = existing_conf(director, state), wanted_conf(director, state)
    text = write(new, head=(f"director {director.name} of {params.name}",))
    findings = validate(text, machine(params, director, state))
    refused = [Refusal(conf_path(director), f"{f.message}: dpvs {f.silently}", f.fix) for f in findings if f.severity == "error"]
    notes = [str(f) for f in findings if f.severity == "warning"]
    file = state.files.get(conf_path(director))
    if file is not None:
        notes += [f"The file there: {f}" for f in validate(file.text, machine(params, director, state)) if f.severity == "error"]
    differences = diff(old, new) if old else ()
    same = old is not None and not differences and file is not None and not parse_lenient(file.text).problems
    if refused or same:  # the same values in somebody's own words stay as they are
        return HostPlan("conf", director.name, (), tuple(refused), tuple(notes))
    what = needs(differences)
    reason = "there is none" if old is None else "; ".join(map(str, differences)) or "the same values, in a form that dpvs reads otherwise"
    if what == "restart":
        notes.append("A running dpvs takes this after a restart only: every connection and everything in its memory is lost then")
    elif what == "reload":
        notes.append("A running dpvs takes this with a reload: kill -HUP, no connection is lost")
    return HostPlan("conf", director.name, tuple(_file(state, conf_path(director), text, reason)), (), tuple(notes))


def plan_units(params: Params, director: Director, state: SetupState) -> HostPlan:  # noqa: ARG001
    """systemd: dpvs, then the restore, then keepalived, then frr; a dpvs that ends takes the announcements with it."""
    if "systemctl" not in state.tools:
        told = "Start dpvs, the restore, keepalived and the routing daemon in this order."
        return HostPlan("units", director.name, refused=(Refusal("units", "the host has no systemd", told),))
    changes = [
        change
        for path, text in unit_files(director, wanted_conf(director, state))
        for change in _file(state, path, text, "order of the daemons")
    ]
    if changes:
        changes.append(HostChange("units", "systemd", {"read": "before"}, {"read": "now"}, "its files changed"))
    return HostPlan("units", director.name, tuple(changes))


# -- what they share


def addresses(director: Director) -> tuple[str, ...]:
    """The PCI addresses of a director's ports, its bonds' members among them, in the order of the bus."""
    found = [device.pci for device in director.devices] + [slave.pci for bond in director.bonds for slave in bond.slaves]
    return tuple(sorted({address for address in found if address}))


def carries(state: SetupState, interface: str) -> str:
    """Why an interface must stay with the kernel, "" where it needn't: it, or what is on it, has the default route or this session."""
    for upper in state.defaults:
        if interface in state.carries(upper):
            return f"carries the default route{f' of {upper}' if upper != interface else ''}"
    for upper in state.ssh:
        if interface in state.carries(upper):
            return f"carries this SSH session{f' over {upper}' if upper != interface else ''}"
    return ""


def eal(director: Director, conf: Conf) -> tuple[str, ...]:
    """dpvs's arguments after `--`: those of the params, and what they leave out."""
    given = director.start.arguments if director.start else ()
    known = arguments(given)
    extra: list[str] = []
    if known.lcores is None:
        extra += ["-l", ",".join(map(str, conf.lcores)), "--main-lcore", str(next((w.cpu_id for w in conf.masters), 0))]
    if known.ports is None:
        extra += [word for address in addresses(director) for word in ("-a", address)]
    return (*given, *extra)


def machine(params: Params, director: Director, state: SetupState) -> Machine:
    """What is known of the host, for the check of its dpvs.conf."""
    known: Arguments = arguments(eal(director, wanted_conf(director, state)))
    names = {device.pci: device.name for device in director.devices} | {s.pci: s.name for bond in director.bonds for s in bond.slaves}
    ports = None
    if known.ports is not None:
        node = {address: slot.node if slot.node >= 0 else None for address, slot in state.slots.items()}
        ports = tuple(Port(address, names.get(address), node.get(address)) for address in known.ports)
    loadable = True if state.vhost_net else None if "modprobe" in state.tools else False  # `modules` comes first, and loads it
    return Machine(
        params.dpvs,
        ports,
        known.lcores,
        known.main,
        None if _shares(director) else state.cpus,
        vhost_net=loadable if params.dpvs == "1.10" else None,
        lips=len(director.lips),
    )


def unit_files(director: Director, conf: Conf) -> tuple[tuple[str, str], ...]:
    """The unit of dpvs, the unit that restores, and the order of the others: path and text."""
    name, folder = unit_name(director), director.bin.rstrip("/") if director.bin else "/usr/local/sbin"
    ipc = director.ipc or "/var/run/dpvs.ipc"
    own = ["-c", conf_path(director), "-p", f"/var/run/{name}.pid", "-x", ipc, "--", *eal(director, conf)]
    up = f"$({folder}/dpip link show 2>/dev/null | grep -c ' UP ')"
    ready = f'for i in $(seq 90); do [ "{up}" -ge {len(conf.devices)} ] && exit 0; sleep 1; done; exit 1'
    head = "# Written by dpvsbook."
    main = f"""{head}
[Unit]
Description=DPVS
After=network.target systemd-modules-load.service systemd-tmpfiles-setup.service
[Service]
Type=simple
Environment=DPVS_IPC_FILE={ipc}
ExecStart={folder}/dpvs {" ".join(map(_quoted, own))}
# Ready by the links: the pid file is there long before (10 to 40 s with real NICs).
ExecStartPost=/bin/sh -c {_quoted(ready)}
ExecReload=/bin/kill -HUP $MAINPID
TimeoutStartSec=120
LimitMEMLOCK=infinity
[Install]
WantedBy=multi-user.target
"""
    restore = f"""{head}
[Unit]
Description=What DPVS holds in memory, put back after it started
BindsTo={name}.service
After={name}.service
ConditionPathExists={RESTORE}
[Service]
Type=oneshot
RemainAfterExit=yes
Environment=DPVS_IPC_FILE={ipc}
ExecStart=/bin/sh {RESTORE}
[Install]
WantedBy={name}.service
"""
    after = f"{head}\n[Unit]\nPartOf={name}.service\nAfter={name}.service {name}-restore.service"
    return (
        (f"{UNITS}/{name}.service", main),
        (f"{UNITS}/{name}-restore.service", restore),
        (f"{UNITS}/keepalived.service.d/dpvsbook.conf", f"{after}\n"),
        # Bound: a VIP that is announced by a host whose dpvs is dead costs its share of the requests (transcript 17).
        (f"{UNITS}/frr.service.d/dpvsbook.conf", f"{after} keepalived.service\nBindsTo={name}.service\n"),
    )


def _quoted(word: str) -> str:
    """A word as systemd takes it: in double quotes where it must be, % and $ as themselves."""
    plain = word.replace("%", "%%").replace("$", "$$")
    return plain if shlex.quote(word) == word else '"' + plain.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _shares(director: Director) -> bool:
    """Whether lcores may share CPUs, so that their number says nothing about CPUs."""
    return any("@" in word for word in (director.start.arguments if director.start else ()))


def _kernel_driver(state: SetupState, address: str) -> str:
    slot = state.slots.get(address)
    return "" if slot is None else slot.driver or "none"


def _file(state: SetupState, path: str, text: str, reason: str, mode: int = 0o644) -> list[HostChange]:
    there = state.files.get(path)
    if there is not None and there.text == text:
        return []
    before = None if there is None else {"text": there.text, "mode": there.mode}
    return [HostChange("file", path, before, {"text": text, "mode": mode if there is None else there.mode}, reason)]


# -- the steps, as a notebook calls them


def open(params: str, mode: str = "preview", *, ssh_config: str | None = None, outputs: str | None = None) -> Prepared:  # noqa: A001 - reads well
    """Bind the directors of a params file and look at them as hosts; see `dpvsbook.prepare.open_hosts`."""
    from dpvsbook.prepare import open_hosts

    return open_hosts(params, mode, ssh_config=ssh_config, outputs=outputs)


def _step(planner: Planner, title: str, hosts: Prepared) -> PlanView:
    return hosts.perform(planner, title)


pages = partial(_step, plan_pages, "Huge pages")
modules = partial(_step, plan_modules, "Kernel modules")
nics = partial(_step, plan_nics, "NICs for DPDK")
conf = partial(_step, plan_conf, "dpvs.conf")
units = partial(_step, plan_units, "systemd")

PLANS: tuple[Planner, ...] = (plan_pages, plan_modules, plan_nics, plan_conf, plan_units)
__all__ = ["PLANS", "Finding", "conf", "modules", "nics", "open", "pages", "units"]
