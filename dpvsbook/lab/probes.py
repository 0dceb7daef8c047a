"""`ping` and `arping` (iputils' words), modelled: no waiting beyond the lab's patience."""

from __future__ import annotations

import ipaddress
import math

from dpvsbook.lab.dpvs import traffic
from dpvsbook.lab.kernel import Ip
from dpvsbook.lab.network import Network, Node, Packet, Plug
from dpvsbook.lab.shell.system import Call
from dpvsbook.lab.utilities.options import UsageError, duration, number, options


def ping(network: Network, node: Node, wait: float, call: Call) -> int:
    found, operands = options(call, "c:W:i:w:s:nq46I:", status=2)
    if not operands:
        raise UsageError("usage error: Destination address required", 1)
    try:
        target = ipaddress.ip_address(operands[-1])
    except ValueError:
        return call.fail(f"{operands[-1]}: Name or service not known", 2)
    size, count = number(found.get("-s", "56"), status=2), max(1, number(found.get("-c", "4"), status=2))
    interval, patience = duration(found.get("-i", "1"), 2), duration(found.get("-W", "10"), 2)
    identifier = call.process.pid & 0xFFFF
    route = node.kernel.lookup(target)
    if route is None and not node.kernel.is_local(target):
        return call.fail("connect: Network is unreachable", 2)
    overhead = 28 if target.version == 4 else 48
    call.out(
        f"PING {target} ({target}) {size}({size + overhead}) bytes of data.\n"
        if target.version == 4
        else f"PING {target}({target}) {size} data bytes\n"
    )
    times = []
    for sequence in range(1, count + 1):
        took = _echo(network, node, target, identifier, size)
        call.process.sleep(min(interval if sequence < count else 0.0 if took else patience, wait))
        if took is None:
            continue
        times.append(took)
        if "-q" not in found:
            call.out(f"{size + 8} bytes from {target}: icmp_seq={sequence} ttl=64 time={took:.3g} ms\n")
    lost = round(100 * (count - len(times)) / count)
    call.out(f"\n--- {target} ping statistics ---\n{count} packets transmitted, {len(times)} received, {lost}% packet loss, ")
    call.out(f"time {round(1000 * interval * (count - 1))}ms\n")
    if times:
        mean = sum(times) / len(times)
        deviation = math.sqrt(max(0.0, sum(t * t for t in times) / len(times) - mean * mean))
        call.out(f"rtt min/avg/max/mdev = {min(times):.3f}/{mean:.3f}/{max(times):.3f}/{deviation:.3f} ms\n")
    else:
        call.out("\n")
    return int(not times)


def _echo(network: Network, node: Node, target: Ip, identifier: int, size: int) -> float | None:
    """The time of one echo in milliseconds; None if no answer came."""
    with network.lock:
        local, route = node.kernel.is_local(target), node.kernel.lookup(target)
        source = target if local else node.kernel.source_for(target, route) if route else None
        if source is None:
            return None
        protocol, kind = ("icmp", 8) if target.version == 4 else ("icmpv6", 128)
        packet = Packet(protocol, source, identifier, target, kind)
        there = network.send(node, packet)
        answered = there.node is not None
        if answered:
            back = network.answer(there)
            answered = back.node is node and back.packet.source == target
        network.book(there, "served" if answered else "silent", lambda _: traffic.echo(target.version, answered, size + 8))
        return 0.3 + 0.25 * len(there.passages) + identifier % 13 * 0.01 if answered else None


def arping(network: Network, node: Node, wait: float, call: Call) -> int:
    """Every host that answers is shown: two answers for one address are what to look for."""
    found, operands = options(call, "c:I:w:W:fqDb", status=2)
    if not operands:
        raise UsageError("usage error: Destination address required", 2)
    try:
        target = ipaddress.ip_address(operands[0])
    except ValueError:
        return call.fail(f"{operands[0]}: Name or service not known", 2)
    route = node.kernel.lookup(target)
    interface = node.kernel.interfaces.get(found.get("-I", route.device if route else ""))
    if interface is None or interface.kind != "ether":
        name = found.get("-I", "")
        return call.fail(f"Device {name} not available." if name else "Suitable device could not be determined. Please, use option -I.", 2)
    own = next((str(address.ip) for address in interface.addresses if address.version == target.version), "0.0.0.0")  # noqa: S104
    call.out(f"ARPING {target} from {own} {interface.name}\n")
    probes, received = max(1, number(found.get("-c", "3"), status=2)), 0
    for _ in range(probes):
        with network.lock:
            owners = network.owners(interface.segment, target, Plug(node, interface.name, interface.mac, False))
        for at, owner in enumerate(owners):
            received += 1
            call.out(f"Unicast reply from {target} [{owner.mac.upper()}]  {0.6 + 0.05 * at:.3f}ms\n")
        call.process.sleep(min(1.0, wait))
    call.out(f"Sent {probes} probes ({probes} broadcast(s))\nReceived {received} response(s)\n")
    return int(not received)
