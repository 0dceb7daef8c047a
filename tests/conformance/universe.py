"""What the random commands are made of: helpers, and a small universe of addresses, ports and devices."""

from __future__ import annotations

import shlex

from hypothesis import strategies as st

Words = tuple[str, ...]


def several(text: str) -> list[str]:
    """Words from one line of them, quoted as in a shell."""
    return shlex.split(text)


def mostly(good: list[str], bad: list[str], weight: int = 6) -> st.SearchStrategy[str]:
    """One of `good`, and now and then one of `bad`: about one in `weight` + 1."""
    repeated = good * max(1, round(weight * len(bad) / len(good))) if bad else good
    return st.sampled_from([*good, *repeated, *bad])


def line(*parts: str | st.SearchStrategy[str] | st.SearchStrategy[Words]) -> st.SearchStrategy[Words]:
    """Words, and strategies of a word or of several, one after the other."""
    strategies = [st.just((part,)) if isinstance(part, str) else part for part in parts]
    return st.tuples(*strategies).map(lambda found: sum(((one,) if isinstance(one, str) else tuple(one) for one in found), ()))


def some(*options: st.SearchStrategy[Words], most: int = 3) -> st.SearchStrategy[Words]:
    """Some of the options, in any order."""
    chosen = st.lists(st.integers(0, len(options) - 1), max_size=most, unique=True)
    return chosen.flatmap(lambda picks: st.tuples(*(options[pick] for pick in picks)).map(lambda found: sum(found, ())))


def either(*options: st.SearchStrategy[Words] | tuple[int, st.SearchStrategy[Words]]) -> st.SearchStrategy[Words]:
    """One of several; `(3, x)` is three times as likely."""
    flat: list[st.SearchStrategy[Words]] = []
    for option in options:
        flat += [option[1]] * option[0] if isinstance(option, tuple) else [option]
    return st.sampled_from(range(len(flat))).flatmap(lambda at: flat[at])


DEVICE = mostly(["dpdk1", "dpdk0"], several("dpdk9 '' dpdk0.5 vl7 averyveryverylongname"))
VIP4, VIP6 = ["10.0.0.100", "10.0.0.101", "10.0.0.200"], ["2001:db8:1::100", "2001:db8:1::101"]
BAD_IP = several("10.0.0.300 10.1 0.0.0.0 :: 2001:db8::g abc '' 255.255.255.255 224.0.0.1 127.0.0.1 fe80::1 ::1 1.2.3.4.5 ' 10.0.0.9'")
ADDRESS = mostly([*VIP4, *VIP6, "192.168.100.200", "192.168.100.201", "2001:db8:2::200"], BAD_IP)
LENGTH4 = ["/32", "/24", "/16", ""]
LENGTH = mostly(several("'' /32 /24 /16 /64 /128"), several("/0 /33 /40 /129 /abc /-1 / /8/8 /1 /256 /3x"))
PREFIX = st.tuples(ADDRESS, LENGTH).map("".join)
NETWORK = st.tuples(mostly(several("10.0.0.0 192.168.100.0 10.2.0.0 10.2.3.4 2001:db8:1:: 2001:db8:5::1"), BAD_IP), LENGTH).map("".join)
ROUTE_TO = (
    mostly(
        several("10.2.0.0/16 192.168.100.0/24 10.0.0.0/16 10.2.3.4/16 default 10.0.0.7 2001:db8:5::/64 2001:db8:1::/64"),
        ["0.0.0.0/0", "::/0"],
    )
    | NETWORK
)
GATEWAY = mostly(["10.0.0.1", "192.168.100.254", "2001:db8:1::1"], BAD_IP)
NUMBER = mostly(
    ["1", "100", "9000", "1400"],
    several("0 -1 abc 4294967296 99999999999 65536 65535 4294967295 9223372036854775808 1e3 0x10 '' ' 7' 7x"),
)
PORT = mostly([":80", ":443", ":8080"], several("'' :0 :99999 :-1 :http :abc : :080 :0x50 :65535 ': 80' :80x"))


def endpoint(four: list[str], six: list[str], bad: list[str]) -> st.SearchStrategy[str]:
    """ADDRESS:PORT of either family."""
    pair4 = st.tuples(st.sampled_from(four), PORT).map("".join)
    pair6 = st.tuples(st.sampled_from(six), PORT).map(lambda pair: f"[{pair[0]}]{pair[1]}")
    return st.one_of(pair4, pair4, pair4, pair6, st.sampled_from([*six, *bad]))


BAD_ENDPOINT = several(
    "10.0.0.300:80 10.1:80 0.0.0.0:80 '[::]:80' 80 '' localhost:80 '[2001:db8::1' '[10.0.0.1]:80' ::1 10.0.0.1:80:80 1.2.3.4/8:80"
)
VIP = endpoint(VIP4[:2], VIP6[:1], BAD_ENDPOINT)
RS = endpoint(["192.168.100.2", "192.168.100.3"], ["2001:db8:2::2"], BAD_ENDPOINT)
LIP = mostly(["192.168.100.200", "192.168.100.201", "2001:db8:2::200"], several("10.0.0.300 abc '' 192.168.100.200:80 0.0.0.0 :: 10.9"))
CLIENT = mostly(
    ["10.0.0.48", "10.0.0.49", "2001:db8:1::48", "ipset:none", "ipset:s1", "ipset:s2"],
    several("10.0.0.300 abc '' ipset: 10.0.0.0/24 0.0.0.0 10.0.0.48:80"),
)

