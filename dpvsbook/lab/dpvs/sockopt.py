"""The control socket between the tools and dpvs: its messages, and what a tool prints when one fails."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from enum import IntEnum
from typing import TypeVar

from dpvsbook.lab.dpvs import errors
from dpvsbook.lab.dpvs.process import DEFAULT_IPC, Dpvs

T = TypeVar("T")
Writer = Callable[[str], None]


class Message(IntEnum):
    """The numbers that `errcode set in socket msg#N` shows (transcripts 03, 05, 08, 09)."""

    LADDR_ADD = 0
    LADDR_DEL = 1
    LADDR_GET = 3
    FLUSH = 8
    ZERO = 9
    SERVICE_ADD = 10
    SERVICE_EDIT = 11
    SERVICE_DEL = 12
    DEST_ADD = 13
    DEST_EDIT = 14
    DEST_DEL = 15
    INFO = 18
    SERVICES_GET = 19
    SERVICE_GET = 20
    DESTS_GET = 21
    ROUTE_ADD = 28
    ROUTE_DEL = 29
    ROUTE_SET = 30
    ROUTE_FLUSH = 31
    ROUTE_SHOW = 32
    ROUTE6_SET = 33
    ROUTE6_FLUSH = 34
    ROUTE6_SHOW = 35
    ADDRESS_ADD = 47
    ADDRESS_DEL = 48
    ADDRESS_SET = 49
    ADDRESS_FLUSH = 50
    ADDRESS_SHOW = 51
    MULTICAST_SHOW = 52
    PORT_SET = 54
    BOND_SET = 55
    LCORE_MASK = 57
    LCORE_SHOW = 58
    LCORE_STATS = 59
    PORT_LIST = 60
    PORT_SHOW = 61
    PORT_STATS = 62
    PORT_XSTATS = 63
    PORT_VERBOSE = 64
    BOND_SHOW = 65
    PORT_MULTICAST = 66
    LLDP_SET = 68
    LLDP_SHOW = 69
    NEIGHBOUR_ADD = 70
    NEIGHBOUR_DEL = 71
    NEIGHBOUR_SHOW = 72
    DENY_ADD = 73
    DENY_DEL = 74
    DENY_GET = 76
    ALLOW_ADD = 77
    ALLOW_DEL = 78
    ALLOW_GET = 80
    VLAN_ADD = 81
    VLAN_DEL = 82
    VLAN_SHOW = 83
    TC_ADD = 84
    TC_DEL = 85
    TC_CHANGE = 86
    TC_REPLACE = 87
    TC_SHOW = 88
    CONNS_GET = 90
    CONN_GET = 91
    IP6_STATS = 93
    TUNNEL_ADD = 94
    TUNNEL_DEL = 95
    TUNNEL_CHANGE = 96
    TUNNEL_REPLACE = 97
    TUNNEL_SHOW = 98
    KNI_ADD = 99
    KNI_DEL = 100
    KNI_FLUSH = 101
    KNI_SHOW = 102
    IPSET_SET = 103
    IPSET_TEST = 104
    IPSET_LIST = 105
    IFTRAF_ADD = 106
    IFTRAF_DEL = 107
    IFTRAF_SHOW = 108


_READS = ("_GET", "_SHOW", "_STATS", "_LIST", "_MASK", "_TEST", "_XSTATS", "_VERBOSE", "_MULTICAST")
_GETS = frozenset(message for message in Message if message.name.endswith(_READS) or message is Message.INFO)
#: reads that ask the worker too, and what they fail with when it doesn't answer in time (transcript 20: -23)
_ASKS_WORKER = {
    Message.SERVICES_GET: errors.MSG_FAIL,
    Message.SERVICE_GET: errors.MSG_FAIL,
    Message.DESTS_GET: errors.MSG_FAIL,
    Message.LADDR_GET: errors.MSG_FAIL,
    Message.NEIGHBOUR_SHOW: errors.DROP,
    Message.ADDRESS_SHOW: errors.MSG_DROP,
}


class Wire:
    """A tool's connection to dpvs. `dpvs` None is one that never ran (no socket file)."""

    def __init__(self, dpvs: Dpvs | None, err: Writer, env: Mapping[str, str]) -> None:
        self._dpvs = dpvs
        self._err = err
        self.path = env.get("DPVS_IPC_FILE", DEFAULT_IPC)

    @property
    def connect_error(self) -> str:
        """Why connecting fails ("" when it doesn't)."""
        if self._dpvs is None or self._dpvs.socket == "missing" or self.path != self._dpvs.ipc_file:
            return "No such file or directory"
        return "" if self._dpvs.running else "Connection refused"

    def ask(self, message: Message, answer: Callable[[Dpvs], T], *, worker: bool = True) -> T:
        """Send one message; `answer` is what dpvs does with it. What goes wrong is printed as the tools' library does.
        `worker` False: this time the worker isn't asked.

        :raises errors.Refused: with dpvs's error number, or IO when it can't be reached.
        """
        trouble = self.connect_error
        if trouble or self._dpvs is None:
            side = "get" if message in _GETS else "set"
            self._err(f"[dpvs_{side}sockopt] scoket msg connection error: {trouble}\n")
            raise errors.Refused(errors.IO)
        try:
            if worker and message in _ASKS_WORKER and self._dpvs.faults.read_fails(message):
                raise errors.Refused(_ASKS_WORKER[message])
            return answer(self._dpvs)
        except errors.Refused as refusal:
            self._err(f"[sockopt_msg_recv] errcode set in socket msg#{int(message)} header: {refusal}\n")
            raise
