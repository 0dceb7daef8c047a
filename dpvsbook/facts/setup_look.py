"""The look at a host: one fixed script, POSIX sh, that reads and writes nothing. `setup.parse` takes what it prints."""

from __future__ import annotations

import shlex
from collections.abc import Iterable

MODULES = ("vfio_pci", "uio_pci_generic", "vhost_net", "tun", "rte_kni")
TOOLS = ("driverctl", "dpdk-devbind.py", "systemctl", "modprobe")

LOOK = r"""
for node in /sys/devices/system/node/node[0-9]*; do
  for size in "$node"/hugepages/hugepages-*; do
    [ -d "$size" ] || continue
    echo "pages ${node##*/node} ${size##*hugepages-} $(cat "$size/nr_hugepages") $(cat "$size/free_hugepages")"
  done
done
sed -n 's/^MemAvailable: *\([0-9]*\) kB/available \1/p' /proc/meminfo 2>/dev/null
for cpu in /sys/devices/system/cpu/cpu[0-9]*; do
  [ -e "$cpu/topology/core_id" ] || continue
  up=1; [ -e "$cpu/online" ] && read -r up <"$cpu/online"
  [ "$up" = 1 ] || continue
  read -r package <"$cpu/topology/physical_package_id"; read -r core <"$cpu/topology/core_id"
  node=0; for at in "$cpu"/node[0-9]*; do [ -e "$at" ] && node=${at##*/node}; done
  echo "cpu ${cpu##*/cpu} $node $package $core"
done
[ -e /sys/devices/system/cpu/isolated ] && echo "isolated $(cat /sys/devices/system/cpu/isolated)"
for device in /sys/class/net/*; do
  [ -e "$device" ] || continue
  name=${device##*/}
  for lower in "$device"/lower_*; do [ -e "$lower" ] && echo "lower $name ${lower##*/lower_}"; done
  [ -e "$device/device" ] || continue
  # The PCI address is the last one of the path: a virtio NIC's own folder is below it, and its name says nothing.
  bus=$(readlink -f "$device/device" | sed -n 's#.*/\([0-9a-f]*:[0-9a-f][0-9a-f]:[0-9a-f][0-9a-f]\.[0-7]\).*#\1#p')
  [ -n "$bus" ] && echo "nic $name $bus"
done
for slot in /sys/bus/pci/devices/*; do
  [ -e "$slot/class" ] || continue
  case $(cat "$slot/class") in 0x02*) ;; *) continue ;; esac
  driver=none; [ -e "$slot/driver" ] && driver=$(readlink -f "$slot/driver") && driver=${driver##*/}
  echo "pci ${slot##*/} $driver $(cat "$slot/numa_node" 2>/dev/null || echo -1)"
done
for family in -4 -6; do
  ip $family -o route show default 2>/dev/null | grep -o 'dev [^ ]*' | sed 's/^dev/default/'
done
seen=; pid=$$
while [ "${pid:-0}" -gt 1 ] && [ -z "$seen" ]; do
  seen=$(tr '\000' '\n' 2>/dev/null </proc/$pid/environ | sed -n 's/^SSH_CONNECTION=//p')
  pid=$(sed -n 's/^PPid:[[:space:]]*//p' /proc/$pid/status 2>/dev/null)
done
if [ -n "$seen" ]; then
  set -- $seen
  ip -o route get "$1" 2>/dev/null | sed -n 's/.* dev \([^ ]*\).*/ssh \1/p'
  ip -o addr show 2>/dev/null | while read -r _ name _ address _; do [ "${address%/*}" = "$3" ] && echo "ssh $name"; done
fi
echo "cpus $(getconf _NPROCESSORS_ONLN 2>/dev/null || nproc)"
[ -e /dev/vhost-net ] && echo "vhost yes" || echo "vhost no"
# Built into the kernel, or loaded when the device is opened.
[ -e /dev/vhost-net ] && echo "module vhost_net"
[ -e /dev/net/tun ] && echo "module tun"
"""


