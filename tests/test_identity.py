"""No figure under the wrong name: sets that share one, edited sets, partial languages, partial items, ghosts."""

from __future__ import annotations

import csv
import io
import json
import re
import tempfile
from dataclasses import replace
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from clika import clika, write_probes
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from rich.console import Console

from clika_client.common.errors import UserError
from clika_client.report.figure import panels
from clika_client.report.notes import notes
from clika_client.report.scores_csv import to_csv
from clika_client.report.signs import TERMINAL
from clika_client.report.table_layout import tables
from clika_client.report.terminal import render
from clika_client.scoring.answer_grid import AnswerGrid, RowKey
from clika_client.scoring.chosen import NothingStored, Wanted
from clika_client.scoring.compare import compare
from clika_client.scoring.load import load
from clika_client.scoring.records import Scores
from clika_client.scoring.score import Options, score, score_store
from clika_client.sets.probes import Item, Probe, ProbeSet, build
from clika_client.store.prune import prune_unanswered
from clika_client.store.store import CellKey, ImportedReply, Store

Replies = dict[tuple[str, int, str], dict[int, int | None]]
"""(model, set number, language) → item → choice, None for a failed request."""


def make_set(n: int, languages: tuple[str, ...] = ("en", "de", "fr"), shift: int = 0, name: str = "quiz") -> ProbeSet:
    items = [Item(f"q{i}") for i in range(n)]
    probes = [
        Probe(f"q{i}", tag, f"{tag} {i}?", ("w", "x", "y"), (i + shift) % 3) for tag in languages for i in range(n)
    ]
    return build(name, items, probes)


def keep(store: Store, found: ProbeSet, model: str, language: str, chosen: dict[int, int | None]) -> None:
    """Store replies as an import does."""
    key = CellKey(model, json.dumps({"m": model}), store.add_set(found), language, "p", "text", source="test")
    rows = [
        ImportedReply(i, f"q{i}", (), None if choice is None else "ABC"[choice], "stop") for i, choice in chosen.items()
    ]
    store.add_replies(key, ("A", "B", "C"), rows)


def scored(store: Store, **wanted: object) -> Scores:
    return score_store(store, wanted=Wanted(**wanted), bootstrap=0)  # type: ignore[arg-type]


def cells_of(scores: Scores) -> dict[tuple[str, str, str], tuple[int, float]]:
    return {(r.model, r.set, r.language): (r.n, r.accuracy) for r in scores.records}


# ---- sets of one name


def test_an_edited_set_is_a_new_version_and_the_newest_is_shown_by_default(tmp_path: Path) -> None:
    store = Store(tmp_path / "c.db")
    old, new = make_set(8), make_set(6, shift=1)
    for found in (old, new):
        keep(store, found, "m", "en", {i: i % 3 for i in range(found.n)})
    newest = scored(store)
    assert cells_of(newest) == {("m", "quiz", "en"): (6, 0.0)}
    assert newest.records[0].set_version == 2
    assert any("version 2 of 2, 6 items" in note and "--set-version 1" in note for note in newest.notes)
    assert cells_of(scored(store, set_version="1")) == {("m", "quiz", "en"): (8, 1.0)}
    both = scored(store, set_version="all")
    assert sorted(cells_of(both).values()) == [(6, 0.0), (8, 1.0)]
    assert sorted(table.items for table in tables(both)) == [6, 8]
    assert len({record.set for record in both.records}) == 2


