"""Reads the user's own probe sets, and says file, line and cure for whatever is wrong with them.

One row is one question in one language: `item_id, language, question, choices, gold, tags`. `gold` is an index
that counts from 0, a letter, or the text of the right choice; `gold1` an index that counts from 1. Tags that are the
same in every language of an item are taken as the item's own. A question without options has `answers` in place of
`choices` and `gold`: all that is right in its language, the one to show first; `answer_kind` says number, date, yes-no.
Rows with `reserved` are never asked: `--shots` shows them.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import replace
from math import isfinite
from pathlib import Path
from typing import Any

from clika_client.common.errors import UserError
from clika_client.common.languages import canonical
from clika_client.common.task_names import language_of_file
from clika_client.sets.ambiguity import AMBIGUOUS, ambiguity
from clika_client.sets.gather import FoundRow, Gathered
from clika_client.sets.mapping import Mapped, Missing, from_json_text, gold_part, parse_mapping, part_of
from clika_client.sets.open_form import KINDS
from clika_client.sets.probes import ACCEPTED, ANSWER_KIND, EXAMPLE_TAG, OPEN, Probe, ProbeSet
from clika_client.sets.spreadsheets import read_rows
from clika_client.sets.wording import LATIN

_NO_FIELDS: Mapping[str, str] = {}


class _Bad(Exception):
    """What is wrong with a row, and the cure; the caller adds where it stands."""


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
                    raise _Bad("some rows have `answers` and others `choices`; make two sets of them")
            except (_Bad, Missing, UserError) as error:
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


def _read(place: str, raw: Mapping[str, Any], mapped: Mapped, pool: _Pool, spoken: str | None) -> FoundRow:
    tags = _texts_of(part_of(raw, "tags", mapped), "tags")
    fields = _texts_of(part_of(raw, "fields", mapped), "fields")
    answers = _answers(part_of(raw, "answers", mapped)) if is_open(raw, mapped) else ()
    if answers:
        choices, gold, counted = answers[:1], 0, False
        fields = {**fields, ACCEPTED: "\n".join(answers[1:])} if answers[1:] else fields
        tags = {**tags, **_kind(part_of(raw, "answer_kind", mapped))}
    else:
        source = mapped.get("choices")
        cells = source is not None and len(source.columns) > 1
        choices, labels = _choices(part_of(raw, "choices", mapped), cells)
        part, value = gold_part(raw, mapped)
        gold, counted = _gold(value, choices, labels, part)
    found = ambiguity(choices, gold)
    if found is not None:
        tags[AMBIGUOUS] = found
    cluster = part_of(raw, "cluster", mapped)
    of_item = part_of(raw, "item_tags", mapped)
    probe = Probe(
        pool.text(_text(part_of(raw, "item_id", mapped), "item_id")),
        _language(raw, mapped, spoken),
        _text(part_of(raw, "question", mapped), "question"),
        choices,
        gold,
        pool.tags(tags),
        fields or _NO_FIELDS,
    )
    if cluster is not None and not isinstance(cluster, str):
        raise _Bad(f"`cluster` must be a text, got {cluster!r}")
    reserved = _reserved(part_of(raw, "reserved", mapped), tags)
    return FoundRow(place, probe, cluster, None if of_item is None else tuple(map(str, of_item)), counted, reserved)


def _reserved(value: object, tags: Mapping[str, str]) -> str | bool:
    """Whether a row is kept for examples: yes, no, or the name of the tag by which examples are chosen."""
    if value is None or isinstance(value, bool | int):
        return bool(value)
    text = value.strip() if isinstance(value, str) else ""
    if text.lower() in _YES_NO:
        return _YES_NO[text.lower()]
    if text not in tags:
        known = ", ".join(tags) or "none"
        raise _Bad(f"'reserved' is {value!r}; write true, false, or one of the row's tags ({known})")
    return text


_YES_NO = {"": False, "0": False, "no": False, "false": False, "1": True, "yes": True, "true": True}


def _language(raw: Mapping[str, Any], mapped: Mapped, spoken: str | None) -> str:
    """The row's own language, else the one its file is named after."""
    if spoken is not None and "language" not in mapped and "language" not in raw:
        return spoken
    return canonical(_text(part_of(raw, "language", mapped), "language"))


