"""Scores as a picture: a heat map per probe set, as an interactive page (.html) or for print (.svg, .png, .pdf)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from clika_client.common.errors import UserError
from clika_client.common.files import replacing
from clika_client.common.safe_text import shown
from clika_client.report.layout import ScoreTable, tables
from clika_client.scoring.records import Record, Scores
from clika_providers.install import install_hint

FORMATS = (".html", ".svg", ".png", ".pdf")
_METRICS = (("RA", "ra"), ("en-CO", "en_co"))
_CELL = 44
"""Pixels per language; wide enough for a figure like 0.87."""

_PLACEHOLDER = "\ue000"


def save_figure(scores: Scores, path: Path) -> None:
    """Draw every table of `scores` into one file, whole or not at all.

    Raises UserError for another suffix, a missing package, nothing to draw, or a place that cannot be written.
    """
    if path.suffix not in FORMATS:
        raise UserError(f"cannot draw {path.name!r}: the suffix chooses the format, one of {', '.join(FORMATS)}")
    if not scores.records:
        raise UserError("there is nothing to draw: no scores")
    try:
        import altair  # noqa: F401
        import vl_convert  # noqa: F401
    except ImportError as error:
        raise UserError(f"figures need {error.name}: {install_hint('report')}") from error
    try:
        with replacing(path) as part:
            if path.suffix == ".html":
                part.write_text(_page(_chart(scores)), encoding="utf-8")
            else:
                _chart(scores).save(part)
    except OSError as error:
        raise UserError(f"cannot write {path}: {error.strerror}; choose another file") from error


Square = dict[str, Any]
"""One figure of the drawing, with what a reader sees of it."""


def panels(scores: Scores) -> list[tuple[str, list[Square]]]:
    """(title, squares) of every heat map, one for each figure of each table: all that the drawing shows."""
    return [(f"{_title(table)}: {label}", rows) for table in tables(scores) for label, rows in _figures(table)]


def _title(table: ScoreTable) -> str:
    return table.set if table.split is None else f"{table.set} · {table.split}"


def _figures(table: ScoreTable) -> list[tuple[str, list[Square]]]:
    # Two rows that share a square would be painted over each other: a name holds all that sets rows apart.
    named = ("prompt", "ask", "reading", *(word for word in ("source", "settings") if word in table.varying))
    found = []
    for label, field in _METRICS:
        squares = [
            _row(record, field, ", ".join(str(getattr(row.summary, word)) for word in named))
            for row in table.rows
            for record in row.cells.values()
        ]
        known = [square for square in squares if square["value"] is not None]
        if known:
            found.append((label, known))
    return found


def _page(chart: Any) -> str:
    """The chart as one page that needs no network.

    The page holds the names of models and sets as JSON inside a script element, where a name like `</script>`
    would end the script: every `<` of the chart travels as a placeholder and leaves as a JSON escape.
    """
    import altair as alt

    safe = alt.Chart.from_dict(_replaced(chart.to_dict()))
    page: str = safe.to_html(inline=True)
    return page.replace(f"\\u{ord(_PLACEHOLDER):04x}", "\\u003c").replace(_PLACEHOLDER, "\\u003c")


def _replaced(value: Any) -> Any:
    if isinstance(value, str):
        return value.replace("<", _PLACEHOLDER)
    if isinstance(value, dict):
        return {_replaced(k): _replaced(v) for k, v in value.items()}
    return [_replaced(v) for v in value] if isinstance(value, list) else value


def _chart(scores: Scores) -> Any:
    import altair as alt

    drawn = [_panel(title, squares) for title, squares in panels(scores)]
    return alt.vconcat(*drawn).resolve_scale(color="shared").configure_view(stroke=None)


def _panel(title: str, rows: Sequence[Square]) -> Any:
    import altair as alt

    languages = list(dict.fromkeys(row["language"] for row in rows))
    models = list(dict.fromkeys(row["model"] for row in rows))
    base = alt.Chart(alt.Data(values=list(rows)), title=title).encode(
        x=alt.X("language:N", sort=languages, title=None, axis=alt.Axis(labelAngle=0, orient="top")),
        y=alt.Y("model:N", sort=models, title=None, axis=alt.Axis(labelLimit=360)),
        tooltip=[alt.Tooltip(f"{name}:N") for name in ("model", "language", "interval", "n", "no_answer", "flags")],
    )
    greyed = alt.value("#d9d9d9")
    colour = alt.Color("value:Q", scale=alt.Scale(scheme="blues", domain=[0, 1], clamp=True), legend=None)
    squares = base.mark_rect().encode(color=alt.condition("datum.degenerate", greyed, colour))
    dark = alt.condition("datum.value > 0.55 && !datum.degenerate", alt.value("white"), alt.value("black"))
    numbers = base.mark_text(fontSize=11).encode(text=alt.Text("value:Q", format=".2f"), color=dark)
    return (squares + numbers).properties(width=_CELL * len(languages), height=22 * len(models))


def _row(record: Record, field: str, asked: str) -> Square:
    """One square. Names come from outside: control codes are taken out, and drawing escapes the rest."""
    value, low, high = (_plain(getattr(record, name)) for name in (field, f"{field}_low", f"{field}_high"))
    return {
        "model": shown(f"{record.model} ({asked})"),
        "language": shown(record.language) + (" *" if record.language == record.anchor else ""),
        "value": value,
        "interval": "none" if low is None or high is None else f"{low:.3f} to {high:.3f}",
        "n": str(record.n),
        "no_answer": f"{record.no_answer_rate:.1%}",
        "flags": ", ".join(record.flags) or "none",
        "degenerate": "degenerate" in record.flags,
    }


def _plain(value: float | None) -> float | None:
    """A number that JSON can hold: not-a-number marks an undefined figure."""
    return None if value is None or math.isnan(value) else float(value)
