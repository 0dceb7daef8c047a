"""Traffic through the emulated director fails where the real one's did (observed.md, transcripts 03, 05, 07, 12)."""

from __future__ import annotations

import re
from collections import Counter

import pytest

from dpvsbook.lab.faults import inject
from dpvsbook.lab.machines import Machine, build
from dpvsbook.lab.running import execute
from dpvsbook.lab.topology import HostSpec, Port, Topology


class World:
    """Hosts with a `run(host, *commands)` that checks the last exit code (0 unless said) and gives what was printed."""

    def __init__(self, *hosts: HostSpec) -> None:
        self.machines = build(Topology("t", "1.10", hosts), wait=0.0)

    def run(self, host: str, *commands: str, status: int = 0) -> str:
        for command in commands:
            got, out, err = execute(self.machines[host], [command])
        assert got == status, f"{commands[-1]}: {got}: {out}{err}"
        return out + err

    def saw(self, times: int, url: str = "http://10.0.0.100/", client: str = "client") -> Counter[str]:
        """Which real server answered how often; "7" and "28" for curl's exit codes."""
        answers = [execute(self.machines[client], ["curl", "-g", "-sS", "-m", "3", url]) for _ in range(times)]
        return Counter(str(status) if status else out.split()[0] for status, out, _ in answers)


def two_arm(*more: HostSpec) -> World:
    return World(
        HostSpec("lb1", "director", ports=(Port("dpdk0", "lan"), Port("dpdk1", "wan"))),
        HostSpec("rs1", "real-server", ports=(Port("eth0", "lan", ("192.168.100.2/24",)),), listening=frozenset({80})),
        HostSpec("rs2", "real-server", ports=(Port("eth0", "lan", ("192.168.100.3/24",)),), listening=frozenset({80})),
        HostSpec("client", "client", ports=(Port("eth0", "wan", ("10.0.0.48/16",)),)),
        *more,
    )


FNAT = (
    "dpip addr add 10.0.0.100/32 dev dpdk1",
    "dpip route add 10.0.0.0/16 dev dpdk1",
    "dpip route add 192.168.100.0/24 dev dpdk0",
    "ipvsadm -A -t 10.0.0.100:80 -s rr",
    "ipvsadm -a -t 10.0.0.100:80 -r 192.168.100.2:80 -b",
    "ipvsadm -a -t 10.0.0.100:80 -r 192.168.100.3:80 -b",
)
LADDR = "ipvsadm --add-laddr -z 192.168.100.200 -t 10.0.0.100:80 -F dpdk0"


@pytest.fixture
def fnat() -> World:
    world = two_arm()
    world.run("lb1", *FNAT, LADDR)
    return world


def without(command: str) -> World:
    world = two_arm()
    world.run("lb1", *(c for c in (*FNAT, LADDR) if c != command))
    return world


def test_fullnat_shares_and_hides_the_client(fnat: World) -> None:
    assert fnat.saw(20) == {"rs1": 10, "rs2": 10}
    assert re.fullmatch(r"rs[12] saw 192\.168\.100\.200:\d+\n", fnat.run("client", "curl -sS -m 3 http://10.0.0.100/"))


def test_counters_grow_and_ports_are_used(fnat: World) -> None:
    fnat.saw(10)
    stats = fnat.run("lb1", "ipvsadm -ln --stats")
    assert re.search(r"TCP +10\.0\.0\.100:80 +10 +50 +50 ", stats)
    assert "sa_used 10 " in fnat.run("lb1", "dpip -s addr show")
    assert fnat.run("lb1", "ipvsadm -lnc | wc -l") == "10\n"
    assert fnat.run("lb1", "ipvsadm -ln").count(" 5         ") == 2


@pytest.mark.parametrize("missing", [LADDR, FNAT[0], FNAT[2]])
def test_a_missing_lip_vip_or_lan_route_is_silence(missing: str) -> None:
    world = without(missing)
    assert world.saw(2) == {"28": 2}
    assert world.run("client", "curl -sS -m 3 http://10.0.0.100/", status=28) == "curl: (28) Connection timed out after 3000 milliseconds\n"


def test_nobody_on_the_segment_is_refused_after_three_seconds() -> None:
    world = two_arm()
    text = world.run("client", "curl -sS -m 5 http://10.0.0.100/", status=7)
    assert text == "curl: (7) Failed to connect to 10.0.0.100 port 80 after 3070 ms: Couldn't connect to server\n"


def test_a_real_server_without_port_resets() -> None:
    world = two_arm()
    world.run("lb1", *FNAT[:4], "ipvsadm -a -t 10.0.0.100:80 -r 192.168.100.2 -b", LADDR)
    assert world.saw(2) == {"7": 2}
    assert "TCP_CLOSE" in world.run("lb1", "ipvsadm -lnc")


