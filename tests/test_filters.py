"""Which items are asked and scored: by tag, by a tag's value, and a sample in which every value has its share."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest
from clika import clika, records
from hypothesis import given
from hypothesis import strategies as st

from clika_client.common.errors import UserError
from clika_client.sets.demo import GGUF
from clika_client.sets.filters import check_tags, kept_items, sample
from clika_client.sets.probes import NOT_PARALLEL, Item, Probe, ProbeSet, absent, build


def tagged(subjects: str = "aabbbbcccc", flawed: tuple[int, ...] = (1,)) -> ProbeSet:
    """One item per letter, its subject; some have a tag in German only."""
    items = [Item(f"q{i}", {"subject": subject}) for i, subject in enumerate(subjects)]
    probes = [
        Probe(f"q{i}", tag, "?", ("x", "y"), 0, {"flaw": "typo"} if i in flawed and tag == "de" else {})
        for tag in ("en", "de")
        for i in range(len(subjects))
    ]
    return build("tagged", items, probes)


@pytest.mark.parametrize(
    ("drop", "only", "kept"),
    [
        (["subject=b"], [], [0, 1, 6, 7, 8, 9]),
        (["subject=a", "subject=c"], [], [2, 3, 4, 5]),
        ([], ["subject=a"], [0, 1]),
        ([], ["subject=a", "subject=b"], [0, 1, 2, 3, 4, 5]),
        (["flaw"], ["subject=a"], [0]),
        (["flaw=typo"], ["subject=a"], [0]),
        (["flaw=other"], ["subject=a"], [0, 1]),
        ([], ["flaw"], []),
    ],
)
def test_items_are_kept_by_tag_and_value(drop: list[str], only: list[str], kept: list[int]) -> None:
    assert kept_items(tagged(), drop, only).tolist() == kept


def test_a_tag_that_every_item_has_is_not_dropped_without_a_value() -> None:
    with pytest.raises(UserError, match="leaves no item of set 'tagged'; name a value: subject=a or b or c"):
        kept_items(tagged(), ["subject"])


def test_a_misspelt_tag_and_a_misspelt_value_are_told_with_those_there_are() -> None:
    with pytest.raises(UserError, match="--drop 'sbject': no item carries this tag; the sets have: flaw, subject"):
        check_tags([tagged()], ["sbject=a"], "--drop")
    with pytest.raises(UserError, match="--only subject=x: no item has this value; subject is one of: a, b, c"):
        check_tags([tagged()], ["subject=x"], "--only")
    check_tags([tagged()], ["ambiguous", "subject=b"], "--drop")


@given(subjects=st.text("abcd", min_size=1, max_size=40), limit=st.integers(1, 45), seed=st.integers(0, 9))
def test_a_stratified_sample_gives_every_value_its_share_within_one(subjects: str, limit: int, seed: int) -> None:
    found = tagged(subjects, ())
    rows = sample(found, range(found.n), limit, seed, "subject")
    assert len(rows) == min(limit, found.n)
    assert list(rows) == sorted(set(rows))
    drawn = Counter(subjects[i] for i in rows)
    for subject, n in Counter(subjects).items():
        assert abs(drawn[subject] - min(limit, found.n) * n / found.n) < 1
    assert rows == sample(found, range(found.n), limit, seed, "subject")


def test_a_set_that_is_not_parallel_gives_each_language_its_own_sample() -> None:
    items = tuple(Item(f"{tag}:{i}") for tag in ("en", "de") for i in range(5))
    probes = {
        tag: tuple(
            Probe(i.item_id, tag, "?", ("x", "y"), 0) if i.item_id.startswith(tag) else absent(i.item_id, tag)
            for i in items
        )
        for tag in ("en", "de")
    }
    found = ProbeSet("exams", items, probes, meta={NOT_PARALLEL: "exams"})
    rows = sample(found, range(10), 2, 0)
    assert [sum(i < 5 for i in rows), sum(i >= 5 for i in rows)] == [2, 2]


def test_run_score_and_compare_take_a_tag_with_its_value(tmp_path: Path) -> None:
    rows = [
        {"item_id": f"q{i}", "language": tag, "question": f"{i}?", "choices": ["x", "y"], "gold": i % 2,
         "tags": {"subject": "abc"[i % 3]}}
        for i in range(9)
        for tag in ("en", "de")
    ]  # fmt: skip
    file, db = tmp_path / "mine.jsonl", tmp_path / "a.db"
    file.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    run = ("run", file, "-m", f"gguf/{GGUF}", "--db", db, "--bootstrap", "0", "--json")
    assert {r["n"] for r in records(clika(*run, "--only", "subject=a"))} == {3}
    assert {r["n"] for r in records(clika(*run, "--drop", "subject=a", "--limit", "4", "--limit-by", "subject"))} == {4}
    clika(*run)
    assert {r["n"] for r in records(clika("score", "--db", db, "--json", "--only", "subject=a,subject=b"))} == {6}
    compared = json.loads(clika("compare", f"gguf/{GGUF.name}", "--db", db, "--json", "--drop", "subject=c").stdout)
    assert "6" in json.dumps(compared)
    assert "no item has this value" in clika(*run, "--only", "subject=z", check=2).stderr
    said = clika("score", "--db", db, "--only", "subject=a").stdout
    assert "not tagged subject=a" in said
