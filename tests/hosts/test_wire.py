"""The script that goes over, and what comes back, with real shells on this machine: no network."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dpvsbook.hosts.files import put
from dpvsbook.hosts.wire import LOCK, Command, Shell, Splitter, script

SHELLS = [shell for shell in ("dash", "bash", "busybox") if shutil.which(shell)] or ["sh"]
MARK = "0123456789abcdef01234567"


def run(shell: str, text: str) -> subprocess.CompletedProcess[bytes]:
    argv = [shell, "sh", "-s"] if shell == "busybox" else [shell, "-s"]
    return subprocess.run(argv, input=text.encode(), capture_output=True, timeout=30, check=False)


def taken_apart(ended: subprocess.CompletedProcess[bytes]) -> list[tuple[str, int, str]]:
    out = [(text, words) for text, words in Splitter(MARK).feed(ended.stdout) if words[0].isdigit()]
    err = [text for text, words in Splitter(MARK).feed(ended.stderr) if words[0].isdigit()]
    return [(text.decode(), int(words[1]), error.decode()) for (text, words), error in zip(out, err, strict=True)]


@pytest.mark.parametrize("shell", SHELLS)
@pytest.mark.parametrize(
    ("command", "expected"),
    [
        (Command(("echo", "a b")), ("a b\n", 0, "")),
        (Command(("printf", "no line feed")), ("no line feed", 0, "")),
        (Command(("echo", "$(reboot); `reboot`; 'x' \\ *")), ("$(reboot); `reboot`; 'x' \\ *\n", 0, "")),
        (Command(("echo", "")), ("\n", 0, "")),
        (Command(("true",)), ("", 0, "")),
        (Command(("cat",)), ("", 0, "")),
        (Command(("cat",), stdin="one\ntwo $HOME `id`\n"), ("one\ntwo $HOME `id`\n", 0, "")),
        (Command(("cat",), stdin="not ended"), ("not ended\n", 0, "")),
        (Command(("cat",), stdin=""), ("", 0, "")),
        (Command(("sh", "-c", 'echo "$X"'), env=(("X", "a 'b' $c"),)), ("a 'b' $c\n", 0, "")),
        (Shell("exit 7"), ("", 7, "")),
        (Shell("echo out; echo err >&2; false"), ("out\n", 1, "err\n")),
        (Shell("exec sh -c 'exit 3'"), ("", 3, "")),
        (Shell(f"printf '\\n{MARK[:-1]}0 0 0 0\\n'"), (f"\n{MARK[:-1]}0 0 0 0\n", 0, "")),
    ],
    ids=str,
)
def test_a_command_is_one_word_for_word(shell: str, command: Command | Shell, expected: tuple[str, int, str]) -> None:
    after = Command(("echo", "after"))
    assert taken_apart(run(shell, "".join(script([command, after], MARK)))) == [expected, ("after\n", 0, "")]


@pytest.mark.parametrize("shell", SHELLS)
def test_nothing_leaks_from_one_command_to_the_next(shell: str) -> None:
    commands = [Shell("cd /; X=1; export X; set -e; trap 'echo trapped' EXIT"), Shell('pwd; echo "[$X]"; false; echo still')]
    results = taken_apart(run(shell, "".join(script(commands, MARK))))
    assert results[1][0].splitlines()[1:] == ["[]", "still"]
    assert results[1][0].splitlines()[0] == str(Path.cwd())


@pytest.mark.parametrize("shell", SHELLS)
def test_many_rules_on_standard_input(shell: str) -> None:
    rules = "".join(f"-A -t 10.0.0.1:{port} -s rr\n" for port in range(1, 20_000))
    ((text, code, _),) = taken_apart(run(shell, "".join(script([Command(("cat",), stdin=rules)], MARK))))
    assert (text == rules, code) == (True, 0)


@given(st.lists(st.binary(max_size=200), max_size=6), st.integers(1, 50))
def test_a_stream_is_taken_apart_however_it_comes(pieces: list[bytes], size: int) -> None:
    pieces = [piece for piece in pieces if MARK.encode() not in piece]
    stream = b"".join(piece + f"\n{MARK} {i} 0 1\n".encode() for i, piece in enumerate(pieces))
    splitter = Splitter(MARK)
    found = [before for at in range(0, len(stream), size) for before, _ in splitter.feed(stream[at : at + size])]
    assert found == pieces
    assert splitter.rest == ""


def locked(text: Sequence[str] | str, folder: Path) -> str:
    """The script with its lock in a folder of the test's own."""
    return "".join(text).replace("/run", str(folder)).replace("/tmp/" + LOCK, f"{folder}/{LOCK}")


@pytest.mark.parametrize("shell", SHELLS)
def test_the_lock_is_taken_and_given_back(shell: str, tmp_path: Path) -> None:
    text = locked(list(script([Shell(f"cat {tmp_path}/{LOCK}")], MARK, lock="ann@desk run 1")), tmp_path)
    ((held, code, _),) = taken_apart(run(shell, text))
    assert code == 0
    assert held.splitlines()[1] == "ann@desk run 1"
    assert not (tmp_path / LOCK).exists()


@pytest.mark.parametrize("shell", SHELLS)
def test_a_live_holder_keeps_everybody_out_and_is_named(shell: str, tmp_path: Path) -> None:
    (tmp_path / LOCK).write_text(f"{os.getpid()}\nbob@ops run 2\n")
    ended = run(shell, locked(list(script([Shell("echo ran")], MARK, lock="ann@desk run 1")), tmp_path))
    assert f"\n{MARK} locked bob@ops run 2\n" in ended.stdout.decode()
    assert "ran" not in ended.stdout.decode()
    assert (tmp_path / LOCK).exists()


