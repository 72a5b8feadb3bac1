"""How often the reader of open answers agrees with a judge model, on the published replies and ratings of X-FaKT.

    python benchmarks/open_answers.py PATH/TO/X_FaKT/results/factual_recall

Each model's folder holds one CSV per language (also gzipped): Question, Predicted, answers, label, llm_output. The
judge rates 1 right in the asked language, 2 right in English, 3 right in another language, 4 wrong; agreement is on
right (1 to 3) or wrong. Accepted are names and demonyms of the 13 countries, never the machine-translated gold of
Turkey (a bird in several languages). With `--disagreements N` every N-th one is printed, to be judged by eye;
`--ceiling` says how far any rule could agree.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import re
import time
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from clika_client import Accepted, OpenAnswer, read_open
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


@dataclass(frozen=True, slots=True)
class Compared:
    """One reply: what the reader found, and how the judge rated it."""

    model: str
    language: str
    country: str
    found: OpenAnswer
    rating: int | None
    question: str
    reply: str

    @property
    def read_right(self) -> bool:
        """Right in whatever language, as the reader has it."""
        return self.found.verdict.startswith("right")

    @property
    def rated_right(self) -> bool:
        """The same in the judge's eyes: 1 in the asked language, 2 in English, 3 in another."""
        return self.rating in (1, 2, 3)


def compared(models: Sequence[Path], languages: Iterable[str] = LANGUAGES) -> Iterator[Compared]:
    """Every published reply, read now."""
    names: Table = country_names()
    for folder in models:
        english = rows(folder, "English")
        golds = [COUNTRIES[row["answers"]][0] for row in english]
        asked = [subject(row["Question"]) for row in english]
        for language in languages:
            known = {country: accepted(country, LANGUAGES[language], names) for country in names}
            for gold, about, row in zip(golds, asked, rows(folder, language), strict=True):
                found = read_open(row["Predicted"], replace(known[gold], about=(about,)))
                rated = rating(row["llm_output"])
                yield Compared(folder.name, language, gold, found, rated, row["Question"], row["Predicted"])


def main() -> None:
    """Print the table of agreement, or another one that was asked for."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("folder", type=Path, nargs="?", help="the folder with one folder per model")
    parser.add_argument("--disagreements", type=int, default=0, metavar="N", help="print every N-th disagreement")
    parser.add_argument(
        "--countries", metavar="LANGUAGE", help="the ratings of right answers by country, as in Swahili"
    )
    parser.add_argument("--ceiling", action="store_true", help="how far any rule could agree with the judge")
    parser.add_argument("--quick", action="store_true", help="one model only")
    options = parser.parse_args()
    if options.folder is None:
        print("open answers: skipped, name the folder results/factual_recall of a checkout of X-FaKT")
        return
    models = sorted(path for path in options.folder.iterdir() if path.is_dir())
    models = models[:1] if options.quick else models
    if options.countries:
        _by_country(models, options.countries)
    elif options.ceiling:
        _ceilings(models)
    else:
        _agreement(models, options.disagreements)


def _agreement(models: Sequence[Path], every: int) -> None:
    started = time.process_time()
    cells: dict[tuple[str, str], Counter[tuple[bool, bool]]] = defaultdict(Counter)
    for one in compared(models):
        counts, pair = cells[one.model, one.language], (one.read_right, one.rated_right)
        counts[pair] += 1
        if every and pair[0] != pair[1] and (counts[True, False] + counts[False, True]) % every == 0:
            verdict, reply = one.found.verdict, one.reply[:200]
            print(f"{one.language} · {one.country} · judge {one.rating} · {verdict} · {reply!r}")
    print("| model | language | agree | both right | both wrong | only the reader | only the judge |")
    print("|---|---|---|---|---|---|---|")
    for (model, language), counts in cells.items():
        print(_row(model, language, counts))
    total = sum(cells.values(), start=Counter[tuple[bool, bool]]())
    print(_row("all", "all", total))
    print(f"\n{total.total()} replies in {time.process_time() - started:.1f} CPU s")


def _ceilings(models: Sequence[Path]) -> None:
    """The best verdicts there are, chosen with the ratings in hand, for replies that cannot be told apart otherwise.

    Under one rule, replies of one language with the same verdict, answered in the same language, are called the same.
    By country, each of those groups may be called right for one country and wrong for another, and by the reader's rule
    beside. Alike are replies that differ in the words of their question only: where the judge calls some of them right
    and some wrong, nothing that reads a reply agrees with it.
    """
    groups: dict[str, list[dict[object, Counter[bool]]]] = defaultdict(lambda: [defaultdict(Counter) for _ in range(3)])
    agreed: dict[str, Counter[bool]] = defaultdict(Counter)
    for one in compared(models):
        said = one.found.verdict, one.found.language
        own = set(_words(one.question))
        alike = one.country, *(word for word in _words(one.reply) if word not in own)
        for group, key in zip(groups[one.language], (said, (one.country, *said, one.found.rule), alike), strict=True):
            group[key][one.rated_right] += 1
        agreed[one.language][one.read_right == one.rated_right] += 1
    print("| language | reader | one rule | by country and rule | alike replies | rated as most of them |")
    print("|---|---|---|---|---|---|")
    for language, (rule, country, alike) in groups.items():
        counts = agreed[language]
        best = [sum(max(votes.values()) for votes in group.values()) / counts.total() for group in (rule, country)]
        several = [votes for votes in alike.values() if votes.total() > 1]
        n = sum(votes.total() for votes in several)
        same = sum(max(votes.values()) for votes in several) / max(n, 1)
        print(
            f"| {language} | {counts[True] / counts.total():.3f} | {best[0]:.3f} | {best[1]:.3f} | {n} | {same:.3f} |"
        )


def _words(text: str) -> list[str]:
    return re.sub(r"[\W_]+", " ", unicodedata.normalize("NFKC", text).casefold()).split()


def _by_country(models: Sequence[Path], language: str) -> None:
    """How the judge rates what the reader finds right in English, and how both agree, by country."""
    given: dict[str, Counter[bool]] = defaultdict(Counter)
    agreed: dict[str, Counter[bool]] = defaultdict(Counter)
    for one in compared(models, (language,)):
        agreed[one.country][one.read_right == one.rated_right] += 1
        if one.found.language == "en":
            given[one.country][one.rated_right] += 1
    print("| country | named in the language | English name given: rated right | rated wrong | agree, all replies |")
    print("|---|---|---|---|---|")
    for country, counts in sorted(agreed.items()):
        rated, name = given[country], country_names()[country][LANGUAGES[language]][0]
        share = counts[True] / counts.total()
        print(f"| {country} | {name} | {rated[True]} | {rated[False]} | {share:.3f} of {counts.total()} |")


def _row(model: str, language: str, cells: Counter[tuple[bool, bool]]) -> str:
    same = cells[True, True] + cells[False, False]
    counts = (cells[True, True], cells[False, False], cells[True, False], cells[False, True])
    return f"| {model} | {language} | {same / cells.total():.3f} | " + " | ".join(map(str, counts)) + " |"


if __name__ == "__main__":
    main()