def test_a_lip_that_was_added_by_hand_swallows_everything() -> None:
    world = two_arm()
    world.run("lb1", *FNAT, "dpip addr add 192.168.100.200/32 dev dpdk0", LADDR)
    assert world.saw(2) == {"28": 2}
    world.run("lb1", "dpip addr set 192.168.100.200/32 dev dpdk0 sapool")
    assert world.saw(1) == {"28": 1}
    world.run("lb1", "dpip addr del 192.168.100.200/32 dev dpdk0", "dpip addr add 192.168.100.200/32 dev dpdk0 sapool")
    assert world.saw(2) == {"rs1": 1, "rs2": 1}


def test_weights(fnat: World) -> None:
    fnat.run("lb1", "ipvsadm -E -t 10.0.0.100:80 -s wrr", "ipvsadm -e -t 10.0.0.100:80 -r 192.168.100.2:80 -b -w 3")
    assert fnat.saw(12) == {"rs1": 9, "rs2": 3}
    fnat.run("lb1", "ipvsadm -e -t 10.0.0.100:80 -r 192.168.100.2:80 -b -w 0")
    assert fnat.saw(4) == {"rs2": 4}
    fnat.run("lb1", "ipvsadm -e -t 10.0.0.100:80 -r 192.168.100.3:80 -b -w 0")
    assert fnat.saw(2) == {"28": 2}


def test_an_edit_without_the_method_flag_turns_fullnat_into_route(fnat: World) -> None:
    for server in ("192.168.100.2:80", "192.168.100.3:80"):
        fnat.run("lb1", f"ipvsadm -e -t 10.0.0.100:80 -r {server} -w 5")
    assert fnat.saw(2) == {"28": 2}


def test_deny_and_allow_lists(fnat: World) -> None:
    fnat.run("lb1", "ipvsadm -U -t 10.0.0.100:80 -k 10.0.0.48")
    assert fnat.saw(1) == {"28": 1}
    fnat.run("lb1", "ipvsadm -V -t 10.0.0.100:80 -k 10.0.0.48", "ipvsadm -O -t 10.0.0.100:80 -2 10.0.0.99")
    assert fnat.saw(1) == {"28": 1}
    fnat.run("lb1", "ipvsadm -O -t 10.0.0.100:80 -2 10.0.0.48")
    assert set(fnat.saw(1)) <= {"rs1", "rs2"}


def test_a_dead_real_server_keeps_its_share_of_failures(fnat: World) -> None:
    inject(fnat.machines["rs1"], "http-down")
    assert fnat.saw(4) == {"7": 2, "rs2": 2}
    inject(fnat.machines["rs1"], "down")
    assert fnat.saw(4) == {"28": 2, "rs2": 2}
    inject(fnat.machines["rs1"], "none")
    assert fnat.saw(4) == {"rs1": 2, "rs2": 2}


def test_a_killed_dpvs_is_silence_and_comes_back_empty(fnat: World) -> None:
    fnat.run("lb1", "kill -9 $(cat /var/run/dpvs.pid)")
    assert "Connection refused" in fnat.run("lb1", "ipvsadm -ln", status=2)
    assert fnat.saw(1) == {"28": 1}
    fnat.run("lb1", "dpvs -c /etc/dpvs.conf -- --no-pci --vdev=net_null0 --vdev=net_null1 >/dev/null 2>&1 &")
    fnat.run("lb1", "until dpip link show >/dev/null 2>&1; do sleep 0.01; done")
    assert "10.0.0.100" not in fnat.run("lb1", "ipvsadm -ln")
    assert "already running" in fnat.run("lb1", "dpvs", status=1)


def test_the_lip_shared_by_two_services_goes_with_either(fnat: World) -> None:
    fnat.run("lb1", "ipvsadm -A -t 10.0.0.100:81 -s rr", LADDR.replace(":80", ":81"), LADDR.replace("--add", "--del").replace(":80", ":81"))
    assert "192.168.100.200" in fnat.run("lb1", "ipvsadm -G")
    assert fnat.saw(1) == {"28": 1}


def test_ping_and_arping(fnat: World) -> None:
    assert "1 received, 0% packet loss" in fnat.run("client", "ping -c1 -W1 10.0.0.100")
    assert "0 received, 100% packet loss" in fnat.run("client", "ping -c1 -W1 10.0.0.101", status=1)
    assert fnat.run("client", "arping -c1 10.0.0.100").count("Unicast reply") == 1


# ---- the other methods


