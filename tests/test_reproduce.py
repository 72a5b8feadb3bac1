"""The published responses give the published figures, and the paper's questions are answered from them."""

from __future__ import annotations

import io
import json
import math
from pathlib import Path

import pytest
from clika import clika
from release_factory import write_checkout
from rich.console import Console

from clika_client.common.errors import UserError
from clika_client.importers.release import import_release
from clika_client.report.reproduction import render_reproduction
from clika_client.scoring.answer_grid import AnswerGrid
from clika_client.scoring.chosen import Wanted
from clika_client.scoring.compare_groups import OTHERS
from clika_client.scoring.records import Scores
from clika_client.scoring.reproduce import STEPS, Reproduction, release_blocks, reproduce
from clika_client.scoring.score import score, score_store
from clika_client.scoring.score_sets import Options
from clika_client.sets.probes import ProbeSet
from clika_client.store.store import Store

SIZES = {"x_csqa": 40, "x_copa": 30, "x_geo": 24, "x_name": 24}
SETS = ("x_csqa", "x_copa", "x_geo", "x_name")

# Mean over the nine other languages, per set in the order above: English RA, other RA, other en-CO.
MEANS = {
    "chatgpt": ((1.00, 1.00, 1.00, 1.00), (0.703, 0.795, 0.790, 0.789), (0.642, 0.878, 0.817, 0.805)),
    "llama2_13b": ((0.681, 0.784, 0.931, 0.901), (0.326, 0.407, 0.557, 0.528), (0.438, 0.740, 0.673, 0.660)),
    "baichuan2_13b_base": ((0.894, 0.858, 0.917, 0.810), (0.435, 0.383, 0.532, 0.513), (0.485, 0.727, 0.653, 0.667)),
    "vicuna_13b_v1.5": ((0.863, 0.853, 0.896, 0.777), (0.469, 0.463, 0.578, 0.442), (0.524, 0.748, 0.709, 0.646)),
    "bloomz_7b1_mt": ((0.645, 0.284, 0.444, 0.314), (0.158, 0.064, 0.135, 0.166), (0.388, 0.796, 0.443, 0.570)),
    "bloom_7b1": ((0, 0, 0.056, 0), (0, 0.012, 0.030, 0.005), (0.972, 0.261, 0.422, 0.398)),
}
# x_csqa: Jaccard, kappa on correctness, agreement, kappa on answers, same-wrong; None is undefined.
PAIRS = {
    ("chatgpt", "de"): (0.6871, 0.4159, 0.690, 0.6115, 0.7027),
    ("chatgpt", "zh"): (0.6202, 0.3398, 0.613, 0.5140, 0.5820),
    ("chatgpt", "he"): (0.4969, 0.2255, 0.500, 0.3709, 0.5127),
    ("llama2_13b", "de"): (0.5030, 0.3513, 0.536, 0.3931, 0.6018),
    ("bloom_7b1", "de"): (1.0, 1.0, 1.0, None, 1.0),
    ("bloom_7b1", "zh"): (0.9949, 0.9968, 0.999, 0.0, 1.0),
}


Released = tuple[list[AnswerGrid], dict[int, ProbeSet]]


@pytest.fixture(scope="module")
def released() -> Released:
    """The release, read once for all tests here."""
    import os

    path = os.environ.get("CLIKA_OFFICIAL_DATA")
    if not path:
        pytest.skip("CLIKA_OFFICIAL_DATA is not set: name a checkout of the authors' release to run this test")
    blocks, sets, _ = release_blocks(Path(path))
    return blocks, sets


@pytest.fixture(scope="module")
def published(released: Released) -> Scores:
    return score(*released, Options(bootstrap=0))


@pytest.mark.parametrize("model", MEANS)
def test_the_mean_over_the_other_languages_is_the_published_one(published: Scores, model: str) -> None:
    rows = {row.set: row for row in published.rows if row.model == model}
    english, other, en_co = MEANS[model]
    assert [round(rows[name].paper_anchor_ra, 3) for name in SETS] == pytest.approx(english, abs=6e-4)
    assert [round(rows[name].paper_other_ra, 3) for name in SETS] == pytest.approx(other, abs=6e-4)
    assert [round(rows[name].paper_other_en_co, 3) for name in SETS] == pytest.approx(en_co, abs=6e-4)


