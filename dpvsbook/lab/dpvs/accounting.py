"""What came of a connection: its state moves on, the counters of its real server and of the ports grow."""

from __future__ import annotations

from dpvsbook.lab.dpvs.conns import Conn
from dpvsbook.lab.dpvs.process import Dpvs
from dpvsbook.lab.dpvs.routing import output
from dpvsbook.lab.dpvs.services import TCP, UDP
from dpvsbook.lab.dpvs.traffic import Exchange

_STATES = {
    ("served", "fnat"): "TIME_WAIT",
    ("served", "nat"): "TIME_WAIT",
    ("served", "snat"): "TIME_WAIT",
    ("served", "dr"): "FIN_WAIT",
    ("served", "tunnel"): "FIN_WAIT",
}


def settle(dpvs: Dpvs, conn: Conn, outcome: str, exchange: Exchange) -> None:
    """Book what came of a connection (or of the next part of it): counters grow, the state moves on.

    `outcome`: "open" (established, stays), "served" (answered and closed), "refused" (reset), "silent" (no answer).
    """
    stats = conn.dest.stats
    stats.packets_in += exchange.packets_in
    stats.packets_out += exchange.packets_out
    stats.bytes_in += exchange.bytes_in
    stats.bytes_out += exchange.bytes_out
    if conn.protocol == TCP:
        if outcome == "open":
            state = "TCP_EST"
        elif outcome == "refused":
            state = "TCP_CLOSE"
        elif outcome == "silent":
            state = "SYN_SENT" if conn.method == "snat" else "SYN_RECV"
        else:
            state = _STATES["served", conn.method]
    elif conn.protocol == UDP:
        state = "UDP_NORM" if exchange.packets_out and conn.method not in ("dr", "tunnel") else "UDP_ONEWAY"
    else:
        state = "ICMP_NORMAL"
    dpvs.conns.enter(conn, state)
    _count_ports(dpvs, conn, exchange)


def _count_ports(dpvs: Dpvs, conn: Conn, exchange: Exchange) -> None:
    outer = output(dpvs, conn.client)
    inner = output(dpvs, conn.server)
    if outer is not None:
        counters = outer.device.counters
        counters.packets_in += exchange.packets_in
        counters.bytes_in += exchange.bytes_in + 14 * exchange.packets_in
        counters.packets_out += exchange.packets_out
        counters.bytes_out += exchange.bytes_out + 14 * exchange.packets_out
    if inner is not None:
        counters = inner.device.counters
        counters.packets_out += exchange.packets_in
        counters.bytes_out += exchange.bytes_in + 14 * exchange.packets_in
        counters.packets_in += exchange.packets_out
        counters.bytes_in += exchange.bytes_out + 14 * exchange.packets_out
