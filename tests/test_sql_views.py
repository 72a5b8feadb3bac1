"""The views in the database itself: they say of each reply what the API's rows say, and nothing of another."""

from __future__ import annotations

import gzip
import json
import shutil
import sqlite3
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import clika_client
from clika_cache import StoredReply, prompt_text
from clika_cache import completions as cached
from clika_client.answers.cells import reading_for
from clika_client.report.rows.columns import RELATIONS
from clika_client.scoring.score import score_store
from clika_client.sets.probes import ACCEPTED, OPEN, Item, Probe, ProbeSet, build
from clika_client.store.sql_views import SQL_VIEWS
from clika_client.store.store import CellKey, ImportedReply, Store
from clika_providers import Completion, Message

QUIET = clika_client.Options(bootstrap=0)


def score(db: Path) -> clika_client.Scores:
    """As `clika score` does: what was read is kept."""
    with Store(db) as store:
        return score_store(store, options=QUIET)


def view(db: Path, name: str) -> list[dict[str, Any]]:
    connection = sqlite3.connect(db)
    connection.row_factory = sqlite3.Row
    rows = [dict(row) for row in connection.execute(f"SELECT * FROM {name}")]
    connection.close()
    return rows


def as_sql(value: Any) -> Any:
    if isinstance(value, list | tuple | dict):
        return json.loads(json.dumps(value))
    return value.isoformat(timespec="seconds") if hasattr(value, "isoformat") else value


def plain(row: dict[str, Any], columns: set[str]) -> dict[str, Any]:
    lists = {c.name for r in RELATIONS.values() for c in r if c.kind in ("texts", "reals", "map")}
    kept = {name: as_sql(row[name]) for name in columns}
    return {n: json.loads(v) if n in lists and isinstance(v, str) else v for n, v in kept.items()}


def asked(store: Store, key: CellKey, texts: list[Any], **fields: Any) -> None:
    rows = [ImportedReply(i, f"q{i}", (Message("user", f"Q{i}"),), text, **fields) for i, text in enumerate(texts)]
    store.add_replies(key, ("A", "B", "C"), rows)


def rivers(n: int = 3) -> ProbeSet:
    items = [Item(f"q{i}", {"relation": f"r{i % 2}"}, f"c{i // 2}" if i else None) for i in range(n)]
    probes = [
        Probe(f"q{i}", tag, f"{tag} {i}?", tuple(f"{tag} {i} {c}" for c in "xyz"), i % 3, {"lang": tag})
        for tag in ("en", "sw")
        for i in range(n)
    ]
    return build("rivers", items, probes)


def capitals() -> ProbeSet:
    names = {"en": ("Vienna", "Graz"), "de": ("Wien", "Graz")}
    probes = [Probe("q0", tag, "Capital of Austria?", names[tag], 0, fields={ACCEPTED: names[tag][0]}) for tag in names]
    return build("capitals", [Item("q0")], probes, meta={OPEN: "1"})


@pytest.fixture(scope="module")
def db(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("views") / "c.db"
    with Store(path) as store:
        number = store.add_set(rivers())
        store.add_set(replace(rivers(2), version="2"))  # never asked: counts for nothing
        one = CellKey("m/x", '{"weights":"1"}', number, "en", "plain", "text")
        asked(store, one, ["A", "I cannot help with that.", None])
        asked(store, replace(one, language="sw"), ["A", "=cmd()", "C"])
        asked(store, replace(one, identity='{"weights":"2"}'), ["B", "B", "B"])
        asked(store, replace(one, ask="logprobs", rotation=1), ["", "", ""], choice_logprobs=(-3.0, -0.1, -2.0))
        openly = CellKey("m/x", '{"weights":"1"}', store.add_set(capitals()), "en", "open", "open")
        asked(store, openly, ["It is Wien."])
        run = store.start_run({"models": ["m/x"], "sets": ["rivers"], "tag": "first"})
        store.add_run_cell(run, 1, [0, 1])
        store.finish_run(run, "done", ["a note"])
    score(path)
    return path


@pytest.mark.parametrize("name", ["replies", "items", "runs"])
def test_a_view_holds_the_rows_of_the_api(db: Path, name: str) -> None:
    columns = {column.name for column in RELATIONS[name]}
    expected = [plain(row, columns) for row in clika_client.rows(name, db).to_records()]
    found = [plain(row, columns) for row in view(db, name)]
    order = sorted(columns)
    assert sorted(found, key=lambda r: repr([r[c] for c in order])) == sorted(
        expected, key=lambda r: repr([r[c] for c in order])
    )
    assert {column for row in view(db, name) for column in row} == columns


def test_scores_in_the_database_are_the_points_of_the_scores(db: Path) -> None:
    names = ("model", "set", "language", "ask", "reading")
    found = {tuple(row[n] for n in names): row for row in view(db, "scores")}
    records = clika_client.rows("scores", db).to_records()
    assert len(found) == len(records) == 5
    for record in records:
        row = found[tuple(record[n] for n in names)]
        for figure in ("answered", "accuracy", "no_answer_rate", "chance", "en_co"):
            if not (figure == "chance" and record["ask"] == "open"):
                assert row[figure] == (None if record[figure] is None else pytest.approx(record[figure])), figure


def test_a_reply_that_was_replaced_has_no_choice_until_it_is_read(tmp_path: Path) -> None:
    path = tmp_path / "c.db"
    with Store(path) as store:
        key = CellKey("m/x", '{"model":"x"}', store.add_set(rivers()), "en", "plain", "text")
        asked(store, key, ["A", "A", None])
        assert [row["choice"] for row in view(path, "replies")] == [None, None]
        score(path)
        assert [(row["choice"], row["correct"]) for row in view(path, "replies")] == [(0, 1), (0, 0)]
        (cell,) = store.cells()
        model = cached.model_id(store.database, "m/x", '{"model":"x"}')
        new = StoredReply(cell.key_at(0), model, prompt_text((Message("user", "Q0"),)), Completion("C"), replace=True)
        with store.database.writing() as connection:
            cached.insert(connection, [new])
        assert [(row["reply"], row["choice"]) for row in view(path, "replies")] == [("C", None), ("A", None)]
        score(path)
        assert [row["choice"] for row in view(path, "replies")] == [2, 0]
        store.add_cell(key, ("A", "B", "C"), {1: cell.key_at(0)})  # another question's reply stands there now
        assert [row["choice"] for row in view(path, "replies")] == [None, None]


def test_a_database_of_version_0_1_has_the_views_once_it_was_opened(tmp_path: Path) -> None:
    path = tmp_path / "old.db"
    with gzip.open(Path(__file__).parent / "data" / "version_0_1.db.gz") as packed, path.open("wb") as old:
        shutil.copyfileobj(packed, old)
    accuracies = {(r.model, r.language): r.accuracy for r in score(path).records}
    assert len(view(path, "replies")) == 11 + 4 + 12
    assert {(r["model"], r["language"]): r["accuracy"] for r in view(path, "scores")} == pytest.approx(accuracies)


def test_the_views_show_the_readings_that_scores_show_by_default() -> None:
    for ask in ("text", "logprobs", "likelihood", "open"):
        assert f"'{reading_for(ask, 'standard')}'" in SQL_VIEWS
