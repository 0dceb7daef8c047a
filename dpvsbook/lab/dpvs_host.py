"""What a director has beside any other host: the dpvs process, its files, and dpip, ipvsadm and dpvs as programs."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Mapping
from itertools import groupby
from typing import TYPE_CHECKING

from dpvsbook.lab import dpvs_start, hardware
from dpvsbook.lab.dpvs import Device, Dpvs, dpip, ipvsadm
from dpvsbook.lab.dpvs_log import start_log
from dpvsbook.lab.files import Link, Regular
from dpvsbook.lab.netns import conf
from dpvsbook.lab.processes import Killed, Process
from dpvsbook.lab.shell.streams import Stream, decode
from dpvsbook.lab.shell.system import Call
from dpvsbook.lab.utilities import Tool

if TYPE_CHECKING:
    from dpvsbook.lab.machines import Machine
    from dpvsbook.lab.topology import Port

HUGEPAGES = 24576
"""2 MB pages of a director in the lab: 48 GB, enough for about 1,100 LIPs."""

POOLS = 353
"""Pages that dpvs takes at its start with a lab's pool sizes (observed.md, Running without a NIC)."""

PID_FILE = "/var/run/dpvs.pid"
CONF, LOG = "/etc/dpvs.conf", "/var/log/dpvs.log"
COMMAND = "/usr/sbin/dpvs -c /etc/dpvs.conf -p /var/run/dpvs.pid -x {ipc} -- -l 0-1 {ports} --file-prefix={name}"

Main = Callable[[Dpvs | None, list[str], str, Callable[[str], None], Callable[[str], None], Mapping[str, str]], int]


