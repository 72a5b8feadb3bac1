"""MKQA's exact match and F1, against the values that its published tests state and against counts by hand."""

from __future__ import annotations

from pathlib import Path

import benchmark_factory as factory
import pytest
from clika import clika, records
from hypothesis import given
from hypothesis import strategies as st

from clika_client.answers.open.mkqa import best_with_threshold, exact_match, summary, token_f1, tokens
from clika_client.sets.benchmarks import kept
from clika_client.sets.probes import ACCEPTED, ANSWER_KIND


@pytest.mark.parametrize(
    ("language", "reply", "accepted", "exact", "f1"),
    [
        ("en", "first dummy answer", ["first dummy answer", "second dummy answer"], 1, 1),
        # Two of two tokens said are in the second answer's three: P 1, R 2/3.
        ("en", "alternative answer", ["dummy answer one", "alternative answer two"], 0, 0.8),
        ("en", "an answer ?? without stopwords", ["answer -- without, stopwords!!"], 1, 1),
        ("en", "", [""], 1, 1),
        ("en", "", ["first dummy answer"], 0, 0),
        ("en", "no", [""], 0, 0),
        ("en", "yes", ["yes"], 1, 1),
        ("es", "esto es manzana", ["esto es una manzana", "esta es otra manzana"], 1, 1),
        ("ar", "تفاحة", ["التفاحة", "هذه تفاحة"], 1, 1),
        ("fr", "c'est de la pomme", ["c'est la pomme", "c'est une autre pomme"], 1, 1),
        ("hu", "ez egy alma", ["ez alma", "ez egy újabb alma"], 1, 1),
        # Five of six characters said are in the second answer's seven.
        ("zh_cn", "这个一个苹果", ["这是还是苹果", "这是另一个苹果"], 0, 10 / 13),
        ("km", "នេះគឺជាផ្លែប៉ោម", ["នេះគឺជាផ្លែប៉ោមមួយទៀត"], 0, 0.8333333333333333),
        ("zh-CN", "这个一个苹果", ["这是另一个苹果"], 0, 10 / 13),
    ],
)
def test_replies_score_as_in_the_published_script(
    language: str, reply: str, accepted: list[str], exact: float, f1: float
) -> None:
    assert exact_match(reply, accepted, language) == exact
    assert token_f1(reply, accepted, language) == pytest.approx(f1, abs=1e-12)


def test_articles_are_taken_off_as_the_script_does_it_slips_included() -> None:
    assert tokens("l'école du désert", "fr") == ["lécole", "sert"] or tokens("du désert", "fr") == ["désert"]
    assert tokens("The  Hobbit!", "en") == ["hobbit"]
    assert tokens("A, b", "tr") == ["a", "b"]


SIX = [
    # (reply, accepted, score that there is no answer)
    ("Ridley Scott", ["Ridley Scott"], -11.6),
    ("Hafþór Júlíus `` Thor '' Björnsson", ["Hafþór Júlíus Björnsson"], -6.9),
    ("The visa policy of the United Kingdom", [""], 1.1),
    ("August 11 , 2018 October 4 , 2018", [""], -6.0),
    ("6", [""], 2.5),
    ("October 1 , 1961", ["1961"], -6.8),
]
"""The form of its test file: six replies, three of them to questions without an answer."""


def test_six_rows_give_the_means_counted_by_hand() -> None:
    exact = [exact_match(reply, accepted, "en") for reply, accepted, _ in SIX]
    f1 = [token_f1(reply, accepted, "en") for reply, accepted, _ in SIX]
    # Ridley Scott whole; three of four tokens, P 3/4 R 1: 6/7; none of the unanswerable; one of three, P 1/3 R 1: 1/2.
    assert exact == [1, 0, 0, 0, 0, 0]
    assert f1 == pytest.approx([1, 6 / 7, 0, 0, 0, 0.5])
    answerable = [accepted != [""] for _, accepted, _ in SIX]
    found = summary(exact, f1, answerable)
    assert (found.exact_match, found.answerable_exact_match, found.unanswerable_exact_match) == (16.67, 33.33, 0.0)
    assert (found.f1, found.answerable_f1) == (39.29, 78.57)
    # Taking replies up to -6.8: three unanswerable ones right, and 1 + 6/7 + 1/2.
    best, threshold = best_with_threshold(f1, answerable, [reply for reply, _, _ in SIX], [p for _, _, p in SIX])
    assert best == pytest.approx((3 + 1 + 6 / 7 + 0.5) / 6)
    assert threshold == -6.8


@given(st.text(max_size=40), st.sampled_from(["en", "zh", "fr", "ar", "sw"]))
def test_a_text_is_itself_and_no_score_leaves_its_bounds(text: str, language: str) -> None:
    assert exact_match(text, [text], language) == token_f1(text, [text], language) == 1
    assert 0 <= token_f1(text, ["the answer"], language) <= 1
    assert exact_match(text, ["x y"], language) <= token_f1(text, ["x y"], language)


def test_answers_of_every_type_are_read_and_mkqas_measures_stand_beside_ours(tmp_path: Path) -> None:
    factory.mkqa(tmp_path / "files")
    kept.add("mkqa", tmp_path / "files")
    found = kept.read("mkqa")
    assert [item.tags.get(ANSWER_KIND) for item in found.items] == [None, "date", "number", "yes-no"]
    assert found.probes["en"][0].fields[ACCEPTED] == "Christiania\nKristiania"
    assert ACCEPTED not in found.probes["en"][2].fields  # a list taken apart into characters is no list of aliases
    run = ("run", "mkqa", "--db", tmp_path / "c.db", "--json", "--bootstrap", 0)
    said = {r["language"]: r for r in records(clika(*run, "-m", "mock/say:kristiania"))}
    assert (said["en"]["accuracy"], said["en"]["exact_match"], said["en"]["token_f1"]) == (0.25, 0.25, 0.25)
    longer = {r["language"]: r for r in records(clika(*run, "-m", "mock/say:In Kristiania"))}
    # Right to our reader; not the answer itself, and P 1/2 R 1 to theirs.
    assert longer["en"]["accuracy"] == 0.25
    assert longer["en"]["exact_match"] == 0
    assert longer["en"]["token_f1"] == pytest.approx(0.25 * 2 / 3)


def test_all_questions_of_its_form_score_as_the_script_counts_those_without_an_answer(tmp_path: Path) -> None:
    factory.mkqa(tmp_path / "files")
    kept.add("mkqa-all", tmp_path / "files")
    found = kept.read("mkqa-all")
    assert [item.tags.get(ANSWER_KIND) for item in found.items] == [None, "date", "number", "yes-no", "none", "none"]
    run = ("run", "mkqa-all", "--db", tmp_path / "c.db", "--json", "--bootstrap", 0)
    # The empty prediction is right for the last two of six and for nothing else; a name is right for the first alone.
    for said, right in (("I do not know.", 2), ("Kristiania", 1)):
        (english,) = (r for r in records(clika(*run, "-m", f"mock/say:{said}")) if r["language"] == "en")
        assert english["accuracy"] == pytest.approx(right / 6)
        golds = [["Oslo", "Christiania", "Kristiania"], ["1814-05-17"], ["7.0"], ["yes"], [""], [""]]
        prediction = "" if said.startswith("I do") else said
        for field, measure in (("exact_match", exact_match), ("token_f1", token_f1)):
            assert english[field] == pytest.approx(sum(measure(prediction, gold, "en") for gold in golds) / 6)