def test_an_edited_file_asked_again_is_reported_as_what_it_is(tmp_path: Path) -> None:
    file, db = write_probes(tmp_path / "quiz.jsonl", 4), tmp_path / "c.db"
    for count in (4, 2):
        rows = [json.loads(line) for line in file.read_text("utf-8").splitlines()]
        kept = [row for row in rows if int(row["item_id"].strip("q")) < count or count == 4]
        file.write_text("".join(json.dumps(row) + "\n" for row in kept), "utf-8")
        replies = [
            {"id": row["item_id"], "language": row["language"], "model": "m", "response": "A" if count == 4 else "?"}
            for row in kept
        ]
        log = tmp_path / "log.jsonl"
        log.write_text("".join(json.dumps(row) + "\n" for row in replies), "utf-8")
        clika("import", log, "--set", file, "--db", db)
    newest = json.loads(clika("score", "--db", db, "--json").stdout)
    assert {(r["set_version"], r["no_answer_rate"]) for r in newest["records"]} == {(2, 1.0)}
    older = json.loads(clika("score", "--db", db, "--json", "--set-version", "1").stdout)
    assert {(r["set_version"], r["no_answer_rate"]) for r in older["records"]} == {(1, 0.0)}
    assert "version 2" in clika("score", "--db", db).stdout
    assert "give a number from 1 to 2" in clika("score", "--db", db, "--set-version", "3", check=2).stderr


@st.composite
def histories(draw: st.DrawFn) -> tuple[list[ProbeSet], Replies]:
    """Some sets of one name, and replies of some models to parts of them."""
    sets = [
        make_set(draw(st.integers(2, 5)), draw(st.sampled_from([("en", "de"), ("en", "de", "fr")])), shift)
        for shift in range(draw(st.integers(1, 3)))
    ]
    replies: Replies = {}
    for model in draw(st.sets(st.sampled_from(["a", "b", "c"]), min_size=1)):
        for number in draw(st.sets(st.sampled_from(range(len(sets))), min_size=1)):
            for language in draw(st.sets(st.sampled_from(sets[number].languages), min_size=1)):
                items = draw(st.sets(st.integers(0, sets[number].n - 1), min_size=1))
                replies[model, number, language] = {i: draw(st.sampled_from([0, 1, 2, None])) for i in items}
    return sets, replies


def name_of(shown: Scores, set_id: int) -> str:
    return next(record.set for record in shown.records if record.set_id == set_id)


def printed_figure(value: float) -> str:
    return "1.00" if value >= 0.9995 else f"{value:.3f}".removeprefix("0")


def printed(shown: Scores) -> dict[tuple[str, str, str], str]:
    """(model, set, language) → accuracy as the terminal shows it, read back from its text by place."""
    text = io.StringIO()
    render(shown, Console(file=text, width=250, color_system=None), show=("accuracy",), intervals=False)
    found: dict[tuple[str, str, str], str] = {}
    name, ends = "", {}
    for line in text.getvalue().splitlines():
        if re.search(r" items? · 3 choices", line):
            name = line.partition(" · ")[0]
        elif line.startswith("model "):
            # Columns are aligned to the right: a figure ends where its language's name ends, give or take a mark.
            ends = {match[0].rstrip("*"): match.end() for match in re.finditer(r"\S+", line)}
        elif (row := re.match(r"([abc])\b", line)) and ends:
            for figure in re.finditer(r"(?<= )([01]?\.\d+)[^ ]*", line):
                near = [tag for tag, end in ends.items() if abs(end - figure.end()) <= 1]
                if near and near[0] != "others":
                    assert (row[1], name, near[0]) not in found
                    found[row[1], name, near[0]] = figure[1]
    return found


Expected = dict[tuple[str, int, str], tuple[int, float, float]]


def check_drawing(shown: Scores, expected: Expected) -> None:
    """Every square of the heat map is one row's RA in one language of one set, and no two share a place."""
    squares = {}
    for title, rows in panels(shown):
        name, _, figure = title.rpartition(": ")
        for row in rows:
            place = (row["model"][0], name, row["language"].removesuffix(" *"), figure)
            assert place not in squares
            squares[place] = row["value"]
    drawn = {place[:3]: value for place, value in squares.items() if place[3] == "RA"}
    # Chance is 1/3 and no reference is published.
    wanted = {
        (model, name_of(shown, set_id), language): max((accuracy - 1 / 3) / (2 / 3), 0.0)
        for (model, set_id, language), (_, _, accuracy) in expected.items()
    }
    assert {place: max(value, 0.0) for place, value in drawn.items()} == pytest.approx(wanted)