def test_chatgpt_in_english_on_x_name_is_just_above_its_rounded_reference(published: Scores) -> None:
    record = next(r for r in published.records if (r.model, r.set, r.language) == ("chatgpt", "x_name", "en"))
    assert record.accuracy == pytest.approx(166 / 180)
    assert record.ra == pytest.approx(1.000331, abs=5e-7)


@pytest.mark.parametrize(("model", "language"), PAIRS)
def test_pair_metrics_of_x_csqa_are_the_independently_computed_ones(
    published: Scores, model: str, language: str
) -> None:
    record = next(r for r in published.records if (r.model, r.set, r.language) == (model, "x_csqa", language)).to_dict()
    names = ("en_co", "kappa_correct", "agreement", "kappa_answer", "same_wrong")
    for name, expected in zip(names, PAIRS[(model, language)], strict=True):
        if expected is None:
            assert record[name] is None
        else:
            assert record[name] == pytest.approx(expected, abs=6e-5)


def test_an_answerer_of_one_letter_is_flagged_in_every_language(published: Scores) -> None:
    records = [r for r in published.records if (r.model, r.set) == ("bloom_7b1", "x_csqa")]
    assert len(records) == 10
    assert all("degenerate" in record.flags for record in records)


def test_two_languages_that_say_one_letter_have_no_consistency_once_corrected(published: Scores) -> None:
    """Where both sides say one letter at least 95 % of the time, overlap is near 1 and corrected overlap near 0."""
    cells = {(r.model, r.set, r.language): r for r in published.records}
    for name in ("x_csqa", "x_copa", "x_name"):
        stuck = [
            r
            for (model, of, language), r in cells.items()
            if (of, "degenerate" in r.flags, "degenerate" in cells[(model, of, "en")].flags) == (name, True, True)
            and language != "en"
        ]
        known = [r.en_co_chance_corrected for r in stuck if r.en_co_chance_corrected == r.en_co_chance_corrected]
        assert not known or abs(sum(known) / len(known)) < 0.15


