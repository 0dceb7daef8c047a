"""Evaluates the syntax tree. One Shell is one shell process; a subshell is a copy of it."""

from __future__ import annotations

import copy
import errno
import os
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from dpvsbook.lab.processes import Killed, Process
from dpvsbook.lab.shell import builtins, expand, pattern, signals
from dpvsbook.lab.shell.parser import Parser
from dpvsbook.lab.shell.streams import Capture, Null, Pipe, Stream, Text, decode, encode
from dpvsbook.lab.shell.syntax import (
    AndOr,
    AnyRedirection,
    Case,
    Command,
    For,
    Function,
    Group,
    HereDocument,
    If,
    Item,
    Pipeline,
    Redirected,
    Sequence,
    Simple,
    Subshell,
    While,
)
from dpvsbook.lab.shell.system import Call, System
from dpvsbook.lab.shell.words import ShellSyntaxError

DEFAULT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
MAX_DEPTH = 200


class ExitShell(Exception):
    def __init__(self, status: int) -> None:
        super().__init__(status)
        self.status = status


class ReturnFrom(ExitShell):
    pass


class LoopControl(Exception):
    def __init__(self, levels: int, *, again: bool) -> None:
        super().__init__(levels)
        self.levels, self.again = levels, again


class RedirectionError(Exception):
    pass


@dataclass(slots=True)
class Job:
    """A command in the background; `status` is None while it runs."""

    process: Process
    text: str
    status: int | None = None


