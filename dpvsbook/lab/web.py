"""HTTP between the hosts of a lab, and the `curl` that asks for it (curl 7.88's options that runbooks use, its messages and exit codes).

A time-out is reported with its full length but waited for only as long as the lab's `patience` (0.05 s unless told otherwise)."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from urllib.parse import SplitResult, urlsplit

from dpvsbook.lab.dpvs import traffic
from dpvsbook.lab.kernel import Ip
from dpvsbook.lab.network import Network, Node, Packet
from dpvsbook.lab.shell.formats import echo_escapes
from dpvsbook.lab.shell.system import Call
from dpvsbook.lab.utilities.options import UsageError, duration, options

NO_NEIGHBOUR = 3.07
"""Seconds after which Linux gives up a connect() when nobody answers for the next hop."""

SHORT = "sSgfiIkL46m:o:w:H:X:A:"
LONG = ("silent", "show-error", "globoff", "fail", "include", "head", "max-time=", "connect-timeout=", "output=", "write-out=",
        "header=", "request=", "user-agent=", "interface=", "ipv4", "ipv6", "insecure", "location", "no-keepalive",
        "version", "noproxy=")  # fmt: skip
FLAGS = {"--silent": "-s", "--show-error": "-S", "--fail": "-f", "--include": "-i", "--head": "-I", "--max-time": "-m", "--output": "-o",
         "--write-out": "-w", "--header": "-H", "--request": "-X", "--user-agent": "-A"}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Reply:
    """`outcome`: served, refused, silent (no answer at all), unreachable (no route, no neighbour), or stalled (connected, then nothing).

    `seconds` is what it took (None: until the client's patience ended)."""

    outcome: str
    body: str = ""
    seconds: float | None = None
    connected: float = 0.0
    local: tuple[str, int] = ("", 0)


def get(network: Network, node: Node, target: Ip, port: int, request: int, *, patience: float, source: Ip | None = None) -> Reply:
    """One request over a connection of its own; `request` is its length in bytes, `patience` how long the client would wait, in seconds."""
    with network.lock:
        route = node.kernel.lookup(target)
        local = node.kernel.is_local(target)
        origin = source or (target if local else node.kernel.source_for(target, route) if route else None)
        if origin is None:
            return Reply("unreachable", seconds=0.0)
        packet = Packet("tcp", origin, node.kernel.next_port(), target, port)
        mine = (str(origin), packet.source_port)
        there = network.send(node, packet)
        family = target.version
        if there.node is None or there.by_dpvs:
            tries = sum(1 for at in (0, 1, 3, 7, 15, 31, 63) if at < patience)
            network.book(there, "silent", lambda _: traffic.silent(family, tries))
            if there.unresolved:
                return Reply("unreachable" if patience > NO_NEIGHBOUR else "silent", seconds=NO_NEIGHBOUR, local=mine)
            stalled = any(passage.decision.synproxy for passage in there.passages)
            return Reply("stalled" if stalled else "silent", local=mine)
        back = network.answer(there)
        if back.node is not node or back.packet != packet.answer:
            network.book(there, "silent", lambda _: traffic.silent(family))
            if back.node is node:
                network.lost.append(f"{target} to {origin}: {node.name}: the answer came from {back.packet.source}, not from {target}")
            return Reply("silent", local=mine)
        took = 0.0006 + 0.0003 * len(there.passages) + packet.source_port % 97 * 4e-6
        if there.packet.port not in there.node.listening:
            network.book(there, "refused", lambda method: traffic.refused(method, family))
            return Reply("refused", seconds=took, local=mine)
        body = f"{there.node.name} saw {there.packet.source}:{there.packet.source_port}\n"
        network.book(there, "served", lambda method: traffic.http(method, family, request, len(headers(body)) + len(body)))
        return Reply("served", body, took, took * 0.4, mine)


def headers(body: str) -> str:
    """What the real servers' HTTP server sends before the body."""
    kind = "Server: dpvsbook-emulated/0.10\r\nContent-Type: text/plain; charset=utf-8\r\n"
    return f"HTTP/1.0 200 OK\r\n{kind}Content-Length: {len(body)}\r\nConnection: close\r\n\r\n"


def curl(network: Network, node: Node, wait: float, call: Call) -> int:
    if "--version" in call.argv or "-V" in call.argv:
        call.out("curl 7.88.1 (dpvsbook lab)\nProtocols: http\n")
        return 0
    try:
        found, urls = options(call, SHORT, LONG)
    except UsageError as error:
        option = re.search(r"'(.*)'", str(error))
        name = option[1] if option else ""
        dashed = name if name.startswith("--") else f"-{name}"
        what = "requires parameter" if "requires" in str(error) else "is unknown"
        call.err(f"curl: option {dashed}: {what}\ncurl: try 'curl --help' or 'curl --manual' for more information\n")
        return 2
    given = {FLAGS.get(flag, flag): value for flag, value in found.items()}
    if not urls:
        call.err("curl: no URL specified!\ncurl: try 'curl --help' or 'curl --manual' for more information\n")
        return 2
    status = 0
    for url in urls:
        status = _Transfer(network, node, wait, call, given).run(url)
    return status


class _Transfer:
    def __init__(self, network: Network, node: Node, wait: float, call: Call, given: dict[str, str]) -> None:
        self._network, self._node, self._wait, self._call, self._given = network, node, wait, call, given

    def run(self, url: str) -> int:
        try:
            split = urlsplit(url if "://" in url else f"http://{url}")
            port = split.port or 80
        except ValueError:
            return self._failed(url, 3, "URL using bad/illegal format or missing URL")
        if split.scheme != "http":
            return self._failed(url, 1, f'Protocol "{split.scheme}" not supported or disabled in libcurl')
        if not split.hostname:
            return self._failed(url, 3, "URL using bad/illegal format or missing URL")
        target = _resolve(self._call, split.hostname)
        if target is None:
            return self._failed(url, 6, f"Could not resolve host: {split.hostname}")
        limit = duration(self._given.get("-m", "0"), 2) or None
        to_connect = min(duration(self._given.get("--connect-timeout", "0"), 2) or 134.0, limit or 134.0)
        source = ipaddress.ip_address(self._given["--interface"]) if re.match(r"[\d.]+$|.*:", self._given.get("--interface", "")) else None
        reply = get(self._network, self._node, target, port, self._request_length(split), patience=to_connect, source=source)
        if reply.outcome == "served":
            return self._served(url, target, port, reply)
        if reply.outcome == "refused" or (reply.outcome == "unreachable" and reply.seconds is not None):
            seconds = reply.seconds or 0.0
            self._pause(seconds)
            message = f"Failed to connect to {split.hostname} port {port} after {round(seconds * 1000)} ms: Couldn't connect to server"
            return self._failed(url, 7, message, seconds, reply)
        seconds = (limit or 300.0) if reply.outcome == "stalled" else to_connect
        self._pause(seconds)
        late = round(seconds * 1000)
        if reply.outcome == "stalled":
            return self._failed(url, 28, f"Operation timed out after {late} milliseconds with 0 bytes received", seconds, reply)
        return self._failed(url, 28, f"Connection timed out after {late} milliseconds", seconds, reply)

    def _pause(self, seconds: float) -> None:
        self._call.process.sleep(min(seconds, self._wait))

    def _request_length(self, split: SplitResult) -> int:
        path = (split.path or "/") + (f"?{split.query}" if split.query else "")
        method = self._given.get("-X", "HEAD" if "-I" in self._given else "GET")
        extra = len(self._given["-H"]) + 2 if "-H" in self._given else 0
        agent = self._given.get("-A", "curl/7.88.1")
        return len(f"{method} {path} HTTP/1.1\r\nHost: {split.netloc}\r\nUser-Agent: {agent}\r\nAccept: */*\r\n\r\n") + extra

    def _served(self, url: str, target: Ip, port: int, reply: Reply) -> int:
        body = "" if "-I" in self._given else reply.body
        shown = headers(reply.body) + body if "-i" in self._given or "-I" in self._given else body
        status = 0
        if "-o" in self._given:
            call = self._call
            try:
                call.system.files.open_write(self._given["-o"], call.cwd, uid=call.uid).write(shown)
            except OSError:
                status = 23
                self._complain(23, "Failure writing output to destination")
        else:
            self._call.out(shown)
        self._written_out(
            url,
            status,
            "",
            reply,
            {"http_code": "200", "remote_ip": str(target), "remote_port": str(port), "size_download": str(len(body))},
        )
        return status

    def _failed(self, url: str, status: int, message: str, seconds: float = 0.0, reply: Reply | None = None) -> int:
        self._complain(status, message)
        self._written_out(url, status, message, Reply("failed", seconds=seconds, local=("", 0) if reply is None else reply.local), {})
        return status

    def _complain(self, status: int, message: str) -> None:
        if "-s" not in self._given or "-S" in self._given:
            self._call.err(f"curl: ({status}) {message}\n")

    def _written_out(self, url: str, status: int, message: str, reply: Reply, more: dict[str, str]) -> None:
        if "-w" not in self._given:
            return
        values = {
            "http_code": "000",
            "response_code": "000",
            "remote_ip": "",
            "remote_port": "0",
            "local_ip": reply.local[0] if more else "",
            "local_port": str(reply.local[1] if more else 0),
            "size_download": "0",
            "time_namelookup": "0.000020",
            "time_connect": f"{reply.connected:.6f}",
            "time_appconnect": "0.000000",
            "time_pretransfer": f"{reply.connected:.6f}",
            "time_starttransfer": f"{(reply.seconds or 0.0) * 0.95 if more else 0.0:.6f}",
            "time_total": f"{reply.seconds or 0.0:.6f}",
            "time_redirect": "0.000000",
            "num_connects": str(int(bool(more))),
            "exitcode": str(status),
            "errormsg": message,
            "url": url,
            "url_effective": url if "/" in url.split("://")[-1] else f"{url}/",
            "http_version": "1.0" if more else "0",
            "method": self._given.get("-X", "GET"),
            **more,
        }
        values["response_code"] = values["http_code"]

        def one(match: re.Match[str]) -> str:
            if match[1] not in values:
                self._call.err(f"curl: unknown --write-out variable: '{match[1]}'\n")
            return values.get(match[1], "")

        self._call.out(echo_escapes(re.sub(r"%\{(\w+)\}", one, self._given["-w"]).replace("%%", "%"))[0])


def _resolve(call: Call, name: str) -> Ip | None:
    """An address, or a name from /etc/hosts."""
    try:
        return ipaddress.ip_address(name)
    except ValueError:
        pass
    for line in call.system.files.read("/etc/hosts").decode().splitlines():
        address, *names = line.partition("#")[0].split() or [""]
        if name in names:
            return ipaddress.ip_address(address)
    return None
