"""One look at a director, merged: options, limits, LIPs and names in full; and lists that contradict each other."""

from __future__ import annotations

import pkgutil
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import dpvsbook.facts
from dpvsbook.facts import director, ipvsadm_laddr
from dpvsbook.facts.ipvs import Endpoint, ServiceKey
from dpvsbook.facts.laddr_order import attribute, rank

from . import made
from .cases import CAPTURES

KEY = ServiceKey.parse


def captured(name: str) -> dict[director.Argv, str]:
    """A whole look out of one file: each command on a line `$ command`, then what it printed."""
    parts = re.split(r"^\$ (.*)\n", (CAPTURES / "director" / f"{name}.txt").read_text(), flags=re.MULTILINE)[1:]
    return {tuple(command.split()): text for command, text in zip(parts[::2], parts[1::2], strict=True)}


@pytest.fixture(scope="module")
def state() -> director.DirectorState:
    """A real director (1.10-2) with every option, protocols that share a VIP:port, and names that `-ln` cuts."""
    return director.parse(captured("1.10-2-30-every-option"))


def test_read_is_what_the_capture_has():
    assert set(director.READ) <= set(captured("1.10-2-30-every-option"))


def test_names_are_whole(state: director.DirectorState):
    """`-ln` prints both as `[2001:db8:1:2:3:4:5:666…]:80`: the port is cut."""
    servers = state.services[KEY("tcp 10.0.0.101:80")].servers
    assert [str(endpoint) for endpoint in servers] == ["[2001:db8:1:2:3:4:5:6666]:8080", "[2001:db8:1:2:3:4:5:6667]:8080"]


def test_lips_go_to_their_protocol(state: director.DirectorState):
    """Seen on real dpvs: three protocols on 10.0.0.100:80, two on [2001:db8::100]:443 (udp is listed first there)."""
    lips = {str(key): service.lips for key, service in state.services.items() if service.lips}
    assert lips == {
        "tcp 10.0.0.100:80": ("192.168.100.200",),
        "udp 10.0.0.100:80": ("192.168.100.201",),
        "udp 10.0.0.7:53": ("192.168.100.202",),
        "tcp [2001:db8::100]:443": ("2001:db8:1::200",),
        "udp [2001:db8::100]:443": ("2001:db8:1::201",),
    }
    assert state.lips == {lip for lips_ in lips.values() for lip in lips_}
    assert all(service.lips_known for service in state.services.values())


def test_options_and_limits(state: director.DirectorState):
    services = {str(key): service for key, service in state.services.items()}
    assert services["tcp 10.0.0.101:80"].options == {"hash_target": "sip", "persistent": 300, "netmask": "255.255.255.0", "synproxy": True}
    assert services["tcp [2001:db8::100]:443"].options == {
        "persistent": 30, "netmask": "64", "conn_timeout": 77, "proxy_protocol": "v1-insecure",
    }  # fmt: skip
    assert services["udp 10.0.0.7:53"].options == {"hash_target": "qid", "quic": True}
    assert services["udp 10.0.0.100:80"].options == {"ops": True}
    assert services["udp [2001:db8::100]:443"].options == {"dest_check": "tcp ping"}
    server = services["tcp 10.0.0.100:80"].servers[Endpoint("192.168.100.2", 80)]
    assert (server.method, server.weight, server.upper, server.lower) == ("fnat", 3, 1000, 100)


def test_the_rest_of_a_look(state: director.DirectorState):
    assert (state.version, state.binary) == ("1.10.2", "1.10-2")
    assert [link.name for link in state.links] == ["dpdk0", "dpdk1", "dpdk0.100", "ipip1", "gre1"]
    assert {route.family for route in state.routes} == {4, 6}
    assert sum(address.pool is not None for address in state.addresses) == 5


def test_every_kind_of_key(state: director.DirectorState):
    kinds = {key.protocol for key in state.services}
    assert kinds == {"tcp", "udp", "sctp", "icmp", "icmpv6", "match", "fwm"}
    assert {key.selector[0] for key in state.services} == {"-t", "-u", "--sctp-service", "-q", "-1", "-H", "-f"}


def service(name: str, *lips: str) -> made.Service:
    return made.Service(KEY(name), lips=lips, servers=(made.Server(Endpoint("192.168.100.2", 80)),))


OTHER_SERVER = made.Service(KEY("tcp 10.0.0.2:80"), servers=(made.Server(Endpoint("192.168.100.3", 80)),))
ONE, OTHER = service("tcp 10.0.0.1:80", "10.1.0.1"), service("tcp 10.0.0.2:80")


