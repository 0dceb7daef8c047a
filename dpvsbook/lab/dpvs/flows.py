"""What goes into the datapath and what comes out: flows and decisions, in the texts and numbers that the world outside DPVS uses."""

from __future__ import annotations

from dataclasses import dataclass

from dpvsbook.lab.dpvs.conns import Conn


@dataclass(frozen=True, slots=True)
class Endpoint:
    """An address and a port, as texts and numbers outside of DPVS have them."""

    address: str
    port: int

    def __str__(self) -> str:
        return f"[{self.address}]:{self.port}" if ":" in self.address else f"{self.address}:{self.port}"


@dataclass(frozen=True, slots=True)
class Flow:
    """Packets of one flow as they arrive on a port. `protocol`: tcp, udp, sctp, icmp, icmpv6 (an echo: `source_port` is its id)."""

    protocol: str
    source: str
    source_port: int
    destination: str
    port: int
    device: str


@dataclass(frozen=True, slots=True)
class Decision:
    """What becomes of a packet.

    `verdict`: "forward" (by a service: to `server`, from `source`, out of `device`, the next hop's MAC is that of `next_hop`),
    "route" (passed on unchanged), "local" (for an address of DPVS itself: it answers pings, nothing else) or "drop".
    `reason` says why in words. `uoa`: it travels as protocol 248, which a real server without the uoa module refuses.
    `synproxy`: the client's handshake is answered by DPVS before the real server is asked.
    """

    verdict: str
    reason: str
    method: str = ""
    server: Endpoint | None = None
    source: Endpoint | None = None
    device: str = ""
    next_hop: str = ""
    conn: Conn | None = None
    uoa: bool = False
    synproxy: bool = False

    @property
    def forwarded(self) -> bool:
        """Does a service take it?"""
        return self.verdict == "forward"
