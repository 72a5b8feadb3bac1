"""One raw row of a benchmark's file as a question: key, texts, choices and the right one, as its table says.

Nothing is guessed: `None`, `N/A` and `null` are texts like any other, and what does not fit is left out with its
reason.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from clika_client.common.errors import UserError
from clika_client.sets.benchmarks.table import Benchmark
from clika_client.sets.mapping import joined

Raw = Mapping[str, Any]
_PLACE = re.compile(r"\{([^{}]*)\}")
_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_PLACE_OF = {letter: place for place, letter in enumerate(_LETTERS)}


class RowProblem(Exception):
    """Why a row cannot be asked; the words become the reason that is reported."""


class NoColumn(UserError):
    """The file lacks a column: not this benchmark's layout."""


@dataclass(frozen=True, slots=True)
class Core:
    """What decides whether two languages' rows are the same question."""

    key: str
    choices: tuple[str, ...]
    gold: int
    same: tuple[str, ...]
    majority: tuple[str, ...]
    gone: int
    """Choices that are none, as bits."""


@dataclass(frozen=True, slots=True)
class Texts:
    """Everything else of a row."""

    question: str
    context: str
    version_tags: dict[str, str]
    fields: dict[str, str]


class ColumnReader:
    """A benchmark's columns, ready to read rows."""

    def __init__(self, benchmark: Benchmark) -> None:
        self._columns = columns = benchmark.columns
        self._least = 1 if benchmark.open else 2
        self._gold = _getter(columns.gold)
        self._also = _getter(columns.also) if columns.also else None
        self._unlike = _getter(columns.unlike) if columns.unlike else None
        self._same = [_getter(name) for name in columns.same]
        self._majority = [_getter(name) for name in columns.majority]
        self._question, self._context = _Text(columns.question), _Text(columns.context)
        first = columns.choices[0]
        self._usual_choices = first if len(first) > 1 else None

    def core(self, raw: Raw) -> Core:
        """Key, choices and gold; raises RowProblem, or NoColumn for another layout."""
        choices, gold = self.choices(raw)
        if self._also is not None and _number(self._also(raw)) not in (None, gold):
            raise RowProblem(f"{self._columns.gold} and {self._columns.also} name different choices")
        return Core(
            self.key(raw),
            choices,
            gold,
            tuple(text_of(get(raw)).strip().casefold() for get in self._same),
            tuple(text_of(get(raw)) for get in self._majority),
            self._gone(raw, choices, gold),
        )

    def choices(self, raw: Raw) -> tuple[tuple[str, ...], int]:
        """(texts, index of the right one); raises RowProblem where none is."""
        texts, labels = self._choices(raw)
        index = _COUNTS[self._columns.counts](self._gold(raw), texts, labels)
        if index is None or not 0 <= index < len(texts):
            raise RowProblem(f"the answer {text_of(self._gold(raw))[:40]!r} names none of the {len(texts)} choices")
        return texts, index

    def key(self, raw: Raw) -> str:
        """What is the same in every language."""
        for names in self._columns.key:
            if len(names) == 1 and type(only := raw.get(names[0])) is str and only and not only.isspace():
                return only
            if all(name in raw for name in names):
                # As imports name their documents, so that others' logs of a benchmark meet the set of that name.
                key = joined([raw[name] for name in names])
                if key is None:
                    raise RowProblem("its key is empty")
                return key
        wanted = " or ".join("+".join(names) for names in self._columns.key)
        raise NoColumn(f"no column {wanted}; the row has: {', '.join(map(str, raw))}")

    def question(self, raw: Raw) -> str:
        """The question alone; raises RowProblem for an empty one."""
        question = self._question.fill(raw)
        if not question:
            raise RowProblem("the question is empty")
        return question

    def texts(self, raw: Raw) -> Texts:
        """The parts of a question in its language, beside its choices; raises RowProblem for an empty question."""
        columns = self._columns
        return Texts(
            self.question(raw),
            self._context.fill(raw),
            _present(raw, columns.version_tags),
            # Space at the ends of a field is kept: it decides how a text beside a gap is cut into tokens.
            {name: text for name, column in columns.fields.items() if (text := text_of(raw.get(column)))},
        )

    def item(self, raw: Raw) -> tuple[dict[str, str], str | None]:
        """(tags, cluster) of the item, which are the same in every language."""
        cluster = self._columns.cluster
        return _present(raw, self._columns.tags), _optional(raw, cluster) if cluster else None

    def _choices(self, raw: Raw) -> tuple[tuple[str, ...], tuple[str, ...] | None]:
        """(texts, their labels where the file has some)."""
        if self._usual_choices is not None:
            # Filled texts in columns of their own: what nearly every row of a large benchmark is.
            values = tuple(map(raw.get, self._usual_choices))
            if all(type(value) is str and value and not value.isspace() for value in values):
                return values, None  # type: ignore[return-value]
        for names in self._columns.choices:
            if len(names) > 1 and names[0] in raw:
                return _flat(raw, names), None
            if len(names) == 1:
                value = _lookup(raw, names[0].split("."))
                if value is not _ABSENT:
                    return _listed(value, self._least)
        wanted = " or ".join(names[0] for names in self._columns.choices)
        raise NoColumn(f"no column {wanted} for the choices; the row has: {', '.join(map(str, raw))}")

    def _gone(self, raw: Raw, choices: tuple[str, ...], gold: int) -> int:
        if self._unlike is None:
            return 0
        subject = text_of(self._unlike(raw)).strip().casefold()
        return sum(1 << i for i, c in enumerate(choices) if i != gold and c.strip().casefold() == subject)


