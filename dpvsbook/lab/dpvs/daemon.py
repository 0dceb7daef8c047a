"""The program `dpvs` itself, as far as a command line goes: its version, its help, and that it is running already.

Starting one is the business of whoever owns the machine; see `Dpvs`.
"""

from __future__ import annotations

from dpvsbook.lab.dpvs.process import V1_10, Dpvs
from dpvsbook.lab.dpvs.sockopt import Writer

USAGE = """
Usage: dpvs [-c CONF] [-p PIDFILE] [-x SOCKET] [-- EAL OPTIONS]
   -v, --version    show the version
   -c, --conf       configuration file
   -p, --pid-file   where to write the process id
   -x, --ipc-file   the socket that dpip and ipvsadm talk to
   -h, --help       this help
"""


def main(dpvs: Dpvs | None, argv: list[str], out: Writer, err: Writer) -> int:
    """Run `dpvs` with options that only ask; anything else says what a second start says."""
    version = dpvs.version if dpvs is not None else V1_10
    if argv[1:2] in (["-v"], ["--version"]):
        err(f"dpvs version: {version.name}, build on {version.built}\n")
        return 0
    if argv[1:2] in (["-h"], ["--help"]):
        err(USAGE)
        return 0
    if dpvs is not None and dpvs.running:
        out("dpvs is already running\n")
        return 0
    err("dpvs: starting it from a command line is not implemented in this lab\n")
    return 1
