# ruff: noqa: PTH101, PTH103, PTH110, PTH116, PTH120, PTH123, S606
"""The lab's one process outside the hosts: it makes each host's namespaces, keeps them, and lets SSH in.

A script of its own, standard library only (no pathlib: it would be the largest import). It forks itself into the background, and talks to
its caller in lines of JSON:

    python -I -S keeper.py SPEC.json

    keeper -> caller   {"keeper": 4709, "hosts": {"lb1": {"pid": 4711, "port": 40123}, ...}}   every host has its namespaces; no link yet
    caller -> keeper   go                                                                   the links are there
    keeper -> caller   {"started": ["lb1", ...], "failed": {"rs1": "what its setup script said"}}

SPEC: {"work": folder, "hosts": [{"name", "mark", "ssh": bool, "covers": [folder], "files": {path: [mode, text]},
"mounts": [[type, path, options]], "binds": [[source, path]], "sysctls": {key: value}, "setup": text for sh,
"services": [{"name", "argv", "env", "log"}]}]}

Each host is a process 1 of this file in PID, network, mount, UTS and IPC namespaces of its own; all die with the keeper (PR_SET_PDEATHSIG),
so that one kill cleans up. SSH is let in without a link that could leak: the keeper listens on 127.0.0.1 out here, and for each connection
forks, enters the host's namespaces and becomes `sshd -i`.
"""

from __future__ import annotations

import ctypes
import json
import os
import select
import signal
import socket
import sys
from typing import Any, NoReturn

Spec = dict[str, Any]

CLONE_NEWNS, CLONE_NEWUTS, CLONE_NEWIPC, CLONE_NEWPID, CLONE_NEWNET = 0x00020000, 0x04000000, 0x08000000, 0x20000000, 0x40000000
MS_REC, MS_PRIVATE, MS_BIND = 0x4000, 0x40000, 0x1000
PR_SET_PDEATHSIG, PR_SET_NAME, PR_SET_CHILD_SUBREAPER = 1, 15, 36
# mnt comes last: it hides the files of the rest
NAMESPACES = (("ipc", CLONE_NEWIPC), ("uts", CLONE_NEWUTS), ("net", CLONE_NEWNET), ("pid", CLONE_NEWPID), ("mnt", CLONE_NEWNS))
NOTES = "/run/lab"  # inside a host: NAME.pid of a service, and NAME.exit with its exit code after its end
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
SSHD = "/usr/sbin/sshd"

libc = ctypes.CDLL(None, use_errno=True)


def checked(result: int, what: str) -> None:
    """A libc call's -1 as an OSError that says what was tried."""
    if result == -1:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")


def mount(source: str, target: str, kind: str = "", flags: int = 0, options: str = "") -> None:
    """mount(2)."""
    checked(
        libc.mount(source.encode(), target.encode(), kind.encode() or None, ctypes.c_ulong(flags), options.encode() or None),
        f"mount {kind or source} on {target}",
    )


def write(path: str, text: str, mode: int = 0o644) -> None:
    """A whole file, its folders made on the way."""
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode), "w", encoding="utf-8") as file:
        file.write(text)
        os.fchmod(file.fileno(), mode)


def put(path: str, value: str) -> None:
    """A value for a file of /proc or /sys."""
    with open(path, "w", encoding="utf-8") as file:
        file.write(value)


def wait_for_go(channel: socket.socket) -> None:
    """Until the keeper says that the links are there; the end of the channel is the end of the lab."""
    if channel.recv(16) != b"go":
        os._exit(0)


def private_tree(host: Spec, work: str) -> None:
    """The host's own file system: its /proc, /sys and /run, and a layer over each folder of `covers`, through which what is below shows."""
    mount("none", "/", flags=MS_REC | MS_PRIVATE)
    mount("proc", "/proc", "proc")
    mount("sysfs", "/sys", "sysfs")
    mount("tmpfs", work, "tmpfs", options="mode=755")
    os.chdir(work)  # relative from here on: a layer over /tmp may hide the way to it
    files = {path: (int(mode, 8), text) for path, (mode, text) in host["files"].items()}
    for number, folder in enumerate(host["covers"]):
        upper, inner = f"{number}/upper", f"{number}/work"
        os.makedirs(upper)
        os.makedirs(inner)
        status = os.stat(folder)
        os.chmod(upper, status.st_mode & 0o7777)
        os.chown(upper, status.st_uid, status.st_gid)
        mount("overlay", folder, "overlay", options=f"lowerdir={folder},upperdir={upper},workdir={inner}")
    mount("tmpfs", "/run", "tmpfs", options="mode=755")
    for kind, path, options in host["mounts"]:
        os.makedirs(path, exist_ok=True)
        mount(kind, path, kind, options=options)
    for source, path in host["binds"]:
        os.makedirs(path, exist_ok=True)
        mount(source, path, flags=MS_BIND | MS_REC)
    for path, (mode, text) in files.items():
        write(path, text, mode)
    for folder, mode in (("/run/lock", 0o1777), ("/run/sshd", 0o755), (NOTES, 0o755)):
        os.makedirs(folder, exist_ok=True)
        os.chmod(folder, mode)


