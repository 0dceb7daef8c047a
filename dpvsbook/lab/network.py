"""How packets travel between the hosts of a lab: who answers on a segment, who routes, what DPVS makes of them, and the way back.

A connection is walked packet for packet only as far as it tells: the first packet to the server, its answer back to the client.
Neighbours are asked anew for each connection: an address that moved is found at once (a real client keeps its old neighbour a while)."""

from __future__ import annotations

import ipaddress
import threading
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from dpvsbook.lab.kernel import Ip, Kernel

if TYPE_CHECKING:
    from dpvsbook.lab.dpvs import Decision, Dpvs
    from dpvsbook.lab.dpvs.traffic import Exchange

HOPS = 16


@dataclass(frozen=True, slots=True)
class Packet:
    """`outer` is where an IPIP packet goes on the outside, None for a plain one. For icmp, `source_port` is the echo's id."""

    protocol: str
    source: Ip
    source_port: int
    destination: Ip
    port: int
    outer: Ip | None = None

    @property
    def answer(self) -> Packet:
        return Packet(self.protocol, self.destination, self.port, self.source, self.source_port)


@dataclass(eq=False)
class Node:
    """One host as the network sees it. `dpvs` and `ports` (DPVS device to segment) for a director; `listening` gives its TCP ports."""

    name: str
    kernel: Kernel
    dpvs: Dpvs | None = None
    ports: dict[str, str] = field(default_factory=dict)
    macs: dict[str, str] = field(default_factory=dict)
    listening: set[int] = field(default_factory=set)
    down: bool = False

    def running(self) -> Dpvs | None:
        return self.dpvs if self.dpvs is not None and self.dpvs.running else None


@dataclass(frozen=True, slots=True)
class Plug:
    """One end of a segment."""

    node: Node
    device: str
    mac: str
    dpvs: bool


@dataclass(frozen=True, slots=True)
class Passage:
    """A packet went through a director: what it decided, and where the packet had come from."""

    node: Node
    decision: Decision
    before: Packet
    came_from: Plug | None


@dataclass(frozen=True, slots=True)
class Trip:
    """Where a packet ended: `node` None if it was lost, and then `reason` says where. `unresolved`: lost at the very first neighbour."""

    node: Node | None
    packet: Packet
    passages: tuple[Passage, ...] = ()
    reason: str = ""
    unresolved: bool = False
    by_dpvs: bool = False


class _LostError(Exception):
    def __init__(self, reason: str, *, unresolved: bool = False) -> None:
        super().__init__(reason)
        self.unresolved = unresolved


class Network:
    """`lock` guards every host's network and DPVS state: the tools take it, too. `lost`: where the last lost packets were lost."""

    def __init__(self) -> None:
        self.nodes: dict[str, Node] = {}
        self.lock = threading.RLock()
        self.lost: deque[str] = deque(maxlen=20)

    def plugs(self, segment: str) -> Iterator[Plug]:
        for node in self.nodes.values():
            if node.down or not segment:
                continue
            for interface in node.kernel.interfaces.values():
                if interface.segment == segment:
                    yield Plug(node, interface.name, interface.mac, False)
            for device, where in node.ports.items():
                if where == segment:
                    yield Plug(node, device, node.macs[device], True)

    def owners(self, segment: str, ip: Ip, asking: Plug) -> list[Plug]:
        """Who answers for an address on a segment, first one first: kernels before DPVS (transcript 07), the last host first."""
        from dpvsbook.lab.dpvs import answers_arp

        kernels, datapaths = [], []
        for plug in self.plugs(segment):
            if plug.node is asking.node and plug.device == asking.device:
                continue
            if not plug.dpvs:
                if plug.node.kernel.answers_for(ip, plug.device):
                    kernels.append(plug)
            elif (dpvs := plug.node.running()) is not None and answers_arp(dpvs, str(ip), plug.device):
                datapaths.append(plug)
        return [*reversed(kernels), *datapaths]

    # ---- one packet, one way

    def send(self, node: Node, packet: Packet) -> Trip:
        """From a host's kernel to wherever it ends."""
        trip = _Walk(self)
        return trip.run(packet, lambda: trip.from_kernel(node, packet, HOPS))

    def answer(self, there: Trip) -> Trip:
        """The server's answer to the packet that arrived `there`, back through the directors that it came through."""
        assert there.node is not None  # noqa: S101
        walk, packet = _Walk(self, there.passages), there.packet.answer
        node = there.node
        if there.by_dpvs:
            return walk.run(packet, lambda: walk.from_dpvs(node, packet))
        return walk.run(packet, lambda: walk.from_kernel(node, packet, HOPS))

    def book(self, there: Trip, outcome: str, exchange: Callable[[str], Exchange]) -> None:
        """Tells every director that the connection went through what came of it; `exchange` is asked per forwarding method."""
        for passage in there.passages:
            conn, dpvs = passage.decision.conn, passage.node.running()
            if conn is not None and dpvs is not None:
                dpvs.settle(conn, outcome, exchange(passage.decision.method))


