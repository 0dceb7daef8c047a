"""What each ipvsadm option does to the request: check its value and keep it, or give up with the option's own complaint."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from dpvsbook.lab.dpvs.ip import atoi
from dpvsbook.lab.dpvs.ipvsadm import endpoints
from dpvsbook.lab.dpvs.ipvsadm.request import GiveUp, Request
from dpvsbook.lab.dpvs.services import ICMP, ICMPV6, METHODS, SCTP, TCP, UDP, DestCheck

Names = Mapping[str, str]
Taker = Callable[[Request, str, Names], None]

MAX_TIMEOUT = 86400 * 31
_INT_MAX = 2**31 - 1
_DEFAULT_PERSISTENCE = 360


def _flag(option: str) -> Taker:
    return lambda request, _value, _names: request.once(option)


def _service(protocol: int) -> Taker:
    def take(request: Request, value: str, names: Names) -> None:
        request.once("service-address")
        request.protocol = protocol
        endpoint = endpoints.service(value, protocol, names)
        if endpoint is None:
            raise GiveUp(2, "illegal virtual server address[:port] specified")
        request.family, request.address = endpoint.address.family, endpoint.address
        if endpoint.port is not None:
            request.port = endpoint.port
        if request.family == 6:
            request.settings.netmask = 128

    return take


def _match(request: Request, value: str, _names: Names) -> None:
    request.once("service-address")
    found = endpoints.match(value)
    if found is None:
        raise GiveUp(2, "illegal match specified")
    request.family, request.protocol, request.match = found


def _fwmark(request: Request, value: str, _names: Names) -> None:
    request.once("service-address")
    mark = endpoints.number(value, 1, 2**32 - 1)
    if mark is None:
        raise GiveUp(2, f"invalid fwmark value `{value}' specified")
    request.family, request.protocol, request.fwmark = 4, TCP, mark


def _ipv6(request: Request, _value: str, _names: Names) -> None:
    request.family = 6
    if not request.fwmark:
        raise GiveUp(2, "-6 used before -f\n")
    request.settings.netmask = 128


def _method(method: str) -> Taker:
    def take(request: Request, _value: str, _names: Names) -> None:
        request.once("forwarding-method")
        request.method = method

    return take


def _real_server(request: Request, value: str, names: Names) -> None:
    request.once("real-server")
    endpoint = endpoints.service(value, 0, names)
    if endpoint is None:
        raise GiveUp(2, "illegal real server address[:port] specified")
    # without a port it is 0, not the service's: ipvsadm copies it from the wrong place (transcript 04)
    request.server, request.server_port = endpoint.address, endpoint.port or 0


def _counted(option: str, attribute: str, high: int, name: str) -> Taker:
    def take(request: Request, value: str, _names: Names) -> None:
        request.once(option)
        count = endpoints.number(value, 0, high)
        if count is None:
            raise GiveUp(2, f"illegal {name} specified")
        setattr(request, attribute, count)

    return take


def _local(request: Request, value: str, names: Names) -> None:
    request.once("local-address")
    endpoint = endpoints.service(value, 0, names)
    if endpoint is None:
        raise GiveUp(2, "illegal local address")
    request.laddr = endpoint.address


def _ifname(request: Request, value: str, _names: Names) -> None:
    request.once("ifname")
    request.ifname = value[:15]


def _listed(option: str, kind: str) -> Taker:
    def take(request: Request, value: str, names: Names) -> None:
        request.once(option)
        if value.startswith("ipset:"):
            request.ipset = value.removeprefix("ipset:")
            return
        endpoint = endpoints.service(value, 0, names)
        if endpoint is None:
            raise GiveUp(2, f"illegal {kind} entry format, require [ IP | ipset:NAME ]")
        request.subject = endpoint.address

    return take


def _sockpair(request: Request, value: str, _names: Names) -> None:
    request.once("sockpair")
    request.sockpair = endpoints.sockpair(value)
    if request.sockpair is None:
        raise GiveUp(2, "illegal sockpair<af:sip:sport:tip:tport> specified")


def _cpu(request: Request, value: str, _names: Names) -> None:
    request.once("cpu")
    request.cpu = atoi(value)


def _syncid(request: Request, value: str, _names: Names) -> None:
    request.once("syncid")
    if endpoints.number(value, 0, 255) is None:
        raise GiveUp(2, "illegal syncid specified")


def _scheduler(request: Request, value: str, _names: Names) -> None:
    request.once("scheduler")
    request.settings.scheduler = value[:16]
    if value.startswith("conhash"):
        request.settings.sip_hash = True


def _persistent(request: Request, value: str, _names: Names) -> None:
    request.once("persistent")
    timeout = endpoints.number(value, 1, MAX_TIMEOUT) if value else _DEFAULT_PERSISTENCE
    if timeout is None:
        raise GiveUp(2, f"invalid timeout value `{value}' specified")
    request.settings.persistent, request.settings.timeout = True, timeout


def _netmask(request: Request, value: str, names: Names) -> None:
    request.once("netmask")
    if request.family == 6:
        request.settings.netmask = atoi(value)
        if not 1 <= request.settings.netmask <= 128:
            raise GiveUp(2, "illegal ipv6 netmask specified")
        return
    mask = endpoints.netmask(value, names)
    if mask is None:
        raise GiveUp(2, "illegal virtual server persistent mask specified")
    request.settings.netmask = mask


def _ops(request: Request, _value: str, _names: Names) -> None:
    request.once("ops")
    request.settings.ops = True


def _synproxy(request: Request, value: str, _names: Names) -> None:
    request.once("synproxy")
    if not value.startswith(("enable", "disable")):
        raise GiveUp(2, "synproxy switch must be enable or disable\n")
    request.settings.synproxy = value.startswith("enable")


def _hash_target(request: Request, value: str, _names: Names) -> None:
    request.once("hash-target")
    settings = request.settings
    if settings.scheduler != "conhash":
        raise GiveUp(2, "hash target can only be set when schedule is conhash\n")
    if value.startswith("qid") and request.protocol != UDP:
        raise GiveUp(2, "qid hash can only be set in udp service\n")
    if not value.startswith(("sip", "qid")):
        raise GiveUp(2, "hash target not support\n")
    settings.sip_hash, settings.qid_hash = value.startswith("sip"), value.startswith("qid")


def _expire_quiescent(request: Request, _value: str, _names: Names) -> None:
    request.once("expire-quiescent")
    request.settings.expire_quiescent = True


def _quic(request: Request, _value: str, _names: Names) -> None:
    request.settings.quic = True


def _dest_check(request: Request, value: str, _names: Names) -> None:
    check = request.settings.check
    if value == "disable":
        check.kinds = frozenset()
    elif value in ("tcp", "udp", "sctp", "ping"):
        check.kinds |= {value}
    elif value == "default":
        request.settings.check = DestCheck(check.kinds | {"passive"}, 1, 1, 3, 5, 3600)
    else:
        full = re.match(r"\s*(\d+),\s*(\d+),\s*(\d+)s,\s*(\d+)-\s*(\d+)", value)
        short = re.match(r"\s*(\d+),\s*(\d+)", value)
        if full:
            down, up, wait, low, high = (int(part) for part in full.groups())
            parsed = DestCheck(frozenset(), down & 0xFF, up & 0xFF, wait & 0xFF, low & 0xFFFF, high & 0xFFFF)
        elif short:
            parsed = DestCheck(frozenset(), int(short[1]) & 0xFF, 0, int(short[2]) & 0xFF)
        else:
            raise GiveUp(2, "invalid dest_check config")
        parsed.kinds = check.kinds | {"passive"}
        request.settings.check = parsed


def _conn_timeout(request: Request, value: str, _names: Names) -> None:
    request.settings.conn_timeout = int(value) & 0xFFFFFFFF


def _proxy_protocol(request: Request, value: str, _names: Names) -> None:
    known = value.lower() in ("v1", "v2", "v1-insecure", "v2-insecure")
    request.settings.proxy_protocol = value.lower() if known else ""


def _nothing(_request: Request, _value: str, _names: Names) -> None:
    """`--sort` is the default."""


#: tag of an option -> what takes it
TAKERS: dict[str, Taker] = {
    **{tag: _service(protocol) for tag, protocol in (("t", TCP), ("u", UDP), ("sctp", SCTP), ("q", ICMP), ("1", ICMPV6))},
    **{tag: _method(method) for tag, method in METHODS.items()},
    **{tag: _flag(tag) for tag in ("timeout", "daemon", "stats", "rate", "thresholds", "persistent-conn", "nosort", "pe")},
    "c": _flag("connection"),
    "n": _flag("numeric"),
    "X": _flag("exact"),
    "mcast": _flag("mcast-interface"),
    "H": _match,
    "f": _fwmark,
    "6": _ipv6,
    "r": _real_server,
    "w": _counted("weight", "weight", 65535, "weight"),
    "x": _counted("u-threshold", "upper", _INT_MAX, "u_threshold"),
    "y": _counted("l-threshold", "lower", _INT_MAX, "l_threshold"),
    "z": _local,
    "F": _ifname,
    "k": _listed("blklst-address", "blacklist"),
    "2": _listed("whtlst-address", "whitelist"),
    "sockpair": _sockpair,
    "cpu": _cpu,
    "syncid": _syncid,
    "s": _scheduler,
    "p": _persistent,
    "M": _netmask,
    "o": _ops,
    "j": _synproxy,
    "hash-target": _hash_target,
    "expire-quiescent": _expire_quiescent,
    "quic": _quic,
    "dest-check": _dest_check,
    "conn-timeout": _conn_timeout,
    "proxy-protocol": _proxy_protocol,
    "sort": _nothing,
}
