"""`ip` (address, route, link, neigh: show, add, replace, del; -4 -6 -j) and `sysctl`, on the model of a host's kernel."""

from __future__ import annotations

import ipaddress
import json
import re
from collections.abc import Callable
from typing import Any

from dpvsbook.lab.kernel import Interface, InterfaceAddress, Ip, Kernel, Prefix, Route
from dpvsbook.lab.network import Network, Node
from dpvsbook.lab.shell.system import Call

OBJECTS = ("address", "route", "link", "neighbour")


class _RefusedError(Exception):
    """ip's complaint, whole line, and its exit code (1: usage, 2: the kernel said no)."""

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.status = status


def ip(network: Network, node: Node, call: Call) -> int:
    words, family, as_json = list(call.argv[1:]), 0, False
    while words and words[0].startswith("-"):
        flag = words.pop(0)
        if flag in ("-4", "-6"):
            family = int(flag[1])
        elif flag in ("-j", "-json"):
            as_json = True
        elif flag in ("-V", "-Version"):
            call.out("ip utility, iproute2-6.1.0\n")
            return 0
        else:
            call.err(f'Option "{flag}" is unknown, try "ip -help".\n')
            return 255
    given = words.pop(0) if words else ""
    kind = next((name for name in OBJECTS if given and (name.startswith(given) or (name == "neighbour" and given == "neighbor"))), "")
    if not kind:
        call.err(f'Object "{given}" is unknown, try "ip help".\n')
        return 1
    verb = words.pop(0) if words else "show"
    verb = {"list": "show", "ls": "show", "lst": "show", "a": "add", "delete": "del", "d": "del", "sh": "show", "s": "show"}.get(verb, verb)
    if verb not in ("show", "get") and call.uid:
        call.err("RTNETLINK answers: Operation not permitted\n")
        return 2
    tool = _Ip(node.kernel, family, as_json, call)
    try:
        with network.lock:
            action: Callable[[list[str]], None] | None = getattr(tool, f"{kind}_{verb}", None)
            if action is None:
                raise _RefusedError(f'Command "{verb}" is unknown, try "ip {kind} help".', 255)
            action(words)
    except _RefusedError as refused:
        call.err(f"{refused}\n")
        return refused.status
    return 0


def _options(words: list[str], *known: str) -> dict[str, str]:
    found, at = {}, 0
    while at < len(words):
        name = words[at]
        if name not in known:
            raise _RefusedError(f'Error: either "local" is duplicate, or "{name}" is a garbage.', 255)
        if at + 1 >= len(words):
            raise _RefusedError('Command line is not complete. Try option "help"', 255)
        found[name] = words[at + 1]
        at += 2
    return found


