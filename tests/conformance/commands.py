"""Random commands: hypothesis strategies over a small universe of addresses, ports and devices, so that commands meet each other's state.

Left out on purpose, because they hang, end dpvs, leave the machine, or say what no two runs share:
AVOIDED has them with the reasons.
"""

from __future__ import annotations

from hypothesis import strategies as st

from tests.conformance.universe import Words, either, several
from tests.conformance.words_dpip import DPIP
from tests.conformance.words_ipvsadm import IPVSADM
from tests.conformance.worlds import ROUND_TRIP, Command

AVOIDED = {
    "ipvsadm -l without -n": "asks the resolver for each address and service: minutes",
    "dpip link show -i N without -c": "never ends",
    "dpip link set … addr": "the kernel side of the veth keeps its MAC; a port's identity is not a command's business here",
    "dpip link set … link down": "af_packet can't; on other drivers it ends the traffic that the lab lives from",
    "dpip eal-mem, link show cpu, -s link show, maddr, ipv6, iftraf": "memory and traffic of this very run; recorded sessions have them",
    "dpip addr … valid_lft N": "when the lifetime ends, dpvs hangs for good",
    "dpip vlan del of a VLAN that had an IPv4 address": "dpvs dies when the next device is added (not every time), flushed or not",
    "dpip vlan add link NAME of 15 characters": "the VLAN gets the same name, and which of the two dpvs then means is the order of a table",
    "a tunnel on a VLAN that is deleted": "dpvs goes on using what it has freed",
    "ipvsadm --cpu below 0 or over 63": "dpvs looks beyond the end of a table: what it finds there is chance",
    "host names other than localhost": "asks the resolver",
}


def _tool(name: str, words: st.SearchStrategy[Words]) -> st.SearchStrategy[Words]:
    return words.map(lambda found: (name, *found))


PLAIN = either((3, _tool("ipvsadm", IPVSADM)), (2, _tool("dpip", DPIP)))
GARBAGE = ["", "-", "--", "-z", "bogus", "-n", "10.0.0.100:80", "-t", "dev", "🜚", "a b", "'", "-w", "5", "show", "-s", "-1"]


@st.composite
def spoiled(draw: st.DrawFn) -> Words:
    """A command with a word too few, too many, twice, swapped or replaced."""
    words = list(draw(PLAIN))
    at = draw(st.integers(1, max(1, len(words) - 1)))
    kind = draw(st.sampled_from(several("drop double add replace swap")))
    if kind == "drop" and len(words) > 2:
        del words[at]
    elif kind == "double":
        words.insert(at, words[min(at, len(words) - 1)])
    elif kind == "add":
        words.insert(at, draw(st.sampled_from(GARBAGE)))
    elif kind == "replace" and len(words) > at:
        words[at] = draw(st.sampled_from(GARBAGE))
    elif kind == "swap" and len(words) > at + 1:
        words[at], words[at + 1] = words[at + 1], words[at]
    return tuple(words)


def _harmless(words: Words) -> bool:
    """Is it none of AVOIDED? (A spoiled command may have become one.)"""
    if words[0] == "dpip":
        plain = [word for word in words[1:] if not word.startswith("-")]
        long = "-i" in words or "-c" in words or "-F" in words or any(word.startswith(("--int", "--cou", "--for")) for word in words)
        shows_run = plain[:1] == ["link"] and any(
            word.startswith(("-s", "--st", "-v", "--verb")) or word.startswith("cpu") for word in words
        )
        sets = plain[:1] == ["link"] and (
            ("addr" in plain) or ("link" in plain[1:] and "down" in plain) or any(word.startswith("bond") for word in plain)
        )
        same_name = plain[:2] == ["vlan", "add"] and "averyveryverylongname" in plain and plain[2:3] != ["averyveryverylongname"]
        return not (long or shows_run or sets or same_name)
    listing = any(word.startswith("-") and not word.startswith("--") and set(word[1:2]) & set("lLS") for word in words) or "--list" in words
    numeric = any(word.startswith("-") and not word.startswith("--") and "n" in word for word in words) or "--numeric" in words
    return len(words) > 1 and (numeric or not (listing or "--save" in words))


_RULE = _tool("ipvsadm", IPVSADM).filter(
    lambda words: _harmless(words) and words[1:2] not in (("-h",), ("-v",)) and all(word and " " not in word for word in words)
)
_RESTORE = st.lists(_RULE, min_size=1, max_size=5).map(
    lambda rules: Command(("ipvsadm", "-R"), "".join(f"{' '.join(rule[1:])}\n" for rule in rules))
)
COMMAND = st.one_of(
    *([PLAIN.filter(_harmless).map(Command)] * 12),
    *([spoiled().filter(_harmless).map(Command)] * 2),
    _RESTORE,
    st.one_of(_RESTORE, st.just(ROUND_TRIP)),
)
#: begins a sequence now and then: something for the other commands to meet
GROUND = [
    Command.parse(text)
    for text in (
        "dpip addr add 10.0.0.100/32 dev dpdk1",
        "dpip route add 10.0.0.0/16 dev dpdk1",
        "dpip route add 192.168.100.0/24 dev dpdk0",
        "ipvsadm -A -t 10.0.0.100:80 -s rr",
        "ipvsadm -a -t 10.0.0.100:80 -r 192.168.100.2:80 -b",
        "ipvsadm -P -z 192.168.100.200 -t 10.0.0.100:80 -F dpdk0",
    )
]
LONGEST = 60
_VLANS = ("dpdk0.5", "dpdk0.7", "dpdk1.5", "dpdk1.7", "vl7", "averyveryverylo")


def _survivable(commands: list[Command]) -> tuple[Command, ...]:
    """Without what AVOIDED has of sequences: a VLAN that had an address stays."""
    kept: list[Command] = []
    used = False
    for command in commands:
        if command.argv[1:3] == ("vlan", "del") and used:
            continue
        text = str(command)
        used |= "vlan" not in command.argv and any(name in text for name in _VLANS)
        kept.append(command)
    return tuple(kept)


@st.composite
def sequences(draw: st.DrawFn) -> tuple[Command, ...]:
    """Up to LONGEST commands. (A plain list would nearly always be short.)"""
    ground = draw(st.sampled_from([[], GROUND]))
    many = draw(st.integers(1, LONGEST))
    return _survivable([*ground, *draw(st.lists(COMMAND, min_size=many, max_size=many))])


SEQUENCE = sequences()
