"""What the cells of a user's row say: texts, choices, the right one, accepted answers; or what is wrong with them."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from math import isfinite
from typing import Any

from clika_client.common.languages import canonical
from clika_client.sets.mapping import Mapped, from_json_text, part_of
from clika_client.sets.open_form import KINDS
from clika_client.sets.probes import ANSWER_KIND
from clika_client.sets.wording import LATIN


class Bad(Exception):
    """What is wrong with a row, and the cure; the caller adds where it stands."""


def reserved_of(value: object, tags: Mapping[str, str]) -> str | bool:
    """Whether a row is kept for examples: yes, no, or the name of the tag by which examples are chosen."""
    if value is None or isinstance(value, bool | int):
        return bool(value)
    text = value.strip() if isinstance(value, str) else ""
    if text.lower() in _YES_NO:
        return _YES_NO[text.lower()]
    if text not in tags:
        known = ", ".join(tags) or "none"
        raise Bad(f"'reserved' is {value!r}; write true, false, or one of the row's tags ({known})")
    return text


_YES_NO = {"": False, "0": False, "no": False, "false": False, "1": True, "yes": True, "true": True}


def language_of(raw: Mapping[str, Any], mapped: Mapped, spoken: str | None) -> str:
    """The row's own language, else the one its file is named after."""
    if spoken is not None and "language" not in mapped and "language" not in raw:
        return spoken
    return canonical(text_of(part_of(raw, "language", mapped), "language"))


def text_of(value: object, part: str) -> str:
    """A text that is not blank; whole numbers are taken as their digits, as ids often are."""
    number = value if isinstance(value, int | float) and not isinstance(value, bool) else None
    if part == "item_id" and number is not None and number == number // 1:
        return str(int(number))
    if not isinstance(value, str):
        raise Bad(f"{part!r} must be a text, got {value!r}")
    if not value.strip():
        raise Bad(f"{part!r} is empty; fill it in, or leave the item out of every language")
    return _sound(value, part)


def _sound(text: str, part: str) -> str:
    """Half a surrogate pair can be written as a JSON escape, but is no text and cannot be sent."""
    if not text.isascii():
        try:
            text.encode()
        except UnicodeEncodeError as error:
            raise Bad(f"{part!r} holds half a character (\\u{ord(text[error.start]):04x}); write it whole") from None
    return text


def choices_of(value: object, cells: bool = False) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """(texts, labels); labels only where the file gives each choice one, as ARC and X-CSQA do.

    `cells` says that each stood in a cell of its own, where NaN is no word.
    """
    if isinstance(value, str):
        value = from_json_text(value)
    if isinstance(value, str):
        value, cells = [piece.strip() for piece in value.split("|")], True
    value, labels = _labelled(value)
    if not isinstance(value, list):
        raise Bad(f"'choices' must be a list of texts, got {value!r}")
    for number, choice in enumerate(value, 1):
        _check_choice(choice, number)
        if cells and str(choice).strip().lower() == "nan":
            raise Bad(f"choice {number} is {choice}, as pandas writes an empty cell; {_FILL}")
    if len(value) < 2:
        raise Bad(f"'choices' needs two or more, got {len(value)}; write a JSON list, or a|b|c")
    return tuple(_sound(str(choice), "choices") for choice in value), labels


def is_open(raw: Mapping[str, Any], mapped: Mapped) -> bool:
    """Whether a row holds the answers to a question without options."""
    return "answers" in mapped or ("answers" in raw and "choices" not in raw and "choices" not in mapped)


def answers_of(value: object) -> tuple[str, ...]:
    """The right answers, the one to show first; a JSON list, or a|b|c."""
    if isinstance(value, str):
        value = from_json_text(value)
    if isinstance(value, str):
        value = value.split("|")
    if isinstance(value, str | int | float) and not isinstance(value, bool):
        value = [value]
    if not isinstance(value, list) or not value:
        raise Bad(f"'answers' must be a list of texts, got {value!r}; give every right answer in this language")
    for number, answer in enumerate(value, 1):
        if isinstance(answer, bool) or not isinstance(answer, str | int | float) or not str(answer).strip():
            raise Bad(f"answer {number} is {answer!r}; write a text, or leave the item out of every language")
    return tuple(dict.fromkeys(_sound(" ".join(str(answer).split()), "answers") for answer in value))


