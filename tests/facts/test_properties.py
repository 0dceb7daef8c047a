"""What holds for every output: rendered and parsed it is the same again, and broken text is an error of ours, never a crash."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dpvsbook.errors import ParseError
from dpvsbook.facts import director, ipvsadm_stats, stats_frame
from dpvsbook.facts.ipvs import Endpoint, ServiceKey, canonical, canonical_match

from . import made
from .cases import PARSERS, cases

PORTS = st.integers(1, 65535)
V4 = st.ip_addresses(v=4, network="10.0.0.0/8").map(str)
V6 = st.ip_addresses(v=6, network="2001:db8::/32").map(str)
ADDRESSES = V4 | V6
ENDPOINTS = st.builds(Endpoint, ADDRESSES, PORTS)
LIMITS = st.integers(0, 2**32 - 1)
SERVERS = st.builds(
    made.Server, ENDPOINTS, st.sampled_from(["fnat", "dr", "tunnel", "nat", "snat"]), st.integers(0, 32767), LIMITS, LIMITS, LIMITS, LIMITS
)
VIPS = st.sampled_from(["10.0.0.100", "10.0.0.7", "2001:db8::1"]) | ADDRESSES
KEYS = st.builds(ServiceKey, st.sampled_from(["tcp", "udp", "sctp"]), VIPS, st.sampled_from([53, 80, 443]))
SERVICES = st.lists(
    st.builds(
        made.Service,
        key=KEYS,
        scheduler=st.sampled_from(["rr", "wrr", "wlc", "conhash", "mh", "fo"]),
        flags=st.just(""),
        servers=st.lists(SERVERS, max_size=4, unique_by=lambda s: s.endpoint).map(tuple),
        lips=st.lists(ADDRESSES, max_size=3, unique=True).map(tuple),
    ),
    max_size=8,
    unique_by=lambda s: s.key,
)


@given(SERVICES)
def test_director_round_trip(services: list[made.Service]):
    """Also with names that are cut (IPv6 real servers of an IPv4 service), and with tcp, udp and sctp on one VIP:port."""
    state = director.parse(made.outputs(services))
    assert list(state.services) == [service.key for service in services]
    for service in services:
        found = state.services[service.key]
        assert (found.scheduler, found.lips, found.lips_known) == (service.scheduler, service.lips, True)
        assert [(s.endpoint, s.method, s.weight, s.upper, s.lower, s.active, s.inactive) for s in found.servers.values()] == [
            (s.endpoint, s.method, s.weight, s.upper, s.lower, s.active, s.inactive) for s in service.servers
        ]


NUMBERS = st.lists(st.integers(0, 2**63 // 5), min_size=5, max_size=5)


@given(st.lists(st.tuples(KEYS, st.lists(st.tuples(ENDPOINTS, NUMBERS), max_size=4)), max_size=6))
def test_stats_round_trip(services: list[tuple[ServiceKey, list[tuple[Endpoint, list[int]]]]]):
    text = made.stats(services)
    parsed = ipvsadm_stats.parse(text)
    assert [(s.key, [s.conns, s.in_pkts]) for s in parsed] == [
        (key, [sum(row[i] for _, row in rows) for i in (0, 1)]) for key, rows in services
    ]
    for service, (_, rows) in zip(parsed, services, strict=True):
        assert [[s.conns, s.in_pkts, s.out_pkts, s.in_bytes, s.out_bytes] for s in service.servers] == [row for _, row in rows]
    assert ipvsadm_stats.frame(text).to_dict("list") == stats_frame._rows(parsed)


@given(ENDPOINTS)
def test_endpoint_round_trip(endpoint: Endpoint):
    assert Endpoint.parse(str(endpoint)) == endpoint


RANGES = st.tuples(V4, V4, st.integers(0, 65535)).map(lambda t: f"{t[0]}-{t[1]}:{t[2]}-{t[2]}")
DEVICES = st.sampled_from([None, "dpdk0", "dpdk1"])
PARTS = {"src-range": st.none() | RANGES, "dst-range": st.none() | RANGES, "iif": DEVICES, "oif": DEVICES}
MATCHES = st.fixed_dictionaries({"proto": st.sampled_from(["tcp", "udp", "icmp"]), **PARTS}).map(
    lambda parts: ",".join(f"{name}={parts[name]}" for name in ("proto", *PARTS) if parts[name])
)


@given(MATCHES)
def test_match_notations_are_one(match: str):
    """`-S` writes out what isn't set, `-ln` has other words: all three are one key."""
    listed = match.replace("proto=", "", 1).replace("src-range=", "from=").replace("dst-range=", "to=")
    parts = dict(part.split("=") for part in match.split(","))
    unset = {"proto": "", "src-range": "0.0.0.0-0.0.0.0:0-0", "dst-range": "0.0.0.0-0.0.0.0:0-0", "iif": "", "oif": ""}
    saved = ",".join(f"{name}={parts.get(name, default)}" for name, default in unset.items())
    assert canonical_match(listed) == canonical_match(saved) == canonical_match(match) == canonical_match(canonical_match(match))


KEYS_OF_ALL_KINDS = KEYS | MATCHES.map(ServiceKey.from_match) | st.builds(
    ServiceKey, st.just("fwm"), st.sampled_from(["0.0.0.0", "::"]), st.integers(1, 2**31 - 1)
)  # fmt: skip


@given(KEYS_OF_ALL_KINDS)
def test_key_round_trip(key: ServiceKey):
    assert ServiceKey.parse(str(key)) == key


@given(st.ip_addresses(v=6))
def test_canonical_is_what_the_params_write(address: object):
    assert canonical(str(address)) == str(address)
    assert canonical("::ffff:10.3.0.1") == canonical("::ffff:a03:1")


TEXTS = [
    (parser, next(case.text for case in cases(parser) if 200 < len(case.text) < 2500))
    for parser in PARSERS
    if any(200 < len(case.text) < 2500 for case in cases(parser))
]


@pytest.mark.parametrize(("parser", "text"), TEXTS, ids=[parser for parser, _ in TEXTS])
@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_broken_text_is_an_error_of_ours(parser: str, text: str, data: st.DataObject):
    """Cut off, a part taken out, or one character changed: it parses, or it is a ParseError; never anything else."""
    start = data.draw(st.integers(0, len(text)))
    length = data.draw(st.sampled_from([0, 1, 1, 7, len(text)]))
    put = data.draw(st.sampled_from(["", "", "x", "9", " ", "\n", ":", ".", "[", "\x00", "²", "٣"]))
    broken = text[:start] + put + text[start + length :]
    try:
        PARSERS[parser](broken)
    except ParseError as error:
        assert error.lineno <= broken.count("\n") + 2  # noqa: PT017 - either outcome is fine
    else:
        assert not set(put) & set("\x00²٣"), "digits that only Python takes for digits are refused"
    if parser == "ipvsadm_stats":
        _same_as_parse(broken)


def _same_as_parse(text: str) -> None:
    try:
        parsed = ipvsadm_stats.parse(text)
    except ParseError as error:
        with pytest.raises(ParseError) as framed:
            ipvsadm_stats.frame(text)
        assert framed.value.lineno == error.lineno  # noqa: PT017 - either outcome is fine
    else:
        assert ipvsadm_stats.frame(text).to_dict("list") == stats_frame._rows(parsed)
