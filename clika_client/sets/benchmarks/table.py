"""The table of one benchmark: everything that tells its files from another's, read from `tables/NAME.toml`.

Adding a benchmark is one such file; docs/public-benchmarks.md explains every key.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import MISSING, dataclass, field, fields
from difflib import get_close_matches
from functools import cache
from importlib import resources

from clika_client.common.errors import UserError
from clika_client.common.languages import canonical

COUNTS = ("0", "1", "letter", "text")
"""How a gold column is written: an index from 0, one from 1, a letter (or the label of a choice), a choice's text."""


@dataclass(frozen=True, slots=True)
class BenchmarkColumns:
    """Which column is what. A name may be a path (`question.stem`) and hold alternatives (`instruction|question`)."""

    key: tuple[tuple[str, ...], ...]
    """Alternatives, the first that a row has is taken; `#` is the row's number in its file, from 0."""
    question: str
    """Text with columns in braces: `{ctx_a} {ctx_b}`."""
    choices: tuple[tuple[str, ...], ...]
    """Alternatives: one column that holds a list, or a column for each choice."""
    gold: str
    counts: str
    context: str = ""
    """Text that stands before the question: a passage, a premise, a story."""
    cluster: str = ""
    """Column whose items are resampled together."""
    tags: Mapping[str, str] = field(default_factory=dict)
    """Tag of an item → column; taken from the first language."""
    version_tags: Mapping[str, str] = field(default_factory=dict)
    """Tag of a question in one language → column."""
    fields: Mapping[str, str] = field(default_factory=dict)
    """Field of a question → column, for templates."""
    same: tuple[str, ...] = ()
    """Columns that must agree in every language, ignoring case: what proves that rows without a key are parallel."""
    majority: tuple[str, ...] = ()
    """Columns with known slips: the value most languages have replaces the others, which are tagged."""
    also: str = ""
    """A second gold column that must say the same, an index from 0."""
    unlike: str = ""
    """A choice equal to this column in any language is no choice, and is left out in every language."""


@dataclass(frozen=True, slots=True)
class Benchmark:
    """One public benchmark."""

    name: str
    title: str
    about: str
    licence: str
    citation: str
    languages: int
    """As published; a folder may hold fewer."""
    items: int
    """As published; 0 where that is not known."""
    choices: str
    """As published: `4`, `2–10`, `open`."""
    files: tuple[tuple[str, str], ...]
    """(pattern, language): patterns of paths with `{language}`, `{split}` and `*`; the language where it is fixed."""
    columns: BenchmarkColumns
    hub: str = ""
    """Name of the data set on the Hugging Face hub."""
    get: str = ""
    """Where else it is to be had, as a command or a sentence."""
    asked: tuple[str, ...] = ("test",)
    """Spellings of the split that is asked; a pattern without `{split}` is always it."""
    examples: tuple[str, ...] = ()
    """Spellings of the split that examples are taken from."""
    example_tag: str = ""
    """An example has the question's own value of this tag."""
    codes: Mapping[str, str] = field(default_factory=dict)
    """Spellings of languages that are this benchmark's own → BCP 47."""
    language_column: str = ""
    """Column that names the language, where one file holds several."""
    skip: tuple[str, ...] = ()
    """Folders that hold something else under the same names → refused."""
    shuffle: bool = False
    """Show the choices in an order drawn once per item, where the files always have the right one last."""
    layout: str = ""
    """Name of the reader in `facts.py`, where its files are no table of questions."""
    finish: str = ""
    """Name of the function in `finish.py` that adds columns to a row, made of those it has."""
    open: bool = False
    """Asked without options: a row has its answer as a single choice, or known answers as several."""
    measures: str = ""
    """Whose own measures are given beside ours, of an open set: `mkqa`."""
    not_parallel: str = ""
    """Why its languages do not hold the same questions; empty for parallel sets."""
    defects: tuple[str, ...] = ()
    """What is known to be wrong with the published files."""

    @property
    def source(self) -> str:
        """Where it is published, in few words."""
        return self.hub or self.get

    def how_to_get(self) -> str:
        """What to type when its files are not there."""
        add = f"clika sets add {self.name} FOLDER"
        if self.hub:
            return f"clika sets fetch {self.name}, or, with its files at hand: {add}"
        return f"{self.get}, then: {add}"


