"""What makes a table's figures weaker than they look: few items, missing answers, habits that need no knowledge."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from clika_client.common.wording import counted
from clika_client.report.open_verdicts import is_open
from clika_client.report.signs import THIN, SignWords, lead
from clika_client.report.table_layout import ScoreTable, TableRow
from clika_client.scoring.records import Record, Scores

MOST = 6


def few_items(table: ScoreTable, scores: Scores, look: SignWords) -> str:
    """Rows read from label probabilities where replies rarely begin with a label."""
    found = [(row, cell) for row in table.rows for cell in row.cells.values() if cell.label_mass < THIN]
    if not found:
        return ""
    said = [f"{row.label} {cell.language} {cell.label_mass:.1%}" for row, cell in found]
    kinds = {scores.models[row.summary.model]["kind"] for row, _ in found if row.summary.model in scores.models}
    here = any(row.summary.model in scores.models for row, _ in found)
    cures = [
        "ask local models for what they know with --ask likelihood" * here,
        "ask a model that chats with --ask text" * (kinds != {"base"}),
    ]
    return (
        f"{lead(table, 'thin', look)}The labels hold less than half of the first token's probability: {a_few(said)}. "
        "Such a model begins otherwise ('The answer is …'), and these figures are not of what it knows: "
        f"{'; '.join(filter(None, cures))}."
    )


def uneven_items(table: ScoreTable) -> str:
    """Rows whose languages were not asked the same items."""
    said = []
    for row in table.rows:
        asked = {language: (cell.items, cell.n) for language, cell in row.cells.items()}
        if len(set(asked.values())) > 1:
            counts = [f"{language} {n}" for language, (_, n) in asked.items()]
            said.append(f"{row.summary.model} ({a_few(counts)})")
    if not said:
        return ""
    return f"Other items in some languages than in others, so that their figures cannot be compared: {a_few(said)}."


_KINDS = {
    "degenerate": ("Degenerate: one letter makes up at least 95 % of the answers of", ()),
    "biased": ("Biased: one letter makes up at least 80 % of the answers of", ("degenerate",)),
    "silent": ("Silent: fewer than half of the replies hold an answer,", ()),
}


def hollow_figures(table: ScoreTable, look: SignWords) -> str:
    """Who is flagged, per flag, and what follows from it."""
    said = []
    for flag, (text, stronger) in _KINDS.items():
        rows = [
            (row.label, [t for t in _flagged(row, flag) if not set(row.cells[t].flags) & set(stronger)])
            for row in table.rows
        ]
        listed = [f"{label} ({', '.join(languages)})" for label, languages in rows if languages]
        if listed:
            said.append(f"{lead(table, flag, look)}{text} {a_few(listed)}.")
    if not said:
        return ""
    said.append(f"Such figures measure a habit, not knowledge: {look.hollow}, and left out of means and ranks.")
    without = [f"{row.label} ({row.summary.no_mean})" for row in table.rows if row.summary.no_mean]
    if without:
        said.append(f"No mean over the others, where the rest would not speak for the row: {a_few(without)}.")
    return " ".join(said)


def one_sided_gold(table: ScoreTable, scores: Scores) -> str:
    """Where the right choice stands more often than luck puts it there."""
    found = scores.one_sided.get(table.set)
    if found is None:
        return ""
    position, share = found
    return (
        f"The right option stands at place {position + 1} in {share:.0%} of the items: whoever always says that letter "
        "is right as often, and no figure of this set tells knowledge from habit."
    )


def _flagged(row: TableRow, flag: str) -> list[str]:
    return [language for language, cell in row.cells.items() if flag in cell.flags]


def missing_replies(table: ScoreTable, look: SignWords) -> str:
    """Cells that lack replies."""
    said = [
        f"{row.label} {cell.language} {cell.coverage:.1%} of {cell.n}"
        for row in table.rows
        for cell in row.cells.values()
        if cell.coverage < 1
    ]
    if not said:
        return ""
    sign = lead(table, "missing", look)
    return (
        f"{sign}Not all questions have a reply yet (missing, not wrong): {a_few(said)}. The same command asks the rest."
    )


def without_answer(table: ScoreTable) -> str:
    """Cells with replies that hold no answer, the most frequent first."""
    cells = sorted(
        ((row, cell) for row in table.rows for cell in row.cells.values() if cell.no_answer_rate > 0),
        key=lambda pair: -pair[1].no_answer_rate,
    )
    if not cells:
        return ""
    said = [f"{row.label} {cell.language} {cell.no_answer_rate:.1%}{_reasons(cell)}" for row, cell in cells]
    cut = any("truncated" in cell.no_answer for _, cell in cells)
    cure = " Truncated ones ended before their answer: give more room with --max-tokens." if cut else ""
    what = "hold no answer" if is_open(table) else "name no choice"
    return f"Replies that {what} (not correct, counted apart): {a_few(said)}.{cure}"


def _reasons(cell: Record) -> str:
    listed = ", ".join(f"{reason} {count}" for reason, count in list(cell.no_answer.items())[:3])
    return f" ({listed})" if listed else ""


def dropped_items(table: ScoreTable, scores: Scores) -> str:
    """What was left out on demand."""
    if not scores.drop and not scores.only:
        return ""
    count = scores.dropped.get(table.set, 0)
    said = [f"tagged {' or '.join(scores.drop)}"] if scores.drop else []
    said += [f"not tagged {' and '.join(scores.only)}"] if scores.only else []
    return f"Left out in every language: {counted(count, 'item')} {', or '.join(said)}."


def all_cells(table: ScoreTable) -> Iterator[Record]:
    """Every cell of a table."""
    return (cell for row in table.rows for cell in row.cells.values())


def a_few(said: Sequence[str]) -> str:
    """The first few, and how many more."""
    shown = "; ".join(said[:MOST])
    return shown if len(said) <= MOST else f"{shown}; and {len(said) - MOST} more (all: clika score --json)"