def test_no_model_flagged_in_most_languages_stands_in_the_upper_half_by_corrected_consistency(
    published: Scores,
) -> None:
    for name in SETS:
        rows = [row for row in published.rows if row.set == name]
        values = {row.model: row.other_en_co_chance_corrected for row in rows}
        ranked = sorted((m for m, value in values.items() if not math.isnan(value)), key=lambda m: -values[m])
        flagged = {row.model for row in rows if 2 * len(row.counted) < len(row.languages) - 1}
        assert not set(ranked[: len(rows) // 2]) & flagged


def test_what_other_models_explain_is_about_what_was_found_independently(published: Scores) -> None:
    for name, share in {"x_csqa": 0.67, "x_copa": 0.47, "x_geo": 0.71, "x_name": 0.56}.items():
        rows = [row for row in published.rows if row.set == name and row.shared_by_models > 0]
        own = sum(row.between_models / row.shared_by_models for row in rows)
        assert sum(row.between_models for row in rows) / own == pytest.approx(share, abs=0.1)


def test_a_model_below_chance_is_not_reported_above_it(published: Scores) -> None:
    row = next(r for r in published.rows if (r.model, r.set) == ("bloom_7b1", "x_copa"))
    assert round(row.paper_other_ra, 3) == 0.012
    assert row.all_other_ra == pytest.approx(-0.113, abs=5e-4)
    assert row.other_ra != row.other_ra, "most of its languages are one letter: no mean speaks for them"


def test_the_interval_of_a_mean_below_chance_leaves_chance_out(released: Released) -> None:
    blocks, sets = released
    kept = [b for b in blocks if b.key.model == "bloom_7b1" and sets[b.key.set_id].name == "x_copa"]
    (row,) = score(kept, sets, Options(bootstrap=10)).rows
    assert (row.all_other_ra_low, row.all_other_ra_high) == pytest.approx((-0.149, -0.075), abs=0.006)


def test_every_model_set_and_language_of_the_checkout_is_scored(published: Scores) -> None:
    models = {record.model for record in published.records}
    assert len(published.records) == len(models) * 40
    assert {record.coverage for record in published.records} == {1.0}


def test_importing_and_scoring_from_the_database_gives_the_same_figures(
    published: Scores, official_data: Path, tmp_path: Path
) -> None:
    """One model of each prompt style through the whole path: files, database, stored readings, scores."""
    import shutil

    root = tmp_path / "checkout"
    for file in sorted(official_data.rglob("*")):
        wanted = "_res_bf16" not in file.name or file.name.startswith("bloom_7b1_")
        if file.is_file() and wanted and file.relative_to(official_data).parts[0] in SETS:
            target = root / file.relative_to(official_data)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(file, target)
    with Store(tmp_path / "clika.db") as store:
        import_release(store, root)
        scores = score_store(store, wanted=Wanted(readings=("first-letter",)), bootstrap=0)
    straight = {(r.model, r.set, r.language): r.to_dict() for r in published.records}
    assert len(scores.records) == 80
    for record in scores.records:
        expected = straight[(record.model, record.set, record.language)]
        # A set has another number in a database than among the files.
        assert record.to_dict() | {"set_id": 0} == expected | {"set_id": 0}


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    models = ("chatgpt", "llama_13b", "chinese_llama_13b", "Stanford_Alpaca")
    return write_checkout(tmp_path_factory.mktemp("release") / "CLiKA", models, SIZES)


@pytest.fixture(scope="module")
def result(checkout: Path) -> Reproduction:
    return reproduce(checkout, Options(bootstrap=200))


def test_steps_whose_models_are_there_are_judged_and_the_others_are_named_absent(result: Reproduction) -> None:
    steps = [(finding.base, finding.tuned, finding.target) for finding in result.findings]
    assert steps == [("llama_13b", "chinese_llama_13b", "zh"), ("llama_13b", "Stanford_Alpaca", None)]
    assert any("llama2_13b" in step for step in result.absent)


def test_a_step_has_every_language_and_the_mean_of_those_it_was_not_aimed_at(result: Reproduction) -> None:
    changes = [change for change in result.findings[0].changes if change.set == "x_geo"]
    assert len(changes) == 11
    others = next(change for change in changes if change.language == OTHERS)
    singles = [change.ra.diff for change in changes if change.language not in (OTHERS, "zh")]
    assert others.ra.diff == pytest.approx(sum(singles) / 9)
    assert others.ra.low <= others.ra.diff <= others.ra.high


def test_reproduction_needs_no_database_and_leaves_none(checkout: Path, tmp_path: Path) -> None:
    done = clika("reproduce", checkout, "--json", "--bootstrap", 0, CLIKA_HOME=str(tmp_path / "home"))
    document = json.loads(done.stdout)
    assert len(document["records"]) == 4 * 40
    assert "computed" in document["computed_by"] or "clika" in document["computed_by"]
    assert not (tmp_path / "home").exists()


def test_the_report_is_marked_as_computed_by_this_tool_and_says_what_cannot_be_answered(checkout: Path) -> None:
    text = clika("reproduce", checkout, "--bootstrap", 50).stdout
    assert text.startswith("Computed by clika from the responses published by the authors")
    assert "Does continued pretraining help" in text
    assert "XRR) is satisfactory cannot be computed" in text
    assert "Not in this checkout" in text


@pytest.mark.parametrize("width", [80, 110])
def test_no_model_of_a_step_is_broken_on_a_narrow_screen(result: Reproduction, width: int) -> None:
    console = Console(file=io.StringIO(), width=width)
    render_reproduction(result, console)
    text = console.file.getvalue()  # type: ignore[attr-defined]
    steps = text.partition("others: the languages")[0]
    for finding in result.findings:
        assert finding.base in steps
        assert finding.tuned in steps
    assert max(map(len, text.splitlines())) <= width


def test_the_papers_questions_are_answered_in_sentences_before_any_table(checkout: Path) -> None:
    text = clika("reproduce", checkout, "--bootstrap", 50, COLUMNS="100").stdout
    assert "Of 1 steps, in the mean over the sets: RA of the language aimed at" in text
    assert text.index("corrected consistency of the others") < text.index("chatgpt")
    assert len(text.splitlines()) < 120


def test_models_that_are_not_trained_on_from_one_another_are_said_to_be_only_set_side_by_side() -> None:
    apart = {step.tuned for step in STEPS if not step.continued}
    assert apart == {("baichuan2_13b_base",), ("bloom_7b1",)}


def test_a_folder_without_responses_is_refused(tmp_path: Path) -> None:
    empty = write_checkout(tmp_path / "CLiKA", (), {"x_geo": 8})
    with pytest.raises(UserError, match="no published responses"):
        reproduce(empty)
    assert "holds none of the folders" in clika("reproduce", tmp_path / "CLiKA" / "x_geo" / "en", check=2).stderr
