"""The other side of many.py, as a process: `python -m dpvsbook.runs.worker nursery|one FD`.

one      reads a job from the channel, runs it, sends its events and its result as JSON lines
nursery  imports everything a run needs, then forks a worker for every job that comes with a channel of its own
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import json
import os
import signal
import socket
import sys
import threading
from collections.abc import Mapping
from typing import Any, NoReturn

from dpvsbook.runs.control import Control
from dpvsbook.runs.kernel import Seedling
from dpvsbook.runs.many import Job, decode_job, encode_run

# What a run and its kernel import sooner or later. One that is missing here costs time, no more.
PRELOAD = (
    "dpvsbook.book",
    "dpvsbook.steps",
    "dpvsbook.plots",
    "dpvsbook.params",
    "dpvsbook.report",
    "dpvsbook.runs.client",
    "ipykernel.kernelapp",
    "ipykernel.ipkernel",
    "ipykernel.zmqshell",
    "IPython.core.interactiveshell",
    "jupyter_client.asynchronous",
    "jupyter_client.provisioning.local_provisioner",
    "jinja2",
    "pandas",
    "paramiko",
    "plotly.graph_objects",
    "plotly.io",
)


def work(job: Job, channel: socket.socket, *, fork: bool) -> None:
    """Runs a job. A line on the channel asks it to stop; so does the channel's end, since then nobody is left who wants the result."""
    seedling = Seedling(keep_out=channel.fileno()) if fork else None  # before this process has threads
    control, lock = Control(), threading.Lock()

    def send(message: Mapping[str, Any]) -> None:
        with lock, contextlib.suppress(OSError):
            channel.sendall(json.dumps(message, ensure_ascii=False).encode() + b"\n")

    def listen() -> None:
        with contextlib.suppress(OSError), channel.makefile("rb") as lines:
            for line in lines:
                control.interrupt(json.loads(line)["interrupt"])
        control.interrupt("the program that started this run is gone")

    threading.Thread(target=listen, name="dpvsbook-channel", daemon=True).start()
    send({"result": encode_run(job.run(lambda event: send({"event": event}), control, seedling))})
    if seedling is not None:
        seedling.close()


def one(channel: socket.socket) -> None:
    """Reads one job and runs it."""
    data = b""
    while not data.endswith(b"\n"):
        piece = channel.recv(65536)
        if not piece:
            return
        data += piece
    work(decode_job(data), channel, fork=False)


def nursery(orders: socket.socket) -> None:
    """Forks a worker for every order, until the orders' channel is closed."""
    from dpvsbook.runs.engine import load

    load()
    for name in PRELOAD:
        with contextlib.suppress(Exception):  # the run that needs it says what is wrong with it
            importlib.import_module(name)
    gc.collect()
    gc.freeze()  # or the first collection in every child would copy all of it
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # the children are reaped by themselves
    while True:
        length, descriptors, _, _ = socket.recv_fds(orders, 4, 1)
        if not length:
            return
        left, data = int.from_bytes(length, "big"), b""
        while left > len(data):  # no further: the next order's descriptor would be lost
            piece = orders.recv(left - len(data))
            if not piece:
                return
            data += piece
        with socket.socket(fileno=descriptors[0]) as channel:
            if os.fork() == 0:
                orders.close()
                _child(data, channel)


def _child(order: bytes, channel: socket.socket) -> NoReturn:
    code = 1
    try:
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        os.setsid()
        work(decode_job(order), channel, fork=True)
        code = 0
    except BaseException:
        import traceback

        traceback.print_exc()
    finally:
        os._exit(code)


def main(role: str, descriptor: str) -> None:
    """The process's entry."""
    with _windows() if descriptor == "-" else socket.socket(fileno=int(descriptor)) as channel:
        (nursery if role == "nursery" else one)(channel)


def _windows() -> socket.socket:
    shared: socket.socket = socket.fromshare(sys.stdin.buffer.read())  # type: ignore[attr-defined,unused-ignore]
    return shared


if __name__ == "__main__":
    main(*sys.argv[1:])
