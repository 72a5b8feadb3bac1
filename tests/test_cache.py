"""The cache: content keys, write-through, sharing a file, and errors that name the cure."""

from __future__ import annotations

import asyncio
import dataclasses
import json
import multiprocessing
import sqlite3
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clika_cache import CachedProvider, CacheError, Database, KeyMaker, StoredReply, Writer, canonical, prompt_text
from clika_cache import completions as rows
from clika_providers import BaseProvider, Completion, Json, Message, Request, RetryableError, Usage


class Scripted(BaseProvider):
    """A provider whose answers cost nothing: counts calls, answers with the last message's text."""

    def __init__(self, model: str = "m", answers: list[Completion | Exception] | None = None) -> None:
        self.model = model
        self.calls = 0
        self.answers = answers or []

    @property
    def spec(self) -> str:
        return f"scripted/{self.model}"

    @property
    def identity(self) -> Mapping[str, Json]:
        return {"provider": "scripted", "model": self.model}

    @property
    def concurrency(self) -> int:
        return 4

    async def complete(self, request: Request) -> Completion:
        self.calls += 1
        await asyncio.sleep(0.01)
        answer = self.answers.pop(0) if self.answers else Completion(request.messages[-1].content, "stop")
        if isinstance(answer, Exception):
            raise answer
        return answer


def asking(text: str = "hello", **fields: Any) -> Request:
    return Request((Message("user", text),), **fields)


def run_through(path: Path, provider: Scripted, requests: list[Request], **options: Any) -> list[Completion]:
    """Ask `requests` through a cache on `path`, all at once."""

    async def go() -> list[Completion]:
        with Database(path) as database:
            writer = Writer(database)
            cached = CachedProvider(provider, database, writer, **options)
            try:
                return await asyncio.gather(*(cached.complete(r) for r in requests))
            finally:
                writer.close()

    return asyncio.run(go())


VARIANTS: dict[str, Any] = {
    "messages": (Message("user", "other"),),
    "mode": "logprobs",
    "labels": ("A", "B"),
    "max_tokens": 7,
    "temperature": 0.5,
    "seed": 1,
    "stop": ("\n",),
    "grammar": True,
    "thinking": True,
    "repeat": 1,
    "extra": (("top_k", 3),),
    "options": (" red", " blue"),
    "neutral": (Message("user", "Answer:"),),
}


def test_every_field_of_a_request_is_in_its_key() -> None:
    maker = KeyMaker({"provider": "p", "model": "m"})
    assert set(VARIANTS) == {f.name for f in dataclasses.fields(Request)}
    keys = {maker.key(asking())} | {maker.key(dataclasses.replace(asking(), **{n: v})) for n, v in VARIANTS.items()}
    assert len(keys) == len(VARIANTS) + 1


@given(st.text(), st.text(), st.text(min_size=1), st.text(min_size=1))
def test_keys_agree_exactly_when_question_and_model_agree(one: str, two: str, model: str, other: str) -> None:
    first = KeyMaker({"provider": "p", "model": model})
    second = KeyMaker({"provider": "p", "model": other})
    assert (first.key(asking(one)) == second.key(asking(two))) == (one == two and model == other)


def test_moving_text_between_messages_changes_the_key() -> None:
    maker = KeyMaker({"provider": "p", "model": "m"})
    split = Request((Message("user", "a"), Message("user", "b")))
    assert maker.key(split) != maker.key(asking('a"],["user","b'))


def test_an_identity_without_a_model_is_refused() -> None:
    with pytest.raises(ValueError, match="model"):
        KeyMaker({"provider": "p"})


def test_a_question_is_asked_once(tmp_path: Path) -> None:
    provider = Scripted()
    requests = [asking("one"), asking("two")]
    first = run_through(tmp_path / "c.db", provider, requests)
    second = run_through(tmp_path / "c.db", provider, requests)
    assert [c.text for c in first] == [c.text for c in second] == ["one", "two"]
    assert provider.calls == 2


def test_the_same_question_in_flight_twice_is_one_call(tmp_path: Path) -> None:
    provider = Scripted()
    run_through(tmp_path / "c.db", provider, [asking()] * 5)
    assert provider.calls == 1


def test_a_question_whose_reply_is_not_yet_on_disk_is_not_asked_again(tmp_path: Path) -> None:
    provider = Scripted()

    async def go(path: Path) -> list[Completion]:
        with Database(path) as database, Database(path) as other:
            writer = Writer(database)
            cached = CachedProvider(provider, database, writer)
            assert cached.model_id
            try:
                with other.writing():  # nothing can be written meanwhile
                    replies = [await cached.complete(asking()) for _ in range(3)]
                    assert rows.present(database, [cached.key(asking())]) == set()
                    assert cached.present([cached.key(asking())]) == {cached.key(asking())}
                writer.flush()
                assert writer.held(cached.key(asking())) is None
                return [*replies, await cached.complete(asking())]
            finally:
                writer.close()

    assert [c.text for c in asyncio.run(go(tmp_path / "c.db"))] == ["hello"] * 4
    assert provider.calls == 1


