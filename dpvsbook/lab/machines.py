"""One emulated host: its files, processes, users, programs by role, and its place in the network."""

from __future__ import annotations

import errno
import ipaddress
import os
import posixpath
import shlex
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from dpvsbook.lab import hardware, iproute, probes, web
from dpvsbook.lab.dpvs_host import DpvsHost
from dpvsbook.lab.faults import FaultError, Faults
from dpvsbook.lab.files import Directory, Program, Virtual, empty_system
from dpvsbook.lab.files import Node as FileNode
from dpvsbook.lab.kernel import Kernel, Route, mac_of
from dpvsbook.lab.network import Network, Node
from dpvsbook.lab.processes import Process, ProcessTable
from dpvsbook.lab.shell.streams import decode
from dpvsbook.lab.shell.system import Call
from dpvsbook.lab.sudo import sudo
from dpvsbook.lab.topology import HostSpec, Topology
from dpvsbook.lab.utilities import UTILITIES, Tool
from dpvsbook.lab.utilities.options import UsageError

if TYPE_CHECKING:
    from dpvsbook.lab.dpvs import Dpvs

SBIN = frozenset({"ip", "sysctl", "arping", "dpip", "ipvsadm", "dpvs"})
WAIT = 0.05
"""Seconds that are really waited for a modelled time-out."""


