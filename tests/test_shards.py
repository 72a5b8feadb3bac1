"""Parquet shards of several databases are scored like the one database that holds all of their replies."""

from __future__ import annotations

import errno
import json
import math
import mmap
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from clika import clika

import clika_client
from clika_client.asking.settings import Asking
from clika_client.common.errors import UserError
from clika_client.scoring import put_aside, shards
from clika_client.scoring.chosen import Wanted
from clika_client.scoring.load import LoadedAnswers
from clika_client.scoring.records import Scores
from clika_client.scoring.score import score_store, scored
from clika_client.scoring.score_sets import Options
from clika_client.scoring.shards import score_shards
from clika_client.sets.probes import Item, Probe, ProbeSet
from clika_client.store.store import Store
from clika_providers import Completion, ItemError, Request
from clika_providers.mock import MockProvider

LANGUAGES = ("en", "de", "sw")
OPTIONS = Options(bootstrap=200)


def probes(name: str = "shared", n: int = 24) -> ProbeSet:
    items = tuple(Item(f"q{i}", {"kind": "odd" if i % 2 else "even"}, f"c{i // 2}") for i in range(n))
    asked = {
        language: tuple(
            Probe(f"q{i}", language, f"{language} {i}?", tuple(f"{language} {i} {j}" for j in range(4)), i % 4)
            for i in range(n)
        )
        for language in LANGUAGES
    }
    return ProbeSet(name, items, asked, reference=0.9)


def model(name: str, wrong: int) -> MockProvider:
    """Right but for every `wrong`th question, a refusal now and then, and one question that never gets a reply."""

    def say(request: Request) -> str | Exception:
        text = request.messages[-1].content
        digits = [int(word.rstrip("?")) for word in text.split() if word.rstrip("?").isdigit()]
        number = digits[0] + len(text)
        if digits[0] == 5:
            return ItemError("no reply to this one")
        if number % 11 == 0:
            return "I cannot answer that."
        return "ABCD"[digits[0] % 4 if number % wrong else (digits[0] + 1) % 4]

    return MockProvider(say, name=name)


def asked(path: Path, provider: Any, *sets: ProbeSet, **settings: Any) -> Path:
    asking = Asking(**settings)
    clika_client.run(list(sets or (probes(),)), [provider], db=path, scoring=OPTIONS, asking=asking)
    return path


def sharded(db: Path, wanted: Wanted | None = None) -> Path:
    shard = db.with_suffix(".parquet")
    clika_client.export(shard, db=db) if wanted is None else clika_client.export(shard, db=db, wanted=wanted)
    return shard


def figures(scores: Any) -> Any:
    """Everything but the runs, of which shards know nothing; undefined figures are equal."""
    held = scores.to_json()
    held.pop("runs")
    return json.loads(json.dumps(held, sort_keys=True))


def of_database(path: Path, wanted: Wanted | None = None) -> Any:
    with Store(path) as store:
        return figures(score_store(store, wanted=wanted, options=OPTIONS))


def test_shards_of_two_machines_score_as_the_merged_database_to_the_last_digit(tmp_path: Path) -> None:
    one = asked(tmp_path / "one.db", model("a", 5))
    two = asked(tmp_path / "two.db", model("b", 3), probes(), probes("second", 10))
    found = figures(score_shards([sharded(one), sharded(two)], options=OPTIONS))
    clika("cache", "merge", two, "--db", one)
    expected = of_database(one)
    order = [(row["model"], row["set"]) for row in expected["rows"]]
    assert sorted(order) == [("mock/a", "shared"), ("mock/b", "second"), ("mock/b", "shared")]
    assert found == expected
    coverage = {r["coverage"] for r in found["records"] if r["set"] == "shared"}
    assert coverage == {23 / 24}  # what was asked and never answered is known too


@pytest.mark.parametrize("settings", [{"repeats": 3}, {"permute": True}, {"ask": "logprobs"}])
def test_repeats_orders_and_probabilities_count_as_in_the_database(tmp_path: Path, settings: dict[str, Any]) -> None:
    def say(request: Request) -> Completion:
        number = len(request.messages[-1].content) + request.repeat
        odds = tuple(math.log((1 + (number * (i + 3)) % 7) / 20) for i in range(4))
        return Completion("ABCD"[number % 4], choice_logprobs=odds if request.mode == "logprobs" else None)

    db = asked(tmp_path / "c.db", MockProvider(say, name="m"), **settings)
    assert figures(score_shards([sharded(db)], options=OPTIONS)) == of_database(db)


def test_open_replies_keep_their_verdicts(tmp_path: Path) -> None:
    def say(request: Request) -> str:
        text = request.messages[-1].content
        number = next(int(word.rstrip("?")) for word in text.split() if word.rstrip("?").isdigit())
        return (f"de {number} {number % 4}", "sw 1 1", "I do not know.", "something else")[len(text) % 4]

    db = asked(tmp_path / "c.db", MockProvider(say, name="m"), ask="open")
    assert figures(score_shards([sharded(db)], options=OPTIONS)) == of_database(db)