def check_comparisons(store: Store, sets: list[ProbeSet], ids: list[int], answered: Replies) -> None:
    """Two models are compared on the items that both replied to, set by set."""
    loaded = load(store, Wanted(set_version="all"))
    models = sorted({model for model, _, _ in answered})
    for a, b in combinations(models, 2):
        rows = [[block for block in loaded.blocks if block.key.model == name] for name in (a, b)]
        asked = [{(block.key.set_id, tag) for block in found for tag in block.languages} for found in rows]
        if not asked[0] & asked[1]:
            with pytest.raises(UserError, match=f"'{a}' and '{b}' .* no common"):
                compare(*rows, loaded.sets)
            continue
        found = compare(*rows, loaded.sets)
        assert len({(d.set, d.language) for d in found.differences}) == len(found.differences)
        for number, set_id in enumerate(ids):
            for language in sets[number].languages:
                left, right = (answered.get((name, number, language), {}) for name in (a, b))
                both = [i for i in left if left[i] is not None and right.get(i) is not None]
                gold = [probe.gold for probe in sets[number].probes[language]]
                if both:
                    name = loaded.sets[set_id].name
                    said = [d for d in found.differences if (d.set, d.language) == (name, language)]
                    assert [d.n for d in said] == [len(both)]
                    shares = [sum(replies[i] == gold[i] for i in both) / len(both) for replies in (left, right)]
                    assert [said[0].accuracy.a, said[0].accuracy.b] == pytest.approx(shares)


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(histories())
def test_every_figure_is_the_one_computed_from_its_own_replies(history: tuple[list[ProbeSet], Replies]) -> None:
    sets, replies = history
    with tempfile.TemporaryDirectory() as folder, Store(Path(folder) / "c.db") as store:
        ids = [store.add_set(found) for found in sets]
        for (model, number, language), chosen in replies.items():
            keep(store, sets[number], model, language, chosen)
        answered = {key: chosen for key, chosen in replies.items() if any(c is not None for c in chosen.values())}
        if not answered:
            with pytest.raises(NothingStored):
                scored(store)
            return
        shown = scored(store, set_version="all")
        expected = {}
        for (model, number, language), chosen in answered.items():
            gold = [probe.gold for probe in sets[number].probes[language]]
            known = {i: choice for i, choice in chosen.items() if choice is not None}
            right = sum(choice == gold[i] for i, choice in known.items())
            expected[model, ids[number], language] = (len(chosen), len(known) / len(chosen), right / len(known))
        found = {(r.model, r.set_id, r.language): (r.n, r.coverage, r.accuracy) for r in shown.records}
        assert found.keys() == expected.keys()
        for cell, figures in expected.items():
            assert found[cell] == pytest.approx(figures), cell
        # One name is one set, in every table, figure and export.
        assert len({r.set for r in shown.records}) == len({r.set_id for r in shown.records})
        laid_out = [(table, row, cell) for table in tables(shown) for row in table.rows for cell in row.cells.values()]
        assert len(laid_out) == len(shown.records)
        for table, row, cell in laid_out:
            assert (cell.set, cell.model, cell.set_id) == (table.set, row.summary.model, row.summary.set_id)
        exported = list(csv.DictReader(io.StringIO(to_csv(shown))))
        assert {(r["model"], int(r["set_id"]), r["language"]): float(r["accuracy"]) for r in exported} == pytest.approx(
            {key: accuracy for key, (_, _, accuracy) in expected.items()}
        )
        assert printed(shown) == {
            (model, name_of(shown, set_id), language): printed_figure(accuracy)
            for (model, set_id, language), (_, _, accuracy) in expected.items()
        }
        document = json.loads(json.dumps(shown.to_json()))
        assert {(r["model"], r["set_id"], r["language"]): r["accuracy"] for r in document["records"]} == pytest.approx(
            {key: accuracy for key, (_, _, accuracy) in expected.items()}
        )
        check_drawing(shown, expected)
        check_comparisons(store, sets, ids, answered)
        newest = max(ids[number] for _, number, _ in answered)
        assert {r.set_id for r in scored(store).records} == {newest}
        # Rows are ranked only where they were asked the same.
        for table in tables(shown):
            ranked = [row for row in table.rows if not row.summary.unranked]
            compared = ranked[0].summary.compared_languages
            assert len({tuple(row.cells[tag].items for tag in compared) for row in ranked}) == 1
            for row in table.rows:
                counted = row.summary.counted
                assert set(counted) <= set(compared)
                if row.summary.other_ra == row.summary.other_ra:
                    rescaled = [(row.cells[tag].accuracy - 1 / 3) / (2 / 3) for tag in counted]
                    assert row.summary.other_ra == pytest.approx(sum(rescaled) / len(counted))


