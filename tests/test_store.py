"""The evaluation's tables: sets, cells, readings that stay valid, runs, and merging two files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from clika_cache import StoredReply, prompt_text
from clika_cache import completions as cached
from clika_client.sets.packed import set_digest
from clika_client.sets.probes import Item, Probe, ProbeSet, build
from clika_client.store.merge import merge
from clika_client.store.store import CellKey, ImportedReply, Store
from clika_providers import Completion, Message


def little_set(n: int = 3, languages: tuple[str, ...] = ("en", "de")) -> ProbeSet:
    items = [Item(f"q{i}", {"relation": "r"}, f"c{i // 2}") for i in range(n)]
    probes = [
        Probe(f"q{i}", tag, f"Question {i}?", ("one", "two", "three"), i % 3, {"a": tag}, {"x": "y"})
        for tag in languages
        for i in range(n)
    ]
    return build("little", items, probes, reference=0.9, licence="CC0-1.0", source="a test", meta={"k": "v"})


def key_for(store: Store, probe_set: ProbeSet, language: str = "en", **fields: str) -> CellKey:
    return CellKey("m/x", '{"model":"x"}', store.add_set(probe_set), language, "plain", "text", **fields)  # type: ignore[arg-type]


def replies(texts: dict[int, str]) -> list[ImportedReply]:
    return [ImportedReply(p, f"q{p}", (Message("user", f"Q{p}"),), text) for p, text in texts.items()]


def test_a_set_comes_back_as_it_was(tmp_path: Path) -> None:
    with Store(tmp_path / "c.db") as store:
        original = little_set()
        number = store.add_set(original)
        assert store.add_set(original) == number
        assert store.probe_set(number) == original
        assert set_digest(store.probe_set(number)) == set_digest(original)
        assert store.probe_set(number).languages == ("en", "de")


def test_two_versions_of_a_set_are_two_sets(tmp_path: Path) -> None:
    with Store(tmp_path / "c.db") as store:
        assert store.add_set(little_set(3)) != store.add_set(little_set(4))


def test_a_cell_grows_and_stays_one(tmp_path: Path) -> None:
    with Store(tmp_path / "c.db") as store:
        key = key_for(store, little_set())
        first = store.add_cell(key, ("A", "B", "C"), {0: b"a" * 16})
        second = store.add_cell(key, ("A", "B", "C"), {2: b"c" * 16})
        assert first == second
        (cell,) = store.cells()
        assert cell.asked().tolist() == [0, 2]
        assert cell.key_at(2) == b"c" * 16
        assert cell.labels == ("A", "B", "C")


@pytest.mark.parametrize(
    "change", [{"source": "elsewhere"}, {"settings": '{"max_tokens":5}'}, {"language": "de"}, {"ask": "logprobs"}]
)
def test_cells_that_differ_in_anything_are_kept_apart(tmp_path: Path, change: dict[str, str]) -> None:
    from dataclasses import replace

    with Store(tmp_path / "c.db") as store:
        key = key_for(store, little_set())
        assert store.add_cell(key, ()) != store.add_cell(replace(key, **change), ())  # type: ignore[arg-type]


def test_an_asked_item_without_a_reply_is_missing(tmp_path: Path) -> None:
    with Store(tmp_path / "c.db") as store:
        key = key_for(store, little_set())
        store.add_replies(key, ("A", "B", "C"), replies({0: "A", 1: "B"}))
        store.add_cell(key, ("A", "B", "C"), {2: b"z" * 16})
        (cell,) = store.cells()
        found = store.replies(cell)
        assert cell.asked().tolist() == [0, 1, 2]
        assert found.positions.tolist() == [0, 1]
        assert found.texts == ["A", "B"]


def test_importing_twice_changes_nothing(tmp_path: Path) -> None:
    with Store(tmp_path / "c.db") as store:
        key = key_for(store, little_set(), source="theirs")
        assert store.add_replies(key, ("A", "B", "C"), replies({0: "A", 1: "B"})) == 2
        assert store.add_replies(key, ("A", "B", "C"), replies({0: "A", 1: "B"})) == 0
        assert len(store.cells()) == 1


def test_items_with_the_same_prompt_keep_their_own_replies(tmp_path: Path) -> None:
    with Store(tmp_path / "c.db") as store:
        key = key_for(store, little_set())
        same = (Message("user", "the same question"),)
        rows = [ImportedReply(i, f"q{i}", same, text) for i, text in enumerate(("A", "B"))]
        store.add_replies(key, ("A", "B", "C"), rows)
        assert store.replies(store.cells()[0]).texts == ["A", "B"]


def test_a_reading_is_kept_until_a_reply_is_added_or_replaced(tmp_path: Path) -> None:
    with Store(tmp_path / "c.db") as store:
        key = key_for(store, little_set())
        store.add_replies(key, ("A", "B", "C"), replies({0: "A"}))
        store.add_cell(key, ("A", "B", "C"), {1: b"b" * 16})
        (cell,) = store.cells()
        store.save_reading(cell, "standard/1", np.array([0, -2, -2], np.int8), np.zeros(3, np.uint8))
        kept = store.reading(cell, "standard/1")
        assert kept is not None
        assert kept[0].tolist() == [0, -2, -2]
        assert store.reading(cell, "standard/2") is None
        model = cached.model_id(store.database, "m/x", '{"model":"x"}')
        late = StoredReply(b"b" * 16, model, prompt_text((Message("user", "Q"),)), Completion("B"))
        with store.database.writing() as connection:
            cached.insert(connection, [late])
        assert store.reading(cell, "standard/1") is None


def test_a_complete_reading_outlives_other_replies_but_not_a_replacement(tmp_path: Path) -> None:
    with Store(tmp_path / "c.db") as store:
        key = key_for(store, little_set())
        store.add_replies(key, ("A", "B", "C"), replies({0: "A", 1: "B", 2: "C"}))
        (cell,) = store.cells()
        store.save_reading(cell, "standard/1", np.array([0, 1, 2], np.int8), np.zeros(3, np.uint8))
        store.add_replies(key_for(store, little_set(), "de"), ("A",), replies({0: "A"}))
        assert store.reading(cell, "standard/1") is not None
        model = cached.model_id(store.database, "m/x", '{"model":"x"}')
        with store.database.writing() as connection:
            again = StoredReply(cell.key_at(0), model, "[]", Completion("B"), replace=True)
            cached.insert(connection, [again])
        assert store.reading(cell, "standard/1") is None


def test_runs_remember_what_they_asked(tmp_path: Path) -> None:
    with Store(tmp_path / "c.db") as store:
        cell_id = store.add_cell(key_for(store, little_set()), ("A", "B", "C"), {0: b"a" * 16, 2: b"c" * 16})
        run = store.start_run({"limit": 2})
        store.add_run_cell(run, cell_id, [0, 2])
        assert store.runs()[0].status == "running"
        store.finish_run(run, "incomplete", ["one note"])
        (row,) = store.runs()
        assert (row.status, row.notes, row.config) == ("incomplete", ("one note",), {"limit": 2})
        assert store.run_positions(run)[cell_id].tolist() == [0, 2]
        assert [c.cell_id for c in store.cells(run)] == [cell_id]


def test_merging_unites_cells_of_the_same_question(tmp_path: Path) -> None:
    with Store(tmp_path / "one.db") as one, Store(tmp_path / "two.db") as two:
        two.add_set(little_set(5))  # row numbers differ between the files
        for store, texts in ((one, {0: "A"}), (two, {1: "B", 2: "C"})):
            store.add_replies(key_for(store, little_set(), source="theirs"), ("A", "B", "C"), replies(texts))
        run = two.start_run({"who": "two"})
        two.add_run_cell(run, two.cells()[0].cell_id, [1, 2])
        two.finish_run(run, "done")
    with Store(tmp_path / "one.db") as store:
        assert merge(store, tmp_path / "two.db")[0] == 2
        assert merge(store, tmp_path / "two.db")[0] == 0
        (cell,) = store.cells()
        assert store.replies(cell).texts == ["A", "B", "C"]
        assert [r.config for r in store.runs()] == [{"who": "two"}]
        assert store.run_positions(run)[cell.cell_id].tolist() == [1, 2]
