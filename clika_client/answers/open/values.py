"""Numbers, dates and yes or no in a reply, in the digits and the month names of every language."""

from __future__ import annotations

import re
import tomllib
import unicodedata
from collections.abc import Mapping
from functools import cache
from importlib import resources
from typing import Any

from clika_client.sets.fictional.text import plain

Day = tuple[int | None, int | None, int | None]
"""Year, month, day; None for what is not named."""
_NUMBER = re.compile(r"-?\d+(?:[.,'\u00a0\u202f\u066b\u066c ]\d+)*")
_ISO = re.compile(r"\b(\d{4})-(\d{1,2})-(\d{1,2})\b")
_CJK_DATE = re.compile(r"(\d{4})\s*[年년]\s*(?:(\d{1,2})\s*[月월])?\s*(?:(\d{1,2})\s*[日일])?")
_NUMBERED_MONTH = re.compile(r"th[áa]ng\s*(\d{1,2})", re.IGNORECASE)
"""Vietnamese numbers its months."""
_ORDINAL = re.compile(r"(\d{1,4})\D{0,3}")
"""1er, 1º, 1st: a number with few letters behind it."""
_CJK_DAY = re.compile(r"(\d{1,2})\s*[月월]\s*(\d{1,2})\s*[日일]")


def ascii_digits(text: str) -> str:
    """`text` with the digits of every script as 0 to 9."""
    return "".join(
        str(unicodedata.digit(c)) if c.isdigit() and unicodedata.digit(c, None) is not None else c for c in text
    )


def numbers(text: str) -> list[float]:
    """The numbers of a text in their order; `1,234.5`, `1.234,5`, `12 000` and digits of every script are read."""
    return [value for value in map(_value, _NUMBER.findall(ascii_digits(text))) if value is not None]


def _value(written: str) -> float | None:
    """A number as written; a separator before exactly three digits groups, the last other one is the decimal mark."""
    sign, digits = (-1.0, written[1:]) if written.startswith("-") else (1.0, written)
    parts = re.split(r"[^\d]", digits)
    marks = re.findall(r"[^\d]", digits)
    if not marks:
        return sign * float(digits)
    grouped = all(len(part) == 3 for part in parts[1:]) and len(parts[0]) <= 3
    if grouped and len(set(marks)) == 1 and not (len(parts) == 2 and parts[0] == "0"):
        return sign * float("".join(parts))
    if len(marks) == 1 and marks[0] in ".,\u066b":
        return sign * float(f"{parts[0]}.{parts[1]}")
    whole = parts[:-1]
    if marks[-1] in ".,\u066b" and marks[-1] not in marks[:-1] and all(len(part) == 3 for part in whole[1:]):
        return sign * float("".join(whole) + "." + parts[-1])
    return None


def dates(text: str, language: str) -> list[Day]:
    """(year, month, day) of the dates in a text, None for what is not named."""
    text = ascii_digits(text)
    found: list[Day] = [(int(y), int(m), int(d)) for y, m, d in _ISO.findall(text)]
    found += [(int(y), int(m) if m else None, int(d) if d else None) for y, m, d in _CJK_DATE.findall(text)]
    found = found or [(None, int(m), int(d)) for m, d in _CJK_DAY.findall(text)]
    if found:
        return found
    words = plain(text).split()
    names = {**months("en"), **months(language.split("-")[0])}
    month = next((names[stem] for word in words for stem in (word, word[1:]) if _is_month(stem, word, names)), None)
    numbered = _NUMBERED_MONTH.search(text)
    if month is None and numbered is not None:
        month, words = int(numbered[1]), plain(text.replace(numbered[0], " ")).split()
    figures = [int(match[1]) for match in map(_ORDINAL.fullmatch, words) if match]
    years = [figure for figure in figures if figure >= 1000]
    days = [figure for figure in figures if 1 <= figure <= 31]
    if not years:
        return [(None, month, days[0])] if days and month else []
    return [(years[0], month, days[0] if days and month else None)]


def _is_month(stem: str, word: str, names: Mapping[str, int]) -> bool:
    """A month's name, in Hebrew also with the letter for "in" before it."""
    return stem in names and (stem == word or word[0] == "ב")


def same_date(gold: str, text: str, language: str) -> bool | None:
    """Whether a text names the gold's date as exactly as the gold does; None where it names none."""
    wanted = dates(gold, "en") or dates(gold, language)
    given = dates(text, language)
    if not wanted or not given:
        return None
    return all(w is None or w == g for w, g in zip(wanted[0], given[0], strict=True))


@cache
def months(language: str) -> Mapping[str, int]:
    """Plain month name → 1 to 12, full and short, standing alone and in a date (Unicode CLDR)."""
    return {name: number for number, names in enumerate(_table("months.toml").get(language, []), 1) for name in names}


@cache
def yes_no(language: str) -> Mapping[str, bool]:
    """Plain word → whether it says yes; the language's own words and English's."""
    table = _table("yes_no.toml")
    words: dict[str, bool] = {}
    for tag in (language.split("-")[0], "en"):
        for word in table.get(tag, {}).get("yes", ()):
            words.setdefault(plain(word), True)
        for word in table.get(tag, {}).get("no", ()):
            words.setdefault(plain(word), False)
    return words


@cache
def _table(name: str) -> Mapping[str, Any]:
    return tomllib.loads(resources.files(__package__).joinpath(name).read_text("utf-8"))
