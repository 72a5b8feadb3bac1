"""Many models on several sets in one table: a line per model with its anchor, the others, and their consistency."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence

from rich.table import Table
from rich.text import Text

from clika_client.common.safe_text import shown
from clika_client.report.table_layout import ScoreTable, TableRow
from clika_client.scoring.records import Figure

_FIELDS = (("anchor_ra", "RA"), ("other_ra", "oth."), ("other_en_co_chance_corrected", "cons."))
_WIDTH = 5
_NAMES = 30
_PARTING = " _-/:"


def overviews(parts: Sequence[ScoreTable], width: int) -> list[Table]:
    """As many tables as it takes for nothing to be cut, each with the same lines."""
    room, per_set = width - min(_NAMES, width // 3), len(_FIELDS) * (_WIDTH + 1)
    # Rather one table without the anchor than two with it.
    narrow = room < per_set * len(parts)
    fields = _FIELDS[1:] if narrow else _FIELDS
    at_once = max(1, room // (len(fields) * (_WIDTH + 1)))
    return [_overview(parts[i : i + at_once], fields, width) for i in range(0, len(parts), at_once)]


def folded(name: str, room: int) -> str:
    """A name over as many lines as it needs, broken after a sign that parts words in it where there is one."""
    lines = []
    while len(name) > room:
        cut = max((place for place in range(room // 2, room) if name[place] in _PARTING), default=room - 1) + 1
        lines.append(name[:cut].rstrip())
        name = name[cut:]
    return "\n".join([*lines, name])


def overview_notes(parts: Sequence[ScoreTable]) -> list[str]:
    """What must be said under such a table."""
    flagged: Counter[str] = Counter()
    cells = 0
    for table in parts:
        for row in table.rows:
            cells += len(row.cells)
            flagged.update(flag for cell in row.cells.values() for flag in cell.flags[-1:])
    said = [
        "RA: the anchor's; oth.: mean RA over the other languages; cons.: their mean chance-corrected en-CO, 0 for "
        "answerers who share accuracies and letter habits only. A dash: there is no mean, as most languages (or the "
        "anchor) are flagged, or the accuracies leave nothing to tell.",
    ]
    if flagged:
        listed = ", ".join(f"{count} {flag}" for flag, count in flagged.most_common())
        said.append(
            f"Left out of means and ranks, of {cells} cells: {listed} (degenerate: one letter is 95 % of the answers, "
            "biased: 80 %, silent: few answers)."
        )
    said.append("Each language with its interval: --details, -m MODEL, --csv FILE or --json.")
    return said


def _overview(parts: Sequence[ScoreTable], fields: Sequence[tuple[str, str]], width: int) -> Table:
    grid = Table(box=None, padding=(0, 1, 0, 0), show_edge=False, header_style="bold", pad_edge=False)
    names = min(_NAMES, width // 3)
    grid.add_column("model", overflow="fold", max_width=names)
    for table in parts:
        name = table.set if table.split is None else f"{table.set} {table.split}"
        for i, (_, title) in enumerate(fields):
            head = Text(f"{shown(name)[: 2 * _WIDTH] if not i else ''}\n{title}")
            grid.add_column(head, justify="left" if not i else "right", no_wrap=True, min_width=_WIDTH)
    found: dict[str, list[TableRow | None]] = {}
    for place, table in enumerate(parts):
        for row in table.rows:
            found.setdefault(row.label, [None] * len(parts))[place] = row
    for label, rows in sorted(found.items(), key=lambda entry: -_strength(entry[1])):
        grid.add_row(Text(folded(shown(label), names)), *(cell for row in rows for cell in _cells(row, fields)))
    return grid


def _cells(row: TableRow | None, fields: Sequence[tuple[str, str]]) -> list[Text]:
    if row is None:
        return [Text("") for _ in fields]
    style = "" if row.ranked else "grey46 italic"
    return [Text(_number(row.summary.figures[field]), style=style) for field, _ in fields]


def _strength(rows: Sequence[TableRow | None]) -> float:
    """Mean over the sets of the mean RA of the others; rows without one count as 0."""
    values = [row.summary.figures["other_ra"].value for row in rows if row is not None]
    return sum(value for value in values if not math.isnan(value)) / max(len(rows), 1)


def _number(figure: Figure) -> str:
    value = figure.value
    if math.isnan(value):
        return "-"
    return f"{value:z.2f}".replace("0.", ".", 1)
