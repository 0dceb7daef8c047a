"""What DPVS does with a request about addresses, routes, neighbours and VLANs. Each refuses with `errors.Refused`."""

from __future__ import annotations

from dpvsbook.lab.dpvs import errors
from dpvsbook.lab.dpvs.addresses import Address
from dpvsbook.lab.dpvs.devices import Device
from dpvsbook.lab.dpvs.ip import ANY4, ANY6, Ip, network, signed
from dpvsbook.lab.dpvs.process import Dpvs
from dpvsbook.lab.dpvs.routes import Route
from dpvsbook.lab.dpvs.routes6 import Route6


def _check_prefix(ip: Ip | None, prefixlen: int) -> Ip:
    if ip is None or ip.any or prefixlen > len(ip.packed) * 8:
        raise errors.Refused(errors.INVAL)
    return ip


def add_address(
    dpvs: Dpvs,
    device: str,
    ip: Ip | None,
    prefixlen: int,
    *,
    scope: int = 0,
    broadcast: Ip | None = None,
    sapool: bool = False,
) -> None:
    """Add an address, with its host route and, unless it is a host prefix, its link route."""
    ip = _check_prefix(ip, prefixlen)
    port = dpvs.device(device)
    added = dpvs.addresses.add(Address(ip, prefixlen, port, scope, broadcast, sapool))
    if not added.on_worker:
        dpvs.log.append(f"IFA: [01] ifa_entry_add: add ifaddr {ip.text} failed -- no memory")
    if ip.family == 4:
        dpvs.routes.add(Route(ip, 32, port, kind="host", mtu=port.mtu))
        if prefixlen != 32:
            dpvs.routes.add(Route(network(ip, prefixlen), prefixlen, port, src=ip, mtu=port.mtu))
        return
    for route in (Route6(ip, 128, port, kind="host", mtu=port.mtu), Route6(ip, prefixlen, port, src=ip, mtu=port.mtu)):
        if route.kind == "host" or prefixlen != 128:
            try:
                dpvs.routes6.add(route)
            except errors.Refused:
                continue  # a route that exists already is fine here


def del_address(dpvs: Dpvs, device: str, ip: Ip | None, prefixlen: int) -> None:
    """Delete an address and the routes that came with it: also when another address of the same number still needs its host route."""
    ip = _check_prefix(ip, prefixlen)
    entry = dpvs.addresses.find(dpvs.device(device), ip, prefixlen)
    dpvs.addresses.remove(entry)
    _del_routes(dpvs, entry)


def _del_routes(dpvs: Dpvs, entry: Address) -> None:
    ip, port = entry.ip, entry.device
    if ip.family == 4:
        dpvs.routes.remove(ip, 32, port, "host")
        if entry.prefixlen != 32:
            dpvs.routes.remove(network(ip, entry.prefixlen), entry.prefixlen, port)
        return
    for length in {128, entry.prefixlen}:
        try:
            dpvs.routes6.remove(ip, length, port)
        except errors.Refused:
            continue


def set_address(dpvs: Dpvs, device: str, ip: Ip | None, prefixlen: int, *, scope: int, broadcast: Ip | None) -> None:
    """Change scope and broadcast of an address. A pool is not among what can be changed."""
    ip = _check_prefix(ip, prefixlen)
    entry = dpvs.addresses.find(dpvs.device(device), ip, prefixlen)
    entry.scope, entry.broadcast = scope, broadcast


def flush_addresses(dpvs: Dpvs, device: str) -> None:
    """Delete every address of a device, of both families."""
    port = dpvs.device(device)
    for entry in dpvs.addresses.listed(port):
        dpvs.addresses.remove(entry)
        _del_routes(dpvs, entry)


def _route_device(dpvs: Dpvs, name: str) -> Device:
    try:
        return dpvs.device(name)
    except errors.Refused:
        raise errors.Refused(errors.INVAL) from None


def _check_route(dpvs: Dpvs, to: Ip, length: int, device: str, kind: str) -> Device:
    if to.family == 6:
        raise errors.Refused(errors.NOTSUPP)
    if kind != "net" and (to.any or length != 32):
        raise errors.Refused(errors.INVAL)
    return _route_device(dpvs, device)


def add_route(
    dpvs: Dpvs, to: Ip, length: int, device: str, *, kind: str = "net", via: Ip = ANY4, src: Ip = ANY4, mtu: int = 0, metric: int = 0
) -> None:
    """Add an IPv4 route; that it exists already is no error."""
    port = _check_route(dpvs, to, length, device, kind)
    dpvs.routes.add(Route(to, length & 0xFF, port, kind, via, src, mtu or port.mtu, signed(metric, 16)))


def del_route(dpvs: Dpvs, to: Ip, length: int, device: str, *, kind: str = "net") -> None:
    """Delete an IPv4 route; that there is none is no error."""
    port = _check_route(dpvs, to, length, device, kind)
    dpvs.routes.remove(to, length & 0xFF, port, kind)


def set_route(dpvs: Dpvs, to: Ip, length: int, device: str, *, kind: str = "net") -> None:
    """Change an IPv4 route: DPVS looks at what is asked for, and can't."""
    _check_route(dpvs, to, length, device, kind)
    raise errors.Refused(errors.NOTSUPP)


def flush_routes(dpvs: Dpvs, device: str) -> None:
    """Delete all IPv4 routes of a device, the host routes of its addresses too."""
    dpvs.routes.flush(_route_device(dpvs, device))


def add_route6(dpvs: Dpvs, to: Ip, length: int, device: str, *, kind: str = "net", via: Ip = ANY6, src: Ip = ANY6, mtu: int = 0) -> None:
    """Add an IPv6 route."""
    port = _check_route6(dpvs, length, device)
    dpvs.routes6.add(Route6(to, length, port, kind, via, src, mtu or port.mtu))


def del_route6(dpvs: Dpvs, to: Ip, length: int, device: str) -> None:
    """Delete an IPv6 route."""
    dpvs.routes6.remove(to, length, _check_route6(dpvs, length, device))


def flush_routes6(dpvs: Dpvs, device: str) -> None:
    """Delete all IPv6 routes of a device."""
    dpvs.routes6.flush(_check_route6(dpvs, 0, device))


def _check_route6(dpvs: Dpvs, length: int, device: str) -> Device:
    if not 0 <= length <= 128:
        raise errors.Refused(errors.INVAL)
    return _route_device(dpvs, device)
