"""How a plan becomes links and kernel settings: for `ip -batch`, for sh inside each host, for /proc/sys. Text only; nothing runs here."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dpvsbook.lab.netns.plan import HostPlan, LabPlan


def links_batch(plan: LabPlan) -> str:
    """For `ip -batch`, out of any namespace: every veth pair, one end in its host, the other on the switch."""
    lines = [
        f"link add {nic.port} netns {plan.switch} mtu {nic.mtu} type veth"
        f" peer name {nic.name} address {nic.mac} mtu {nic.mtu} netns {host.namespace}"
        for host in plan.hosts
        for nic in host.nics
    ]
    return "".join(f"{line}\n" for line in lines)


def switch_setup(plan: LabPlan) -> str:
    """For sh in the switch's namespace: a bridge per network without multicast snooping (OSPF, VRRP and neighbour discovery must pass)."""
    lines = [
        "ip -batch - <<'.'",
        "link set lo up",
        *(f"link add {bridge} type bridge mcast_snooping 0 stp_state 0 forward_delay 0" for bridge in plan.bridges),
    ]
    nics = [nic for host in plan.hosts for nic in host.nics]
    lines += [f"link set {nic.port} master {nic.bridge} up" for nic in nics]
    lines += [f"link set {bridge} up" for bridge in plan.bridges]
    return "\n".join([*lines, ".", *_offloads([nic.port for nic in nics])]) + "\n"


def host_setup(host: HostPlan) -> str:
    """For sh in a host's namespace: interfaces, addresses, routes, no offload; a director's kernel keeps its hands off DPVS's addresses."""
    real_kni = host.dpvs is not None and host.dpvs.kni
    lines = ["ip -batch - <<'.'", "link set lo up"]
    for nic in host.nics:
        lines += [f"address add {address} dev {nic.name}{' nodad' if ':' in address else ''}" for address in nic.addresses]
        lines.append(f"link set {nic.name}{' promisc on' if host.dpvs else ''}{' arp off' if real_kni else ''} up")
    lines += [f"route add {to} via {via}" for to, via in host.routes if ":" not in via]
    lines.append(".")
    lines += [f"ip -6 route add {to} via {via}" for to, via in host.routes if ":" in via]
    lines += _offloads([nic.name for nic in host.nics])
    if host.dpvs and (real_kni or host.dpvs.own):
        lines += _keep_off(host)
    return "\n".join(lines) + "\n"


def sysctls(host: HostPlan) -> dict[str, str]:
    """Keys below /proc/sys, set before there is any link. DR real servers get their ARP keys from a step of the tutorial, not from here."""
    found = {
        "net/ipv6/conf/default/accept_dad": "0",
        "net/ipv6/conf/all/accept_dad": "0",
        "net/ipv6/conf/default/accept_ra": "0",
        "net/ipv4/conf/all/rp_filter": "0",
        "net/ipv4/conf/default/rp_filter": "0",
    }
    if host.dpvs:
        found |= {
            "net/ipv4/conf/all/arp_ignore": "1",
            "net/ipv4/conf/all/arp_filter": "1",
            "net/ipv4/conf/all/rp_filter": "1",
            "net/ipv4/ip_forward": "0",
            "net/ipv6/conf/default/addr_gen_mode": "1",
        }  # 1: DPVS has the link-local address of this MAC
    if host.role == "router":
        found |= {"net/ipv4/ip_forward": "1", "net/ipv6/conf/all/forwarding": "1", "net/ipv4/fib_multipath_hash_policy": "1"}
    return found


def _offloads(names: list[str]) -> list[str]:
    """With offloads on, checksums are left to a NIC that isn't there, and DPVS would pass half-made packets on."""
    return [f"ethtool -K {name} tx off rx off tso off gso off gro off >/dev/null" for name in names]


def _keep_off(host: HostPlan) -> list[str]:
    """DPVS reads the same packets as the kernel, which must not answer (reset) what is for DPVS's own addresses, even with a VIP on lo.

    With real KNI it must see nothing of the NICs, as on a cluster: DPVS hands on what is the kernel's, which else had it twice.
    """
    assert host.dpvs is not None  # noqa: S101
    nics = f"iifname {{ {', '.join(nic.name for nic in host.nics)} }}"
    if host.dpvs.kni:
        keys = [f"/proc/sys/net/ipv6/conf/{nic.name}/disable_ipv6" for nic in host.nics]
        lines = [f"[ ! -e {key} ] || echo 1 >{key}" for key in keys]
        rules = [f"  {nics} drop"]
    else:
        lines = []
        rules = [f"  {nics} {'ip6' if ':' in address else 'ip'} daddr {address} drop" for address in host.dpvs.own]
    chain = " chain dpvs { type filter hook prerouting priority raw;"
    return [*lines, "if command -v nft >/dev/null; then nft -f - <<'.'", "table inet lab {", chain, *rules, " }", "}", ".", "fi"]
