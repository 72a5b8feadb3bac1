"""X-FaKT's facts as a set: one country out of thirteen for each of 802 names, from the CSV files of any of its models.

The published golds are machine-translated (Turkey is a bird in several languages): accepted are the usual names of the
countries and what their people are called, from `xfakt_countries.toml`, and a wrong country is a known wrong answer.
"""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from importlib import resources

from clika_client.common.errors import UserError
from clika_client.sets.benchmarks.files import Files
from clika_client.sets.benchmarks.reading import NUMBER, Row, TableReader
from clika_client.sets.open_form import NAMES
from clika_client.sets.probes import OPEN, SUBJECT, Item, Probe, ProbeSet

NAME = "x-fakt"
LANGUAGES: Mapping[str, str] = {
    "English": "en", "Hindi": "hi", "Chinese": "zh", "Russian": "ru", "Arabic": "ar", "French": "fr", "Nepali": "ne",
    "Japanese": "ja", "Ukrainian": "uk", "Greek": "el", "Turkish": "tr", "Swahili": "sw", "Thai": "th",
}  # fmt: skip
"""The name of a file → its language."""
COUNTRIES: Mapping[str, tuple[str, str]] = {
    "United States": ("US", "en"), "India": ("IN", "hi"), "China": ("CN", "zh"), "Russia": ("RU", "ru"),
    "Saudi Arabia": ("SA", "ar"), "France": ("FR", "fr"), "Nepal": ("NP", "ne"), "Japan": ("JP", "ja"),
    "Ukraine": ("UA", "uk"), "Greece": ("GR", "el"), "Turkey": ("TR", "tr"), "Kenya": ("KE", "sw"),
    "Thailand": ("TH", "th"),
}  # fmt: skip
"""The English gold → the country and the language that X-FaKT associates with it."""
SOURCE = "https://github.com/kmrtanmay/X_FaKT (MIT)"
_ASKED = re.compile(r"In which country is (.+?) (?:located|widely celebrated)\?|(.+?) is from which country\?")
_CODES = tuple(code for code, _ in COUNTRIES.values())


@cache
def names() -> Mapping[str, Mapping[str, list[str]]]:
    """Country → language → what names it there, the usual name first."""
    text = resources.files("clika_client.sets.benchmarks").joinpath("xfakt_countries.toml").read_text("utf-8")
    return tomllib.loads(text)


def meta() -> dict[str, str]:
    """What makes a set of these facts open: the other names of each country, by language."""
    known = names()
    others = {
        NAMES + tag: json.dumps(
            {known[code][tag][0].rstrip("*"): known[code][tag] for code in _CODES}, ensure_ascii=False
        )
        for tag in LANGUAGES.values()
    }
    return {OPEN: "asked without options; known answers are the thirteen countries", **others}


def choices(language: str) -> tuple[str, ...]:
    """The thirteen countries in one language, in the order of `COUNTRIES`."""
    return tuple(names()[code][language][0].rstrip("*") for code in _CODES)


def subject(question: str) -> str:
    """Whom or what an English question asks about; empty for another form of question."""
    match = _ASKED.match(question.strip())
    return (match[1] or match[2]).strip() if match else ""


def item(number: int, gold: str, label: str, about: str) -> Item:
    """The fact of one row; the label of the files is kept, though festivals are among its lakes."""
    code, language = COUNTRIES[gold]
    tags = {"label": label, "country": code, "original_lang": language}
    return Item(f"{number:03d}", {**tags, SUBJECT: about} if about else tags)


def fact_set(rows: Mapping[str, Sequence[Mapping[str, str]]]) -> ProbeSet:
    """The set of the rows of each language (BCP 47), parallel by line; the gold is that of the English row."""
    english = rows["en"]
    golds = [row["answers"] for row in english]
    items = tuple(item(n, row["answers"], row["label"], subject(row["Question"])) for n, row in enumerate(english))
    place = {gold: i for i, gold in enumerate(COUNTRIES)}
    probes = {
        tag: tuple(
            Probe(its.item_id, tag, row["Question"].strip(), choices(tag), place[gold])
            for its, row, gold in zip(items, given, golds, strict=True)
        )
        for tag, given in rows.items()
    }
    return ProbeSet(NAME, items, probes, licence="MIT", source=SOURCE, meta=meta())


class XFakt:
    """One CSV per language, parallel by line; a row of any language takes its gold from the English one."""

    def __init__(self, files: Files) -> None:
        if "en" not in files:
            raise UserError("X-FaKT takes its right answers from the English file: have en among the languages")
        self._files = {tag: found[:1] for tag, found in files.items()}
        english = [row for _, row in TableReader({"en": self._files["en"]}).rows("en")]
        self._golds = [row["answers"] for row in english]
        self._about = [subject(row["Question"]) for row in english]

    def rows(self, language: str) -> Iterator[tuple[str, Row]]:
        """Rows with the thirteen countries as choices."""
        shown = list(choices(language))
        place = {gold: i for i, gold in enumerate(COUNTRIES)}
        for number, (where, row) in enumerate(TableReader({language: self._files[language]}).rows(language)):
            gold = self._golds[number] if number < len(self._golds) else ""
            code, source = COUNTRIES.get(gold, ("", ""))
            about = self._about[number] if number < len(self._about) else ""
            yield (
                where,
                {
                    **row,
                    NUMBER: number,
                    "id": f"{number:03d}",
                    "choices": shown,
                    "gold": place.get(gold),
                    "country": code,
                    "original_lang": source,
                    SUBJECT: about,
                },
            )