class Machine:
    """`sessions` (by pid of the login) and `connections` (by any number) hold what breaks an SSH connection; the server fills them in."""

    def __init__(self, spec: HostSpec, network: Network, *, version: str = "1.10", wait: float = WAIT) -> None:
        self.spec, self.network = spec, network
        self.hostname = spec.name
        self.files, self.processes, self.faults = empty_system(), ProcessTable(), Faults()
        self.processes.spawn("sshd: /usr/sbin/sshd -D [listener] 0 of 10-100 startups")
        self.sessions: dict[int, Callable[[], None]] = {}
        self.connections: dict[int, Callable[[], None]] = {}
        self.change_host_key: Callable[[], None] = lambda: None
        self.restore_host_key: Callable[[], None] = lambda: None
        self.users = {0: ("root", "/root")}
        if spec.user != "root":
            self.users[1000] = (spec.user, f"/home/{spec.user}")
        self.node = Node(spec.name, Kernel(spec.name), listening=set(spec.listening))
        network.nodes[spec.name] = self.node
        self.programs: dict[str, Tool] = {**UTILITIES, "sudo": sudo}
        for name, tool in {"ip": iproute.ip, "sysctl": iproute.sysctl}.items():
            self.programs[name] = partial(tool, network, self.node)
        for name, timed in {"curl": web.curl, "ping": probes.ping, "arping": probes.arping}.items():
            self.programs[name] = partial(timed, network, self.node, wait)
        self._set_up_files()
        self._plug_in()
        self._dpvs: DpvsHost | None = None
        self._reserved = 0
        if spec.role == "director":
            self._dpvs = DpvsHost(self, version)
            self.programs.update(self._dpvs.programs)
        self.programs.update(hardware.equip(self))
        for name in self.programs:
            self.install(f"/usr/{'sbin' if name in SBIN else 'bin'}/{name}", name)
        for name in ("sh", "cat", "ls"):
            self.install(f"/bin/{name}", name)

    def _set_up_files(self) -> None:
        self.files.write("/etc/hostname", f"{self.hostname}\n")
        self.files.write("/etc/hosts", f"127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost\n127.0.1.1\t{self.hostname}\n")
        release = 'PRETTY_NAME="dpvsbook emulated lab"\nNAME="dpvsbook"\nID=dpvsbook-lab\nID_LIKE=debian\n'
        self.files.write("/etc/os-release", release)
        passwd = "".join(f"{name}:x:{uid}:{uid}::{home}:/bin/bash\n" for uid, (name, home) in self.users.items())
        self.files.write("/etc/passwd", passwd)
        for uid, (_, home) in self.users.items():
            if uid:
                self.files.make_folders(home)
                self.files.node(home).uid = self.files.node(home).gid = uid
        memory = lambda: f"MemTotal:       {self.pages()[0] * 2048 + 8388608} kB\nMemFree:         8388608 kB\n{self._hugepages()}"  # noqa: E731
        self.virtual("/proc/meminfo", Virtual(memory))
        self.virtual("/proc/loadavg", Virtual(lambda: "0.00 0.00 0.00 1/100 1\n"))
        for name in list(self.node.kernel.sysctls):
            read = partial(self._sysctl, name)
            self.virtual(f"/proc/sys/{name.replace('.', '/')}", Virtual(read, partial(self._set_sysctl, name)))

    def virtual(self, path: str, node: FileNode) -> None:
        """Puts a node there, with the folders on the way."""
        self.files.make_folders(posixpath.dirname(path))
        self.files.put(path, node)

    def _sysctl(self, name: str) -> str:
        return self.node.kernel.sysctls.get(name, "0") + "\n"

    def _set_sysctl(self, name: str, value: str) -> None:
        if not value.strip().isdigit():
            raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))
        self.node.kernel.sysctls[name] = value.strip()

    def pages(self) -> tuple[int, int]:
        """(total, free) huge pages."""
        return self._dpvs.hugepages() if self._dpvs is not None else (self._reserved, self._reserved)

    def reserve(self, pages: int) -> None:
        """Huge pages from now on; those in use stay."""
        if self._dpvs is not None:
            self._dpvs.reserve(pages)
        else:
            self._reserved = pages

    def _hugepages(self) -> str:
        total, free = self.pages()
        counts = f"HugePages_Total: {total:>7}\nHugePages_Free:  {free:>7}\nHugePages_Rsvd:        0\nHugePages_Surp:        0\n"
        return f"{counts}Hugepagesize:       2048 kB\n"

    def _plug_in(self) -> None:
        kernel = self.node.kernel
        if self.spec.role == "director":
            for port in self.spec.ports:
                self.node.ports[port.name] = port.network
                self.node.macs[port.name] = mac_of(self.spec.name, port.name)
                if port.kni:
                    kernel.plug(port.kni, segment=port.network, mtu=port.mtu, mac=self.node.macs[port.name])
            return
        for port in self.spec.ports:
            kernel.plug(port.name, segment=port.network, mtu=port.mtu)
            for address in port.addresses:
                kernel.add_address(port.name, ipaddress.ip_interface(address))
        if self.spec.role == "router":
            kernel.sysctls.update({"net.ipv4.ip_forward": "1", "net.ipv6.conf.all.forwarding": "1"})
        for to, via in self.spec.routes:
            hop = ipaddress.ip_address(via)
            prefix = ipaddress.ip_network(("0.0.0.0/0" if hop.version == 4 else "::/0") if to == "default" else to)
            way = kernel.lookup(hop)
            if way is not None:
                kernel.routes.append(Route(prefix, way.device, hop, protocol="static"))

    def install(self, path: str, name: str) -> None:
        """Makes a program there, unless something is there already."""
        self.files.make_folders(posixpath.dirname(path))
        if self.files.find(path) is None:
            self.files.put(path, Program(name))

    # ---- what the shell asks of its host

    def user_name(self, uid: int) -> str:
        return self.users.get(uid, (str(uid), "/"))[0]

    def home(self, uid: int) -> str:
        return self.users.get(uid, ("", "/"))[1]

    def uid_of(self, name: str) -> int | None:
        return next((uid for uid, (user, _) in self.users.items() if user == name), None)

    def has(self, name: str, cwd: str, path: str, uid: int) -> str | None:
        if "/" in name:
            return posixpath.normpath(posixpath.join(cwd, name)) if self._executable(name, cwd, uid) else None
        for folder in path.split(":"):
            full = posixpath.join(folder or cwd, name)
            if self._executable(full, cwd, uid):
                return full
        return None

    def _executable(self, path: str, cwd: str, uid: int) -> bool:
        try:
            node = self.files.resolve(path, cwd, uid=uid)[1]
        except OSError:
            return False
        return node is not None and not isinstance(node, Directory) and node.allows(uid, 1)

    def run(self, call: Call) -> int:
        call.process.check()
        path = self.has(call.argv[0], call.cwd, call.environment.get("PATH", "/usr/sbin:/usr/bin"), call.uid)
        if path is None:
            return self._not_executable(call)
        self.faults.before(self, call)
        node = self.files.node(path, call.cwd)
        try:
            if isinstance(node, Program):
                return self.programs[node.tool](call)
            return self._script(call, path)
        except UsageError as error:
            return call.fail(str(error), error.status)
        except BrokenPipeError:
            return 141
        except OSError as error:
            return call.fail(f"write error: {os.strerror(error.errno or 0)}")

    def _script(self, call: Call, path: str) -> int:
        first = decode(self.files.read(path)).split("\n", 1)[0]
        words = shlex.split(first[2:]) if first.startswith("#!") else ["/bin/sh"]
        if words[0].rsplit("/", 1)[-1] == "env":
            words = words[1:]
        if self.has(words[0], call.cwd, call.environment.get("PATH", ""), call.uid) is None:
            call.err(f"sh: 1: {call.argv[0]}: not found\n")
            return 127
        return call.spawn([*words, path, *call.argv[1:]])

    def _not_executable(self, call: Call) -> int:
        """What a shell says to it: 126 when it is there, 127 when it isn't."""
        node = self.files.find(call.argv[0], call.cwd) if "/" in call.argv[0] else None
        if isinstance(node, Directory):
            call.err(f"sh: 1: {call.argv[0]}: Permission denied\n")
        else:
            call.err(f"sh: 1: {call.argv[0]}: {'not found' if node is None else 'Permission denied'}\n")
        return 127 if node is None else 126

    # ---- logins

    def cut(self, process: Process) -> None:
        """Breaks the SSH connection that a process belongs to."""
        at: Process | None = process
        while at is not None and at.pid not in self.sessions:
            at = self.processes.get(at.parent)
        if at is not None:
            self.sessions[at.pid]()

    def drop_connections(self) -> int:
        """Breaks every SSH connection; how many there were."""
        breakers = list(self.connections.values())
        for breaker in breakers:
            breaker()
        return len(breakers)

    # ---- dpvs

    def director(self) -> Dpvs:
        """The running dpvs. Raises FaultError on a host that has none."""
        if self._dpvs is None:
            raise FaultError(f"{self.hostname} is not a director")
        return self._dpvs.dpvs

    def start_dpvs(self) -> bool:
        """False if it runs already."""
        if self._dpvs is None:
            raise FaultError(f"{self.hostname} is not a director")
        return self._dpvs.start()

    def kill_dpvs(self, number: int) -> None:
        if self._dpvs is not None:
            self._dpvs.kill(number)


def build(topology: Topology, *, wait: float = WAIT) -> dict[str, Machine]:
    """The hosts of a lab on one network, directors with dpvs running; every host knows the others' names."""
    network = Network()
    machines = {spec.name: Machine(spec, network, version=topology.dpvs, wait=wait) for spec in topology.hosts}
    names = "".join(
        f"{address.split('/')[0]}\t{spec.name}\n" for spec in topology.hosts for port in spec.ports for address in port.addresses[:1]
    )
    for machine in machines.values():
        machine.files.write("/etc/hosts", decode(machine.files.read("/etc/hosts")) + names)
    return machines
