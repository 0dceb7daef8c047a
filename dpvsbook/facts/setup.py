"""One look at a director as a host, before dpvs runs there: huge pages, NICs and what they carry, modules, CPUs, the files of its setup.

`LOOK` is a fixed script (POSIX sh, nothing written); `parse` takes what it prints. A file is printed in base64, so that nothing in it
can be taken for a line of ours.
"""

from __future__ import annotations

import base64
import shlex
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from dpvsbook.errors import ParseError

MODULES = ("vfio_pci", "uio_pci_generic", "vhost_net", "tun", "rte_kni")
TOOLS = ("driverctl", "dpdk-devbind.py", "systemctl", "modprobe")

LOOK = r"""
for node in /sys/devices/system/node/node[0-9]*; do
  for size in "$node"/hugepages/hugepages-*; do
    [ -d "$size" ] || continue
    echo "pages ${node##*/node} ${size##*hugepages-} $(cat "$size/nr_hugepages") $(cat "$size/free_hugepages")"
  done
done
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
  ip $family -o route show default 2>/dev/null | sed -n 's/.* dev \([^ ]*\).*/default \1/p'
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


@dataclass(frozen=True, slots=True)
class Pages:
    """Huge pages of one size on one NUMA node."""

    node: int
    size_kb: int
    total: int
    free: int


@dataclass(frozen=True, slots=True)
class Slot:
    """A network device on the PCI bus; `driver` None: it has none. `node` -1: the host doesn't say."""

    address: str
    driver: str | None
    node: int


@dataclass(frozen=True, slots=True)
class File:
    """A file of the host: its text and its mode."""

    text: str
    mode: int


@dataclass(frozen=True, slots=True)
class SetupState:
    """What the look showed. `nics`: interface -> PCI address. `lowers`: a bond, VLAN or bridge -> what is under it. `ssh`: the interfaces
    that carry this session; empty when that can't be told. `files`: None where there is none."""

    pages: tuple[Pages, ...] = ()
    nics: Mapping[str, str] = field(default_factory=dict)
    lowers: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    slots: Mapping[str, Slot] = field(default_factory=dict)
    defaults: tuple[str, ...] = ()
    ssh: tuple[str, ...] = ()
    cpus: int = 1
    vhost_net: bool = False
    modules: frozenset[str] = frozenset()
    tools: frozenset[str] = frozenset()
    files: Mapping[str, File | None] = field(default_factory=dict)

    def carries(self, interface: str) -> frozenset[str]:
        """An interface with all that is under it."""
        found, todo = set[str](), [interface]
        while todo:
            name = todo.pop()
            if name not in found:
                found.add(name)
                todo += self.lowers.get(name, ())
        return frozenset(found)


def script(files: Iterable[str]) -> str:
    """The look, with the files that are to be read."""
    parts = [LOOK]
    parts += [f"[ -d /sys/module/{module} ] && echo 'module {module}'" for module in MODULES]
    parts += [f"command -v {shlex.quote(tool)} >/dev/null 2>&1 && echo 'tool {tool}'" for tool in TOOLS]
    for path in files:
        where = shlex.quote(path)
        shown = f"$(stat -c %a {where}) $(base64 <{where} | tr -d '\\n')"
        parts.append(f'if [ -f {where} ]; then echo "file "{where}" {shown}"; else echo "file "{where}; fi')
    return "\n".join([*parts, "true"])


def parse(text: str) -> SetupState:
    """The state. Raises ParseError for a line that the look can't have printed."""
    pages: list[Pages] = []
    nics: dict[str, str] = {}
    lowers: dict[str, tuple[str, ...]] = {}
    slots: dict[str, Slot] = {}
    several: dict[str, list[str]] = {"default": [], "ssh": [], "module": [], "tool": []}
    files: dict[str, File | None] = {}
    cpus, vhost = 1, False
    for number, line in enumerate(text.splitlines(), start=1):
        match line.split():
            case ["pages", node, size, total, free] if size.endswith("kB"):
                pages.append(Pages(int(node), int(size[:-2]), int(total), int(free)))
            case ["nic", name, bus]:
                nics[name] = bus
            case ["lower", upper, lower]:
                lowers[upper] = (*lowers.get(upper, ()), lower)
            case ["pci", address, driver, node]:
                slots[address] = Slot(address, None if driver == "none" else driver, int(node))
            case [("default" | "ssh" | "module" | "tool") as word, name]:
                several[word].append(name)
            case ["cpus", count]:
                cpus = int(count)
            case ["vhost", answer]:
                vhost = answer == "yes"
            case ["file", path]:
                files[path] = None
            case ["file", path, mode, *content]:
                files[path] = File(base64.b64decode("".join(content)).decode(errors="replace"), int(mode, 8))
            case []:
                pass
            case _:
                raise ParseError("setup", line, number)
    unique = {word: tuple(dict.fromkeys(names)) for word, names in several.items()}
    return SetupState(
        tuple(pages),
        nics,
        lowers,
        slots,
        unique["default"],
        unique["ssh"],
        cpus,
        vhost,
        frozenset(unique["module"]),
        frozenset(unique["tool"]),
        files,
    )
