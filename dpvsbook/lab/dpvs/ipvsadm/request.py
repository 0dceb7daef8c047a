"""What an ipvsadm command line says, once read; and the two ways in which reading ends."""

from __future__ import annotations

from dataclasses import dataclass, field

from dpvsbook.lab.dpvs.ip import Ip
from dpvsbook.lab.dpvs.services import Match, ServiceKey, Settings


class GiveUp(Exception):
    """ipvsadm ends here: `status` is its exit status, `message` what it prints to standard error."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message


class BadOption(Exception):
    """The command line can't be read to its end; during `-R` only this line is lost."""


@dataclass(slots=True)
class Request:
    """One command as ipvsadm understood it."""

    command: str = ""
    given: set[str] = field(default_factory=set)
    family: int = 0
    protocol: int = 0
    address: Ip | None = None
    port: int = 0
    fwmark: int = 0
    match: Match = field(default_factory=Match)
    key: ServiceKey = field(default_factory=ServiceKey)
    settings: Settings = field(default_factory=lambda: Settings(scheduler=""))
    server: Ip | None = None
    server_port: int = 0
    method: str = "dr"
    weight: int = 1
    upper: int = 0
    lower: int = 0
    laddr: Ip | None = None
    ifname: str = ""
    subject: Ip | None = None
    ipset: str = ""
    cpu: int = 0
    sockpair: tuple[int, Ip, int, Ip, int] | None = None

    def has(self, option: str) -> bool:
        """Was an option given?"""
        return option in self.given

    def once(self, option: str) -> None:
        """An option may be given once."""
        if option in self.given:
            raise GiveUp(2, f"multiple '{option}' options specified")
        self.given.add(option)
