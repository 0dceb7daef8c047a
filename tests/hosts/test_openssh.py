"""Against a real sshd and this machine's own shell."""

from __future__ import annotations

import getpass
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from dpvsbook import hosts
from dpvsbook.errors import HostError, Unreachable
from dpvsbook.hosts import Command, Host, Result, Shell, Target
from dpvsbook.params import Ssh
from dpvsbook.secrets import SecretError
from tests.hosts.conftest import Sshd, wait_for

LOCKS = (Path("/run/dpvsbook.lock"), Path("/tmp/dpvsbook.lock"))


@pytest.fixture
def host(sshd: Sshd) -> Iterator[Host]:
    with Host("real", sshd.target()) as found:
        yield found


def test_a_batch_as_a_real_shell_runs_it(host: Host) -> None:
    results = host.run(
        [
            Command(("printf", "no line feed")),
            Shell("echo out; echo err >&2; exit 3"),
            Shell("kill -9 $(sh -c 'echo $PPID')"),
            Command(("no-such-program",)),
            Command(("wc", "-c"), stdin="x" * 99 + "\n"),
            Shell("printf '\\377\\n'"),
        ]
    )
    assert [r.exit for r in results] == [0, 3, 137, 127, 0, 0]
    assert (results[1].stdout, results[1].stderr) == ("out\n", "err\n")
    assert results[4].stdout.strip() == "100"
    assert results[5].stdout == "�\n"
    assert abs(results[0].started - time.time()) < 60


def test_nothing_to_run_is_one_round_trip(host: Host) -> None:
    assert host.run([]) == ()
    assert host.round_trips == 1


def test_much_goes_both_ways_at_once(host: Host) -> None:
    """Each command prints more than any buffer holds while megabytes of script are still on their way."""
    noise = Shell("i=0; while [ $i -lt 40 ]; do printf '%05000d\\n' $i; printf '%05000d\\n' $i >&2; i=$((i+1)); done")
    fed = Command(("cat",), stdin="y" * 300_000 + "\n")
    results = host.run([noise, fed] * 8)
    assert [len(r.stdout) for r in results] == [200_040, 300_001] * 8
    assert [len(r.stderr) for r in results] == [200_040, 0] * 8


def test_results_and_lines_come_while_the_batch_runs(host: Host, tmp_path: Path) -> None:
    """The second command goes on only when what the first said, and the second's first line, were heard here."""
    gate = tmp_path / "gate"
    told: list[str] = []
    lines: list[tuple[str, str, str]] = []

    def open_gate() -> None:
        if told == ["first\n"] and ("wait", "stdout", "waiting") in lines:
            gate.touch()

    def on_result(_: Host, result: Result) -> None:
        told.append(result.stdout)
        open_gate()

    def on_output(command: str, stream: str, line: str) -> None:
        lines.append((command, stream, line))
        open_gate()

    host._on_result = on_result
    wait = Shell(f"echo waiting; while [ ! -e {gate} ]; do sleep 0.02; done; echo; echo bad >&2; printf open", name="wait")
    _, second = host.run([Command(("echo", "first")), wait], on_output=on_output, timeout=20)
    assert second.stdout == "waiting\n\nopen"
    assert [(c, line) for c, s, line in lines if s == "stdout"] == [
        ("echo first", "first"),
        *[("wait", t) for t in ("waiting", "", "open")],
    ]
    assert ("wait", "stderr", "bad") in lines


def test_a_cut_connection_gives_the_lock_back(sshd: Sshd, host: Host, tmp_path: Path) -> None:
    """No terminal, so no SIGHUP: the shell notices when it next wants to say something."""
    gate, after = tmp_path / "gate", tmp_path / "after"
    batch = [
        Shell(f"echo $$ >{gate}.pid; while [ ! -e {gate} ]; do sleep 0.02; done", name="slow", mutates=True),
        Command(("touch", str(after))),
    ]
    lost: list[BaseException] = []

    def run() -> None:
        try:
            host.run(batch, lock="ann@desk run 1")
        except hosts.ConnectionLost as error:
            lost.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    wait_for(lambda: Path(f"{gate}.pid").exists() and Path(f"{gate}.pid").read_text().strip())
    held = next(lock for lock in LOCKS if lock.exists())
    assert held.read_text().splitlines()[1] == "ann@desk run 1"
    for pid in sshd.sessions():
        os.kill(pid, signal.SIGKILL)
    thread.join(20)
    assert isinstance(lost[0], hosts.ConnectionLost)
    assert (lost[0].unknown, lost[0].not_run, lost[0].results) == ("slow", (f"touch {after}",), ())
    gate.touch()
    wait_for(lambda: not held.exists())
    assert not after.exists()
    assert [r.exit for r in host.run(batch, lock="bob@ops run 2")] == [0, 0]


