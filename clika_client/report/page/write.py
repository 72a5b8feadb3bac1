"""The page itself: facts, charts and questions of a database put into the template, as one text without a request."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from importlib import resources
from pathlib import Path
from typing import Any

from clika_client.common.errors import UserError
from clika_client.common.files import replacing
from clika_client.common.languages import name as language_name
from clika_client.common.safe_text import shown
from clika_client.report import colours
from clika_client.report.methods import methods
from clika_client.report.notes import reading_notes
from clika_client.report.page import charts
from clika_client.report.page.asked import what_was_asked
from clika_client.report.page.explorer import explorer
from clika_client.report.page.facts import (
    HEAT,
    LEVELS,
    gap_points,
    overall,
    p_value,
    pairs_to_open,
    points,
    spell,
    spell_figure,
    table_facts,
)
from clika_client.report.page.habits import habits
from clika_client.report.page.heat import heat_lines, pair_line
from clika_client.report.page.taught import Taught
from clika_client.report.table_layout import tables
from clika_client.scoring.chosen import Wanted, choose
from clika_client.scoring.load import load
from clika_client.scoring.score import check_anchor, score_loaded
from clika_client.scoring.score_sets import Options
from clika_client.store.store import Store
from clika_providers.install import install_hint, own_version

_HERE = "clika_client.report.page"


MATRICES = 12
"""Rows whose matrix of pairs is in the page as it opens; the others are drawn when they are opened."""


def save_page(
    store: Store,
    path: Path,
    wanted: Wanted | None = None,
    options: Options | None = None,
    taught: Sequence[Taught] = (),
) -> None:
    """Write the page whole or not at all; `taught` is what stands under conductivity.

    Raises UserError for a missing package, nothing to show, or a bad place.
    """
    text = page(store, wanted, options, taught=taught)
    try:
        with replacing(path) as part:
            part.write_text(text, encoding="utf-8", errors="replace")
    except OSError as error:
        raise UserError(f"cannot write {path}: {error.strerror}; choose another file") from error


def page(
    store: Store,
    wanted: Wanted | None = None,
    options: Options | None = None,
    *,
    live: str = "",
    taught: Sequence[Taught] = (),
) -> str:
    """The page as HTML. `live` is the address that tells a page that is being served when there is something new."""
    try:
        import jinja2
    except ImportError as error:
        raise UserError(f"the page needs {error.name}: {install_hint('report')}") from error
    wanted, options = wanted or Wanted(), options or Options()
    chosen = choose(store, wanted)
    loaded = load(store, wanted, chosen)
    check_anchor(loaded.blocks, options.anchor)
    scores = score_loaded(store, loaded, wanted, options)
    found = tables(scores)
    facts = [table_facts(table, scores, loaded, options, f"t{i}") for i, table in enumerate(found)]
    environment = jinja2.Environment(
        autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters.update(
        gap=gap_points, spell=spell, p_value=p_value, figure=spell_figure, points=points, shown=shown
    )
    environment.globals.update(heat_lines=heat_lines, pair_line=pair_line, language_name=language_name, habits=habits)
    names = list(dict.fromkeys(shown(row.summary.model) for table in found for row in table.rows))
    count = len({language for table in found for language in table.languages})
    values: dict[str, Any] = {
        "title": _title(names),
        "heading": f"What {'does it' if len(names) == 1 else 'do they'} know in {count} languages?",
        "names": names,
        "made": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "version": own_version(),
        "anchor": scores.anchor,
        "chapters": [(f, *(charts.for_both(draw, f) for draw in charts.DRAWN)) for f in facts],
        "overall": overall(found, loaded, options),
        "heat": HEAT,
        "levels": LEVELS,
        "asked": what_was_asked(store, chosen),
        "methods": methods(scores),
        "notes": [shown(note) for note in (*reading_notes(scores), *scores.notes)],
        "explorer": explorer(store, chosen, loaded, found, pairs=pairs_to_open(facts, MATRICES)),
        "matrices": MATRICES,
        "taught": taught,
        "taught_svg": charts.for_both(charts.taught_chart, taught),
        "light": colours.steps("light"),
        "dark": colours.steps("dark"),
        "script": _file("page.js"),
        "live": live,
    }
    environment.loader = jinja2.FunctionLoader(_file)
    return environment.get_template("page.html").render(values)


def _title(names: Sequence[str]) -> str:
    if len(names) == 1:
        return f"{names[0]}: what does it know in every language?"
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return f"{', '.join(names[:3])}{more}: what do they know in every language?"


def _file(name: str) -> str:
    return (resources.files(_HERE) / name).read_text(encoding="utf-8")
