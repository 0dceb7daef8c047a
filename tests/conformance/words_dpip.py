"""Random command lines of dpip."""

from __future__ import annotations

from hypothesis import strategies as st

from tests.conformance.universe import BAD_IP, DEVICE, GATEWAY, NUMBER, PREFIX, ROUTE_TO, Words, either, line, mostly, several, some

_FAMILY: st.SearchStrategy[Words] = st.sampled_from([(), (), (), (), (), ("-6",), ("-4",), ("-f", "inet6"), ("-f", "bogus")])
_DEV = either((9, line("dev", DEVICE)), st.just(()), st.just(("dev",)))
ADDR = either(
    (
        5,
        line(
            "add",
            PREFIX,
            _DEV,
            some(
                line("scope", mostly(["host", "link", "global"], several("bogus 7 300 -1 ''"))),
                line("broadcast", mostly(["10.0.255.255", "192.168.100.255"], BAD_IP)),
                line(st.sampled_from(["valid_lft", "prefered_lft"]), st.sampled_from(["forever", "0", "abc"])),
                st.just(("sapool",)),
                st.just(("bogus",)),
                most=2,
            ),
        ),
    ),
    (2, line("del", PREFIX, _DEV)),
    (
        2,
        line(
            "set",
            PREFIX,
            _DEV,
            some(
                line("scope", mostly(["host", "link", "global"], ["bogus", "7"])),
                st.just(("sapool",)),
                line("broadcast", mostly(["10.0.255.255"], BAD_IP)),
            ),
        ),
    ),
    line("flush", _DEV),
    (2, line(st.sampled_from(["show", "show", "list"]), _DEV)),
    line(st.sampled_from(several("replace change create test enable bogus help flush")), PREFIX, _DEV),
)
ROUTE = either(
    (
        6,
        line(
            "add",
            ROUTE_TO,
            either((2, st.just(())), line("via", GATEWAY)),
            _DEV,
            some(
                line("src", mostly(["10.0.0.100", "192.168.100.200", "2001:db8:1::100"], BAD_IP)),
                line("mtu", NUMBER),
                line("metric", NUMBER),
                line("scope", mostly(["host", "kni_host", "link", "global"], ["bogus", "7", ""])),
                st.sampled_from([("local",), ("onlink",), ("tos", "1"), ("proto", "static"), ("bogus",), ("tos",)]),
                most=2,
            ),
        ),
    ),
    (
        4,
        line(
            "del",
            ROUTE_TO,
            _DEV,
            either((4, st.just(())), line("scope", st.sampled_from(["host", "kni_host", "link"])), line("via", GATEWAY)),
        ),
    ),
    line("flush", _DEV),
    (2, line(st.sampled_from(["show", "show", "list"]), _DEV)),
    line(st.sampled_from(several("replace change set create test bogus help")), ROUTE_TO, _DEV),
)
MAC = mostly(
    ["0a:00:00:00:00:01", "0A:00:00:00:00:02"],
    several("0a:00:00:00:00 abc '' 00:00:00:00:00:00 0a-00-00-00-00-01 1:2:3:4:5:6 ff:ff:ff:ff:ff:ff 0a:00:00:00:00:01:02"),
)
NEIGH = either(
    (5, line("add", mostly(["10.0.0.5", "192.168.100.9", "2001:db8:1::5"], BAD_IP), "lladdr", MAC, _DEV)),
    (2, line("del", mostly(["10.0.0.5", "192.168.100.9", "2001:db8:1::5"], BAD_IP), _DEV)),
    (2, line("show", _DEV)),
    line(st.sampled_from(several("flush set replace bogus add del")), _DEV),
    line("add", "10.0.0.6", _DEV),
)
VLAN = either(
    (
        5,
        line(
            "add",
            st.sampled_from([(), (), ("vl7",), ("dpdk0",), ("averyveryverylongname",)]),
            _LINK := line("link", DEVICE),
            some(line("proto", mostly(["802.1q"], several("802.1ad qinq QinQ vlan bogus")))),
            either((6, line("id", mostly(["5", "7"], several("0 4095 4096 -1 abc ''")))), st.just(())),
        ),
    ),
    (3, line("del", st.sampled_from([("vl7",), ("dpdk0.5",), ("dpdk0",), ("none",), ()]))),
    (2, line("del", _LINK, "id", st.sampled_from(["5", "7", "9"]))),
    (
        2,
        line(
            "show",
            st.sampled_from([("vl7",), ("dpdk0.5",), ("dpdk0",), ("link", "dpdk0"), ("link", "dpdk0", "id", "5"), ("link", "dpdk9"), ()]),
        ),
    ),
    line(st.sampled_from(["set", "flush", "replace", "bogus"]), "vl7"),
)
TUNNEL = either(
    (
        5,
        line(
            "add",
            st.sampled_from([("tun1",), ("tun2",), (), ("dpdk0",), ("averyveryverylongname",)]),
            some(
                line("mode", mostly(["ipip", "gre"], ["sit", "", "bogus"])),
                line("mode", mostly(["ipip", "gre"], ["sit", "", "bogus"])),
                line("local", mostly(["192.168.100.200", "any"], ["abc", "2001:db8::1", ""])),
                line("remote", mostly(["192.168.100.2", "any"], ["abc", "2001:db8::1", ""])),
                line("dev", st.sampled_from(["dpdk0", "dpdk1", "dpdk9", ""])),
                line("ttl", mostly(["64", "inherit"], ["abc", "300", "0", "-1"])),
                line("tos", mostly(["inherit", "8"], ["abc", "300"])),
                st.just(("bogus",)),
                most=6,
            ),
        ),
    ),
    (3, line("del", st.sampled_from([("tun1",), ("tun2",), ("none",), ()]))),
    (2, line("show", st.sampled_from([(), ("tun1",), ("none",), ("mode", "gre"), ("mode",)]))),
    line(st.sampled_from(["flush", "bogus", "help"])),
)
_ONOFF = mostly(["on", "off"], ["maybe", "", "ON", "1"])
LINK = either(
    (5, line("set", DEVICE, st.sampled_from(several("promisc allmulticast forward2kni tc-egress tc-ingress lldp")), _ONOFF)),
    line("set", DEVICE, st.sampled_from(["bogus", "promisc", "link", "mtu"])),
    line("set", DEVICE, "link", st.sampled_from(["up", "sideways", "on"])),
    (2, line("show", st.sampled_from([(), ("dpdk0",), ("dpdk1",), ("dpdk9",), ("vl7",), ("dpdk0.5",)]))),
    line(st.sampled_from(["flush", "replace", "bogus", "enable"]), DEVICE),
)
_SET = mostly(["s1", "s2", "s6"], several("none '' averyveryveryveryverylongsetname"))
_MEMBER = mostly(
    several("10.0.0.48 10.0.0.49 10.0.0.0/30 10.0.0.48/31 10.0.0.50-10.0.0.52 2001:db8:1::48 2001:db8:1::/126"),
    several("10.0.0.300 abc '' 10.0.0.0/0 10.0.0.8/33 10.0.0.7/-1 10.0.0.1/abc /24 10.0.0.9-10.0.0.7 10.0.0.9- 10.0.0.1-abc 0.0.0.0"),
)
IPSET = either(
    (
        4,
        line(
            "create",
            _SET,
            mostly(["hash:ip", "hash:net"], several("hash:bogus ''")),
            some(
                st.just(("comment",)),
                line("hashsize", mostly(["300", "1024"], several("0 1 abc 65536"))),
                line("maxelem", mostly(["3", "100"], several("0 1 abc"))),
                st.just(("bogus",)),
                most=2,
            ),
        ),
    ),
    (6, line("add", _SET, _MEMBER, some(line("comment", st.sampled_from(several("hello 'two words' ''"))), st.just(("bogus",)), most=1))),
    (3, line("del", _SET, _MEMBER)),
    (3, line("test", _SET, _MEMBER)),
    (2, line("show", st.sampled_from([(), ("s1",), ("s2",), ("none",)]))),
    line("flush", _SET),
    (2, line("destroy", _SET)),
    line(st.sampled_from(several("create add del test flush destroy bogus"))),
    line(st.sampled_from(several("create add del test bogus set replace")), _SET),
)
DPIP = either(
    (6, line(_FAMILY, "addr", ADDR)),
    (6, line(_FAMILY, "route", ROUTE)),
    (2, line("-6", "route", ROUTE)),
    (3, line(_FAMILY, "neigh", NEIGH)),
    (3, line("vlan", VLAN)),
    (3, line("tunnel", TUNNEL)),
    (3, line(st.sampled_from([(), (), ("-6",), ("-v",)]), "ipset", IPSET)),
    (3, line("link", LINK)),
    line(
        st.sampled_from(
            [
                ("-V",),
                ("-h",),
                ("bogus", "show"),
                ("addr",),
                ("bogus",),
                ("-x", "addr", "show"),
                ("--bogus",),
                ("-s", "addr", "show"),
                ("-f",),
                ("addr", "show", "-s"),
                ("-v", "addr", "show"),
                ("--family", "inet6", "route", "show"),
                ("--", "addr", "show"),
                ("--stat", "addr", "show"),
                ("--ver",),
            ]
        )
    ),
)
