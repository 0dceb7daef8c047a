"""How many packets and bytes an exchange is, as DPVS counts them (IP lengths; transcripts 03, 07, 08).

FULLNAT takes the TCP timestamps out, so its packets are 12 bytes shorter than NAT's or DR's after the SYN.
"""

from __future__ import annotations

from dataclasses import dataclass

_IP = {4: 20, 6: 40}


@dataclass(frozen=True, slots=True)
class Exchange:
    """What passed in each direction: "in" is from the client to the real server."""

    packets_in: int = 0
    packets_out: int = 0
    bytes_in: int = 0
    bytes_out: int = 0

    def __add__(self, other: Exchange) -> Exchange:
        return Exchange(
            self.packets_in + other.packets_in,
            self.packets_out + other.packets_out,
            self.bytes_in + other.bytes_in,
            self.bytes_out + other.bytes_out,
        )


def http(method: str, family: int, request: int, response: int) -> Exchange:
    """One request over a connection of its own: five packets each way. `request` and `response` are bytes of payload."""
    head = _IP[family]
    if method == "fnat":
        bytes_in, bytes_out = head + 40 + 4 * (head + 20) + request, head + 32 + 4 * (head + 20) + response
    else:
        bytes_in, bytes_out = head + 40 + 4 * (head + 32) + request, head + 40 + 4 * (head + 32) + response
    if method in ("dr", "tunnel"):  # the answer does not come back through DPVS
        return Exchange(5, 0, bytes_in, 0)
    return Exchange(5, 5, bytes_in, bytes_out)


def opened(method: str, family: int) -> Exchange:
    """A handshake: SYN, SYN-ACK, ACK."""
    head = _IP[family]
    ack = head + (20 if method == "fnat" else 32)
    out = (0, 0) if method in ("dr", "tunnel") else (1, head + (32 if method == "fnat" else 40))
    return Exchange(2, out[0], head + 40 + ack, out[1])


def refused(method: str, family: int) -> Exchange:
    """A SYN, and the reset that answers it."""
    head = _IP[family]
    if method in ("dr", "tunnel"):
        return Exchange(1, 0, head + 40, 0)
    return Exchange(1, 1, head + 40, head + 20)


def silent(family: int, packets: int = 1) -> Exchange:
    """SYNs that nobody answered."""
    return Exchange(packets, 0, packets * (_IP[family] + 40), 0)


def datagram(family: int, size: int, answer: int | None) -> Exchange:
    """One UDP datagram, and its answer if there was one."""
    head = _IP[family] + 8
    return Exchange(1, 0 if answer is None else 1, head + size, 0 if answer is None else head + answer)


def echo(family: int, answered: bool = True, size: int = 64) -> Exchange:
    """One ICMP echo: 84 bytes each way with ping's default size."""
    length = _IP[family] + size
    return Exchange(1, int(answered), length, length if answered else 0)
