"""A host that is not next door: a relay on loopback that delivers everything so many seconds later, each way."""

from __future__ import annotations

import contextlib
import queue
import re
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path


def _pump(source: socket.socket, sink: socket.socket, seconds: float) -> None:
    late: queue.SimpleQueue[tuple[float, bytes]] = queue.SimpleQueue()

    def deliver() -> None:
        with contextlib.suppress(OSError):
            while True:
                due, data = late.get()
                time.sleep(max(0.0, due - time.monotonic()))
                if not data:
                    sink.shutdown(socket.SHUT_WR)
                    return
                sink.sendall(data)

    threading.Thread(target=deliver, daemon=True).start()
    with contextlib.suppress(OSError):
        while data := source.recv(1 << 16):
            late.put((time.monotonic() + seconds, data))
    late.put((time.monotonic() + seconds, b""))


@contextlib.contextmanager
def away(ssh_config: Path, folder: Path, seconds: float) -> Iterator[Path]:
    """An ssh_config by which lb1 is `seconds` away, each way. The connection's own handshake isn't delayed, what it carries is."""
    text = ssh_config.read_text()
    port = int(re.findall(r"(?ms)^Host lb1\b.*?^\s*Port (\d+)", text)[0])
    known = Path(re.findall(r"(?m)^\s*UserKnownHostsFile \"?([^\"\n]+)", text)[0])
    relay = socket.create_server(("127.0.0.1", 0))
    own = relay.getsockname()[1]

    def serve() -> None:
        with contextlib.suppress(OSError):
            while True:
                near, _ = relay.accept()
                far = socket.create_connection(("127.0.0.1", port))
                for a, b in ((near, far), (far, near)):
                    a.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                    threading.Thread(target=_pump, args=(a, b, seconds), daemon=True).start()

    threading.Thread(target=serve, daemon=True).start()
    pinned = folder / "known_hosts"
    pinned.write_text(known.read_text().replace(f":{port} ", f":{own} "))
    config = folder / "ssh_config"
    config.write_text(text.replace(f"Port {port}\n", f"Port {own}\n").replace(str(known), str(pinned)))
    try:
        yield config
    finally:
        relay.close()