def start(service: Spec) -> int:
    """Start a service in a session of its own, its output to its log, and note its pid."""
    pid = os.fork()
    if pid == 0:
        os.setsid()
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGCHLD):
            signal.signal(number, signal.SIG_DFL)
        log = os.open(service["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        os.dup2(os.open("/dev/null", os.O_RDONLY), 0)
        os.dup2(log, 1)
        os.dup2(log, 2)
        try:
            os.execve(service["argv"][0], service["argv"], service["env"])
        except OSError as error:
            os.write(2, f"{service['argv'][0]}: {error.strerror}\n".encode())
        os._exit(127)
    write(f"{NOTES}/{service['name']}.pid", f"{pid}\n")
    return pid


def host_init(host: Spec, work: str, channel: socket.socket) -> NoReturn:
    """Process 1 of a host: make its namespaces, wait for the links, run its setup, start its services, and then bury the dead for ever."""
    libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    libc.prctl(PR_SET_NAME, b"lab-" + host["name"].encode()[:11], 0, 0, 0)
    null = os.open("/dev/null", os.O_RDWR)
    for number in (0, 1):  # the caller's pipes are not ours to keep
        os.dup2(null, number)
    try:
        checked(libc.unshare(CLONE_NEWNET | CLONE_NEWNS | CLONE_NEWUTS | CLONE_NEWIPC), "unshare")
        socket.sethostname(host["name"])
        private_tree(host, work)
        put("/sys/class/net/lo/ifalias", host["mark"])  # before the namespace gets a name: it is known as the lab's from then on
        for key, value in host["sysctls"].items():
            if os.path.exists(path := f"/proc/sys/{key}"):  # a kernel without IPv6 has no such key
                put(path, value)
        os.chdir("/")
        channel.send(b"ready")
        wait_for_go(channel)
        reader, writer = os.pipe()
        script = os.fork()
        if script == 0:
            os.dup2(writer, 1)
            os.dup2(writer, 2)
            os.execve("/bin/sh", ["sh", "-euc", host["setup"]], {"PATH": PATH, "LC_ALL": "C"})
        os.close(writer)
        with open(reader, encoding="utf-8", errors="replace") as said:
            text = said.read()
        _, status = os.waitpid(script, 0)
        if status:
            raise OSError(0, f"setup ended with {os.waitstatus_to_exitcode(status)}: {text.strip()}")
        running = {start(service): service["name"] for service in host["services"]}
        channel.send(b"started")
    except Exception as error:
        channel.send(f"failed {error}".encode())
        os._exit(1)
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGCHLD})
    while True:
        try:
            pid, status = os.wait()
        except ChildProcessError:
            signal.sigwait({signal.SIGCHLD})  # an orphan that it adopted has ended
            continue
        if name := running.pop(pid, None):
            write(f"{NOTES}/{name}.exit", f"{os.waitstatus_to_exitcode(status)}\n")


