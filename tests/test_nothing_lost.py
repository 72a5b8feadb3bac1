"""What arrived is kept: through locks, full disks, odd rows, a stop by the user, other processes on the same file."""

from __future__ import annotations

import gzip
import os
import shutil
import signal
import sqlite3
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType

import pytest
from clika import COMMAND, clika, count, write_probes
from hypothesis import given
from hypothesis import strategies as st
from servers.loopback import Answer, Loopback, Seen, chat

from clika_cache import CacheError, Database, Migration, StoredAttempt, StoredReply, Writer, claims, storable
from clika_cache import completions as rows
from clika_cache.claims import Claims
from clika_client import api
from clika_client.asking.settings import Asking
from clika_client.scoring.score import Options
from clika_client.store.store import Store
from clika_providers import Completion, ProviderOptions, Usage

DATA = Path(__file__).parent / "data"
ANYTHING = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(st.characters(exclude_categories=[]))
    | st.binary(),
    lambda inner: st.lists(inner, max_size=3) | st.tuples(inner),
    max_leaves=5,
)


def reply(number: int = 0, **changes: object) -> StoredReply:
    return StoredReply(number.to_bytes(16), 1, "[]", Completion("A"), **changes)  # type: ignore[arg-type]


def until(true: Callable[[], bool], seconds: float = 20.0) -> bool:
    end = time.monotonic() + seconds
    while not true() and time.monotonic() < end:
        time.sleep(0.01)
    return true()


@given(ANYTHING, ANYTHING, ANYTHING)
def test_any_value_of_a_reply_can_be_stored(one: object, two: object, three: object) -> None:
    with Database(":memory:") as database:
        model = rows.model_id(database, "s/m", "{}")
        completion = Completion(
            text=one, finish_reason=two, choice_logprobs=three, thinking=two, model_served=one, raw=two,  # type: ignore[arg-type]
            usage=Usage(one, two, three, one), latency_s=three, fingerprint=three,  # type: ignore[arg-type]
        )  # fmt: skip
        attempt = StoredAttempt(b"k" * 16, model, "item", one, two, three, Usage(three, one), two)  # type: ignore[arg-type]
        with database.writing() as connection:
            rows.insert(connection, [StoredReply(b"k" * 16, model, "[]", completion, cost=three)])  # type: ignore[arg-type]
            rows.insert_attempts(connection, [attempt])
        assert rows.present(database, [b"k" * 16])


@given(ANYTHING)
def test_what_is_stored_of_a_count_is_a_count(value: object) -> None:
    kept = storable.tokens(value)
    assert kept is None or (kept == value and 0 <= kept <= 10**9)


def test_a_row_the_file_refuses_takes_no_other_with_it(tmp_path: Path) -> None:
    with Database(tmp_path / "c.db") as database:
        database.connection.execute(
            "CREATE TRIGGER t BEFORE INSERT ON completions WHEN NEW.text = 'bad' BEGIN SELECT RAISE(ABORT, 'x'); END"
        )
        writer = Writer(database)
        for number in range(20):
            text = "bad" if number == 7 else "good"
            writer.put(StoredReply(number.to_bytes(16), 1, "[]", Completion(text)))
        writer.close()
        assert database.connection.execute("SELECT count(*) FROM completions").fetchone() == (19,)
        ((kind, said),) = database.connection.execute("SELECT kind, message FROM attempts").fetchall()
        assert (kind, "refused" in said) == ("unstorable", True)