def test_rows_that_only_their_settings_set_apart_never_share_a_square(tmp_path: Path) -> None:
    store, found = Store(tmp_path / "c.db"), make_set(4)
    set_id = store.add_set(found)
    for settings_ in ('{"n": 1}', '{"n": 2}'):
        key = CellKey("m", "{}", set_id, "en", "p", "text", source="test", settings=settings_)
        store.add_replies(key, ("A", "B", "C"), [ImportedReply(0, "q0", (), "A", "stop")])
    for _, squares in panels(scored(store)):
        assert [row["model"] for row in squares] == [
            'm (p, text, standard, {"n": 1})',
            'm (p, text, standard, {"n": 2})',
        ]


# ---- what never answered


def test_a_cell_without_any_reply_is_no_row_takes_no_name_and_can_be_removed(tmp_path: Path) -> None:
    store = Store(tmp_path / "c.db")
    found = make_set(4)
    keep(store, found, "good", "en", {0: 0, 1: 1})
    keep(store, found, "good", "de", {0: None, 1: None})
    ghost = CellKey("good", '{"m": "another port"}', store.add_set(found), "en", "p", "text", source="test")
    store.add_replies(ghost, ("A", "B", "C"), [ImportedReply(0, "q0", (), None)])
    misspelt = replace(ghost, model="missing", identity='{"m": "missing"}', set_id=store.add_set(make_set(3, name="z")))
    store.add_replies(misspelt, ("A", "B", "C"), [ImportedReply(0, "q0", (), None)])
    scores = scored(store)
    assert cells_of(scores) == {("good", "quiz", "en"): (2, 1.0)}
    assert "No reply yet to any question: good in de." in scores.notes
    assert prune_unanswered(store) == 3
    assert [cell.key.model for cell in store.cells()] == ["good"]
    assert [info.name for info in store.set_infos()] == ["quiz"]
    assert cells_of(scored(store)) == cells_of(scores)


def test_a_server_that_is_off_leaves_nothing_in_later_reports(tmp_path: Path) -> None:
    file, db = write_probes(tmp_path / "quiz.jsonl", 2), tmp_path / "c.db"
    log = tmp_path / "log.jsonl"
    rows = [{"id": f"q{i}", "language": "en", "model": "openai/good", "response": "A"} for i in range(2)]
    log.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    clika("import", log, "--set", file, "--db", db)
    before = clika("score", "--db", db).stdout
    for model in ("openai/good", "openai/misspelt"):
        done = clika(
            "run", file, "-m", model, "--base-url", "http://127.0.0.1:9/v1", "--db", db, check=None, OPENAI_API_KEY="k"
        )
        assert done.returncode in (1, 2)
        assert "model" not in done.stdout, "no table of dashes"
    assert clika("score", "--db", db).stdout == before
    clika("cache", "prune", "--model", "openai/misspelt", "--yes", "--db", db)
    with Store(db) as store:
        assert "openai/misspelt" not in {cell.key.model for cell in store.cells()}


