"""Imports X-FaKT's published replies with the ratings of its judge: one CSV per model and language.

The judge (Qwen2.5-72B) rates 1 right in the asked language, 2 right in English, 3 right in another language, 4 wrong;
for English 2 counts as 1. The ratings are kept as judgements: `clika score --reading open,judge:x-fakt`.
"""

from __future__ import annotations

import csv
import gzip
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from clika_client.common.errors import UserError
from clika_client.importers.cells import CellsToStore, gathered
from clika_client.importers.common import ImportReport, Progress, identity_of, sound
from clika_client.sets.benchmarks.x_fakt import COUNTRIES, LANGUAGES, fact_set
from clika_client.sets.probes import ProbeSet
from clika_client.store import judgements
from clika_client.store.judgements import Judgement
from clika_client.store.store import Cell, CellKey, ImportedReply, Store
from clika_providers import Message

SOURCE = "x-fakt"
"""Source of the replies, name of the prompt, and name of the judge whose ratings come with them."""
_COLUMNS = {"Question", "Predicted", "answers", "label", "llm_output"}
_PLAIN = "without_system_prompt"
_RATING = re.compile(r"\[(\d)\]")
_SUFFIXES = (".csv", ".csv.gz")
Rows = Mapping[str, Sequence[Mapping[str, str]]]


def model_folders(path: Path) -> list[tuple[str, Path]]:
    """(model, folder of its CSV files) of all at or below a path that has the layout, in order of their names."""
    found = {}
    for suffix in _SUFFIXES:
        for file in sorted(path.rglob(f"English{suffix}")) if path.is_dir() else ():
            folder = file.parent
            if set(_header(file)) >= _COLUMNS:
                found[folder] = folder.parent.name if folder.name == _PLAIN else folder.name
    return sorted(((model, folder) for folder, model in found.items()), key=lambda entry: entry[0])


def import_x_fakt(store: Store, path: Path, progress: Progress | None = None) -> ImportReport:
    """Store every reply and rating of the models found; idempotent.

    Raises UserError when there is none, or the questions are not those of the thirteen countries.
    """
    report = ImportReport(SOURCE)
    folders = model_folders(path)
    if not folders:
        raise UserError(
            f"{path}: no folder of X-FaKT's CSV files here; name results/factual_recall or one model's folder"
        )
    facts: tuple[int, ProbeSet] | None = None
    with gathered(store, report) as cells:
        for number, (model, folder) in enumerate(folders):
            if progress is not None:
                progress(number, len(folders), model)
            rows = _rows(folder, report)
            if facts is None:
                made = _facts(folder, rows)
                facts = store.add_set(made), made
            for language, given in rows.items():
                _import_cell(store, cells, model, language, given, *facts, report, folder)
    if progress is not None:
        progress(len(folders), len(folders), "")
    return report


def _facts(folder: Path, rows: Rows) -> ProbeSet:
    """The set that the files' own questions make."""
    n = {language: len(given) for language, given in rows.items()}
    if len(set(n.values())) > 1:
        listed = ", ".join(f"{language} {count}" for language, count in n.items())
        raise UserError(f"{folder}: the languages hold different numbers of rows ({listed}); they are parallel by line")
    strange = {row["answers"] for row in rows["en"]} - set(COUNTRIES)
    if strange:
        raise UserError(f"{folder}: {sorted(strange)[0]!r} is none of X-FaKT's countries: {', '.join(COUNTRIES)}")
    return fact_set(rows)


def _import_cell(
    store: Store,
    cells: CellsToStore,
    model: str,
    language: str,
    rows: Sequence[Mapping[str, str]],
    set_id: int,
    facts: ProbeSet,
    report: ImportReport,
    folder: Path,
) -> None:
    probes = facts.probes.get(language)
    if probes is None:
        report.skip_file("language is not in the set that the first model's files made", f"{folder}, {language}")
        return
    taken, said = [], {}
    for number, row in enumerate(rows):
        where = f"{folder}, {language}, row {number + 1}"
        if number >= len(probes) or row["Question"].strip() != probes[number].question:
            report.skip_row("another question than in the first model's files", where)
            continue
        prompt = (Message("user", sound(row["Question"].strip())),)
        taken.append(ImportedReply(number, probes[number].item_id, prompt, sound(row["Predicted"])))
        verdict = judged(row["llm_output"], language)
        if verdict is None:
            report.skip_row("no rating in the judge's words (the reply was kept)", where)
        else:
            said[number] = verdict
    key = CellKey(model, identity_of(SOURCE, model), set_id, language, SOURCE, "open", SOURCE)

    def judge(cell: Cell) -> None:
        given = [Judgement(cell.key_at(number), *verdict) for number, verdict in said.items()]
        judgements.add(store, SOURCE, given)

    cells.add(key, (), taken, facts, judge)
    report.files += 1


def judged(words: str, language: str) -> tuple[str, str | None] | None:
    """(verdict, language of the answer) of the last rating in a judge's words; None without one."""
    ratings = _RATING.findall(words)
    rating = ratings[-1] if ratings else ""
    if rating == "2" and language == "en":
        rating = "1"
    return {
        "1": ("right", None),
        "2": ("right in another language", "en"),
        "3": ("right in another language", None),
        "4": ("wrong", None),
    }.get(rating)


def _rows(folder: Path, report: ImportReport) -> dict[str, list[dict[str, str]]]:
    found = {}
    for name, tag in LANGUAGES.items():
        file = next(
            (folder / f"{name}{suffix}" for suffix in _SUFFIXES if (folder / f"{name}{suffix}").is_file()), None
        )
        if file is None:
            report.skip_file("a language has no file", f"{folder}/{name}.csv")
            continue
        rows = list(_read(file))
        if rows and not set(rows[0]) >= _COLUMNS:
            report.skip_file("columns are missing", str(file))
        else:
            found[tag] = rows
    return found


def _read(file: Path) -> Iterator[dict[str, str]]:
    try:
        with (
            gzip.open(file, "rt", encoding="utf-8", newline="")
            if file.suffix == ".gz"
            else file.open(encoding="utf-8", newline="") as lines
        ):
            for row in csv.DictReader(lines):
                yield {
                    name: value or "" for name, value in row.items() if name is not None and not isinstance(value, list)
                }
    except (OSError, EOFError, UnicodeDecodeError, csv.Error) as error:
        raise UserError(f"{file}: cannot be read ({error}); get it again") from None


def _header(file: Path) -> list[str]:
    return list(next(iter(_read(file)), {}))