_ABSENT = object()


def _lookup(raw: Any, path: Sequence[str]) -> Any:
    value = raw
    for step in path:
        if not isinstance(value, dict) or step not in value:
            return _ABSENT
        value = value[step]
    return value


def _getter(name: str) -> Callable[[Raw], Any]:
    """Reads a column by its name, path or alternatives; raises NoColumn."""
    paths = [path.split(".") for path in name.split("|")]
    plain = name if paths == [[name]] else None

    def get(raw: Raw) -> Any:
        if plain is not None and plain in raw:
            return raw[plain]
        for path in paths:
            value = _lookup(raw, path)
            if value is not _ABSENT and not isinstance(value, dict):
                return value
        raise NoColumn(f"no column {name!r}; the row has: {', '.join(map(str, raw))}")

    return get


class _Text:
    """A text made of columns; an empty column leaves no double space behind."""

    def __init__(self, template: str) -> None:
        pieces = _PLACE.split(template)
        self._literals, self._getters = pieces[::2], [_getter(name) for name in pieces[1::2]]
        self._single = len(self._getters) == 1 and not any(self._literals)
        self._column = pieces[1] if self._single else ""

    def fill(self, raw: Raw) -> str:
        if self._single:
            value = raw.get(self._column)
            return value.strip() if type(value) is str else text_of(self._getters[0](raw)).strip()
        if not self._getters:
            return self._literals[0].strip()
        made = self._literals[0]
        for get, literal in zip(self._getters, self._literals[1:], strict=True):
            value = text_of(get(raw)).strip()
            made = made + value + literal if value else made.rstrip(" :") + literal if made.strip() else made
        return made.strip()


def _flat(raw: Raw, names: Sequence[str]) -> tuple[str, ...]:
    """A column for each choice: empty ones at the end are choices the question does not have."""
    values = [text_of(raw.get(name)) for name in names]
    filled = [i for i, value in enumerate(values) if value.strip()]
    if len(filled) < 2:
        raise RowProblem("fewer than two choices")
    last = filled[-1]
    if len(filled) <= last:
        gap = next(i for i in range(last) if i not in filled)
        raise RowProblem(f"{names[gap]} is empty, {names[last]} is not")
    return tuple(values[: last + 1])


def _listed(value: Any, least: int = 2) -> tuple[tuple[str, ...], tuple[str, ...] | None]:
    """A list of texts, of `{label, text}`, or one object of two lists."""
    if isinstance(value, dict):
        texts, labels = value.get("text"), value.get("label")
    elif isinstance(value, list) and value and all(isinstance(entry, dict) for entry in value):
        texts, labels = [entry.get("text") for entry in value], [entry.get("label") for entry in value]
    else:
        texts, labels = value, None
    if not isinstance(texts, list) or len(texts) < least:
        raise RowProblem("fewer than two choices" if least > 1 else "no short answer is accepted")
    if not all(text_of(text).strip() for text in texts):
        raise RowProblem("a choice is empty")
    return tuple(map(text_of, texts)), None if labels is None else tuple(map(text_of, labels))


def _letter(value: Any, choices: Sequence[str], labels: Sequence[str] | None) -> int | None:
    if labels is None and type(value) is str and value in _PLACE_OF:
        return _PLACE_OF[value]
    text = text_of(value).strip()
    if labels is not None:
        return labels.index(text) if text in labels else None
    return _LETTERS.index(text.upper()) if len(text) == 1 and text.upper() in _LETTERS else None


def _from_zero(value: Any, choices: Sequence[str], labels: Sequence[str] | None) -> int | None:
    return _number(value)


def _from_one(value: Any, choices: Sequence[str], labels: Sequence[str] | None) -> int | None:
    number = _number(value)
    return None if number is None else number - 1


def _by_text(value: Any, choices: Sequence[str], labels: Sequence[str] | None) -> int | None:
    text = text_of(value).strip()
    found = [i for i, choice in enumerate(choices) if choice.strip() == text]
    return found[0] if len(found) == 1 else None


_COUNTS = {"0": _from_zero, "1": _from_one, "letter": _letter, "text": _by_text}


def _number(value: Any) -> int | None:
    """A whole number, as a number or as its digits; None for anything else."""
    if isinstance(value, bool) or value is None:
        return None
    if isinstance(value, int):
        return value
    if isinstance(value, float):
        return int(value) if value.is_integer() else None
    text = str(value).strip()
    return int(text) if text.isascii() and text.isdecimal() else None


def text_of(value: Any) -> str:
    """A cell as text; null is empty, numbers are their digits."""
    if isinstance(value, str):
        return value
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    return str(value)


def _optional(raw: Raw, name: str) -> str | None:
    value = raw[name] if name in raw else _lookup(raw, name.split("."))
    return (text_of(value).strip() or None) if value is not _ABSENT else None


def _present(raw: Raw, columns: Mapping[str, str]) -> dict[str, str]:
    """Name → text of those columns that the row has and that are not empty."""
    found = {name: _optional(raw, column) for name, column in columns.items()}
    return {name: value for name, value in found.items() if value is not None}
