"""The emulated director beyond the transcripts: the traps of DPVS, traffic, faults, versions, odd command lines, and speed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import pytest

from dpvsbook.lab.dpvs import Decision, Device, Dpvs, Flow, answers_arp, dpip, ipvsadm, traffic
from dpvsbook.lab.dpvs.ip import of
from dpvsbook.lab.dpvs.sockopt import Message


class Director:
    """A director with its tools, and a clock that the test moves."""

    def __init__(self, **options: Any) -> None:
        self.now = 0.0
        devices = [Device("dpdk0", "02:00:00:00:00:01"), Device("dpdk1", "02:00:00:00:00:02")]
        self.dpvs = Dpvs(devices, clock=lambda: self.now, **options)
        self.port = 40000

    def run(self, command: str, stdin: str = "", env: dict[str, str] | None = None) -> tuple[str, str, int]:
        out: list[str] = []
        err: list[str] = []
        argv = command.split()
        tool = {"ipvsadm": ipvsadm.main, "dpip": dpip.main}[argv[0].rsplit("/", 1)[-1]]
        status = tool(self.dpvs, argv, stdin, out.append, err.append, env or {})
        return "".join(out), "".join(err), status

    def ok(self, *commands: str) -> str:
        out = ""
        for command in commands:
            out, err, status = self.run(command)
            assert status == 0, (command, err)
        return out

    def flow(self, port: int = 0, client: str = "10.0.0.48", vport: int = 80) -> Flow:
        self.port += 1
        return Flow("tcp", client, port or self.port, "10.0.0.100", vport, "dpdk1")

    def request(self, **where: Any) -> Decision:
        decision = self.dpvs.deliver(self.flow(**where))
        if decision.conn is not None and decision.forwarded:
            self.dpvs.settle(decision.conn, "served", traffic.http(decision.method, 4, 74, 155))
        return decision


@pytest.fixture
def director() -> Director:
    made = Director()
    made.ok(
        "dpip addr add 10.0.0.100/32 dev dpdk1",
        "dpip route add 10.0.0.0/16 dev dpdk1",
        "dpip route add 192.168.100.0/24 dev dpdk0",
        "ipvsadm -A -t 10.0.0.100:80 -s rr",
        "ipvsadm -a -t 10.0.0.100:80 -r 192.168.100.2:80 -b",
        "ipvsadm -a -t 10.0.0.100:80 -r 192.168.100.3:80 -b",
        "ipvsadm -P -z 192.168.100.200 -t 10.0.0.100:80 -F dpdk0",
    )
    return made


def servers(decisions: Iterable[Decision]) -> list[str]:
    return [str(decision.server) for decision in decisions]


# ---- traffic


def test_fullnat_takes_turns_and_counts(director: Director):
    decisions = [director.request() for _ in range(4)]
    assert servers(decisions) == ["192.168.100.2:80", "192.168.100.3:80"] * 2
    assert [str(d.source) for d in decisions] == ["192.168.100.200:1025"] * 2 + ["192.168.100.200:1026"] * 2
    assert (decisions[0].device, decisions[0].next_hop) == ("dpdk0", "192.168.100.2")
    stats = director.ok("ipvsadm -ln --stats --exact").splitlines()[3].split()
    assert stats == ["TCP", "10.0.0.100:80", "4", "20", "20", "1176", "1468"]
    assert "sa_used 4 sa_free 1032172" in director.ok("dpip -s addr show")
    director.now += 8
    assert director.ok("ipvsadm -lnc") == ""
    assert "sa_used 0 sa_free 1032176" in director.ok("dpip -s addr show")


def test_more_packets_of_a_flow_find_their_connection(director: Director):
    first = director.dpvs.deliver(director.flow(port=5000))
    director.dpvs.settle(first.conn, "open", traffic.opened("fnat", 4))
    assert "192.168.100.2:80             FullNat 1      1          0" in director.ok("ipvsadm -ln")
    director.ok("ipvsadm -D -t 10.0.0.100:80", "dpip addr del 10.0.0.100/32 dev dpdk1")
    assert director.dpvs.deliver(director.flow(port=5000)).conn is first.conn
    assert director.dpvs.deliver(director.flow(port=5001)).verdict != "forward"


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ("ipvsadm -Q -z 192.168.100.200 -t 10.0.0.100:80 -F dpdk0", "no LIP"),
        ("dpip route del 192.168.100.0/24 dev dpdk0", "no route to 192.168.100.2"),
        ("dpip addr del 192.168.100.200/32 dev dpdk0", "no LIP has a pool"),
        ("ipvsadm -U -t 10.0.0.100:80 -k 10.0.0.48", "deny list"),
        ("ipvsadm -O -t 10.0.0.100:80 -2 10.0.0.99", "not on the allow list"),
    ],
)
def test_who_is_turned_away_gets_no_answer(director: Director, change: str, reason: str):
    director.ok(change)
    decision = director.request()
    assert decision.verdict == "drop"
    assert reason in decision.reason


def test_weight_zero_everywhere_is_silence(director: Director):
    for server in ("192.168.100.2:80", "192.168.100.3:80"):
        director.ok(f"ipvsadm -e -t 10.0.0.100:80 -r {server} -b -w 0")
    assert director.request().verdict == "drop"


def test_a_lip_added_by_dpip_has_no_pool(director: Director):
    director.ok("ipvsadm -Q -z 192.168.100.200 -t 10.0.0.100:80 -F dpdk0", "dpip addr add 192.168.100.200/32 dev dpdk0")
    _, err, status = director.run("ipvsadm -P -z 192.168.100.200 -t 10.0.0.100:80 -F dpdk0")
    assert (status, "already exist(-3)" in err) == (0, True)
    assert "no LIP has a pool" in director.request().reason
    director.ok("dpip addr set 192.168.100.200/32 dev dpdk0 sapool")
    assert not director.request().forwarded
    director.ok("dpip addr del 192.168.100.200/32 dev dpdk0", "dpip addr add 192.168.100.200/32 dev dpdk0 sapool")
    assert director.request().forwarded


def test_a_shared_lip_goes_for_both(director: Director):
    director.ok("ipvsadm -A -t 10.0.0.100:81 -s rr")
    assert director.run("ipvsadm -P -z 192.168.100.200 -t 10.0.0.100:81 -F dpdk0")[2] == 0
    director.ok("ipvsadm -Q -z 192.168.100.200 -t 10.0.0.100:81 -F dpdk0")
    assert "192.168.100.200" in director.ok("ipvsadm -G -t 10.0.0.100:80")
    assert "192.168.100.200" not in director.ok("dpip addr show")
    assert not director.request().forwarded


def test_a_lip_that_does_not_fit_is_a_black_hole_with_exit_zero():
    made = Director(hugepages=30)
    made.ok("ipvsadm -A -t 10.0.0.100:80 -s rr", "dpip route add 192.168.100.0/24 dev dpdk0")
    made.ok("ipvsadm -a -t 10.0.0.100:80 -r 192.168.100.2:80 -b", "ipvsadm -P -z 192.168.100.200 -t 10.0.0.100:80 -F dpdk0")
    made.ok("ipvsadm -P -z 192.168.100.201 -t 10.0.0.100:80 -F dpdk0")
    assert "192.168.100.201/32" in made.ok("dpip addr show")
    assert made.run("dpip -s addr show") == ("", "corrupted response.\ndpip: invalid parameter\n", 1)
    assert made.run("dpip -s addr show dev dpdk1")[2] == 0
    assert {str(made.request().source.address) for _ in range(4)} == {"192.168.100.200"}
    made.ok("dpip addr del 192.168.100.201/32 dev dpdk0")
    assert made.run("dpip -s addr show")[2] == 0


def test_the_vip_without_its_host_route(director: Director):
    director.ok("dpip addr add 10.0.0.100/16 dev dpdk1", "dpip addr del 10.0.0.100/16 dev dpdk1")
    assert "10.0.0.100/32" in director.ok("dpip addr show")
    assert "10.0.0.100/32" not in director.ok("dpip route show")
    ping = Flow("icmp", "10.0.0.48", 77, "10.0.0.100", 8, "dpdk1")
    assert director.dpvs.deliver(ping).verdict != "local"
    director.ok("dpip addr del 10.0.0.100/32 dev dpdk1", "dpip addr add 10.0.0.100/32 dev dpdk1")
    assert director.dpvs.deliver(ping).verdict == "local"
    assert answers_arp(director.dpvs, "10.0.0.100", "dpdk1")
    assert not answers_arp(director.dpvs, "10.0.0.100", "dpdk0")


def test_direct_routing_goes_to_the_real_server_unchanged(director: Director):
    director.ok("ipvsadm -A -t 10.0.0.100:81 -s rr", "ipvsadm -a -t 10.0.0.100:81 -r 192.168.100.2 -g")
    decision = director.request(vport=81)
    assert (decision.method, decision.next_hop, decision.source.address) == ("dr", "192.168.100.2", "10.0.0.48")
    assert decision.conn.state == "FIN_WAIT"


def test_persistence_ties_a_client_to_one_server(director: Director):
    director.ok("ipvsadm -E -t 10.0.0.100:80 -s rr -p 60")
    assert len(set(servers(director.request() for _ in range(4)))) == 1
    assert "10.0.0.48:0" in director.ok("ipvsadm -lnc --persistent-conn")
    assert len(set(servers([director.request(), director.request(client="10.0.0.49")]))) == 2


def test_persistence_by_network():
    made = Director()
    made.ok("ipvsadm -A -t 10.0.0.100:80 -s rr -p 60 -M 255.255.255.0", "dpip route add 192.168.100.0/24 dev dpdk0")
    for number in (2, 3):
        made.ok(f"ipvsadm -a -t 10.0.0.100:80 -r 192.168.100.{number}:80 -m")
    assert "persistent 60 mask 255.255.255.0" in made.ok("ipvsadm -ln")
    assert "-p 60 -M 255.255.255.0" in made.ok("ipvsadm -S -n")
    assert len(set(servers(made.request(client=f"10.0.0.{n}") for n in (1, 2, 3)))) == 1
    assert made.request(client="10.0.1.1").server != made.request(client="10.0.0.1").server


def test_weighted_shares(director: Director):
    director.ok("ipvsadm -E -t 10.0.0.100:80 -s wrr", "ipvsadm -e -t 10.0.0.100:80 -r 192.168.100.2:80 -b -w 3")
    taken = servers(director.request() for _ in range(40))
    assert taken.count("192.168.100.2:80") == 30


@pytest.mark.parametrize("scheduler", ["mh", "conhash"])
def test_hashing_is_by_client_and_about_even(director: Director, scheduler: str):
    director.ok(f"ipvsadm -E -t 10.0.0.100:80 -s {scheduler}")
    first = servers(director.request(client=f"10.0.{n}.7") for n in range(200))
    assert first == servers(director.request(client=f"10.0.{n}.7") for n in range(200))
    assert 50 < first.count("192.168.100.2:80") < 150


def test_upper_threshold(director: Director):
    director.ok("ipvsadm -d -t 10.0.0.100:80 -r 192.168.100.3:80", "ipvsadm -e -t 10.0.0.100:80 -r 192.168.100.2:80 -b -x 2")
    assert [director.request().forwarded for _ in range(4)] == [True, True, False, False]
    assert "overload" not in director.ok("ipvsadm -ln")
    director.now += 8
    assert director.request().forwarded


def test_two_lips_share(director: Director):
    director.ok("ipvsadm -P -z 192.168.100.201 -t 10.0.0.100:80 -F dpdk0")
    used = [director.request().source.address for _ in range(60)]
    assert set(used) == {"192.168.100.200", "192.168.100.201"}


def test_a_lane_of_ports_runs_out(director: Director):
    director.ok("ipvsadm -d -t 10.0.0.100:80 -r 192.168.100.3:80")
    pool = director.dpvs.addresses.listed(director.dpvs.devices["dpdk0"])[0].pool
    for lane in pool.lanes:
        lane.fresh = 65536
    assert "no source port left" in director.request().reason
    assert "sa_miss 1" in director.ok("dpip -s addr show")


def test_expire_quiescent(director: Director):
    director.ok("ipvsadm -E -t 10.0.0.100:80 -s rr --expire-quiescent")
    decision = director.dpvs.deliver(director.flow(port=6000))
    director.dpvs.settle(decision.conn, "open", traffic.opened("fnat", 4))
    director.ok("ipvsadm -e -t 10.0.0.100:80 -r 192.168.100.2:80 -b -w 0")
    assert "quiescent" in director.dpvs.deliver(director.flow(port=6000)).reason


def test_udp_without_uoa_module_loses_three(director: Director):
    director.ok("ipvsadm -A -u 10.0.0.100:53 -s rr", "ipvsadm -a -u 10.0.0.100:53 -r 192.168.100.2:53 -b")
    assert director.run("ipvsadm -P -z 192.168.100.200 -u 10.0.0.100:53 -F dpdk0")[2] == 0
    flow = Flow("udp", "10.0.0.48", 5000, "10.0.0.100", 53, "dpdk1")
    assert [director.dpvs.deliver(flow).uoa for _ in range(5)] == [True] * 3 + [False] * 2


def test_ipset_on_a_deny_list(director: Director):
    director.ok("dpip ipset create bad hash:net", "dpip ipset add bad 10.0.1.0/24", "ipvsadm -U -t 10.0.0.100:80 -k ipset:bad")
    assert "ipset:bad" in director.ok("ipvsadm -B")
    assert "References: 1" in director.ok("dpip ipset show bad")
    assert director.request().forwarded
    assert not director.request(client="10.0.1.9").forwarded
    assert director.run("dpip ipset destroy bad")[2] == 1


def test_persistence_and_weight_zero_leave_the_client_without_an_answer(director: Director):
    director.ok("ipvsadm -E -t 10.0.0.100:80 -s rr -p 60")
    assert str(director.request().server) == "192.168.100.2:80"
    director.ok("ipvsadm -e -t 10.0.0.100:80 -r 192.168.100.2:80 -b -w 0")
    assert "tied to it by persistence" in director.request().reason
    assert director.request(client="10.0.0.49").forwarded
    director.ok("ipvsadm -d -t 10.0.0.100:80 -r 192.168.100.2:80")
    assert str(director.request().server) == "192.168.100.3:80"


def test_a_port_that_is_down(director: Director):
    director.ok("dpip link set dpdk1 link down")  # af_packet doesn't do that, and nobody says so
    assert director.request().forwarded
    director.dpvs.devices["dpdk1"].up = False
    assert "does not listen" in director.request().reason
    assert not answers_arp(director.dpvs, "10.0.0.100", "dpdk1")


# ---- routes


def test_deleting_a_route_compares_masked_addresses_only(director: Director):
    director.ok("dpip route add 10.3.0.0/24 dev dpdk1", "dpip route del 10.3.0.0/16 dev dpdk1")
    assert "10.3.0.0" not in director.ok("dpip route show")


def test_a_mask_beyond_32_wraps(director: Director):
    director.ok("dpip route add 10.2.0.0/40 dev dpdk0")
    route = director.dpvs.routes.output(of("10.99.0.1"))
    assert route is not None
    assert route.length == 40


def test_routes_of_one_device_are_not_shown(director: Director):
    assert director.run("dpip route show dev dpdk0") == ("", "corrupted response.\ndpip: invalid parameter\n", 1)
    director.ok("dpip route flush dev dpdk1")
    assert len(director.ok("dpip route show dev dpdk0").splitlines()) == 2


# ---- ports


def test_a_vlan_has_a_link_local_address_of_its_own(director: Director):
    director.ok("dpip vlan add link dpdk0 id 5", "dpip tunnel add mode ipip", "dpip addr add 10.5.0.1/24 dev dpdk0.5")
    shown = director.ok("dpip link show").splitlines()
    assert [line.split()[1] for line in shown[::3]] == ["dpdk0:", "dpdk1:", "dpdk0.5:", "ipip3:"]
    assert director.ok("dpip addr show").count("fe80::ff:fe00:1/64") == 2
    director.ok("dpip vlan del dpdk0.5")
    assert "10.5.0" not in director.ok("dpip route show") + director.ok("dpip addr show")
    director.ok("dpip vlan add link dpdk1 id 6")
    assert director.dpvs.devices["dpdk1.6"].index == 3


def test_multicast_groups_follow_the_addresses(director: Director):
    director.ok("dpip addr add 2001:db8::5/64 dev dpdk1")
    assert "\tlink 33:33:ff:00:00:05\n\tinet6 ff02::1:ff00:5\n\tinet6 ff02::2\n" in director.ok("dpip maddr show")
    director.ok("dpip addr flush dev dpdk1")
    assert director.ok("dpip maddr show dev dpdk1").splitlines()[1:] == [
        "\tlink 33:33:00:00:00:01",
        "\tlink 33:33:00:00:00:02",
        "\tinet6 ff02::2",
        "\tinet6 ff02::1",
    ]


# ---- tools


def test_an_ipv6_fwmark_ends_every_listing(director: Director):
    director.ok("ipvsadm -A -f 6 -6 -s rr")
    out, err, status = director.run("ipvsadm -S -n")
    assert (len(out.splitlines()), status) == (3, 1)
    assert err == "[sockopt_msg_recv] errcode set in socket msg#21 header: msg callback failed(-23)\nSuccess\n"
    director.ok("ipvsadm -D -f 6 -6", "ipvsadm -A -H proto=tcp,src-range=,oif=dpdk1 -s rr")
    assert director.run("ipvsadm -ln")[2] == 1
    assert "[(null)]:0" in director.ok("ipvsadm -G")


def test_not_running():
    for socket, words in (("missing", "No such file or directory"), ("refused", "Connection refused")):
        made = Director()
        made.dpvs.stop(killed=socket == "refused")
        assert made.run("ipvsadm -ln") == (
            "",
            f"[dpvs_getsockopt] scoket msg connection error: {words}\nCan't initialize ipvs: {words}\nAre you sure that dpvs is running?\n",
            2,
        )
        assert words in made.run("dpip addr show")[1]


def test_another_socket():
    made = Director(ipc_file="/var/run/dpvs2.ipc")
    assert made.run("dpip link show")[2] == 1
    assert made.run("dpip link show", env={"DPVS_IPC_FILE": "/var/run/dpvs2.ipc"})[2] == 0


def test_failing_reads(director: Director):
    director.dpvs.faults.failing_reads = 1
    out, err, status = director.run("ipvsadm -ln")
    assert (out, status) == ("IP Virtual Server version 1.10.2 (size=0)\n", 1)
    assert err == "[sockopt_msg_recv] errcode set in socket msg#19 header: msg callback failed(-23)\n"
    assert director.run("ipvsadm -ln")[2] == 0
    director.dpvs.faults.failing_reads, director.dpvs.faults.only = 1, frozenset({Message.DESTS_GET})
    out, err, status = director.run("ipvsadm -ln")
    assert (len(out.splitlines()), status, err.splitlines()[-1]) == (3, 1, "Success")
    director.dpvs.faults.failing_reads, director.dpvs.faults.only = 1, frozenset()
    assert director.run("dpip addr show")[2] == 0
    assert director.run("dpip -s addr show")[2] == 1


@pytest.mark.parametrize(
    "command",
    [
        "dpip cls add dev dpdk0 qsch root match pattern tcp,from=10.0.0.1 target drop",
        "dpip link set bond0 bond-mode 1",
        "dpip link show dpdk0 status",
        "dpip addr add 10.0.0.7/32 dev dpdk1 valid_lft 5",
        "dpip lldp show dev dpdk0 local",
        "dpip eal-mem show pool",
        "dpip ipset create x bitmap:port",
        "dpip flow add type kni dev dpdk0 10.0.0.1",
        "dpip tunnel change ipip1 ttl 3",
    ],
)
def test_what_is_not_here_never_succeeds(director: Director, command: str):
    _, err, status = director.run(command)
    assert status == 1
    assert "not implemented in this lab" in err


def test_versions():
    old = Director(version="1.9")
    assert "IP Virtual Server version 1.9.10 (size=0)" in old.ok("ipvsadm -ln")
    assert old.ok("dpip -V") == "dpip-1.9-10\n"
    assert old.ok("dpip -v link show dpdk0").splitlines()[4] == "    " + " " * 32 + f"{'net_af_packet':<32}"


CONFLICT = "The option 'service-address' conflicts with the 'connection' option in the 'list' command\n"
REFUSED = "[sockopt_msg_recv] errcode set in socket msg#33 header: invalid parameter(-1)\n"


@pytest.mark.parametrize(
    ("command", "status", "message"),
    [
        ("ipvsadm -A -t10.0.0.100:90 -srr", 0, ""),
        ("ipvsadm --add-service --tcp-service=10.0.0.100:91 --scheduler=rr", 0, ""),
        ("ipvsadm -A -u 10.0.0.100:53 -os rr", 0, ""),
        ("ipvsadm -A -t 10.0.0.100:92 -s rr -o", 2, "One-Packet Scheduling is only for UDP virtual services\n"),
        ("ipvsadm -A -t 10.0.0.100:92 -t 10.0.0.100:93", 2, "multiple 'service-address' options specified\n"),
        ("ipvsadm -A -t 10.0.0.100:92 -p -M 255.255.0.0", 0, ""),
        ("ipvsadm -A -t 10.0.0.100:93 -p 0", 2, "invalid timeout value `0' specified\n"),
        ("ipvsadm -A -t 10.0.0.100:93 --conn-timeout soon", 255, "soon: invalid numeric value\n"),
        ("ipvsadm -A -t 10.0.0.100:93 --nope", 255, "--nope: unknown option\n"),
        ("ipvsadm -ln --cpu 7", 1, "[sockopt_msg_recv] errcode set in socket msg#19 header: invalid parameter(-1)\n"),
        ("ipvsadm -ln -c -t 10.0.0.100:80", 2, CONFLICT),
        ("ipvsadm -C -t 10.0.0.100:80", 2, "Illegal 'service-address' option with the 'flush' command\n"),
        ("ipvsadm -a -t 10.0.0.100:80 -r 192.168.100.9:http -b", 2, "illegal real server address[:port] specified\n"),
        ("ipvsadm -A -t [10.0.0.100]:80 -s rr", 2, "Zero port specified for no-match and non-persistent service\n"),
        ("ipvsadm -A -f 7 -s rr", 0, ""),
        ("dpip --family=inet6 addr show", 0, ""),
        ("dpip --st addr show", 0, ""),
        ("dpip --f inet addr show", 1, "dpip: option '--f' is ambiguous; possibilities: '--family' '--force'\nInvalid option: inet\n"),
        ("dpip -f inet7 addr show", 1, "invalid family\n"),
        ("dpip route -6 add 2001:db8::/129 dev dpdk0", 1, f"{REFUSED}dpip: invalid parameter\n"),
    ],
)  # fmt: skip
def test_command_lines(director: Director, command: str, status: int, message: str):
    assert director.run(command)[1:] == (message, status)


def test_restore(director: Director):
    rules = "-A -t 10.0.0.101:1 -s rr\n\n  ipvsadm -A -t 10.0.0.101:2 -s rr  \n-A -t 10.0.0.101:3 --nope\n-A -t 10.0.0.101:4 -s rr\n-C \t"
    _, err, status = director.run("ipvsadm -R", rules)
    assert (err, status) == ("--nope: unknown option\n", 0)
    saved = director.ok("ipvsadm -S -n")
    assert [number for number in (1, 2, 3, 4) if f"10.0.0.101:{number} " in saved] == [1, 2, 4]
    _, err, status = director.run("ipvsadm -R", "-D -t 10.0.0.101:1\n# the rest\n-D -t 10.0.0.101:2\n")
    assert (err, status) == ("Try `ipvsadm -h' or 'ipvsadm --help' for more information.\n", 255)
    assert "10.0.0.101:2 " in director.ok("ipvsadm -S -n")


def test_large_weights_keep_their_sign_bit(director: Director):
    director.ok("ipvsadm -e -t 10.0.0.100:80 -r 192.168.100.2:80 -b -w 40000")
    assert "-r 192.168.100.2:80 -b -w -25536" in director.ok("ipvsadm -S -n")


def test_services_sort_as_c_integers_do():
    made = Director()
    made.ok("ipvsadm -A -t 10.0.0.1:80 -s rr", "ipvsadm -A -t 192.168.0.1:80 -s rr")
    assert [line.split()[2] for line in made.ok("ipvsadm -S -n").splitlines()] == ["192.168.0.1:80", "10.0.0.1:80"]


# ---- size


def rules(count: int) -> Iterator[str]:
    for number in range(count):
        vip = f"10.0.{number // 250 + 1}.100:{10000 + number % 250}"
        yield f"-A -t {vip} -s rr\n-a -t {vip} -r 192.168.100.2:80 -b\n-a -t {vip} -r 192.168.100.3:80 -b\n"
        yield f"-P -t {vip} -z 192.168.100.200 -F dpdk0\n"


def out(director: Director, command: str, stdin: str = "") -> str:
    text, _, status = director.run(command, stdin)
    assert status == 0
    return text


def test_a_thousand_services():
    made = Director()
    out(made, "ipvsadm -R", "".join(rules(1000)))
    for command, lines in (("-ln", 3003), ("-S -n", 3000), ("-G", 2001), ("-ln --stats", 3003)):
        assert len(out(made, f"ipvsadm {command}").splitlines()) == lines


def test_ten_thousand_services():
    made = Director()
    out(made, "ipvsadm -R", "".join(rules(10000)))
    assert len(out(made, "ipvsadm -S -n").splitlines()) == 30000
    out(made, "ipvsadm -C")
    assert len(made.dpvs.services) == 0
