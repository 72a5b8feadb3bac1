"""Score tables for a terminal: languages as columns, models as rows, RA above en-CO, notes underneath."""

from __future__ import annotations

import math
from collections.abc import Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from clika_client.common.errors import UserError
from clika_client.common.ink import FAINT
from clika_client.common.safe_text import shown
from clika_client.common.wording import counted, did_you_mean
from clika_client.report.conclusions import conclusions
from clika_client.report.details import render_details
from clika_client.report.notes import notes, reading_notes, shared_notes
from clika_client.report.open_verdicts import is_open, short_enough, verdict_table
from clika_client.report.overview import overview_notes, overviews
from clika_client.report.signs import ANCHOR, TERMINAL, sign_of
from clika_client.report.table_layout import ScoreTable, TableRow, tables
from clika_client.scoring.metrics.catalogue import CELL_FIELDS, OF_PAIRS, ROW_FIELDS, TITLES
from clika_client.scoring.records import Record, Scores

_SHADES = ("grey46", "grey46", "", "royal_blue1", "bold royal_blue1")
"""From 0 to 1 and beyond; of colours that have 4.5:1 on black and on white."""
FIGURES = ("coverage", *CELL_FIELDS, "exact_match", "token_f1", "position_bias_combined", "chance", "ra_reference")
"""Figures of a record that a table can show."""
SHOWN = ("ra_unclipped", "en_co", "en_co_chance_corrected")
_MEANS = {"ra_unclipped": "other_ra", "ra": "paper_other_ra"}
"""Means whose names are not made from the figure's."""
_GREY = "grey46 italic"
_INTERVALS_UP_TO = 6
_ROWS_IN_FULL = 24
"""Rows over all sets up to which every language is shown; above, one line per model says more than 500 figures."""
_BLOCKS = 3
_LANGUAGES = 16
"""Blocks and languages up to which all are shown; above both, the weakest and the strongest say more."""
_STRONGEST = 3
_NARROW = 60
_ENDS_WIDTH = len("-.10–1.00")
_ASCII = str.maketrans({"¤": "$", "†": "!", "‡": "?", "§": "s", "±": "+-", "–": "-", "·": "-", "…": "."})


def render(
    scores: Scores,
    console: Console,
    *,
    intervals: bool | None = None,
    show: Sequence[str] = SHOWN,
    details: bool = False,
) -> None:
    """Print every table.

    `intervals` adds the ends of the interval under each figure (None: only where rows are few), `show` names the
    figures of a record to print, `details` adds what is said of all languages at once.

    Raises UserError for an unknown figure.
    """
    check_figures(show)
    if not scores.records:
        console.print("No answers to score yet.")
    found = tables(scores)
    if sum(len(table.rows) for table in found) > _ROWS_IN_FULL and not details and not intervals:
        _render_overview(found, scores, console)
        return
    for number, table in enumerate(found):
        if number:
            console.print()
        console.print(_line(_title(table), console, "bold"))
        for sentence in conclusions(table, scores):
            console.print(Text(cleaned(sentence, console)))
        blocks, with_intervals, left = _blocks(table, scores, console, show, details, intervals)
        for languages in blocks:
            console.print(_grid(table, languages, scores, console, show, with_intervals))
        if left:
            console.print(_line(left, console, FAINT))
        if is_open(table) and (details or short_enough(table)):
            console.print(verdict_table(table))
        if details:
            render_details(table, console)
        for note in notes(table, scores, TERMINAL):
            console.print(_line(note, console, FAINT))
    for note in (*reading_notes(scores), *scores.notes):
        console.print(_line(note, console, FAINT))


def _render_overview(found: Sequence[ScoreTable], scores: Scores, console: Console) -> None:
    """Conclusions of every set, then one line per model."""
    for table in found:
        console.print(_line(_title(table), console, "bold"))
        for sentence in conclusions(table, scores):
            console.print(Text(cleaned(sentence, console)))
    console.print()
    for grid in overviews(found, console.width):
        console.print(grid)
    for note in (*overview_notes(found), *shared_notes(found, scores), *reading_notes(scores), *scores.notes):
        console.print(_line(note, console, FAINT))