@pytest.mark.parametrize("shell", SHELLS)
@pytest.mark.parametrize("left", ["", "gone\n", f"{2**22 + 1}\nbob@ops run 2\n"])
def test_the_lock_of_a_dead_shell_is_taken_over(shell: str, tmp_path: Path, left: str) -> None:
    (tmp_path / LOCK).write_text(left)
    results = taken_apart(run(shell, locked(list(script([Shell("echo ran")], MARK, lock="ann@desk run 1")), tmp_path)))
    assert results == [("ran\n", 0, "")]
    assert not (tmp_path / LOCK).exists()


@pytest.mark.parametrize("shell", SHELLS)
@pytest.mark.parametrize("left", [None, f"{2**22 + 1}\nbob@ops run 2\n"])
def test_never_two_at_once(shell: str, left: str | None, tmp_path: Path) -> None:
    """Twelve runs at the same moment, also where a dead one's lock is to be taken over: those that run never overlap."""
    if left is not None:
        (tmp_path / LOCK).write_text(left)
    work = Shell(f"cd {tmp_path}; mkdir inside && sleep 0.05 && rmdir inside && echo alone")
    text = locked(list(script([work], MARK, lock="ann@desk run 1")), tmp_path)
    start = tmp_path / "start"
    gated = f"while [ ! -e {start} ]; do :; done\n{text}"
    argv = [shell, "sh", "-s"] if shell == "busybox" else [shell, "-s"]
    runs = [subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) for _ in range(12)]
    for run in runs:
        assert run.stdin is not None
        run.stdin.write(gated)
        run.stdin.flush()
    start.touch()
    ended = [run.communicate(timeout=60)[0] for run in runs]
    ran = [text for text in ended if f"{MARK} end" in text]
    assert ran
    assert all("alone" in text for text in ran)
    assert all(f"{MARK} locked " in text for text in ended if text not in ran)
    assert not (tmp_path / LOCK).exists()
    assert not list(tmp_path.glob(f"{LOCK}.of.*"))


@pytest.mark.parametrize("shell", SHELLS)
def test_a_lock_that_cannot_be_put_is_told(shell: str, tmp_path: Path) -> None:
    ended = run(shell, locked(list(script([Shell("echo ran")], MARK, lock="ann")), tmp_path / "missing"))
    assert f"{MARK} unlockable {tmp_path}/missing/{LOCK}" in ended.stdout.decode()
    assert "ran" not in ended.stdout.decode()


@pytest.mark.parametrize("shell", SHELLS)
def test_what_a_guard_says_on_stderr_belongs_to_no_command(shell: str) -> None:
    guard = (Shell("echo as it was; echo noise >&2"), "as it was")
    assert taken_apart(run(shell, "".join(script([Shell("echo ran")], MARK, guard=guard)))) == [("ran\n", 0, "")]


@pytest.mark.parametrize("shell", SHELLS)
def test_a_shell_that_is_hung_up_on_gives_the_lock_back(shell: str, tmp_path: Path) -> None:
    argv = [shell, "sh", "-s"] if shell == "busybox" else [shell, "-s"]
    far = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert far.stdin is not None
    far.stdin.write(locked(list(script([Command(("echo", "ready"))], MARK, lock="ann@desk run 1")), tmp_path).encode())
    far.stdin.flush()
    assert far.stdout is not None
    while far.stdout.readline() != b"ready\n":
        assert far.poll() is None
    assert (tmp_path / LOCK).exists()
    far.send_signal(signal.SIGHUP)
    far.communicate(timeout=10)
    assert not (tmp_path / LOCK).exists()


@pytest.mark.parametrize("shell", SHELLS)
@pytest.mark.parametrize(("expected", "ran"), [("as it was", True), ("otherwise", False)])
def test_the_guard_lets_only_a_known_state_through(shell: str, expected: str, ran: bool) -> None:
    ended = run(shell, "".join(script([Shell("echo ran")], MARK, guard=(Shell("echo as it was"), expected))))
    assert ("ran" in ended.stdout.decode()) is ran
    assert (f"\n{MARK} changed\n" in ended.stdout.decode()) is not ran


def test_a_file_is_written_at_once_with_its_mode_and_the_old_one_kept(tmp_path: Path) -> None:
    path, data = tmp_path / "it's here.conf", bytes(range(256)) * 40
    path.write_text("old")
    ((text, code, error),) = taken_apart(run("sh", "".join(script([put(str(path), data, mode=0o600)], MARK))))
    assert (code, error) == (0, "")
    assert path.read_bytes() == data
    assert path.stat().st_mode & 0o777 == 0o600
    (old,) = [p for p in tmp_path.iterdir() if ".dpvsbook-" in p.name]
    assert old.read_text() == "old"
    assert len(text.split()[0]) == 64


def test_what_is_written_twice_in_a_second_is_kept_twice(tmp_path: Path) -> None:
    path = tmp_path / "some.conf"
    path.write_text("one")
    run("sh", "".join(script([put(str(path), text) for text in (b"two", b"three", b"four")], MARK)))
    assert sorted(p.read_text() for p in tmp_path.iterdir()) == ["four", "one", "three", "two"]
