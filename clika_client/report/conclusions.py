"""What a table of scores says, in sentences that stand before it: who leads, how sure that is, what cannot be told."""

from __future__ import annotations

import math
from collections.abc import Sequence

from clika_client.report.table_layout import ScoreTable, TableRow, apart
from clika_client.scoring.records import Figure, Scores

_NAMED = 3
"""Rows without a rank that are named."""


def conclusions(table: ScoreTable, scores: Scores) -> list[str]:
    """The sentences of one table, most important first; none where nothing can be said of other languages."""
    ranked = [row for row in table.rows if row.ranked and known(row.summary.figures["other_ra"])]
    said = [_one(ranked[0], scores)] if len(ranked) == 1 else _several(ranked, table, scores) if ranked else []
    out = len(table.rows) - len(ranked)
    if out and len(table.rows) > 1:
        said.append(f"{out} of {len(table.rows)} rows are not ranked: {_left_out(table, ranked)}.")
    elif out and table.rows[0].summary.languages != (scores.anchor,):
        said.append("Nothing can be concluded: in the anchor or in most languages answers are a habit or too few.")
    detectable = scores.detectable.get(table.set)
    if detectable is not None and ranked and table.split is None:
        said.append(f"These items show a difference in mean RA four times out of five only from {detectable:z.2f} on.")
    return said


def _left_out(table: ScoreTable, ranked: Sequence[TableRow]) -> str:
    """The rows without a rank, each with its reason, the first few by name."""
    places = {row.index for row in ranked}
    rows = [row for row in table.rows if row.index not in places]
    named = [f"{row.name} ({_why(row)})" for row in rows[:_NAMED]]
    return "; ".join(named) + (f"; and {len(rows) - _NAMED} more" if len(rows) > _NAMED else "")


def _why(row: TableRow) -> str:
    summary = row.summary
    flagged = sum(bool(cell.flags) for cell in row.cells.values())
    anchor = row.cells.get(summary.anchor)
    if summary.unranked or summary.no_mean:
        return summary.unranked or summary.no_mean
    if anchor is not None and anchor.flags:
        return f"{summary.anchor} is flagged"
    return f"{flagged} of {len(row.cells)} languages are flagged" if flagged else "no answers to compare"


def known(figure: Figure) -> bool:
    """There is a value."""
    return not math.isnan(figure.value)


def _one(row: TableRow, scores: Scores) -> str:
    figures = row.summary.figures
    counted = row.summary.counted
    others = f"{_spell(figures['other_ra'])} in "
    others += counted[0] if len(counted) == 1 else f"the mean over {len(counted)} others"
    said = f"{row.label}: RA {_spell(figures['anchor_ra'])} in {scores.anchor}, {others}"
    if not known(figures["anchor_ra"]):
        said = f"{row.label}: RA {others}"
    gap = figures["language_gap_debiased"]
    if known(gap):
        said += f"; its best and worst language are {100 * gap.value:z.0f} points of accuracy apart beyond luck"
    corrected = figures["other_en_co_chance_corrected"]
    if known(corrected):
        said += f". Corrected consistency with {scores.anchor} is {_spell(corrected)} (0: no more than chance, 1: full "
        said += "overlap)" + _shared([row])
    return said + "."


def _several(rows: Sequence[TableRow], table: ScoreTable, scores: Scores) -> list[str]:
    first, second = rows[0], rows[1]
    verdict = _verdict(first, second, scores)
    best_name, next_name = apart(first, second)
    said = (
        f"{best_name} is best in the other languages (mean RA {_spell(first.summary.figures['other_ra'])}) and "
        f"{verdict} {next_name} ({_spell(second.summary.figures['other_ra'])})"
    )
    indices = {row.index for row in rows}
    ties = sum(tie.higher in indices and tie.lower in indices for tie in scores.ties)
    if len(rows) > 2 and ties:
        said += f"; {ties} of {len(rows) - 1} neighbours cannot be told apart"
    sentences = [said + "."]
    corrected = [row for row in rows if known(row.summary.figures["other_en_co_chance_corrected"])]
    if corrected:
        best = max(corrected, key=lambda row: row.summary.figures["other_en_co_chance_corrected"].value)
        figure = best.summary.figures["other_en_co_chance_corrected"]
        if math.isnan(figure.low):
            sentences.append(f"Highest consistency beyond chance: {best.label}, {_spell(figure)}.")
        elif figure.low > 0:
            sentences.append(f"Most consistent beyond chance: {best.label}, {_spell(figure)}{_shared(corrected)}.")
        else:
            sentences.append(
                f"None is shown to be more consistent than chance and letter habits make it: {best.label} has the "
                f"highest figure, {_spell(figure)}."
            )
    return sentences


def _verdict(first: TableRow, second: TableRow, scores: Scores) -> str:
    """What can be said of two rows that follow each other; without intervals or a common language only their order."""
    if any((tie.higher, tie.lower) == (first.index, second.index) for tie in scores.ties):
        return "cannot be told from"
    compared = scores.bootstrap and set(first.summary.counted) & set(second.summary.counted)
    return "stands above" if compared else "is followed by"


def _shared(rows: Sequence[TableRow]) -> str:
    """How much of consistency other models share, over the rows that can tell."""
    own, others = 0.0, 0.0
    for row in rows:
        between, share = row.summary.figures["between_models"], row.summary.figures["shared_by_models"]
        if known(between) and known(share) and share.value > 0:
            own, others = own + between.value / share.value, others + between.value
    if not own:
        return ""
    of_own = others / own
    # Both are estimates: by luck two models can share more than the two languages of one do.
    said = f"{of_own:.0%}" if of_own < 0.995 else "all"
    return f"; {said} of that is shared by other models as accurate: which questions are easy"


def _spell(figure: Figure) -> str:
    ends = "" if math.isnan(figure.low) else f" [{figure.low:z.2f}, {figure.high:z.2f}]"
    return f"{figure.value:z.2f}{ends}"
