"""The multicast groups that a port has joined: all nodes and all routers, and the solicited-node group of each of its IPv6 addresses."""

from __future__ import annotations

from dpvsbook.lab.dpvs.devices import Device
from dpvsbook.lab.dpvs.ip import Ip, from_bytes, of
from dpvsbook.lab.dpvs.process import Dpvs

_EVERYBODY = (of("ff02::1"), of("ff02::2"))
_SOLICITED = of("ff02::1:ff00:0").packed[:13]


def groups(dpvs: Dpvs, device: Device) -> list[Ip]:
    """The groups in the order in which they were joined; `dpip maddr show` lists them the other way round."""
    if device.kind == "tunnel":
        return []
    own = of(device.link_local)
    joined: list[Ip] = list(_EVERYBODY)
    for entry in sorted(dpvs.addresses, key=lambda entry: entry.serial):
        if entry.device is device and entry.ip.family == 6:
            group = from_bytes(_SOLICITED + entry.ip.packed[13:])
            if group not in joined:
                joined.insert(0 if entry.ip == own else len(joined), group)
    return joined


def macs(dpvs: Dpvs, device: Device) -> list[str]:
    """The MACs of the groups, those of the VLANs on a port behind its own."""
    found = [_mac(group) for group in groups(dpvs, device)]
    for other in dpvs.devices.values():
        if other.link == device.name:
            found += [mac for mac in macs(dpvs, other) if mac not in found]
    return found


def _mac(group: Ip) -> str:
    return "33:33:" + ":".join(f"{octet:02x}" for octet in group.packed[12:])
