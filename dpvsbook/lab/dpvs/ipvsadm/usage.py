"""The help of ipvsadm, in our words: what there is to type."""

from __future__ import annotations

from dpvsbook.lab.dpvs.ipvsadm.popt import NONE, OPTIONAL, TABLE

VERSION = "ipvsadm v1.27 2008/5/15 (compiled with popt and IPVS v1.9.2)\n"


def usage(program: str) -> str:
    """What `ipvsadm -h` prints."""
    lines = [f"Usage:\n  {program} COMMAND [OPTION]...\n\nCommands and options, long and short:\n"]
    for name, short, kind, _ in TABLE:
        value = "" if kind == NONE else (f" [{name.upper()}]" if kind == OPTIONAL else f" {name.upper()}")
        lines.append(f"  --{name + value:<34}{'-' + short if short else ''}".rstrip() + "\n")
    return VERSION + "".join(lines)
