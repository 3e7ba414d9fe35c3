"""Pieces of HTML for notebooks: a title, sentences, a picture, charts, a table."""

from __future__ import annotations

import base64
from collections.abc import Sequence

from netspec.views.pages import template
from netspec.views.report.charts import Chart
from netspec.views.report.panels import Table


def piece(
    title: str,
    lines: Sequence[str] = (),
    *,
    picture: str = "",
    charts: Sequence[Chart] = (),
    table: Table | None = None,
    text: str = "",
) -> str:
    """A piece of a notebook with styles of its own, which stays as it is where the notebook is read elsewhere.

    `picture` is SVG, `text` that of a spec, which opens on demand.
    """
    drawn = base64.b64encode(picture.encode()).decode()
    return str(
        template("notebook.html").render(title=title, lines=lines, picture=drawn, charts=charts, table=table, text=text)
    )