@pytest.mark.parametrize(
    ("argv", "text"),
    [
        (("ipvsadm", "-ln", "--thresholds"), made.thresholds([OTHER])),
        (("ipvsadm", "-ln", "--thresholds"), made.thresholds([ONE])),
        (("ipvsadm", "-ln", "--thresholds"), made.thresholds([ONE, made.Service(OTHER.key)])),
        (("ipvsadm", "-ln", "--thresholds"), made.thresholds([ONE, OTHER_SERVER])),
        (("ipvsadm", "-ln", "--thresholds"), made.thresholds([ONE, OTHER, service("udp 10.0.0.3:80")])),
        (("ipvsadm", "-G"), made.laddrs([ONE])),
        (("ipvsadm", "-G"), made.laddrs([ONE, OTHER, service("udp 10.0.0.1:80")])),
        (("ipvsadm", "-S", "-n"), made.saved([ONE])),
    ],
)  # fmt: skip
def test_changed_between_two_reads(argv: director.Argv, text: str):
    with pytest.raises(director.TornRead, match="changed while it was being looked at"):
        director.parse({**made.outputs([ONE, OTHER]), argv: text})


def test_lips_of_matches_stay_unknown_when_they_differ():
    """Match services all print as 0.0.0.0:0, in an order that `-S` doesn't tell: better no answer than a wrong one."""
    keys = [
        ServiceKey.from_match("proto=tcp,oif=dpdk0,src-range=10.0.0.1-10.0.0.9"),
        ServiceKey.from_match("proto=udp,oif=dpdk0,af=ipv4"),
        ServiceKey("fwm", "0.0.0.0", 5),
    ]
    rows = [
        ipvsadm_laddr.LaddrService("0.0.0.0:0", tuple(ipvsadm_laddr.Laddr(lip, 0, 0) for lip in lips))
        for lips in (["10.1.0.5"], ["10.1.0.1"], [])
    ]
    assert attribute(keys, rows) == [(False, ()), (False, ()), (True, ("10.1.0.5",))]
    assert attribute(keys, [rows[0], rows[1], rows[1]]) == [(True, ("10.1.0.1",)), (True, ("10.1.0.1",)), (True, ("10.1.0.5",))]


def test_rank_is_the_order_of_a_real_list(state: director.DirectorState):
    """The services as `-G` listed them, and as they rank: equal names aside, one order."""
    ranked = sorted(state.services, key=rank)
    listed = [row.key_text for row in state.laddrs]
    texts = [str(key).partition(" ")[2] for key in ranked if key.protocol not in ("match", "fwm")]
    newest_first = [text for text in listed if text not in ("0.0.0.0:0", "[::]:0")]
    assert sorted(texts) == sorted(newest_first)
    assert [t for t in texts if not t.startswith("10.0.0.102")] == [t for t in newest_first if not t.startswith("10.0.0.102")]


def test_fingerprint_is_that_of_the_host(tmp_path: Path):
    """The guard on the host hashes what `addr show` prints, without counters; ours comes from `-s addr show`, in another order."""
    outputs = captured("1.10-2-30-every-option")
    addresses = re.sub(r" sa_used.*", "", outputs[("dpip", "-s", "addr", "show")])
    entries = re.findall(r"inet.*\n {4}.*\n", addresses)
    others = "".join(outputs[argv] for argv in director.FINGERPRINT[1:])
    (tmp_path / "host").write_text("".join(reversed(entries)) + others)
    if shutil.which("sha256sum") is None:
        pytest.skip("no sha256sum here")
    script = "LC_ALL=C sort host | sha256sum | cut -d ' ' -f 1"
    shown = subprocess.run(["sh", "-c", script], cwd=tmp_path, check=True, capture_output=True, text=True)
    assert director.fingerprint(outputs) == shown.stdout.strip()
    moved = {**outputs, ("dpip", "route", "show"): outputs[("dpip", "route", "show")].replace("10.9.0.0", "10.10.0.0")}
    assert director.fingerprint(moved) != director.fingerprint(outputs)


def test_fingerprint_of_an_empty_director():
    assert director.fingerprint(made.outputs([])) == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


def test_facts_import_no_pandas():
    names = ", ".join(module.name for module in pkgutil.iter_modules(dpvsbook.facts.__path__))
    code = f"import sys; from dpvsbook.facts import {names}; assert not {{'pandas', 'numpy'}} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
