"""Importing a checkout of the authors' release: what is taken, what is left out and why, and that it is repeatable."""

from __future__ import annotations

import json
import sqlite3
import time
from itertools import count
from pathlib import Path

import pytest
from clika import clika
from release_factory import file_name, write_checkout

from clika_client.common.errors import UserError
from clika_client.importers import cells
from clika_client.importers.detect import ImportOptions, detect, import_path
from clika_client.importers.release import import_release
from clika_client.scoring.chosen import Wanted
from clika_client.scoring.load import load
from clika_client.store.store import Store

SIZES = {"x_csqa": 12, "x_copa": 10, "x_geo": 8, "x_name": 8}
MODELS = ("chatgpt", "alpha_7b", "beta_13b_v1.5")


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    return write_checkout(tmp_path / "CLiKA", MODELS, SIZES)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "clika.db")


def test_every_model_set_and_language_is_taken(checkout: Path, store: Store) -> None:
    report = import_release(store, checkout)
    assert (report.replies, report.new, report.cells, report.files) == (3 * 10 * 38, 3 * 10 * 38, 120, 120)
    assert report.models == set(MODELS)
    assert not report.skipped_rows


def test_importing_twice_changes_nothing(checkout: Path, store: Store) -> None:
    import_release(store, checkout)
    before = [(cell.key, cell.keys) for cell in store.cells()]
    again = import_release(store, checkout)
    assert (again.new, again.changed, again.replies) == (0, 0, 1140)
    assert [(cell.key, cell.keys) for cell in store.cells()] == before


def test_chatgpt_and_the_open_models_keep_the_prompt_style_they_were_asked_with(checkout: Path, store: Store) -> None:
    import_release(store, checkout)
    styles = {(cell.key.model, cell.key.prompt) for cell in store.cells()}
    assert styles == {
        ("chatgpt", "paper-zero-shot"),
        ("alpha_7b", "paper-one-shot"),
        ("beta_13b_v1.5", "paper-one-shot"),
    }


def _commits(store: Store, checkout: Path) -> int:
    said: list[str] = []
    store.database.connection.set_trace_callback(said.append)
    import_release(store, checkout)
    store.database.connection.set_trace_callback(None)
    return said.count("COMMIT")


def test_a_slow_machine_commits_no_more_often_than_a_fast_one(
    checkout: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cells, "MOST_REPLIES", 300)
    with Store(tmp_path / "fast.db") as store:
        fast = _commits(store, checkout)
    seconds = count(0, 30)
    monkeypatch.setattr(time, "monotonic", lambda: float(next(seconds)))
    with Store(tmp_path / "slow.db") as store:
        assert _commits(store, checkout) == fast
    assert fast <= 1140 // 300 + 1 + len(SIZES)  # one for each set's questions


