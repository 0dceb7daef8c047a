"""restore.sh: what the params want dpvs to hold in memory, as a script that an empty dpvs is filled with, and that reads it back.

It holds the commands that `steps.converge` would send to an empty director, in its order. Exit codes say nothing (observed.md), so the
script lists what must show afterwards, looks for it, and ends with 1 and the names of what isn't there.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator

from dpvsbook.facts.director import DirectorState
from dpvsbook.facts.ipvsadm_list import NAME_WIDTH
from dpvsbook.facts.setup import SetupState
from dpvsbook.hostplan import HostPlan, Refusal
from dpvsbook.params import Director, Params
from dpvsbook.plan import Argv, Change, Plan, compile_commands
from dpvsbook.steps import converge
from dpvsbook.steps.setup.command import IPC
from dpvsbook.steps.setup.common import file_change, restore_path

EMPTY = DirectorState(version="", links=(), addresses=(), routes=(), services={})
"""A dpvs that has just started."""

SHOWN = """\
shown() {
  dpip -s addr show | awk '
    $1 ~ /^inet/ { what = $2 " dev " $NF; print "address " what; next }
    / sa_used / { print "pool " what }'
  { dpip route show && dpip -6 route show; } | awk '
    $1 ~ /^inet/ {
      to = $2 == "default" ? "::/0" : $2
      for (i = 3; i < NF; i++) if ($i == "dev") on = $(i + 1)
      print "route " to " dev " on
      for (i = 3; i < NF; i++) if ($i ~ /^(via|src|mtu|scope)$/) print "route " to " dev " on " " $i " " $(i + 1)
    }'
  ipvsadm -S -n | awk '
    $1 == "-A" { print $1, $2, $3, $4, $5 }
    $1 == "-a" { print $1, $2, $3, $4, $5, $6, $7, $8 }'
  ipvsadm -ln --thresholds | awk '
    $1 ~ /^(TCP|UDP|SCTP|ICMP|ICMPv6)$/ { for (i = 4; i <= NF; i++) print "option " $1 " " $2 " " $i }
    $1 == "->" && ($3 || $4) { print "limits " $2 " " $3 " " $4 }'
  ipvsadm -G | awk '
    /^[^ V]/ { service = $1; next }
    /^ / { print "lip " service " " $1 }'
}
"""
"""What dpvs shows, a line for each thing that the script can look for."""


def plan_restore(params: Params, director: Director, state: SetupState) -> HostPlan:
    """The script. Refused where no step knows how to put something back: half a director is worse than an empty one."""
    path = restore_path(director)
    parts = [part for part in params.not_applied if part != "ospf"]  # which the routing daemon holds, not dpvs
    if parts:
        reason = f"no step of today puts back {', '.join(parts[:5])}{' …' if len(parts) > 5 else ''}"
        return HostPlan("restore", director.name, refused=(Refusal(path, reason, "Write what the unit shall run yourself."),))
    reason = "what dpvs holds is gone when it ends: this puts it back"
    return HostPlan("restore", director.name, tuple(file_change(state, path, script(params, director), reason, mode=0o755)))


def script(params: Params, director: Director) -> str:
    """The whole script. POSIX sh and awk; everything that comes from the params is quoted, or data in a here-document."""
    plan = converge.plan(params, director, EMPTY)
    wanted = sorted({line for change in plan.changes for line in _shows(change)})
    path = f"PATH={shlex.quote(director.bin.rstrip('/'))}:$PATH; export PATH\n" if director.bin else ""
    return f"""#!/bin/sh
# Written by dpvsbook from the params of {params.name}, for {director.name}: fills a dpvs that has just started, and reads it back.
# Ends with 0 when all of it is there, with 1 and what isn't otherwise. Run again, it sends nothing that is there already.
LC_ALL=C; export LC_ALL
DPVS_IPC_FILE={shlex.quote(director.ipc or IPC)}; export DPVS_IPC_FILE
{path}work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
sort -u >"$work/wanted" <<'END'
{"".join(f"{line}{chr(10)}" for line in wanted)}END
{SHOWN}missing() {{ shown 2>/dev/null | sort -u >"$work/shown"; comm -13 "$work/shown" "$work/wanted"; }}

i=0
until [ "$(dpip link show 2>/dev/null | grep -c ' UP ')" -ge {len(director.devices)} ]; do
  i=$((i + 1)); [ $i -le 90 ] || {{ echo "dpvs has not brought {len(director.devices)} links up" >&2; exit 1; }}
  sleep 1
done
[ -n "$(missing)" ] || {{ echo "all of it is there"; exit 0; }}

{"".join(_sent(plan))}
i=0
while left=$(missing); [ -n "$left" ]; do
  i=$((i + 1)); [ $i -le 10 ] || {{ echo "everything was sent, and this is not there:" >&2; printf '%s\\n' "$left" >&2; exit 1; }}
  sleep 1
done
echo "put back: {len(wanted)} things, and read back"
"""


def _sent(plan: Plan) -> Iterator[str]:
    """The commands, neighbouring rules as one `ipvsadm -R`."""
    for batch in compile_commands(argv for change in plan.changes for argv in change.commands):
        rules = "" if batch.stdin is None else f" <<'END'\n{batch.stdin}END"
        yield f"{shlex.join(batch.argv)}{rules}\n"


def _shows(change: Change) -> Iterator[str]:
    """The lines of `shown` that a change brings."""
    value = dict(change.after or {})
    command: Argv = change.commands[0]
    if change.kind in ("address", "lip-address"):
        yield f"address {change.key}"
        if value.get("pool"):
            yield f"pool {change.key}"
    elif change.kind == "route":
        yield f"route {change.key}"
        yield from (f"route {change.key} {word} {value[word]}" for word in ("via", "src", "mtu", "scope") if value.get(word))
    elif change.kind == "service":
        yield " ".join(command[1:6])
        protocol, _, where = change.key.partition(" ")
        yield from (f"option {protocol.upper()} {where} {word}" for word in _options(value))
    elif change.kind == "server":
        yield " ".join(command[1:9])
        if value["upper"] or value["lower"]:
            yield f"limits {command[5][:NAME_WIDTH]} {value['upper']} {value['lower']}"
    elif change.kind == "lip":
        service, _, lip = change.key.partition(" from ")
        yield f"lip {service.partition(' ')[2]} {lip}"
    else:
        raise ValueError(f"restore.sh does not know how {change.kind} shows")


def _options(value: dict[str, object]) -> Iterator[str]:
    """A service's options as words of its row in `ipvsadm -ln` (see facts.ipvsadm_flags)."""
    for name, word in (("persistent", "persistent"), ("netmask", "mask"), ("conn_timeout", "conn-timeout")):
        if value.get(name):
            yield from (word, str(value[name]))
    yield from (name.replace("_", "-") for name in ("ops", "synproxy", "expire_quiescent", "quic", "dest_check") if value.get(name))
    if value.get("hash_target"):
        yield str(value["hash_target"])
    if value.get("proxy_protocol"):
        yield f"pp{value['proxy_protocol']}"
