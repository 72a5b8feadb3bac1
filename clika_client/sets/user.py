"""Reads the user's own probe sets, and says file, line and cure for whatever is wrong with them.

One row is one question in one language: `item_id, language, question, choices, gold, tags`. `gold` is an index
that counts from 0, a letter, or the text of the right choice. Tags that are the same in every language of an
item are taken as the item's own.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from clika_client.errors import UserError
from clika_client.languages import canonical
from clika_client.probes import Item, Probe, ProbeSet, build
from clika_client.prompt_styles.layout import LATIN
from clika_client.sets.defects import AMBIGUOUS, ambiguity
from clika_client.sets.mapping import Mapped, Missing, from_json_text, parse_mapping, part_of
from clika_client.sets.tables import read_rows


@dataclass(frozen=True, slots=True)
class _Row:
    """One checked row."""

    place: str
    probe: Probe
    cluster: str | None
    item_tags: tuple[str, ...] | None
    """Names of the tags that belong to the item; None where the file does not say."""


class _Bad(Exception):
    """What is wrong with a row, and the cure; the caller adds where it stands."""


def read_user_set(
    path: Path, *, name: str | None = None, mapping: Sequence[str] = (), reference: float | None = None
) -> ProbeSet:
    """The set in a JSONL, CSV or Parquet file, named after the file unless `name` is given.

    `mapping` holds `--map` texts; `reference` is the accuracy (fraction) that counts as RA = 1. Raises UserError
    naming the file, the line or row, and the cure.
    """
    mapped = parse_mapping(mapping)
    rows: list[_Row] = []
    seen: dict[tuple[str, str], str] = {}
    pool = _Pool()
    for place, raw in read_rows(path):
        try:
            row = _read(place, raw, mapped, pool)
        except (_Bad, Missing, UserError) as error:
            raise UserError(f"{path}, {place}: {error}") from None
        _check_beside(path, row, rows, seen)
        rows.append(row)
    if not rows:
        raise UserError(f"{path}: the file holds no item; give it at least one")
    _check_gold(path, rows)
    items, probes = _assemble(rows, pool)
    return build(name or path.stem, items, probes, where=str(path), reference=reference, source=path.name)


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


def _read(place: str, raw: Mapping[str, Any], mapped: Mapped, pool: _Pool) -> _Row:
    choices = _choices(part_of(raw, "choices", mapped))
    gold = _gold(part_of(raw, "gold", mapped), choices)
    tags = _texts_of(part_of(raw, "tags", mapped), "tags")
    found = ambiguity(choices, gold)
    if found is not None:
        tags[AMBIGUOUS] = found
    cluster = part_of(raw, "cluster", mapped)
    of_item = part_of(raw, "item_tags", mapped)
    probe = Probe(
        pool.text(_text(part_of(raw, "item_id", mapped), "item_id")),
        canonical(_text(part_of(raw, "language", mapped), "language")),
        _text(part_of(raw, "question", mapped), "question"),
        choices,
        gold,
        pool.tags(tags),
        pool.tags(_texts_of(part_of(raw, "fields", mapped), "fields")),
    )
    if cluster is not None and not isinstance(cluster, str):
        raise _Bad(f"`cluster` must be a text, got {cluster!r}")
    return _Row(place, probe, cluster, None if of_item is None else tuple(map(str, of_item)))


def _text(value: object, part: str) -> str:
    """A text that is not blank; whole numbers are taken as their digits, as ids often are."""
    if isinstance(value, int) and not isinstance(value, bool) and part == "item_id":
        return str(value)
    if not isinstance(value, str):
        raise _Bad(f"{part!r} must be a text, got {value!r}")
    if not value.strip():
        raise _Bad(f"{part!r} is empty; fill it in, or leave the item out of every language")
    return _sound(value, part)


def _sound(text: str, part: str) -> str:
    """Half a surrogate pair can be written as a JSON escape, but is no text and cannot be sent."""
    if not text.isascii():
        try:
            text.encode()
        except UnicodeEncodeError as error:
            raise _Bad(f"{part!r} holds half a character (\\u{ord(text[error.start]):04x}); write it whole") from None
    return text


def _choices(value: object) -> tuple[str, ...]:
    if isinstance(value, str):
        value = from_json_text(value)
    if isinstance(value, str):
        value = [piece.strip() for piece in value.split("|")]
    if not isinstance(value, list):
        raise _Bad(f"'choices' must be a list of texts, got {value!r}")
    for choice in value:
        if isinstance(choice, bool) or not isinstance(choice, str | int | float):
            raise _Bad(f"'choices' must hold texts only, got {choice!r}")
    if len(value) < 2:
        raise _Bad(f"'choices' needs two or more, got {len(value)}; write a JSON list, or a|b|c")
    return tuple(_sound(str(choice), "choices") for choice in value)


def _gold(value: object, choices: tuple[str, ...]) -> int:
    """Index of the right choice; a value that can be read in two ways that disagree is refused."""
    k = len(choices)
    cure = f"write an index from 0 to {k - 1}, a letter from A to {LATIN[min(k, 26) - 1]}, or a choice's text"
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, int) and not isinstance(value, bool):
        if not 0 <= value < k:
            hint = " (indices count from 0)" if value == k else ""
            raise _Bad(f"'gold' is {value}, but there are {k} choices{hint}; {cure}")
        return value
    if not isinstance(value, str) or not value.strip():
        raise _Bad(f"'gold' is {value!r}; {cure}")
    text = value.strip()
    readings = {i for i, choice in enumerate(choices) if choice.strip() == text}
    if len(readings) > 1:
        raise _Bad(f"'gold' is {value!r}, the text of {len(readings)} choices; write the index or the letter instead")
    if text.upper() in LATIN[:k]:
        readings.add(LATIN.index(text.upper()))
    if text.isdecimal() and int(text) < k:
        readings.add(int(text))
    if len(readings) > 1:
        raise _Bad(
            f"'gold' is {value!r}, which is one choice's text and another's label or index; "
            "write the letter or index that agrees with the text, or a number in JSONL"
        )
    if not readings:
        hint = " (indices count from 0)" if text == str(k) else ""
        raise _Bad(f"'gold' is {value!r}, which names none of the {k} choices{hint}; {cure}")
    return readings.pop()


def _texts_of(value: object, part: str) -> dict[str, str]:
    """A JSON object of texts; numbers, booleans and null become their JSON spelling."""
    if isinstance(value, str):
        value = from_json_text(value) if value.strip() else None
    if value is None:
        return {}
    if isinstance(value, list) and all(isinstance(pair, tuple) and len(pair) == 2 for pair in value):
        value = dict(value)  # how Parquet's map type arrives
    if not isinstance(value, dict):
        raise _Bad(f'{part!r} must be an object of texts such as {{"region": "EU"}}, got {value!r}')
    given = {str(key): _scalar(entry, part) for key, entry in value.items() if entry is not None}
    return {_sound(key, part): _sound(entry, part) for key, entry in given.items()}


def _scalar(value: object, part: str) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str | int | float):
        return str(value)
    raise _Bad(f"{part!r} must hold texts, got {value!r}")


def _check_beside(path: Path, row: _Row, rows: Sequence[_Row], seen: dict[tuple[str, str], str]) -> None:
    """What can only be seen beside the rows read so far: repeated ids, another number of choices."""
    probe = row.probe
    key = (probe.item_id, probe.language)
    if key in seen:
        raise UserError(
            f"{path}, {row.place}: item {probe.item_id!r} in {probe.language!r} stands already in {seen[key]}; "
            "keep one, or give this one an id of its own"
        )
    seen[key] = row.place
    if rows and len(probe.choices) != len(rows[0].probe.choices):
        raise UserError(
            f"{path}, {row.place}: item {probe.item_id!r} in {probe.language!r} has {len(probe.choices)} choices, "
            f"{rows[0].place} has {len(rows[0].probe.choices)}; all items of a set need the same number"
        )


def _check_gold(path: Path, rows: Iterable[_Row]) -> None:
    first: dict[str, _Row] = {}
    for row in rows:
        other = first.setdefault(row.probe.item_id, row).probe
        if other.gold != row.probe.gold:
            raise UserError(
                f"{path}, {row.place}: item {row.probe.item_id!r} has gold {row.probe.gold} in {row.probe.language!r}, "
                f"but {other.gold} in {other.language!r} ({first[other.item_id].place}); "
                "list the choices in the same order in every language"
            )


def _assemble(rows: Sequence[_Row], pool: _Pool) -> tuple[list[Item], list[Probe]]:
    """Items in the order they first occur; tags shared by all languages of an item move to the item."""
    versions: dict[str, list[_Row]] = {}
    for row in rows:
        versions.setdefault(row.probe.item_id, []).append(row)
    items = []
    own: dict[str, frozenset[str]] = {}
    for item_id, group in versions.items():
        tags = pool.tags(_shared_tags(group))
        own[item_id] = frozenset(tags)
        items.append(Item(item_id, tags, group[0].cluster))
    return items, [_without_tags(row.probe, own[row.probe.item_id], pool) for row in rows]


def _without_tags(probe: Probe, names: frozenset[str], pool: _Pool) -> Probe:
    if not names:
        return probe
    return replace(probe, tags=pool.tags({key: value for key, value in probe.tags.items() if key not in names}))


def _shared_tags(group: Sequence[_Row]) -> dict[str, str]:
    first = group[0]
    named = first.item_tags
    return {
        key: value
        for key, value in first.probe.tags.items()
        if (named is None or key in named) and all(row.probe.tags.get(key) == value for row in group)
    }
