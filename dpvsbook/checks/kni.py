"""Checks of the KNI devices: F08, F09."""

from __future__ import annotations

import re

from dpvsbook.checks.seen import Outcome, Seen, listed

STATE = re.compile(r"^\d+: ([^:@]+)(?:@[^:]*)?: <([^>]*)>", re.MULTILINE)


def _names(seen: Seen) -> list[str]:
    """What the KNI devices are called."""
    if seen.conf is None:
        return []
    ports = [(port.name, port.values) for port in seen.conf.devices] + [(bond.name, bond.values) for bond in seen.conf.bonds]
    return [str(values.get("kni_name") or f"{name}.kni") for name, values in ports]


def possible(seen: Seen) -> Outcome:
    """F08: what dpvs makes its KNI devices of."""
    if seen.conf is None:
        return seen.no_conf
    if not seen.conf.get("global_defs.kni"):
        return True, f"kni is off in {seen.start.place.conf}"
    if seen.running:
        return True, "dpvs runs with kni on"
    wrong = []
    if seen.params.dpvs == "1.10":
        wrong += [f"there is no {device}" for device in ("/dev/vhost-net", "/dev/net/tun") if device not in seen.look.devices]
        if seen.look.libs and "rte_net_virtio" not in seen.look.libs:
            wrong.append("libdpdk has no rte_net_virtio")
    else:
        if "rte_kni" not in seen.setup.modules:
            wrong.append("the module rte_kni is not loaded")
        wrong += [f"{s.address} has numa_node -1" for s in seen.setup.slots.values() if s.address in seen.ports and s.node < 0]
    wrong += [f"an interface {name} is there already" for name in _names(seen) if name in seen.look.nets]
    needs = "/dev/vhost-net and /dev/net/tun are there" if seen.params.dpvs == "1.10" else "rte_kni is loaded"
    return not wrong, "; ".join(wrong) or f"{needs}, and no interface is called {listed(_names(seen))}"


def carrier(seen: Seen) -> Outcome:
    """F09: KNI devices with a carrier."""
    if seen.conf is None:
        return seen.no_conf
    if not seen.conf.get("global_defs.kni"):
        return True, f"kni is off in {seen.start.place.conf}"
    if seen.params.dpvs != "1.10" and "rte_kni" in seen.setup.modules and seen.look.carrier != "on":
        return False, f"/sys/module/rte_kni/parameters/carrier is {seen.look.carrier or 'not there'}"
    if not seen.running:
        return (
            (None, "dpvs makes them as it starts")
            if seen.params.dpvs == "1.10"
            else (True, f"carrier is {seen.look.carrier or 'not known'}")
        )
    flags = {name: words.split(",") for name, words in STATE.findall(seen.start.kernel)}
    wanted = [device.kni for device in seen.director.devices if device.kni]
    if not wanted:
        return True, "the params name no KNI device"
    wrong = [f"{name} isn't there" for name in wanted if name not in flags]
    wrong += [f"{name} is down" for name in wanted if name in flags and "UP" not in flags[name]]
    wrong += [f"{name} has no carrier" for name in wanted if "NO-CARRIER" in flags.get(name, ())]
    return not wrong, "; ".join(wrong) or f"{listed(wanted)} up, with carrier"
