"""Reaching the hosts of the emulated lab: what works, and each way in which it can't."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from dpvsbook import hosts
from dpvsbook.errors import HostError, Locked, PlanError, Unreachable
from dpvsbook.hosts import Command, Host, Shell, Target, together
from dpvsbook.params import Ssh

if TYPE_CHECKING:
    from dpvsbook.lab.emulated import Lab

LIST = Command(("ipvsadm", "-S", "-n"))


def target(lab: Lab, name: str = "lb1", **more: object) -> Target:
    return Target.resolve(name, Ssh(user="root", **more), lab.ssh_config)  # type: ignore[arg-type]


@pytest.fixture
def host(lab: Lab) -> Iterator[Host]:
    with Host("lb1", target(lab)) as found:
        yield found


def rule(port: int) -> Command:
    return Command(("ipvsadm", "-A", "-t", f"10.0.0.100:{port}", "-s", "rr"), mutates=True)


def test_many_commands_in_one_round_trip(host: Host) -> None:
    seen: list[str] = []
    host._on_result = lambda _, result: seen.append(result.command)
    results = host.run([rule(80), LIST, Command(("dpip", "addr", "show", "dev", "dpdk9")), Command(("nosuch",))])
    assert [r.exit for r in results] == [0, 0, 1, 127]
    assert results[1].stdout == "-A -t 10.0.0.100:80 -s rr\n"
    assert results[2].stderr.endswith("dpip: not exist\n")
    assert seen == [r.command for r in results]
    assert host.round_trips == 1
    assert host.host_key.startswith("SHA256:")
    assert all(r.seconds >= 0 and r.started > 0 for r in results)


def test_rules_in_bulk_on_standard_input(host: Host) -> None:
    rules = "".join(f"-A -t 10.0.0.100:{port} -s rr\n" for port in range(1, 4001))
    _, listed = host.run([Command(("ipvsadm", "-R"), stdin=rules, mutates=True), LIST])
    assert listed.stdout == rules


def test_a_file_is_written_and_the_old_one_kept(host: Host) -> None:
    host.put("/etc/dpvs-test.conf", b"one\n")
    host.put("/etc/dpvs-test.conf", b"two\n", mode=0o600)
    (listed, read) = host.run([Shell("ls /etc | grep dpvs-test"), Command(("cat", "/etc/dpvs-test.conf"))])
    assert read.stdout == "two\n"
    assert ".dpvsbook-" in listed.stdout


def test_a_full_disk_loses_nothing(lab: Lab, host: Host) -> None:
    host.put("/etc/dpvs-full.conf", b"one\n")
    lab.inject("lb1", "disk-full")
    with pytest.raises(HostError, match="could not be written"):
        host.put("/etc/dpvs-full.conf", b"two\n")
    lab.inject("lb1", "none")
    assert host.run([Command(("cat", "/etc/dpvs-full.conf"))])[0].stdout == "one\n"


def test_an_idle_connection_that_dropped_is_made_anew_once(lab: Lab, host: Host) -> None:
    host.run([LIST])
    lab.inject("lb1", "drop")
    assert host.run([rule(80)])[0].exit == 0


def test_a_change_is_never_sent_twice(lab: Lab, host: Host) -> None:
    host.run([LIST])
    lab.inject("lb1", "cut", "1")
    with pytest.raises(hosts.ConnectionLost) as caught:
        host.run([rule(80), rule(81), rule(82), rule(83)])
    lost = caught.value
    assert [r.command for r in lost.results] == [rule(80).text]
    assert lost.unknown == rule(81).text
    assert lost.not_run == (rule(82).text, rule(83).text)
    there = host.run([LIST])[0].stdout
    assert "10.0.0.100:80 " in there
    assert "10.0.0.100:82 " not in there


def test_a_look_is_sent_again(lab: Lab, host: Host) -> None:
    host.run([LIST])
    lab.inject("lb1", "cut", "1")
    assert [r.exit for r in host.run([LIST, LIST, LIST])] == [0, 0, 0]


def test_a_host_that_hangs(lab: Lab, host: Host) -> None:
    lab.inject("lb1", "hang", "ipvsadm")
    with pytest.raises(hosts.CommandTimeout, match=r"nothing was heard for 0.3 s while `ipvsadm -S -n` ran") as caught:
        host.run([Command(("hostname",)), LIST, rule(80)], inactivity=0.3)
    assert [r.stdout for r in caught.value.results] == ["lb1\n"]
    with pytest.raises(hosts.CommandTimeout, match=r"not through after 0.3 s"):
        host.run([LIST], timeout=0.3)


def test_two_at_once_on_one_director(lab: Lab, host: Host) -> None:
    """The second is told who holds it, and changes nothing."""
    lab.inject("lb1", "slow", "0.5")
    began = threading.Event()
    with Host("lb1", target(lab), on_result=lambda *_: began.set()) as first:
        run = threading.Thread(target=first.run, args=([Command(("hostname",)), rule(80), rule(81)],), kwargs={"lock": "ann@desk run 1"})
        run.start()
        assert began.wait(10)
        with pytest.raises(Locked, match=r"lb1: another run is changing it right now: ann@desk run 1"):
            host.run([rule(82)], lock="bob@ops run 2")
        run.join()
    lab.inject("lb1", "none")
    assert host.run([rule(83)], lock="bob@ops run 2")[0].exit == 0
    assert ":82 " not in host.run([LIST])[0].stdout


def test_a_state_that_changed_is_not_built_upon(host: Host) -> None:
    guard = Shell("ipvsadm -S -n | sha256sum")
    seen = host.run([guard])[0].stdout.strip()
    assert host.run([rule(80)], guard=(guard, seen))[0].exit == 0
    with pytest.raises(PlanError, match="was changed after the plan was made"):
        host.run([rule(81)], guard=(guard, seen))
    assert ":81 " not in host.run([LIST])[0].stdout


# -- no way in


def test_an_unknown_host_key_and_trusting_it(lab: Lab, tmp_path: Path) -> None:
    config = tmp_path / "config"
    config.write_text(lab.ssh_config.read_text().replace(str(lab.ssh_config.parent / "known_hosts"), str(tmp_path / "sub" / "known_hosts")))
    found = Target.resolve("lb1", Ssh(user="root"), config)
    with Host("lb1", found) as host:
        with pytest.raises(hosts.HostKeyUnknown, match=r"its host key is not known: \[127.0.0.1\]:\d+ shows SHA256:") as caught:
            host.run([LIST])
        assert caught.value.exit_code == 5
        key = hosts.offered_key(found)
        assert not hosts.is_known(found, key)
        assert hosts.trust(found, key) == tmp_path / "sub" / "known_hosts"
        assert hosts.is_known(found, key)
        assert host.run([LIST])[0].exit == 0
        assert host.host_key == key.fingerprint


def test_a_changed_host_key(lab: Lab) -> None:
    lab.inject("lb1", "host-key")
    with Host("lb1", target(lab)) as host, pytest.raises(hosts.HostKeyChanged, match="has changed"):
        host.run([LIST])


def test_a_refused_login(lab: Lab) -> None:
    lab.inject("lb1", "refuse-login")
    with Host("lb1", target(lab)) as host, pytest.raises(hosts.LoginRefused, match="root may not log in"):
        host.run([LIST])


def test_nobody_listens_there() -> None:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        port = held.getsockname()[1]
        with Host("lb1", Target.resolve("lb1", Ssh(host="127.0.0.1", port=port))) as host, pytest.raises(Unreachable, match="refused"):
            host.run([LIST])


def test_somebody_else_listens_there() -> None:
    with socket.create_server(("127.0.0.1", 0)) as mute:
        port = mute.getsockname()[1]
        found = Target.resolve("lb1", Ssh(host="127.0.0.1", port=port, connect_timeout=0.3))
        with Host("lb1", found) as host, pytest.raises(Unreachable):
            host.run([LIST])


def test_no_such_name_and_no_such_config(tmp_path: Path) -> None:
    with pytest.raises(Unreachable, match="no such host"):
        Host("lb1", Target.resolve("lb1", Ssh(host="no.such.host.invalid"))).run([LIST])
    with pytest.raises(Unreachable, match="is not there"):
        Target.resolve("lb1", Ssh(), tmp_path / "missing")


def test_one_failure_hides_nobody(lab: Lab) -> None:
    names = ["lb1", "rs1", "rs2", "client"]
    for name in ("rs1", "client"):
        lab.inject(name, "refuse-login")
    outcomes = together(names, lambda name: Host(name, target(lab, name)).run([Command(("hostname",))])[0].stdout.strip())
    assert {name: o.value for name, o in outcomes.items() if o.error is None} == {"lb1": "lb1", "rs2": "rs2"}
    with pytest.raises(hosts.HostsFailed, match=r"(?s)rs1: .*client: ") as caught:
        hosts.HostsFailed.unwrap(outcomes)
    assert caught.value.exit_code == 5
    assert set(caught.value.failed) == {"rs1", "client"}


def test_ssh_config_is_read_as_ssh_reads_it(tmp_path: Path) -> None:
    config = tmp_path / "config"
    config.write_text(
        "Host lb*\n  HostName 192.0.2.7\n  Port 2222\n  User ops\n  IdentityFile ~/k\n  IdentitiesOnly yes\n  ProxyJump jump,ann@far:2200\n"
        f"  UserKnownHostsFile {tmp_path}/known\nHost jump\n  HostName 192.0.2.1\n"
    )
    found = Target.resolve("lb1", Ssh(), config)
    assert (found.address, found.port, found.user, found.where) == ("192.0.2.7", 2222, "ops", "[192.0.2.7]:2222")
    assert found.identity_files == (str(Path("~/k").expanduser()),)
    assert found.identities_only
    assert found.known_hosts == (tmp_path / "known",)
    assert [(hop.address, hop.port) for hop in found.jumps] == [("192.0.2.1", 22), ("far", 2200)]
    assert found.jumps[1].user == "ann"
    over = Target.resolve("lb1", Ssh(host="lb2", port=22, user="root"), config)
    assert (over.address, over.port, over.user) == ("192.0.2.7", 22, "root")
