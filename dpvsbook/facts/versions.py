"""Versions: DPVS names itself in four ways, and only the first two are of use.

dpvs -v       dpvs version: 1.10-2, build on 2026.11.22.19:47:08      the daemon's binary (on standard error)
dpip -V       dpip-1.10-2                                             the tools
ipvsadm -ln   IP Virtual Server version 1.10.2 (size=0)               the running daemon, whatever the tool's version
ipvsadm -v    ipvsadm v1.27 2008/5/15 (compiled with popt and IPVS v1.9.2)   the same text on every version: says nothing

parse -> Version(tool="dpvs", version="1.10-2")
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from dpvsbook.facts.lines import Lines

COMMAND = ("dpvs", "-v")
COMMAND_DPIP = ("dpip", "-V")
COMMAND_IPVSADM = ("ipvsadm", "-v")

BANNER = re.compile(r"IP Virtual Server version (?P<version>\d+\.\d+\.\d+) \(size=\d+\)", re.A)
"""The first line of every `ipvsadm -ln` of all services."""

_DPVS = re.compile(r"dpvs version: (?P<version>\d+\.\d+(?:-\d+|\.\d+)?(?:-[!-~]+)?), build on (?P<build>[!-~]+)", re.A)
_DPIP = re.compile(r"dpip-(?P<version>\d+\.\d+(?:-\d+|\.\d+)?(?:-[!-~]+)?)", re.A)
_IPVSADM = re.compile(r"ipvsadm v(?P<version>\d+\.\d+) [!-~]+ \(compiled with popt and IPVS v\d+\.\d+\.\d+\)", re.A)
_TOOLS = (("dpvs", _DPVS), ("dpip", _DPIP), ("ipvsadm", _IPVSADM), ("daemon", BANNER))


@dataclass(frozen=True, slots=True)
class Version:
    """Who said it ("dpvs", "dpip", "ipvsadm", "daemon" for the banner line), which version, and when it was built, if said."""

    tool: str
    version: str
    build: str = ""


def parse(text: str) -> tuple[Version, ...]:
    """One version per line, from any of the four. Raises ParseError, also for no line at all."""
    lines = Lines("versions", text)
    found: list[Version] = []
    while lines or not found:
        for tool, pattern in _TOOLS:
            if match := lines.take(pattern):
                found.append(Version(tool, match["version"], match.groupdict().get("build") or ""))
                break
        else:
            raise lines.unknown()
    return tuple(found)


def release(version: str) -> str:
    """`1.10-2` and `1.10.2` are the same release: "1.10.2"."""
    return version.replace("-", ".")
