"""`clika answers`: the replies behind the scores: those that could not be read, and where two readings differ."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import islice, zip_longest
from typing import TYPE_CHECKING, Annotated, Any

import typer

from clika_client.cli.common import AsJson, Db, database_path, out, print_json
from clika_client.cli.open_replies import open_rows, show_open
from clika_client.cli.scored_replies import scored_rows, show_scored
from clika_client.cli.scoring_options import (
    Anchor,
    Languages,
    Models,
    Prompt,
    Sets,
    SetVersion,
    Sources,
    make_wanted,
    opened,
    words,
)
from clika_client.cli.text_replies import (
    CellReplies,
    cell_differences,
    show_changes,
    show_differences,
    show_unread,
    text_cells,
)
from clika_client.common.errors import UserError
from clika_client.common.safe_text import shown

if TYPE_CHECKING:
    from clika_client.scoring.chosen import Wanted
    from clika_client.store.store import Store


def answers(
    unread: Annotated[bool, typer.Option("--unread", help="Group the replies that name no choice by pattern.")] = False,
    differ: Annotated[
        str | None,
        typer.Option(
            "--differ",
            help="Where two readings differ, such as first-letter,standard; one name (standard, or standard@1): what "
            "changed since the replies were read by an earlier version of it.",
        ),
    ] = None,
    item: Annotated[
        str | None, typer.Option("--item", help="This question: its options and every reply, in every language.")
    ] = None,
    wrong: Annotated[bool, typer.Option("--wrong", help="Questions that somebody got wrong, in full.")] = False,
    lost_in: Annotated[
        str | None,
        typer.Option(
            "--lost-in",
            help="Questions a model knows in the anchor and not in this language, in both (and those of -l).",
        ),
    ] = None,
    anchor: Anchor = "en",
    reading: Annotated[str, typer.Option("--reading", help="Reading of text replies.")] = "standard",
    model: Models = None,
    sets: Sets = None,
    set_version: SetVersion = None,
    languages: Languages = None,
    source: Sources = None,
    prompt: Prompt = None,
    limit: Annotated[int, typer.Option(min=1, help="Show this many replies or groups.")] = 20,
    db: Db = None,
    as_json: AsJson = False,
) -> None:
    """Show replies as they were read, options with their probabilities; single questions in full; the unread ones;
    where two readings differ."""
    if item or wrong or lost_in:
        if unread or differ:
            raise UserError("--item, --wrong and --lost-in show questions; --unread and --differ are other views")
        wanted = make_wanted(model, sets, languages, source, prompt, reading, set_version=set_version)
        with opened(database_path(db)) as store:
            _show_questions(store, wanted, item, wrong, lost_in, anchor, limit, as_json)
        return
    if unread and differ:
        raise UserError("--unread and --differ are two views; give one of them")
    pair = words(differ)
    if len(pair) > 2 or (len(pair) == 2 and "@" in "".join(pair)):
        raise UserError(f"--differ wants two readings, such as first-letter,standard, or one name; got {differ!r}")
    names = [name.partition("@")[0] for name in pair] or [reading]
    wanted = make_wanted(model, sets, languages, source, prompt, ",".join(names), set_version=set_version)
    with opened(database_path(db)) as store:
        cells = text_cells(store, wanted, pair[0] if len(pair) == 1 else None)
        if unread:
            show_unread(cells, list(open_rows(store, wanted)), reading, limit, as_json)
        elif len(pair) == 2:
            show_differences((cell_differences(cell, *pair) for cell in cells), pair[0], pair[1], limit, as_json)
        elif pair:
            show_changes(list(cells), names[0], limit, as_json)
        else:
            _show_answers(cells, open_rows(store, wanted), scored_rows(store, wanted), reading, limit, as_json)


def _show_questions(
    store: Store,
    wanted: Wanted,
    item: str | None,
    wrong: bool,
    lost_in: str | None,
    anchor: str,
    limit: int,
    as_json: bool,
) -> None:
    from clika_client.cli.question_view import show_questions
    from clika_client.common.languages import canonical
    from clika_client.report.rows.questions import Wish, questions

    wish = Wish(item, wrong, lost_in and canonical(lost_in), canonical(anchor))
    if wish.lost_in:
        both = (wish.anchor, wish.lost_in, *wanted.languages)
        wanted = replace(wanted, languages=tuple(dict.fromkeys(both)))
    how = [f"named {item}" if item else "", "answered wrongly" if wrong else ""]
    how.append(f"lost between {wish.anchor} and {wish.lost_in}" if wish.lost_in else "")
    show_questions(questions(store, wanted, wish), limit, as_json, " and ".join(word for word in how if word))


def _read_rows(cell: CellReplies, reading: str) -> Iterator[dict[str, Any]]:
    """A row for each reply of a cell, with what a reading makes of it."""
    for probe, text, gold, answer in zip(cell.probes, cell.texts, cell.gold(), cell.read(reading), strict=True):
        yield {
            "model": cell.model,
            "set": cell.set_name,
            "language": cell.language,
            "item_id": probe.item_id,
            "text": text,
            "choice": answer.choice,
            "reason": answer.reason,
            "label": None if answer.choice is None else cell.labels[answer.choice],
            "rule": answer.rule,
            "correct": answer.choice == gold,
        }


def _show_answers(
    cells: Iterator[CellReplies],
    open_replies: Iterator[dict[str, Any]],
    scored: Iterator[dict[str, Any]],
    reading: str,
    limit: int,
    as_json: bool,
) -> None:
    if as_json:
        rows = [row for cell in cells for row in _read_rows(cell, reading)]
        parts = {"reading": reading, "answers": rows, "open_answers": list(open_replies)}
        print_json({**parts, "scored_answers": list(scored)})
        return
    # A few replies are to show every language, not the beginning of the first.
    beside = zip_longest(*(_read_rows(cell, reading) for cell in islice(cells, limit)))
    rows = list(islice((row for each in beside for row in each if row is not None), limit))
    for row in rows:
        read = row["label"] or row["reason"]
        mark = "right" if row["correct"] else "wrong" if row["choice"] is not None else "no answer"
        place = f"{row['model']} {row['set']} {row['language']} {row['item_id']}"
        text = shown(row["text"][:100])
        out().print(f"{shown(place)}: {read} ({mark}, {row['rule']}): {text!r}", markup=False, soft_wrap=True)
    opened_rows = list(islice(open_replies, max(0, limit - len(rows))))
    show_open(opened_rows, limit)
    show_scored(list(islice(scored, max(0, limit - len(rows) - len(opened_rows)))))
