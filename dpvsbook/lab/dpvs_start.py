"""How a dpvs starts, or doesn't: its options, the EAL's, dpvs.conf and the host, in the order in which the real one looks at them. Pure.

The messages are DPVS 1.10-2's and DPDK 24.11's. What a lab's host can't have wrong (links, queues of a NIC, CPU flags) isn't looked at.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from dpvsbook.conf.lcores import RULES as LCORE_RULES
from dpvsbook.conf.lines import Lines
from dpvsbook.conf.machine import Arguments, BadArguments, Machine, Port, arguments
from dpvsbook.conf.memory import kni, need_mb
from dpvsbook.conf.model import Conf, read
from dpvsbook.conf.parse import parse_lenient
from dpvsbook.conf.validate import validate
from dpvsbook.lab.dpvs_log import start_log

USAGE = """
Usage: dpvs DPVS application options:
   -v, --version           display DPVS version info
   -c, --conf FILE         specify config file for DPVS
   -p, --pid-file FILE     specify pid file of DPVS process
   -x, --ipc-file FILE     specify unix socket file for ipc communication between DPVS and Tools
   -h, --help              display DPVS help info
"""
EAL_USAGE = """
Usage: dpvs [options]

EAL common options:
  -c COREMASK         Hexadecimal bitmask of cores to run on
  -l CORELIST         List of cores to run on
"""
OWN = {"-c": "conf", "--conf": "conf", "-p": "pid", "--pid-file": "pid", "-x": "ipc", "--ipc-file": "ipc"}
TAKEN = ("--huge-dir", "-m", "-n", "--proc-type", "--log-level", "--socket-mem", "--iova-mode", "--base-virtaddr", "-d", "--syslog")
FLAGS = ("--huge-unlink", "--no-huge", "--legacy-mem", "--in-memory", "--no-hpet", "--no-telemetry", "--single-file-segments")
DRIVERS = ("vfio-pci", "uio_pci_generic", "igb_uio", "mlx5_core", "mlx4_core")
EXIT = "EAL: Error - exiting with code: 1"
MAX_SOCKET = 2
PAGE_MB = 2


@dataclass(frozen=True, slots=True)
class Nic:
    """A port of the host: what the params call it, its PCI address and driver, its kernel interface."""

    name: str
    pci: str = ""
    driver: str = ""
    kni: str = ""


@dataclass(frozen=True, slots=True)
class Hardware:
    """What a start meets. `file`: the text of a file, None for none; `alive`: whether a pid is somebody's; `primary`: a dpvs runs."""

    nics: tuple[Nic, ...]
    interfaces: frozenset[str]
    cpus: int
    nodes: int
    pages: int
    vhost: bool
    version: str
    built: str
    file: Callable[[str], str | None]
    alive: Callable[[int], bool]
    primary: bool = False


@dataclass(frozen=True, slots=True)
class Started:
    """What a start printed and wrote. `status` None: it runs, with `devices` (name, the host's port), and `pages` taken."""

    out: str = ""
    err: str = ""
    log: tuple[str, ...] = ()
    log_file: str = ""
    status: int | None = None
    paths: Mapping[str, str] = field(default_factory=dict)
    devices: tuple[tuple[str, Nic], ...] = ()
    pages: int = 0


class _Ends(Exception):
    """dpvs ends here. `log`: told where the log goes."""

    def __init__(self, status: int = 1, *, out: str = "", err: str = "", log: Sequence[str] = ()) -> None:
        super().__init__(status)
        self.status, self.out, self.err, self.log = status, out, err, tuple(log)


