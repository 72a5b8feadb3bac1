"""Charts of the page: Vega-Lite specifications drawn to SVG when the page is made, in colours that follow its theme."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, TypeVar

from clika_client.common.errors import UserError
from clika_client.common.languages import name as language_name
from clika_client.common.safe_text import shown
from clika_client.report.page.facts import LEVELS, LanguageLine, TableFacts
from clika_client.report.page.taught import Taught
from clika_providers.install import install_hint

Spec = Mapping[str, Any]
# What is drawn in one of these becomes a variable of the style sheet, so that one drawing serves both themes.
_COLOURS = {
    "#010101": "--ink", "#020202": "--faint", "#030303": "--line",
    "#040404": "--c1", "#050505": "--c2", "#060606": "--c3", "#070707": "--c4",
}  # fmt: skip
_INK, _FAINT, _LINE, *SERIES = _COLOURS
_SHAPES = ("circle", "square", "triangle-up", "diamond")
_ONE_BY_ONE = len(SERIES)
"""Models that a chart tells apart by colour and shape; of more it shows the mean and all of them in one colour."""
_ROW = 24
_PAGE = 800
"""Pixels above which a drawing does not fit on what is left of a printed page."""
# Labels are measured in another font than the reader's: room for wider ones.
_PADDING = {"left": 10, "right": 10, "top": 4, "bottom": 4}
_FONT = "system-ui, sans-serif"
_CONFIG: dict[str, Any] = {
    "background": None,
    "font": _FONT,
    "view": {"stroke": None},
    "axis": {
        "labelColor": _INK, "titleColor": _FAINT, "gridColor": _LINE, "domainColor": _LINE, "tickColor": _LINE,
        "labelFontSize": 12, "titleFontSize": 12, "titleFontWeight": "normal", "labelLimit": 260,
    },
    "title": {"color": _INK, "fontSize": 12, "fontWeight": 600, "anchor": "start"},
    "legend": {
        "labelColor": _INK, "labelFontSize": 12, "orient": "top", "title": None, "labelLimit": 300,
        "columnPadding": 24, "symbolOpacity": 1,
    },
}  # fmt: skip


Draw = Callable[[TableFacts, bool], str]
_T = TypeVar("_T")


def for_both(draw: Callable[[_T, bool], str], facts: _T) -> str:
    """A chart twice: as wide as a desk's screen takes, and for a phone's; the style sheet shows one of them."""
    drawn = draw(facts, False)
    height = re.search(r'<svg[^>]* height="([\d.]+)"', drawn)
    tall = " tall" if height and float(height[1]) > _PAGE else ""
    return f'<div class="on-wide{tall}">{drawn}</div><div class="on-narrow">{draw(facts, True)}</div>' if drawn else ""


def levels_chart(facts: TableFacts, narrow: bool) -> str:
    """Every row on the levels that are measured, with intervals; one panel below another where it is narrow."""
    labels = [shown(row.label) for row in facts.table.rows]
    panels: list[Spec] = []
    for field, title in LEVELS:
        rows = [
            _point(row.summary.figures[field], model=shown(row.label))
            for row in facts.table.rows
            if row.summary.figures[field].value == row.summary.figures[field].value
        ]
        if rows:
            panels.append(_panel(rows, labels, title, with_names=narrow or not panels))
    return _svg({"vconcat" if narrow else "hconcat": panels, "spacing": 24}, narrow) if panels else ""


def _panel(rows: Sequence[Spec], labels: Sequence[str], title: str, with_names: bool) -> Spec:
    names = {"title": None} if with_names else None
    y = {**_rows("model", labels, names), "scale": {"domain": list(labels)}}
    domain = [min([0.0, *(row["low"] for row in rows)]), 1]
    x = {"type": "quantitative", "scale": {"domain": domain}, "axis": {"title": None, "tickCount": 5, "format": ".1f"}}
    return {
        "title": title,
        "width": 190,
        "height": {"step": _ROW},
        "data": {"values": list(rows)},
        "layer": _intervals({"y": y}, x),
    }


def languages_chart(facts: TableFacts, narrow: bool) -> str:
    """Languages from best to worst: one mark per model where they are few, else their range and mean."""
    lines = facts.languages
    if not lines:  # all of them flagged
        return ""
    labels = [shown(label) for label in dict.fromkeys(label for line in lines for label in line.cells)]
    y = _rows("language", [_named(line) for line in lines])
    axis = {"title": "accuracy", "format": "%", "tickCount": 5}
    x = {"type": "quantitative", "scale": {"domain": [0, 1]}, "axis": axis}
    rows = [
        _point((c.accuracy, c.accuracy_low, c.accuracy_high), language=_named(line), model=shown(label))
        for line in lines
        for label, c in line.cells.items()
    ]
    if len(labels) <= _ONE_BY_ONE:
        told = _told_apart(labels)
        layers = _intervals({"y": y, "yOffset": {"field": "model", "type": "nominal", "sort": labels}}, x, told)
        step = max(_ROW, 9 * len(labels) + 8)
    else:
        small = {"type": "point", "filled": True, "size": 26, "color": _FAINT, "opacity": 0.7}
        bar = {"type": "tick", "color": SERIES[0], "thickness": 4, "size": 18}
        means = {"values": [{"language": _named(line), "mean": line.mean} for line in lines]}
        layers = [
            {"mark": small, "encoding": {"y": y, "x": {**x, "field": "value"}}},
            {"mark": bar, "data": means, "encoding": {"y": y, "x": {**x, "field": "mean"}}},
        ]
        step = _ROW
    height = {"step": step, "for": "position"}
    return _svg({"width": _width(narrow), "height": height, "data": {"values": rows}, "layer": layers}, narrow)


def _told_apart(labels: Sequence[str]) -> Mapping[str, Spec]:
    """Models by colour and by shape, so that neither is needed alone."""
    scale = {"domain": list(labels), "range": SERIES[: len(labels)]}
    shapes = {"domain": list(labels), "range": list(_SHAPES[: len(labels)])}
    of_model = {"field": "model", "type": "nominal"}
    return {"color": {**of_model, "scale": scale}, "shape": {**of_model, "scale": shapes}}


def comparison_chart(facts: TableFacts, narrow: bool) -> str:
    """The difference between the first two rows in each language, with its interval and a line at no difference."""
    if facts.comparison is None:
        return ""
    told = sorted((d for d in facts.comparison.differences if d.accuracy.defined), key=lambda d: d.accuracy.diff)
    if not told:
        return ""
    rows = [
        _point((100 * d.accuracy.diff, 100 * d.accuracy.low, 100 * d.accuracy.high), language=_spoken(d.language))
        for d in told
    ]
    named = f"points of accuracy: {shown(facts.comparison.b)} minus {shown(facts.comparison.a)}"
    title = "points of accuracy, B minus A" if narrow else named
    x = {"type": "quantitative", "axis": {"title": title}}
    zero = {
        "mark": {"type": "rule", "color": _INK, "strokeDash": [4, 3]},
        "data": {"values": [{}]},
        "encoding": {"x": {"datum": 0, "type": "quantitative"}},
    }
    layers = [zero, *_intervals({"y": _rows("language", [_spoken(d.language) for d in told])}, x)]
    height = {"step": _ROW}
    return _svg({"width": _width(narrow), "height": height, "data": {"values": rows}, "layer": layers}, narrow)


DRAWN: tuple[Draw, ...] = (levels_chart, languages_chart, comparison_chart)


def taught_chart(taught: Sequence[Taught], narrow: bool) -> str:
    """XRR with its interval: a panel per direction and form of asking, a line per model; failed gates are faint."""
    known = [t for t in taught if t.figures["xrr"][0] == t.figures["xrr"][0]]
    panels = []
    for title in dict.fromkeys(f"{t.direction}, {t.form}" for t in known):
        lines = [t for t in known if f"{t.direction}, {t.form}" == title]
        rows = [_point(t.figures["xrr"], model=t.model, gate="failed" if t.failed else "passed") for t in lines]
        paint = {"field": "gate", "type": "nominal", "legend": None}
        told = {"color": {**paint, "scale": {"domain": ["passed", "failed"], "range": [SERIES[0], _FAINT]}}}
        reach = [min([0.0, *(row["low"] for row in rows)]), max([1.0, *(row["high"] for row in rows)])]
        x = {"type": "quantitative", "scale": {"domain": reach}, "axis": {"title": "XRR", "tickCount": 5}}
        layers = _intervals({"y": _rows("model", list(dict.fromkeys(t.model for t in lines)))}, x, told)
        height = {"step": _ROW}
        panels.append(
            {"title": title, "width": _width(narrow), "height": height, "data": {"values": rows}, "layer": layers}
        )
    return _svg({"vconcat": panels, "spacing": 16}, narrow) if panels else ""


def _intervals(where: Mapping[str, Any], x: Spec, told: Mapping[str, Spec] | None = None) -> list[Spec]:
    """An interval and its point, in one colour or told apart."""
    paint = {} if told else {"color": SERIES[0]}
    of_rule = {name: channel for name, channel in (told or {}).items() if name == "color"}
    ends = {"x": {**x, "field": "low"}, "x2": {"field": "high"}}
    return [
        {"mark": {"type": "rule", "strokeWidth": 2, **paint}, "encoding": {**where, **ends, **of_rule}},
        {
            "mark": {"type": "point", "filled": True, "size": 60, "opacity": 1, **paint},
            "encoding": {**where, "x": {**x, "field": "value"}, **(told or {})},
        },
    ]


def _rows(field: str, order: Sequence[str], axis: Spec | None = MappingProxyType({"title": None})) -> dict[str, Any]:
    return {"field": field, "type": "nominal", "sort": list(order), "axis": None if axis is None else dict(axis)}


def _point(figure: Sequence[float], **names: str) -> dict[str, Any]:
    """A datum with the ends of its interval, which are the value itself where there are none."""
    value, low, high = figure
    return {
        **names,
        "value": value,
        "low": value if math.isnan(low) else low,
        "high": value if math.isnan(high) else high,
    }


def _named(line: LanguageLine) -> str:
    return _spoken(line.tag)


def _spoken(tag: str) -> str:
    return shown(f"{language_name(tag)} ({tag})")


def _width(narrow: bool) -> int:
    return 190 if narrow else 520


def _svg(spec: Spec, narrow: bool) -> str:
    """The drawing, without what would set a size or a colour against the page's own."""
    try:
        import vl_convert
    except ImportError as error:
        raise UserError(f"the page needs {error.name}: {install_hint('report')}") from error
    config = _CONFIG
    if narrow:
        axis, legend = {**_CONFIG["axis"], "labelLimit": 130}, {**_CONFIG["legend"], "columns": 1}
        config = {**_CONFIG, "axis": axis, "legend": legend}
    svg = str(vl_convert.vegalite_to_svg({"config": config, "padding": _PADDING, **spec}))
    for sentinel, variable in _COLOURS.items():
        svg = svg.replace(f'"{sentinel}"', f'"var({variable})"')
    # Described by the heading and the table beside it; read out mark by mark it would be noise.
    svg = re.sub(r' (role|aria-[a-z]+)="[^"]*"', "", svg)
    width = re.search(r'<svg[^>]* width="([\d.]+)"', svg)
    least = f' style="min-width:{min(float(width[1]), 680):.0f}px"' if width and not narrow else ""
    return svg.replace("<svg", f'<svg aria-hidden="true" focusable="false"{least}', 1)
