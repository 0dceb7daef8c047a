"""The tool `dpip`."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from dpvsbook.lab.dpvs import errors
from dpvsbook.lab.dpvs.dpip import addr, ipset, link, neigh, route, small, tc, tunnel, vlan
from dpvsbook.lab.dpvs.dpip.args import OptionError, Options, parse
from dpvsbook.lab.dpvs.dpip.call import Call, Fail, NotHere
from dpvsbook.lab.dpvs.process import V1_10, Dpvs
from dpvsbook.lab.dpvs.sockopt import Wire, Writer

#: object -> what carries it out, and its help
OBJECTS: dict[str, tuple[Callable[[Call], None], str]] = {
    "link": (link.run, link.USAGE),
    "addr": (addr.run, addr.USAGE),
    "route": (route.run, route.USAGE),
    "neigh": (neigh.run, neigh.USAGE),
    "vlan": (vlan.run, vlan.USAGE),
    "tunnel": (tunnel.run, tunnel.USAGE),
    "qsch": (tc.qsch, tc.QSCH_USAGE),
    "cls": (tc.cls, tc.CLS_USAGE),
    "ipv6": (small.ipv6, small.IPV6_USAGE),
    "iftraf": (small.iftraf, small.IFTRAF_USAGE),
    "eal-mem": (small.eal_mem, small.EAL_MEM_USAGE),
    "ipset": (ipset.run, ipset.USAGE),
    "flow": (small.flow, small.FLOW_USAGE),
    "maddr": (small.maddr, small.MADDR_USAGE),
    "lldp": (small.lldp, small.LLDP_USAGE),
}
_COMMANDS = {
    "create": "create", "destroy": "destroy", "enable": "enable", "disable": "disable", "add": "add", "del": "del", "set": "set",
    "change": "set", "show": "show", "list": "show", "replace": "replace", "flush": "flush", "test": "test", "help": "help",
}  # fmt: skip
USAGE = f"""Usage:
    dpip [OPTIONS] OBJECT COMMAND ...
    dpip OBJECT help
Objects:  {" ".join(OBJECTS)}
Commands: {" ".join(_COMMANDS)}
Options:  -4 -6 (or -f inet|inet6) the family, -s statistics, -v more, -i SECONDS -c TIMES rates, -F force,
          -h help, -V version
"""


def main(dpvs: Dpvs | None, argv: list[str], stdin: str, out: Writer, err: Writer, env: Mapping[str, str]) -> int:  # noqa: ARG001
    """Run dpip. `argv[0]` is its name as typed; `dpvs` None is one that doesn't run. Returns the exit status, 0 or 1.

    Standard output comes in one piece at the end, as from any program that writes into a pipe; errors come at once.
    """
    # dpip cuts its own name at the first slash: what is before begins the option errors, what is behind all others
    before, slash, behind = argv[0].partition("/")
    program = behind if slash else before
    try:
        options = parse([before, *argv[1:]])
    except OptionError as error:
        err(str(error))
        return 1
    if len(argv) <= 1:
        err(USAGE)
        return 0
    if options.version:
        out(f"dpip-{(dpvs.version if dpvs is not None else V1_10).name}\n")
        return 0
    if not options.words:
        err(USAGE)
        return 1
    if options.count and not options.interval:
        err("missing option '-i'\n")
    printed: list[str] = []
    status = _run(Wire(dpvs, err, env), program, options, printed, err)
    if printed:
        out("".join(printed))
    return status


def _run(wire: Wire, program: str, options: Options, printed: list[str], err: Writer) -> int:
    name, *words = options.words
    carry_out, usage = OBJECTS.get(name, (None, USAGE))
    if options.help or not words:
        err(usage)
        return 1
    command = _COMMANDS.get(words[0])
    if command is None:
        err(f"invalid command {words[0]}\n")
        return 1
    if carry_out is None:
        err(f"{program}: invalid object, use `-h' for help.\n")
        return 1
    if command == "help":
        err(usage)
        return 0
    try:
        carry_out(Call(wire, printed.append, err, command, words[1:], options))
    except NotHere as what:
        err(f"{program}: {what} is not implemented in this lab\n")
        return 1
    except errors.Refused as refusal:
        err(f"{program}: {errors.text(refusal.code)}\n")
        return 1
    except Fail as end:
        if end.message:
            err(f"{end.message}\n")
        stage = f"{end.stage}: " if end.stage else ""
        err(f"{program}: {stage}{errors.text(end.code)}\n")
        return 1
    return 0