class _Ip:
    def __init__(self, kernel: Kernel, family: int, as_json: bool, call: Call) -> None:
        self._kernel, self._family, self._json, self._call = kernel, family, as_json, call

    def _out(self, rows: list[dict[str, Any]], text: str) -> None:
        self._call.out(json.dumps(rows) + "\n" if self._json else text)

    def _interface(self, name: str) -> Interface:
        if name not in self._kernel.interfaces:
            raise _RefusedError(f'Cannot find device "{name}"' if name else 'Not enough information: "dev" argument is required.', 1)
        return self._kernel.interfaces[name]

    # ---- addresses

    def address_show(self, words: list[str]) -> None:
        words = words[1:] if words[:1] == ["dev"] else words
        chosen = [self._named(words[0])] if words else list(self._kernel.interfaces.values())
        rows: list[dict[str, Any]] = []
        text = []
        for interface in chosen:
            addresses = [address for address in interface.addresses if self._family in (0, address.version)]
            if self._family and not addresses and not words:
                continue
            rows.append({**_link_row(interface), "addr_info": [_address_row(interface, address) for address in addresses]})
            text.append(_link_text(interface, short=bool(self._family)))
            text += [_address_text(interface, address) for address in addresses]
        self._out(rows, "".join(text))

    def _named(self, name: str) -> Interface:
        if name not in self._kernel.interfaces:
            raise _RefusedError(f'Device "{name}" does not exist.', 1)
        return self._kernel.interfaces[name]

    def _address(self, words: list[str]) -> tuple[Interface, InterfaceAddress]:
        words = [word for word in words if word != "local"]
        if not words:
            raise _RefusedError('Command line is not complete. Try option "help"', 255)
        given = _options(words[1:], "dev", "scope", "brd", "broadcast", "label")
        try:
            address = ipaddress.ip_interface(words[0])
        except ValueError:
            raise _RefusedError(f'Error: any valid prefix is expected rather than "{words[0]}".', 1) from None
        return self._interface(given.get("dev", "")), address

    def address_add(self, words: list[str]) -> None:
        interface, address = self._address(words)
        if not self._kernel.add_address(interface.name, address):
            raise _RefusedError("RTNETLINK answers: File exists", 2)

    def address_replace(self, words: list[str]) -> None:
        interface, address = self._address(words)
        self._kernel.add_address(interface.name, address)

    def address_del(self, words: list[str]) -> None:
        interface, address = self._address(words)
        if not self._kernel.remove_address(interface.name, address):
            raise _RefusedError("RTNETLINK answers: Cannot assign requested address", 2)

    # ---- routes

    def route_show(self, words: list[str]) -> None:
        given = _options(words, "dev", "via") if words[:1] in (["dev"], ["via"]) else {}
        exact = _prefix(words[0], self._family) if words and not given else None
        version = self._family or (exact.version if exact else 4)
        rows, text = [], []
        for route in sorted(
            self._kernel.routes, key=lambda route: (route.prefix.prefixlen > 0, int(route.prefix.network_address), route.metric)
        ):
            if (
                route.prefix.version != version
                or (exact is not None and route.prefix != exact)
                or given.get("dev", route.device) != route.device
            ):
                continue
            row, line = _route_shown(route)
            rows.append(row)
            text.append(line + "\n")
        self._out(rows, "".join(text))

    def route_get(self, words: list[str]) -> None:
        try:
            target = ipaddress.ip_address(words[0])
        except (IndexError, ValueError):
            raise _RefusedError('Error: any valid prefix is expected rather than "' + (words[0] if words else "") + '".', 1) from None
        holder = self._kernel.holder(target)
        if holder is not None:
            self._out(
                [{"type": "local", "dst": str(target), "dev": "lo"}],
                f"local {target} dev lo src {target} uid {self._call.uid} \n    cache <local> \n",
            )
            return
        route = self._kernel.lookup(target)
        if route is None:
            raise _RefusedError("RTNETLINK answers: Network is unreachable", 2)
        source = self._kernel.source_for(target, route)
        via = f" via {route.via}" if route.via else ""
        row = {"dst": str(target), "dev": route.device, "prefsrc": str(source), **({"gateway": str(route.via)} if route.via else {})}
        self._out([row], f"{target}{via} dev {route.device} src {source} uid {self._call.uid} \n    cache \n")

    def _route(self, words: list[str]) -> Route:
        if not words:
            raise _RefusedError('Command line is not complete. Try option "help"', 255)
        given = _options(words[1:], "via", "dev", "src", "metric", "scope", "proto")
        via = _ip(given["via"]) if "via" in given else None
        version = self._family or (via.version if via else 0)
        prefix = _prefix(words[0], version)
        device = given.get("dev")
        if device is None and via is not None:
            way = self._kernel.lookup(via)
            if way is None or way.via is not None:
                raise _RefusedError("Error: Nexthop has invalid gateway.", 2)
            device = way.device
        if device is None:
            raise _RefusedError("RTNETLINK answers: No such device", 2)
        self._interface(device)
        source = _ip(given["src"]) if "src" in given else None
        return Route(prefix, device, via, source, _metric(given.get("metric", "0")), given.get("proto", "boot"))

    def route_add(self, words: list[str]) -> None:
        route = self._route(words)
        if any((other.prefix, other.metric) == (route.prefix, route.metric) for other in self._kernel.routes):
            raise _RefusedError("RTNETLINK answers: File exists", 2)
        self._kernel.routes.append(route)

    def route_replace(self, words: list[str]) -> None:
        route = self._route(words)
        same = [other for other in self._kernel.routes if (other.prefix, other.metric) == (route.prefix, route.metric)]
        self._kernel.routes = [other for other in self._kernel.routes if other not in same[:1]] + [route]

    def route_del(self, words: list[str]) -> None:
        given = _options(words[1:], "via", "dev", "src", "metric", "proto", "scope")
        prefix = _prefix(words[0], self._family) if words else None
        for route in self._kernel.routes:
            if (
                route.prefix == prefix
                and given.get("dev", route.device) == route.device
                and given.get("via", str(route.via)) == str(route.via)
            ):
                self._kernel.routes.remove(route)
                return
        raise _RefusedError("RTNETLINK answers: No such process", 2)

    # ---- links and neighbours

    def link_show(self, words: list[str]) -> None:
        words = words[1:] if words[:1] == ["dev"] else words
        chosen = [self._named(words[0])] if words else list(self._kernel.interfaces.values())
        self._out([_link_row(interface) for interface in chosen], "".join(_link_text(interface) for interface in chosen))

    def link_set(self, words: list[str]) -> None:
        words = words[1:] if words[:1] == ["dev"] else words
        interface = self._interface(words[0] if words else "")
        for at, word in enumerate(words[1:], 1):
            if word in ("up", "down"):
                interface.up = word == "up"
            elif word == "mtu" and words[at + 1 : at + 2] and words[at + 1].isdigit():
                interface.mtu = int(words[at + 1])
            elif words[at - 1] != "mtu":
                raise _RefusedError(f'Error: either "dev" is duplicate, or "{word}" is a garbage.', 255)

    def link_add(self, words: list[str]) -> None:
        words = [word for word in words if word not in ("dev", "name")]
        kind = words[words.index("type") + 1] if "type" in words[:-1] else ""
        if kind not in ("dummy", "ipip"):
            raise _RefusedError("Error: Unknown device type.", 2)
        if words[0] in self._kernel.interfaces:
            raise _RefusedError("RTNETLINK answers: File exists", 2)
        self._kernel.plug(words[0], kind=kind, mtu=1480 if kind == "ipip" else 1500).up = False

    def link_del(self, words: list[str]) -> None:
        words = words[1:] if words[:1] == ["dev"] else words
        interface = self._interface(words[0] if words else "")
        if interface.kind not in ("dummy", "ipip"):
            raise _RefusedError("RTNETLINK answers: Operation not supported", 2)
        self._kernel.unplug(interface.name)

    def neighbour_show(self, words: list[str]) -> None:
        given = _options(words, "dev")
        rows, text = [], []
        for (device, address), mac in self._kernel.neighbours.items():
            if self._family in (0, address.version) and given.get("dev", device) == device:
                rows.append({"dst": str(address), "dev": device, "lladdr": mac, "state": ["REACHABLE"]})
                text.append(f"{address} dev {device} lladdr {mac} REACHABLE \n")
        self._out(rows, "".join(text))

    def neighbour_flush(self, words: list[str]) -> None:
        device = words[words.index("dev") + 1] if "dev" in words[:-1] else ""
        if not device and words[:1] != ["all"]:
            raise _RefusedError("Flush requires arguments.", 1)
        self._kernel.neighbours = {key: mac for key, mac in self._kernel.neighbours.items() if device and key[0] != device}