def one_arm() -> World:
    ports = {name: (Port("eth0", "lan", (f"192.168.100.{last}/24",)),) for name, last in (("rs1", 2), ("rs2", 3), ("client", 46))}
    servers = [HostSpec(name, "real-server", ports=ports[name], listening=frozenset({80})) for name in ("rs1", "rs2")]
    return World(HostSpec("lb1", "director", ports=(Port("dpdk0", "lan"),)), *servers, HostSpec("client", "client", ports=ports["client"]))


def direct(vip: str, flag: str) -> World:
    world = one_arm()
    world.run("lb1", "dpip addr add 192.168.100.1/24 dev dpdk0", f"dpip addr add {vip}/32 dev dpdk0", f"ipvsadm -A -t {vip}:80 -s rr")
    for server in ("192.168.100.2", "192.168.100.3"):
        world.run("lb1", f"ipvsadm -a -t {vip}:80 -r {server}:80 {flag}")
    return world


def test_direct_routing_with_lo_arp_ignore_only_bypasses_the_director() -> None:
    world, url = direct("192.168.100.254", "-g"), "http://192.168.100.254/"
    assert world.saw(2, url) == {"28": 2}, "the real servers don't have the VIP yet"
    for server in ("rs1", "rs2"):
        world.run(server, "ip addr add 192.168.100.254/32 dev lo", "sysctl -w net.ipv4.conf.lo.arp_ignore=1")
    assert world.saw(4, url) == {"rs2": 4}
    assert "FIN_WAIT" not in world.run("lb1", "ipvsadm -lnc"), "nothing went through the director"
    for server in ("rs1", "rs2"):
        assert world.run(server, "sysctl -w net.ipv4.conf.all.arp_ignore=1 net.ipv4.conf.all.arp_announce=2").count("=") == 2
    assert world.saw(4, url) == {"rs1": 2, "rs2": 2}
    assert world.run("client", f"curl -sS -m 3 {url}").split(" saw ")[1].startswith("192.168.100.46:"), "the client's own address"
    assert world.run("lb1", "ipvsadm -lnc").count("FIN_WAIT") == 5


def test_tunnel_needs_a_device_and_the_vip_on_the_real_server() -> None:
    world, url = direct("192.168.100.253", "-i"), "http://192.168.100.253/"
    assert world.saw(2, url) == {"28": 2}
    for server in ("rs1", "rs2"):
        world.run(server, "ip link add tun7 type ipip", "ip link set tun7 up", "ip addr add 192.168.100.253/32 dev tun7",
                  "sysctl -w net.ipv4.conf.all.arp_ignore=1")  # fmt: skip
    assert world.saw(4, url) == {"rs1": 2, "rs2": 2}


def nat() -> World:
    world = two_arm()
    world.run("lb1", "dpip addr add 10.0.0.1/16 dev dpdk1", "dpip addr add 192.168.100.1/24 dev dpdk0",
              "dpip addr add 10.0.0.100/32 dev dpdk1",
              "ipvsadm -A -t 10.0.0.100:80 -s rr", "ipvsadm -a -t 10.0.0.100:80 -r 192.168.100.2:80 -m",
              "ipvsadm -a -t 10.0.0.100:80 -r 192.168.100.3:80 -m")  # fmt: skip
    return world


def test_nat_needs_the_way_back_through_the_director() -> None:
    world = nat()
    assert world.saw(2) == {"28": 2}
    for server in ("rs1", "rs2"):
        world.run(server, "ip route replace 10.0.0.0/16 via 192.168.100.1")
    assert world.saw(4) == {"rs1": 2, "rs2": 2}
    assert world.run("client", "curl -sS -m 3 http://10.0.0.100/").split(" saw ")[1].startswith("10.0.0.48:")
    assert "TIME_WAIT" in world.run("lb1", "ipvsadm -lnc")


def test_snat_takes_servers_out_to_the_internet() -> None:
    world = two_arm()
    world.machines["client"].node.listening.add(80)
    match = "proto=tcp,src-range=192.168.100.0-192.168.100.254,oif=dpdk1"
    echo = match.replace("tcp", "icmp")
    world.run("lb1", "dpip addr add 10.0.0.3/16 dev dpdk1 sapool", "dpip addr add 192.168.100.1/24 dev dpdk0",
              f"ipvsadm -A -s rr -H '{match}'", f"ipvsadm -a -H '{match}' -r 10.0.0.3:0 -w 100 -J",
              f"ipvsadm -A -s rr -H '{echo}'", f"ipvsadm -a -H '{echo}' -r 10.0.0.3:0 -w 100 -J")  # fmt: skip
    assert "unreachable" in world.run("rs1", "ping -c1 -W1 10.0.0.48", status=2)
    world.run("rs1", "ip route replace default via 192.168.100.1")
    assert world.run("rs1", "curl -sS -m 3 http://10.0.0.48/").startswith("client saw 10.0.0.3:")
    assert "1 received" in world.run("rs1", "ping -c1 -W1 10.0.0.48")
    assert "ICMP_NORMAL" in world.run("lb1", "ipvsadm -lnc")