def test_filters_mean_the_same(tmp_path: Path) -> None:
    db = asked(tmp_path / "c.db", model("a", 5), probes(), probes("second", 10))
    wanted = Wanted(sets=("second",), languages=("en", "sw"))
    assert figures(score_shards([sharded(db)], wanted, OPTIONS)) == of_database(db, wanted)
    with pytest.raises(UserError, match="no answers for model 'mock/z'"):
        score_shards([sharded(db)], Wanted(models=("mock/z",)), OPTIONS)
    with pytest.raises(UserError, match="they hold readings: standard"):
        score_shards([sharded(db)], Wanted(readings=("first-letter",)), OPTIONS)
    with pytest.raises(UserError, match="do not know runs"):
        score_shards([sharded(db)], Wanted(run_id="r"), OPTIONS)


def test_a_question_in_two_shards_counts_once_with_the_reply_of_the_first(tmp_path: Path) -> None:
    one = sharded(asked(tmp_path / "one.db", MockProvider("A", name="m")))
    two = sharded(asked(tmp_path / "two.db", MockProvider("B", name="m")))
    assert figures(score_shards([one, two], options=OPTIONS)) == figures(score_shards([one], options=OPTIONS))
    assert figures(score_shards([two, one], options=OPTIONS)) == figures(score_shards([two], options=OPTIONS))


def owner(array: Any) -> Any:
    """Whose memory an array shows."""
    while isinstance(array, np.ndarray) and array.base is not None:
        array = array.base
    return array.obj if isinstance(array, memoryview) else array


@pytest.mark.parametrize("settings", [{}, {"repeats": 2}, {"ask": "logprobs"}])
def test_nothing_of_a_reply_stays_in_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, settings: dict[str, Any]
) -> None:
    """Whatever is as large as the replies lies in a file, and is given back after every row."""
    held: list[LoadedAnswers] = []

    def keep(loaded: LoadedAnswers, options: Options, **more: Any) -> Scores:
        held.append(loaded)
        return scored(loaded, options, **more)

    def say(request: Request) -> Completion:
        odds = (-3.0, -1.0, -2.0, -2.5) if request.mode == "logprobs" else None
        return Completion("ABCD"[len(request.messages[-1].content) % 4], choice_logprobs=odds)

    monkeypatch.setattr(shards, "scored", keep)
    given = [sharded(asked(tmp_path / f"{name}.db", MockProvider(say, name=name), **settings)) for name in "ab"]
    score_shards(given, options=OPTIONS)
    blocks = held[0].blocks
    arrays = [a for b in blocks for a in (b.answers, b.reasons, b.asked, b.shown, b.scores, *(b.again or ()))]
    kept = [a for a in arrays if a is not None]
    assert len(kept) == 2 * {"repeats": 6, "ask": 4}.get(next(iter(settings), ""), 3)
    assert all(isinstance(owner(a), mmap.mmap) for a in kept)
    before = [a.tolist() for a in kept]
    held[0].release()
    assert [a.tolist() for a in kept] == before


def test_no_room_for_answers_is_told_before_any_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shard = sharded(asked(tmp_path / "c.db", model("a", 5)))

    def full(*_: Any) -> Any:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("tempfile.TemporaryFile", full)
    with pytest.raises(UserError, match=r"cannot be put aside in .*No space left on device; set TMPDIR"):
        score_shards([shard], options=OPTIONS)


@pytest.mark.parametrize("held_in_memory", [1, 1 << 20])
def test_what_is_put_aside_comes_back_as_it_was(monkeypatch: pytest.MonkeyPatch, held_in_memory: int) -> None:
    monkeypatch.setattr(put_aside, "_IN_MEMORY", held_in_memory)
    arrays = [np.arange(n * 3, dtype=np.float64).reshape(n, 3) / 7 for n in (4, 0, 2)]
    with put_aside.Shelf() as shelf:
        kept = [shelf.put({"ra": array}) for array in arrays]
        for array, found in reversed(list(zip(arrays, kept, strict=True))):
            assert list(found) == ["ra"]
            assert np.array_equal(found["ra"], array)


def test_what_is_no_shard_or_was_changed_is_told(tmp_path: Path) -> None:
    import pyarrow.parquet as pq

    good = sharded(asked(tmp_path / "c.db", model("a", 5)))
    table = pq.read_table(good)
    plain, other, cut = tmp_path / "plain.parquet", tmp_path / "other.parquet", tmp_path / "cut.parquet"
    pq.write_table(table.replace_schema_metadata(None), plain)
    renamed = table.set_column(0, "model", [["another"] * len(table)])
    pq.write_table(renamed.replace_schema_metadata(pq.read_metadata(good).metadata), other)
    cut.write_bytes(good.read_bytes()[:-100])
    for path, said in (
        (plain, "is no shard of replies"),
        (other, "are of no cell that it speaks of"),
        (cut, "cannot be read as a shard"),
        (tmp_path / "none.parquet", "there is no such file"),
    ):
        done = clika("score", path, check=2)
        assert said in done.stderr, (path, done.stderr)


def test_the_command_scores_shards_and_checks_them(tmp_path: Path) -> None:
    shard = sharded(asked(tmp_path / "c.db", model("a", 5)))
    done = clika("score", shard, "--json", "--bootstrap", 0)
    assert json.loads(done.stdout)["records"][0]["model"] == "mock/a"
    clika("score", shard, "--bootstrap", 0, "--fail-below", "accuracy=0.99", check=4)
    assert "do not know runs" in clika("score", shard, "--fail-if-worse", "--baseline", "x", check=2).stderr