def test_others_can_write_while_an_import_reads_and_what_it_was_stopped_in_is_undone(
    checkout: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cells, "MOST_REPLIES", 300)
    path = tmp_path / "clika.db"
    Store(path).close()

    def write(done: int, *_: object) -> None:
        if done == 100:
            raise KeyboardInterrupt
        other = sqlite3.connect(path, timeout=0, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        other.close()

    with Store(path) as store:
        with pytest.raises(KeyboardInterrupt):
            import_release(store, checkout, write)
        assert not store.database.connection.in_transaction
    with Store(path) as store:
        (held,) = store.database.connection.execute("SELECT count(*) FROM completions").fetchone()
        assert 0 < held < 1140
        assert sum(len(cell.asked()) for cell in store.cells()) == held
        again = import_release(store, checkout)
        assert (again.new, again.changed) == (1140 - held, 0)


def test_imported_replies_say_where_they_come_from(checkout: Path, store: Store) -> None:
    import_release(store, checkout)
    assert {cell.key.source for cell in store.cells()} == {"clika-release"}
    rows = store.database.connection.execute("SELECT DISTINCT source FROM completions").fetchall()
    assert rows == [("clika-release",)]


def test_files_that_are_no_replies_are_counted_never_fatal(checkout: Path, store: Store) -> None:
    place = checkout / "x_geo" / "en"
    (place / "chatgpt_res_visual.jsonl").write_bytes(b"\x89PNG not json at all \xff\xfe")
    (place / "chatgpt_res_without_uuid.jsonl").write_text('{"id": 0, "res": "A"}\n')
    (place / "alpha_7b_res_fixed_en_prompt.jsonl").write_text("{broken\n")
    (place / "notes.txt").write_text("hello")
    (checkout / "x_geo" / "plots").mkdir()
    (checkout / "x_geo" / "plots" / file_name("alpha_7b")).write_text("{}\n")
    report = import_release(store, checkout)
    assert report.replies == 1140
    assert report.skipped_files.total() == 5 + 40


def test_damaged_rows_are_left_out_with_their_reason_and_the_rest_is_kept(checkout: Path, store: Store) -> None:
    file = checkout / "x_geo" / "en" / file_name("alpha_7b")
    rows = [json.loads(line) for line in file.read_text().splitlines()]
    rows[1]["uuid"] = 999
    rows[2]["label"] = "D" if rows[2]["label"] != "D" else "A"
    del rows[3]["res"]
    rows[5] = rows[4]
    lines = [json.dumps(row) for row in rows]
    lines[0] = lines[0][:40]
    file.write_text("\n".join([*lines, "[1, 2]", ""]))
    report = import_release(store, checkout)
    assert dict(report.skipped_rows) == {
        "not JSON": 1,
        "question not in the set": 1,
        "label differs from the question's answer": 1,
        "no reply text or no prompt": 1,
        "second reply to a question": 1,
        "not an object": 1,
    }
    assert report.examples["question not in the set"].endswith("line 2")
    loaded = load(store, Wanted(models=("alpha_7b",), sets=("x_geo",)))
    en = loaded.blocks[0].answers[loaded.blocks[0].languages.index("en")]
    assert (en == -2).sum() == 5


def test_an_empty_and_a_binary_file_of_replies_do_not_stop_the_rest(checkout: Path, store: Store) -> None:
    (checkout / "x_copa" / "zh" / file_name("alpha_7b")).write_bytes(b"")
    (checkout / "x_copa" / "JA" / file_name("alpha_7b")).write_bytes(bytes(range(256)))
    report = import_release(store, checkout)
    assert report.skipped_files["no usable row"] == 2
    assert report.replies == 1140 - 20


def test_a_checkout_with_only_some_sets_and_models_is_imported_as_far_as_it_goes(tmp_path: Path, store: Store) -> None:
    part = write_checkout(tmp_path / "part", ["alpha_7b"], {"x_geo": 8}, languages=("en", "de"))
    report = import_release(store, part)
    assert (report.replies, report.sets, report.languages) == (16, {"x_geo"}, {"en", "de"})


def test_a_set_whose_questions_cannot_be_read_is_left_out_with_the_reason(checkout: Path, store: Store) -> None:
    (checkout / "x_csqa" / "en" / "validation.jsonl").write_text("{broken\n")
    report = import_release(store, checkout)
    assert report.sets == {"x_copa", "x_geo", "x_name"}
    assert report.skipped_files["questions of the set cannot be read"] == 30
    assert "validation.jsonl" in report.examples["questions of the set cannot be read"]


def test_half_a_character_in_a_reply_is_stored_as_the_replacement_character(checkout: Path, store: Store) -> None:
    file = checkout / "x_geo" / "en" / file_name("alpha_7b")
    rows = [json.loads(line) for line in file.read_text().splitlines()]
    rows[0]["res"] = "A \ud83d"
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    report = import_release(store, checkout)
    assert report.replies == 1140
    assert import_release(store, checkout).changed == 0


def test_a_reply_that_changed_in_the_file_is_reported_and_the_stored_one_kept(checkout: Path, store: Store) -> None:
    import_release(store, checkout)
    file = checkout / "x_geo" / "en" / file_name("alpha_7b")
    rows = [json.loads(line) for line in file.read_text().splitlines()]
    rows[0]["res"] = "something else"
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert import_release(store, checkout).changed == 1


def test_progress_is_told_file_by_file(checkout: Path, store: Store) -> None:
    told: list[tuple[int, int, str]] = []
    import_release(store, checkout, lambda *event: told.append(event))
    assert [done for done, _, _ in told] == list(range(121))
    assert {total for _, total, _ in told} == {120}


def test_scores_right_after_the_import_equal_scores_read_again_from_the_text(checkout: Path, tmp_path: Path) -> None:
    database = tmp_path / "a.db"
    clika("import", checkout, "--db", database)
    first = json.loads(clika("score", "--db", database, "--json", "--bootstrap", 0).stdout)
    with Store(database) as store, store.database.writing() as connection:
        connection.execute("DELETE FROM readings")
    again = json.loads(clika("score", "--db", database, "--json", "--bootstrap", 0).stdout)
    assert first == again
    assert len(first["records"]) == 120


def test_a_checkout_is_recognised_and_a_folder_of_nothing_is_refused_with_the_formats(
    checkout: Path, tmp_path: Path
) -> None:
    assert detect(checkout) == "clika-release"
    assert detect(checkout / "x_geo") == "clika-release"
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match="no responses found"):
        detect(tmp_path / "empty")


def test_our_own_name_cannot_be_taken_by_an_import(checkout: Path, store: Store) -> None:
    with pytest.raises(UserError, match="own"):
        import_path(store, checkout, ImportOptions(source="own"))


def test_the_command_reports_what_was_taken_and_left_out(checkout: Path, tmp_path: Path) -> None:
    (checkout / "x_geo" / "en" / "notes.txt").write_text("hello")
    done = clika("import", checkout, "--db", tmp_path / "a.db")
    assert "1,140 replies (1,140 new) in 120 cells" in done.stdout
    assert "other files" in done.stdout
    assert "0 new, 1,140 already stored" in clika("import", checkout, "--db", tmp_path / "a.db").stdout
    assert "no such file" in clika("import", tmp_path / "nowhere", "--db", tmp_path / "a.db", check=2).stderr
