"""Virtual services, their real servers, and how they are checked."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from dpvsbook.params.base import Model
from dpvsbook.params.types import (
    AccessEntry,
    DestCheck,
    HostAddress,
    Method,
    Name,
    Port,
    Scheduler,
    Seconds,
    Threshold,
    UrlPath,
    Weight,
    Word,
)


class RealServer(Model):
    """One of `host` (its address in a network that it shares with the directors is taken) and `address`. A port is required:
    without one, FULLNAT sends to a port out of thin air (reference F23). `upper`, `lower`: connection thresholds, 0 for none."""

    host: str | None = None
    address: HostAddress | None = None
    port: Port
    weight: Weight = 1
    upper: Threshold = 0
    lower: Threshold = 0


class WanAddress(Model):
    """SNAT: an address that a director sends from. It is that node's alone."""

    director: str
    address: HostAddress
    weight: Weight = 1


class Service(Model):
    """What clients reach. `network` is the side that they come from: the VIP goes on the device there.

    A SNAT service has `match` and `wan` in place of `vip`, `port` and `real_servers`. `lips`: None means every LIP of each director
    whose family is the real servers'. `conn_timeout`, `persistent` in seconds.
    """

    name: Name
    vip: HostAddress | None = None
    network: str
    port: Port | None = None
    protocol: Literal["tcp", "udp", "sctp", "icmp", "icmpv6"] = "tcp"
    match: Word | None = None
    scheduler: Scheduler = "wlc"
    method: Method | None = None
    real_servers: tuple[RealServer, ...] = ()
    wan: tuple[WanAddress, ...] = ()
    lips: tuple[HostAddress, ...] | None = None
    persistent: Seconds | None = None
    netmask: Word | None = None
    ops: bool = False
    synproxy: bool = False
    conn_timeout: Seconds | None = None
    proxy_protocol: Literal["disable", "v1", "v2", "v1-insecure", "v2-insecure"] = "disable"
    expire_quiescent: bool = False
    quic: bool = False
    dest_check: DestCheck | None = None
    hash_target: Literal["sip", "qid"] | None = None
    deny: tuple[AccessEntry, ...] = ()
    allow: tuple[AccessEntry, ...] = ()
    directors: tuple[str, ...] | None = None


class HttpCheck(Model):
    """Requests through every TCP service, one connection each. `client` names the host that sends them; None: the first client."""

    path: UrlPath = "/"
    requests: Annotated[int, Field(ge=1, le=10_000)] = 20
    timeout: Annotated[float, Field(gt=0, le=300)] = 3
    expect_status: Annotated[int, Field(ge=100, le=599)] = 200
    client: str | None = None


class LoadCheck(Model):
    """A load that the client sends while the pictures are taken: `requests` in all, `rate` a second."""

    requests: Annotated[int, Field(ge=1, le=10_000)] = 200
    rate: Annotated[float, Field(gt=0, le=1000)] = 20


class Checks(Model):
    """What is proven at the end. None: not at all."""

    http: HttpCheck | None = None
    load: LoadCheck | None = None
