"""Which options go with which ipvsadm command, and what is said when they don't."""

from __future__ import annotations

from dpvsbook.lab.dpvs.ipvsadm.request import GiveUp, Request
from dpvsbook.lab.dpvs.services import UDP, ServiceKey

#: what each command is called in messages
COMMANDS = {
    "A": "add-service", "E": "edit-service", "D": "delete-service", "C": "flush", "l": "list", "a": "add-server", "d": "delete-server",
    "e": "edit-server", "set": "set", "start-daemon": "start-daemon", "stop-daemon": "stop-daemon", "R": "restore", "S": "save",
    "Z": "zero", "P": "add-laddr", "Q": "del-laddr", "G": "get-laddr", "U": "add-blklst", "V": "del-blklst", "B": "get-blklst",
    "O": "add-whtlst", "Y": "del-whtlst", "W": "get-whtlst",
}  # fmt: skip
#: what messages call the options, in the order in which they are checked
OPTIONS = (
    "numeric", "connection", "service-address", "scheduler", "persistent", "netmask", "real-server", "forwarding-method", "weight",
    "u-threshold", "l-threshold", "mcast-interface", "timeout", "daemon", "stats", "rate", "thresholds", "persistent-conn", "nosort",
    "syncid", "exact", "ops", "pe", "local-address", "blklst-address", "synproxy", "ifname", "sockpair", "hash-target", "cpu",
    "expire-quiescent", "whtlst-address",
)  # fmt: skip

_SERVICE = ("scheduler", "persistent", "netmask", "ops", "synproxy", "hash-target", "expire-quiescent")
_SERVER = ("forwarding-method", "weight", "u-threshold", "l-threshold")
_LIST = ("numeric", "stats", "rate", "thresholds", "persistent-conn", "nosort", "syncid", "exact", "sockpair", "cpu")
#: command -> (needed, allowed, exclusive) options; every other one is illegal
_RULES: dict[str, tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]]] = {
    "A": (("service-address",), _SERVICE, ()),
    "E": (("service-address",), _SERVICE, ()),
    "D": (("service-address",), (), ()),
    "l": ((), _LIST, ("connection", "service-address", "timeout", "daemon")),
    "a": (("service-address", "real-server"), _SERVER, ()),
    "d": (("service-address", "real-server"), (), ()),
    "e": (("service-address", "real-server"), _SERVER, ()),
    "start-daemon": ((), ("mcast-interface", "syncid"), ()),
    "stop-daemon": ((), ("syncid",), ()),
    "S": ((), ("numeric",), ()),
    "Z": ((), ("service-address",), ()),
    "P": (("service-address", "local-address", "ifname"), (), ()),
    "Q": (("service-address", "local-address", "ifname"), (), ()),
    "G": ((), ("service-address", "cpu"), ()),
    "U": (("service-address", "blklst-address"), (), ()),
    "V": (("service-address", "blklst-address"), (), ()),
    "B": ((), ("service-address",), ()),
    "O": (("service-address", "whtlst-address"), (), ()),
    "Y": (("service-address", "whtlst-address"), (), ()),
    "W": ((), ("service-address",), ()),
}


def check(request: Request) -> None:
    """Do the options go with the command?"""
    needed, allowed, exclusive = _RULES.get(request.command, ((), (), ()))
    name = COMMANDS[request.command]
    seen = ""
    for option in OPTIONS:
        if option not in request.given:
            if option in needed:
                raise GiveUp(2, f"You need to supply the '{option}' option for the '{name}' command")
        elif option in exclusive:
            if seen:
                raise GiveUp(2, f"The option '{option}' conflicts with the '{seen}' option in the '{name}' command")
            seen = option
        elif option not in needed and option not in allowed:
            raise GiveUp(2, f"Illegal '{option}' option with the '{name}' command")


def complete(request: Request) -> None:
    """Fill in what follows from the rest, and check what only shows with everything read."""
    settings = request.settings
    match = request.match
    if request.command in ("A", "E"):
        unmatched = match.source.empty and match.destination.empty and not match.iif and not match.oif
        if not request.fwmark and not request.port and not settings.persistent and unmatched:
            raise GiveUp(2, "Zero port specified for no-match and non-persistent service")
        if settings.ops and not request.fwmark and request.protocol != UDP:
            raise GiveUp(2, "One-Packet Scheduling is only for UDP virtual services")
        settings.scheduler = settings.scheduler or "wlc"
    if request.command in ("a", "e") and not request.fwmark and request.method in ("dr", "tunnel"):
        request.server_port = request.port
    if request.command == "l":
        odd = request.given & {"connection", "timeout", "daemon"} and request.given & {"stats", "rate", "thresholds"}
        if odd or (request.given & {"timeout", "daemon"} and "persistent-conn" in request.given):
            raise GiveUp(2, "options conflicts in the list command")
    request.key = ServiceKey(request.family, request.protocol, request.address, request.port, request.fwmark, match)