def script(files: Iterable[str], dpvs: tuple[str, str, str] | None = None, units: Iterable[str] = ()) -> str:
    """The look, with the files that are to be read. `dpvs`: its pid file, its conf, and where it is noted what it has read of it.

    `units`: those whose files systemd must have read.
    """
    parts = [LOOK]
    parts += [f"[ -d /sys/module/{module} ] && echo 'module {module}'" for module in MODULES]
    parts += [f"command -v {shlex.quote(tool)} >/dev/null 2>&1 && echo 'tool {tool}'" for tool in TOOLS]
    for path in files:
        where = shlex.quote(path)
        shown = f"$(stat -c %a {where}) $(base64 <{where} | tr -d '\\n')"
        parts.append(f'if [ -f {where} ]; then echo "file "{where}" {shown}"; else echo "file "{where}; fi')
    names = " ".join(shlex.quote(f"{unit}.service") for unit in units)
    stale = f"systemctl show -p NeedDaemonReload --value {names} 2>/dev/null | grep -q yes"
    parts.append(f"if [ -d /run/systemd/system ]; then if {stale}; then echo 'systemd stale'; else echo 'systemd yes'; fi; fi")
    if dpvs is not None:
        pid_file, conf, loaded = map(shlex.quote, dpvs)
        parts.append(
            f"""\
pid=$(cat {pid_file} 2>/dev/null)
if [ -n "$pid" ] && [ "$(cat /proc/"$pid"/comm 2>/dev/null)" = dpvs ] && ! grep -q ' (dpvs) Z' /proc/"$pid"/stat; then
  newer=no; [ {conf} -nt {pid_file} ] && newer=yes
  echo "dpvs $pid $(cut -d ' ' -f 22 /proc/"$pid"/stat) $newer $(sha256sum <{conf} 2>/dev/null | cut -d ' ' -f 1)"
  [ -f {loaded} ] && sed 's/^/loaded /' {loaded}
fi"""
        )
    return "\n".join([*parts, "true"])


def reload_script(pid_file: str, conf: str, loaded: str, restart: Iterable[str]) -> str:
    """SIGHUP to dpvs, and whether it did read the file again: by the file's time of access, where the file system keeps one.

    What it has read by then is noted: pid, time of start, hash of the file; and on lines of their own what needs a restart.
    """
    at, where, note = map(shlex.quote, (pid_file, conf, loaded))
    needs = " ".join(shlex.quote(what) for what in restart)
    return f"""\
pid=$(cat {at}) || exit 1
runs() {{ case "$(cat /proc/"$pid"/stat 2>/dev/null)" in *"(dpvs) Z"*) return 1 ;; *"(dpvs) "*) return 0 ;; *) return 1 ;; esac; }}
runs || {{ echo "dpvs does not run any more" >&2; exit 1; }}
touch -a -d '2000-01-01' {where} || exit 1
kill -HUP "$pid" || exit 1
i=0
while [ "$(stat -c %X {where})" -lt 1000000000 ] && runs && [ $i -lt 50 ]; do i=$((i + 1)); sleep 0.1; done
runs || {{ echo "dpvs ended when it was told to read its file again" >&2; exit 1; }}
if [ $i -ge 50 ]; then
  cat {where} >/dev/null
  if [ "$(stat -c %X {where})" -ge 1000000000 ]; then echo "dpvs did not read {where} again" >&2; exit 1; fi
  echo "the file system keeps no time of access: it can't be told whether dpvs read {where}"
fi
mkdir -p {shlex.quote(loaded.rpartition("/")[0])} || exit 1
{{
  echo "$pid $(cut -d ' ' -f 22 /proc/"$pid"/stat) $(sha256sum <{where} | cut -d ' ' -f 1)"
  for what in {needs}; do echo "$what"; done
}} >{note}"""
