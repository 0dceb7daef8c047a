"""DPVS's way to an address, of either family."""

from __future__ import annotations

from dpvsbook.lab.dpvs.ip import Ip
from dpvsbook.lab.dpvs.process import Dpvs
from dpvsbook.lab.dpvs.routes import Route
from dpvsbook.lab.dpvs.routes6 import Route6


def output(dpvs: Dpvs, target: Ip) -> Route | Route6 | None:
    """DPVS's way to an address."""
    return dpvs.routes.output(target) if target.family == 4 else dpvs.routes6.output(target)