def _text(value: object, part: str) -> str:
    """A text that is not blank; whole numbers are taken as their digits, as ids often are."""
    number = value if isinstance(value, int | float) and not isinstance(value, bool) else None
    if part == "item_id" and number is not None and number == number // 1:
        return str(int(number))
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


def _choices(value: object, cells: bool = False) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """(texts, labels); labels only where the file gives each choice one, as ARC and X-CSQA do.

    `cells` says that each stood in a cell of its own, where NaN is no word.
    """
    if isinstance(value, str):
        value = from_json_text(value)
    if isinstance(value, str):
        value, cells = [piece.strip() for piece in value.split("|")], True
    value, labels = _labelled(value)
    if not isinstance(value, list):
        raise _Bad(f"'choices' must be a list of texts, got {value!r}")
    for number, choice in enumerate(value, 1):
        _check_choice(choice, number)
        if cells and str(choice).strip().lower() == "nan":
            raise _Bad(f"choice {number} is {choice}, as pandas writes an empty cell; {_FILL}")
    if len(value) < 2:
        raise _Bad(f"'choices' needs two or more, got {len(value)}; write a JSON list, or a|b|c")
    return tuple(_sound(str(choice), "choices") for choice in value), labels


def is_open(raw: Mapping[str, Any], mapped: Mapped) -> bool:
    """Whether a row holds the answers to a question without options."""
    return "answers" in mapped or ("answers" in raw and "choices" not in raw and "choices" not in mapped)


def _answers(value: object) -> tuple[str, ...]:
    """The right answers, the one to show first; a JSON list, or a|b|c."""
    if isinstance(value, str):
        value = from_json_text(value)
    if isinstance(value, str):
        value = value.split("|")
    if isinstance(value, str | int | float) and not isinstance(value, bool):
        value = [value]
    if not isinstance(value, list) or not value:
        raise _Bad(f"'answers' must be a list of texts, got {value!r}; give every right answer in this language")
    for number, answer in enumerate(value, 1):
        if isinstance(answer, bool) or not isinstance(answer, str | int | float) or not str(answer).strip():
            raise _Bad(f"answer {number} is {answer!r}; write a text, or leave the item out of every language")
    return tuple(dict.fromkeys(_sound(" ".join(str(answer).split()), "answers") for answer in value))


def _kind(value: object) -> dict[str, str]:
    if value is None or value in ("", "name"):
        return {}
    if value not in KINDS:
        raise _Bad(f"'answer_kind' is {value!r}; write name, {', '.join(KINDS)}")
    return {ANSWER_KIND: str(value)}


def _labelled(value: Any) -> tuple[Any, tuple[str, ...]]:
    """Choices given as `{"label": […], "text": […]}` or as a list of such pairs."""
    if isinstance(value, dict) and "text" not in value:
        return by_label(value)
    if isinstance(value, dict) and isinstance(value.get("text"), list):
        labels = value.get("label")
        if not isinstance(labels, list) or len(labels) != len(value["text"]):
            labels = []
        return value["text"], tuple(map(str, labels))
    if isinstance(value, list) and value and all(isinstance(each, dict) and "text" in each for each in value):
        labels = tuple(str(each["label"]) for each in value if "label" in each)
        return [each["text"] for each in value], labels if len(labels) == len(value) else ()
    return value, ()


def by_label(value: Mapping[str, Any]) -> tuple[Any, tuple[str, ...]]:
    """(texts, labels) of choices given as `{"A": …, "B": …}`; the value itself where its names are no labels."""
    labels = tuple(map(str, value))
    rows = (LATIN, tuple(letter.lower() for letter in LATIN), tuple(map(str, range(1, 27))))
    if len(labels) > 1 and any(labels == row[: len(labels)] for row in rows):
        return list(value.values()), labels
    return value, ()


_FILL = "fill it in, or leave the item out of every language"
_SPREADSHEET_ERRORS = frozenset({"#N/A", "#REF!", "#VALUE!", "#NAME?", "#DIV/0!", "#NULL!", "#NUM!", "#NV", "#NAME"})