class DpvsHost:
    """`dpvs` is the process that runs, or the last one that did."""

    def __init__(self, machine: Machine, version: str) -> None:
        self._machine, self._version = machine, version
        self._ipc = machine.spec.ipc or "/var/run/dpvs.ipc"
        self._process: Process | None = None
        self._waiting: Process | None = None  # who started dpvs, and waits for its end
        self._pools = POOLS
        self.programs: dict[str, Tool] = {"dpip": self._dpip, "ipvsadm": self._ipvsadm, "dpvs": self._daemon}
        self._reserved = HUGEPAGES
        machine.files.write(CONF, self._conf())
        if machine.spec.tools:
            for name in self.programs:
                machine.install(f"{machine.spec.tools}/{name}", name)
        self.start()

    def _conf(self) -> str:
        """The netns lab's."""
        ports = self._machine.spec.ports
        made = tuple(conf.Port(port.name, port.kni or f"{port.name}.kni", port.mtu) for port in ports)
        return conf.dpvs_conf(made, log_file=LOG, kni=any(port.kni for port in ports))

    def _command(self) -> str:
        ports = self._machine.spec.ports
        named = [f"-a {port.pci}" for port in ports if port.pci]
        virtual = [f"--vdev=net_null{number}" for number, port in enumerate(ports) if not port.pci]
        words = [*named, *virtual] if named else ["--no-pci", *virtual]
        return COMMAND.format(ipc=self._ipc, ports=" ".join(words), name=self._machine.hostname)

    # ---- the process

    def start(self) -> bool:
        """The lab's own start: a fresh dpvs with empty tables and its links up, whatever dpvs.conf says. False if one runs already."""
        machine = self._machine
        with machine.network.lock:
            if self._process is not None:
                return False
            ports = [(port.name, port) for port in machine.spec.ports]
            self._up(ports, self._command(), PID_FILE, self._ipc, POOLS)
            printed = start_log(decode(machine.files.read(CONF)) if machine.files.find(CONF) else "")
            machine.files.write(LOG, "".join(f"{line}\n" for line in [*printed, *self.dpvs.log]))
        return True

    def _up(self, ports: list[tuple[str, Port]], command: str, pid_file: str, ipc: str, pages: int) -> Process:
        """A dpvs that runs: its devices by the names that dpvs.conf has for them, its pid file and socket."""
        machine = self._machine
        for name, port in ports:  # what dpvs.conf calls otherwise is the same port
            machine.node.ports[name], machine.node.macs[name] = port.network, machine.node.macs[port.name]
        devices = [Device(name, machine.node.macs[port.name], mtu=port.mtu) for name, port in ports]
        names = {"localhost": "127.0.0.1", machine.hostname: "127.0.1.1"}
        self._pools = pages
        self.dpvs = Dpvs(devices, version=self._version, hugepages=max(0, self._reserved - pages), ipc_file=ipc, names=names)
        machine.node.dpvs = self.dpvs
        self._process = machine.processes.spawn(command)
        self._process.on_signal.append(self._signalled)
        machine.files.write(pid_file, f"{self._process.pid}\n")
        machine.files.write(ipc, b"", mode=0o755)
        return self._process

    def _signalled(self, number: int) -> None:
        """dpvs handles SIGHUP alone: any other ends it, and its pid file and socket stay."""
        self.kill(1 if number == 1 else 9)

    def kill(self, number: int) -> None:
        """9 leaves the socket and the pid file, 15 is a stop that cleans up behind it, 1 only reads the configuration again."""
        machine = self._machine
        with machine.network.lock:
            if self._process is None:
                return
            if number == 1:
                machine.files.write(LOG, decode(machine.files.read(LOG)) + "".join(f"{line}\n" for line in self._reload()))
                return
            self.dpvs.stop(killed=number == 9)
            machine.processes.remove(self._process)
            self._process = None
            waiting, self._waiting = self._waiting, None
            if waiting is not None:
                with waiting.changed:
                    waiting.changed.notify_all()
            if number != 9:
                for path in (PID_FILE, self._ipc):
                    if machine.files.find(path) is not None:
                        machine.files.remove(path)

    def _reload(self) -> list[str]:
        """dpvs.conf is read again; what that prints, but for the values."""
        files = self._machine.files
        if files.find(CONF) is None:
            return ["CFG_FILE: Got signal SIGHUP."]
        load, *rest = start_log(decode(files.read(CONF)))
        return [
            "CFG_FILE: Got signal SIGHUP.",
            f"CFG_FILE: Opening configuration file '{CONF}'.",
            load,
            *(line for line in rest if "not supported" in line),
        ]

    def hugepages(self) -> tuple[int, int]:
        """(total, free) pages of the host. After a kill the pages stay taken, as real ones do without --huge-unlink."""
        if self.dpvs.socket == "missing":
            return self._reserved, self._reserved
        return self._reserved, self.dpvs.hugepages.free if self.dpvs.hugepages.free is not None else self._reserved - self._pools

    def reserve(self, pages: int) -> None:
        """Another number of pages; those that are in use stay."""
        total, free = self.hugepages()
        self._reserved = max(pages, total - free)
        if self.dpvs.hugepages.free is not None:
            self.dpvs.hugepages.free += self._reserved - total

    # ---- the tools

    def _reachable(self, call: Call) -> Dpvs | None:
        """None when the socket file was removed under a running dpvs."""
        return self.dpvs if self._machine.files.find(call.environment.get("DPVS_IPC_FILE", self._ipc)) is not None else None

    def _answered(self, call: Call, main: Main, stdin: str) -> int:
        """Runs a tool; what it prints is written when the lock is free again (its reader may be a command that needs it)."""
        written: list[tuple[Stream, str]] = []
        with self._machine.network.lock:
            status = main(
                self._reachable(call),
                list(call.argv),
                stdin,
                lambda text: written.append((call.stdout, text)),
                lambda text: written.append((call.stderr, text)),
                call.environment,
            )
        for stream, chunks in groupby(written, key=lambda item: item[0]):
            stream.write("".join(text for _, text in chunks))
        return status

    def _dpip(self, call: Call) -> int:
        if call.uid:
            return _no_permission(call, "dpip: <unknow>\n", 1)
        return self._answered(call, dpip.main, "")

    def _ipvsadm(self, call: Call) -> int:
        if call.uid:
            return _no_permission(call, f"Can't initialize ipvs: {os.strerror(errno.EACCES)}\nAre you sure that dpvs is running?\n", 2)
        return self._answered(call, ipvsadm.main, call.stdin.read() if {"-R", "--restore"} & set(call.argv) else "")

    def _daemon(self, call: Call) -> int:
        """`dpvs`: -v and -h, else it starts, and stays in the foreground until it is ended."""
        version = f"{self.dpvs.version.name}, build on {self.dpvs.version.built}"
        if {"-v", "--version"} & set(call.argv):
            call.err(f"dpvs version: {version}\n")
            return 0
        if {"-h", "--help"} & set(call.argv):
            call.out(dpvs_start.USAGE)
            return 0
        if call.uid:
            return call.fail("must be root")
        with self._machine.network.lock:
            begun = dpvs_start.begin(call.argv[1:], self._hardware())
            process = self._begin(begun, " ".join(call.argv)) if begun.status is None else None
            self._waiting = call.process if process is not None else self._waiting
        call.err(begun.err)
        call.out(begun.out)
        self._write_log(begun.log_file, [*begun.log, *(self.dpvs.log if process is not None else ())])
        if process is None:
            return begun.status or 0
        try:
            call.process.wait_for(lambda: self._process is not process)
        except Killed:
            if self._process is process:
                self.kill(9)
            raise
        return 137

    def _begin(self, begun: dpvs_start.Started, command: str) -> Process:
        spec = {port.name: port for port in self._machine.spec.ports}
        ports = [(name, spec[nic.name]) for name, nic in begun.devices]
        return self._up(ports, command, begun.paths["pid"], begun.paths["ipc"], begun.pages)

    def _write_log(self, path: str, lines: list[str]) -> None:
        """Behind what is there, as dpvs does."""
        files = self._machine.files
        if path and lines:
            before = decode(files.read(path)) if files.find(path) is not None else ""
            files.write(path, before + "".join(f"{line}\n" for line in lines))

    def _hardware(self) -> dpvs_start.Hardware:
        machine = self._machine
        files = machine.files

        def text(path: str) -> str | None:
            return decode(files.read(path)) if isinstance(files.find(path), Regular) else None

        def driver(pci: str) -> str:
            link = files.find(f"/sys/bus/pci/devices/{pci}/driver", follow=False) if pci else None
            return link.target.rpartition("/")[2] if isinstance(link, Link) else ""

        nics = tuple(dpvs_start.Nic(p.name, p.pci, driver(p.pci), p.kni or f"{p.name}.kni") for p in machine.spec.ports)
        nodes = [name for name in files.names("/sys/devices/system/node") if name.startswith("node")]
        return dpvs_start.Hardware(
            nics,
            frozenset(machine.node.kernel.interfaces),
            hardware.CPUS,
            len(nodes),
            self._reserved,
            files.find("/dev/vhost-net") is not None,
            self.dpvs.version.name,
            self.dpvs.version.built,
            text,
            lambda pid: machine.processes.get(pid) is not None,
            self._process is not None,
        )


def _no_permission(call: Call, rest: str, status: int) -> int:
    call.err(f"[dpvs_getsockopt] scoket msg connection error: {os.strerror(errno.EACCES)}\n{rest}")
    return status
