"""date, id, env, timeout, sh and their like: the host, its users, and programs that run others."""

from __future__ import annotations

import re
import shlex
import threading
import time

from dpvsbook.lab.processes import Killed, Process
from dpvsbook.lab.shell import builtins, signals
from dpvsbook.lab.shell.formats import printf as format_text
from dpvsbook.lab.shell.run import Shell
from dpvsbook.lab.shell.streams import Text
from dpvsbook.lab.shell.system import Call
from dpvsbook.lab.utilities.options import UsageError, number, options


def date(call: Call) -> int:
    words = list(call.argv[1:])
    utc = bool({"-u", "--utc"} & set(words))
    words = [word for word in words if word not in ("-u", "--utc")]
    if any(not word.startswith("+") for word in words):
        raise UsageError(f"invalid date '{words[0]}'")
    now = time.time_ns()
    fields = time.gmtime(now // 10**9) if utc else time.localtime(now // 10**9)
    template = words[0][1:] if words else "%a %b %e %H:%M:%S %Z %Y"

    def one(match: re.Match[str]) -> str:
        letter = match[0][-1]
        if letter == "N":
            return f"{now % 10**9:09d}"[: int(match[1] or 9)]
        return str(now // 10**9) if letter == "s" else time.strftime(f"%{letter}", fields)

    call.out(re.sub(r"%(\d?)([a-zA-Z%])", one, template) + "\n")
    return 0


def hostname(call: Call) -> int:
    found, words = options(call, "sfi")
    if words:
        raise (
            UsageError("you must be root to change the host name")
            if call.uid
            else UsageError("changing the name is not possible in the lab")
        )
    call.out(f"{call.system.hostname}\n" if "-i" not in found else "127.0.1.1\n")
    return 0


def uname(call: Call) -> int:
    found, _ = options(call, "asnrvmpio")
    values = {
        "-s": "Linux",
        "-n": call.system.hostname,
        "-r": "6.1.0-lab",
        "-v": "#1 SMP dpvsbook emulated lab",
        "-m": "x86_64",
        "-o": "GNU/Linux",
    }
    wanted = list(values) if "-a" in found else [flag for flag in values if flag in found] or ["-s"]
    call.out(" ".join(values[flag] for flag in wanted) + "\n")
    return 0


def id_(call: Call) -> int:
    found, words = options(call, "ugnGr")
    name = call.system.user_name(call.uid)
    if words and words[0] != name:
        return call.fail(f"'{words[0]}': no such user")
    if not found:
        call.out(f"uid={call.uid}({name}) gid={call.uid}({name}) groups={call.uid}({name})\n")
    else:
        call.out(f"{name if '-n' in found else call.uid}\n")
    return 0


def whoami(call: Call) -> int:
    call.out(call.system.user_name(call.uid) + "\n")
    return 0


def sleep(call: Call) -> int:
    total = 0.0
    for word in call.argv[1:]:
        match = re.fullmatch(r"(\d*\.?\d+|\d+\.)([smhd]?)", word)
        if match is None:
            raise UsageError(f"invalid time interval '{word}'")
        total += float(match[1]) * {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400}[match[2]]
    if len(call.argv) < 2:
        raise UsageError("missing operand")
    call.process.sleep(total)
    return 0


def env(call: Call) -> int:
    found, words = options(call, "iu:", first=True)
    environment = {} if "-i" in found else dict(call.environment)
    environment.pop(found.get("-u", ""), None)
    while words and "=" in words[0]:
        name, _, value = words.pop(0).partition("=")
        environment[name] = value
    if words:
        return call.spawn(words, environment=environment)
    call.out("".join(f"{name}={value}\n" for name, value in environment.items()))
    return 0


def printenv(call: Call) -> int:
    names = call.argv[1:]
    for name in names or call.environment:
        if name in call.environment:
            call.out(f"{call.environment[name]}\n" if names else f"{name}={call.environment[name]}\n")
    return int(any(name not in call.environment for name in names))


def nohup(call: Call) -> int:
    call.process.ignored.add(1)
    return call.spawn(call.argv[1:]) if len(call.argv) > 1 else call.fail("missing operand", 125)


def timeout(call: Call) -> int:
    found, words = options(call, "s:k:", first=True, status=125)
    if len(words) < 2:
        raise UsageError("missing operand", 125)
    match = re.fullmatch(r"(\d*\.?\d+)([smh]?)", words[0])
    number = signals.signal_number(found.get("-s", "TERM"))
    if match is None or number is None:
        raise UsageError(f"invalid time interval '{words[0]}'", 125)
    seconds = float(match[1]) * {"": 1, "s": 1, "m": 60, "h": 3600}[match[2]]
    child = call.system.processes.spawn(shlex.join(words[1:]), parent=call.process.pid, uid=call.uid)
    from dataclasses import replace

    timer = threading.Timer(seconds, child.signal, (number,))
    timer.start()
    try:
        return replace(call, process=child).spawn(words[1:])
    except Killed as killed:
        return 124 if killed.number != 9 else 137
    finally:
        timer.cancel()
        call.system.processes.remove(child)


def xargs(call: Call) -> int:
    found, words = options(call, "n:I:P:r0", first=True)
    text = call.stdin.read()
    if "-I" in found:
        lines = [line for line in text.split("\n") if line]
        batches = [[word.replace(found["-I"], line) for word in words] for line in lines]
    else:
        items = text.split("\0")[:-1] if "-0" in found else shlex.split(text)
        if not items and "-r" in found:
            return 0
        size = number(found.get("-n", "0")) or max(1, len(items))
        batches = [[*(words or ["echo"]), *items[at : at + size]] for at in range(0, max(1, len(items)), size)]
    status = 0
    for batch in batches:
        status = 123 if call.spawn(batch) else status
    return status


def _as_builtin(call: Call) -> int:
    """A builtin called as a program (by env, xargs, sudo, timeout, or with its path)."""
    shell = _shell(call, "sh", ())
    return builtins.BUILTINS[call.name](shell, [call.name, *call.argv[1:]])


def printf(call: Call) -> int:
    if len(call.argv) < 2:
        raise UsageError("missing operand")
    text, complaint = format_text(call.argv[1], list(call.argv[2:]))
    call.out(text)
    return call.fail(complaint) if complaint else 0


def _shell(call: Call, name: str, arguments: tuple[str, ...], options: str = "", process: Process | None = None) -> Shell:
    return Shell(
        call.system,
        process or call.process,
        stdin=call.stdin,
        stdout=call.stdout,
        stderr=call.stderr,
        uid=call.uid,
        cwd=call.cwd,
        environment=call.environment,
        name=name,
        arguments=arguments,
        options=options,
    )


def sh(call: Call) -> int:
    """sh, dash and bash: -c, -s, a script file; -e -u -x -C -f, -l."""
    words, flags, script = list(call.argv[1:]), "", None
    read_stdin = False
    while words and re.match(r"-\w", words[0]):
        letters = words.pop(0)[1:]
        if "c" in letters:
            if not words:
                return call.fail("0: -c requires an argument", 2)
            script = words.pop(0)
        read_stdin = read_stdin or "s" in letters
        flags += re.sub("[csli]", "", letters)
    words = words[words[:1] == ["--"] :]
    name = call.name
    source = call.stdin
    if script is not None:
        name, source, words = (words[0] if words else name), Text(script), words[1:]
    elif words and not read_stdin:
        name = words.pop(0)
        try:
            source = call.system.files.open_read(name, call.cwd, uid=call.uid)
        except OSError as error:
            return call.fail(
                f"0: cannot open {name}: {'No such file' if error.errno == 2 else error.strerror}", 127 if error.errno == 2 else 126
            )
    process = call.system.processes.spawn(shlex.join(call.argv), parent=call.process.pid, uid=call.uid)
    call.process.on_signal.append(process.signal)
    try:
        shell = _shell(call, name, tuple(words), flags, process)
        shell.flavour = "bash" if call.name == "bash" else "sh"
        return shell.run_script(source.readline)
    except Killed as killed:
        call.process.check()
        return killed.status
    finally:
        call.process.on_signal.remove(process.signal)
        call.system.processes.remove(process)


def which(call: Call) -> int:
    status = 0
    for word in call.argv[1:]:
        path = call.system.has(word, call.cwd, call.environment.get("PATH", ""), call.uid)
        if path is None:
            status = 1
        else:
            call.out(f"{path}\n")
    return status


def _nothing(_: Call) -> int:
    """sync: the lab's files are in memory."""
    return 0


TOOLS = {
    "date": date,
    "hostname": hostname,
    "uname": uname,
    "id": id_,
    "whoami": whoami,
    "sleep": sleep,
    "env": env,
    "printenv": printenv,
    "nohup": nohup,
    "timeout": timeout,
    "xargs": xargs,
    "printf": printf,
    "sh": sh,
    "dash": sh,
    "bash": sh,
    "which": which,
    "sync": _nothing,
    **dict.fromkeys(("echo", "true", "false", "test", "[", "kill", "pwd"), _as_builtin),
}