def test_a_lock_of_another_program_is_waited_for_and_asking_pauses_meanwhile(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("clika_cache.writer._TELL_AFTER_S", 0.5)
    told: list[str] = []
    with Database(tmp_path / "c.db") as database:
        other = sqlite3.connect(tmp_path / "c.db", isolation_level=None)
        writer = Writer(database, tell=told.append)
        other.execute("BEGIN IMMEDIATE")
        writer.put(reply(1))
        assert not writer.behind
        assert until(lambda: writer.behind)
        writer.put(reply(2))
        assert until(lambda: bool(told))
        assert "locked by another program" in told[0]
        other.execute("COMMIT")
        assert until(lambda: not writer.behind)
        writer.close()
        other.close()
        assert database.connection.execute("SELECT count(*) FROM completions").fetchone() == (2,)


def test_no_more_is_asked_than_was_in_flight_while_the_file_is_locked(tmp_path: Path) -> None:
    """Another program holds the file for 4 s; whatever was served is on disk in the end."""
    probes = write_probes(tmp_path / "mine.jsonl", 150, languages=("en",))
    Store(tmp_path / "c.db").close()
    held, served = threading.Event(), [0]

    def behave(seen: Seen) -> Answer:
        served[0] += 1
        if seen.number == 20:
            held.set()
        return Answer(200, chat("B"), delay_s=0.03)

    def hold() -> None:
        held.wait(300)
        other = sqlite3.connect(tmp_path / "c.db", isolation_level=None, timeout=300)
        other.execute("BEGIN IMMEDIATE")
        time.sleep(2.5)
        served.append(served[0])
        time.sleep(1.5)
        served.append(served[0])
        other.execute("COMMIT")
        other.close()

    thread = threading.Thread(target=hold)
    thread.start()
    with Loopback(behave) as server:
        api.run(
            [str(probes)], ["openai/m"], db=tmp_path / "c.db", asking=Asking(ask="text"),
            provider=ProviderOptions(base_url=server.url, concurrency=2), scoring=Options(bootstrap=0),
        )  # fmt: skip
    thread.join()
    assert count(tmp_path / "c.db") == 150
    assert served[0] == 150
    assert served[2] - served[1] <= 2  # nothing new was begun in the last second and a half of the lock


def test_a_full_disk_says_exactly_what_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with Database(tmp_path / "c.db") as database:
        writer = Writer(database)
        for number in range(30):
            writer.put(reply(number))
        writer.flush()
        full = [True]

        def insert(connection: sqlite3.Connection, entries: list[StoredReply]) -> int:
            if full[0]:
                raise sqlite3.OperationalError("database or disk is full")
            return rows.insert(connection, entries)

        monkeypatch.setattr("clika_cache.writer.insert", insert)
        writer.put(reply(100))
        assert until(lambda: writer._error is not None)
        with pytest.raises(CacheError, match="30 of this run are on disk, 2 that arrived are not"):
            writer.put(reply(101))
        full[0] = False  # somebody made room: what was queued is kept after all
        with pytest.raises(CacheError, match="32 of this run are on disk, none is missing"):
            writer.close()
        assert database.connection.execute("SELECT count(*) FROM completions").fetchone() == (32,)


def start(*arguments: object) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [*COMMAND, *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=dict(os.environ),
    )


def test_a_stop_waits_for_the_replies_that_are_paid_for(tmp_path: Path) -> None:
    probes = write_probes(tmp_path / "mine.jsonl", 100, languages=("en",))

    def behave(seen: Seen) -> Answer:
        return Answer(200, chat("B"), delay_s=0.02 if seen.number == 1 else 1.0)

    with Loopback(behave) as server:
        arguments = ("-m", "openai/m", "--base-url", server.url, "--concurrency", 8, "--db", tmp_path / "c.db")
        process = start("run", probes, *arguments)
        assert until(lambda: len(server.seen) >= 9, 60)
        process.send_signal(signal.SIGTERM)
        _, errors = process.communicate(timeout=600)
        served = len(server.seen)
    assert process.returncode == 3, errors
    assert "may be on the way: waiting for" in errors
    assert count(tmp_path / "c.db") == served < 30


def test_a_second_stop_waits_for_nothing(tmp_path: Path) -> None:
    probes = write_probes(tmp_path / "mine.jsonl", 100, languages=("en",))
    with Loopback(lambda seen: Answer(200, chat("B"), delay_s=0.02 if seen.number == 1 else 9.0)) as server:
        arguments = ("-m", "openai/m", "--base-url", server.url, "--concurrency", 8, "--db", tmp_path / "c.db")
        process = start("run", probes, *arguments)
        assert until(lambda: len(server.seen) >= 9, 60)
        process.send_signal(signal.SIGINT)
        assert process.stderr is not None
        # Two signals at once are one: the first has been understood when its sentence is there.
        first = next(line for line in process.stderr if "waiting for" in line)
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=600)
    assert process.returncode == 3, first + errors
    # Waiting would have brought the replies that were on their way.
    assert count(tmp_path / "c.db") == 1


