"""The lab of the real thing, on one Linux box, with root: network namespaces, real sshd, real DPVS, real HTTP servers, real curl."""

from dpvsbook.lab.netns.lab import Ended, NetnsLab, down
from dpvsbook.lab.netns.machine import LabError

__all__ = ["Ended", "LabError", "NetnsLab", "down"]
