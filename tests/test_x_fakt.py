"""X-FaKT: its published replies and ratings imported, its totals and scores reproduced, its set asked by name."""

from __future__ import annotations

import csv
import json
import os
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from clika import clika, records

from clika_client.common.answer_codes import ELSEWHERE
from clika_client.importers.x_fakt import judged
from clika_client.scoring.metrics.counting import row_counts
from clika_client.scoring.metrics.counts import ScoredItems
from clika_client.scoring.metrics.transfer import factual_recall, transferability, x_fakt
from clika_client.sets.benchmarks.x_fakt import COUNTRIES, LANGUAGES, choices, names
from clika_client.sets.catalogue import resolve
from clika_client.store import judgements
from clika_client.store.store import Store

RATINGS = Path(__file__).parent / "data" / "xfakt" / "ratings.csv"
PUBLISHED = {
    "gemma-2-2b-it": {
        "Same-Correct": (766, 290, 376, 488, 312, 568, 187, 444, 416, 416, 601, 470, 267),
        "English-Correct": (0, 17, 0, 0, 0, 24, 5, 2, 0, 1, 9, 14, 0),
        "Different-Correct": (0, 0, 1, 1, 4, 99, 2, 6, 2, 0, 32, 126, 0),
        "Incorrect": (36, 495, 425, 313, 486, 111, 608, 350, 384, 385, 160, 192, 535),
    },
    "Mistral-7B-Instruct-v0.2": {
        "Same-Correct": (774, 68, 58, 592, 18, 393, 60, 110, 583, 203, 261, 11, 36),
        "English-Correct": (0, 277, 126, 55, 183, 179, 210, 203, 58, 160, 256, 421, 93),
        "Different-Correct": (0, 13, 44, 5, 45, 174, 40, 23, 12, 41, 93, 45, 15),
        "Incorrect": (28, 444, 574, 150, 556, 56, 492, 466, 149, 398, 192, 325, 658),
    },
}
"""Their file results_without_system_prompt.csv, languages in the order of LANGUAGES."""
README = {"Mistral-7B-Instruct-v0.2": (0.424, 0.559, 0.483), "gemma-2-2b-it": (0.463, 0.473, 0.468)}
"""FRS, KTS and X-FAKT as their README prints them."""


def ratings() -> dict[str, dict[tuple[str, str], tuple[int, ...]]]:
    found: dict[str, dict[tuple[str, str], tuple[int, ...]]] = {}
    with RATINGS.open(encoding="utf-8") as file:
        for row in csv.DictReader(file):
            counts = tuple(int(row[f"rated_{rating}"]) for rating in range(1, 5))
            found.setdefault(row["model"], {})[row["language"], row["country"]] = counts
    return found


@pytest.mark.parametrize("model", list(PUBLISHED))
def test_the_published_totals_follow_from_the_ratings(model: str) -> None:
    verdicts: dict[str, Counter[str]] = {}
    for (language, _), counts in ratings()[model].items():
        for rating, count in enumerate(counts, 1):
            verdict = judged(f"Rating: [[{rating}]]", LANGUAGES[language])
            assert verdict is not None
            column = {
                ("right", None): "Same-Correct",
                ("right in another language", "en"): "English-Correct",
                ("right in another language", None): "Different-Correct",
                ("wrong", None): "Incorrect",
            }[verdict]
            verdicts.setdefault(language, Counter())[column] += count
    for column, totals in PUBLISHED[model].items():
        assert tuple(verdicts[language][column] for language in LANGUAGES) == totals


@pytest.mark.parametrize("model", list(README))
def test_the_published_scores_follow_from_the_ratings(model: str) -> None:
    """Their code rounds each error rate to two places before it takes the means: so do we here, and nowhere else."""
    native, foreign = [], []
    for (language, country), counts in ratings()[model].items():
        rate = round(counts[3] / sum(counts), 2)
        (native if COUNTRIES[country][1] == LANGUAGES[language] else foreign).append(rate)
    assert (len(native), len(foreign)) == (13, 156)
    m1, m2 = sum(foreign) / len(foreign), sum(native) / len(native)
    scores = (factual_recall(m1, m2), transferability(m1, m2), x_fakt(m1, m2))
    assert tuple(round(float(score), 3) for score in scores) == README[model]