def _title(table: ScoreTable) -> str:
    cell = next(cell for row in table.rows for cell in row.cells.values())
    split = f" · {table.split}" if table.split else ""
    fewest, most = cell.choices
    choices = f"{fewest} choices" if fewest == most else f"{fewest}–{most} choices, chance {_number(cell.chance)}"
    choices = "asked openly" if cell.verdicts else choices
    named = f"(version {table.version} " in table.set  # told apart from another of its name in this report
    split += f" · version {table.version}" if table.version > 1 and not named else ""
    return f"{table.set}{split} · {counted(table.items, 'item')} · {choices}"


def _grid(
    table: ScoreTable,
    languages: Sequence[str],
    scores: Scores,
    console: Console,
    show: Sequence[str],
    intervals: bool,
) -> Table:
    grid = Table(box=None, padding=(0, 1, 0, 0), show_edge=False, header_style="bold", pad_edge=False)
    grid.add_column("model", overflow="fold", max_width=_name_width(console.width))
    grid.add_column("", no_wrap=True)
    for language in languages:
        grid.add_column(
            Text(shown(language) + (ANCHOR if language == scores.anchor else "")), justify="right", no_wrap=True
        )
    grid.add_column("others", justify="right", no_wrap=True)
    for row in table.rows:
        _add(grid, row, languages, console, show, intervals)
    return grid


def _add(
    grid: Table, row: TableRow, languages: Sequence[str], console: Console, show: Sequence[str], intervals: bool
) -> None:
    """One model: a line per figure, each with its interval below when wanted and known."""
    columns: list[list[Text]] = [[] for _ in range(len(languages) + 2)]
    for field in show:
        mean, low, high = _over_others(row, field)
        values = [_value(row, language, field, console) for language in languages]
        last = Text(_number(mean), style="bold" if row.ranked else _GREY)
        _extend(columns, [Text(TITLES.get(field, field)), *values, last])
        if intervals and field in CELL_FIELDS:
            ends = [_ends(*_bounds(row.cells.get(language), field), console) for language in languages]
            _extend(columns, [Text("95 %", style=FAINT), *ends, _ends(low, high, console)])
    name = Text(shown(row.label), style="" if row.ranked else _GREY)
    grid.add_row(name, *(Text("\n").join(lines) for lines in columns))


def _extend(columns: list[list[Text]], line: Sequence[Text]) -> None:
    for column, cell in zip(columns, line, strict=True):
        column.append(cell)


def _over_others(row: TableRow, field: str) -> tuple[float, float, float]:
    """(mean, low, high) over the other languages that count."""
    summary = row.summary
    mean = _MEANS.get(field, f"other_{field}")
    if mean in ROW_FIELDS:
        return summary.figures[mean]
    values = [row.cells[language].figure(field).value for language in summary.counted if language in row.cells]
    known = [value for value in values if not math.isnan(value)]
    return (sum(known) / len(known) if known else math.nan), math.nan, math.nan


def check_figures(show: Sequence[str], known: Sequence[str] = FIGURES) -> None:
    """Raises UserError for a figure that cannot be shown, with the one that may be meant."""
    for field in show:
        if field not in known:
            meant = did_you_mean(field, known)
            hint = f"{meant} " if meant else ""
            raise UserError(f"--show {field!r} is not a figure of a record; {hint}choose from {', '.join(known)}")


def _value(row: TableRow, language: str, field: str, console: Console) -> Text:
    cell = row.cells.get(language)
    if cell is None:
        return Text("")
    value = cell.figure(field).value
    anchor = row.cells.get(row.summary.anchor)
    hollow = bool(cell.flags) or (field in OF_PAIRS and anchor is not None and bool(anchor.flags))
    text = _number(value) + ("" if math.isnan(value) else sign_of(row, language, field))
    return Text(_encodable(text, console), style=_GREY if hollow else _shade(value))


def _shade(value: float) -> str:
    if math.isnan(value):
        return FAINT
    return _SHADES[min(max(int(value * len(_SHADES)), 0), len(_SHADES) - 1)]


def _number(value: float) -> str:
    """Two or three places without a leading zero; a dash where undefined."""
    if math.isnan(value):
        return "-"
    return f"{value:z.2f}" if abs(value) >= 0.9995 else f"{value:z.3f}".replace("0.", ".", 1)