def test_a_dropped_idle_connection_is_made_anew(sshd: Sshd, host: Host) -> None:
    host.run([Command(("true",))])
    for pid in sshd.sessions():
        os.kill(pid, signal.SIGKILL)
    assert host._session is not None
    wait_for(lambda: not host._session.transport.is_active())  # type: ignore[union-attr]
    assert host.run([Command(("echo", "again"), mutates=True)])[0].stdout == "again\n"


def test_a_command_that_hangs(host: Host) -> None:
    told: list[Result] = []
    host._on_result = lambda _, result: told.append(result)
    with pytest.raises(hosts.CommandTimeout, match=r"real: nothing was heard for 1 s while `sleep 9` ran") as caught:
        host.run([Command(("echo", "x")), Command(("sleep", "9")), Command(("echo", "y"))], inactivity=1)
    assert [r.stdout for r in caught.value.results] == ["x\n"]
    assert caught.value.not_run == ("echo y",)
    assert [(r.command, r.exit) for r in told] == [("echo x", 0), ("sleep 9", None)]
    assert host.run([Command(("echo", "on"))])[0].stdout == "on\n"


def test_a_shell_that_ends_before_the_batch_does(host: Host) -> None:
    with pytest.raises(hosts.ShellEnded, match="the shell there ended") as caught:
        host.run([Command(("echo", "x")), Shell("if", name="broken"), Command(("echo", "y"))])
    assert [r.stdout for r in caught.value.results] == ["x\n"]
    assert caught.value.unknown == "broken"