def test_two_models_never_share_an_answer(tmp_path: Path) -> None:
    one, two = Scripted("one"), Scripted("two", [Completion("other", "stop")])
    run_through(tmp_path / "c.db", one, [asking()])
    assert run_through(tmp_path / "c.db", two, [asking()])[0].text == "other"
    assert two.calls == 1


def test_refresh_asks_again_and_replaces(tmp_path: Path) -> None:
    path = tmp_path / "c.db"
    run_through(path, Scripted(answers=[Completion("old", "stop")]), [asking()])
    with Database(path) as database:
        before = rows.generation(database)
    run_through(path, Scripted(answers=[Completion("new", "stop")]), [asking()], refresh=True)
    assert run_through(path, Scripted(answers=[Completion("never", "stop")]), [asking()])[0].text == "new"
    with Database(path) as database:
        assert rows.generation(database)[0] == before[0] + 1


@pytest.mark.parametrize(
    "reply",
    [Completion("blocked", "content_filter"), Completion("", "length"), Completion("  \n", "length")],
)
def test_filtered_and_empty_cut_replies_are_attempts_not_answers(tmp_path: Path, reply: Completion) -> None:
    path = tmp_path / "c.db"
    provider = Scripted(answers=[reply])
    run_through(path, provider, [asking()])
    connection = sqlite3.connect(path)
    assert connection.execute("SELECT count(*) FROM completions").fetchone() == (0,)
    assert connection.execute("SELECT count(*) FROM attempts").fetchone() == (1,)
    run_through(path, provider, [asking()])
    assert provider.calls == 2


def test_a_failure_is_recorded_and_asked_again(tmp_path: Path) -> None:
    path = tmp_path / "c.db"
    provider = Scripted(answers=[RetryableError("overloaded", status=529)])
    with pytest.raises(RetryableError):
        run_through(path, provider, [asking()])
    assert sqlite3.connect(path).execute("SELECT kind, status, message FROM attempts").fetchall() == [
        ("retryable", 529, "overloaded")
    ]
    assert run_through(path, provider, [asking()])[0].text == "hello"


def test_everything_of_a_completion_comes_back(tmp_path: Path) -> None:
    full = Completion("B", "stop", (-0.5, None, -2.25), (1, 2, 1), (-1.5, -0.25, -3.0), "hm", Usage(1, 2, 3, 4))
    full = dataclasses.replace(full, model_served="m", raw='{"id": "x"}', latency_s=0.25, fingerprint="fp_1")
    path = tmp_path / "c.db"
    run_through(path, Scripted(answers=[full]), [asking()])
    assert run_through(path, Scripted(), [asking()]) == [full]


@given(st.text(st.characters(exclude_categories=[]), max_size=50))
def test_any_text_can_be_stored(text: str) -> None:
    with Database(":memory:") as database:
        model = rows.model_id(database, "s/m", "{}")
        reply = StoredReply(b"k" * 16, model, prompt_text((Message("user", "q"),)), Completion(text))
        with database.writing() as connection:
            rows.insert(connection, [reply])
        stored = rows.lookup(database, [b"k" * 16])[b"k" * 16].text
        assert stored == text.encode("utf-8", "replace").decode()


def test_a_reply_is_on_disk_within_a_second_without_closing(tmp_path: Path) -> None:
    path = tmp_path / "c.db"
    with Database(path) as database:
        writer = Writer(database)
        model = rows.model_id(database, "s/m", "{}")
        writer.put(StoredReply(b"k" * 16, model, "[]", Completion("A")))
        seen = threading.Event()
        for _ in range(100):
            if sqlite3.connect(path).execute("SELECT count(*) FROM completions").fetchone() == (1,):
                seen.set()
                break
            seen.wait(0.01)
        assert seen.is_set()
        writer.close()


def _write_many(path: str, worker: int, count: int) -> None:
    with Database(path) as database:
        writer = Writer(database)
        model = rows.model_id(database, f"s/{worker}", canonical({"w": worker}))
        for i in range(count):
            key = worker.to_bytes(4) + i.to_bytes(12)
            writer.put(StoredReply(key, model, "[]", Completion(str(i))))
            if i % 50 == 0:
                writer.flush()
        writer.close()