def kind_of(value: object) -> dict[str, str]:
    """The tag that says how the answers of an open question are read; none for names."""
    if value is None or value in ("", "name"):
        return {}
    if value not in KINDS:
        raise Bad(f"'answer_kind' is {value!r}; write name, {', '.join(KINDS)}")
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
        raise Bad(f"'choices' must hold texts only, got {str(choice).lower()}; write it between quotes")
    if choice is None or (isinstance(choice, str) and not choice.strip()):
        raise Bad(f"choice {number} is empty; {cure}")
    if isinstance(choice, str) and choice.strip().upper() in _SPREADSHEET_ERRORS:
        raise Bad(f"choice {number} is {choice.strip()}, which a spreadsheet writes for an error; {cure}")
    if isinstance(choice, float) and not isfinite(choice):
        raise Bad(f"choice {number} is {choice}, which is no text; {cure}")
    if not isinstance(choice, str | int | float):
        raise Bad(f"'choices' must hold texts only, got {choice!r}; write each choice as a text")


def place_of_gold(value: object, choices: tuple[str, ...], labels: tuple[str, ...], part: str) -> tuple[int, bool]:
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
            raise Bad(f"{part!r} is {value!r}, but there are {k} choices{hint}; {cure}")
        return number - base, part == "gold"
    cure = f"write an index from 0 to {k - 1}, a letter from A to {LATIN[min(k, 26) - 1]}, or a choice's text"
    text = _spelt(str(value) if isinstance(value, bool) else value)
    if not text:
        raise Bad(f"'gold' is {value!r}; {cure}")
    if labels:
        return _labelled_gold(text, labels), False
    readings = _texts_like(text, choices)
    if len(readings) > 1:
        raise Bad(f"'gold' is {value!r}, the text of {len(readings)} choices; write the index or the letter instead")
    named = set(readings)
    if text.upper() in LATIN[:k]:
        readings.add(LATIN.index(text.upper()))
    if number is not None and 0 <= number < k:
        readings.add(number)
    if len(readings) > 1:
        raise Bad(
            f"'gold' is {value!r}, which is one choice's text and another's label or index; "
            "write the letter or index that agrees with the text, or a number in JSONL"
        )
    if not readings:
        hint = _FROM_ONE if number == k else ""
        raise Bad(f"'gold' is {value!r}, which names none of the {k} choices{hint}; {cure}")
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
        raise Bad(f"'gold' is {text!r}, which is none of the labels {', '.join(labels)}")
    return labels.index(text)


def texts_of(value: object, part: str) -> dict[str, str]:
    """A JSON object of texts; numbers, booleans and null become their JSON spelling."""
    if isinstance(value, str):
        value = from_json_text(value) if value.strip() else None
    if value is None:
        return {}
    if isinstance(value, list) and all(isinstance(pair, tuple) and len(pair) == 2 for pair in value):
        value = dict(value)  # how Parquet's map type arrives
    if not isinstance(value, dict):
        raise Bad(f'{part!r} must be an object of texts such as {{"region": "EU"}}, got {value!r}')
    given = {str(key): _scalar(entry, part) for key, entry in value.items() if entry is not None}
    return {_sound(key, part): _sound(entry, part) for key, entry in given.items()}


def names_of(value: object, part: str) -> tuple[str, ...] | None:
    """A JSON list of texts; None where there is none."""
    if isinstance(value, str):
        value = from_json_text(value) if value.strip() else None
    if value is None:
        return None
    if not isinstance(value, list | tuple) or not all(isinstance(name, str) for name in value):
        raise Bad(f'{part!r} must be a list of texts such as ["region"], got {value!r}')
    return tuple(_sound(name, part) for name in value)


def _scalar(value: object, part: str) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str | int | float):
        return str(value)
    raise Bad(f"{part!r} must hold texts, got {value!r}")