RANGE = mostly(
    several(
        "192.168.100.0-192.168.100.255 192.168.100.0-192.168.100.255:0-0 10.0.0.1-10.0.0.9:80-90 "
        "10.0.0.1:80 10.0.0.1 '[2001:db8:2::1-2001:db8:2::9]:0-0' '[2001:db8::1]:80'"
    ),
    several(
        "'' - : :80 10.0.0.9-10.0.0.1 10.0.0.1- abc 10.0.0.1-2001:db8::1 10.0.0.1:90-80 "
        "'[2001:db8::1' 2001:db8::1-2001:db8::2 10.0.0.1:99999"
    ),
)
_MATCHED = st.one_of(
    RANGE.map("src-range={}".format),
    RANGE.map("dst-range={}".format),
    st.sampled_from(several("iif=dpdk0 iif=dpdk1 oif=dpdk1 oif=dpdk1 iif=dpdk9 iif=")),
    st.sampled_from(["af=ipv4", "af=ipv6", "af=ipv4", "af=inet"]),
    st.sampled_from(several("proto=tcp proto=udp proto=icmp proto=sctp proto=icmpv6 proto=xyz bogus=1 proto = ''")),
)
MATCH = st.one_of(
    st.sampled_from(
        several(
            "proto=tcp,src-range=192.168.100.0-192.168.100.255,oif=dpdk1 "
            "proto=tcp,src-range=192.168.100.0-192.168.100.255,dst-range=:0-0,oif=dpdk1 "
            "proto=udp,af=ipv4,oif=dpdk1 proto=icmp,src-range=192.168.100.0-192.168.100.255,oif=dpdk1 "
            "proto=tcp,af=ipv6,oif=dpdk1 proto=tcp,oif=dpdk1"
        )
    ),
    st.lists(_MATCHED, min_size=1, max_size=4).map(",".join),
)
FWM = mostly(["1", "2", "257"], several("0 -1 abc 4294967296 4294967295 2147483648 ''"))
SERVICE = either(
    (8, line("-t", VIP)),
    (3, line("-u", VIP)),
    line("--sctp-service", VIP),
    line(st.sampled_from(["-q", "-1"]), endpoint(VIP4[:1], VIP6[:1], ["10.0.0.100:0", ""])),
    (2, line("-H", MATCH)),
    (2, line("-f", FWM)),
    line("-f", FWM, "-6"),
    line("-6", "-f", FWM),
    st.just(()),
)
SCHEDULERS = several("rr wrr wlc conhash mh fo")
SCHEDULER = mostly(SCHEDULERS, several("xyz '' conhashx RR lc sed ovf dh wlcaaaaaaaaaaaaaaaaaaaa -rr"), weight=3)
SERVICE_OPTIONS = some(
    line("-s", SCHEDULER),
    line("-s", SCHEDULER),
    either(line("-p", mostly(["60", "360"], several("0 -5 abc 99999999 1"))), st.just(("-p",))),
    line("-M", mostly(["255.255.255.0", "255.255.255.255", "64"], several("24 abc 0 129 '' 0.0.0.0 255.0.255.0"))),
    st.just(("--ops",)),
    line("-j", mostly(["enable", "disable"], ["maybe", "", "enabled", "on"])),
    line("--conn-timeout", mostly(["30", "90"], several("0 -1 abc 4294967296 0x10 010 089 '' '7 ' 2147483648"))),
    line("--proxy-protocol", mostly(several("v1 v2 v1-insecure v2-insecure disable"), ["V2", "bogus", ""])),
    st.just(("--expire-quiescent",)),
    line(
        "--dest-check",
        mostly(
            several("default 1,3s 1,1,3s,5-3600s 2,5,9s,3-60s disable tcp udp ping"),
            several("bogus '' 0,0s 1,1,3s,9-5s 1 300,300,300s,70000-70001s sctp 1,1,3s"),
        ),
    ),
    st.just(("--quic",)),
    line("--hash-target", mostly(["sip", "qid"], ["bogus", ""])),
    most=4,
)
METHOD = st.sampled_from(several("-b -g -i -m -J -b -b"))
SERVER_OPTIONS = some(
    METHOD.map(lambda word: (word,)),
    METHOD.map(lambda word: (word,)),
    line("-w", mostly(["1", "100", "0"], several("-1 abc 65535 65536 32768 32767 '' 1.5"))),
    line("-x", mostly(["100", "10"], several("0 -1 abc 2147483648 2147483647"))),
    line("-y", mostly(["5", "100"], ["0", "-1", "abc"])),
    most=4,
)
