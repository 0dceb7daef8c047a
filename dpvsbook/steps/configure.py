"""Making a director ready for dpvs: huge pages, modules, NICs, CPUs, dpvs.conf, units, the restore. It needs no running dpvs.

`open` binds the directors, and what it gives is called with the steps: `hosts = configure.open(params, mode=mode)`,
`configure.pages(hosts)` and so on. The plans themselves, pure, are in `steps.setup`.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from dpvsbook.conf.site import as_params
from dpvsbook.steps.setup.common import Planner, conf_path
from dpvsbook.steps.setup.conf import plan_conf
from dpvsbook.steps.setup.cpus import plan_cpus
from dpvsbook.steps.setup.modules import plan_modules
from dpvsbook.steps.setup.nics import plan_nics
from dpvsbook.steps.setup.pages import plan_pages
from dpvsbook.steps.setup.restore import plan_restore
from dpvsbook.steps.setup.units import plan_units
from dpvsbook.views import LooksView

if TYPE_CHECKING:
    from dpvsbook.prepare import Prepared
    from dpvsbook.steps.setup.views import PlanView


def open(params: str, mode: str = "preview", *, ssh_config: str | None = None, outputs: str | None = None) -> Prepared:  # noqa: A001 - reads well
    """Bind the directors of a params file and look at them as hosts; see `dpvsbook.prepare.open_hosts`."""
    from dpvsbook.prepare import open_hosts

    return open_hosts(params, mode, ssh_config=ssh_config, outputs=outputs)


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