# ---- rows that look comparable and are not


def test_means_go_over_the_languages_that_rows_share_or_the_row_is_not_ranked(tmp_path: Path) -> None:
    store = Store(tmp_path / "c.db")
    found = make_set(6)
    weak: dict[int, int | None] = {i: i % 3 if i < 4 else (i + 1) % 3 for i in range(6)}
    perfect: dict[int, int | None] = {i: i % 3 for i in range(6)}
    for tag in ("en", "de", "fr"):
        keep(store, found, "wide", tag, weak if tag == "de" else perfect)
    for tag in ("en", "fr"):
        keep(store, found, "narrow", tag, perfect)
    table = tables(scored(store))[0]
    assert [(row.summary.model, bool(row.summary.unranked)) for row in table.rows] == [
        ("wide", False),
        ("narrow", True),
    ]
    assert table.rows[1].summary.other_ra != table.rows[1].summary.other_ra
    assert "1 of the 2 other languages that are compared)" in table.rows[1].label


def test_a_row_of_fewer_languages_and_other_items_says_both(tmp_path: Path) -> None:
    store, found = Store(tmp_path / "c.db"), make_set(6)
    for tag in ("en", "de", "fr"):
        keep(store, found, "wide", tag, {i: 0 for i in range(6)})
    for tag in ("en", "fr"):
        keep(store, found, "few", tag, {i: 0 for i in range(4)})
    (few,) = [row for row in tables(scored(store))[0].rows if row.summary.model == "few"]
    assert "asked in 1 of the 2 other languages that are compared, and other items, 4 of them" in few.label


def test_rows_with_other_items_say_so_with_their_number(tmp_path: Path) -> None:
    store = Store(tmp_path / "c.db")
    found = make_set(6)
    for tag in ("en", "de"):
        keep(store, found, "whole", tag, {i: 0 for i in range(6)})
        keep(store, found, "part", tag, {i: i % 3 for i in range(2)})
        keep(store, found, "uneven", tag, {i: 0 for i in range(6 if tag == "en" else 5)})
    table = tables(scored(store))[0]
    labels = {row.summary.model: row.label for row in table.rows}
    assert labels["whole"] == "whole"
    assert "asked other items, 2 of them" in labels["part"]
    assert "asked other items, 5 of them" in labels["uneven"]
    db = tmp_path / "c.db"
    store.close()
    printed = " ".join(clika("score", "--db", db, "--bootstrap", "0").stdout.split())
    assert "Other items in some languages than in others" in printed
    assert "uneven (en 6; de 5)" in printed


# ---- figures read where the model says something else


@pytest.mark.parametrize("share", [0.003, 0.9])
def test_labels_that_hold_little_of_the_first_token_s_probability_are_said_beside_the_figure(
    share: float,
) -> None:
    found = make_set(4)
    key = RowKey("m", 1, "plain", "logprobs", "probabilities")
    scores = np.log(np.full((1, 4, 3), share / 3) + np.eye(3)[[0, 0, 0, 0]] * 1e-9)
    block = AnswerGrid(
        key,
        ("en",),
        np.zeros((1, 4), np.int8),
        np.ones((1, 4), np.bool_),
        np.zeros((1, 4), np.uint8),
        scores=scores,
    )
    scores_of = score([block], {1: found}, Options(bootstrap=0))
    assert scores_of.records[0].label_mass == pytest.approx(share, rel=1e-3)
    said = [
        note for note in notes(tables(scores_of)[0], scores_of, TERMINAL) if "The labels hold less than half" in note
    ]
    assert bool(said) == (share < 0.5)
    assert not said or ("m en 0.3%" in said[0] and "--ask text" in said[0])
