"""The steps of the DPVS tutorial, in its order. Each is data plus a pure function; calling one on a book plans it, or does it.

book = dpvsbook.open(params, mode=mode)
steps.address(book)
"""

from dpvsbook.plan import Step
from dpvsbook.steps.address import address
from dpvsbook.steps.laddr import laddr
from dpvsbook.steps.load import load
from dpvsbook.steps.preflight import preflight
from dpvsbook.steps.route import route
from dpvsbook.steps.service import service
from dpvsbook.steps.verify import verify

CONFIGURATION = (address, route, service, laddr)
"""The steps that change a director, in the order in which they have to happen (reference A4, S2)."""

converge = Step("converge", "All of it at once", tuple(kind for step in CONFIGURATION for kind in step.kinds))
"""The four steps as one plan: one round trip applies it. For a batch; an operator's notebook takes them one by one."""

__all__ = ["CONFIGURATION", "address", "converge", "laddr", "load", "preflight", "route", "service", "verify"]