# ---- claims


def test_a_question_is_claimed_by_one_until_its_reply_is_stored(tmp_path: Path) -> None:
    keys = [n.to_bytes(16) for n in range(10)]
    with Database(tmp_path / "c.db") as one, Database(tmp_path / "c.db") as two:
        first, second = Writer(one), Writer(two)
        assert first.claims.take(keys[:6]).mine == set(keys[:6])
        assert second.claims.take(keys).mine == set(keys[6:])
        first.put(reply(0))
        first.put(StoredAttempt(keys[1], 1, "item", "refused"))
        first.flush()
        taken = second.claims.take(keys[:3])
        assert (taken.answered, taken.mine) == ({keys[0]}, {keys[1]})
        first.close()
        assert second.claims.take(keys[2:6]).mine == set(keys[2:6])
        second.close()
        assert one.connection.execute("SELECT count(*) FROM claims").fetchone() == (0,)


def test_a_question_answered_while_another_process_waits_for_the_file_is_not_asked_by_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = (0).to_bytes(16)
    with Database(tmp_path / "c.db") as one, Database(tmp_path / "c.db") as two:
        first, second = Writer(one), Claims(two)
        assert first.claims.take([key]).mine == {key}
        own = two.twin()
        writing = own.writing

        @contextmanager
        def late() -> Iterator[sqlite3.Connection]:
            first.put(reply(0))
            first.flush()
            with writing() as connection:
                yield connection

        monkeypatch.setattr(own, "writing", late)
        monkeypatch.setattr(second, "_own", own)
        taken = second.take([key])
        assert (taken.answered, taken.mine) == ({key}, frozenset())
        first.close()
        own.close()


def test_claims_of_a_killed_process_are_taken_over_at_once_and_of_a_silent_one_later(tmp_path: Path) -> None:
    keys = [n.to_bytes(16) for n in range(3)]
    script = (
        "import os, sys; from clika_cache import Database, Writer;"
        f"Writer(Database({str(tmp_path / 'c.db')!r})).claims.take([n.to_bytes(16) for n in range(3)]); os._exit(9)"
    )
    subprocess.run([sys.executable, "-c", script], check=False, env=dict(os.environ))
    with Database(tmp_path / "c.db") as database:
        assert database.connection.execute("SELECT count(*) FROM claims").fetchone() == (3,)
        assert Claims(database).take(keys).mine == set(keys)
        database.connection.execute("UPDATE claimants SET place = 'another machine'")
        watcher = Claims(database, silent_s=0.2)
        assert not watcher.take(keys).mine
        database.connection.execute("UPDATE claimants SET beat = beat + 1 WHERE place = 'another machine'")
        time.sleep(0.3)
        assert not watcher.take(keys).mine
        time.sleep(0.3)
        assert watcher.take(keys).mine == set(keys)


