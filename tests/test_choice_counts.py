"""Sets whose questions have different numbers of choices: asked, read, combined and stored by each one's own."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from clika import clika, records

from clika_client.answers.cells import labels_shown, read_texts, rotate, unrotate
from clika_client.common.errors import UserError
from clika_client.importers.detect import ImportOptions, import_path
from clika_client.sets.demo import GGUF
from clika_client.sets.probes import NOT_PARALLEL, Item, Probe, ProbeSet, absent, build
from clika_client.sets.user import read_user_set
from clika_client.store.store import CellKey, ImportedReply, Store


def mixed(counts: tuple[int, ...] = (2, 4, 3)) -> ProbeSet:
    items = [Item(f"q{i}") for i in range(len(counts))]
    return build("mixed", items, [probe(f"q{i}", "en", k) for i, k in enumerate(counts)])


def probe(name: str, language: str, k: int, gold: int = 0) -> Probe:
    return Probe(name, language, f"{name}?", tuple(f"{name} choice {j}" for j in range(k)), gold)


def test_chance_is_the_mean_of_one_over_each_number_of_choices() -> None:
    found = mixed()
    assert found.counts.tolist() == [2, 4, 3]
    assert (found.k, found.k_range) == (4, (2, 4))
    assert found.chance == pytest.approx((1 / 2 + 1 / 4 + 1 / 3) / 3)


def test_an_item_needs_the_same_choices_in_every_language() -> None:
    with pytest.raises(UserError, match="'q0' in 'de' has 2 choices, but 3 in another language"):
        build("bad", [Item("q0")], [probe("q0", "en", 3), probe("q0", "de", 2)])


def test_a_users_file_may_mix_numbers_of_choices_but_not_within_an_item(tmp_path: Path) -> None:
    rows = [
        {"item_id": f"q{i}", "language": tag, "question": "?", "choices": [f"c{j}" for j in range(2 + i)], "gold": i}
        for i in range(3)
        for tag in ("en", "de")
    ]
    file = tmp_path / "mine.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    assert read_user_set(file).counts.tolist() == [2, 3, 4]
    rows[1]["choices"] = ["c0", "c1", "c2"]
    file.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    with pytest.raises(UserError, match=r"line 2: item 'q0' has 3 choices in 'de', but 2 in 'en' \(line 1\)"):
        read_user_set(file)


def test_places_on_screen_turn_by_each_questions_own_number() -> None:
    counts = np.array([2, 4, 3])
    codes = np.array([1, 3, -1], np.int8)
    assert unrotate(codes, 1, counts).tolist() == [0, 0, -1]
    assert rotate(unrotate(codes, 1, counts), 1, counts).tolist() == codes.tolist()


def test_a_label_that_was_not_shown_is_no_answer() -> None:
    two, four = mixed().probes["en"][:2]
    assert labels_shown("ABCD", [two, four]) == [("A", "B"), ("A", "B", "C", "D")]
    codes, _ = read_texts(["C", "C"], "ABCD", [two, four], "first-letter")
    assert codes.tolist() == [-1, 2]


def test_a_language_may_lack_items_only_where_a_set_is_not_parallel() -> None:
    items = (Item("en:0"), Item("de:0"), Item("de:1"))
    probes = {
        "en": (probe("en:0", "en", 3, 2), absent("de:0", "en"), absent("de:1", "en")),
        "de": (absent("en:0", "de"), probe("de:0", "de", 2, 1), probe("de:1", "de", 4, 3)),
    }
    found = ProbeSet("exams", items, probes, meta={NOT_PARALLEL: "exams of each country"})
    assert not found.parallel
    assert (found.held("en"), found.held("de")) == ([0], [1, 2])
    assert found.counts.tolist() == [3, 2, 4]


def test_a_mixed_set_is_asked_in_every_order_and_scored_on_the_demo_model(tmp_path: Path) -> None:
    """Two choices have two orders and four have four: 2 + 4 + 3 requests in each language, none of them twice."""
    rows = [
        {
            "item_id": f"q{i}",
            "language": tag,
            "question": "Which?",
            "choices": [f"{tag} {i} {j}" for j in range(k)],
            "gold": 0,
        }
        for i, k in enumerate((2, 4, 3))
        for tag in ("en", "de")
    ]
    file, db = tmp_path / "mixed.jsonl", tmp_path / "a.db"
    file.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    run = ("run", file, "-m", f"gguf/{GGUF}", "--permute", "cyclic", "--db", db)
    plan = json.loads(clika(*run, "--dry-run", "--json").stdout)["plan"]
    assert plan[0]["to_send"] == 2 * (2 + 4 + 3)
    found = records(clika(*run, "--json", "--bootstrap", "0"))
    assert {r["n"] for r in found} == {3}
    assert {r["orders"] for r in found} == {4}


# ---- questions with one choice, which nobody can get wrong


def one_choice_database(path: Path) -> Path:
    """A sound set beside one of one-choice questions, as an earlier version took from logs, both answered."""
    held = {"en": "AAC", "de": "ABB"}
    with Store(path) as store:
        for name, counts in {"sound": (3, 3, 3), "single": (1, 1, 1), "some": (1, 4, 1), "low": (3, 3, 3)}.items():
            items = [Item(f"{name}{i}") for i in range(3)]
            probes = [probe(item.item_id, tag, k) for tag in held for item, k in zip(items, counts, strict=True)]
            set_id = store.add_set(build(name, items, probes, reference=0.2 if name == "low" else None))
            for model in ("m", "n", "o"):
                for tag, said in held.items():
                    rows = [ImportedReply(i, f"{name}{i}", (), text) for i, text in enumerate(said)]
                    key = CellKey(model, f'{{"model":"{model}","provider":"x"}}', set_id, tag, "plain", "text", "log")
                    store.add_replies(key, "ABCD"[: max(counts)], rows)
    return path


def test_questions_with_one_choice_spoil_no_other_score_of_a_database(tmp_path: Path) -> None:
    db = one_choice_database(tmp_path / "c.db")
    alone = records(clika("score", "--sets", "sound", "--db", db, "--json", "--bootstrap", "0"))
    together = records(clika("score", "--db", db, "--json", "--bootstrap", "0"))
    assert [record for record in together if record["set"] == "sound"] == alone
    assert {record["accuracy"] for record in alone if record["language"] == "en"} == {2 / 3}
    single = [record for record in together if record["set"] == "single"]
    assert len(single) == 6
    # Blind guessing is always right there, or better than the best: then there is no accuracy above chance.
    assert {record["ra"] for record in together if record["set"] in ("single", "low")} == {None}
    every = ("score", "--reference", "0.6", "--bootstrap", "0")
    said = " ".join(clika(*every, "--db", db).stdout.split())
    assert "1 at 60.0%, the reference you gave" in said
    assert "the reference you gave does not lie above chance here" in said
    for refused in ("0.2", "1.5", "nobody"):
        assert "--reference" in clika("score", "--sets", "sound", "--reference", refused, "--db", db, check=2).stderr
    some = ("score", "--reference", "m", "--bootstrap", "0")
    for command in some, ("compare", "m", "n"), ("items", "single"):
        clika(*command, "--db", db)
    clika("score", "--db", db, "--bootstrap", "0", "--csv", tmp_path / "all.csv")


def test_a_log_gives_no_questions_with_one_choice(tmp_path: Path) -> None:
    rows = [{"model": "m", "item_id": f"q{i}", "question": "?", "language": "en", "text": "A", "gold": "A",
             "choices": ["x"] if i == 1 else ["x", "y"]} for i in range(3)]  # fmt: skip
    file = tmp_path / "log.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    with Store(tmp_path / "c.db") as store:
        report = import_path(store, file, ImportOptions(format="table"))
        assert report.replies == 2
    assert any("one choice" in reason for reason in report.skipped_rows)
