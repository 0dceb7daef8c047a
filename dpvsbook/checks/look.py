"""What the checks ask of a host beside the looks of `configure` and `start`: one script, POSIX sh, that changes nothing.

Each line is KEY, a tab, VALUE; what may hold anything is base64.

    device<TAB>/dev/vhost-net           a character device that is there
    net<TAB>eth2 1 up 3c:fd:fe:00:00:01 interface, carrier ("-": it doesn't say), operstate, MAC
    map<TAB>/dev/hugepages/rtemap_0 2048 stale    a file of DPDK's memory, kB; stale: no process has it
    channels<TAB>eth2 8                 the most queues that `ethtool -l` says
    patch<TAB>no 0001-….patch           a patch of DPVS's that the DPDK beside it has not
"""

from __future__ import annotations

import base64
import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field

from dpvsbook.errors import DpvsbookError, ParseError
from dpvsbook.facts import dpip_link
from dpvsbook.facts.dpip_link import Link

CRASH = r"dpvs.*(segfault|general protection|trap )"
MEMORY = r"Out of memory.*dpvs|Killed process [0-9]* .dpvs|dpvs.*(page allocation failure|invoked oom-killer)"

SCRIPT = r"""
say() { printf '%s\t%s\n' "$1" "$2"; }
b64() { base64 | tr -d '\n'; }
for node in /sys/devices/system/node/node[0-9]*; do [ -d "$node" ] && say node "${node##*node}"; done
for file in /dev/vhost-net /dev/net/tun /dev/kni; do [ -c "$file" ] && say device "$file"; done
say carrier "$(cat /sys/module/rte_kni/parameters/carrier 2>/dev/null)"
say noiommu "$(cat /sys/module/vfio/parameters/enable_unsafe_noiommu_mode 2>/dev/null)"
say groups "$(ls /sys/kernel/iommu_groups 2>/dev/null | wc -l)"
say kernel "$(uname -r)"
for at in /sys/class/net/*; do
  [ -e "$at/address" ] || continue
  say net "${at##*/} $(cat "$at/carrier" 2>/dev/null || echo -) $(cat "$at/operstate" 2>/dev/null || echo -) $(cat "$at/address")"
  [ -e "$at/device" ] || continue
  most=$(ethtool -l "${at##*/}" 2>/dev/null | sed -n '/^Current/q; s/^\(RX\|Combined\):[[:space:]]*//p' | grep '^[0-9]' | sort -n)
  most=$(printf '%s\n' "$most" | tail -n 1)
  [ -n "$most" ] && say channels "${at##*/} $most"
done
sed -n 's/^[^ ]* \([^ ]*\) hugetlbfs .*/\1/p' /proc/mounts 2>/dev/null | sort -u | while read -r mount; do
  say mount "$mount"
  for file in "$mount"/*map_*; do
    [ -f "$file" ] || continue
    held=held
    # DPDK keeps a lock on each file that it has; one that can be locked belongs to nobody.
    if command -v flock >/dev/null 2>&1; then flock -n "$file" true && held=stale; else held=unknown; fi
    say map "$file $(($(stat -c %s "$file") / 1024)) $held"
  done
done
log=$(sed -n 's/^[[:space:]]*log_file[[:space:]][[:space:]]*\([^[:space:]!#]*\).*/\1/p' "$conf" 2>/dev/null | tail -n 1)
[ -n "$log" ] && [ -f "$log" ] && say logged "$(stat -L -c %Y "$log")"
if dmesg >/dev/null 2>&1; then
  say dmesg yes
  dmesg | grep -E '@CRASH@' | tail -n 3 | sed 's/^/crash\t/'
  dmesg | grep -E '@MEMORY@' | tail -n 3 | sed 's/^/oom\t/'
fi
say links "$(timeout 10 "$dpip" -v link show 2>/dev/null | b64)"
dpvs=$(command -v "$dpvs" 2>/dev/null)
if [ -n "$dpvs" ]; then
  dpvs=$(readlink -f "$dpvs"); top=${dpvs%/bin/*}
  for file in "$work/dpvs/config.mk" "$top/config.mk" "${top%/*}/config.mk"; do
    [ -f "$file" ] || continue
    sed -n 's/^\(export \)*CONFIG_DPVS_MAX_SOCKET *= *\([0-9]*\).*/sockets\t\2/p' "$file"; break
  done
  keeper=${dpvs%/*}/keepalived
  [ -x "$keeper" ] && say keepalived "$("$keeper" -v 2>&1 | b64)"
fi
if command -v pkg-config >/dev/null 2>&1; then
  say pkg-config "$(pkg-config --version 2>/dev/null)"
  for file in "$work"/dpdk-lib/*/pkgconfig/libdpdk.pc "$work"/dpdk-lib/*/*/pkgconfig/libdpdk.pc; do
    [ -f "$file" ] || continue
    say pc "$file"; PKG_CONFIG_PATH=${file%/*}:$PKG_CONFIG_PATH; export PKG_CONFIG_PATH; break
  done
  if pkg-config --exists libdpdk 2>/dev/null; then
    say libdpdk "$(pkg-config --modversion libdpdk 2>/dev/null)"
    say libs "$(pkg-config --static --libs libdpdk 2>/dev/null | grep -oE 'rte_net_[a-z0-9_]*' | sort -u | tr '\n' ' ')"
  fi
fi
for tree in "$work" "$tree"; do
  [ -n "$tree" ] || continue
  for one in "$tree/dpvs" "$tree"; do
    if [ -f "$one/src/VERSION" ]; then say dpvs "$(sed -n 's/^export VERSION=//p' "$one/src/VERSION" | head -n 1)"; fi
  done
done
if [ -f "$work/dpdk/VERSION" ]; then
  say dpdk "$(head -n 1 "$work/dpdk/VERSION")"
  if command -v patch >/dev/null 2>&1; then
    for file in "$work"/dpvs/patch/dpdk*"$(sed -n 's/^\([0-9]*\.[0-9]*\).*/\1/p' "$work/dpdk/VERSION")"*/*.patch; do
      [ -f "$file" ] || continue
      there=no; patch -d "$work/dpdk" -p1 -R -f -s --dry-run <"$file" >/dev/null 2>&1 && there=yes
      say patch "$there ${file##*/}"
    done
  fi
fi
true
"""


