"""The cluster as a picture, drawn from the params: clients and routers, the WAN side, the directors, the LAN side, the real servers.

Plain SVG with its own style: it follows the page's light or dark theme (and JupyterLab's), and needs no script and no font.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from html import escape
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from dpvsbook.params import Params

_LINE = 17  # height of a line of text
_CHAR = 6.7  # width of a character of the monospaced 11 px text
_HEAD = 27
_GAP = 16  # between boxes of one column
_AISLE = 46  # between a column of boxes and a network
_TOP = 34  # room for the networks' names
_SHOWN = 6  # boxes in a column, lines on a side of a director; the rest is counted
_SERVED = 3  # services in a real server's box

Side = Literal["left", "right"]

_LIGHT = "--ink:#1f2933;--dim:#5f6c7b;--card:#fff;--edge:#cbd2d9;--wan:#2f74c0;--lan:#0f8a66;--chip:#e8f1fb;--chip2:#e3f5ee"
_DARK = "--ink:#e6edf3;--dim:#97a3b0;--card:#1b222b;--edge:#3a4552;--wan:#6cb0f5;--lan:#4cc79e;--chip:#1c3552;--chip2:#173b31"
_STYLE = f"""
.dpvs-topo{{{_LIGHT};font-family:system-ui,-apple-system,'Segoe UI',Roboto,sans-serif;
max-width:100%;height:auto;display:block;margin:.4em 0}}
.dpvs-topo text{{fill:var(--ink);font-size:12px}}.dpvs-topo .dim{{fill:var(--dim);font-size:11px}}
.dpvs-topo .mono{{font-family:ui-monospace,SFMono-Regular,Menlo,Consolas,monospace;font-size:11px}}
.dpvs-topo .name{{font-weight:650;font-size:13px}}.dpvs-topo .card{{fill:var(--card);stroke:var(--edge)}}
.dpvs-topo .director .card{{stroke:var(--wan);stroke-width:1.6}}
.dpvs-topo .net{{stroke:var(--dim);stroke-width:5;stroke-linecap:round}}
.dpvs-topo .link{{stroke:var(--dim);stroke-width:1.4;fill:none}}.dpvs-topo .dot{{fill:var(--dim)}}
.dpvs-topo .wan{{stroke:var(--wan)}}.dpvs-topo .lan{{stroke:var(--lan)}}
.dpvs-topo .dot.wan{{fill:var(--wan)}}.dpvs-topo .dot.lan{{fill:var(--lan)}}
.dpvs-topo .vip{{fill:var(--chip)}}.dpvs-topo .lip{{fill:var(--chip2)}}
@media (prefers-color-scheme:dark){{.dpvs-topo{{{_DARK}}}}}
[data-jp-theme-light=true] .dpvs-topo{{{_LIGHT}}}
[data-jp-theme-light=false] .dpvs-topo{{{_DARK}}}
@media print{{.dpvs-topo{{{_LIGHT}}}}}
"""


@dataclass
class _Text:
    """A line in a box; `side` is the side of the box that it belongs to, `chip` the colour behind it ("" for none)."""

    text: str
    side: Side = "left"
    chip: str = ""


@dataclass
class _Box:
    """A host or a director. `links`: the networks that it is on."""

    name: str
    role: str
    links: list[str]
    lines: list[_Text] = field(default_factory=list)
    x: float = 0
    y: float = 0
    width: float = 0

    @property
    def rows(self) -> int:
        left = sum(line.side == "left" for line in self.lines)
        return max(left, len(self.lines) - left)

    @property
    def height(self) -> float:
        return _HEAD + self.rows * _LINE + (8 if self.lines else 0)

    @property
    def needed(self) -> float:
        """The width that its texts need."""
        widest = {side: max((len(line.text) for line in self.lines if line.side == side), default=0) for side in ("left", "right")}
        texts = sum(size * _CHAR + 22 for size in widest.values() if size)
        return max(texts, (len(self.name) + len(self.role)) * 7.4 + 40, 120)


@dataclass
class _Net:
    """A network: a vertical line."""

    name: str
    label: str
    kind: str
    x: float = 0


def topology(params: Params | Mapping[str, Any]) -> str:
    """The picture as an SVG element: `params`, or what `Params` dumps as JSON (as a record keeps it)."""
    data: Mapping[str, Any] = params if isinstance(params, Mapping) else params.model_dump(mode="json")
    wan, lan = _sides(data)
    one_arm = not lan
    directors = _directors(data, wan, lan)
    hosts = [_host(data, host) for host in data.get("hosts", ())]
    near = [box for box in hosts if box.role != "real-server" and not set(box.links).isdisjoint(wan)]
    servers = [box for box in hosts if box.role == "real-server"]
    servers += _addressed(data, lan or wan)
    far = [box for box in hosts if box not in near and box not in servers]
    outer = [name for name in dict.fromkeys(link for box in (*far, *near) for link in box.links) if name not in (*wan, *lan)]
    middle = [*_some(directors, "directors"), *(_some(servers, "real servers") if one_arm else ())]
    columns: list[list[_Box] | list[_Net]] = [
        _some(far, "hosts"),
        _networks(data, outer, "out"),
        _some(near, "hosts"),
        _networks(data, wan, "wan"),
        middle,
        _networks(data, lan, "lan"),
        [] if one_arm else _some(servers, "real servers"),
    ]
    return _draw([column for column in columns if column], str(data.get("name", "cluster")))


def _sides(data: Mapping[str, Any]) -> tuple[list[str], list[str]]:
    """The networks that clients come from, and those where the real servers are; one arm: the second is empty."""
    devices = [str(device["network"]) for director in data.get("directors", ()) for device in director.get("devices", ())]
    wan = [str(service["network"]) for service in data.get("services", ()) if service.get("network")]
    wan = [name for name in dict.fromkeys(wan) if name in devices] or devices[-1:]
    return wan, [name for name in dict.fromkeys(devices) if name not in wan]


def _directors(data: Mapping[str, Any], wan: Sequence[str], lan: Sequence[str]) -> list[_Box]:
    boxes = []
    for director in data.get("directors", ()):
        name = str(director["name"])
        devices = director.get("devices", ())
        box = _Box(name, "director", [str(device["network"]) for device in devices])
        for device in devices:
            network = str(device["network"])
            side: Side = "right" if network in lan else "left"
            lines = [_Text(str(device["name"]), side)]
            lines += [_Text(str(address), side) for address in device.get("addresses", ())]
            if network in wan:
                lines += [_Text(text, side, "vip") for text in _vips(data, name, network)]
            lines += [
                _Text(f"LIP {lip['address']}", side, "lip") for lip in director.get("lips", ()) if lip.get("device") == device["name"]
            ]
            box.lines += _cut(lines, side)
        boxes.append(box)
    return boxes


def _vips(data: Mapping[str, Any], director: str, network: str) -> Iterable[str]:
    for service in data.get("services", ()):
        if service.get("network") != network or (service.get("directors") and director not in service["directors"]):
            continue
        vip = str(service.get("vip") or service.get("match") or "")
        address = f"[{vip}]" if ":" in vip and service.get("vip") else vip
        port = f":{service['port']}" if service.get("port") else ""
        yield f"VIP {address}{port} {service.get('protocol', '')} {service.get('scheduler', '')}".rstrip()


def _host(data: Mapping[str, Any], host: Mapping[str, Any]) -> _Box:
    interfaces = host.get("interfaces", ())
    box = _Box(str(host["name"]), str(host.get("role", "host")), [str(interface["network"]) for interface in interfaces])
    for interface in interfaces:
        addresses = [str(address) for address in interface.get("addresses", ())]
        box.lines += [_Text(f"{interface['name']} {address}") for address in addresses] or [_Text(str(interface["name"]))]
    box.lines += _cut([_Text(text) for text in _serves(data, "host", box.name)], "left", _SERVED)
    return box


def _serves(data: Mapping[str, Any], key: str, value: str) -> Iterable[str]:
    """What a real server serves: its port and weight in each service."""
    for service in data.get("services", ()):
        for server in service.get("real_servers", ()):
            if server.get(key) == value:
                yield f"{service.get('name', '')} :{server.get('port')} weight {server.get('weight', 1)}"


def _addressed(data: Mapping[str, Any], networks: Sequence[str]) -> list[_Box]:
    """Real servers that are only addresses in the services, hosts that nobody logs in to."""
    addresses = (server.get("address") for service in data.get("services", ()) for server in service.get("real_servers", ()))
    return [
        _Box(address, "real-server", list(networks[:1]), _cut([_Text(text) for text in _serves(data, "address", address)], "left", _SERVED))
        for address in dict.fromkeys(str(address) for address in addresses if address)
    ]


def _networks(data: Mapping[str, Any], names: Sequence[str], kind: str) -> list[_Net]:
    known = data.get("networks", {})
    return [_Net(name, f"{name} {' '.join(map(str, (known.get(name) or {}).get('subnets', ())))}".strip(), kind) for name in names]


def _cut(lines: list[_Text], side: Side, shown: int = _SHOWN) -> list[_Text]:
    return lines if len(lines) <= shown + 1 else [*lines[:shown], _Text(f"… {len(lines) - shown} more", side)]


def _some(boxes: list[_Box], noun: str) -> list[_Box]:
    if len(boxes) <= _SHOWN + 1:
        return boxes
    rest = boxes[_SHOWN:]
    return [*boxes[:_SHOWN], _Box(f"… {len(rest)} more {noun}", "", list(dict.fromkeys(link for box in rest for link in box.links)))]


def _draw(columns: Sequence[list[_Box] | list[_Net]], title: str) -> str:
    """Places the columns from left to right, each centred, and draws them."""
    boxes = [item for column in columns for item in column if isinstance(item, _Box)]
    nets = {item.name: item for column in columns for item in column if isinstance(item, _Net)}
    tallest = max((_height(column) for column in columns), default=0)
    x = 8.0
    for column in columns:
        if isinstance(column[0], _Net):
            for net in column:
                net.x = x
                x += 34
            x += _AISLE - 34
            continue
        width = max(box.needed for box in column if isinstance(box, _Box))
        y = _TOP + (tallest - _height(column)) / 2
        for box in column:
            if isinstance(box, _Box):
                box.x, box.y, box.width = x, y, width
                y += box.height + _GAP
        x += width + _AISLE
    last = columns[-1] if columns else []
    width = x - _AISLE + 8 if last and isinstance(last[0], _Box) else x + 8
    labels = max((net.x + len(net.label) * 3.4 + 8 for net in nets.values()), default=0)
    width, height = max(width, labels), _TOP + tallest + 12
    parts = [_net(net, boxes, height) for net in nets.values()]
    parts += [_link(box, nets[name]) for box in boxes for name in dict.fromkeys(box.links) if name in nets]
    parts += [_card(box) for box in boxes]
    what = f"Topology of {title}: " + ", ".join(f"{box.name} ({box.role})" if box.role else box.name for box in boxes)
    return (
        f'<svg class="dpvs-topo" xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0f} {height:.0f}" width="{width:.0f}" '
        f'height="{height:.0f}" role="img" aria-label="{escape(what)}"><style>{_STYLE}</style>{"".join(parts)}</svg>'
    )


def _height(column: Sequence[_Box | _Net]) -> float:
    boxes = [item.height for item in column if isinstance(item, _Box)]
    return sum(boxes) + _GAP * max(0, len(boxes) - 1)


def _net(net: _Net, boxes: Sequence[_Box], height: float) -> str:
    on_it = [box for box in boxes if net.name in box.links]
    top = min((box.y for box in on_it), default=_TOP)
    bottom = max((box.y + box.height for box in on_it), default=height - 12)
    anchor = "start" if net.x < len(net.label) * 3.4 else "middle"
    x = 4 if anchor == "start" else net.x
    return (
        f'<line class="net {net.kind}" x1="{net.x:.1f}" y1="{top:.1f}" x2="{net.x:.1f}" y2="{bottom:.1f}"/>'
        f'<text class="dim mono" x="{x:.1f}" y="{top - 12:.1f}" text-anchor="{anchor}">{escape(net.label)}</text>'
    )


def _link(box: _Box, net: _Net) -> str:
    y = box.y + box.height / 2
    edge = box.x if net.x < box.x else box.x + box.width
    return (
        f'<line class="link {net.kind}" x1="{edge:.1f}" y1="{y:.1f}" x2="{net.x:.1f}" y2="{y:.1f}"/>'
        f'<circle class="dot {net.kind}" cx="{net.x:.1f}" cy="{y:.1f}" r="4.5"/>'
    )


def _card(box: _Box) -> str:
    parts = [f'<g class="{escape(box.role or "more")}"><rect class="card" x="{box.x:.1f}" y="{box.y:.1f}" width="{box.width:.1f}" ']
    parts.append(
        f'height="{box.height:.1f}" rx="7"/><text class="name" x="{box.x + 11:.1f}" y="{box.y + 18:.1f}">{escape(box.name)}</text>'
    )
    parts.append(f'<text class="dim" x="{box.x + box.width - 11:.1f}" y="{box.y + 18:.1f}" text-anchor="end">{escape(box.role)}</text>')
    rows = {"left": 0, "right": 0}
    for line in box.lines:
        y = box.y + _HEAD + rows[line.side] * _LINE + 10
        rows[line.side] += 1
        width = len(line.text) * _CHAR
        left = line.side == "left"
        x = box.x + 11 if left else box.x + box.width - 11
        if line.chip:
            start = x - 4 if left else x - width - 4
            parts.append(f'<rect class="{line.chip}" x="{start:.1f}" y="{y - 11:.1f}" width="{width + 8:.1f}" height="15" rx="4"/>')
        anchor = "" if left else ' text-anchor="end"'
        parts.append(f'<text class="mono" x="{x:.1f}" y="{y:.1f}"{anchor}>{escape(line.text)}</text>')
    return "".join([*parts, "</g>"])
