"""Scores as a picture: a heat map per probe set, as an interactive page (.html) or for print (.svg, .png, .pdf)."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from clika_client.common.errors import UserError
from clika_client.common.files import replacing
from clika_client.common.safe_text import shown
from clika_client.report.colours import step_of, steps
from clika_client.report.table_layout import ScoreTable, tables
from clika_client.report.terminal import FIGURES, check_figures
from clika_client.scoring.metrics.catalogue import TITLES
from clika_client.scoring.records import Record, Scores
from clika_providers.install import install_hint

FORMATS = (".html", ".svg", ".png", ".pdf")
PAIRS = "pairs"
"""Instead of a figure of a record: en-CO between every two languages, a matrix per row."""
SHOWN = ("ra_unclipped", "en_co")
_CELL = 44
"""Pixels per column; wide enough for a figure like 0.87."""
_LINE = 22
_PIXELS_PER_MM = 96 / 25.4
_LABEL = 6.5
"""Pixels that a letter of a label takes."""
_PPI = 200
_STEPS = steps("light")
_HOLLOW = ("#d9d9d9", "#000000")

_PLACEHOLDER = "\ue000"


@dataclass(frozen=True, slots=True)
class Look:
    """What to draw and how large."""

    show: tuple[str, ...] = SHOWN
    transpose: bool = False
    """Languages on lines, models in columns."""
    width_mm: float | None = None
    """Width of the whole, as near as whole pixels allow; None: as wide as legible figures need."""


USUAL = Look()


def save_figure(scores: Scores, path: Path, look: Look = USUAL) -> None:
    """Draw every table of `scores` into one file, whole or not at all.

    Raises UserError for an unknown figure, another suffix, a missing package, nothing to draw, or a place that cannot
    be written.
    """
    if path.suffix not in FORMATS:
        raise UserError(f"cannot draw {path.name!r}: the suffix chooses the format, one of {', '.join(FORMATS)}")
    check_figures(look.show, (*FIGURES, PAIRS))
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
                part.write_text(_page(_chart(scores, look)), encoding="utf-8")
            else:
                _chart(scores, look).save(part, **({"ppi": _PPI} if path.suffix == ".png" else {}))
    except OSError as error:
        raise UserError(f"cannot write {path}: {error.strerror}; choose another file") from error


Square = dict[str, Any]
"""One figure of the drawing, with what a reader sees of it."""


def panels(scores: Scores, look: Look = USUAL) -> list[tuple[str, list[Square]]]:
    """(title, squares) of every heat map, one for each figure of each table: all that the drawing shows."""
    found = []
    for table in tables(scores):
        for label, squares in _figures(table, look.show):
            known = [square for square in squares if square["value"] is not None]
            if known:
                found.append((f"{_title(table)}: {label}", known))
    return found


def _figures(table: ScoreTable, show: Sequence[str]) -> Iterator[tuple[str, list[Square]]]:
    for field in show:
        if field == PAIRS:
            yield from _pairs(table)
        else:
            yield TITLES.get(field, field), _cells(table, field)


def _title(table: ScoreTable) -> str:
    return table.set if table.split is None else f"{table.set} · {table.split}"


def _cells(table: ScoreTable, field: str) -> list[Square]:
    # Two rows that share a square would be painted over each other: a name holds all that sets rows apart.
    named = ("prompt", "ask", "reading", *(word for word in ("source", "settings") if word in table.varying))
    return [
        _row(record, field, ", ".join(str(getattr(row.summary, word)) for word in named))
        for row in table.rows
        for record in row.cells.values()
    ]


def _pairs(table: ScoreTable) -> Iterator[tuple[str, list[Square]]]:
    """A matrix per row: en-CO of the language of the line, as the anchor, and that of the column."""
    for row in table.rows:
        tags = row.summary.languages
        squares = [
            _square(shown(a), shown(b), _plain(row.summary.pairs[i][j]))
            for i, a in enumerate(tags)
            for j, b in enumerate(tags)
        ]
        yield f"{shown(row.label)}, en-CO of every pair", squares


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


def _chart(scores: Scores, look: Look = USUAL) -> Any:
    import altair as alt

    drawn = [_panel(title, squares, look) for title, squares in panels(scores, look)]
    if not drawn:
        raise UserError("there is nothing to draw: none of the figures is defined here")
    return alt.vconcat(*drawn).configure_view(stroke=None)


def _panel(title: str, rows: Sequence[Square], look: Look) -> Any:
    import altair as alt

    across, down = ("model", "language") if look.transpose else ("language", "model")
    order = {name: list(dict.fromkeys(row[name] for row in rows)) for name in ("model", "language")}
    if set(order["model"]) == set(order["language"]):  # pairs: both ways in one order
        order["language"] = order["model"]
    columns, lines = order[across], order[down]
    cell = _cell(columns, lines, look.width_mm)
    upright = max(len(column) for column in columns) * _LABEL <= cell
    axis = alt.Axis(labelAngle=0 if upright else -90, orient="top", labelLimit=360)
    base = alt.Chart(alt.Data(values=list(rows)), title=shown(title)).encode(
        x=alt.X(f"{across}:N", sort=columns, title=None, axis=axis),
        y=alt.Y(f"{down}:N", sort=lines, title=None, axis=alt.Axis(labelLimit=360)),
        tooltip=[alt.Tooltip(f"{name}:N") for name in ("model", "language", "interval", "n", "no_answer", "flags")],
    )
    squares = base.mark_rect().encode(color=alt.Color("fill:N", scale=None))
    numbers = base.mark_text(fontSize=min(11, max(6, cell // 3))).encode(
        text=alt.Text("value:Q", format=".2f"), color=alt.Color("ink:N", scale=None)
    )
    return (squares + numbers).properties(width=cell * len(columns), height=_LINE * len(lines))


def _cell(columns: Sequence[str], lines: Sequence[str], width_mm: float | None) -> int:
    """Pixels of a column."""
    if width_mm is None:
        return _CELL
    room = width_mm * _PIXELS_PER_MM - _LABEL * max(len(line) for line in lines) - 20
    return max(8, int(room / len(columns)))


def _row(record: Record, field: str, asked: str) -> Square:
    """One square. Names come from outside: control codes are taken out, and drawing escapes the rest."""
    value, low, high = map(_plain, record.figure(field))
    return {
        **_square(
            shown(f"{record.model} ({asked})"),
            shown(record.language) + (" *" if record.language == record.anchor else ""),
            value,
            hollow="degenerate" in record.flags,
        ),
        "interval": "none" if low is None or high is None else f"{low:.3f} to {high:.3f}",
        "n": str(record.n),
        "no_answer": f"{record.no_answer_rate:.1%}",
        "flags": ", ".join(record.flags) or "none",
    }


def _square(model: str, language: str, value: float | None, hollow: bool = False) -> Square:
    fill, ink = _HOLLOW if hollow or value is None else _STEPS[step_of(value)]
    more = {"interval": "none", "n": "", "no_answer": "", "flags": "none"}
    return {
        "model": model,
        "language": language,
        "value": value,
        "degenerate": hollow,
        "fill": fill,
        "ink": ink,
        **more,
    }


def _plain(value: float | None) -> float | None:
    """A number that JSON can hold: not-a-number marks an undefined figure."""
    return None if value is None or math.isnan(value) else float(value)
