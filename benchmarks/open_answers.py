"""How often the reader of open answers agrees with a judge model, on the published replies and ratings of X-FaKT.

    python benchmarks/open_answers.py PATH/TO/X_FaKT/results/factual_recall

Each model's folder holds one CSV per language (also gzipped): Question, Predicted, answers, label, llm_output. The
judge rates 1 right in the asked language, 2 right in English, 3 right in another language, 4 wrong; agreement is on
right (1 to 3) or wrong. Accepted are names and demonyms of the 13 countries, never the machine-translated gold of
Turkey (a bird in several languages). With `--disagreements N` every N-th one is printed, to be judged by eye.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import re
import time
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from clika_client import Accepted, read_open
from clika_client.sets.benchmarks.x_fakt import COUNTRIES, LANGUAGES, subject
from clika_client.sets.benchmarks.x_fakt import names as country_names

Table = Mapping[str, Mapping[str, list[str]]]


def rows(folder: Path, language: str) -> list[dict[str, str]]:
    """The rows of one language's file; without the extra folder that the repository has, too."""
    for place in (folder / "without_system_prompt", folder):
        for path, opener in ((place / f"{language}.csv", open), (place / f"{language}.csv.gz", gzip.open)):
            if path.is_file():
                with opener(path, "rt", encoding="utf-8") as file:
                    return list(csv.DictReader(file))
    raise SystemExit(f"{folder} holds no {language}.csv")


def accepted(country: str, language: str, names: Table) -> Accepted:
    """What answers the question, with the twelve other countries as known wrong answers."""
    elsewhere = {tag: tuple(given) for tag, given in names[country].items() if tag != language}
    rivals = {tag: {other: tuple(names[other][tag]) for other in names if other != country} for tag in names[country]}
    return Accepted(language, tuple(names[country][language]), elsewhere, rivals)


def rating(judged: str) -> int | None:
    """The last rating in a judge's words."""
    found = re.findall(r"\[(\d)\]", judged)
    return int(found[-1]) if found else None


def main() -> None:
    """Print the table of agreement."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("folder", type=Path, nargs="?", help="the folder with one folder per model")
    parser.add_argument("--disagreements", type=int, default=0, metavar="N", help="print every N-th disagreement")
    parser.add_argument(
        "--countries", metavar="LANGUAGE", help="the ratings of right answers by country, as in Swahili"
    )
    parser.add_argument("--quick", action="store_true", help="one model only")
    options = parser.parse_args()
    if options.folder is None:
        print("open answers: skipped, name the folder results/factual_recall of a checkout of X-FaKT")
        return
    names: Table = country_names()
    started = time.process_time()
    total: Counter[tuple[bool, bool]] = Counter()
    models = sorted(path for path in options.folder.iterdir() if path.is_dir())
    if options.countries:
        _by_country(models, options.countries, names)
        return
    print("| model | language | agree | both right | both wrong | only the reader | only the judge |")
    print("|---|---|---|---|---|---|---|")
    for folder in models[:1] if options.quick else models:
        english = rows(folder, "English")
        golds = [COUNTRIES[row["answers"]][0] for row in english]
        asked = [subject(row["Question"]) for row in english]
        for language, tag in LANGUAGES.items():
            cells: Counter[tuple[bool, bool]] = Counter()
            known = {country: accepted(country, tag, names) for country in names}
            for gold, about, row in zip(golds, asked, rows(folder, language), strict=True):
                found = read_open(row["Predicted"], replace(known[gold], about=(about,)))
                pair = found.verdict.startswith("right"), rating(row["llm_output"]) in (1, 2, 3)
                cells[pair] += 1
                number = cells[True, False] + cells[False, True]
                if options.disagreements and pair[0] != pair[1] and number % options.disagreements == 0:
                    judged, reply = rating(row["llm_output"]), row["Predicted"][:200]
                    print(f"{language} · {gold} · judge {judged} · {found.verdict} · {reply!r}")
            total += cells
            print(_row(folder.name, language, cells))
    print(_row("all", "all", total))
    print(f"\n{total.total()} replies in {time.process_time() - started:.1f} CPU s")


def _by_country(models: Sequence[Path], language: str, names: Table) -> None:
    """How the judge rates what the reader finds right in English, and how both agree, by country."""
    given: dict[str, Counter[bool]] = defaultdict(Counter)
    agreed: dict[str, Counter[bool]] = defaultdict(Counter)
    tag = LANGUAGES[language]
    for folder in models:
        for english, row in zip(rows(folder, "English"), rows(folder, language), strict=True):
            country = COUNTRIES[english["answers"]][0]
            asked = replace(accepted(country, tag, names), about=(subject(english["Question"]),))
            found, right = read_open(row["Predicted"], asked), rating(row["llm_output"]) in (1, 2, 3)
            agreed[country][found.verdict.startswith("right") == right] += 1
            if found.language == "en":
                given[country][right] += 1
    print("| country | named in the language | English name given: rated right | rated wrong | agree, all replies |")
    print("|---|---|---|---|---|")
    for country, counts in sorted(agreed.items()):
        rated, name = given[country], names[country][tag][0]
        share = counts[True] / counts.total()
        print(f"| {country} | {name} | {rated[True]} | {rated[False]} | {share:.3f} of {counts.total()} |")


def _row(model: str, language: str, cells: Counter[tuple[bool, bool]]) -> str:
    same = cells[True, True] + cells[False, False]
    counts = (cells[True, True], cells[False, False], cells[True, False], cells[False, True])
    return f"| {model} | {language} | {same / cells.total():.3f} | " + " | ".join(map(str, counts)) + " |"


if __name__ == "__main__":
    main()
