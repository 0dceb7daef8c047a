"""Names of well-known ports, as /etc/services of the hosts has them: ipvsadm without `-n` prints and takes them."""

from __future__ import annotations

from dpvsbook.lab.dpvs.services import TCP, UDP

_BOTH = {
    "echo": 7, "discard": 9, "daytime": 13, "chargen": 19, "time": 37, "domain": 53, "kerberos": 88, "sunrpc": 111, "ntp": 123,
    "imap2": 143, "snmp": 161, "snmp-trap": 162, "ldap": 389, "https": 443, "microsoft-ds": 445, "ldaps": 636, "domain-s": 853,
    "radius": 1812, "radius-acct": 1813, "nfs": 2049, "sip": 5060, "sip-tls": 5061,
}  # fmt: skip
_TCP = {
    "tcpmux": 1, "systat": 11, "netstat": 15, "ftp-data": 20, "ftp": 21, "ssh": 22, "telnet": 23, "smtp": 25, "gopher": 70, "finger": 79,
    "http": 80, "pop3": 110, "auth": 113, "nntp": 119, "bgp": 179, "submissions": 465, "submission": 587, "rsync": 873, "imaps": 993,
    "pop3s": 995, "socks": 1080, "openvpn": 1194, "ms-sql-s": 1433, "mysql": 3306, "svn": 3690, "postgresql": 5432, "amqp": 5672,
    "redis": 6379, "http-alt": 8080, "zabbix-agent": 10050, "zabbix-trapper": 10051,
}  # fmt: skip
_UDP = {"bootps": 67, "bootpc": 68, "tftp": 69, "syslog": 514, "rip": 520, "vxlan": 4789, "mdns": 5353}

_PORTS = {TCP: {**_BOTH, **_TCP}, UDP: {**_BOTH, **_UDP}}
_NAMES = {protocol: {port: name for name, port in ports.items()} for protocol, ports in _PORTS.items()}


def port_of(name: str, protocol: int) -> int | None:
    """The port of a service name."""
    return _PORTS.get(protocol, {}).get(name)


def port_name(port: int, protocol: int) -> str:
    """The name of a port, or its number."""
    return _NAMES.get(protocol, {}).get(port) or str(port)
