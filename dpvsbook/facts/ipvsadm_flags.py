"""A service's row in `ipvsadm -ln`: what it is, its scheduler, and its options, by the names that the params use.

    TCP  10.0.0.100:80 rr persistent 60 mask 255.255.255.0 synproxy conn-timeout 60 ppv2-insecure expire-quiescent dest-check external:tcp
    MATCH tcp,from=192.168.100.0-192.168.100.254:0-0,oif=dpdk1 rr
    FWM  5 IPv6 wlc

    {"persistent": 60, "netmask": "255.255.255.0", "synproxy": True, "conn_timeout": 60, "proxy_protocol": "v2-insecure",
     "expire_quiescent": True, "dest_check": "tcp"}

An option that is off is not in the mapping. `dest_check` is written as `--dest-check` takes it: "default", "3,5s", "2,1,3s,1-60s",
"tcp"; where several are on they are joined with a space, since each has to be given by itself.
"""

from __future__ import annotations

import re
from typing import cast

from dpvsbook.facts.ipvs import Protocol, ServiceKey, canonical

Flag = int | str | bool

NAME = (
    r"(?:(?P<protocol>TCP|UDP|SCTP|ICMP|ICMPv6)  (?:(?P<v4>[0-9.]+)|\[(?P<v6>[0-9a-f:.]+)\]):(?P<port>\d+)"
    r"|MATCH (?P<match>[!-~]+)|FWM  (?P<mark>\d+)(?P<six> IPv6)?)"
)
SERVICE = re.compile(
    rf"{NAME} (?P<scheduler>[!-~]+)"
    r"(?: (?P<hash_target>sip|qid))*"
    r"(?: persistent (?P<persistent>\d+)(?: mask (?P<netmask>[!-~]+))?(?: pe [!-~]+)?)?(?P<ops> ops)?(?P<synproxy> synproxy)?"
    r"(?: conn-timeout (?P<conn_timeout>\d+))?(?: pp(?P<proxy_protocol>v[12](?:-insecure)?|unknown))?"
    r"(?P<expire_quiescent> expire-quiescent)?(?P<quic> quic)?"
    r"(?P<dest_check> dest-check(?: internal:(?P<internal>default|\d+,\d+s|\d+,\d+,\d+s,\d+-\d+s))?"
    r"(?: external:(?P<external>(?:tcp|udp|sctp|ping)(?:,(?:tcp|udp|sctp|ping))*))?)?",
    re.ASCII,
)
_SWITCHES = ("ops", "synproxy", "expire_quiescent", "quic")
_NUMBERS = ("persistent", "conn_timeout")
_TEXTS = ("hash_target", "netmask", "proxy_protocol")


def key(row: re.Match[str]) -> ServiceKey:
    """The service of a matched row. Raises ValueError for a match notation that isn't known."""
    if row["protocol"]:
        return ServiceKey(cast("Protocol", row["protocol"].lower()), row["v4"] or canonical(row["v6"]), int(row["port"]))
    if row["match"]:
        return ServiceKey.from_match(row["match"])
    return ServiceKey("fwm", "::" if row["six"] else "0.0.0.0", int(row["mark"]))  # noqa: S104 - the family


def flags(row: re.Match[str]) -> dict[str, Flag]:
    """The options of a matched row that are on."""
    if row.end() == row.end("scheduler"):
        return {}
    found: dict[str, Flag] = {name: row[name] for name in _TEXTS if row[name]}
    found.update((name, int(row[name])) for name in _NUMBERS if row[name])
    found.update((name, True) for name in _SWITCHES if row[name])
    checks = [*([row["internal"]] if row["internal"] else []), *(row["external"].split(",") if row["external"] else [])]
    if checks:
        found["dest_check"] = " ".join(checks)
    return found