def _bounds(cell: Record | None, field: str) -> tuple[float, float]:
    if cell is None:
        return math.nan, math.nan
    _, low, high = cell.figure(field)
    return low, high


def _ends(low: float, high: float, console: Console) -> Text:
    """Both ends of an interval, which need not be symmetric; nothing where it is undefined."""
    if math.isnan(low):
        return Text("")
    text = "–".join(f"{end:z.2f}".replace("0.", ".", 1) for end in (low, high))
    return Text(_encodable(text, console), style=FAINT)


def _blocks(
    table: ScoreTable, scores: Scores, console: Console, show: Sequence[str], details: bool, intervals: bool | None
) -> tuple[list[tuple[str, ...]], bool, str]:
    """(languages of each block, whether intervals stand below the figures, what was left out).

    What would take more blocks than can be looked at goes without intervals, then without most languages, unless these
    were asked for.
    """
    wanted = len(table.rows) <= _INTERVALS_UP_TO and console.width >= _NARROW if intervals is None else intervals
    wanted = wanted and bool(scores.bootstrap)
    blocks = _chunks(table, console.width, show, wanted)
    if len(blocks) > _BLOCKS and wanted and intervals is None and not details:
        wanted = False
        blocks = _chunks(table, console.width, show, False)
    if len(blocks) <= _BLOCKS or len(table.languages) <= _LANGUAGES or details or intervals:
        return blocks, wanted, ""
    anchor = table.rows[0].summary.anchor
    others = _strongest_first(table, show[0])
    kept = len(blocks[0]) - (anchor in blocks[0])
    strong = min(_STRONGEST, kept // 3)
    some = (*others[:strong], *others[len(others) - kept + strong :])
    languages = (*([anchor] if anchor in table.languages else []), *some)
    title = TITLES.get(show[0], show[0])
    left = (
        f"Shown are the {strong} strongest and the {kept - strong} weakest of {len(others)} other languages by mean "
        f"{title}. All of them: --details, clika report FILE.html, or --csv FILE."
    )
    return [languages], wanted, left


def _strongest_first(table: ScoreTable, field: str) -> list[str]:
    """The languages other than the anchor by the mean of a figure over the rows that count, best first."""
    rows = [row for row in table.rows if row.ranked] or list(table.rows)
    means = {}
    for tag in table.languages:
        values = [getattr(row.cells[tag], field) for row in rows if tag in row.cells]
        known = [value for value in values if not math.isnan(value)]
        means[tag] = sum(known) / len(known) if known else -math.inf
    others = [tag for tag in table.languages if tag != table.rows[0].summary.anchor]
    return sorted(others, key=lambda tag: -means[tag])


def _chunks(table: ScoreTable, width: int, show: Sequence[str], intervals: bool) -> list[tuple[str, ...]]:
    """Languages in as many groups as it takes for nothing to be cut; the anchor leads every group."""
    names = min(_name_width(width), max(len(row.label) for row in table.rows))
    figure = _ENDS_WIDTH if intervals else 6
    room = width - names - 1 - max(len(TITLES.get(field, field)) for field in show) - 1 - max(figure + 1, 7)
    column = max(max(len(language) + 1 for language in table.languages), figure) + 1
    size = max(2, room // column)
    if len(table.languages) <= size:
        return [table.languages]
    anchor = [language for language in table.languages if language == table.rows[0].summary.anchor]
    others = [language for language in table.languages if language not in anchor]
    step = size - len(anchor)
    return [tuple(anchor + others[i : i + step]) for i in range(0, len(others), step)]


def _name_width(width: int) -> int:
    return max(16 if width >= _NARROW else 10, min(40, width // 4))


def _line(text: str, console: Console, style: str) -> Text:
    return Text(cleaned(text, console), style=style)


def _encodable(text: str, console: Console) -> str:
    """As it is where the encoding has all of its marks, in their plain spellings where one is lacking."""
    marks = "".join(sorted(set(text).intersection(map(chr, _ASCII))))
    try:
        marks.encode(console.encoding)
    except (LookupError, UnicodeEncodeError):
        return text.translate(_ASCII)
    return text


def cleaned(text: str, console: Console) -> str:
    """Text that can be printed as it is: no control codes, nothing the terminal's encoding lacks."""
    return _encodable(shown(text), console)