def begin(argv: Sequence[str], host: Hardware) -> Started:
    """Start `dpvs ARGV…` on a host."""
    err: list[str] = []
    log: list[str] = []
    log_file = ""
    paths = {"conf": "/etc/dpvs.conf", "pid": "/var/run/dpvs.pid", "ipc": "/var/run/dpvs.ipc"}
    try:
        eal = _own(argv, paths)
        _pid_file(paths["pid"], host)
        known, nics = _eal(eal, host, err)
        err += [f"DPVS: dpvs version: {host.version}, build on {host.built}", f"DPVS: dpvs-conf-file: {paths['conf']}"]
        err += [f"DPVS: dpvs-pid-file: {paths['pid']}", f"DPVS: dpvs-ipc-file: {paths['ipc']}"]
        text = host.file(paths["conf"]) if paths["conf"].startswith("/") else None
        conf = read(parse_lenient(text).nodes) if text is not None else Conf()
        if text is not None:
            log_file = str(conf.values.get("global_defs.log_file") or "")
            err += [
                f"CFG_FILE: Opening configuration file '{paths['conf']}'.",
                f"CFG_FILE: log_level = {conf.get('global_defs.log_level')}",
            ]
            err += [f"CFG_FILE: log_file = {log_file}"] if log_file else []
            log += start_log(text)
        devices = _init(text or "", conf, known, nics, host)
    except _Ends as ends:
        log += ends.log
        told = [] if log_file else log
        return Started(ends.out, _lines([*err, *told]) + ends.err, tuple(log) if log_file else (), log_file, ends.status, paths)
    told = [] if log_file else log
    pages = -(-need_mb(conf) // PAGE_MB)
    return Started("", _lines([*err, *told]), tuple(log) if log_file else (), log_file, None, paths, devices, pages)


def _own(argv: Sequence[str], paths: dict[str, str]) -> tuple[str, ...]:
    """dpvs's own options, into `paths`; what stands after -- is the EAL's."""
    words = list(argv)
    while words:
        word = words.pop(0)
        if word == "--":
            return tuple(words)
        name, equals, value = word.partition("=") if word.startswith("--") else (word, "", "")
        if name not in OWN:
            said = (
                f"invalid option -- '{word[1:2]}'"
                if word.startswith("-") and not word.startswith("--")
                else f"unrecognized option '{word}'"
            )
            raise _Ends(out=USAGE, err=f"dpvs: {said}\n")
        if not equals and not words:
            raise _Ends(out=USAGE, err=f"dpvs: option requires an argument -- '{name[-1]}'\n")
        paths[OWN[name]] = value if equals else words.pop(0)
    return ()


def _pid_file(path: str, host: Hardware) -> None:
    """Only whether somebody has that number is asked: another program's will do, and a zombie's."""
    text = (host.file(path) or "").strip()
    if text.isdigit() and host.alive(int(text)):
        raise _Ends(err="dpvs is already running\n")


def _eal(words: tuple[str, ...], host: Hardware, err: list[str]) -> tuple[Arguments, tuple[Nic, ...]]:
    """The EAL: its options, lcores, memory, and the ports that it finds, in their order."""
    err += [f"EAL: Detected CPU lcores: {host.cpus}", f"EAL: Detected NUMA nodes: {host.nodes}"]
    refused = f"{EAL_USAGE}\n{EXIT}\nInvalid EAL parameters\n"
    try:
        known = arguments(words)
    except BadArguments:
        raise _Ends(out=EAL_USAGE, err=f"EAL: invalid core list syntax\n{refused}") from None
    rest = list(known.unknown)
    while rest:
        name, equals, _ = rest.pop(0).partition("=")
        if name in TAKEN:
            rest = rest if equals else rest[1:]
        elif name not in FLAGS:
            raise _Ends(out=EAL_USAGE, err=f"dpvs: unrecognized option '{name}'\n{refused}")
    shared = any("@" in word for word in words)
    over = [lcore for lcore in known.lcores or () if lcore >= host.cpus]
    if over and not shared:
        lines = [*(f"EAL: lcore {lcore} unavailable" for lcore in over)]
        lines.append(f"EAL: invalid core list, please check specified cores are part of 0-{host.cpus - 1}")
        raise _Ends(out=EAL_USAGE, err=_lines(lines) + refused)
    err.append("EAL: Detected static linkage of DPDK")
    if host.primary:
        lines = [f"EAL: Cannot create lock on '/var/run/dpdk/{known.prefix}/config'. Is another primary process running?"]
        raise _Ends(err=_lines([*lines, "EAL: Cannot init config", EXIT, "Invalid EAL parameters"]))
    err += [f"EAL: Multi-process socket /var/run/dpdk/{known.prefix}/mp_socket"]
    if not host.pages and "--no-huge" not in words:
        lines = ["EAL: No free 2048 kB hugepages reported on node 0", "EAL: No available 2048 kB hugepages reported"]
        raise _Ends(err=_lines([*lines, "EAL: Cannot get hugepage information.", EXIT, "Invalid EAL parameters"]))
    err.append("EAL: Selected IOVA mode 'PA'")
    return known, _probe(words, known, host, err)


def _probe(words: tuple[str, ...], known: Arguments, host: Hardware, err: list[str]) -> tuple[Nic, ...]:
    """PCI ports that are allowed and with a driver of DPDK's, by address; then the virtual ones as they are written."""
    on_bus = {nic.pci: nic for nic in host.nics if nic.pci and nic.driver in DRIVERS}
    wanted = sorted(on_bus) if known.ports is None or not any(":" in port for port in known.ports) else known.ports
    found = [] if "--no-pci" in words else [on_bus[address] for address in wanted if address in on_bus]
    for number, vdev in enumerate(_vdevs(words)):
        driver, *options = vdev.split(",")
        interface = next((option.partition("=")[2] for option in options if option.startswith("iface=")), "")
        by_name = next((nic for nic in host.nics if nic.kni == interface), None)
        if driver.startswith("net_af_packet") and interface not in host.interfaces:
            err.append(f"AFPACKET: rte_pmd_init_internals(): {driver}: ioctl failed (SIOCGIFINDEX):No such device")
            err += [f"VDEV_BUS: vdev_probe(): failed to initialize {driver} device", "EAL: Bus (vdev) probe failed."]
        elif by_name is not None or number < len(host.nics):
            found.append(by_name or host.nics[number])
    return tuple(found)


def _vdevs(words: tuple[str, ...]) -> list[str]:
    return [
        word.partition("=")[2] if word.startswith("--vdev=") else words[i + 1]
        for i, word in enumerate(words)
        if word.startswith("--vdev=") or (word == "--vdev" and i + 1 < len(words))
    ]


def _init(text: str, conf: Conf, known: Arguments, nics: tuple[Nic, ...], host: Hardware) -> tuple[tuple[str, Nic], ...]:
    """What dpvs checks itself, the first thing first. Gives its devices."""
    lcores = known.lcores or tuple(range(host.cpus))
    main = known.main if known.main is not None else lcores[0]
    configured = len(conf.devices) + len(conf.bonds)
    if host.nodes > MAX_SOCKET:
        raise _Ends(log=[EXIT, "DPVS_MAX_SOCKET is smaller than system numa nodes!"])
    if not nics:
        raise _Ends(log=[EXIT, "No dpdk ports found!", "Possibly nic or driver is not dpdk-compatible."])
    if configured < len(nics):
        raise _Ends(log=[EXIT, f"ports in DPDK RTE ({len(nics)}) != ports in dpvs.conf({configured})"])
    if need_mb(conf) > host.pages * PAGE_MB:
        raise _Ends(log=[EXIT, "Cannot init mbuf pool on socket 0"])
    _lcores(text, conf, Machine("1.10", tuple(Port(nic.pci or nic.name) for nic in nics), lcores, main))
    if conf.get("global_defs.kni") and not host.vhost:
        lines = ["VIRTIO_INIT: virtio_user_pmd_probe(): arg iface applies only to vhost-kernel backend"]
        lines += ["EAL: Driver cannot attach the device (virtio_user0)", "EAL: Failed to attach device on primary process"]
        raise _Ends(log=[*lines, "Kni: virtio_kni_alloc: virtio_kni hotplug_add failed: -1", EXIT, "add KNI port fail, exiting..."])
    if any(finding.severity == "error" for finding in kni(conf, Machine("1.10", vhost_net=True), Lines())):
        raise _Ends(139, log=["RING: Cannot reserve memory", "Kni: kni_add_dev: failed to create kni rx ring"], err="Segmentation fault\n")
    return tuple((device.name, nic) for device, nic in zip(conf.devices, nics, strict=False))


def _lcores(text: str, conf: Conf, machine: Machine) -> None:
    """The workers: their lcores, then their queues, with the code of `validate`."""
    slaves = {worker.cpu_id for worker in conf.slaves}
    if machine.main in slaves:
        said = "dpvs: netif.c:1469: lcore_role_init: Assertion `g_lcore_role[cid] == LCORE_ROLE_IDLE' failed.\nAborted\n"
        raise _Ends(134, err=said)
    found = [finding for rule in LCORE_RULES for finding in rule(conf, machine, Lines()) if finding.severity == "error"]
    for finding in found:
        if "lcore_index_init failed" in finding.silently:
            raise _Ends(log=[EXIT, "netif_lcore_init: lcore_index_init failed (cause: non-EAL thread lcore), exit ..."])
    codes = [finding.code for finding in validate(text, machine) if finding.code is not None]
    codes += [-4 for finding in found if "error code: -4" in finding.silently]
    if codes:
        raise _Ends(log=[EXIT, f"netif_lcore_init: bad lcore configuration (error code: {codes[0]}), exit ..."])


def _lines(lines: Sequence[str]) -> str:
    return "".join(f"{line}\n" for line in lines)