def test_a_process_that_stores_replies_all_the_time_shows_that_it_lives(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It never waits for replies as long as a beat takes, and must not be taken for dead by those who watch."""
    monkeypatch.setattr(claims, "BEAT_S", 30.0)
    now = time.monotonic()
    with Database(tmp_path / "c.db") as database:
        writer = Writer(database)
        writer.claims.take([(99).to_bytes(16)])
        beats = []
        for n in range(4):
            monkeypatch.setattr(claims.time, "monotonic", lambda n=n: now + 20.0 * n)
            writer.put(reply(n))
            writer.flush()
            beats.append(database.connection.execute("SELECT beat FROM claimants").fetchone()[0])
        monkeypatch.undo()
        writer.close()
    assert beats == [0, 0, 1, 1]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs processes that wait for their parent")
def test_claims_of_a_killed_process_that_nobody_looked_after_are_taken_over_at_once(tmp_path: Path) -> None:
    """As in a container whose first process does not wait for others."""
    script = (
        "import sys, time; from clika_cache import Database, Writer;"
        f"Writer(Database({str(tmp_path / 'c.db')!r})).claims.take([bytes(16)]); print(flush=True); time.sleep(100)"
    )
    process = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE)
    try:
        assert process.stdout is not None
        process.stdout.readline()
        with Database(tmp_path / "c.db") as database:
            assert not Claims(database).take([bytes(16)]).mine
            process.kill()
            os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
            assert Claims(database).take([bytes(16)]).mine
    finally:
        process.kill()
        process.communicate()


def test_processes_with_the_same_questions_share_them(tmp_path: Path) -> None:
    probes = write_probes(tmp_path / "mine.jsonl", 150)
    with Loopback(lambda seen: Answer(200, chat("B"), delay_s=0.05)) as server:
        arguments = ("-m", "openai/m", "--base-url", server.url, "--concurrency", 4, "--bootstrap", 0)
        both = [start("run", probes, *arguments, "--db", tmp_path / "c.db") for _ in range(2)]
        said = [process.communicate(timeout=100)[1] for process in both]
        assert [process.returncode for process in both] == [0, 0], said
        assert len(server.seen) == 300
    assert count(tmp_path / "c.db") == 300


# ---- the file


def test_a_database_of_version_0_1_opens_keeps_all_and_is_copied_first(tmp_path: Path) -> None:
    """Made by version 0.1: 11 own replies, one filtered, 4 of the demo model, 12 imported; a batch with the vendor."""
    path = tmp_path / "old.db"
    with gzip.open(DATA / "version_0_1.db.gz") as packed, path.open("wb") as plain:
        shutil.copyfileobj(packed, plain)
    shutil.copy(path, tmp_path / "original.db")
    records = {
        (r["model"], r["language"]): r for r in api.score(path, scoring=Options(bootstrap=0)).to_json()["records"]
    }
    assert records["openai/gpt-4o-mini", "en"]["accuracy"] == 1.0
    # The gold letters are A B C D A B; the model said A five times and was filtered at the sixth.
    assert records["openai/gpt-4o-mini", "de"]["accuracy"] == pytest.approx(2 / 5)
    assert records["other/model", "en"]["accuracy"] == pytest.approx(4 / 6)
    (copy,) = tmp_path.glob("old.db.before_*")
    with sqlite3.connect(copy) as old, sqlite3.connect(tmp_path / "original.db") as original:
        for table in ("completions", "cells", "sets", "runs", "batches"):
            sql = f"SELECT * FROM {table}"
            assert old.execute(sql).fetchall() == original.execute(sql).fetchall()
    assert stat.S_IMODE(copy.stat().st_mode) == 0o600
    assert "is sound" in clika("cache", "verify", "--db", path).stdout


def test_a_file_of_a_newer_version_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    path = tmp_path / "c.db"
    Store(path).close()
    with sqlite3.connect(path) as connection:
        connection.execute("INSERT INTO clika_migrations VALUES ('cache_999_future', 'then')")
    held = path.read_bytes()
    for read_only in (True, False):
        with pytest.raises(CacheError, match=r"newer clika.*cache_999_future.*upgrade"):
            Store(path, read_only=read_only)
    assert path.read_bytes() == held


def test_a_migration_that_fails_leaves_the_file_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "c.db"
    Database(path).close()
    broken: tuple[Migration, ...] = (("client_001", "CREATE TABLE t (x); CREATE TABLE t (x)"),)
    with pytest.raises(CacheError, match="already exists"):
        Database(path, migrations=broken)
    with sqlite3.connect(path) as connection:
        assert connection.execute("SELECT count(*) FROM sqlite_master WHERE name = 't'").fetchone() == (0,)


def test_databases_and_exports_are_readable_by_their_owner_alone(tmp_path: Path) -> None:
    old = os.umask(0)
    try:
        with Database(tmp_path / "new" / "c.db") as database:
            rows.model_id(database, "s/m", "{}")
            files = list((tmp_path / "new").iterdir())
            assert all(stat.S_IMODE(f.stat().st_mode) == 0o600 for f in files), files
        clika("cache", "export", "--out", tmp_path / "out.jsonl", "--db", tmp_path / "new" / "c.db")
    finally:
        os.umask(old)
    assert stat.S_IMODE((tmp_path / "out.jsonl").stat().st_mode) == 0o600
    assert stat.S_IMODE((tmp_path / "new").stat().st_mode) == 0o700


def test_a_long_statement_ends_with_ctrl_c_and_with_its_time(tmp_path: Path) -> None:
    endless = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n"
    with Database(tmp_path / "c.db") as database:
        with (
            pytest.raises(CacheError, match=r"longer than 0\.2 s"),
            database.interruptible(0.2),
            database.mapped_errors(),
        ):
            database.connection.execute(endless).fetchone()
        pressed = threading.Timer(0.3, lambda: os.kill(os.getpid(), signal.SIGINT))
        pressed.start()
        with pytest.raises(KeyboardInterrupt), database.interruptible(), database.mapped_errors():
            database.connection.execute(endless).fetchone()


# ---- Ctrl-C while nothing is asked


@pytest.mark.parametrize("command", [("import", "FILE"), ("cache", "import", "FILE")])
def test_a_stop_during_an_import_is_a_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: tuple[str, ...]
) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("clika_client.importers.detect.import_path", interrupted)
    monkeypatch.setattr("clika_cache.archive.import_lines", interrupted)
    (tmp_path / "x.jsonl").write_text("{}\n")
    words = [str(tmp_path / "x.jsonl") if word == "FILE" else word for word in command]
    done = clika(*words, "--db", tmp_path / "c.db", check=3)
    assert "stopped; everything that arrived is kept" in done.stderr


def test_a_stop_before_the_program_is_loaded_says_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    from clika_client import cli

    monkeypatch.setitem(sys.modules, "clika_client.cli.app", _Interrupting("clika_client.cli.app"))
    with pytest.raises(SystemExit) as left:
        cli.main()
    assert left.value.code == 3


@pytest.mark.skipif(sys.platform == "win32", reason="signals as POSIX has them")
def test_a_stop_after_all_is_said_is_the_systems_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """What Python still does after the command has ended would be interrupted with a traceback."""
    from clika_client import cli

    monkeypatch.setattr(sys, "argv", ["clika", "--version"])
    before = signal.signal(signal.SIGTERM, signal.SIG_DFL)
    try:
        with pytest.raises(SystemExit):
            cli.main()
        assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL
    finally:
        signal.signal(signal.SIGTERM, before)


class _Deaf:
    """Lets the program run what it cannot fail in: Python drops what is raised there."""

    def __init__(self, stop: Callable[[], object]) -> None:
        self._stop = stop

    def __del__(self) -> None:
        self._stop()


@pytest.mark.skipif(sys.platform == "win32", reason="signals as POSIX has them")
def test_a_stop_that_code_which_cannot_fail_has_dropped_comes_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    from clika_client.cli.app import run

    def deaf_import(*_: object, **__: object) -> None:
        del_ = _Deaf(lambda: os.kill(os.getpid(), signal.SIGTERM))
        del del_
        time.sleep(300)

    monkeypatch.setattr("clika_cache.archive.import_lines", deaf_import)
    (tmp_path / "x.jsonl").write_text("{}\n")
    before = signal.signal(signal.SIGTERM, signal.SIG_DFL)
    try:
        with pytest.raises(SystemExit) as left:
            run(["cache", "import", str(tmp_path / "x.jsonl"), "--db", str(tmp_path / "c.db")])
    finally:
        signal.signal(signal.SIGTERM, before)
    assert left.value.code == 3
    said = capfd.readouterr().err
    assert "stopped; everything that arrived is kept" in said
    assert "Traceback" not in said
    assert "ignored" not in said


class _Interrupting(ModuleType):
    """A module whose loading is interrupted."""

    def __getattr__(self, name: str) -> object:
        if name == "run":
            raise KeyboardInterrupt
        raise AttributeError(name)
