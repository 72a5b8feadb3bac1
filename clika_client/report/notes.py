"""What must be said under a table of scores, as plain sentences; the same for terminal and documents."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from clika_client.report.open_verdicts import is_open
from clika_client.report.signs import ANCHOR, SUMMARY, THIN, SignWords, lead
from clika_client.report.table_layout import ScoreTable, TableRow
from clika_client.scoring.answer_grid import settings_in_words
from clika_client.scoring.model_facts import sentence
from clika_client.scoring.reading_differences import ReadingDifference
from clika_client.scoring.records import Record, Scores
from clika_client.scoring.score_sets import NOT_ASKED, TOO_LOW

_MOST = 6


def notes(table: ScoreTable, scores: Scores, look: SignWords) -> list[str]:
    """The notes of one table, most important first; `look` is that of the tables they stand under."""
    found = [
        _how_asked(table),
        _what_answered(table, scores),
        _reference(table, scores),
        _en_co(table, scores, look),
        _in_another(table),
        _thin(table, scores, look),
        _compared(table, look),
        _uneven(table),
        _hollow(table, look),
        _gold(table, scores),
        _coverage(table, look),
        _no_answer(table),
        _orders(table),
        _dropped(table, scores),
        _intervals(table, scores),
        _ties(table, scores),
    ]
    return [note for note in found if note]


def shared_notes(found: Sequence[ScoreTable], scores: Scores) -> list[str]:
    """What holds for several tables, said once; what only one has, with its name."""
    said: dict[str, list[str]] = {}
    for table in found:
        parts = (_how_asked(table), _gold(table, scores), _coverage(table, SUMMARY), _dropped(table, scores))
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
    orders = max(cell.orders for cell in _cells(table))
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
    return f"Computed here: {_some(said)}." if said else ""


def _reference(table: ScoreTable, scores: Scores) -> str:
    cell = next(_cells(table))
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


def _thin(table: ScoreTable, scores: Scores, look: SignWords) -> str:
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
        f"{lead(table, 'thin', look)}The labels hold less than half of the first token's probability: {_some(said)}. "
        "Such a model begins otherwise ('The answer is …'), and these figures are not of what it knows: "
        f"{'; '.join(filter(None, cures))}."
    )


def _compared(table: ScoreTable, look: SignWords) -> str:
    """What the ranking goes by, where rows were not all asked the same."""
    left_out = [f"{row.summary.model} ({row.summary.unranked})" for row in table.rows if row.summary.unranked]
    summary = table.rows[0].summary
    said = []
    languages = summary.compared_languages
    spoken = [tag for tag in table.languages if tag != summary.anchor]
    if left_out:
        said.append(f"Not ranked ({look.unranked}), as it cannot stand beside the others: {_some(left_out)}.")
    if 0 < len(languages) < len(spoken):
        said.append(f"others: mean over the languages that most rows share: {', '.join(languages)}.")
    elif len(spoken) > 1:
        said.append(f"others: mean over the {len(spoken)} other languages.")
    elif spoken:
        said.append(f"others: {spoken[0]}, the only other language.")
    return " ".join(said)


def _uneven(table: ScoreTable) -> str:
    """Rows whose languages were not asked the same items."""
    said = []
    for row in table.rows:
        asked = {language: (cell.items, cell.n) for language, cell in row.cells.items()}
        if len(set(asked.values())) > 1:
            counts = [f"{language} {n}" for language, (_, n) in asked.items()]
            said.append(f"{row.summary.model} ({_some(counts)})")
    if not said:
        return ""
    return f"Other items in some languages than in others, so that their figures cannot be compared: {_some(said)}."


_KINDS = {
    "degenerate": ("Degenerate: one letter makes up at least 95 % of the answers of", ()),
    "biased": ("Biased: one letter makes up at least 80 % of the answers of", ("degenerate",)),
    "silent": ("Silent: fewer than half of the replies hold an answer,", ()),
}


def _hollow(table: ScoreTable, look: SignWords) -> str:
    """Who is flagged, per flag, and what follows from it."""
    said = []
    for flag, (text, stronger) in _KINDS.items():
        rows = [
            (row.label, [t for t in _flagged(row, flag) if not set(row.cells[t].flags) & set(stronger)])
            for row in table.rows
        ]
        listed = [f"{label} ({', '.join(languages)})" for label, languages in rows if languages]
        if listed:
            said.append(f"{lead(table, flag, look)}{text} {_some(listed)}.")
    if not said:
        return ""
    said.append(f"Such figures measure a habit, not knowledge: {look.hollow}, and left out of means and ranks.")
    without = [f"{row.label} ({row.summary.no_mean})" for row in table.rows if row.summary.no_mean]
    if without:
        said.append(f"No mean over the others, where the rest would not speak for the row: {_some(without)}.")
    return " ".join(said)


def _gold(table: ScoreTable, scores: Scores) -> str:
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


def _coverage(table: ScoreTable, look: SignWords) -> str:
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
        f"{sign}Not all questions have a reply yet (missing, not wrong): {_some(said)}. The same command asks the rest."
    )


def _no_answer(table: ScoreTable) -> str:
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
    return f"Replies that {what} (not correct, counted apart): {_some(said)}.{cure}"


def _reasons(cell: Record) -> str:
    listed = ", ".join(f"{reason} {count}" for reason, count in list(cell.no_answer.items())[:3])
    return f" ({listed})" if listed else ""


def _orders(table: ScoreTable) -> str:
    said = [
        f"{row.label} {cell.language} {cell.position_bias:.3f} to {cell.position_bias_combined:.3f}"
        for row in table.rows
        for cell in row.cells.values()
        if cell.orders > 1
    ]
    return f"Position bias (total variation) in one order and over all orders: {_some(said)}." if said else ""


def _dropped(table: ScoreTable, scores: Scores) -> str:
    if not scores.drop and not scores.only:
        return ""
    count = scores.dropped.get(table.set, 0)
    said = [f"tagged {' or '.join(scores.drop)}"] if scores.drop else []
    said += [f"not tagged {' and '.join(scores.only)}"] if scores.only else []
    return f"Left out in every language: {count} items {', or '.join(said)}."


def _intervals(table: ScoreTable, scores: Scores) -> str:
    if not scores.bootstrap:
        return "No intervals were computed (--bootstrap 0)."
    clusters = max((row.summary.clusters for row in table.rows if row.summary.clusters is not None), default=None)
    rows = [row.summary for row in table.rows if row.ranked]
    alone = clusters is None or clusters >= table.items
    units = f"{table.items} items" if alone else f"{clusters} clusters of the {table.items} items"
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
    return f"Neighbours in mean RA that these items cannot tell apart: {_some(said)}."


def _cells(table: ScoreTable) -> Iterator[Record]:
    return (cell for row in table.rows for cell in row.cells.values())


def reading_notes(scores: Scores) -> list[str]:
    """Where two readings disagree, one sentence per pair of readings."""
    said = []
    for first, second in dict.fromkeys((d.first, d.second) for d in scores.reading_differences):
        found = [d for d in scores.reading_differences if (d.first, d.second) == (first, second)]
        listed = [_difference(d) for d in found]
        total = sum(d.differ for d in found)
        said.append(f"The readings {first} and {second} differ on {total:,} replies: {_some(listed)}.")
    return said


def _difference(d: ReadingDifference) -> str:
    change = f"accuracy {d.accuracy_first:.3f}, {d.accuracy_second:.3f}"
    return f"{d.model} {d.set} {d.language} {d.differ} of {d.n} ({change})"


def _some(said: Sequence[str]) -> str:
    """The first few, and how many more."""
    shown = "; ".join(said[:_MOST])
    return shown if len(said) <= _MOST else f"{shown}; and {len(said) - _MOST} more"
