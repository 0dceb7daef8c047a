"""trap, wait, jobs and kill."""

# ruff: noqa: ARG001  (every builtin gets the shell and its arguments)

from __future__ import annotations

from typing import TYPE_CHECKING

from dpvsbook.lab.processes import SIGNALS, Process
from dpvsbook.lab.shell.formats import single_quoted

if TYPE_CHECKING:
    from dpvsbook.lab.shell.run import Shell


def signal_name(number: int) -> str:
    return next((name for name, value in SIGNALS.items() if value == number), str(number))


def signal_number(text: str) -> int | None:
    name = text.upper().removeprefix("SIG")
    return 0 if name in ("EXIT", "0") else SIGNALS.get(name, int(name) if name.isdigit() else None)


def _trap(shell: Shell, argv: list[str]) -> int:
    words = [word for word in argv[1:] if word != "--"]
    if not words:
        for name, action in shell.traps.items():
            shell.descriptors[1].write(f"trap -- {single_quoted(action)} {name}\n")
        return 0
    reset = words[0] == "-" or (len(words) == 1) or words[0].isdigit()
    action = "" if reset else words[0]
    for word in words if reset and words[0] != "-" else words[1:]:
        number = signal_number(word)
        if number is None:
            shell.say(f"trap: {word}: bad trap")
            return 1
        name = "EXIT" if number == 0 else signal_name(number)
        shell.traps.pop(name, None)
        shell.process.trapped.discard(number)
        shell.process.ignored.discard(number)
        if reset:
            continue
        if action:
            shell.traps[name] = action
            shell.process.trapped.add(number)
        elif number:
            shell.process.ignored.add(number)
    return 0


def _wait(shell: Shell, argv: list[str]) -> int:
    wanted = [int(word.lstrip("%")) for word in argv[1:] if word.lstrip("%").isdigit()]
    jobs = [job for job in shell.jobs if not wanted or job.process.pid in wanted]
    for job in jobs:
        while job.status is None:
            shell.process.wait_for(lambda job=job: job.status is not None)  # type: ignore[misc]
        shell.jobs.remove(job)
    if wanted:
        return jobs[-1].status or 0 if jobs and jobs[-1].process.pid == wanted[-1] else 127
    return 0


def _jobs(shell: Shell, argv: list[str]) -> int:
    for index, job in enumerate(shell.jobs, 1):
        state = "Running" if job.status is None else "Done"
        shell.descriptors[1].write(f"[{index}] {state:<24} {job.text}\n")
    shell.jobs = [job for job in shell.jobs if job.status is None]
    return 0


def _kill(shell: Shell, argv: list[str]) -> int:
    words, number = argv[1:], 15
    if words[:1] == ["-l"]:
        shell.descriptors[1].write("\n".join(SIGNALS) + "\n")
        return 0
    if words and words[0].startswith("-") and len(words[0]) > 1:
        given = words[1] if words[0] == "-s" and len(words) > 1 else words[0][1:]
        found = signal_number(given)
        if found is None:
            shell.say(f"kill: invalid signal number or name: {given}")
            return 2
        number, words = found, words[2:] if words[0] == "-s" else words[1:]
    words = [word for word in words if word != "--"]
    if not words:
        shell.say("kill: Usage: kill [-s sigspec | -signum | -sigspec] [pid | job]... or kill -l [exitstatus]")
        return 2
    status = 0
    for word in words:
        process = _target(shell, word)
        if process is None or (shell.uid and process.uid != shell.uid):
            shell.say("kill: Operation not permitted" if process else "kill: No such process")
            status = 1
        elif number:
            process.signal(number)
    shell.process.check()
    return status


def _target(shell: Shell, word: str) -> Process | None:
    if word.startswith("%") and word[1:].isdigit() and int(word[1:]) <= len(shell.jobs):
        return shell.jobs[int(word[1:]) - 1].process
    return shell.system.processes.get(int(word.lstrip("-"))) if word.lstrip("-").isdigit() else None


BUILTINS = {"trap": _trap, "wait": _wait, "jobs": _jobs, "kill": _kill}
