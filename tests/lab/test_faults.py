"""Each fault does what it says, to a client that can't know better."""

from __future__ import annotations

import time

import paramiko
import pytest

from dpvsbook.lab.emulated import Lab, LabError
from dpvsbook.lab.faults import FAULTS

SCRIPT = "".join(f"dpip addr add 10.0.0.{i}/32 dev dpdk1; echo M{i} $?\n" for i in range(1, 6))


def client_of(lab: Lab, host: str = "lb1") -> paramiko.SSHClient:
    client = paramiko.SSHClient()
    client.load_host_keys(str(lab.state / "known_hosts"))
    client.connect("127.0.0.1", lab.ports[host], "root", key_filename=str(lab.state / "id_ed25519"), look_for_keys=False, allow_agent=False)
    return client


def sent(lab: Lab, script: str) -> tuple[str, int]:
    """What came back of a script on standard input, and its exit status (-1: none came)."""
    client = client_of(lab)
    try:
        source, out, _ = client.exec_command("sh -s", timeout=10)
        source.write(script)
        source.channel.shutdown_write()
        return out.read().decode(), out.channel.recv_exit_status()
    finally:
        client.close()


def addresses(lab: Lab) -> int:
    return int(lab.exec("lb1", ["dpip addr show | grep -c 'inet 10'"]).stdout)


def settled(lab: Lab, wanted: int) -> bool:
    deadline = time.monotonic() + 5
    while addresses(lab) != wanted and time.monotonic() < deadline:
        time.sleep(0.01)
    return addresses(lab) == wanted


def test_cut_loses_the_answer_of_a_command_that_took_effect(lab: Lab) -> None:
    lab.inject("lb1", "cut", 2)
    assert sent(lab, SCRIPT) == ("M1 0\nM2 0\n", -1)
    assert settled(lab, 3)
    assert sent(lab, "echo again\n") == ("again\n", 0), "it happens once"


def test_cut_before_keeps_the_command_from_running(lab: Lab) -> None:
    lab.inject("lb1", "cut-before", 2)
    assert sent(lab, SCRIPT) == ("M1 0\nM2 0\n", -1)
    assert settled(lab, 2)


def test_cut_bytes_in_the_middle_of_a_line(lab: Lab) -> None:
    lab.inject("lb1", "cut-bytes", 7)
    assert sent(lab, SCRIPT) == ("M1 0\nM2", -1)


def test_drop_ends_open_connections(lab: Lab) -> None:
    client = client_of(lab)
    transport = client.get_transport()
    assert transport is not None
    lab.inject("lb1", "drop")
    transport.join(5)
    assert not transport.is_active()
    client.close()


def test_failing_reads_count_down(lab: Lab) -> None:
    lab.inject("lb1", "failing-reads", 1)
    first, second = lab.exec("lb1", ["ipvsadm", "-S", "-n"]), lab.exec("lb1", ["ipvsadm", "-S", "-n"])
    assert "msg callback failed(-23)" in first.stderr
    assert (first.exit, second.exit, second.stderr) == (1, 0, "")


def test_another_host_key_and_the_own_one_again(lab: Lab) -> None:
    lab.inject("lb1", "host-key")
    with pytest.raises(paramiko.BadHostKeyException):
        client_of(lab)
    lab.inject("lb1", "none")
    client_of(lab).close()


def test_refused_logins(lab: Lab) -> None:
    lab.inject("lb1", "refuse-login")
    with pytest.raises(paramiko.AuthenticationException):
        client_of(lab)


def test_slow_and_hanging_commands(lab: Lab) -> None:
    lab.inject("lb1", "slow", 0.1)
    started = time.monotonic()
    lab.exec("lb1", ["dpip", "link", "show"])
    assert time.monotonic() - started >= 0.1
    lab.inject("lb1", "none")
    lab.inject("lb1", "hang", "ipvsadm -S")
    client = client_of(lab)
    _, out, _ = client.exec_command("echo before; ipvsadm -S -n", timeout=0.5)
    assert out.readline() == "before\n"
    with pytest.raises(TimeoutError):
        out.read()
    client.close()


def test_a_full_disk_spares_what_is_in_memory(lab: Lab) -> None:
    lab.inject("lb1", "disk-full")
    assert lab.exec("lb1", ["echo x >/root/f"]).stderr == "bash: line 1: /root/f: No space left on device\n"
    assert lab.exec("lb1", ["echo x >/run/f && cat /run/f"]).stdout == "x\n"
    lab.inject("lb1", "none")
    assert lab.exec("lb1", ["echo x >/root/f; rm /root/f"]).exit == 0


def test_dpvs_stopped_and_killed_differ_in_what_the_tools_say(lab: Lab) -> None:
    lab.inject("lb1", "dpvs-stop")
    assert "No such file or directory" in lab.exec("lb1", ["ipvsadm -ln"]).stderr
    lab.inject("lb1", "dpvs-start")
    lab.inject("lb1", "dpvs-kill")
    assert "Connection refused" in lab.exec("lb1", ["ipvsadm -ln"]).stderr


def test_status_names_what_is_broken(lab: Lab) -> None:
    lab.inject("rs1", "down")
    lab.inject("lb1", "slow", 0.01)
    assert "broken: latency=0.01" in str(lab.status())
    assert "broken: down" in str(lab.status())


def test_nonsense_is_an_error(lab: Lab) -> None:
    for host, fault, value in (("lb1", "nosuch", None), ("nohost", "drop", None), ("lb1", "slow", "abc"), ("rs1", "dpvs-kill", None)):
        with pytest.raises(LabError):
            lab.inject(host, fault, value)


def test_every_fault_can_be_injected_without_a_value(lab: Lab) -> None:
    for fault in FAULTS:
        assert lab.inject("lb1", fault)