class Host:
    """A host as the keeper holds it: its process 1, the channel to it, its namespaces, its listening socket."""

    def __init__(self, spec: Spec, work: str, own_pid_ns: int) -> None:
        self.name: str = spec["name"]
        self.channel, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        checked(libc.unshare(CLONE_NEWPID), "unshare of the PID namespace (root is needed)")
        self.pid = os.fork()
        if self.pid == 0:
            self.channel.close()
            host_init(spec, work, theirs)
        checked(libc.setns(own_pid_ns, CLONE_NEWPID), "setns back")
        theirs.close()
        self.namespaces: list[tuple[int, int]] = []
        self.listener: socket.socket | None = None
        if spec["ssh"]:
            self.listener = socket.create_server(("127.0.0.1", 0), backlog=128)

    @property
    def port(self) -> int | None:
        return self.listener.getsockname()[1] if self.listener else None

    def ask(self) -> str:
        """The next message of the host's process 1; its end is an answer too."""
        return self.channel.recv(65536).decode() or "failed it ended before it was ready"

    def hold(self) -> None:
        """Keep its namespaces open, to enter them for each SSH connection."""
        self.namespaces = [(os.open(f"/proc/{self.pid}/ns/{name}", os.O_RDONLY | os.O_CLOEXEC), flag) for name, flag in NAMESPACES]

    def let_in(self) -> None:
        """One connection: a process that enters the namespaces, and becomes sshd there."""
        if self.listener is None:
            return
        connection, _ = self.listener.accept()
        if os.fork() == 0:
            try:
                for fd, flag in self.namespaces:
                    checked(libc.setns(fd, flag), "setns")
                if os.fork() == 0:
                    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGCHLD):
                        signal.signal(number, signal.SIG_DFL)
                    os.setsid()
                    os.chdir("/")
                    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                    os.dup2(connection.fileno(), 0)
                    os.dup2(connection.fileno(), 1)
                    os.dup2(os.open("/dev/null", os.O_RDWR), 2)
                    os.execve(SSHD, [SSHD, "-i", "-f", "/etc/ssh/sshd_config"], {"PATH": PATH})
            finally:
                os._exit(0)
        connection.close()


def bury() -> list[int]:
    """The children that have ended."""
    gone: list[int] = []
    while True:
        try:
            pid, _ = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return gone
        if pid == 0:
            return gone
        gone.append(pid)


def say(message: Spec) -> None:
    """One line to the caller."""
    os.write(1, json.dumps(message).encode() + b"\n")


def end(hosts: list[Host]) -> NoReturn:
    """Kill every host (process 1 takes its namespace's processes with it), and wait for them."""
    for host in hosts:
        os.kill(host.pid, signal.SIGKILL)
    left = {host.pid for host in hosts}
    while left:
        try:
            left.discard(os.wait()[0])
        except ChildProcessError:
            break
    os._exit(0)


def main() -> NoReturn:
    """Make the hosts, tell the caller, start them on its `go`, and serve SSH until SIGTERM."""
    with open(sys.argv[1], encoding="utf-8") as file:
        spec = json.load(file)
    if os.fork():
        os._exit(0)  # the caller may end before the lab does: nobody would bury its child
    libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    libc.prctl(PR_SET_NAME, b"labkeeper", 0, 0, 0)
    own = os.open("/proc/self/ns/pid", os.O_RDONLY | os.O_CLOEXEC)
    try:
        hosts = [Host(host, spec["work"], own) for host in spec["hosts"]]
    except OSError as error:
        say({"failed": {"": str(error)}})
        os._exit(1)
    wake, woken = os.pipe()
    os.set_blocking(woken, False)
    signal.set_wakeup_fd(woken, warn_on_full_buffer=False)
    ending = [False]
    signal.signal(signal.SIGTERM, lambda *_: ending.__setitem__(0, True))
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    answers = {host.name: host.ask() for host in hosts}
    if bad := {name: answer.removeprefix("failed ") for name, answer in answers.items() if answer != "ready"}:
        say({"failed": bad})
        end(hosts)
    for host in hosts:
        host.hold()
    say({"keeper": os.getpid(), "hosts": {host.name: {"pid": host.pid, "port": host.port} for host in hosts}})
    if os.read(0, 16).strip() != b"go":
        end(hosts)
    for host in hosts:
        host.channel.send(b"go")
    answers = {host.name: host.ask() for host in hosts}
    say(
        {
            "started": [name for name, answer in answers.items() if answer == "started"],
            "failed": {name: answer.removeprefix("failed ") for name, answer in answers.items() if answer != "started"},
        }
    )
    null = os.open("/dev/null", os.O_RDWR)  # the caller goes its way: nothing here may hold its pipes
    for number in (0, 1):
        os.dup2(null, number)
    listeners = {host.listener.fileno(): host for host in hosts if host.listener}
    while not ending[0]:
        ready, _, _ = select.select([wake, *listeners], [], [])
        if wake in ready:
            os.read(wake, 512)
            bury()
        for fd in ready:
            if fd != wake:
                listeners[fd].let_in()
    end(hosts)


if __name__ == "__main__":
    main()
