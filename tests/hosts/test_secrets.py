"""References are resolved where they are used; whatever goes wrong, the value is not shown."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from dpvsbook import secrets

CANARY = 'canary "4711" \\ it\'s <here>'


@pytest.fixture(autouse=True)
def _forget(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(secrets, "_known", set())


def test_both_kinds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CANARY", CANARY)
    assert secrets.resolve("env:CANARY") == CANARY
    (tmp_path / "secret").write_text("two words\n")
    (tmp_path / "secret").chmod(0o600)
    assert secrets.resolve(f"file:{tmp_path}/secret") == "two words"


@pytest.mark.parametrize(
    ("reference", "data", "mode", "said"),
    [
        ("env:NO_SUCH_CANARY", b"", 0o600, "is not set"),
        ("env:", b"", 0o600, "is not set"),
        ("file:{path}", b"canary", 0o644, "can be read by others"),
        ("file:{path}", b"", 0o600, "is empty"),
        ("file:{path}", b"canary\xff", 0o600, "not UTF-8"),
        ("file:{path}.missing", b"", 0o600, "No such file"),
        ("file:{path}/..", b"", 0o600, "can't be read"),
        ("canary-as-it-is", b"", 0o600, "never as itself"),
        ("vault:canary", b"", 0o600, "never as itself"),
    ],
)
def test_what_leads_nowhere_is_said_without_the_value(reference: str, data: bytes, mode: int, said: str, tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(data)
    path.chmod(mode)
    with pytest.raises(secrets.SecretError, match=said) as caught:
        secrets.resolve(reference.format(path=path))
    assert caught.value.exit_code == 4
    assert caught.value.remedy
    assert "canary" not in str(caught.value).lower().replace("no_such_canary", "")


def test_texts_are_scrubbed_in_every_form(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CANARY", CANARY)
    secrets.resolve("env:CANARY")
    for text in (CANARY, repr(CANARY), json.dumps({"a": CANARY}), f"x{CANARY}y"):
        assert "4711" not in secrets.scrub(text)
    assert secrets.scrub("nothing here") == "nothing here"


def test_short_ones_do_not_blank_a_log(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CANARY", "a")
    secrets.resolve("env:CANARY")
    assert secrets.scrub("a log") == "a log"
