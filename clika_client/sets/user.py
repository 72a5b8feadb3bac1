"""Reads the user's own probe sets, and says file, line and cure for whatever is wrong with them.

One row is one question in one language: `item_id, language, question, choices, gold, tags`. `gold` is an index
that counts from 0, a letter, or the text of the right choice. Tags that are the same in every language of an
item are taken as the item's own.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from clika_client.common.errors import UserError
from clika_client.common.languages import canonical
from clika_client.sets.ambiguity import AMBIGUOUS, ambiguity
from clika_client.sets.gather import Gathered, Row
from clika_client.sets.mapping import Mapped, Missing, from_json_text, parse_mapping, part_of
from clika_client.sets.probes import Probe, ProbeSet
from clika_client.sets.spreadsheets import read_rows
from clika_client.sets.wording import LATIN

_NO_FIELDS: Mapping[str, str] = {}


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
    gathered = Gathered(path)
    pool = _Pool()
    for place, raw in read_rows(path):
        try:
            row = _read(place, raw, mapped, pool)
        except (_Bad, Missing, UserError) as error:
            raise UserError(f"{path}, {place}: {error}") from None
        gathered.add(row)
    return gathered.probe_set(name or path.stem, reference=reference, source=path.name)


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


def _read(place: str, raw: Mapping[str, Any], mapped: Mapped, pool: _Pool) -> Row:
    choices = _choices(part_of(raw, "choices", mapped))
    gold = _gold(part_of(raw, "gold", mapped), choices)
    tags = _texts_of(part_of(raw, "tags", mapped), "tags")
    found = ambiguity(choices, gold)
    if found is not None:
        tags[AMBIGUOUS] = found
    cluster = part_of(raw, "cluster", mapped)
    of_item = part_of(raw, "item_tags", mapped)
    fields = _texts_of(part_of(raw, "fields", mapped), "fields")
    probe = Probe(
        pool.text(_text(part_of(raw, "item_id", mapped), "item_id")),
        canonical(_text(part_of(raw, "language", mapped), "language")),
        _text(part_of(raw, "question", mapped), "question"),
        choices,
        gold,
        pool.tags(tags),
        fields or _NO_FIELDS,
    )
    if cluster is not None and not isinstance(cluster, str):
        raise _Bad(f"`cluster` must be a text, got {cluster!r}")
    return Row(place, probe, cluster, None if of_item is None else tuple(map(str, of_item)))


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