@pytest.mark.parametrize("model", list(README))
def test_our_own_figures_differ_from_theirs_by_the_rounding_alone(model: str) -> None:
    """The answers behind the ratings, one item per rating, through the function that scores rows."""
    table = ratings()[model]
    tags, countries = list(LANGUAGES), list(COUNTRIES)
    blocks = {country: sum(table["English", country]) for country in countries}
    answers = np.concatenate(
        [
            np.array([np.repeat([0, ELSEWHERE, ELSEWHERE, 1], table[tag, country]) for tag in tags])
            for country in countries
        ],
        axis=1,
    ).astype(np.int8)
    n = answers.shape[1]
    origins = np.repeat([list(LANGUAGES.values()).index(COUNTRIES[c][1]) for c in countries], list(blocks.values()))
    questions = ScoredItems(np.zeros(n, np.int8), np.full(n, 13), open=True)
    counts = row_counts(answers, questions, origins, lambda columns: columns.astype(float).sum(-1, keepdims=True))
    m1, m2 = float(counts.foreign_error[0]), float(counts.native_error[0])
    found = (factual_recall(m1, m2), transferability(m1, m2), x_fakt(m1, m2))
    assert all(abs(float(ours) - theirs) < 0.0015 for ours, theirs in zip(found, README[model], strict=True))


def test_nothing_wrong_is_one_and_everything_wrong_recalls_nothing() -> None:
    assert [float(score(0, 0)) for score in (factual_recall, transferability, x_fakt)] == [1, 1, 1]
    assert float(factual_recall(1, 1)) == 0
    assert float(transferability(1, 1)) == 1
    assert float(transferability(1, 0)) == 0
    assert float(x_fakt(1, 1)) == 0


def test_every_country_has_a_name_in_every_language_and_no_two_share_one() -> None:
    for tag in LANGUAGES.values():
        assert len(set(choices(tag))) == len(COUNTRIES)
        assert all(names()[code][tag] for code, _ in COUNTRIES.values())


def look_alike(root: Path, model: str = "toy", suffix: str = ".csv") -> Path:
    """Three facts in the published layout: golds are translated by machine, and one rating is missing."""
    folder = root / model / "without_system_prompt"
    folder.mkdir(parents=True)
    golds = ("Turkey", "France", "Kenya")
    right, wrong, other = ("aligns [[1]]", "not [[4]]", "English [[2]]")
    replies = {
        "English": [("It is in Turkey.", other), ("France", right), ("Uganda", wrong)],
        "Hindi": [("तुर्की", wrong), ("It is in France.", other), ("मुझे नहीं पता", "no idea")],
        "Swahili": [("Uturuki", right), ("Ufaransa", right), ("Ni nchi ya Kenya.", right)],
    }
    for language, said in replies.items():
        rows = [["Question", "Predicted", "answers", "label", "llm_output"]]
        for number, ((reply, words), gold) in enumerate(zip(said, golds, strict=True)):
            local = gold if language == "English" else f"{language} for {gold}"
            asked = f"In which country is Place {number} located?" if language == "English" else f"{language} {number}?"
            rows.append([asked, reply, local, "cities", f"Because.\n\nRating: {words}"])
        with (folder / f"{language}{suffix}").open("w", encoding="utf-8", newline="") as file:
            csv.writer(file).writerows(rows)
    return root


