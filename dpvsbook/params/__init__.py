"""Params: the one file that says what a cluster is. `load` checks it whole before any host is touched."""

from __future__ import annotations

from dpvsbook.params.load import load, parse
from dpvsbook.params.model import Device, Director, HostParams, HostRoute, Interface, Lip, Network, Params, RouteParams, Ssh
from dpvsbook.params.schema import schema
from dpvsbook.params.services import Checks, HttpCheck, LoadCheck, RealServer, Service, WanAddress

__all__ = [
    "Checks",
    "Device",
    "Director",
    "HostParams",
    "HostRoute",
    "HttpCheck",
    "Interface",
    "Lip",
    "LoadCheck",
    "Network",
    "Params",
    "RealServer",
    "RouteParams",
    "Service",
    "Ssh",
    "WanAddress",
    "load",
    "parse",
    "schema",
]
