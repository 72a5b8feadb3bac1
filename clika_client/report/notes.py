"""What must be said under a table of scores, as plain sentences; the same for terminal and documents."""

from __future__ import annotations

import math
from collections.abc import Sequence

from clika_client.common.wording import counted
from clika_client.report.cautions import (
    a_few,
    all_cells,
    dropped_items,
    few_items,
    hollow_figures,
    missing_replies,
    one_sided_gold,
    uneven_items,
    without_answer,
)
from clika_client.report.open_verdicts import is_open
from clika_client.report.signs import ANCHOR, SUMMARY, SignWords
from clika_client.report.table_layout import ScoreTable
from clika_client.scoring.answer_grid import settings_in_words
from clika_client.scoring.model_facts import sentence
from clika_client.scoring.reading_differences import ReadingDifference
from clika_client.scoring.records import Scores
from clika_client.scoring.score_sets import NOT_ASKED, TOO_LOW


def notes(table: ScoreTable, scores: Scores, look: SignWords) -> list[str]:
    """The notes of one table, most important first; `look` is that of the tables they stand under."""
    found = [
        _how_asked(table),
        _what_answered(table, scores),
        _reference(table, scores),
        _en_co(table, scores, look),
        _in_another(table),
        few_items(table, scores, look),
        _compared(table, look),
        uneven_items(table),
        hollow_figures(table, look),
        one_sided_gold(table, scores),
        missing_replies(table, look),
        without_answer(table),
        _orders(table),
        dropped_items(table, scores),
        _intervals(table, scores),
        _ties(table, scores),
    ]
    return [note for note in found if note]


def shared_notes(found: Sequence[ScoreTable], scores: Scores) -> list[str]:
    """What holds for several tables, said once; what only one has, with its name."""
    said: dict[str, list[str]] = {}
    for table in found:
        parts = (
            _how_asked(table),
            one_sided_gold(table, scores),
            missing_replies(table, SUMMARY),
            dropped_items(table, scores),
        )
        for note in (*parts, _reference(table, scores), _intervals(table, scores)):
            if note:
                said.setdefault(note, []).append(table.set)
    return [
        note if len(names) == len(found) or len(found) == 1 else f"{', '.join(dict.fromkeys(names))}: {note}"
        for note, names in said.items()
    ]


def _how_asked(table: ScoreTable) -> str:
    words = {"prompt": "prompt style", "ask": "asked for", "reading": "reading", "source": "source"}
    said = [f"{word} {table.shared[q]}" for q, word in words.items()]
    settings = table.shared.get("settings", "{}")
    if settings != "{}":
        said.append(f"settings {settings_in_words(settings)}")
    if table.varying:
        said.append("rows asked or read otherwise say so beside their name")
    orders = max(cell.orders for cell in all_cells(table))
    if orders > 1:
        said.append(f"each answer is the most frequent one over {orders} orders of the options")
    return "Asked with " + "; ".join(said) + "."


def _what_answered(table: ScoreTable, scores: Scores) -> str:
    """What the local models of a table are: a name of a file tells neither quantization nor template."""
    models = dict.fromkeys(row.summary.model for row in table.rows)
    said = [
        ("" if len(models) == 1 else f"{name}: ") + sentence(scores.models[name])
        for name in models
        if name in scores.models
    ]
    return f"Computed here: {a_few(said)}." if said else ""


def _reference(table: ScoreTable, scores: Scores) -> str:
    cell = next(all_cells(table))
    floor = "0 where nothing is right" if is_open(table) else f"0 at chance ({cell.chance:.1%}), less below it,"
    span = f"RA is {floor} and 1 at {cell.ra_reference:.1%}"
    kind = scores.reference_kind.get(table.set, "none")
    if kind == "published":
        return f"{span}, the published reference (ChatGPT in English)."
    if kind == "set":
        return f"{span}, the reference that is stored with this set."
    if kind == "given":
        return f"{span}, the reference you gave."
    if kind in (TOO_LOW, NOT_ASKED):
        why = "does not lie above chance here" if kind == TOO_LOW else "was not asked this set"
        return f"{span}: the reference you gave {why}."
    return f"{span}: this set has no published reference; name one with --reference."


