"""Plain ssh clients reach the lab's hosts: commands, scripts on standard input, terminals, SFTP, scp."""

from __future__ import annotations

import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import paramiko
import pytest

from dpvsbook.lab.emulated import Lab

Connect = Callable[..., paramiko.SSHClient]


@pytest.fixture
def connect(lab: Lab) -> Iterator[Connect]:
    clients: list[paramiko.SSHClient] = []

    def open_client(host: str = "lb1", **more: object) -> paramiko.SSHClient:
        client = paramiko.SSHClient()
        client.load_host_keys(str(lab.state / "known_hosts"))
        login = {"username": "root", "key_filename": str(lab.state / "id_ed25519"), "look_for_keys": False, "allow_agent": False, **more}
        client.connect("127.0.0.1", lab.ports[host], **login)  # type: ignore[arg-type]
        transport = client.get_transport()
        assert transport is not None
        transport.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # type: ignore[union-attr]
        clients.append(client)
        return client

    yield open_client
    for client in clients:
        client.close()


def ran(client: paramiko.SSHClient, command: str, stdin: str | None = None) -> tuple[str, str, int]:
    source, out, err = client.exec_command(command, timeout=10)
    if stdin is not None:
        source.write(stdin)
    source.channel.shutdown_write()
    return out.read().decode(), err.read().decode(), out.channel.recv_exit_status()


def test_streams_and_exit_codes(connect: Connect) -> None:
    client = connect()
    assert ran(client, "echo out; echo err >&2; exit 7") == ("out\n", "err\n", 7)
    assert ran(client, "nosuch") == ("", "bash: line 1: nosuch: command not found\n", 127)
    assert ran(client, "cat; hostname", "über\n") == ("über\nlb1\n", "", 0)
    assert ran(client, "sh -s", "echo one\nexit 3\n") == ("one\n", "", 3)


def test_many_commands_at_once_on_one_connection(connect: Connect) -> None:
    client = connect()
    channels = [client.exec_command(f"echo {i}; seq 100 | wc -l")[1] for i in range(20)]
    assert [channel.read().decode().split() for channel in channels] == [[str(i), "100"] for i in range(20)]


def test_a_large_answer_arrives_whole(connect: Connect) -> None:
    out, _, status = ran(connect(), "seq 1 300000")
    assert status == 0
    assert out.splitlines()[-1] == "300000"
    assert len(out) == 1988895


def test_a_large_script_arrives_whole(connect: Connect) -> None:
    rules = "".join(f"-A -t 10.0.0.100:{10000 + i} -s rr\n" for i in range(2000))
    out, _, status = ran(connect(), "sh -s", f"ipvsadm -R <<'END'\n{rules}END\nipvsadm -S -n | wc -l\n")
    assert (out, status) == ("2000\n", 0)


def test_a_terminal_with_prompt_history_and_ctrl_c(connect: Connect) -> None:
    channel = connect().invoke_shell()
    channel.settimeout(10)

    def until(text: str) -> str:
        seen = ""
        while text not in seen:
            seen += channel.recv(4096).decode()
        return seen

    until("root@lb1:~# ")
    channel.send(b"cd /etc; echo hi there\r")
    assert "hi there\r\n" in until("root@lb1:/etc# ")
    channel.send(b"\x1b[A\r")
    assert "echo hi there\r\nhi there\r\n" in until("root@lb1:/etc# "), "arrow up brings the line back"
    channel.send(b"sleep 60\r")
    until("sleep 60\r\n")
    channel.send(b"\x03")
    until("root@lb1:/etc# ")
    channel.send(b"echo $?\r")
    assert "\n130\r\n" in until("root@lb1:/etc# ")
    channel.send(b"exit 4\r")
    assert channel.recv_exit_status() == 4


def test_a_shell_whose_connection_goes_releases_its_lock(lab: Lab, connect: Connect) -> None:
    client = connect()
    source, out, _ = client.exec_command("sh -s")
    source.write("trap 'rm -f /run/lock/t' EXIT HUP; echo $$ >/run/lock/t; echo locked; sleep 0.1; read x\n")
    source.flush()
    assert out.readline() == "locked\n"
    client.close()
    deadline = time.monotonic() + 5
    while lab.exec("lb1", ["test -e /run/lock/t"]).exit == 0:
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_sftp(connect: Connect, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(bytes(range(256)) * 5000)
    with connect().open_sftp() as sftp:
        sftp.put(str(tmp_path / "file"), "/tmp/upload")
        sftp.chmod("/tmp/upload", 0o600)
        assert sftp.stat("/tmp/upload").st_size == 1280000
        assert "upload" in sftp.listdir("/tmp")
        sftp.posix_rename("/tmp/upload", "/root/renamed")
        sftp.get("renamed", str(tmp_path / "back"))
        assert (tmp_path / "back").read_bytes() == (tmp_path / "file").read_bytes()
        with pytest.raises(FileNotFoundError):
            sftp.stat("/nonexistent")
        sftp.remove("/root/renamed")


def test_login_is_refused_to_strangers(connect: Connect) -> None:
    with pytest.raises(paramiko.AuthenticationException):
        connect(username="nobody")
    other = paramiko.ECDSAKey.generate()
    with pytest.raises(paramiko.AuthenticationException):
        connect(key_filename=None, pkey=other)


needs_ssh = pytest.mark.skipif(shutil.which("ssh") is None or shutil.which("scp") is None, reason="no OpenSSH client here")


@needs_ssh
def test_openssh_with_the_labs_ssh_config(lab: Lab, tmp_path: Path) -> None:
    def call(*command: str) -> subprocess.CompletedProcess[str]:
        program, *rest = command
        return subprocess.run(
            [program, "-F", str(lab.ssh_config), *rest], capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False
        )

    done = call("ssh", "lb1", "ipvsadm -ln | head -1; exit 5")
    assert (done.stdout, done.returncode) == ("IP Virtual Server version 1.10.2 (size=0)\n", 5)
    (tmp_path / "up").write_text("content\n")
    for flag in ("-q", "-qO"):
        assert call("scp", flag, str(tmp_path / "up"), "rs1:/tmp/up").returncode == 0
        assert call("scp", flag, "rs1:/tmp/up", str(tmp_path / "down")).returncode == 0
        assert (tmp_path / "down").read_text() == "content\n"


def test_the_params_user_password_and_sudo(lab_of: Callable[[str], Lab], params_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LAB_TEST_SECRET", "let me in")
    login = "ssh: {user: ops, password: 'env:LAB_TEST_SECRET', sudo_password: 'env:LAB_TEST_SECRET'}"
    lab = lab_of(params_file.read_text().replace("ssh: {user: root}", login, 1))
    client = paramiko.SSHClient()
    client.load_host_keys(str(lab.state / "known_hosts"))
    client.connect("127.0.0.1", lab.ports["lb1"], "ops", password="let me in", look_for_keys=False, allow_agent=False)
    try:
        assert ran(client, "id -u; pwd")[0] == "1000\n/home/ops\n"
        out, err, status = ran(client, "dpip link show")
        assert (out, status) == ("", 1)
        assert "Permission denied" in err
        assert ran(client, "sudo -n true") == ("", "sudo: a password is required\n", 1)
        assert (
            ran(client, "sudo -S -p '' sh -s", "let me in\nid -u; ipvsadm -ln | head -1\n")[0]
            == "0\nIP Virtual Server version 1.10.2 (size=0)\n"
        )
        assert ran(client, "sudo -S -p '' id", "wrong\n")[2] == 1
        assert ran(client, "echo x >/etc/passwd")[2] == 1
    finally:
        client.close()