class _Walk:
    """One packet's way. `back`: the passages of the packet that it answers."""

    def __init__(self, network: Network, back: tuple[Passage, ...] = ()) -> None:
        self._network, self._back = network, list(back)
        self._passages: list[Passage] = []

    def run(self, packet: Packet, start: Callable[[], Trip]) -> Trip:
        try:
            return start()
        except _LostError as lost:
            self._network.lost.append(f"{packet.source} to {packet.destination}:{packet.port}: {lost}")
            return Trip(None, packet, tuple(self._passages), str(lost), lost.unresolved)

    def from_kernel(self, node: Node, packet: Packet, hops: int) -> Trip:
        target = packet.outer or packet.destination
        if node.kernel.is_local(target):
            return self._arrived(node, packet)
        if hops == 0:
            raise _LostError(f"{node.name}: a routing loop for {target}")
        route = node.kernel.lookup(target)
        if route is None:
            raise _LostError(f"{node.name}: no route to {target}", unresolved=hops == HOPS)
        interface = node.kernel.interfaces[route.device]
        hop = route.via or target
        me = Plug(node, interface.name, interface.mac, False)
        known = node.kernel.neighbours.get((interface.name, hop)) if (interface.name, hop) in node.kernel.neighbours else None
        owners = self._network.owners(interface.segment, hop, me)
        if not owners:
            node.kernel.neighbours.pop((interface.name, hop), None)
            raise _LostError(f"{node.name}: nobody on {interface.segment or interface.name} answers for {hop}", unresolved=hops == HOPS)
        if known != owners[0].mac:
            node.kernel.neighbours[(interface.name, hop)] = owners[0].mac
        self._learn_solicitor(owners[0], packet, me)
        return self._received(owners[0], packet, me, hops - 1)

    def _learn_solicitor(self, at: Plug, packet: Packet, asking: Plug) -> None:
        """DPVS learns an IPv6 neighbour from its solicitation, but not an IPv4 one from its ARP request (transcripts 03, 08)."""
        dpvs = at.node.running()
        if at.dpvs and dpvs is not None and packet.source.version == 6 and asking.node.kernel.is_local(packet.source):
            from dpvsbook.lab.dpvs.ip import of

            dpvs.neighbours.learn(of(str(packet.source)), asking.mac, dpvs.devices[at.device])

    def _received(self, at: Plug, packet: Packet, came_from: Plug | None, hops: int) -> Trip:
        if at.dpvs:
            return self._through_dpvs(at, packet, came_from, hops)
        node = at.node
        if node.kernel.is_local(packet.outer or packet.destination):
            return self._arrived(node, packet)
        if not node.kernel.forwards(packet.destination.version):
            raise _LostError(f"{node.name}: {packet.destination} is not its own, and it doesn't forward")
        return self.from_kernel(node, packet, hops)

    def _arrived(self, node: Node, packet: Packet) -> Trip:
        if packet.outer is not None:
            if not any(interface.kind == "ipip" and interface.up for interface in node.kernel.interfaces.values()):
                raise _LostError(f"{node.name}: no ipip device takes the tunnelled packet")
            packet = replace(packet, outer=None)
            if not node.kernel.is_local(packet.destination):
                raise _LostError(f"{node.name}: {packet.destination}, out of the tunnel, is not its own")
        return Trip(node, packet, tuple(self._passages))

    def _through_dpvs(self, at: Plug, packet: Packet, came_from: Plug | None, hops: int) -> Trip:
        from dpvsbook.lab.dpvs import Flow

        dpvs = at.node.running()
        if dpvs is None:
            raise _LostError(f"{at.node.name}: dpvs is not running")
        returning = self._returning(at.node, packet)
        if returning is not None:
            return self._back_to_client(at.node, returning, hops)
        flow = Flow(packet.protocol, str(packet.source), packet.source_port, str(packet.destination), packet.port, at.device)
        decision = dpvs.deliver(flow)
        if decision.verdict == "drop":
            if decision.conn is not None:
                self._passages.append(Passage(at.node, decision, packet, came_from))
            raise _LostError(f"{at.node.name}: {decision.reason}")
        if decision.verdict == "local":
            return Trip(at.node, packet, tuple(self._passages), by_dpvs=True)
        if decision.verdict == "forward":
            self._passages.append(Passage(at.node, decision, packet, came_from))
            packet = _rewritten(packet, decision)
        return self._out_of_dpvs(at.node, dpvs, decision.device, ipaddress.ip_address(decision.next_hop), packet, hops)

    def _out_of_dpvs(self, node: Node, dpvs: Dpvs, device: str, hop: Ip, packet: Packet, hops: int) -> Trip:
        from dpvsbook.lab.dpvs.ip import of

        if hops == 0:
            raise _LostError(f"{node.name}: a routing loop")
        me = Plug(node, device, node.macs.get(device, ""), True)
        segment, port, key = node.ports.get(device, ""), dpvs.devices[device], of(str(hop))
        static = next((n for n in dpvs.neighbours.listed(port) if n.static and n.ip == key), None)
        if static is not None:
            owners = [plug for plug in self._network.plugs(segment) if plug.mac == static.mac]
        else:
            owners = self._network.owners(segment, hop, me)
        if not owners:
            raise _LostError(f"{node.name}: nobody on {segment or device} answers for {hop}")
        if static is None:
            dpvs.neighbours.learn(key, owners[0].mac, port)
        return self._received(owners[0], packet, me, hops - 1)

    def _returning(self, node: Node, packet: Packet) -> Passage | None:
        """The passage whose connection this packet answers."""
        for passage in self._back:
            conn = passage.decision.conn
            if passage.node is not node or conn is None or passage.decision.method in ("dr", "tunnel"):
                continue
            expected = _rewritten(passage.before, passage.decision).answer
            if (expected.source, expected.source_port, expected.destination, expected.port) == (
                packet.source,
                packet.source_port,
                packet.destination,
                packet.port,
            ):
                return passage
        return None

    def _back_to_client(self, node: Node, passage: Passage, hops: int) -> Trip:
        """The answer goes to the MAC that the request came from (fast xmit), whatever the routes say."""
        original = passage.before.answer
        came_from = passage.came_from
        if came_from is None or came_from.node.down:
            raise _LostError(f"{node.name}: the way back to {original.destination} is gone")
        return self._received(came_from, original, Plug(node, passage.decision.device, "", True), hops - 1)

    def from_dpvs(self, node: Node, packet: Packet) -> Trip:
        """DPVS itself answers (a ping for one of its addresses): along its own routes."""
        from dpvsbook.lab.dpvs.datapath import output
        from dpvsbook.lab.dpvs.ip import of

        dpvs = node.running()
        target = of(str(packet.destination))
        route = output(dpvs, target) if dpvs is not None else None
        if dpvs is None or route is None:
            raise _LostError(f"{node.name}: no route to {packet.destination}")
        hop = packet.destination if route.via.any else ipaddress.ip_address(route.via.text)
        return self._out_of_dpvs(node, dpvs, route.device.name, hop, packet, HOPS)


def _rewritten(packet: Packet, decision: Decision) -> Packet:
    """The packet as it leaves the director."""
    assert decision.server is not None  # noqa: S101
    assert decision.source is not None  # noqa: S101
    server, source = ipaddress.ip_address(decision.server.address), ipaddress.ip_address(decision.source.address)
    if decision.method == "dr":
        return packet
    if decision.method == "tunnel":
        return replace(packet, outer=server)
    return Packet(packet.protocol, source, decision.source.port, server, decision.server.port)
