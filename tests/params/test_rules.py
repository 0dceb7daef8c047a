"""The rules between the values, one a case: what is changed in an example, and what must be said. The place comes first."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from dpvsbook import params
from dpvsbook.errors import ParamsError

FOLDER = Path(__file__).parents[2] / "params"

CASES: dict[str, tuple[str, str, str, str]] = {
    "LIP of two directors": ("fnat-ospf", "192.168.100.202", "192.168.100.200", "directors[1].lips[0].address: must be one node's alone"),
    "LIP twice on one": ("fnat-ospf", "192.168.100.201", "192.168.100.200", "directors[0].lips[1].address: must be one node's alone"),
    "VIP is a host's": ("fnat-one-arm", "vip: 192.168.100.100", "vip: 192.168.100.2", "services[0].vip: must be nobody's own"),
    "VIP is broadcast": ("fnat-one-arm", "vip: 192.168.100.100", "vip: 192.168.100.255", "services[0].vip: must be the address of a host"),
    "VIP is the gateway": ("fnat-ospf", "vip: 203.0.113.80", "vip: 172.16.0.1", "services[0].vip: must"),
    "IPv6 VIP, no IPv4 LIP": ("nat64", "192.168.100.200, device", '"2001:db8:1::9", device', "must have an IPv4 LIP on lb1"),
    "IPv4 VIP, IPv6 RS": ("fnat-two-arm", "{host: rs1, port: 80", '{address: "2001:db8::2", port: 80', "no NAT46"),
    "DR with another port": (
        "dr-one-arm",
        "{host: rs1, port: 80}",
        "{host: rs1, port: 8080}",
        "real_servers[0].port: must be the service's, 80",
    ),
    "tunnel with another port": ("tunnel-one-arm", "{host: rs1, port: 80}", "{host: rs1, port: 8080}", "must be the service's, 80"),
    "DR off the link": ("dr-one-arm", "{host: rs1, port: 80}", "{address: 10.9.9.9, port: 80}", "must be on a link of lb1 for method dr"),
    "DR without an own address": ("dr-one-arm", ", addresses: [192.168.100.1/24]", "", "must be asked from an address of lb1's own"),
    "tunnel without src": ("tunnel-one-arm", ", src: 10.140.16.48", "", "must be behind a route of lb1 with src"),
    "RS behind nothing": (
        "fnat-two-arm",
        "{host: rs1, port: 80",
        "{address: 172.31.0.1, port: 80",
        "must be in a network of lb1, or behind one",
    ),
    "RS is a VIP": ("fnat-two-arm", "{host: rs1, port: 80", "{address: 10.0.0.100, port: 80", "must not be a VIP"),
    "LIPs with DR": (
        "dr-one-arm",
        "scheduler: rr",
        "scheduler: rr\n    lips: [192.168.100.9]",
        "services[0].lips: must not be there for method dr",
    ),
    "ops on tcp": ("fnat-two-arm", "scheduler: rr", "scheduler: rr\n    ops: true", "services[0].ops: must be off for tcp"),
    "quic on tcp": ("fnat-two-arm", "scheduler: rr", "scheduler: rr\n    quic: true", "services[0].quic: must be off for tcp"),
    "qid without quic": (
        "fnat-two-arm",
        "scheduler: rr",
        "scheduler: conhash\n    hash_target: qid",
        "services[0].hash_target: must be sip",
    ),
    "synproxy with DR": ("dr-one-arm", "scheduler: rr", "scheduler: rr\n    synproxy: true", "services[0].synproxy: must be off"),
    "persistent 0": ("fnat-two-arm", "scheduler: rr", "scheduler: rr\n    persistent: 0", "services[0].persistent: must be at least 1"),
    "lower above upper": ("fnat-two-arm", "{host: rs1, port: 80", "{host: rs1, lower: 9, upper: 3, port: 80", "must be at most upper (3)"),
    "weight 32768": ("fnat-two-arm", "rs1, port: 80, weight: 1}", "rs1, port: 80, weight: 32768}", "weight: must be at most 32767"),
    "route by nobody": ("snat-ospf", "via: 172.16.0.1, device", "via: 172.17.0.1, device", "routes[0].via: must be in 172.16.0.0/29"),
    "route with host bits": (
        "snat-ospf",
        "to: 10.8.0.0/16",
        "to: 10.8.3.4/16",
        "routes[0].to: must be a network without host bits: 10.8.0.0/16",
    ),
    "prefix of 40": ("snat-ospf", "to: 10.8.0.0/16", "to: 10.8.0.0/40", "routes[0].to: must end in a prefix length of 0 to 32"),
    "gateway elsewhere": (
        "fnat-ospf",
        "gateway: 172.16.0.1",
        "gateway: 172.16.1.1",
        "networks.interconnect.gateway: must be in 172.16.0.0/29",
    ),
    "same service twice": ("snat-two-arm", "udp,src", "tcp,src", "must have proto=udp, as `protocol` says"),
    "bad range": ("snat-two-arm", "=tcp,src-range=192.168.100.0-", "=tcp,src-range=192.168.100.300-", "must have src-range as FIRST-LAST"),
    "unknown oif": (
        "snat-two-arm",
        "proto=tcp,src-range=192.168.100.0-192.168.100.254,oif=dpdk1",
        "proto=tcp,oif=dpdk7",
        "a device of lb1 as oif",
    ),
    "a WAN address of two": ("snat-ospf", "lb2, address: 203.0.113.12", "lb2, address: 203.0.113.11", "must be this director's alone"),
    "a director sends from nowhere": (
        "snat-ospf",
        "      - {director: lb3, address: 203.0.113.13, weight: 100}\n",
        "",
        "that lb3 sends from",
    ),
    "device order: a NIC twice": ("fnat-two-arm", "06:00.1", "06:00.0", "devices[1].pci: must be a NIC of its own"),
    "a host twice": ("fnat-two-arm", "name: rs2", "name: rs1", "must be the only host or director of that name"),
    "router id twice": (
        "fnat-ospf",
        "router_id: 172.16.0.3",
        "router_id: 172.16.0.2",
        "ospf.nodes.lb2.router_id: must be this director's alone",
    ),
    "a director without OSPF": ("fnat-ospf", "    lb3: {device: dpdk1", "    lb4: {device: dpdk1", "ospf.nodes: must have lb3 too"),
    "SNAT with nothing to announce": (
        "snat-ospf",
        "announce: default ",
        "announce: network ",
        "ospf.announce: must be default, or have next_hop",
    ),
    "next hop in use": (
        "snat-ospf",
        "announce: default ",
        "next_hop: 172.16.0.1\n  announce: redistribute ",
        "ospf.next_hop: must be nobody's own",
    ),
    "FULLNAT with a default route": (
        "fnat-ospf",
        "announce: redistribute",
        "announce: default",
        "ospf.announce: must be redistribute or network",
    ),
    "two masters": ("fnat-keepalived", "priority: 80", "priority: 100", "keepalived.nodes.lb2.priority: must be this director's alone"),
    "kni address in use": ("fnat-keepalived", "address: 192.168.100.29/24", "address: 192.168.100.2/24", "must be the kni's alone"),
    "a literal VRRP password": ("fnat-keepalived", "env:VRRP_PASSWORD", "hunter2-canary", "keepalived.auth: must be a reference"),
    "a bond of no device": (
        "nat-one-arm",
        "      - name: bond0",
        "      - name: bond1",
        "directors[0].bonds[0].name: must be a device of lb1",
    ),
    "a setting that is no item": (
        "nat-one-arm",
        "workers: 1",
        "settings: {neigh_defs.timeot: 4}",
        "directors[0].start.settings.neigh_defs.timeot: must be an item of dpvs.conf by its whole path; did you mean neigh_defs.timeout?",
    ),
    "a setting with its own place": (
        "nat-one-arm",
        "workers: 1",
        "settings: {sa_pool.flow_enable: off}",
        "must not be there: it is start.flow",
    ),
    "a setting out of range": ("nat-one-arm", "workers: 1", "settings: {neigh_defs.timeout: 4000}", "must be a whole number, 1 to 3600"),
    "a flag with a value": (
        "nat-one-arm",
        "workers: 1",
        "settings: {netif_defs.device.promisc_mode: on}",
        "must be true or false: its presence turns it on",
    ),
    "a setting of a worker": ("nat-one-arm", "workers: 1", "settings: {worker_defs.worker.cpu_id: 1}", "must be an item of dpvs.conf"),
    "NAT over workers": ("nat-one-arm", "workers: 1", "workers: 4", "directors[0].start.redirect: must be true for method nat"),
}


@pytest.mark.parametrize("case", CASES)
def test_a_broken_rule_is_named_with_its_place(case: str) -> None:
    name, old, new, said = CASES[case]
    text = (FOLDER / f"{name}.yaml").read_text()
    assert old in text
    with pytest.raises(ParamsError) as caught:
        params.parse(text.replace(old, new, 1), f"{name}.yaml")
    assert re.search(rf"^{name}\.yaml:\d+: .*{re.escape(said)}", caught.value.message, re.MULTILINE), caught.value.message
    assert "canary" not in caught.value.message


SECRET = "hunter2canary"
GIVEN = {
    "plain": f"password: {SECRET}",
    "quoted": f"password: '{SECRET}'",
    "a mapping": f"password: {{{SECRET}: 1}}",
    "a list": f"password: [{SECRET}]",
    "a tag": f"password: !{SECRET} x",
    "an alias": f"password: *{SECRET}",
    "an anchor twice": f"password: &{SECRET} x, sudo_password: &{SECRET} y",
    "an open quote": f'password: "{SECRET}',
    "a bad escape": f'password: "\\q{SECRET}"',
    "a colon": f"password: a: {SECRET}",
    "nearly a reference": f"password: env:{SECRET}!",
    "a key misspelt": f"pasword: {SECRET}",
    "no blank behind the colon": f"password:{SECRET}",
    "an equals sign": f"password={SECRET}",
    "a blank": f"password {SECRET}",
    "a merge key": f"<<: {{password: {SECRET}}}",
    "for sudo": f"sudo_password: {SECRET}",
}


@pytest.mark.parametrize("how", GIVEN)
def test_a_secret_is_never_said_again(how: str, capsys: pytest.CaptureFixture[str], recwarn: pytest.WarningsRecorder) -> None:
    text = (FOLDER / "fnat-two-arm.yaml").read_text().replace("ssh: {user: root}", f"ssh: {{{GIVEN[how]}}}", 1)
    with pytest.raises(ParamsError) as caught:
        params.parse(text, "f.yaml")
    everything = str(caught.value) + repr(caught.value) + "".join(capsys.readouterr()) + "".join(str(w.message) for w in recwarn)
    assert SECRET not in everything
    assert caught.value.__cause__ is None


def test_options_of_dpvs_are_words_with_a_dash() -> None:
    text = (FOLDER / "nat-one-arm.yaml").read_text().replace("{workers: 1}", "{workers: 1, arguments: [--no-pci, --file-prefix=lb1]}")
    assert params.parse(text).directors[0].start is not None


def test_an_address_means_the_same_however_it_is_written() -> None:
    text = (FOLDER / "fnat-ipv6.yaml").read_text()
    other = text.replace('"2001:db8:1::100"', '"2001:DB8:1:0::0100"').replace("# Two-arm", "# two-arm")
    assert params.parse(text).sha256 == params.parse(other).sha256