def test_ipv6_and_nat64() -> None:
    world = World(
        HostSpec("lb1", "director", ports=(Port("dpdk0", "lan"), Port("dpdk1", "wan"))),
        HostSpec("rs1", "real-server", ports=(Port("eth0", "lan", ("2001:db8:2::2/64", "192.168.100.2/24")),), listening=frozenset({80})),
        HostSpec("client", "client", ports=(Port("eth0", "wan", ("2001:db8:1::48/64",)),)),
    )
    world.run("lb1", "dpip -6 addr add 2001:db8:1::100/128 dev dpdk1", "dpip -6 route add 2001:db8:1::/64 dev dpdk1",
              "dpip -6 route add 2001:db8:2::/64 dev dpdk0", "ipvsadm -A -t [2001:db8:1::100]:80 -s rr",
              "ipvsadm -a -t [2001:db8:1::100]:80 -r [2001:db8:2::2]:80 -b",
              "ipvsadm --add-laddr -z 2001:db8:2::200 -t [2001:db8:1::100]:80 -F dpdk0")  # fmt: skip
    assert world.run("client", "curl -g -sS -m 3 http://[2001:db8:1::100]/").startswith("rs1 saw 2001:db8:2::200:")
    world.run("lb1", "dpip route add 192.168.100.0/24 dev dpdk0", "ipvsadm -A -t [2001:db8:1::100]:8064 -s rr",
              "ipvsadm -a -t [2001:db8:1::100]:8064 -r 192.168.100.2:80 -b",
              "ipvsadm --add-laddr -z 192.168.100.200 -t [2001:db8:1::100]:8064 -F dpdk0")  # fmt: skip
    assert world.run("client", "curl -g -sS -m 3 http://[2001:db8:1::100]:8064/").startswith("rs1 saw 192.168.100.200:")


def test_a_client_behind_a_router_needs_the_directors_route_to_nothing_but_the_router_needs_the_vips() -> None:
    world = World(
        HostSpec("lb1", "director", ports=(Port("dpdk0", "lan"), Port("dpdk1", "wan"))),
        HostSpec("rs1", "real-server", ports=(Port("eth0", "lan", ("192.168.100.2/24",)),), listening=frozenset({80})),
        HostSpec("gw", "router", ports=(Port("eth0", "wan", ("10.0.0.254/16",)), Port("eth1", "far", ("172.16.0.1/24",)))),
        HostSpec("client", "client", ports=(Port("eth0", "far", ("172.16.0.9/24",)),), routes=(("default", "172.16.0.1"),)),
    )
    world.run("lb1", *FNAT[:5], LADDR)
    assert world.saw(1) == {"rs1": 1}
    world.run("gw", "sysctl -w net.ipv4.ip_forward=0")
    assert world.saw(1) == {"28": 1}
    world.run("client", "ip route del default")
    assert world.saw(1) == {"7": 1}


def test_curl_says_what_was_asked_of_it(fnat: World) -> None:
    text = fnat.run(
        "client", r"curl -s -o /tmp/body -m 3 -w '%{http_code} %{remote_ip} %{num_connects}\n' http://10.0.0.100/ && cat /tmp/body"
    )
    assert re.fullmatch(r"200 10\.0\.0\.100 1\nrs[12] saw .*\n", text)
    inject(fnat.machines["lb1"], "dpvs-stop")
    assert fnat.run("client", r"curl -s -m 3 -w '%{http_code} %{time_total}\n' http://10.0.0.100/", status=28) == "000 3.000000\n"
    assert "Could not resolve host: nowhere" in fnat.run("client", "curl http://nowhere/", status=6)
    assert "option --nosuch: is unknown" in fnat.run("client", "curl --nosuch http://10.0.0.100/", status=2)


def test_client_ports_go_up(fnat: World) -> None:
    ports = [int(fnat.run("client", r"curl -s -o /dev/null -w '%{local_port}' http://10.0.0.100/")) for _ in range(3)]
    assert ports == sorted(set(ports))


@pytest.fixture
def director() -> Machine:
    return two_arm().machines["lb1"]


def test_the_same_lab_has_the_same_macs(director: Machine) -> None:
    assert director.node.macs == two_arm().machines["lb1"].node.macs