def test_processes_sharing_a_file_lose_nothing(tmp_path: Path) -> None:
    path = tmp_path / "c.db"
    context = multiprocessing.get_context("spawn")
    workers = [context.Process(target=_write_many, args=(str(path), w, 400)) for w in range(3)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(60)
        assert worker.exitcode == 0
    assert sqlite3.connect(path).execute("SELECT count(*) FROM completions").fetchone() == (1200,)


def test_a_writer_that_cannot_write_says_so_at_the_next_reply(tmp_path: Path) -> None:
    path = tmp_path / "c.db"
    with Database(path) as database:
        writer = Writer(database)
        writer.put(StoredReply(b"k" * 16, 1, "[]", Completion("A")))
        writer.flush()
        database.connection.execute("DROP TABLE completions")
        writer.put(StoredReply(b"l" * 16, 1, "[]", Completion("A")))
        with pytest.raises(CacheError, match="completions"):
            writer.close()
        with pytest.raises(CacheError):
            writer.put(StoredReply(b"m" * 16, 1, "[]", Completion("A")))


def test_a_corrupt_file_is_named_with_its_cure(tmp_path: Path) -> None:
    path = tmp_path / "broken.db"
    path.write_bytes(b"this is not a database, however long it may be " * 100)
    with pytest.raises(CacheError, match=r"broken\.db.*--db"):
        Database(path)


def test_a_foreign_database_is_not_taken_for_ours(tmp_path: Path) -> None:
    path = tmp_path / "foreign.db"
    sqlite3.connect(path).execute("CREATE TABLE t (x)")
    with pytest.raises(CacheError, match="not a clika database"):
        Database(path, read_only=True)


def test_a_missing_file_is_not_created_by_reading(tmp_path: Path) -> None:
    with pytest.raises(CacheError, match="no database at"):
        Database(tmp_path / "none.db", read_only=True)
    assert not (tmp_path / "none.db").exists()


def test_a_folder_is_not_a_database(tmp_path: Path) -> None:
    with pytest.raises(CacheError, match="is a folder"):
        Database(tmp_path)


def test_a_failed_transaction_leaves_nothing_behind(tmp_path: Path) -> None:
    with Database(tmp_path / "c.db") as database:

        def fail() -> None:
            with database.writing() as connection:
                connection.execute("INSERT INTO models (spec, identity) VALUES ('a', 'b')")
                raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError):
            fail()
        assert database.connection.execute("SELECT count(*) FROM models").fetchone() == (0,)


def test_rows_that_lack_different_values_are_stored_each_as_it_is_and_the_first_of_a_key_wins(tmp_path: Path) -> None:
    names = ("key", "model_id", "source", "prompt", "text", "finish_reason", "choice_logprobs", "thinking",
             "input_tokens", "output_tokens", "cached_tokens", "reasoning_tokens", "cost", "model_served",
             "fingerprint", "raw", "latency_s", "created_at", "option_figures")  # fmt: skip
    needed = {"key", "model_id", "source", "prompt", "text", "created_at"}
    made = []
    for number in range(200):
        key = bytes([number % 150]) * 16  # the last fifty come again with other values
        made.append([
            {"key": key, "model_id": 1, "prompt": b"p" * 16}.get(name, f"{name} {number}")
            if name in needed or number >> (at % 7) & 1 else None
            for at, name in enumerate(names)
        ])  # fmt: skip
    with Database(tmp_path / "c.db") as database, database.writing() as connection:
        connection.execute("INSERT INTO models VALUES (1, 'm', '{}')")
        connection.execute("INSERT INTO prompts VALUES (?, '[]')", (b"p" * 16,))
        assert rows.insert_rows(connection, made) == 150
        assert rows.insert_rows(connection, made) == 0
        columns = ", ".join(names)
        held = connection.execute(f"SELECT {columns} FROM completions ORDER BY key").fetchall()
    assert held == [tuple(row) for row in made[:150]]


def test_statistics_tell_models_of_one_name_apart_as_scores_do(tmp_path: Path) -> None:
    from clika import clika

    with Database(tmp_path / "c.db") as database, database.writing() as connection:
        for number, weights in enumerate(("tiny Q4_0", "tiny Q8_0"), 1):
            identity = json.dumps({"provider": "gguf", "model": weights, "weights": f"{number:064}"})
            connection.execute("INSERT INTO models VALUES (?, 'gguf/tiny', ?)", (number, identity))
            rows.insert(connection, [StoredReply(bytes([number]) * 16, number, "[]", Completion("A"))])
    told = json.loads(clika("cache", "stats", "--json", "--db", tmp_path / "c.db").stdout)["models"]
    assert [row["model"] for row in told] == ["gguf/tiny Q4_0", "gguf/tiny Q8_0"]
    assert [row["replies"] for row in told] == [1, 1]
