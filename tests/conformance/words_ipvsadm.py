"""Random command lines of ipvsadm."""

from __future__ import annotations

from hypothesis import strategies as st

from tests.conformance.universe import (
    CLIENT,
    DEVICE,
    LIP,
    NUMBER,
    RS,
    SERVER_OPTIONS,
    SERVICE,
    SERVICE_OPTIONS,
    either,
    line,
    several,
    some,
)

_LISTING = some(
    *(
        st.just((word,))
        for word in (
            "--thresholds",
            "--stats",
            "--rate",
            "--persistent-conn",
            "--nosort",
            "--exact",
            "-X",
            "--sort",
            "--timeout",
            "--daemon",
        )
    ),
    line("--cpu", st.sampled_from(["0", "1", "2", "abc"])),
    most=2,
)
IPVSADM = either(
    (12, line("-A", SERVICE, SERVICE_OPTIONS)),
    (5, line("-E", SERVICE, SERVICE_OPTIONS)),
    (2, line("-D", SERVICE)),
    (12, line("-a", SERVICE, "-r", RS, SERVER_OPTIONS)),
    (5, line("-e", SERVICE, "-r", RS, SERVER_OPTIONS)),
    (3, line("-d", SERVICE, "-r", RS)),
    (6, line("-P", "-z", LIP, SERVICE, "-F", DEVICE)),
    (4, line("-Q", "-z", LIP, SERVICE, "-F", DEVICE)),
    (4, line(st.sampled_from(["-U", "--add-blklst"]), SERVICE, "-k", CLIENT)),
    (2, line("-V", SERVICE, "-k", CLIENT)),
    (4, line(st.sampled_from(["-O", "--add-whtlst"]), SERVICE, "-2", CLIENT)),
    (2, line("-Y", SERVICE, "-2", CLIENT)),
    (4, line("-ln", _LISTING)),
    (2, line("-ln", SERVICE, _LISTING)),
    line("-lnc"),
    line(
        "-lnc",
        "--sockpair",
        st.sampled_from(several("tcp:10.0.0.48:4000:10.0.0.100:80 'udp:[2001:db8::1]:4000:[2001:db8:1::100]:80' tcp:10.0.0.48 xyz ''")),
    ),
    (2, line("-S", st.sampled_from([("-n",), ("-n",), ("-n", "--cpu", "1")]))),
    (2, line("-G", SERVICE)),
    line("-G"),
    line("-B", SERVICE),
    line("-W", SERVICE),
    line(st.sampled_from(["-B", "-W"])),
    line("-Z", SERVICE),
    line("-Z"),
    line("-C"),
    line("-C", SERVICE),
    line("--set", NUMBER, NUMBER, NUMBER),
    line(
        st.sampled_from(
            several("-h -v --help --version --start-daemon=master --stop-daemon=backup --start-daemon=x --bogus - x -- -K --set")
        )
    ),
)