@dataclass(frozen=True, slots=True)
class Net:
    """An interface of the kernel. `carrier` None: it doesn't say (one that is down doesn't)."""

    carrier: bool | None
    state: str
    mac: str


@dataclass(frozen=True, slots=True)
class MapFile:
    """A file of DPDK's in huge pages. `stale` None: it can't be told whether a process has it."""

    path: str
    kb: int
    stale: bool | None


@dataclass(frozen=True, slots=True)
class Look:
    """What the script showed; None or empty: the host doesn't say. `links`: `dpip -v link show`; `logged`: when dpvs's log was written
    last (s since 1970); `crashes` and `oom`: lines of the kernel's log."""

    nodes: int = 0
    devices: frozenset[str] = frozenset()
    carrier: str = ""
    noiommu: str = ""
    groups: int = 0
    kernel: str = ""
    nets: Mapping[str, Net] = field(default_factory=dict)
    channels: Mapping[str, int] = field(default_factory=dict)
    mounts: tuple[str, ...] = ()
    maps: tuple[MapFile, ...] = ()
    logged: int = 0
    dmesg: bool = False
    crashes: tuple[str, ...] = ()
    oom: tuple[str, ...] = ()
    links: tuple[Link, ...] = ()
    sockets: int | None = None
    keepalived: str | None = None
    pkg_config: str = ""
    pc: str = ""
    libdpdk: str = ""
    libs: tuple[str, ...] = ()
    dpvs: str = ""
    dpdk: str = ""
    patches: Mapping[str, bool] = field(default_factory=dict)


def script(*, conf: str, ipc: str, dpip: str, dpvs: str, work: str = "", tree: str = "") -> str:
    """The look. `dpip`, `dpvs`: the programs; `work`: where a build of ours is made; `tree`: a source tree of DPVS's on the host."""
    values = {"conf": conf, "dpip": dpip, "dpvs": dpvs, "work": work or "/nonexistent", "tree": tree}
    head = [f"{name}={shlex.quote(value)}" for name, value in values.items()]
    head.append(f"DPVS_IPC_FILE={shlex.quote(ipc)}; export DPVS_IPC_FILE")
    body = SCRIPT.replace("@CRASH@", CRASH).replace("@MEMORY@", MEMORY)
    return "\n".join([*head, body])


def parse(text: str) -> Look:
    """What the script printed. Raises ParseError for a line that it can't have printed."""
    one: dict[str, str] = {}
    many: dict[str, list[str]] = {}
    for number, line in enumerate(text.splitlines(), start=1):
        key, tab, value = line.partition("\t")
        if not tab or not re.fullmatch(r"[a-z-]+", key):
            raise ParseError("checks", line, number)
        one.setdefault(key, value)
        many.setdefault(key, []).append(value)
    rows = {key: [value.split() for value in values] for key, values in many.items()}
    states = {"stale": True, "held": False}
    try:
        return Look(
            nodes=len(many.get("node", ())),
            devices=frozenset(many.get("device", ())),
            carrier=one.get("carrier", ""),
            noiommu=one.get("noiommu", ""),
            groups=int(one.get("groups") or 0),
            kernel=one.get("kernel", ""),
            nets={row[0]: Net({"1": True, "0": False}.get(row[1]), row[2], row[3]) for row in rows.get("net", ()) if len(row) == 4},
            channels={row[0]: int(row[1]) for row in rows.get("channels", ())},
            mounts=tuple(many.get("mount", ())),
            maps=tuple(MapFile(" ".join(row[:-2]), int(row[-2]), states.get(row[-1])) for row in rows.get("map", ())),
            logged=int(one.get("logged") or 0),
            dmesg="dmesg" in one,
            crashes=tuple(many.get("crash", ())),
            oom=tuple(many.get("oom", ())),
            links=_links(one.get("links", "")),
            sockets=int(one["sockets"]) if one.get("sockets") else None,
            keepalived=_text(one["keepalived"]) if "keepalived" in one else None,
            pkg_config=one.get("pkg-config", ""),
            pc=one.get("pc", ""),
            libdpdk=one.get("libdpdk", ""),
            libs=tuple(one.get("libs", "").split()),
            dpvs=one.get("dpvs", ""),
            dpdk=one.get("dpdk", ""),
            patches={" ".join(row[1:]): row[0] == "yes" for row in rows.get("patch", ())},
        )
    except (ValueError, IndexError) as error:
        raise ParseError("checks", str(error), 0) from None


def _text(words: str) -> str:
    return base64.b64decode(words).decode(errors="replace")


def _links(words: str) -> tuple[Link, ...]:
    """A dpvs that begins, or none, answers with half a list or nothing."""
    try:
        return dpip_link.parse(_text(words))
    except DpvsbookError:
        return ()
