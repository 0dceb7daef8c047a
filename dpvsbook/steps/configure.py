"""Making a director ready for dpvs: huge pages, modules, NICs, CPUs, dpvs.conf, units, the restore. It needs no running dpvs.

`open` binds the directors, and what it gives is called with the steps: `hosts = configure.open(params, mode=mode)`,
`configure.pages(hosts)` and so on. The plans themselves, pure, are in `steps.setup`.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path

from dpvsbook.conf.site import as_params
from dpvsbook.hostplan import KINDS
from dpvsbook.runbook import IDENTITY, read
from dpvsbook.steps.setup.common import Planner, conf_path
from dpvsbook.steps.setup.conf import plan_conf
from dpvsbook.steps.setup.cpus import plan_cpus
from dpvsbook.steps.setup.modules import plan_modules
from dpvsbook.steps.setup.nics import plan_nics
from dpvsbook.steps.setup.pages import plan_pages
from dpvsbook.steps.setup.restore import plan_restore
from dpvsbook.steps.setup.session import Prepared
from dpvsbook.steps.setup.units import plan_units
from dpvsbook.steps.setup.views import PlanView
from dpvsbook.views import LooksView


def open(  # noqa: A001 - reads well: configure.open
    params: str | Path, mode: str = "preview", *, ssh_config: str | Path | None = None, outputs: str | Path | None = None
) -> Prepared:
    """Bind the directors of a params file and look at them as hosts, dpvs running or not. Raises ParamsError, Unreachable and their kin."""
    wanted, path, how = read(params, mode)
    hosts = Prepared.begin(wanted, path, how, wanted.directors, name="configure", ssh_config=ssh_config, outputs=outputs)
    with hosts.journalled():
        hosts.look_back(KINDS, "run of `configure`")
        said = hosts.everywhere(lambda name: hosts.run_on(name, IDENTITY))
        hosts.everywhere(hosts.look)
        hosts.opened(said, {})
    return hosts


def _step(planner: Planner, title: str, hosts: Prepared) -> PlanView:
    return hosts.perform(planner, title)


pages = partial(_step, plan_pages, "Huge pages")
modules = partial(_step, plan_modules, "Kernel modules")
nics = partial(_step, plan_nics, "NICs for DPDK")
cpus = partial(_step, plan_cpus, "CPUs")
conf = partial(_step, plan_conf, "dpvs.conf")
units = partial(_step, plan_units, "systemd")
restore = partial(_step, plan_restore, "What dpvs holds in memory")


def site(hosts: Prepared) -> LooksView:
    """What each director has in its dpvs.conf, as the part of a params file that says the same: what a site can start from."""
    shown = []
    for director in hosts.params.directors:
        path = conf_path(director)
        file = hosts.states[director.name].files.get(path)
        given = director.start.arguments if director.start else ()
        text = as_params(file.text, given, source=path, name=director.name) if file else f"# {path} is not there\n"
        shown.append((director.name, path, text))
    return LooksView(shown)


PLANS: tuple[Planner, ...] = (plan_pages, plan_modules, plan_nics, plan_cpus, plan_conf, plan_units, plan_restore)
__all__ = ["PLANS", "conf", "cpus", "modules", "nics", "open", "pages", "restore", "site", "units"]
