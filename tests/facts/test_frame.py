"""The quick way to a frame gives what the careful one gives, on lines that the tool pads otherwise too."""

from __future__ import annotations

import pytest

from dpvsbook.facts import ipvsadm_stats, stats_frame

HEAD = "Prot LocalAddress:Port               Conns   InPkts  OutPkts  InBytes OutBytes\n  -> RemoteAddress:Port\n"
SHORT = "TCP  10.0.0.100:80 1 2 3 4 5\n"
UNPADDED = "TCP  10.0.0.100:80 1 22222222 33333333 44444444 55555555\n"
PADDED = f"{'TCP  10.0.0.100:80':<33}        1        2        3        4        5\n"
LONG = "  -> [2001:db8:1234:5678:9abc:def0:1234:5678]:8080        6        7        8        9       10\n"


@pytest.mark.parametrize("rows", [SHORT, UNPADDED, PADDED, PADDED + LONG, SHORT + LONG, (PADDED + LONG) * 2, PADDED * 3 + UNPADDED])
def test_frame_is_what_parse_gives(rows: str) -> None:
    found = ipvsadm_stats.frame(HEAD + rows)
    careful = stats_frame._rows(ipvsadm_stats.parse(HEAD + rows))
    assert {name: list(found[name]) for name in found.columns} == careful