def _en_co(table: ScoreTable, scores: Scores, look: SignWords) -> str:
    anchor = scores.anchor
    if table.set in scores.not_parallel:
        return (
            f"No consistency: this set is not parallel ({scores.not_parallel[table.set]}), so accuracies of two "
            "languages are of different questions and no answer can be compared with another language's."
        )
    if anchor not in table.languages:
        return f"No answers in the anchor language {anchor!r}, so en-CO is not defined; choose another with --anchor."
    variants = {
        "jaccard": "right in both / right in either",
        "recall": "right in both / right in the anchor",
        "dice": "2 x right in both / sum of right in each",
    }
    habits = "" if is_open(table) else " and letter habits"
    marked = f" (marked {ANCHOR})" if look.signs else ""
    return (
        f"en-CO ({scores.variant}): {variants[scores.variant]}, against the anchor {anchor}{marked}; it rises with "
        f"accuracy alone. Corrected: 0 for two answerers with these accuracies{habits} that share no "
        "knowledge, 1 for full overlap; a dash: the anchor itself, or accuracies that leave no room to tell."
    )


def _in_another(table: ScoreTable) -> str:
    """What an answer in another language counts as."""
    if not is_open(table):
        return ""
    return (
        "Right means right in the asked language; an answer that is right in another language is counted apart, "
        "neither right nor wrong (right_elsewhere; with it: right_anywhere)."
    )


def _compared(table: ScoreTable, look: SignWords) -> str:
    """What the ranking goes by, where rows were not all asked the same."""
    left_out = [f"{row.summary.model} ({row.summary.unranked})" for row in table.rows if row.summary.unranked]
    summary = table.rows[0].summary
    said = []
    languages = summary.compared_languages
    spoken = [tag for tag in table.languages if tag != summary.anchor]
    if left_out:
        said.append(f"Not ranked ({look.unranked}), as it cannot stand beside the others: {a_few(left_out)}.")
    if 0 < len(languages) < len(spoken):
        said.append(f"others: mean over the languages that most rows share: {', '.join(languages)}.")
    elif len(spoken) > 1:
        said.append(f"others: mean over the {len(spoken)} other languages.")
    elif spoken:
        said.append(f"others: {spoken[0]}, the only other language.")
    return " ".join(said)


def _orders(table: ScoreTable) -> str:
    said = [
        f"{row.label} {cell.language} {cell.position_bias:.3f} to {cell.position_bias_combined:.3f}"
        for row in table.rows
        for cell in row.cells.values()
        if cell.orders > 1
    ]
    return f"Position bias (total variation) in one order and over all orders: {a_few(said)}." if said else ""


def _intervals(table: ScoreTable, scores: Scores) -> str:
    if not scores.bootstrap:
        return "No intervals were computed (--bootstrap 0)."
    clusters = max((row.summary.clusters for row in table.rows if row.summary.clusters is not None), default=None)
    rows = [row.summary for row in table.rows if row.ranked]
    units = counted(table.items, "item")
    if clusters is not None and clusters < table.items:
        units = f"{counted(clusters, 'cluster')} of the {units}"
    said = f"95 % intervals: Wilson's, and for means and corrected figures by the jackknife over the {units}"
    if rows:
        half = max((row.other_ra_high - row.other_ra_low) / 2 for row in rows)
        if not math.isnan(half):
            said += f"; the mean RA of the others is known to ±{half:.2f} at worst"
    return said + "."


def _ties(table: ScoreTable, scores: Scores) -> str:
    label = {row.index: row.label for row in table.rows if row.ranked}
    said = [
        f"{label[tie.higher]} and {label[tie.lower]}"
        for tie in scores.ties
        if tie.higher in label and tie.lower in label
    ]
    if not said:
        return ""
    return f"Neighbours in mean RA that these items cannot tell apart: {a_few(said)}."


def reading_notes(scores: Scores) -> list[str]:
    """Where two readings disagree, one sentence per pair of readings."""
    said = []
    for first, second in dict.fromkeys((d.first, d.second) for d in scores.reading_differences):
        found = [d for d in scores.reading_differences if (d.first, d.second) == (first, second)]
        listed = [_difference(d) for d in found]
        total = sum(d.differ for d in found)
        said.append(f"The readings {first} and {second} differ on {counted(total, 'reply')}: {a_few(listed)}.")
    return said


def _difference(d: ReadingDifference) -> str:
    change = f"accuracy {d.accuracy_first:.3f}, {d.accuracy_second:.3f}"
    return f"{d.model} {d.set} {d.language} {d.differ} of {d.n} ({change})"
