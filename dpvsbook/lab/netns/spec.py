"""What the keeper is told: each host's files, mounts, kernel settings and services (its SPEC is described in keeper.py)."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import Any

from dpvsbook.lab.netns import access, network, plan
from dpvsbook.lab.netns.record import Record

COVERS = ("/etc", "/var", "/root", "/home", "/tmp")  # noqa: S108  folders of which each host has a layer of its own
START = "/usr/local/sbin/lab-start-dpvs"
DEFAULTS = "/etc/default/dpvs"  # where a host says DPVS_ARGUMENTS of its own
OUTSIDE = ("/usr", "/proc", "/sys", "/dev", "/run")  # no layer is put over these


def of_lab(made: plan.LabPlan, found: Record, keys: access.Keys) -> dict[str, Any]:
    """The keeper's whole SPEC."""
    hosts = [_switch(made), *(_host(made, host, found, keys) for host in made.hosts)]
    return {"mark": made.prefix, "work": str(Path(found.state) / "work"), "hosts": [{**host, "mark": made.prefix} for host in hosts]}


def _switch(made: plan.LabPlan) -> dict[str, Any]:
    return {
        "name": plan.SWITCH,
        "ssh": False,
        "covers": [],
        "files": {},
        "mounts": [],
        "binds": [],
        "sysctls": {},
        "services": [],
        "setup": network.switch_setup(made),
    }


def _host(made: plan.LabPlan, host: plan.HostPlan, found: Record, keys: access.Keys) -> dict[str, Any]:
    others = {
        other.name: nic.addresses[0].partition("/")[0]
        for other in made.hosts
        if other is not host
        for nic in other.nics[:1]
        if nic.addresses
    }
    spec: dict[str, Any] = {
        "name": host.name,
        "ssh": True,
        "covers": [path for path in COVERS if Path(path).is_dir()],
        "files": access.files(host, keys, others, found.dpvs),
        "mounts": [],
        "binds": [],
        "sysctls": network.sysctls(host),
        "setup": network.host_setup(host),
        "services": [],
    }
    env = access.environment(host, found.dpvs)
    if host.listens:
        argv = [sys.executable, "-I", "-S", str(Path(__file__).with_name("answer.py")), host.name, *host.listens]
        spec["services"].append({"name": "web", "argv": argv, "env": env, "log": "/var/log/web.log"})
    if host.dpvs:
        _add_dpvs(spec, host, found, env)
    return spec


def _add_dpvs(spec: dict[str, Any], host: plan.HostPlan, found: Record, env: dict[str, str]) -> None:
    """A director's conf, start script, arguments, hugepages, and DPVS's folder also where the params say that it is."""
    argv = plan.dpvs_argv(host, folder=found.dpvs, cpus=found.cpus[host.name], huge=found.huge)
    spec["files"][plan.CONF] = ("0644", plan.conf_of(host))
    spec["files"][START] = ("0755", f"#!/bin/sh\nexec {shlex.join(argv)}\n")
    arguments = shlex.join(argv[argv.index("--") + 1 :])
    spec["files"][DEFAULTS] = ("0644", f"# How this lab's dpvs is started: see {START}.\nDPVS_ARGUMENTS={shlex.quote(arguments)}\n")
    spec["covers"].append("/usr/local")
    if found.huge:
        spec["mounts"].append(["hugetlbfs", plan.HUGE, "pagesize=2M"])
    spec["services"].append({"name": "dpvs", "argv": [START], "env": env, "log": plan.OUT})
    wanted = host.dpvs.bin if host.dpvs else None
    if wanted and Path(wanted) != Path(found.dpvs):
        top = "/" + Path(wanted).parts[1]
        if top not in (*spec["covers"], *OUTSIDE) and Path(top).is_dir():
            spec["covers"].append(top)
        spec["binds"].append([found.dpvs, wanted])
