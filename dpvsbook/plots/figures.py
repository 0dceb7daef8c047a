"""Data frames to plotly figures that read well in a notebook and in the report, on a light page and on a dark one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd
    import plotly.graph_objects as go

# Okabe and Ito's colours, told apart by colour-blind readers too, on light and on dark; black and yellow left out.
COLOURS: Mapping[str, str] = {
    "blue": "#3b82c4",
    "orange": "#e69f00",
    "green": "#009e73",
    "vermilion": "#d55e00",
    "purple": "#cc79a7",
    "sky": "#56b4e9",
    "olive": "#8a9a2b",
    "slate": "#7b8794",
}
_MIDDLE = "#7d8590"  # text and lines that show on light and on dark
_FAINT = "rgba(125,133,144,0.22)"
_FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', sans-serif"


def requests(frame: pd.DataFrame) -> go.Figure:
    """Requests per second and real server over time, stacked.

    `frame` has columns seconds, director, service, server, conns (a counter that only grows, as `ipvsadm --stats` shows it); directors
    are summed. Between two samples lies their mean rate; a counter that went back (dpvs was restarted) counts from zero.
    """
    import plotly.graph_objects as go

    figure = go.Figure()
    several = frame["service"].nunique() > 1
    for number, ((service, server), rows) in enumerate(_rates(frame).groupby(["service", "server"], sort=True)):
        colour = _colour(number)
        figure.add_scatter(
            x=rows["seconds"].round(2).tolist(),
            y=rows["rate"].round(2).tolist(),
            name=f"{server} ({service})" if several else str(server),
            mode="lines",
            line={"width": 1.5, "color": colour, "shape": "hv"},
            fillcolor=_translucent(colour),
            stackgroup="all",
            hovertemplate="%{y:.1f} requests/s<extra>%{fullData.name}</extra>",
        )
    services = ", ".join(sorted(str(name) for name in frame["service"].unique())[:3])
    return _styled(
        figure, "Requests per real server", f"{services}: new connections per second, stacked", "s since the start", "requests/s"
    )


def lip_ports(frame: pd.DataFrame) -> go.Figure:
    """Ports in use per LIP over time, with the misses (asked for a port, none was left) where there are any.

    `frame` has columns seconds, director, lip, used, free, miss.
    """
    import plotly.graph_objects as go

    figure = go.Figure()
    several = frame["director"].nunique() > 1
    for number, ((director, lip), rows) in enumerate(frame.groupby(["director", "lip"], sort=True)):
        total = (rows["used"] + rows["free"]).clip(lower=1)
        name = f"{lip} ({director})" if several else str(lip)
        figure.add_scatter(
            x=rows["seconds"].round(2).tolist(),
            y=rows["used"].tolist(),
            name=name,
            mode="lines+markers",
            line={"width": 2, "color": _colour(number)},
            marker={"size": 5},
            customdata=[[round(100 * used / all_, 3), free] for used, all_, free in zip(rows["used"], total, rows["free"], strict=True)],
            hovertemplate="%{y} ports used, %{customdata[1]} free (%{customdata[0]} % used)<extra>%{fullData.name}</extra>",
        )
        missed = rows["miss"] - rows["miss"].iloc[0]
        if missed.iloc[-1] > 0:
            figure.add_scatter(
                x=rows["seconds"].round(2).tolist(),
                y=missed.tolist(),
                name=f"{name}: misses",
                mode="lines",
                line={"width": 2, "dash": "dot", "color": COLOURS["vermilion"]},
                hovertemplate="%{y} times no port was left<extra>%{fullData.name}</extra>",
            )
    return _styled(
        figure, "Ports of the local addresses in use", "one port per connection to a real server", "s since the start", "ports used"
    )


def shares(counts: Mapping[str, int], expected: Mapping[str, float]) -> go.Figure:
    """How the connections were shared among the real servers, beside what the scheduler promises.

    `counts`: real server to connections; `expected`: real server to its share (0 to 1).
    """
    import plotly.graph_objects as go

    servers: Sequence[str] = list(dict.fromkeys([*expected, *counts]))
    total = sum(counts.values()) or 1
    got = [100 * counts.get(server, 0) / total for server in servers]
    figure = go.Figure()
    figure.add_bar(
        x=list(servers),
        y=got,
        name="seen",
        marker={"color": [_colour(number) for number in range(len(servers))]},
        customdata=[counts.get(server, 0) for server in servers],
        hovertemplate="%{customdata} connections, %{y:.1f} %<extra>%{x}</extra>",
    )
    figure.add_scatter(
        x=list(servers),
        y=[100 * expected.get(server, 0) for server in servers],
        name="expected",
        mode="markers",
        marker={"symbol": "line-ew", "size": 46, "line": {"width": 3, "color": _MIDDLE}},
        hovertemplate="%{y:.1f} % expected<extra>%{x}</extra>",
    )
    return _styled(figure, "Shares of the real servers", f"{sum(counts.values())} connections", "real server", "% of the connections")


def _rates(frame: pd.DataFrame) -> pd.DataFrame:
    """Columns service, server, seconds, rate: from each sample to the next."""
    import pandas as pd

    summed = frame.groupby(["service", "server", "seconds"], sort=True, as_index=False)["conns"].sum()
    grouped = summed.groupby(["service", "server"])
    grown, before = grouped["conns"].diff(), grouped["seconds"].shift()
    grown = grown.where(grown >= 0, summed["conns"])
    rate = grown / (summed["seconds"] - before)
    first = before.isna()
    # A rate belongs to the time from the sample before: drawn from there on, and once more at the end, so that the last step has a width.
    steps = pd.DataFrame({"service": summed["service"], "server": summed["server"], "seconds": before, "rate": rate})[~first]
    ends = summed.assign(rate=rate)[~first].groupby(["service", "server"], as_index=False).last()
    drawn: pd.DataFrame = pd.concat([steps, ends[["service", "server", "seconds", "rate"]]]).sort_values(
        ["service", "server", "seconds"], kind="stable"
    )
    return drawn


def _styled(figure: go.Figure, title: str, subtitle: str, x: str, y: str) -> go.Figure:
    axis: dict[str, Any] = {"gridcolor": _FAINT, "linecolor": _FAINT, "zerolinecolor": _FAINT, "ticks": "outside", "tickcolor": _FAINT}
    figure.update_layout(
        title={"text": title, "subtitle": {"text": subtitle, "font": {"size": 12, "color": _MIDDLE}}, "x": 0, "xref": "paper"},
        font={"family": _FONT, "size": 12, "color": _MIDDLE},
        paper_bgcolor="rgba(0,0,0,0)",
        plot_bgcolor="rgba(0,0,0,0)",
        hovermode="x unified",
        legend={"orientation": "h", "y": -0.26, "yanchor": "top", "x": 0},
        modebar={"bgcolor": "rgba(0,0,0,0)", "color": _FAINT, "activecolor": _MIDDLE},
        margin={"l": 60, "r": 16, "t": 64, "b": 80},
        height=360,
        xaxis={**axis, "title": {"text": x}},
        yaxis={**axis, "title": {"text": y}, "rangemode": "tozero"},
        showlegend=True,
    )
    _for_notebooks()
    return figure


def warm_up() -> None:
    """Import all that a figure needs: pandas, plotly, and what plotly only looks for when the first figure is made. Seconds."""
    import pandas  # noqa: F401
    import plotly.graph_objects as go

    _styled(go.Figure(), "", "", "", "")


def _for_notebooks() -> None:
    """Shown in a notebook, a figure is its data alone: the default would put 4 MB of plotly.js into every executed notebook."""
    import plotly.io

    if not plotly.io.renderers.default or "notebook" in plotly.io.renderers.default:
        plotly.io.renderers.default = "plotly_mimetype"


def _colour(number: int) -> str:
    return list(COLOURS.values())[number % len(COLOURS)]


def _translucent(colour: str) -> str:
    red, green, blue = (int(colour[index : index + 2], 16) for index in (1, 3, 5))
    return f"rgba({red},{green},{blue},0.45)"
