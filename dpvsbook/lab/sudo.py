"""`sudo` for the login users of a lab: without a password unless the params name one."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from dpvsbook.lab.shell.system import Call
from dpvsbook.lab.utilities.options import options

if TYPE_CHECKING:
    from dpvsbook.lab.machines import Machine

TRIES = 3


def sudo(call: Call) -> int:
    machine = cast("Machine", call.system)
    found, words = options(call, "nSHEkp:u:is", first=True)
    name = found.get("-u", "root")
    uid = machine.uid_of(name)
    if uid is None:
        return call.fail(f"unknown user: {name}")
    password = machine.spec.sudo_password
    if call.uid and password and not _authenticated(call, password, found):
        return 1
    home = machine.home(uid)
    environment = {name: value for name, value in call.environment.items() if name in ("PATH", "LANG", "LC_ALL", "TERM") or "-E" in found}
    while words and "=" in words[0].split("/")[0]:
        key, _, value = words.pop(0).partition("=")
        environment[key] = value
    environment.update(SUDO_USER=machine.user_name(call.uid), USER=name, LOGNAME=name, HOME=home)
    if "-i" in found or "-s" in found:
        words = ["bash", *(["-c", " ".join(words)] if words else [])]
    if not words:
        call.err(
            "usage: sudo -h | -K | -k | -V\nusage: sudo [-ABbEHkNnPS] [-p prompt] [-u user] [VAR=value] [-i | -s] [command [arg ...]]\n"
        )
        return 1
    if machine.has(words[0], call.cwd, call.environment.get("PATH", ""), uid) is None:
        return call.fail(f"{words[0]}: command not found", 1)
    return call.spawn(words, environment=environment, uid=uid)


def _authenticated(call: Call, password: str, found: dict[str, str]) -> bool:
    if "-n" in found:
        call.fail("a password is required")
        return False
    if "-S" not in found and not call.stdin.tty:
        call.fail(
            "a terminal is required to read the password; either use the -S option to read from standard input "
            "or configure an askpass helper"
        )
        call.fail("a password is required")
        return False
    prompt = found.get("-p", f"[sudo] password for {call.system.user_name(call.uid)}: ")
    for attempt in range(TRIES):
        call.err(prompt)
        line = call.stdin.readline()
        if not line:
            call.fail("no password was provided" if not attempt else f"{attempt} incorrect password attempt{'s' if attempt > 1 else ''}")
            if not attempt:
                call.fail("a password is required")
            return False
        if line.rstrip("\r\n") == password:
            return True
        if attempt < TRIES - 1:
            call.err("Sorry, try again.\n")
    call.fail(f"{TRIES} incorrect password attempts")
    return False