def _metric(text: str) -> int:
    if not text.isdigit():
        raise _RefusedError(f'Error: argument "{text}" is wrong: "metric" value is invalid', 255)
    return int(text)


def _ip(text: str) -> Ip:
    try:
        return ipaddress.ip_address(text)
    except ValueError:
        raise _RefusedError(f'Error: any valid address is expected rather than "{text}".', 1) from None


def _prefix(text: str, version: int) -> Prefix:
    if text in ("default", "all"):
        return ipaddress.ip_network("::/0" if version == 6 else "0.0.0.0/0")
    try:
        return ipaddress.ip_network(text)
    except ValueError as error:
        if "host bits" in str(error):
            raise _RefusedError("RTNETLINK answers: Invalid argument", 2) from None
        raise _RefusedError(f'Error: any valid prefix is expected rather than "{text}".', 1) from None


def _flags(interface: Interface) -> list[str]:
    first = {"loopback": ["LOOPBACK"], "ipip": ["NOARP"], "dummy": ["BROADCAST", "NOARP"]}.get(interface.kind, ["BROADCAST", "MULTICAST"])
    return [*first, *(["UP", "LOWER_UP"] if interface.up else [])]


def _state(interface: Interface) -> str:
    return ("UNKNOWN" if interface.kind != "ether" else "UP") if interface.up else "DOWN"