class Shell:
    """`flavour`: "sh" speaks like dash, "bash" (the login shell) words its errors as bash does."""

    def __init__(
        self,
        system: System,
        process: Process,
        *,
        stdin: Stream,
        stdout: Stream,
        stderr: Stream,
        uid: int = 0,
        cwd: str = "/",
        environment: Mapping[str, str] | None = None,
        name: str = "sh",
        arguments: tuple[str, ...] = (),
        options: str = "",
    ) -> None:
        self.system, self.process, self.uid, self.cwd = system, process, uid, cwd
        self.descriptors: dict[int, Stream] = {0: stdin, 1: stdout, 2: stderr}
        self.variables: dict[str, str] = {"IFS": " \t\n", "PATH": DEFAULT_PATH, "PWD": cwd, **(environment or {})}
        self.exported: set[str] = {"PATH", "PWD", *(environment or {})}
        self.readonly: set[str] = set()
        self.name, self.arguments, self.options = name, list(arguments), set(options)
        self.flavour = "bash" if "bash" in name else "sh"
        self.functions: dict[str, Command] = {}
        self.traps: dict[str, str] = {}
        self.jobs: list[Job] = []
        self.status, self.last_background, self.line = 0, 0, 1
        self.pid = process.pid
        self.interactive = "i" in options
        self._tested = 0  # > 0: a failing command doesn't end the script under `set -e`
        self._depth = 0
        self._substituted: int | None = None
        self._in_trap = False
        self._owner = True

    # ---- scripts

    def run_script(self, readline: Callable[[], str], *, prompt: Callable[[bool], None] | None = None) -> int:
        """Commands as they come, until the end of the input; then the EXIT trap. The exit status."""
        parser = Parser(self._prompting(readline, prompt) if prompt else readline)
        self._parser = parser
        try:
            try:
                self._commands(parser)
            except ExitShell as leaving:
                self.status = leaving.status
            except LoopControl:
                pass
            self.run_exit_trap()
        except Killed as killed:
            if self.flavour == "bash" and killed.number not in (9, 13):
                self.process.forget()
                self.run_exit_trap()
            raise
        return self.status

    def _prompting(self, readline: Callable[[], str], prompt: Callable[[bool], None]) -> Callable[[], str]:
        def prompted() -> str:
            prompt(self._parser.inside)
            return readline()

        return prompted

    def _commands(self, parser: Parser) -> None:
        while True:
            try:
                command = parser.command()
                if command is None:
                    self._between()
                    return
                self.execute(command)
            except ShellSyntaxError as error:
                self.say(f"Syntax error: {error.what}", error.line)
                self.status = 2
                if not self.interactive:
                    return
                parser.resynchronise()
            except Killed as killed:
                if not self.interactive or killed.number != 2:
                    raise
                self.process.forget()
                self.status = 130
                self.descriptors[2].write("\n")
                parser.resynchronise()
            except LoopControl:
                self.status = 0

    def run_text(self, text: str) -> int:
        """A script in this very shell (eval, `.`, traps)."""
        parser = Parser(Text(text).readline)
        try:
            while (command := parser.command()) is not None:
                self.execute(command)
        except ShellSyntaxError as error:
            self.say(f"Syntax error: {error.what}", error.line)
            raise ExitShell(2) from None
        return self.status

    def run_exit_trap(self) -> None:
        if action := self.traps.pop("EXIT", ""):
            status = self.status
            try:
                self.run_text(action)
                self.status = status
            except ExitShell as leaving:
                self.status = leaving.status

    def _between(self) -> None:
        """Between commands: signals that came. A trap is the business of the shell that the process belongs to, not of its subshells."""
        self.process.check()
        number = self.process.take_trapped() if self._owner and not self._in_trap else None
        if number is None:
            return
        status, self._in_trap = self.status, True
        try:
            self.run_text(self.traps.get(signals.signal_name(number), ""))
        finally:
            self._in_trap = False
        self.status = status

    def say(self, message: str, line: int | None = None) -> None:
        where = self.line if line is None else line
        text = f"{self.name}: line {where}: {message}\n" if self.flavour == "bash" else f"{self.name}: {where}: {message}\n"
        if self.interactive:
            text = f"{self.name}: {message}\n"
        try:
            self.descriptors[2].write(text)
        except BrokenPipeError:
            self._broken_pipe()

    def _broken_pipe(self) -> None:
        """SIGPIPE: ends the shell unless it is trapped or ignored."""
        if 13 in self.process.ignored:
            return
        if "PIPE" not in self.traps:
            raise Killed(13) from None
        self.process.signal(13)

    # ---- lists and pipelines

    def execute(self, sequence: Sequence) -> int:
        for item in sequence.items:
            self._between()
            if item.background:
                self._start(item)
            else:
                self._and_or(item.command)
        return self.status

    def _start(self, item: Item) -> None:
        shell = self.subshell(new_process=item.text)
        if not self.interactive:
            shell.process.ignored.add(2)
        shell.descriptors[0] = Null() if shell.descriptors[0] is self.descriptors[0] else shell.descriptors[0]
        job = Job(shell.process, item.text)
        self.jobs.append(job)
        self.last_background = shell.process.pid
        self.status = 0

        def work() -> None:
            status = shell.isolated(lambda: shell._and_or(item.command))
            with self.process.changed:
                job.status = status
                self.process.changed.notify_all()
            self.system.processes.remove(shell.process)

        threading.Thread(target=work, name=f"{self.system.hostname}:{item.text[:30]}", daemon=True).start()

    def _and_or(self, node: AndOr) -> int:
        last = len(node.rest) - 1
        self._pipeline(node.first, tested=bool(node.rest))
        for index, (operator, pipeline) in enumerate(node.rest):
            if (self.status == 0) == (operator == "&&"):
                self._pipeline(pipeline, tested=index < last)
        return self.status

    def _pipeline(self, node: Pipeline, *, tested: bool) -> None:
        started = time.monotonic()
        tested = tested or node.negated
        self._tested += tested
        try:
            if len(node.commands) == 1:
                self._command(node.commands[0])
            elif node.commands:
                self.status = self._piped(node.commands)
        finally:
            self._tested -= tested
        if node.timed:
            self._report_time(time.monotonic() - started)
        if node.negated:
            self.status = int(self.status == 0)
        elif self.status and "e" in self.options and not tested and not self._tested:
            raise ExitShell(self.status)

    def _report_time(self, seconds: float) -> None:
        def shown(value: float) -> str:
            return f"{int(value // 60)}m{value % 60:.3f}s"

        # A command of the lab costs no time of its own to speak of, so user and sys are not made up.
        self.descriptors[2].write(f"\nreal\t{shown(seconds)}\nuser\t{shown(0)}\nsys\t{shown(0)}\n")

    def _piped(self, commands: tuple[Command, ...]) -> int:
        threads = []
        upstream: Pipe | None = None
        for command in commands[:-1]:
            shell, pipe = self.subshell(), Pipe()
            if upstream is not None:
                shell.descriptors[0] = upstream
            shell.descriptors[1] = pipe
            thread = threading.Thread(target=_stage, args=(shell, command, upstream, pipe), daemon=True)
            threads.append(thread)
            thread.start()
            upstream = pipe
        last = self.subshell()
        last.descriptors[0] = upstream or Null()
        status = _stage(last, commands[-1], upstream, None)
        for thread in threads:
            thread.join()
        self.process.check()
        return status

    def subshell(self, new_process: str = "") -> Shell:
        """A copy: what it changes stays in it. With a text, as a process of its own."""
        shell = copy.copy(self)
        shell.descriptors = dict(self.descriptors)
        shell.variables, shell.exported, shell.readonly = dict(self.variables), set(self.exported), set(self.readonly)
        shell.arguments, shell.options, shell.functions = list(self.arguments), set(self.options), dict(self.functions)
        shell.traps, shell.jobs = {}, []
        shell.interactive = False
        shell._owner = bool(new_process)
        if new_process:
            shell.process = self.system.processes.spawn(new_process, parent=self.process.pid, uid=self.uid)
        return shell

    def isolated(self, work: Callable[[], object]) -> int:
        """Runs `work` as a process of its own would: whatever ends it, only its status comes out."""
        try:
            try:
                work()
            except (ExitShell, Killed) as leaving:
                self.status = leaving.status
            except LoopControl:
                pass
            except expand.ExpansionError as error:
                self.say(str(error))
                self.status = 2
            self.run_exit_trap()
        except BrokenPipeError:
            self.status = 141
        except (ExitShell, Killed) as leaving:
            self.status = leaving.status
        return self.status

    def substitute(self, script: Sequence) -> str:
        shell, capture = self.subshell(), Capture()
        shell.descriptors[1] = capture
        self._substituted = shell.isolated(lambda: shell.execute(script))
        self.process.check()
        text = capture.text.rstrip("\n").replace("\0", "")
        return text if text.isascii() else decode(encode(text))

    # ---- commands

    def _command(self, command: Command) -> None:
        self._depth += 1
        if self._depth > MAX_DEPTH:
            self._depth = 0
            self.say("maximum function nesting exceeded")
            raise ExitShell(2)
        try:
            self._dispatch(command)
        except expand.ExpansionError as error:
            self.say(str(error))
            self.status = 2
            if not self.interactive:
                raise ExitShell(2) from None
        finally:
            self._depth = max(0, self._depth - 1)

    def _dispatch(self, command: Command) -> None:
        match command:
            case Simple():
                self._simple(command)
            case Group(body):
                self.execute(body)
            case Subshell(body):
                shell, trapped, ignored = self.subshell(), set(self.process.trapped), set(self.process.ignored)
                self.status = shell.isolated(lambda: shell.execute(body))
                self.process.trapped, self.process.ignored = trapped, ignored
                self.process.check()
            case If():
                self._if(command)
            case For():
                self._for(command)
            case While():
                self._while(command)
            case Case():
                self._case(command)
            case Function(name, definition):
                self.functions[name] = definition
                self.status = 0
            case Redirected(inner, redirections):
                saved = self.descriptors
                try:
                    self.descriptors = self._redirected(redirections)
                    self._command(inner)
                except RedirectionError as error:
                    self.say(str(error))
                    self.status = 1 if self.flavour == "bash" else 2
                finally:
                    self.descriptors = saved

    def _if(self, node: If) -> None:
        for condition, body in node.branches:
            if self._holds(condition):
                self.execute(body)
                return
        self.status = 0
        if node.otherwise is not None:
            self.execute(node.otherwise)

    def _holds(self, condition: Sequence) -> bool:
        self._tested += 1
        try:
            return self.execute(condition) == 0
        finally:
            self._tested -= 1

    def _for(self, node: For) -> None:
        words = self.arguments if node.words is None else expand.fields(self, node.words)
        self.status = 0
        for word in list(words):
            self.assign(node.name, word)
            if self._once(node.body):
                break

    def _while(self, node: While) -> None:
        status = 0
        while self._holds(node.condition) != node.until:
            leave = self._once(node.body)
            status = self.status
            if leave:
                break
        self.status = status

    def _once(self, body: Sequence) -> bool:
        """One turn of a loop; True when `break` ends it."""
        try:
            self.execute(body)
        except LoopControl as control:
            if control.levels > 1:
                raise LoopControl(control.levels - 1, again=control.again) from None
            self.status = 0
            return not control.again
        return False

    def _case(self, node: Case) -> None:
        subject = expand.string(self, node.subject)
        self.status = 0
        for patterns, body in node.branches:
            if any(pattern.matches(expand.as_pattern(self, word), subject) for word in patterns):
                self.execute(body)
                return

    # ---- simple commands

    def _simple(self, node: Simple) -> None:
        self.line = node.line
        self._substituted = None
        argv = expand.fields(self, node.words)
        saved = self.descriptors
        outer: dict[str, tuple[str | None, bool]] = {}
        try:
            if node.redirections:
                self.descriptors = self._redirected(node.redirections)
            values = [(name, expand.string(self, word)) for name, word in node.assignments]
            if "x" in self.options:
                saved[2].write(" ".join(["+", *(f"{name}={value}" for name, value in values), *argv]) + "\n")
            if not argv:
                for name, value in values:
                    self.assign(name, value)
                self.status = self._substituted or 0
                return
            if argv[0] == "exec" and len(argv) == 1:
                saved = self.descriptors  # `exec >file`: they stay
            if argv[0] in self.functions or argv[0] in builtins.BUILTINS:
                for name, value in values:
                    if argv[0] not in builtins.SPECIAL:
                        outer.setdefault(name, (self.variables.get(name), name in self.exported))
                    self.assign(name, value, export=argv[0] not in builtins.SPECIAL)
                self.status = self._internal(argv)
            else:
                self.status = self._external(argv, dict(values))
        except RedirectionError as error:
            self.say(str(error))
            self.status = 1 if self.flavour == "bash" else 2
            if argv and argv[0] in builtins.SPECIAL and self.flavour != "bash" and not self.interactive:
                raise ExitShell(2) from None
        finally:
            self.descriptors = saved
            for name, (before, exported) in outer.items():
                self.variables.pop(name, None)
                if before is not None:
                    self.variables[name] = before
                if not exported:
                    self.exported.discard(name)

    def _internal(self, argv: list[str]) -> int:
        if argv[0] not in self.functions:
            try:
                return builtins.BUILTINS[argv[0]](self, argv)
            except BrokenPipeError:
                self._broken_pipe()
                return 1
            except OSError as error:
                self.say(f"{argv[0]}: {_reason(error)}" if self.flavour == "bash" else f"{argv[0]}: I/O error")
                return 1
        outer, self.arguments = self.arguments, argv[1:]
        try:
            self._command(self.functions[argv[0]])
        except ReturnFrom as leaving:
            self.status = leaving.status
        finally:
            self.arguments = outer
        return self.status

    def _external(self, argv: list[str], values: Mapping[str, str]) -> int:
        self._between()
        if self.system.has(argv[0], self.cwd, values.get("PATH", self.variables.get("PATH", "")), self.uid) is None and "/" not in argv[0]:
            self.say(f"{argv[0]}: command not found" if self.flavour == "bash" else f"{argv[0]}: not found")
            return 127
        return self.system.run(self.call(argv, values))

    def call(self, argv: list[str], values: Mapping[str, str] | None = None) -> Call:
        environment = {name: self.variables[name] for name in self.exported if name in self.variables}
        environment.update(values or {})
        return Call(
            self.system,
            self.process,
            tuple(argv),
            self.descriptors.get(0, Null()),
            self.descriptors.get(1, Null()),
            self.descriptors.get(2, Null()),
            environment,
            self.cwd,
            self.uid,
        )

    def assign(self, name: str, value: str, *, export: bool = False) -> None:
        if name in self.readonly:
            raise expand.ExpansionError(f"{name}: is read only")
        self.variables[name] = value
        if export or "a" in self.options:
            self.exported.add(name)

    # ---- redirections

    def _redirected(self, redirections: tuple[AnyRedirection, ...]) -> dict[int, Stream]:
        opened = dict(self.descriptors)
        for redirection in redirections:
            if isinstance(redirection, HereDocument):
                opened[redirection.descriptor] = Text(expand.string(self, redirection.body))
                continue
            target, operator = expand.string(self, redirection.target), redirection.operator
            if operator in (">&", "<&"):
                if target == "-":
                    opened.pop(redirection.descriptor, None)
                elif not target.isdigit() or int(target) not in opened:
                    raise RedirectionError(f"{target}: Bad file descriptor" if self.flavour == "bash" else f"{target}: Bad fd number")
                else:
                    opened[redirection.descriptor] = opened[int(target)]
                continue
            stream = self._opened(operator, target)
            opened[redirection.descriptor] = stream
            if operator == "&>":
                opened[2] = stream
        return opened

    def _opened(self, operator: str, target: str) -> Stream:
        files = self.system.files
        try:
            if operator == "<":
                return files.open_read(target, self.cwd, uid=self.uid)
            exclusive = operator == ">" and "C" in self.options
            return files.open_write(target, self.cwd, uid=self.uid, append=operator in (">>", "<>"), exclusive=exclusive)
        except OSError as error:
            if self.flavour == "bash":
                exists = error.errno == errno.EEXIST
                raise RedirectionError(f"{target}: {'cannot overwrite existing file' if exists else _reason(error)}") from None
            reason = _reason(error)
            if error.errno == errno.ENOENT:
                reason = "No such file" if operator == "<" else "Directory nonexistent"
            raise RedirectionError(f"cannot {'open' if operator == '<' else 'create'} {target}: {reason}") from None


def _reason(error: OSError) -> str:
    return os.strerror(error.errno or 0)


def _stage(shell: Shell, command: Command, upstream: Pipe | None, downstream: Pipe | None) -> int:
    """One command of a pipeline; closes its ends of the pipes when it is done."""
    try:
        return shell.isolated(lambda: shell._command(command))
    finally:
        if upstream is not None:
            upstream.close_reader()
        if downstream is not None:
            downstream.close()
