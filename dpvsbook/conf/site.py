"""What a site has, as params: an existing dpvs.conf (and dpvs's arguments) as the part of a director that makes the same file again.

A params file can't say everything: what it can't is named, and stays as it is as long as the file is there (see `desired`).
"""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

from dpvsbook.conf.desired import START, desired
from dpvsbook.conf.diff import Difference, diff
from dpvsbook.conf.items import DEVICE, ITEM, ITEMS, Value
from dpvsbook.conf.machine import arguments
from dpvsbook.conf.model import Bond, Conf, read
from dpvsbook.conf.parse import parse_lenient

if TYPE_CHECKING:
    from dpvsbook.params import Director

OWN = ("mtu", "kni_name", "rx.queue_number", "tx.queue_number")
"""Items of a device that have a place of their own in the params."""
NEW: Mapping[str, Value] = {"rx.rss": "all", "promisc_mode": True}
"""What a device begins with where a site has none."""
LEAST_MTU = 576


def section(conf: Conf, words: Sequence[str] = (), *, path: str = "/etc/dpvs.conf") -> dict[str, Any]:
    """A director's `devices`, `bonds` and `start`. `words`: dpvs's arguments, those after `--`. A device's network is not in the file.

    Raises `BadArguments` for arguments that can't be read.
    """
    found = arguments(words).ports or ()
    places = dict(zip((d.name for d in conf.devices), found, strict=False)) if len(found) == len(conf.devices) else {}
    members = {name: bond for bond in conf.bonds for name in bond.slaves}
    devices: list[dict[str, Any]] = []
    for device in conf.devices:
        name = members[device.name].name if device.name in members else device.name
        if name not in {d["name"] for d in devices}:
            devices.append({"name": name, **({} if device.name in members else _place(places.get(name))), **_own(conf, name)})
    made: dict[str, Any] = {"devices": devices}
    if conf.bonds:
        made["bonds"] = [_bond(bond, places) for bond in conf.bonds]
    start: dict[str, Any] = {} if path == "/etc/dpvs.conf" else {"conf": path}
    start |= {"workers": len(conf.slaves), "flow": conf.get("sa_pool.flow_enable"), "redirect": conf.get("ipvs_defs.conn.redirect")}
    if kept := _kept(words, all("pci" in _place(place) for place in places.values()) and bool(places)):
        start["arguments"] = kept
    if settings := {**_settings(conf), **_device_settings(conf)}:
        start["settings"] = settings
    return {**made, "start": start}


def unsaid(conf: Conf, made: Mapping[str, Any]) -> tuple[Difference, ...]:
    """What of a file the params can't say: how a file made of the section alone would differ from it."""
    return diff(conf, desired(_director(made)))


def as_params(text: str, words: Sequence[str] = (), *, source: str = "/etc/dpvs.conf", name: str = "lb1") -> str:
    """The YAML of a director, with what it can't say as comments."""
    from ruamel.yaml import YAML

    conf = read(parse_lenient(text).nodes)
    made = section(conf, words, path=source) if source.startswith("/etc/") else section(conf, words)
    lines = [f"# From {source}. Not in it, and yet to be written: the network of each device, the LIPs."]
    if missing := unsaid(conf, made):
        lines.append("# What params can't say; it stays as it is in a dpvs.conf that is there:")
        lines += [f"#   {d.what}: {d.before or 'nothing'} (a new file has {d.after or 'nothing'})" for d in missing]
    director = {"directors": [{"name": name, **made}]}
    yaml = YAML(typ="safe", pure=True)
    yaml.default_flow_style = False
    yaml.sort_base_mapping_type_on_output = False  # type: ignore[assignment]
    yaml.dump(director, out := io.StringIO())
    return "\n".join([*lines, out.getvalue().rstrip()])


def _director(made: Mapping[str, Any]) -> Director:
    """The section with the params' defaults, as far as `desired` asks: the params lie above this."""
    whole = {"pci": None, "kni": None, "mtu": 1500}
    devices = [SimpleNamespace(**{**whole, **device}) for device in made["devices"]]
    bonds = [
        SimpleNamespace(**{"mode": 4, "primary": None, **bond, "slaves": [SimpleNamespace(**{**whole, **s}) for s in bond["slaves"]]})
        for bond in made.get("bonds", ())
    ]
    start = SimpleNamespace(**{"settings": {}, "hugepages_mb": None, **made["start"]})
    return cast("Director", SimpleNamespace(devices=devices, bonds=bonds, lips=(), start=start))


def _place(address: str | None) -> dict[str, str]:
    if address is None:
        return {}
    return {"pci": address} if address.count(":") == 2 else {"vdev": address}


def _own(conf: Conf, name: str) -> dict[str, Any]:
    mtu, kni = conf.device(name, "mtu"), conf.device(name, "kni_name")
    made: dict[str, Any] = {}
    if isinstance(mtu, int) and mtu != 1500 and mtu >= LEAST_MTU:
        made["mtu"] = mtu
    return {**made, "kni": kni} if kni is not None else made


def _bond(bond: Bond, places: Mapping[str, str]) -> dict[str, Any]:
    slaves = [{"name": name, **{k: v for k, v in _place(places.get(name)).items() if k == "pci"}} for name in bond.slaves]
    primary = bond.values.get("primary")
    return {"name": bond.name, "mode": bond.values.get("mode", 0), "slaves": slaves, **({"primary": primary} if primary else {})}


def _kept(words: Sequence[str], pci: bool) -> list[str]:
    """The arguments without the ports that the devices name by `pci`."""
    kept: list[str] = []
    rest = list(words)
    while rest:
        word = rest.pop(0)
        if pci and word in ("-a", "--allow") and rest:
            rest.pop(0)
        elif not (pci and (word.startswith(("-a", "--allow=")) and word != "-a")):
            kept.append(word)
    return kept


def _settings(conf: Conf) -> dict[str, Value]:
    """Every other item that isn't at its default, and those at their default where a first file would have something else."""
    begun = {**START, "netif_defs.pktpool_size": None}
    made: dict[str, Value] = {}
    for item in ITEMS:
        value = conf.values.get(item.path, item.default)
        if item.path in ("sa_pool.flow_enable", "ipvs_defs.conn.redirect") or item.path.startswith(
            (f"{DEVICE}.", "worker_defs", "netif_defs.b")
        ):
            continue
        if value is not None and value != begun.get(item.path, item.default):
            made[item.path] = value
    return made


def _device_settings(conf: Conf) -> dict[str, Value]:
    """What all devices have alike, where a new device would have something else."""
    made: dict[str, Value] = {}
    for item in ITEMS:
        name = item.path.removeprefix(f"{DEVICE}.")
        if name == item.path or name in OWN:
            continue
        values = {device.values.get(name, item.default) for device in conf.devices}
        if len(values) == 1 and (value := values.pop()) is not None and value != NEW.get(name, ITEM[item.path].default):
            made[item.path] = value
    return made
