"""Single questions with every reply in every language: one item, wrong answers, or what a language loses."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from clika_client.answers.cells import CellAnswers, read_cell
from clika_client.common.answer_codes import MISSING, Bools
from clika_client.common.errors import UserError
from clika_client.common.wording import did_you_mean
from clika_client.report.rows.rows import CellRows, Row, item_row, replies_of, reply_cells
from clika_client.scoring.answer_grid import gold_of
from clika_client.scoring.chosen import Wanted
from clika_client.store.store import Store

_HOW = ("model", "prompt", "ask", "reading", "source", "settings", "rotation", "repeat")


@dataclass(slots=True)
class QuestionView:
    """One item: how it was asked in each language, and the replies to it."""

    set: str
    set_version: int
    item: str
    asked: dict[str, Row] = field(default_factory=dict)
    """Language → the question's row, as `items` has it."""
    replies: dict[str, list[Row]] = field(default_factory=dict)
    """Language → the replies' rows, as `replies` has them."""
    lost_by: tuple[str, ...] = ()
    """Models that know it in the anchor and not in the language asked for."""


@dataclass(frozen=True, slots=True)
class Wish:
    """Which questions to show; with nothing set, all."""

    item: str | None = None
    wrong: bool = False
    """Somebody's answer is wrong, or none."""
    lost_in: str | None = None
    """Somebody is right in the anchor and not in this language."""
    anchor: str = "en"


def questions(store: Store, wanted: Wanted, wish: Wish) -> Iterator[QuestionView]:
    """The questions of a wish, in the sets' order. Raises UserError for an unknown item or language."""
    parts = list(reply_cells(store, wanted))
    _check(parts, wish)
    for set_id in dict.fromkeys(part.cell.key.set_id for part in parts):
        of_set = [part for part in parts if part.cell.key.set_id == set_id]
        found = [read_cell(store, part.cell, part.shared["reading"], part.probe_set) for part in of_set]
        yield from _of_set(store, of_set, found, wish)


def _of_set(
    store: Store, parts: Sequence[CellRows], found: Sequence[CellAnswers], wish: Wish
) -> Iterator[QuestionView]:
    probe_set = parts[0].probe_set
    gold = gold_of(probe_set)
    replied = [_among(part, answers.choices != MISSING) for part, answers in zip(parts, found, strict=True)]
    right = [has & (answers.choices == gold) for has, answers in zip(replied, found, strict=True)]
    chosen = np.any(replied, axis=0)
    if wish.item is not None:
        chosen &= np.array([item.item_id == wish.item for item in probe_set.items])
    if wish.wrong:
        chosen &= np.any([has & ~good for has, good in zip(replied, right, strict=True)], axis=0)
    lost = _lost(parts, replied, right, wish) if wish.lost_in is not None else {}
    if wish.lost_in is not None:
        chosen &= np.any([*lost.values(), np.zeros(probe_set.n, np.bool_)], axis=0)
    for position in np.flatnonzero(chosen):
        yield _question(store, parts, found, int(position), tuple(m for m, mask in lost.items() if mask[position]))


def _among(part: CellRows, mask: Bools) -> Bools:
    inside = np.zeros(mask.shape, np.bool_)
    inside[list(part.positions)] = True
    return np.asarray(inside & mask)


def _lost(parts: Sequence[CellRows], replied: Sequence[Bools], right: Sequence[Bools], wish: Wish) -> dict[str, Bools]:
    """Model → items that it has right in the anchor and not in the language."""
    at = {tuple(part.shared[name] for name in (*_HOW, "language")): i for i, part in enumerate(parts)}
    lost: dict[str, Bools] = {}
    for (*how, language), i in at.items():
        anchor = at.get((*how, wish.anchor))
        if language == wish.lost_in and anchor is not None:
            mask = right[anchor] & replied[i] & ~right[i]
            lost[how[0]] = np.asarray(lost.get(how[0], np.zeros(mask.shape, np.bool_)) | mask)
    return lost


def _question(
    store: Store, parts: Sequence[CellRows], found: Sequence[CellAnswers], position: int, lost_by: tuple[str, ...]
) -> QuestionView:
    first = parts[0]
    made = QuestionView(
        first.shared["set"], first.shared["set_version"], first.probe_set.items[position].item_id, lost_by=lost_by
    )
    for part, answers in zip(parts, found, strict=True):
        if position in part.positions:
            language = part.cell.key.language
            made.asked.setdefault(language, item_row(part, position))
            rows = replies_of(store, replace(part, positions=[position]), answers)
            made.replies.setdefault(language, []).extend({**part.shared, **said} for _, said in rows)
    return made


def _check(parts: Sequence[CellRows], wish: Wish) -> None:
    languages = sorted({part.cell.key.language for part in parts})
    for name, tag in (("--lost-in", wish.lost_in), ("--anchor", wish.anchor if wish.lost_in else None)):
        if tag is not None and tag not in languages:
            raise UserError(f"{name} {tag}: nobody was asked in it; there are {', '.join(languages)}")
    if wish.item is not None:
        known = list(dict.fromkeys(item.item_id for part in parts for item in part.probe_set.items))
        if wish.item not in known:
            raise UserError(
                f"--item {wish.item!r} is in none of the sets shown; "
                + (did_you_mean(wish.item, known) or f"they begin with {', '.join(known[:3])}")
            )
