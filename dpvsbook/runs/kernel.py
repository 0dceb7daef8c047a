"""The kernel of a run: this interpreter, over IPC sockets in a private folder, with nothing of the operator's own IPython set-up.

It is started as a new process, or (many runs at once) forked from a process that has imported what runbooks need: see worker.py.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, NoReturn

from dpvsbook.errors import DpvsbookError

if TYPE_CHECKING:
    from jupyter_client.manager import AsyncKernelManager

# The longest path that a Unix socket may have, on the strictest system (macOS 104, Linux 108), less what is appended to ours.
_LONGEST = 100 - len("/k-5")
_TAIL = 4000


class KernelError(DpvsbookError):
    """The kernel couldn't be started."""


class Place:
    """A private folder for the kernel's sockets and its last words; removed by `close`."""

    def __init__(self) -> None:
        folder = tempfile.mkdtemp(prefix="dpvsbook-")
        if len(folder) > _LONGEST and os.name == "posix":
            Path(folder).rmdir()
            folder = tempfile.mkdtemp(prefix="dpvsbook-", dir="/tmp")
        self.path = Path(folder)
        self.transport = "ipc" if os.name == "posix" else "tcp"
        self.stderr = self.path / "stderr"

    def last_words(self) -> str:
        """The end of what the kernel wrote to its real standard error: a crash's own message."""
        try:
            return self.stderr.read_bytes()[-_TAIL:].decode(errors="replace").strip()
        except OSError:
            return ""

    def close(self) -> None:
        """Removes the folder."""
        shutil.rmtree(self.path, ignore_errors=True)


def manager(place: Place, seedling: Seedling | None = None) -> AsyncKernelManager:
    """A manager for a kernel of this very interpreter: it needs no installed kernelspec. With a seedling, that becomes the kernel."""
    from jupyter_client.kernelspec import KernelSpec
    from jupyter_client.manager import AsyncKernelManager

    found = AsyncKernelManager(kernel_name="python3", connection_file=str(place.path / "kernel.json"), transport=place.transport)
    if place.transport == "ipc":
        found.ip = str(place.path / "k")
    found._kernel_spec = KernelSpec(
        argv=[sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"],
        display_name="dpvsbook",
        language="python",
    )
    if seedling is not None:
        found.provisioner = _provisioner(seedling)(kernel_id="dpvsbook", kernel_spec=found._kernel_spec, parent=found)
    return found


async def start(found: AsyncKernelManager, place: Place, *, cwd: Path, env: Mapping[str, str]) -> None:
    """Starts the kernel's process; it isn't ready yet."""
    with place.stderr.open("wb") as stderr:
        await found.start_kernel(
            cwd=str(cwd),
            env={**os.environ, **env, "IPYTHONDIR": str(place.path / "ipython"), "PYTHONFAULTHANDLER": "1"},
            extra_arguments=["--HistoryManager.hist_file=:memory:"],
            stderr=stderr,
        )


class Seedling:
    """A child forked early, while this process is small and has no threads, that waits to be told to become a kernel.

    Everything imported before is there already, and paid for once however many kernels there will be.
    """

    def __init__(self, *, keep_out: int = -1) -> None:
        """`keep_out`: a descriptor that is none of its business, closed in the child at once."""
        reader, writer = os.pipe()
        self._writer: int | None = writer
        parent = os.getpid()
        self.pid = os.fork()
        if self.pid == 0:
            os.close(writer)
            if keep_out >= 0:
                os.close(keep_out)
            _grow(reader, parent)
        os.close(reader)
        self.returncode: int | None = None
        self.stdin: IO[bytes] | None = None
        self.stdout: IO[bytes] | None = None
        self.stderr: IO[bytes] | None = None

    def launch(self, argv: list[str], *, env: Mapping[str, str], cwd: str, stderr: str) -> None:
        """Tells it to become the kernel that `argv` (… -m ipykernel_launcher ARGUMENT…) would start."""
        order = json.dumps({"argv": argv[3:], "env": dict(env), "cwd": cwd, "stderr": stderr}).encode()
        if self._writer is None:
            raise KernelError("a kernel that was forked can be started once")
        with os.fdopen(self._writer, "wb") as writer:
            writer.write(order)
        self._writer = None

    def close(self) -> None:
        """Ends a seedling that was never needed; does nothing to a kernel."""
        if self._writer is not None:
            os.close(self._writer)
            self._writer = None
            self.wait()

    def poll(self) -> int | None:
        """Its exit code (as subprocess gives it: negative for a signal), None while it runs."""
        if self.returncode is None:
            with contextlib.suppress(ChildProcessError):
                pid, status = os.waitpid(self.pid, os.WNOHANG)
                if pid:
                    self.returncode = os.waitstatus_to_exitcode(status)
        return self.returncode

    def wait(self) -> int | None:
        """Waits for its end."""
        if self.returncode is None:
            with contextlib.suppress(ChildProcessError):
                self.returncode = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
        return self.returncode

    def send_signal(self, signum: int) -> None:
        """As Popen's."""
        if self.poll() is None:
            os.kill(self.pid, signum)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)


def _grow(reader: int, parent: int) -> NoReturn:
    """In the child: waits for the order, becomes the kernel, and never comes back. It ends when its parent does."""
    import atexit

    code = 1
    try:
        os.setsid()  # Ctrl-C in the terminal is for the run, which passes it on
        with os.fdopen(reader, "rb") as stream:
            text = stream.read()
        if not text:  # the run ended before it needed a kernel
            os._exit(0)
        order = json.loads(text)
        for signum in (signal.SIGINT, signal.SIGTERM, signal.SIGCHLD):
            signal.signal(signum, signal.SIG_DFL if signum != signal.SIGINT else signal.default_int_handler)
        os.environ.clear()
        os.environ.update(order["env"])
        os.chdir(order["cwd"])
        stderr = os.open(order["stderr"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        null = os.open(os.devnull, os.O_RDWR)
        for source, target in ((null, 0), (null, 1), (stderr, 2)):
            os.dup2(source, target)
        os.closerange(3, _open_files())  # the channels of the run and of its neighbours are none of a notebook's business
        import faulthandler

        from ipykernel.kernelapp import IPKernelApp

        faulthandler.enable()
        IPKernelApp.launch_instance(argv=[*order["argv"], f"--IPKernelApp.parent_handle={parent}"])
        code = 0
    except SystemExit as stop:
        code = stop.code if isinstance(stop.code, int) else int(stop.code is not None)
    except BaseException:
        import traceback

        os.write(2, traceback.format_exc().encode())
    finally:
        with contextlib.suppress(BaseException):
            atexit._run_exitfuncs()
        os._exit(code)


def _open_files() -> int:
    """One more than the highest open descriptor worth closing."""
    try:
        return max((int(name) for name in os.listdir("/dev/fd")), default=3) + 1  # noqa: PTH208 - names, not paths
    except OSError:
        return 256


def _provisioner(seedling: Seedling) -> Any:
    from jupyter_client.provisioning.local_provisioner import LocalProvisioner

    class ForkProvisioner(LocalProvisioner):
        """Instead of starting a process, tells the one that is waiting."""

        async def launch_kernel(self, cmd: list[str], **kwargs: Any) -> Any:
            seedling.launch(cmd, env=kwargs["env"], cwd=kwargs["cwd"], stderr=kwargs["stderr"].name)
            self.process = seedling  # type: ignore[assignment]  # it has what LocalProvisioner uses of a Popen
            self.pid = self.pgid = seedling.pid
            self.cwd = kwargs["cwd"]
            return self.connection_info

    return ForkProvisioner
