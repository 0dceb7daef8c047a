"""Pictures: the topology out of the params (SVG), figures out of data frames (plotly). plotly is imported only when a figure is made."""

from __future__ import annotations

from dpvsbook.plots.figures import lip_ports, requests, shares, warm_up
from dpvsbook.plots.topology import topology

__all__ = ["lip_ports", "requests", "shares", "topology", "warm_up"]
