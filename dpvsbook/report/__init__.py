"""The report of a record: one HTML page that opens offline. plotly.js is kept once, under outputs/_static/, for all reports."""

from __future__ import annotations

import json
from pathlib import Path

from dpvsbook.records.files import replace

STATIC = "_static"


def write(record: Path) -> Path:
    """Renders `report.html` into a record, from the record alone. Gives its path. Raises RecordError, DiskFullError."""
    from dpvsbook.report.view import build

    view = build(record)
    if view.figures:
        view.plotly = f"../../{STATIC}/{_plotly(record.parent.parent)}"
    path = record / "report.html"
    replace(path, render(view).encode(errors="replace"))
    return path


def render(view: object) -> str:
    """The page for a view (see view.py)."""
    import jinja2

    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["script_json"] = _script_json
    return environment.get_template("report.html.j2").render(view=view)


def _script_json(value: object) -> str:
    """JSON that may stand inside a script element, whatever the strings in it hold."""
    import markupsafe

    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return markupsafe.Markup(text.replace("<", "\\u003c").replace("&", "\\u0026").replace("\u2028", "\\u2028"))  # noqa: S704 - just escaped


def _plotly(outputs: Path) -> str:
    """The name of plotly.js under outputs/_static/, put there if it isn't yet."""
    from plotly.offline import get_plotlyjs, get_plotlyjs_version

    name = f"plotly-{get_plotlyjs_version()}.min.js"
    path = outputs / STATIC / name
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        replace(path, get_plotlyjs().encode())
    return name
