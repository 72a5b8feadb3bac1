"""What the replies to open questions were found to say, as a terminal table: one line per model and language."""

from __future__ import annotations

from collections.abc import Mapping

from rich.table import Table
from rich.text import Text

from clika_client.common.safe_text import shown
from clika_client.report.table_layout import ScoreTable

_HEADS = {"right in another language": "in another language", "unknown": "does not know", "truncated": "cut off"}
_LINES = 30
"""Lines up to which the table is shown unasked; `--details` shows it whole."""
_MOST = 3


def is_open(table: ScoreTable) -> bool:
    """Whether the questions of a table were asked without options."""
    return any(cell.verdicts for row in table.rows for cell in row.cells.values())


def short_enough(table: ScoreTable) -> bool:
    """Whether the table of verdicts goes under the scores unasked."""
    return sum(len(row.cells) for row in table.rows) <= _LINES


def verdict_table(table: ScoreTable) -> Table:
    """Replies by verdict; of those in another language also which."""
    grid = Table(box=None, padding=(0, 1, 0, 0), show_edge=False, header_style="bold", pad_edge=False)
    cells = [(row.label, language, cell) for row in table.rows for language, cell in row.cells.items()]
    verdicts = list(dict.fromkeys(verdict for _, _, cell in cells for verdict in cell.verdicts))
    used = [v for v in verdicts if v in verdicts[:3] or any(cell.verdicts.get(v) for _, _, cell in cells)]
    grid.add_column("replies that are", overflow="fold")
    grid.add_column("", no_wrap=True)
    for verdict in used:
        grid.add_column(Text(_HEADS.get(verdict, verdict)), justify="right", overflow="fold")
    before = None
    for label, language, cell in cells:
        name = Text("" if label == before else shown(label))
        values = [f"{cell.verdicts.get(verdict, 0):,}" + _which(verdict, cell.answered_in) for verdict in used]
        grid.add_row(name, Text(shown(language)), *map(Text, values))
        before = label
    return grid


def _which(verdict: str, languages: Mapping[str, int]) -> str:
    if verdict != "right in another language" or not languages:
        return ""
    listed = ", ".join(f"{language} {count}" for language, count in list(languages.items())[:_MOST])
    return f" ({listed}{', …' if len(languages) > _MOST else ''})"