def test_output_without_end(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dpvsbook.hosts.host.LONGEST", 1 << 20)
    with pytest.raises(hosts.OutputTooLong, match="while `yes` ran"):
        host.run([Command(("yes",))])
    assert host.run([Command(("echo", "on"))])[0].stdout == "on\n"


def test_several_threads_on_one_connection(host: Host) -> None:
    names = [str(i) for i in range(8)]
    outcomes = hosts.together(names, lambda name: host.run([Command(("echo", name))])[0].stdout.strip())
    assert {name: outcome.get() for name, outcome in outcomes.items()} == {name: name for name in names}


def test_a_file_comes_and_goes_to_the_byte(host: Host, tmp_path: Path) -> None:
    path, data = tmp_path / "it's here", bytes(range(256)) * 4000
    host.put(str(path), data, mode=0o640)
    assert path.read_bytes() == data
    assert path.stat().st_mode & 0o777 == 0o640
    assert host.get(str(path)) == data
    with pytest.raises(HostError, match="could not be read"):
        host.get(str(tmp_path / "missing"))


# -- becoming root


def test_sudo_where_the_login_is_not_root(sshd: Sshd) -> None:
    sshd.program("id", "echo 1000")
    sshd.program("sudo", f'echo "$*" >>{sshd.folder}/sudo.log; shift; exec "$@"')
    with Host("real", sshd.target(sudo=True)) as host:
        assert host.run([Command(("echo", "as root"))])[0].stdout == "as root\n"
    assert (sshd.folder / "sudo.log").read_text() == "-n sh -s\n"


def test_sudo_with_a_password(sshd: Sshd, monkeypatch: pytest.MonkeyPatch) -> None:
    """It goes to sudo alone, after its lecture, and no command reads it."""
    monkeypatch.setenv("CANARY", "canary-4711")
    sshd.program("id", "echo 1000")
    sshd.program(
        "sudo",
        '[ "$1" = -S ] || { echo "sudo: a password is required" >&2; exit 1; }\n'
        'echo "We trust you have received the usual lecture" >&2; IFS= read -r given\n'
        '[ "$given" = canary-4711 ] || { echo "sudo: 1 incorrect password attempt" >&2; exit 1; }\n'
        'shift 3; exec "$@"',
    )
    found = sshd.target(sudo=True, sudo_password="env:CANARY")
    with Host("real", found) as host:
        result = host.run([Shell("cat; set; echo $-")])[0]
        assert "canary" not in result.stdout.replace("CANARY", "")
        assert result.stderr == ""
    monkeypatch.setenv("CANARY", "wrong-0815")
    with Host("real", found) as host, pytest.raises(hosts.SudoRefused, match="incorrect password") as caught:
        host.run([Command(("true",))])
    assert "0815" not in str(caught.value) + repr(host) + repr(found)
    monkeypatch.setenv("CANARY", "two\nreboot")
    with Host("real", found) as host, pytest.raises(SecretError, match="more than one line"):
        host.run([Command(("true",))])


def test_sudo_that_needs_no_password_after_all(sshd: Sshd, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CANARY", "canary-4711")
    sshd.program("id", "echo 1000")
    sshd.program("sudo", '[ "$1" = -n ] || exit 9; shift; exec "$@"')
    with Host("real", sshd.target(sudo=True, sudo_password="env:CANARY")) as host:
        assert host.run([Command(("cat",)), Command(("echo", "ok"))])[1].stdout == "ok\n"


def test_sudo_refused_says_what_to_do(sshd: Sshd) -> None:
    sshd.program("id", "echo 1000")
    sshd.program("sudo", "echo 'sudo: a password is required' >&2; exit 1")
    with Host("real", sshd.target(sudo=True)) as host, pytest.raises(hosts.SudoRefused, match="a password is required") as caught:
        host.run([Command(("true",))])
    assert "sudo_password: env:NAME" in caught.value.remedy


def test_a_login_without_a_shell(sshd: Sshd) -> None:
    sshd.program("sh", "echo 'This account is currently not available.' >&2; exit 1")
    with Host("real", sshd.target()) as host, pytest.raises(hosts.ShellRefused, match=r"exit 1, 'This account is currently"):
        host.run([Command(("true",))])


def test_a_login_file_that_talks_belongs_to_no_command(sshd: Sshd) -> None:
    sshd.program("sh", 'echo motd; echo warning >&2; exec /bin/sh "$@"')
    with Host("real", sshd.target()) as host:
        result = host.run([Command(("echo", "x"))])[0]
    assert (result.stdout, result.stderr) == ("x\n", "")


# -- the way there


def test_through_jump_hosts(sshd: Sshd) -> None:
    config = sshd.config(
        f"Host inner\n  HostName 127.0.0.1\n  Port {sshd.port}\n  IdentityFile {sshd.folder}/id\n"
        f"  ProxyJump real,{getpass.getuser()}@real\n  UserKnownHostsFile {sshd.folder}/known_hosts\n"
    )
    found = Target.resolve("inner", Ssh(), config)
    assert len(found.jumps) == 2
    with Host("inner", found) as host:
        assert host.run([Command(("echo", "far"))])[0].stdout == "far\n"
        assert len(sshd.sessions()) == 3
        assert hosts.offered_key(found).fingerprint == host.host_key
    wait_for(lambda: not sshd.sessions())


def test_a_jump_host_that_reaches_nothing(sshd: Sshd) -> None:
    config = sshd.config("Host inner\n  HostName 127.0.0.1\n  Port 1\n  ProxyJump real\n")
    with Host("inner", Target.resolve("inner", Ssh(), config)) as host, pytest.raises(Unreachable, match="the jump host does not reach"):
        host.run([Command(("true",))])
    wait_for(lambda: not sshd.sessions())


def test_a_proxy_command(sshd: Sshd) -> None:

    relay = sshd.folder / "relay.py"
    relay.write_text(
        "import socket, sys, os, threading\n"
        "s = socket.create_connection((sys.argv[1], int(sys.argv[2])))\n"
        "def up():\n"
        "    while d := os.read(0, 65536): s.sendall(d)\n"
        "    s.shutdown(socket.SHUT_WR)\n"
        "threading.Thread(target=up, daemon=True).start()\n"
        "while d := s.recv(65536): os.write(1, d)\n"
    )
    config = sshd.config(f"Host real\n  ProxyCommand {sys.executable} {relay} %h %p\n")
    with Host("real", Target.resolve("real", Ssh(), config)) as host:
        assert host.run([Command(("echo", "relayed"))])[0].stdout == "relayed\n"
    config = sshd.config("Host real\n  ProxyCommand /no/such/program %h\n")
    with Host("real", Target.resolve("real", Ssh(), config)) as host, pytest.raises(Unreachable, match="ProxyCommand can't be run"):
        host.run([Command(("true",))])


# -- keys


def test_a_key_with_a_passphrase_is_named(sshd: Sshd) -> None:
    import asyncssh

    locked = sshd.folder / "locked"
    locked.touch(mode=0o600)
    locked.write_bytes(asyncssh.generate_private_key("ssh-ed25519").export_private_key(passphrase="canary"))
    found = sshd.target(identity_file=str(locked))
    with Host("real", found) as host, pytest.raises(hosts.LoginRefused, match=r"locked \(has a passphrase: ssh-add it\)"):
        host.run([Command(("true",))])


@pytest.mark.parametrize(
    ("line", "error"),
    [
        ("*,!127.0.0.1 {key}", None),
        ("[127.0.0.1]:{port} {other}\n[127.0.0.1]:{port} {key}", None),
        ("127.0.0.1 {key}", None),
        ("[127.0.0.1]:{port} ssh-rsa not/base64!\n[127.0.0.1]:{port} {key}", None),
        ("{hashed} {key}", None),
        ("", hosts.HostKeyUnknown),
        ("[127.0.0.1]:1 {key}", hosts.HostKeyUnknown),
        ("@cert-authority [127.0.0.1]:{port} {key}", hosts.HostKeyUnknown),
        ("[127.0.0.1]:{port} {other}", hosts.HostKeyChanged),
        ("@revoked * {key}\n[127.0.0.1]:{port} {key}", hosts.HostKeyRevoked),
    ],
    ids=[
        "pattern",
        "second of a kind",
        "without the port",
        "a broken line",
        "hashed",
        "none",
        "other port",
        "authority",
        "changed",
        "revoked",
    ],
)
def test_known_hosts_is_read_as_ssh_reads_it(sshd: Sshd, tmp_path: Path, line: str, error: type[Exception] | None) -> None:
    import asyncssh
    import paramiko

    key = " ".join((sshd.folder / "host.pub").read_text().split()[:2])
    other = asyncssh.generate_private_key("ssh-ed25519").export_public_key().decode().strip()
    hashed = paramiko.HostKeys.hash_host(f"[127.0.0.1]:{sshd.port}")
    known = tmp_path / "known_hosts"
    known.write_text(line.format(key=key, other=other, port=sshd.port, hashed=hashed) + "\n")
    config = sshd.config(f"Host real\n  UserKnownHostsFile {known}\n")
    with Host("real", Target.resolve("real", Ssh(), config)) as host:
        if error is None:
            assert host.run([Command(("echo", "in"))])[0].stdout == "in\n"
            return
        with pytest.raises(error) as caught:
            host.run([Command(("true",))])
        assert getattr(caught.value, "exit_code", 0) == 5


def test_trust_replaces_nothing(sshd: Sshd, tmp_path: Path) -> None:
    import asyncssh

    known = tmp_path / "known_hosts"
    found = Target.resolve("real", Ssh(), sshd.config(f"Host real\n  UserKnownHostsFile {known}\n"))
    key = hosts.offered_key(found)
    other = asyncssh.generate_private_key("ssh-ed25519").export_public_key().decode().strip()
    known.write_text(f"{found.where} {other}")
    with pytest.raises(hosts.HostKeyChanged, match=r"ssh-keygen -f .*known_hosts -R"):
        hosts.trust(found, key)
    known.write_text(f"@revoked * {key.kind} {key.text}")
    with pytest.raises(hosts.HostKeyRevoked):
        hosts.trust(found, key)
    known.write_text("other ssh-ed25519 AAAA")  # without its line feed
    hosts.trust(found, key)
    assert hosts.is_known(found, key)
    assert len(known.read_text().splitlines()) == 2
    nowhere = Target.resolve("real", Ssh(), sshd.config("Host real\n  UserKnownHostsFile /dev/null\n"))
    with pytest.raises(HostError, match="can't be pinned"):
        hosts.trust(nowhere, key)


# -- Ctrl-C


def test_ctrl_c_ends_the_batch_and_gives_the_lock_back(sshd: Sshd, tmp_path: Path) -> None:
    """As a person at a terminal: the run ends at once, and the host's shell when it next wants to say something."""
    gate, pid = tmp_path / "gate", tmp_path / "pid"
    text = (
        "import sys\nfrom dpvsbook.hosts import Host, Shell, Target\nfrom dpvsbook.params import Ssh\nfrom pathlib import Path\n"
        f"slow = Shell('echo $$ >{pid}.new; mv {pid}.new {pid}; while [ ! -e {gate} ]; do sleep 0.02; done', name='slow')\n"
        f"real = Target.resolve('real', Ssh(), Path({str(sshd.config())!r}))\n"
        "with Host('real', real, on_result=lambda _, r: print(r.command, r.exit)) as h:\n"
        "    try:\n        h.run([slow], lock='ann@desk run 1')\n    except KeyboardInterrupt:\n        print('over')\n"
    )
    process = subprocess.Popen([sys.executable, "-c", text], stdout=subprocess.PIPE, text=True)
    try:
        wait_for(pid.exists, 30)
        held = next(lock for lock in LOCKS if lock.exists())
        process.send_signal(signal.SIGINT)
        assert process.communicate(timeout=60)[0] == "slow None\nover\n"
    finally:
        process.kill()
        gate.touch()  # or the shell would hold the lock for good
    wait_for(lambda: not held.exists())
