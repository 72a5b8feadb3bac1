"""From stored replies to rows: orders and repeats combined, runs kept apart, readings kept and renewed."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from clika_client.answers.cells import read_cell, rotate, unrotate
from clika_client.common.errors import UserError
from clika_client.importers.common import identity_of
from clika_client.scoring.chosen import Wanted
from clika_client.scoring.load import load
from clika_client.scoring.metrics import MISSING, NO_ANSWER
from clika_client.scoring.score import Options, score, score_store
from clika_client.sets.probes import Item, Probe, ProbeSet
from clika_client.store.store import CellKey, ImportedReply, Store
from clika_providers import Message

LABELS = ("A", "B", "C", "D")
TEXTS = ("north", "east", "south", "west")


def a_set(n: int = 4) -> ProbeSet:
    probes = {tag: tuple(Probe(str(i), tag, f"Which is {i}?", TEXTS, i % 4) for i in range(n)) for tag in ("en", "de")}
    return ProbeSet("compass", tuple(Item(str(i)) for i in range(n)), probes)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "clika.db")


def add(store: Store, replies: list[str | None], language: str = "en", model: str = "m", **key: object) -> CellKey:
    """Store one cell's replies; they look like an import's."""
    details = {"identity": identity_of("x", model), "prompt": "plain", "ask": "text", "source": "x", **key}
    cell = CellKey(model=model, set_id=store.add_set(a_set()), language=language, **details)  # type: ignore[arg-type]
    said = (Message("user", f"{language} {key}"),)
    store.add_replies(cell, LABELS, [ImportedReply(i, str(i), said, text) for i, text in enumerate(replies)])
    return cell


def test_a_label_on_screen_is_mapped_back_to_the_set_s_own_choice(store: Store) -> None:
    """Rotation r shows choice (p + r) mod k at position p, so `A` means choice r."""
    for rotation in range(4):
        add(store, ["A", "A.", "west", None], rotation=rotation)
    cells = [read_cell(store, cell, "standard", a_set()) for cell in store.cells()]
    assert [cell.choices.tolist() for cell in cells] == [[r, r, 3, MISSING] for r in range(4)]


@pytest.mark.parametrize("k", [2, 3, 5])
def test_rotating_and_unrotating_are_inverse_and_leave_no_answers_alone(k: int) -> None:
    codes = np.array([*range(k), NO_ANSWER, MISSING], np.int8)
    for rotation in range(k):
        assert unrotate(rotate(codes, rotation, k), rotation, k).tolist() == codes.tolist()


def test_several_orders_become_one_row_with_the_most_frequent_choice(store: Store) -> None:
    for rotation in range(4):
        add(store, [LABELS[(1 - rotation) % 4], "A", "A", "A"], rotation=rotation)
    (block,) = load(store).blocks
    assert block.orders == 4
    assert block.answers[0].tolist() == [1, 0, 0, 0]


def test_a_model_that_always_says_a_is_caught_whatever_the_orders(store: Store) -> None:
    for rotation in range(4):
        add(store, ["A"] * 4, rotation=rotation)
    record = score_store(store, bootstrap=0).records[0]
    # On 20 answers and more this share is flagged.
    assert record.top_choice_share == 1.0
    assert record.orders == 4


def test_a_model_that_always_says_a_never_agrees_with_itself_in_another_order(store: Store) -> None:
    for rotation in range(2):
        add(store, ["A"] * 4, rotation=rotation)
    assert score_store(store, bootstrap=0).records[0].self_agreement == 0


def test_asked_once_there_is_no_agreement_with_oneself(store: Store) -> None:
    add(store, ["A", "B", "C", "D"])
    assert np.isnan(score_store(store, bootstrap=0).records[0].self_agreement)


def test_position_bias_is_reported_before_and_after_combining_orders(store: Store) -> None:
    add(store, ["A", "A", "C", "D"], rotation=0)
    for rotation in (1, 2, 3):
        add(store, [LABELS[(i - rotation) % 4] for i in range(4)], rotation=rotation)
    record = score_store(store, bootstrap=0).records[0]
    assert record.position_bias == pytest.approx(0.25)
    assert record.position_bias_combined == 0
    assert record.accuracy == 1.0


def test_repeats_are_combined_and_counted(store: Store) -> None:
    for repeat, text in enumerate(("A", "B", "B")):
        add(store, [text] * 4, repeat=repeat)
    (block,) = load(store).blocks
    assert (block.repeats, block.answers.tolist()) == (3, [[1] * 4])


def test_two_models_behind_one_name_are_two_rows_with_names_of_their_own(store: Store) -> None:
    add(store, ["A"] * 4, identity='{"model":"m","provider":"one"}')
    add(store, ["B"] * 4, identity='{"model":"m","provider":"two"}')
    names = [block.key.model for block in load(store).blocks]
    assert len(set(names)) == 2
    assert all(name.startswith("m #") for name in names)
    assert len(load(store, Wanted(models=("m",))).blocks) == 2


@pytest.mark.parametrize("difference", [{"prompt": "other"}, {"source": "y"}, {"settings": '{"temperature":1.0}'}])
def test_what_was_asked_differently_is_never_one_row(store: Store, difference: dict[str, str]) -> None:
    add(store, ["A"] * 4)
    add(store, ["B"] * 4, **difference)
    assert [block.answers.tolist() for block in load(store).blocks] == [[[0] * 4], [[1] * 4]]


def test_a_reading_is_kept_and_renewed_when_replies_arrive(store: Store) -> None:
    key = add(store, ["A", None, None, None])
    assert load(store).blocks[0].answers.tolist() == [[0, MISSING, MISSING, MISSING]]
    said = (Message("user", "en {}"),)
    store.add_replies(key, LABELS, [ImportedReply(1, "1", said, "C")])
    assert load(store).blocks[0].answers.tolist() == [[0, 2, MISSING, MISSING]]


def test_only_what_a_run_asked_counts_in_its_report(store: Store) -> None:
    add(store, ["A"] * 4)
    add(store, ["B"] * 4, language="de")
    first = store.cells()[0]
    run = store.start_run({})
    store.add_run_cell(run, first.cell_id, [0, 2])
    (block,) = load(store, Wanted(run_id=run)).blocks
    assert (block.languages, block.asked.tolist()) == (("en",), [[True, False, True, False]])
    record = score_store(store, run_id=run, bootstrap=0).records[0]
    assert (record.n, record.coverage, record.accuracy) == (2, 1.0, 0.5)
    with pytest.raises(UserError, match="run 'nope'"):
        load(store, Wanted(run_id="nope"))


def test_two_readings_of_one_reply_are_two_rows_and_their_difference_is_told(store: Store) -> None:
    add(store, ["A", "The answer is B.", "C", "D"])
    loaded = load(store, Wanted(readings=("first-letter", "standard")))
    assert [block.answers.tolist() for block in loaded.blocks] == [[[0, NO_ANSWER, 2, 3]], [[0, 1, 2, 3]]]
    scores = score_store(store, wanted=Wanted(readings=("first-letter", "standard")), bootstrap=0)
    (difference,) = scores.reading_differences
    assert (difference.differ, difference.n) == (1, 4)
    assert (difference.accuracy_first, difference.accuracy_second) == (0.75, 1.0)


def test_why_there_is_no_answer_is_counted(store: Store) -> None:
    add(store, ["", "I cannot answer that.", "A or B", "A"])
    record = score(load(store).blocks, load(store).sets, Options(bootstrap=0)).records[0]
    assert sum(record.no_answer.values()) == 3
    assert record.no_answer["empty"] == 1
    assert record.no_answer_rate == 0.75


def test_two_quantizations_under_one_file_name_are_told_apart_by_quantization(store: Store) -> None:
    def named(*builds: tuple[str, str]) -> list[str]:
        name = f"gguf/{len(builds)}.gguf"
        for quantization, device in builds:
            known = {"provider": "gguf", "model": f"tiny 1M {quantization}", "device": device, "weights": name}
            add(store, ["A"], model=name, identity=json.dumps(known))
        return [block.key.model.replace(name, "m") for block in load(store, Wanted(models=(name,))).blocks]

    assert named(("Q4_K_M", "CPU")) == ["m"]
    assert named(("Q4_K_M", "CPU"), ("Q8_0", "CPU")) == ["m Q4_K_M", "m Q8_0"]
    alike = named(("Q8_0", "CPU"), ("Q8_0", "GPU"), ("F16", "CPU"))
    assert [name.partition(" #")[0] for name in alike] == ["m Q8_0", "m Q8_0", "m F16"]
    assert len(set(alike)) == 3
