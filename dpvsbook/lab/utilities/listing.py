"""ps, pidof and pgrep."""

from __future__ import annotations

import re

from dpvsbook.lab.processes import Process
from dpvsbook.lab.shell.system import Call
from dpvsbook.lab.utilities.options import UsageError, compiled, options


def ps(call: Call) -> int:
    """`ps`, with -e/-A/aux for all, -p PID…, -o with the columns below."""
    words = [word for word in call.argv[1:] if word not in ("-e", "-A", "-ef", "aux", "ax", "-f", "-w", "-ww")]
    everything = len(words) < len(call.argv) - 1
    columns, pids = ["pid", "comm"], None
    while words:
        flag = words.pop(0)
        if flag == "-o" and words:
            columns = words.pop(0).split(",")
        elif flag.startswith("-p"):
            given = flag[2:] or (words.pop(0) if words else "")
            pids = {int(pid) for pid in re.split(r"[ ,]+", given) if pid.isdigit()}
        else:
            raise UsageError(f"unsupported option '{flag}'")
    bare = all(column.endswith("=") for column in columns)
    names = [column.rstrip("=") for column in columns]
    for name in names:
        if name not in ("pid", "ppid", "comm", "args", "user", "uid", "stat"):
            raise UsageError(f'unknown user-defined format specifier "{name}"')
    chosen = [p for p in call.system.processes.all() if (p.pid in pids if pids is not None else everything or p.uid == call.uid)]
    if not bare:
        call.out(" ".join(_column(name, {"comm": "COMMAND", "args": "COMMAND"}.get(name, name.upper())) for name in names) + "\n")
    for process in chosen:
        call.out(" ".join(_column(name, _value(call, process, name)) for name in names) + "\n")
    return int(not chosen)


def _column(name: str, text: str) -> str:
    return text.rjust(7) if name in ("pid", "ppid", "uid") else text if name in ("comm", "args") else text.ljust(8)


def _value(call: Call, process: Process, name: str) -> str:
    return {
        "pid": str(process.pid),
        "ppid": str(process.parent),
        "comm": process.command.split(" ")[0].rsplit("/", 1)[-1].rstrip(":"),
        "args": process.command,
        "user": call.system.user_name(process.uid),
        "uid": str(process.uid),
        "stat": "S",
    }[name]


def _running(call: Call, name: str) -> list[Process]:
    return [p for p in call.system.processes.all() if p.command.split(" ")[0].rsplit("/", 1)[-1].rstrip(":") == name]


def pidof(call: Call) -> int:
    found, words = options(call, "s")
    pids = [str(process.pid) for word in words for process in reversed(_running(call, word))]
    if not pids:
        return 1
    call.out(" ".join(pids[:1] if "-s" in found else pids) + "\n")
    return 0


def pgrep(call: Call) -> int:
    found, words = options(call, "xfl", status=2)
    if len(words) != 1:
        raise UsageError("no matching criteria specified", 2)
    regex = compiled(f"^(?:{words[0]})$" if "-x" in found else words[0])
    chosen = [
        process
        for process in call.system.processes.all()
        if process is not call.process and regex.search(process.command if "-f" in found else _value(call, process, "comm"))
    ]
    call.out("".join(f"{process.pid}\n" for process in chosen))
    return int(not chosen)


TOOLS = {"ps": ps, "pidof": pidof, "pgrep": pgrep}