def _link_row(interface: Interface) -> dict[str, Any]:
    return {
        "ifindex": interface.index,
        "ifname": interface.name,
        "flags": _flags(interface),
        "mtu": interface.mtu,
        "operstate": _state(interface),
        "link_type": interface.kind,
        "address": interface.mac,
    }


def _link_text(interface: Interface, *, short: bool = False) -> str:
    discipline = "noqueue" if interface.up else "noop"
    suffix = "@NONE" if interface.kind == "ipip" else ""
    first = f"{interface.index}: {interface.name}{suffix}: <{','.join(_flags(interface))}> mtu {interface.mtu} "
    first += f"qdisc {discipline} state {_state(interface)} "
    broadcast = "00:00:00:00:00:00" if interface.kind == "loopback" else "ff:ff:ff:ff:ff:ff"
    second = f"    link/{interface.kind} {interface.mac} brd {broadcast}\n"
    return first + "group default qlen 1000\n" + ("" if short else second)


def _scope(address: InterfaceAddress) -> str:
    return "host" if address.ip.is_loopback else "link" if address.ip.is_link_local else "global"


def _address_row(interface: Interface, address: InterfaceAddress) -> dict[str, Any]:
    family = "inet" if address.version == 4 else "inet6"
    return {
        "family": family,
        "local": str(address.ip),
        "prefixlen": address.network.prefixlen,
        "scope": _scope(address),
        "label": interface.name,
    }


def _address_text(interface: Interface, address: InterfaceAddress) -> str:
    family = "inet" if address.version == 4 else "inet6"
    label = interface.name if address.version == 4 else ""
    return f"    {family} {address} scope {_scope(address)} {label}\n       valid_lft forever preferred_lft forever\n"


def _route_shown(route: Route) -> tuple[dict[str, Any], str]:
    prefix = (
        "default"
        if route.prefix.prefixlen == 0
        else str(route.prefix.network_address if route.prefix.prefixlen == route.prefix.max_prefixlen else route.prefix)
    )
    row: dict[str, Any] = {"dst": prefix, "dev": route.device, "protocol": route.protocol, "flags": []}
    line = prefix
    if route.via is not None:
        row["gateway"] = str(route.via)
        line += f" via {route.via}"
    line += f" dev {route.device}"
    if route.protocol != "boot":
        line += f" proto {route.protocol}"
    if route.via is None:
        row["scope"] = "link"
        line += " scope link"
    if route.source is not None:
        row["prefsrc"] = str(route.source)
        line += f" src {route.source}"
    if route.metric:
        row["metric"] = route.metric
        line += f" metric {route.metric}"
    return row, line + " "


def sysctl(network: Network, node: Node, call: Call) -> int:
    """`sysctl NAME…`, `sysctl [-w] NAME=VALUE…`, `-n` values only, `-a`, `-p FILE` reads settings from a file."""
    words = list(call.argv[1:])
    flags = {word for word in words if word in ("-w", "-n", "-q", "-a", "-e")}
    words = [word for word in words if word not in flags]
    if words[:1] == ["-p"]:
        text = call.system.files.read(words[1] if len(words) > 1 else "/etc/sysctl.conf", call.cwd, uid=call.uid).decode()
        words = [re.sub(r"\s*=\s*", "=", line.strip()) for line in text.splitlines() if line.strip() and line.strip()[0] not in "#;"]
    if any(word.startswith("-") for word in words):
        return call.fail(f"invalid option -- '{next(word for word in words if word.startswith('-')).lstrip('-')}'")
    status = 0
    with network.lock:
        sysctls = node.kernel.sysctls
        for word in sorted(sysctls) if "-a" in flags else words:
            name, given, value = word.partition("=")
            name = name.strip().replace("/", ".")
            if name not in sysctls:
                if "-e" not in flags:
                    call.err(f"sysctl: cannot stat /proc/sys/{name.replace('.', '/')}: No such file or directory\n")
                    status = 1
                continue
            if given:
                if call.uid:
                    call.err(f'sysctl: permission denied on key "{name}"\n')
                    status = 255
                    continue
                if not value.strip().lstrip("-").isdigit():
                    call.err(f'sysctl: setting key "{name}": Invalid argument\n')
                    status = 255
                    continue
                sysctls[name] = value.strip()
            if "-q" not in flags or not given:
                call.out(f"{sysctls[name]}\n" if "-n" in flags else f"{name} = {sysctls[name]}\n")
    return status
