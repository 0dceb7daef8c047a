"""The operator's ssh_config: what it includes, how hosts are spelled, and what is said where it can't be used."""

from __future__ import annotations

from pathlib import Path

import pytest

from dpvsbook.errors import Unreachable
from dpvsbook.hosts import Target
from dpvsbook.params import Ssh


def resolve(folder: Path, text: str, name: str = "lb1", **ssh: object) -> Target:
    config = folder / "config"
    config.write_text(text)
    return Target.resolve(name, Ssh(**ssh), config)  # type: ignore[arg-type]


def test_what_is_included_counts_and_ends_with_its_file(tmp_path: Path) -> None:
    (tmp_path / "conf.d").mkdir()
    (tmp_path / "conf.d" / "1.conf").write_text("Host lb*\n  User ops\n  Port 2201\n")
    (tmp_path / "conf.d" / "2.conf").write_text("Host other\n  HostName 192.0.2.9\n")
    found = resolve(
        tmp_path, f'Host lb1\n  HostName 192.0.2.7\n  Include "{tmp_path}/conf.d/*.conf" nothing.there\n  ConnectTimeout 3\n  User me\n'
    )
    assert (found.address, found.user, found.port) == ("192.0.2.7", "ops", 2201)
    after = resolve(tmp_path, f"Include {tmp_path}/conf.d/*.conf\nUser everybody\n", name="rs1")
    assert after.user == "everybody"


def test_relative_includes_are_the_users(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / ".ssh").mkdir()
    (tmp_path / ".ssh" / "work").write_text("Host lb1\n  HostName 192.0.2.8\n")
    (tmp_path / ".ssh" / "config").write_text("Include work\n")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("DPVSBOOK_SSH_CONFIG", raising=False)
    assert Target.resolve("lb1", Ssh()).address == "192.0.2.8"


@pytest.mark.parametrize(
    "text",
    ["Include {path}\n", "Match host\n  User me\n", "Host lb1\n  Port many\n", 'Include "open\n'],
    ids=["includes itself", "half a Match", "no number", "open quote"],
)
def test_one_that_cannot_be_used_is_named(tmp_path: Path, text: str) -> None:
    with pytest.raises(Unreachable, match=r"the ssh_config .*config can't be used") as caught:
        resolve(tmp_path, text.format(path=tmp_path / "config"))
    assert "--ssh-config" in caught.value.remedy


def test_a_folder_is_no_config(tmp_path: Path) -> None:
    with pytest.raises(Unreachable, match="can't be used"):
        Target.resolve("lb1", Ssh(), tmp_path)


@pytest.mark.parametrize(
    ("hop", "expected"),
    [
        ("bastion", ("192.0.2.1", 22, "gate")),
        ("ann@bastion:2200", ("192.0.2.1", 2200, "ann")),
        ("ann@[2001:db8::1]:2200", ("2001:db8::1", 2200, "ann")),
        ("ssh://ann@192.0.2.3:2200", ("192.0.2.3", 2200, "ann")),
    ],
)
def test_hops_as_they_may_be_spelled(tmp_path: Path, hop: str, expected: tuple[str, int, str]) -> None:
    found = resolve(tmp_path, f"Host lb1\n  ProxyJump {hop}\nHost bastion\n  HostName 192.0.2.1\n  User gate\n  IdentityFile /k\n")
    (jump,) = found.jumps
    assert (jump.address, jump.port, jump.user) == expected
    assert jump.identity_files == (("/k",) if "bastion" in hop else ())


def test_a_jump_host_does_not_jump_over_itself(tmp_path: Path) -> None:
    found = resolve(tmp_path, "Host *\n  ProxyJump bastion\n")
    assert [jump.address for jump in found.jumps] == ["bastion"]
    assert found.jumps[0].jumps == ()
    assert resolve(tmp_path, "Host *\n  ProxyJump none\n").jumps == ()


def test_where_the_pinned_keys_are(tmp_path: Path) -> None:
    (tmp_path / "my keys").mkdir()
    found = resolve(
        tmp_path, f'UserKnownHostsFile "{tmp_path}/my keys/known_hosts"\nGlobalKnownHostsFile /a /b\nHostKeyAlias front\n', port=2222
    )
    assert found.known_hosts == (tmp_path / "my keys" / "known_hosts",)
    assert found.system_known_hosts == (Path("/a"), Path("/b"))
    assert found.where == "front"
    assert resolve(tmp_path, "", port=2222, host="2001:db8::7").where == "[2001:db8::7]:2222"


def test_a_user_without_a_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def nobody() -> str:
        raise KeyError("getpwuid(): uid not found: 4711")

    monkeypatch.setattr("getpass.getuser", nobody)
    monkeypatch.setattr("os.getuid", lambda: 4711)
    with pytest.raises(Unreachable, match="user 4711 has no name") as caught:
        resolve(tmp_path, "")
    assert "LOGNAME" in caught.value.remedy