def test_replies_and_ratings_are_imported_and_kept_apart(tmp_path: Path) -> None:
    db = tmp_path / "c.db"
    done = json.loads(clika("import", look_alike(tmp_path / "results"), "--db", db, "--json").stdout)
    assert (done["source"], done["replies"], done["cells"]) == ("x-fakt", 9, 3)
    assert done["skipped_rows"] == {"no rating in the judge's words (the reply was kept)": 1}
    score = ("score", "--db", db, "--json", "--bootstrap", 0)
    ours = {r["language"]: r["verdicts"] for r in records(clika(*score))}
    assert (ours["en"]["right"], ours["en"]["wrong"]) == (2, 1)
    assert (ours["hi"]["right"], ours["hi"]["right in another language"], ours["hi"]["unknown"]) == (1, 1, 1)
    assert ours["sw"]["right"] == 3
    theirs = {r["language"]: r for r in records(clika(*score, "--reading", "judge:x-fakt"))}
    assert theirs["en"]["verdicts"]["right"] == 2  # for English, right in English is right
    assert theirs["hi"]["verdicts"]["wrong"] == 1
    assert theirs["hi"]["answered_in"] == {"en": 1}
    assert theirs["hi"]["coverage"] == pytest.approx(2 / 3)  # what was not rated is missing, not wrong
    both = records(clika(*score, "--reading", "open,judge:x-fakt"))
    assert {(r["reading"], r["language"]) for r in both} == {
        (reading, tag) for reading in ("open", "judge:x-fakt") for tag in ("en", "hi", "sw")
    }
    again = json.loads(clika("import", tmp_path / "results", "--db", db, "--json").stdout)
    assert again["new"] == 0


def test_a_judge_nobody_has_is_named_with_those_there_are(tmp_path: Path) -> None:
    db = tmp_path / "c.db"
    clika("import", look_alike(tmp_path / "results"), "--db", db)
    done = clika("score", "--db", db, "--reading", "judge:me", check=2)
    assert "no reply was judged by judge:me; judgements here are by: x-fakt" in done.stderr


def test_judgements_go_along_when_databases_are_merged(tmp_path: Path) -> None:
    one, two = tmp_path / "one.db", tmp_path / "two.db"
    clika("import", look_alike(tmp_path / "results"), "--db", one)
    clika("run", "atlas", "-l", "en", "--limit", 1, "-m", "mock/say:A", "--db", two)
    clika("cache", "merge", one, "--db", two)
    with Store(two, read_only=True) as store:
        assert judgements.judges(store) == ["x-fakt"]
        judged_cells = [cell for cell in store.cells() if judgements.of_cell(store, "x-fakt", cell)]
        assert len(judged_cells) == 3


def test_the_facts_are_a_set_by_name_too(tmp_path: Path) -> None:
    clika("sets", "add", "x-fakt", look_alike(tmp_path / "results"))
    found = resolve("x-fakt")
    assert found.open
    assert (found.n, found.languages) == (3, ("en", "hi", "sw"))
    assert found.items[0].tags["original_lang"] == "tr"
    assert [item.tags["subject"] for item in found.items] == ["Place 0", "Place 1", "Place 2"]
    assert found.probes["hi"][0].choices[found.probes["hi"][0].gold] == names()["TR"]["hi"][0]
    done = clika("run", "x-fakt", "-m", "mock/say:Türkiye", "--db", tmp_path / "c.db", "--json", "--bootstrap", 0)
    assert {r["ask"] for r in records(done)} == {"open"}


@pytest.mark.skipif("CLIKA_X_FAKT" not in os.environ, reason="CLIKA_X_FAKT names no results/factual_recall of X-FaKT")
def test_the_whole_of_the_published_replies_gives_the_published_totals(tmp_path: Path) -> None:
    db = tmp_path / "c.db"
    clika("import", os.environ["CLIKA_X_FAKT"], "--db", db)
    found = records(clika("score", "--db", db, "--json", "--bootstrap", 0, "--reading", "judge:x-fakt"))
    for model, totals in PUBLISHED.items():
        cells = {r["language"]: r for r in found if r["model"] == model}
        for number, tag in enumerate(LANGUAGES.values()):
            verdicts, english = cells[tag]["verdicts"], cells[tag]["answered_in"].get("en", 0)
            assert (verdicts["right"], english, verdicts["wrong"]) == (
                totals["Same-Correct"][number],
                totals["English-Correct"][number],
                totals["Incorrect"][number],
            )
            assert verdicts["right in another language"] - english == totals["Different-Correct"][number]
