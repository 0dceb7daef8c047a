"""Reaching hosts: SSH with verified host keys, many commands in one round trip, many hosts at once.

    host = Host("lb1", Target.resolve("lb1", ssh, ssh_config=None))
    results = host.run([Command(("dpip", "link", "show")), Command(("ipvsadm", "-ln"))])   # one round trip

A host needs sshd and a POSIX shell, nothing of ours.
"""

from dpvsbook.hosts.errors import (
    CommandTimeout,
    ConnectionLost,
    HostKeyChanged,
    HostKeyRevoked,
    HostKeyUnknown,
    HostsFailed,
    Interrupted,
    LoginRefused,
    OutputTooLong,
    ShellEnded,
    ShellRefused,
    SudoRefused,
)
from dpvsbook.hosts.files import get, put
from dpvsbook.hosts.host import Host
from dpvsbook.hosts.keys import HostKey, is_known, must_be_new, trust
from dpvsbook.hosts.session import offered_key
from dpvsbook.hosts.target import Target
from dpvsbook.hosts.together import Outcome, together
from dpvsbook.hosts.wire import Command, Result, Shell

__all__ = [
    "Command",
    "CommandTimeout",
    "ConnectionLost",
    "Host",
    "HostKey",
    "HostKeyChanged",
    "HostKeyRevoked",
    "HostKeyUnknown",
    "HostsFailed",
    "Interrupted",
    "LoginRefused",
    "Outcome",
    "OutputTooLong",
    "Result",
    "Shell",
    "ShellEnded",
    "ShellRefused",
    "SudoRefused",
    "Target",
    "get",
    "is_known",
    "must_be_new",
    "offered_key",
    "put",
    "together",
    "trust",
]
