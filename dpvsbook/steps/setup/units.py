"""systemd: dpvs, then the restore, then keepalived, then frr."""

from __future__ import annotations

import shlex

from dpvsbook.conf.model import Conf
from dpvsbook.facts.setup import SetupState
from dpvsbook.hostplan import HostChange, HostPlan
from dpvsbook.params import Director, Params
from dpvsbook.steps.setup.command import IPC, command_line, folder
from dpvsbook.steps.setup.common import UNITS, file_change, restore_path, unit_name
from dpvsbook.steps.setup.wanted import wanted_conf

HEAD = "# Written by dpvsbook."


def plan_units(params: Params, director: Director, state: SetupState) -> HostPlan:  # noqa: ARG001
    """The units and the order of the others; a dpvs that ends takes the announcements with it."""
    if "systemctl" not in state.tools:
        told = "The host has no systemd: see to it that dpvs, the restore, keepalived and the routing daemon start in this order"
        return HostPlan("units", director.name, notes=(told,))
    texts = unit_files(director, wanted_conf(director, state), state)
    changes = [change for path, text in texts for change in file_change(state, path, text, "order of the daemons")]
    if state.systemd == "stale" or (state.systemd and changes):
        changes.append(HostChange("units", "systemd", {"read": False}, {"read": True}, "its files changed"))
    notes = () if state.systemd else ("systemd does not run there now: it reads its files when it starts",)
    return HostPlan("units", director.name, tuple(changes), (), notes)


def unit_names(director: Director) -> tuple[str, ...]:
    """The units that have files here."""
    name = unit_name(director)
    return (name, f"{name}-restore", "keepalived", "frr")


def unit_paths(director: Director) -> tuple[str, ...]:
    """The files of `unit_files`, in its order."""
    name = unit_name(director)
    own = (f"{UNITS}/{name}.service", f"{UNITS}/{name}-restore.service")
    return (*own, f"{UNITS}/keepalived.service.d/dpvsbook.conf", f"{UNITS}/frr.service.d/dpvsbook.conf")


def unit_files(director: Director, conf: Conf, state: SetupState) -> tuple[tuple[str, str], ...]:
    """The unit of dpvs, the unit that restores, and the order of the others: path and text."""
    name = unit_name(director)
    after = f"{HEAD}\n[Unit]\nPartOf={name}.service\nAfter={name}.service {name}-restore.service\n"
    # A VIP announced by a host whose dpvs is dead, or empty, costs its share of the requests (transcript 17).
    frr = f"{after.rstrip()} keepalived.service\nBindsTo={name}.service\nRequires={name}-restore.service\n"
    return tuple(zip(unit_paths(director), (_dpvs(director, conf, state), _restore(director), after, frr), strict=True))


def _dpvs(director: Director, conf: Conf, state: SetupState) -> str:
    up = f"$({folder(director)}/dpip link show 2>/dev/null | grep -c ' UP ')"
    # A dpvs that has ended is not waited for: systemd itself would, until this script ends.
    lives = "kill -0 $MAINPID 2>/dev/null || exit 1"
    ready = f'for i in $(seq 90); do {lives}; [ "{up}" -ge {len(conf.devices)} ] && exit 0; sleep 1; done; exit 1'
    return f"""{HEAD}
[Unit]
Description=DPVS
After=network.target systemd-modules-load.service systemd-tmpfiles-setup.service
Wants={unit_name(director)}-restore.service
[Service]
Type=simple
Environment=DPVS_IPC_FILE={director.ipc or IPC}
ExecStart={" ".join(map(_quoted, command_line(director, conf, state)))}
# Ready by the links: the pid file is there long before (10 to 40 s with real NICs).
ExecStartPost=/bin/sh -c {_quoted(ready)}
ExecReload=/bin/kill -HUP $MAINPID
TimeoutStartSec=120
LimitMEMLOCK=infinity
# Not started again by itself: an empty director that is announced loses requests, a dead one is withdrawn.
Restart=no
[Install]
WantedBy=multi-user.target
"""


def _restore(director: Director) -> str:
    name, path = unit_name(director), restore_path(director)
    return f"""{HEAD}
[Unit]
Description=What DPVS holds in memory, put back after it started
BindsTo={name}.service
After={name}.service
ConditionPathExists={path}
[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/bin/sh {path}
"""


def _quoted(word: str) -> str:
    """A word as systemd takes it: in double quotes where it must be, % and $ as themselves."""
    plain = word.replace("%", "%%").replace("$", "$$")
    return plain if shlex.quote(word) == word else '"' + plain.replace("\\", "\\\\").replace('"', '\\"') + '"'
