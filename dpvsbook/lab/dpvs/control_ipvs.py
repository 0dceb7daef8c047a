"""What DPVS does with a request about services, real servers, LIPs and lists. Each refuses with `errors.Refused`."""

from __future__ import annotations

from dpvsbook.lab.dpvs import errors, schedulers
from dpvsbook.lab.dpvs.ip import ANY4, ANY6, Ip
from dpvsbook.lab.dpvs.process import Dpvs
from dpvsbook.lab.dpvs.services import PROTOCOL_NAMES, Dest, Laddr, Service, ServiceKey, Settings


def find(dpvs: Dpvs, key: ServiceKey) -> Service:
    """The service that a request names; INVAL when there is none."""
    if key.protocol not in PROTOCOL_NAMES:
        raise errors.Refused(errors.INVAL)
    service = dpvs.services.find(key)
    if service is None:
        raise errors.Refused(errors.INVAL)
    return service


def shown(dpvs: Dpvs, key: ServiceKey) -> Service:
    """The service that a read names: the worker doesn't find it, so the master has no answer (-23).

    Of fwmarks it only knows the IPv4 ones: for an IPv6 one it answers with the IPv4 one of that number. Neither does it find a match
    whose ranges aren't of its family, as one by devices alone, with `af=`. One that it doesn't find ends every listing where its turn
    comes. Seen on real DPVS 1.10-2.
    """
    service = dpvs.services.find(key._replace(family=4) if key.fwmark and key.family == 6 else key)
    mixed = not key.match.empty and key.match.family != key.family
    if service is None or not key.family or mixed:
        raise errors.Refused(errors.MSG_FAIL)
    return service


def add_service(dpvs: Dpvs, key: ServiceKey, settings: Settings) -> None:
    """Add a virtual service."""
    if key.protocol not in PROTOCOL_NAMES or not (key.addressed or key.fwmark or not key.match.empty):
        raise errors.Refused(errors.INVAL)
    if dpvs.services.find(key) is not None:
        raise errors.Refused(errors.EXIST)
    scheduler = schedulers.make(settings.scheduler)
    if scheduler is None:
        raise errors.Refused(errors.NOTEXIST)
    settings.check.sane()
    service = Service(key, settings, scheduler)
    dpvs.services.add(service)
    scheduler.changed(service)


def edit_service(dpvs: Dpvs, key: ServiceKey, settings: Settings) -> None:
    """Give a service new settings."""
    service = find(dpvs, key)
    if settings.scheduler not in schedulers.NAMES:
        raise errors.Refused(errors.NOTEXIST)
    if key.family == 6 and not 1 <= settings.netmask <= 128:
        raise errors.Refused(errors.INVAL)
    service.settings = settings
    scheduler = schedulers.make(settings.scheduler)
    if scheduler is not None and scheduler.name != service.scheduler.name:
        service.scheduler = scheduler
        scheduler.changed(service)


def delete_service(dpvs: Dpvs, key: ServiceKey) -> None:
    """Delete a service. Its LIPs stay on their devices, its connections go on."""
    _drop(dpvs, find(dpvs, key))


def _drop(dpvs: Dpvs, service: Service) -> None:
    dpvs.services.remove(service)
    for dest in service.dests:
        dest.available = False
    key = service.key
    named = (key.family, key.protocol, key.address or (ANY6 if key.family == 6 else ANY4), key.port)
    dpvs.deny.forget(named)
    dpvs.allow.forget(named)


def flush(dpvs: Dpvs) -> None:
    """Delete all services."""
    for service in list(dpvs.services):
        _drop(dpvs, service)
    dpvs.faults.failing_reads += dpvs.faults.after_flush


def zero(dpvs: Dpvs, key: ServiceKey) -> None:
    """Clear the counters of a service, or of all when none is named; an address without a port names none."""
    portless = not key.port and not key.fwmark and key.match.empty and key.address is not None and not key.address.any
    chosen = list(dpvs.services) if not key.family or portless else [find(dpvs, key)]
    for service in chosen:
        for dest in service.dests:
            dest.stats.clear()


def add_dest(dpvs: Dpvs, key: ServiceKey, new: Dest) -> None:
    """Add a real server. Families and methods of a service may be mixed."""
    service = find(dpvs, key)
    if new.lower > new.upper:
        raise errors.Refused(errors.NOTSUPP)
    if service.dest(new.address, new.port) is not None:
        raise errors.Refused(errors.EXIST)
    service.dests.insert(0, new)
    service.scheduler.changed(service)


def edit_dest(dpvs: Dpvs, key: ServiceKey, new: Dest) -> None:
    """Give a real server the method, weight and thresholds of `new`."""
    service = find(dpvs, key)
    if new.lower > new.upper:
        raise errors.Refused(errors.INVAL)
    dest = service.dest(new.address, new.port)
    if dest is None:
        raise errors.Refused(errors.NOTEXIST)
    if new.upper == 0 or new.upper > dest.upper:
        dest.overload = False
    dest.method, dest.weight, dest.upper, dest.lower = new.method, new.weight, new.upper, new.lower
    dest.inhibited, dest.available = False, True
    service.scheduler.changed(service)


def delete_dest(dpvs: Dpvs, key: ServiceKey, address: Ip, port: int) -> None:
    """Delete a real server; its connections go on."""
    service = find(dpvs, key)
    dest = service.dest(address, port)
    if dest is None:
        raise errors.Refused(errors.NOTEXIST)
    dest.available = False
    service.dests.remove(dest)
    service.scheduler.changed(service)


def _with_laddrs(dpvs: Dpvs, key: ServiceKey) -> Service:
    service = dpvs.services.find(key._replace(match=ServiceKey().match))  # the request doesn't carry a match
    if service is None:
        raise errors.Refused(errors.NOSERV)
    return service


def add_laddr(dpvs: Dpvs, key: ServiceKey, ip: Ip, device: str) -> None:
    """Give a service a LIP."""
    service = _with_laddrs(dpvs, key)
    port = dpvs.device(device)
    if any(laddr.ip == ip for laddr in service.laddrs):
        raise errors.Refused(errors.EXIST)
    service.laddrs.append(Laddr(ip, port))


def delete_laddr(dpvs: Dpvs, key: ServiceKey, ip: Ip) -> None:
    """Take a LIP from a service."""
    service = _with_laddrs(dpvs, key)
    for at, laddr in enumerate(service.laddrs):
        if laddr.ip == ip:
            del service.laddrs[at]
            if service.laddr_cursor > at or service.laddr_cursor >= len(service.laddrs):
                service.laddr_cursor -= 1
            return
    raise errors.Refused(errors.NOTEXIST)
