"""The mini shell against what dash printed for the same scripts (shell_cases.json, recorded with dash 0.5.12)."""

from __future__ import annotations

import json
import threading
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dpvsbook.lab.machines import Machine, build
from dpvsbook.lab.processes import Killed
from dpvsbook.lab.shell.parser import Parser
from dpvsbook.lab.shell.run import DEFAULT_PATH, Shell
from dpvsbook.lab.shell.streams import Capture, Pipe, Text
from dpvsbook.lab.shell.words import ShellSyntaxError
from dpvsbook.lab.topology import HostSpec, Topology

CASES = json.loads((Path(__file__).parent / "shell_cases.json").read_text())


def host() -> Machine:
    return build(Topology("t", "1.10", (HostSpec("h", "client"),)))["h"]


def run(machine: Machine, script: str, name: str = "sh") -> tuple[str, str, int]:
    out, err, source = Capture(), Capture(), Text(script)
    environment = {"HOME": "/root", "PATH": DEFAULT_PATH}
    shell = Shell(machine, machine.processes.spawn(name), stdin=source, stdout=out, stderr=err, environment=environment, name=name)
    try:
        status = shell.run_script(source.readline)
    except Killed as killed:
        status = killed.status
    return out.text, err.text, status & 255


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["script"][:50].replace("\n", " "))
def test_as_dash_does(case: dict[str, str]) -> None:
    out, err, status = run(host(), case["script"])
    assert (out, status) == (case["stdout"], case["exit"]), err


def test_unknown_command_is_127_in_the_words_of_the_shell() -> None:
    assert run(host(), "nosuch\n") == ("", "sh: 1: nosuch: not found\n", 127)
    assert run(host(), "true\nnosuch\n", "bash") == ("", "bash: line 2: nosuch: command not found\n", 127)


def test_a_script_is_run_as_it_comes() -> None:
    machine, source, out = host(), Pipe(), Capture()
    said = threading.Condition()

    class Telling(Capture):
        def write(self, text: str) -> None:
            super().write(text)
            with said:
                said.notify_all()

    out = Telling()
    shell = Shell(machine, machine.processes.spawn("sh"), stdin=source, stdout=out, stderr=out)
    thread = threading.Thread(target=shell.run_script, args=(source.readline,), daemon=True)
    thread.start()
    source.write("echo one; for i in a b\n")
    with said:
        assert said.wait_for(lambda: False, 0.05) is False  # the loop isn't complete yet
    source.write("do echo $i; done\n")
    with said:
        assert said.wait_for(lambda: out.text == "one\na\nb\n", 5)
    source.write("read x; echo got $x\ndata\n")
    with said:
        assert said.wait_for(lambda: out.text.endswith("got data\n"), 5)
    source.close()
    thread.join(5)
    assert not thread.is_alive()


def test_a_batch_with_locks_markers_and_here_documents() -> None:
    machine = host()
    script = r"""
LC_ALL=C; export LC_ALL
if ! ( set -C; printf '%s\n' "somebody $$" > /run/lock/x ) 2>/dev/null; then printf 'held by %s\n' "$(cat /run/lock/x)"; exit 75; fi
trap 'rm -f /run/lock/x' EXIT HUP
printf 'a\nb\n' </dev/null
printf '\n%s %d %d\n' NONCE 0 $?; printf '\n%s\n' NONCE >&2
cat <<'EOF-1f2e'
$not `expanded` \
EOF-1f2e
printf '\n%s %d %d\n' NONCE 1 $?; printf '\n%s\n' NONCE >&2
nosuch </dev/null
printf '\n%s %d %d\n' NONCE 2 $?; printf '\n%s\n' NONCE >&2
"""
    out, err, status = run(machine, script)
    assert out == "a\nb\n\nNONCE 0 0\n$not `expanded` \\\n\nNONCE 1 0\n\nNONCE 2 127\n"
    assert err == "\nNONCE\n\nNONCE\nsh: 11: nosuch: not found\n\nNONCE\n"
    assert status == 0
    assert machine.files.find("/run/lock/x") is None
    machine.files.write("/run/lock/x", "another run\n")
    assert run(machine, script) == ("held by another run\n", "", 75)


def test_a_reader_that_goes_ends_its_writer() -> None:
    assert run(host(), "while :; do echo y; done | head -1; echo $?\n")[0] == "y\n0\n"


def test_a_waiting_shell_dies_of_a_signal() -> None:
    machine = host()
    process = machine.processes.spawn("sh")
    source = Text("sleep 60\n")
    shell = Shell(machine, process, stdin=source, stdout=Capture(), stderr=Capture())
    threading.Timer(0.05, process.signal, (15,)).start()
    with pytest.raises(Killed) as killed:
        shell.run_script(source.readline)
    assert killed.value.status == 143


@given(st.text(alphabet="ab1 $`\"'\\(){}<>|&;\n#=*?![]-~if thendofcaseswhile", max_size=60))
def test_any_text_is_a_script_or_a_syntax_error(text: str) -> None:
    parser = Parser(Text(text).readline)
    try:
        while parser.command() is not None:
            pass
    except ShellSyntaxError:
        return


def test_bytes_pass_unharmed() -> None:
    machine = host()
    data = bytes(range(1, 256))
    machine.files.write("/tmp/data", data)
    run(machine, "cat /tmp/data | cat >/tmp/copy; cp /tmp/copy /tmp/again\n")
    assert machine.files.read("/tmp/again") == data


def test_what_is_not_implemented_is_refused_not_faked() -> None:
    out, err, _ = run(host(), "ls -Z /; echo $?; awk 1; echo $?; sort --parallel=2; echo $?\n")
    assert out == "2\n127\n1\n"
    assert "invalid option -- 'Z'" in err
