"""Reads the user's own probe sets, and says file, line and cure for whatever is wrong with them.

One row is one question in one language: `item_id, language, question, choices, gold, tags`. `gold` is an index
that counts from 0, a letter, or the text of the right choice; `gold1` an index that counts from 1. Tags that are the
same in every language of an item are taken as the item's own. A question without options has `answers` in place of
`choices` and `gold`: all that is right in its language, the one to show first; `answer_kind` says number, date, yes-no.
Rows with `reserved` are never asked: `--shots` shows them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from clika_client.common.errors import UserError
from clika_client.common.task_names import language_of_file
from clika_client.sets.ambiguity import AMBIGUOUS, ambiguity
from clika_client.sets.gather import FoundRow, Gathered
from clika_client.sets.mapping import GOLDS, Mapped, Missing, all_missing, gold_part, parse_mapping, part_of
from clika_client.sets.probes import ACCEPTED, CONTEXT, EXAMPLE_TAG, OPEN, Probe, ProbeSet
from clika_client.sets.spreadsheets import read_rows
from clika_client.sets.user_cells import (
    Bad,
    answers_of,
    choices_of,
    is_open,
    kind_of,
    language_of,
    names_of,
    place_of_gold,
    reserved_of,
    text_of,
    texts_of,
)

_NO_FIELDS: Mapping[str, str] = {}


def read_user_set(
    path: Path | Sequence[Path], *, name: str | None = None, mapping: Sequence[str] = (), reference: float | None = None
) -> ProbeSet:
    """The set in a JSON, JSONL, CSV or Parquet file, or in several (one per language), named after the first or `name`.

    `mapping` holds `--map` texts; `reference` is the accuracy (fraction) that counts as RA = 1. Rows without a language
    are in the one that the file's name or folder names. Raises UserError naming the file, the row, and the cure.
    """
    paths = [path] if isinstance(path, Path) else list(path)
    mapped = parse_mapping(mapping)
    gathered, reserved = Gathered(paths), Gathered(paths)
    chosen_by: dict[str | bool, str] = {}
    opened: set[bool] = set()
    pool = _Pool()
    for number, file in enumerate(paths):
        spoken = language_of_file(file)
        for place, raw in read_rows(file):
            try:
                row = _read(place, raw, mapped, pool, spoken)
                opened.add(is_open(raw, mapped))
                if len(opened) > 1:
                    raise Bad("some rows have `answers` and others `choices`; make two sets of them")
            except Missing as missing:
                needed = _needed(raw, mapped, spoken)
                raise UserError(f"{file}, {place}: {all_missing(raw, mapped, needed) or missing}") from None
            except (Bad, UserError) as error:
                raise UserError(f"{file}, {place}: {error}") from None
            if row.reserved:
                chosen_by.setdefault(row.reserved, f"{file}, {place}")
            (reserved if row.reserved else gathered).add(row, number)
    found = gathered.probe_set(name or paths[0].stem, reference=reference, source=paths[0].name)
    if True in opened:
        found = replace(found, meta={**found.meta, OPEN: "questions without options"})
    if not chosen_by:
        return found
    return replace(found, examples=_examples(reserved, found, chosen_by))


def _examples(reserved: Gathered, asked: ProbeSet, chosen_by: Mapping[str | bool, str]) -> ProbeSet:
    """The questions kept for examples, in the languages that are asked; `chosen_by`: way of choosing → first place."""
    (way, _), *others = chosen_by.items()
    if others:
        other, place = others[0]
        raise UserError(f"{place}: 'reserved' is {other!r}, but {way!r} before; choose one way for the whole file")
    made = reserved.probe_set(f"{asked.name} examples", reference=None, source=asked.source)
    lacking = [tag for tag in asked.languages if tag not in made.probes]
    if lacking:
        raise UserError(
            f"{asked.source}: no questions reserved for examples in {', '.join(lacking)}; add them in every language"
        )
    twice = {item.item_id for item in asked.items} & {item.item_id for item in made.items}
    if twice:
        raise UserError(f"{asked.source}: item {min(twice)!r} is asked and reserved for examples; do one of the two")
    probes = {tag: made.probes[tag] for tag in asked.languages}
    return replace(made, probes=probes, meta={} if way is True else {EXAMPLE_TAG: str(way)})


class _Pool:
    """One object for all equal ids and tags: a set of a million questions holds each of them many times."""

    def __init__(self) -> None:
        self._texts: dict[str, str] = {}
        self._tags: dict[tuple[tuple[str, str], ...], dict[str, str]] = {}

    def text(self, text: str) -> str:
        return self._texts.setdefault(text, text)

    def tags(self, tags: dict[str, str]) -> dict[str, str]:
        """Tags are read and never changed, so that probes may share them."""
        return self._tags.setdefault(tuple(tags.items()), tags)


def _needed(raw: Mapping[str, Any], mapped: Mapped, spoken: str | None) -> list[str]:
    """The parts that a row must have, and those that were mapped."""
    asked = ["question"] if is_open(raw, mapped) else ["question", "choices", "gold"]
    parts = ["item_id", *([] if spoken is not None and "language" not in raw else ["language"]), *asked]
    return [*parts, *(part for part in mapped if part not in (*parts, *GOLDS))]


def _read(place: str, raw: Mapping[str, Any], mapped: Mapped, pool: _Pool, spoken: str | None) -> FoundRow:
    tags = texts_of(part_of(raw, "tags", mapped), "tags")
    fields = texts_of(part_of(raw, "fields", mapped), "fields")
    context = part_of(raw, "context", mapped)
    if context is not None:
        fields = {**fields, CONTEXT: text_of(context, "context")}
    answers = answers_of(part_of(raw, "answers", mapped)) if is_open(raw, mapped) else ()
    if answers:
        choices, gold, counted = answers[:1], 0, False
        fields = {**fields, ACCEPTED: "\n".join(answers[1:])} if answers[1:] else fields
        tags = {**tags, **kind_of(part_of(raw, "answer_kind", mapped))}
    else:
        source = mapped.get("choices")
        cells = source is not None and len(source.columns) > 1
        choices, labels = choices_of(part_of(raw, "choices", mapped), cells)
        part, value = gold_part(raw, mapped)
        gold, counted = place_of_gold(value, choices, labels, part)
    found = ambiguity(choices, gold)
    if found is not None:
        tags[AMBIGUOUS] = found
    cluster = part_of(raw, "cluster", mapped)
    of_item = names_of(part_of(raw, "item_tags", mapped), "item_tags")
    probe = Probe(
        pool.text(text_of(part_of(raw, "item_id", mapped), "item_id")),
        language_of(raw, mapped, spoken),
        text_of(part_of(raw, "question", mapped), "question"),
        choices,
        gold,
        pool.tags(tags),
        fields or _NO_FIELDS,
    )
    if cluster is not None and not isinstance(cluster, str):
        raise Bad(f"`cluster` must be a text, got {cluster!r}")
    reserved = reserved_of(part_of(raw, "reserved", mapped), tags)
    return FoundRow(place, probe, cluster, of_item, counted, reserved)
