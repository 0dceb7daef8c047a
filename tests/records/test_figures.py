"""Figures: what the numbers become."""

from __future__ import annotations

import pandas as pd
import pytest

from dpvsbook import plots


def connections(*rows: tuple[float, str, str, int]) -> pd.DataFrame:
    return pd.DataFrame(
        [{"seconds": s, "director": d, "service": "tcp 10.0.0.100:80", "server": server, "conns": n} for s, d, server, n in rows]
    )


def test_requests_are_the_growth_between_samples_summed_over_directors() -> None:
    frame = connections(
        (0, "lb1", "rs1", 100),
        (2, "lb1", "rs1", 120),
        (3, "lb1", "rs1", 125),
        (0, "lb2", "rs1", 0),
        (2, "lb2", "rs1", 4),
        (3, "lb2", "rs1", 4),
    )
    (trace,) = plots.requests(frame).data
    assert trace.name == "rs1"
    assert list(trace.x) == [0, 2, 3]
    assert list(trace.y) == [12, 5, 5]


def test_a_counter_that_began_again_counts_from_zero() -> None:
    (trace,) = plots.requests(connections((0, "lb1", "rs1", 100), (1, "lb1", "rs1", 7))).data
    assert list(trace.y) == [7, 7]


def test_real_servers_are_stacked_and_told_apart() -> None:
    figure = plots.requests(connections(*((t, "lb1", rs, t) for rs in ("rs1", "rs2") for t in (0, 1, 2))))
    assert {trace.stackgroup for trace in figure.data} == {"all"}
    assert len({trace.line.color for trace in figure.data}) == 2
    assert figure.layout.yaxis.title.text == "requests/s"


@pytest.mark.parametrize(("misses", "traces"), [([0, 0], 1), ([3, 3], 1), ([0, 2], 2)])
def test_lip_ports_show_misses_only_where_there_were_any(misses: list[int], traces: int) -> None:
    frame = pd.DataFrame(
        [
            {"seconds": n, "director": "lb1", "lip": "192.168.100.200", "used": 5 * n, "free": 100, "miss": miss}
            for n, miss in enumerate(misses)
        ]
    )
    assert len(plots.lip_ports(frame).data) == traces


def test_shares_beside_what_was_promised() -> None:
    seen, expected = plots.shares({"rs1": 15, "rs2": 5}, {"rs1": 0.5, "rs2": 0.5}).data
    assert list(seen.y) == [75, 25]
    assert list(expected.y) == [50, 50]


def test_a_figure_in_a_notebook_does_not_carry_plotly() -> None:
    import plotly.io

    plots.shares({"rs1": 1}, {"rs1": 1.0})
    assert plotly.io.renderers.default == "plotly_mimetype"