def _check_choice(choice: object, number: int) -> None:
    cure = _FILL
    if isinstance(choice, bool):
        raise _Bad(f"'choices' must hold texts only, got {str(choice).lower()}; write it between quotes")
    if choice is None or (isinstance(choice, str) and not choice.strip()):
        raise _Bad(f"choice {number} is empty; {cure}")
    if isinstance(choice, str) and choice.strip().upper() in _SPREADSHEET_ERRORS:
        raise _Bad(f"choice {number} is {choice.strip()}, which a spreadsheet writes for an error; {cure}")
    if isinstance(choice, float) and not isfinite(choice):
        raise _Bad(f"choice {number} is {choice}, which is no text; {cure}")
    if not isinstance(choice, str | int | float):
        raise _Bad(f"'choices' must hold texts only, got {choice!r}; write each choice as a text")


def _gold(value: object, choices: tuple[str, ...], labels: tuple[str, ...], part: str) -> tuple[int, bool]:
    """(index of the right choice, whether it was given as a number whose first value is not known).

    A value that can be read in two ways that disagree is refused.
    """
    k = len(choices)
    base = 1 if part == "gold1" else 0
    number = _whole(value)
    if part != "gold" or (number is not None and not isinstance(value, str)):
        cure = f"write a number from {base} to {k - 1 + base}"
        if part == "gold":
            cure = f"write an index from 0 to {k - 1}, a letter from A to {LATIN[min(k, 26) - 1]}, or a choice's text"
        if number is None or not base <= number < k + base:
            hint = _FROM_ONE if part == "gold" and number == k else ""
            raise _Bad(f"{part!r} is {value!r}, but there are {k} choices{hint}; {cure}")
        return number - base, part == "gold"
    cure = f"write an index from 0 to {k - 1}, a letter from A to {LATIN[min(k, 26) - 1]}, or a choice's text"
    text = _spelt(str(value) if isinstance(value, bool) else value)
    if not text:
        raise _Bad(f"'gold' is {value!r}; {cure}")
    if labels:
        return _labelled_gold(text, labels), False
    readings = _texts_like(text, choices)
    if len(readings) > 1:
        raise _Bad(f"'gold' is {value!r}, the text of {len(readings)} choices; write the index or the letter instead")
    named = set(readings)
    if text.upper() in LATIN[:k]:
        readings.add(LATIN.index(text.upper()))
    if number is not None and 0 <= number < k:
        readings.add(number)
    if len(readings) > 1:
        raise _Bad(
            f"'gold' is {value!r}, which is one choice's text and another's label or index; "
            "write the letter or index that agrees with the text, or a number in JSONL"
        )
    if not readings:
        hint = _FROM_ONE if number == k else ""
        raise _Bad(f"'gold' is {value!r}, which names none of the {k} choices{hint}; {cure}")
    return readings.pop(), number is not None and not named


_FROM_ONE = " (indices count from 0; if these count from 1, say --map gold1=COLUMN)"


def _whole(value: object) -> int | None:
    """A whole number, also as `2.0` or text, as tables hold them; None for anything else."""
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    if isinstance(value, float):
        return int(value) if value.is_integer() else None
    if isinstance(value, str) and _NUMBER.fullmatch(value.strip()):
        return int(float(value))
    return None


_NUMBER = re.compile(r"[0-9]{1,9}(?:\.0+)?")


def _spelt(value: object) -> str:
    """Text in one Unicode spelling, so that an accent written apart is the same letter."""
    return unicodedata.normalize("NFC", value.strip()) if isinstance(value, str) else ""


def _texts_like(text: str, choices: tuple[str, ...]) -> set[int]:
    """The choices that are this text; without case where none is, as Excel writes True as TRUE."""
    plain = [_spelt(choice) for choice in choices]
    same = {i for i, choice in enumerate(plain) if choice == text}
    if same or len(text) < 2:
        return same
    return {i for i, choice in enumerate(plain) if choice.casefold() == text.casefold()}


def _labelled_gold(text: str, labels: tuple[str, ...]) -> int:
    if text not in labels:
        raise _Bad(f"'gold' is {text!r}, which is none of the labels {', '.join(labels)}")
    return labels.index(text)


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
