"""Many hosts at once, and a person who has seen enough."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading

import pytest

from dpvsbook.errors import HostError
from dpvsbook.hosts import HostsFailed, together


def test_every_host_has_its_outcome_in_order() -> None:
    barrier = threading.Barrier(5, timeout=10)

    def do(name: str) -> int:
        barrier.wait()  # all five at once
        if name == "c":
            raise HostError(name, "broken", remedy="mend it")
        return ord(name)

    outcomes = together("abcde", do)
    assert list(outcomes) == list("abcde")
    assert outcomes["a"].get() == ord("a")
    with pytest.raises(HostError, match="c: broken"):
        HostsFailed.unwrap(outcomes)
    assert together([], do) == {}


def test_more_hosts_than_threads() -> None:
    assert len(HostsFailed.unwrap(together(map(str, range(300)), int))) == 300


def test_a_bug_is_raised_as_itself() -> None:
    with pytest.raises(ZeroDivisionError):
        together("ab", lambda name: len(name) // 0)


def test_ctrl_c_does_not_wait_for_hosts_that_hang() -> None:
    text = (
        "import threading\nfrom dpvsbook.hosts import together\n"
        "def hang(name):\n    print('hangs', flush=True)\n    threading.Event().wait()\n"
        "try:\n    together('ab', hang)\nexcept KeyboardInterrupt:\n    print('over')\n"
    )
    process = subprocess.Popen([sys.executable, "-c", text], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert [process.stdout.readline() for _ in range(2)] == ["hangs\n"] * 2
    process.send_signal(signal.SIGINT)
    assert process.communicate(timeout=20)[0] == "over\n"
    assert process.returncode == 0
