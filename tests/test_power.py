"""What a run could show is said beforehand, from stored answers or from stated assumptions; checked by simulation."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from clika import clika
from simulated import answers, gold

from clika_client.cli.power_cmd import _sentences
from clika_client.scoring.answer_grid import AnswerGrid, RowKey, block_of
from clika_client.scoring.metrics.significance import mcnemar_exact
from clika_client.scoring.power import plan
from clika_client.scoring.score_sets import Options, ScoredSet, make_parts
from clika_client.sets.probes import Item, Probe, ProbeSet


def a_part(n: int, languages: int, seed: int = 0, size: int = 1, correlation: float = 0.0) -> ScoredSet:
    tags = [f"l{i}" for i in range(languages)]
    probes = {t: tuple(Probe(str(i), t, "q", tuple("abcd"), int(g)) for i, g in enumerate(gold(n))) for t in tags}
    items = tuple(Item(str(i), cluster=str(i // size) if size > 1 else None) for i in range(n))
    random = np.random.default_rng(seed)
    rows: list[AnswerGrid] = []
    for name in ("a", "b"):
        lines = answers(random, 1, np.arange(n) // size, (0.6,) * languages, correlation)[:, 0]
        rows.append(block_of(RowKey(name, 0, "plain", "text", "standard"), tags, lines))
    return next(make_parts(rows, {0: ProbeSet("s", items, probes)}, Options()))


def test_the_smallest_difference_in_one_language_is_that_of_the_textbook() -> None:
    """Two independent proportions of .6 with 400 each: (1.96 + .84) sqrt(2 * .24 / 400), less for paired items."""
    found = plan("s", 400, 1, None)
    independent = (1.959964 + 0.841621) * (2 * 0.6 * 0.4 / 400) ** 0.5
    assert found.one_language == pytest.approx(independent * (1 - found.between_models) ** 0.5, abs=1e-4)
    assert found.mean == found.one_language
    assert found.stored == 0


def test_four_times_the_items_halve_it_and_more_languages_help_the_mean_and_hurt_the_single_one() -> None:
    small, large, many = plan("s", 100, 4, None), plan("s", 400, 4, None), plan("s", 100, 16, None)
    assert small.mean == pytest.approx(2 * large.mean)
    assert many.mean < small.mean
    assert many.one_of_all > small.one_of_all > small.one_language


def test_items_in_clusters_show_less() -> None:
    assert plan("s", 200, 4, [i // 10 for i in range(200)]).mean > plan("s", 200, 4, None).mean


def test_stored_answers_replace_the_assumptions() -> None:
    found = plan("s", 2000, 3, None, a_part(2000, 3))
    assert found.stored == 2
    assert found.accuracy == pytest.approx(0.6, abs=0.03)
    # The two models share nothing in the simulation but chance; languages of one model share difficulty.
    assert abs(found.between_models) < 0.06
    assert found.between_languages > 0.2


def test_what_the_stored_answers_cannot_tell_is_assumed_and_said() -> None:
    """Answers in one language tell nothing of several."""
    one = plan("s", 400, 5, None, a_part(400, 1))
    several = plan("s", 400, 5, None, a_part(400, 3))
    assert (one.stored, one.languages_assumed, several.languages_assumed) == (2, True, False)
    assert one.between_languages == plan("s", 400, 5, None).between_languages > 0
    assert "(assumed: no two models have answers in two languages)" in _sentences(one)[-1]
    assert "assumed" not in _sentences(several)[-1]
    assert "between languages" not in _sentences(plan("s", 400, 1, None))[-1]


def test_the_power_it_promises_is_the_power_there_is() -> None:
    """Two unrelated models of .55 and .65 on 200 items in one language, 400 times, by McNemar's exact test."""
    promised = plan("s", 200, 1, None, effect=0.1).chance_to_find
    random = np.random.default_rng(2)
    found = 0
    for _ in range(400):
        a, b = random.random(200) < 0.55, random.random(200) < 0.65
        found += mcnemar_exact(int((a & ~b).sum()), int((b & ~a).sum())) < 0.05
    assert promised is not None
    # Two models whose answers go together, as is assumed, are told apart more easily than these unrelated ones.
    assert found / 400 - 0.05 <= promised <= found / 400 + 0.2


def test_a_plan_is_printed_before_anything_is_asked(tmp_path: Path) -> None:
    home = {"CLIKA_HOME": str(tmp_path)}
    text = clika("power", "atlas", "-l", "en,de,sw", "--effect", 5, **home).stdout
    assert "in the mean over the languages" in text
    assert "clusters" in text
    assert "Assumed" in text
    assert "A difference of 5 points in the mean would be found" in text
    document = json.loads(clika("power", "atlas", "-l", "EN,de", "--limit", 50, "--json", **home).stdout)
    assert (document["items"], document["languages"], document["stored"]) == (50, 2, 0)


def test_the_models_that_were_asked_say_what_else_could_be_told(three_asked: Path, tmp_path: Path) -> None:
    """The set itself is known from the answers alone; its power comes from how its models answered."""
    done = clika("power", "mine", "--db", three_asked, "--json")
    document = json.loads(done.stdout)
    assert (document["set"], document["items"], document["languages"]) == ("mine", 24, 4)
    assert document["stored"] == 3
    said = " ".join(clika("power", "mine", "-l", "de", "--db", three_asked).stdout.split())
    assert "From 3 rows of stored answers" in said
    assert "1 language." in said
    assert "after Holm" not in said
    refused = clika("power", "mine", "--db", three_asked, "--only", "relation=none", check=2).stderr
    assert "no item" in refused
    unknown = clika("power", "nothing", "--db", tmp_path / "none.db", check=2).stderr
    assert "nothing" in unknown


def test_a_database_that_cannot_be_read_is_told_and_not_taken_for_an_empty_one(tmp_path: Path) -> None:
    broken = tmp_path / "broken.db"
    broken.write_bytes(b"no database" * 100)
    refused = clika("power", "atlas", "-l", "en,de", "--db", broken, check=2)
    assert "broken.db" in refused.stderr
    assert refused.stdout == ""