def names() -> tuple[str, ...]:
    """All benchmarks known, in alphabetical order."""
    return tuple(_tables())


def known(name: str) -> bool:
    """Whether a benchmark of this name has a table."""
    return name in _tables()


def benchmark(name: str) -> Benchmark:
    """The benchmark of that name; raises UserError with the nearest name."""
    try:
        return _tables()[name]
    except KeyError:
        close = get_close_matches(name.lower(), names(), n=1, cutoff=0.5)
        hint = f"did you mean {close[0]!r}? " if close else ""
        raise UserError(f"no benchmark {name!r}; {hint}known: {', '.join(names())}") from None


@cache
def _tables() -> Mapping[str, Benchmark]:
    folder = resources.files("clika_client.sets.benchmarks").joinpath("tables")
    found = sorted((file.name.removesuffix(".toml"), file) for file in folder.iterdir() if file.name.endswith(".toml"))
    return {name: parse(name, file.read_text("utf-8")) for name, file in found}


def parse(name: str, text: str) -> Benchmark:
    """The benchmark that a TOML text describes; raises UserError for a key that is unknown, missing or wrong."""
    try:
        raw = tomllib.loads(text)
        lacking = _lacking(raw)
        if lacking:
            raise TypeError(f"lacks {', '.join(lacking)}")
        columns = raw.pop("columns")
        files = tuple(map(_pattern, raw.pop("files")))
        columns["key"] = tuple(map(_names, columns["key"]))
        columns["choices"] = tuple(map(_names, columns["choices"]))
        for part in ("same", "majority"):
            columns[part] = tuple(columns.get(part, ()))
        for part in ("asked", "examples", "skip", "defects"):
            if part in raw:
                raw[part] = tuple(raw[part])
        made = Benchmark(name=name, files=files, columns=BenchmarkColumns(**columns), **raw)
    except (tomllib.TOMLDecodeError, KeyError, TypeError) as error:
        allowed = ", ".join(f.name for kind in (Benchmark, BenchmarkColumns) for f in fields(kind) if f.name != "name")
        raise UserError(f"table of benchmark {name!r}: {error}; its keys: {allowed}") from None
    wrong = _wrong_with(made)
    if wrong:
        raise UserError(f"table of benchmark {name!r}: {wrong}")
    return made


def _lacking(raw: Mapping[str, object]) -> list[str]:
    """Keys without a default that a table has not."""
    columns = raw.get("columns")
    tables = ((Benchmark, raw), (BenchmarkColumns, columns if isinstance(columns, Mapping) else {}))
    needed = [(f.name, table) for kind, table in tables for f in fields(kind)
              if f.default is MISSING and f.default_factory is MISSING and f.name != "name"]  # fmt: skip
    return [key for key, table in needed if key not in table]


_PLAIN = {"str": (str, "a text"), "int": (int, "a whole number"), "bool": (bool, "true or false")}


def _wrong_with(made: Benchmark) -> str | None:
    """What keeps a table of known keys from being used, in words that follow its name."""
    for part in (made, made.columns):
        for f in fields(part):
            kind, words = _PLAIN.get(str(f.type), (object, ""))
            if not isinstance(getattr(part, f.name), kind):
                return f"{f.name} must be {words}, not {getattr(part, f.name)!r}"
    if made.columns.counts not in COUNTS:
        return f"counts = {made.columns.counts!r} is not one of {', '.join(COUNTS)}"
    if not made.source:
        return "says not where its files are to be had: hub or get"
    try:
        for code in made.codes.values():
            canonical(code)
    except UserError as error:
        return f"codes: {error}"
    return None


def _pattern(entry: str | Mapping[str, str]) -> tuple[str, str]:
    return (entry, "") if isinstance(entry, str) else (entry["path"], entry["language"])


def _names(entry: str | list[str]) -> tuple[str, ...]:
    return (entry,) if isinstance(entry, str) else tuple(entry)
