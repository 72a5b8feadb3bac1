"""`clika run` as a user meets it: real processes, a real server on loopback, a real database file."""

from __future__ import annotations

import json
import os
import re
import signal
import sqlite3
import subprocess
import time
from pathlib import Path

import pytest
from clika import COMMAND, KEY, clika, count, records, write_probes
from servers.loopback import Answer, Loopback, Seen, chat

FIELDS = {
    "model", "set", "language", "prompt", "ask", "n", "answered", "coverage", "accuracy", "ra",
    "no_answer_rate", "en_co",
}  # fmt: skip


@pytest.fixture(autouse=True)
def key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)


def run(server: Loopback | str, probes: Path, db: Path, *more: object, check: int | None = 0):  # type: ignore[no-untyped-def]
    url = server if isinstance(server, str) else server.url
    return clika(
        "run", probes, "-m", "openai/test", "--base-url", url, "--db", db, "--bootstrap", 0, *more, check=check
    )


def knows(seen: Seen) -> Answer:
    """Right on every English item; in German always the first option."""
    question = json.loads(seen.body)["messages"][-1]["content"]
    number = int(re.search(r"question number (\d+)", question)[1])  # type: ignore[index]
    return Answer(body=chat("ABCD"[number % 4] if "en: question" in question else "A."))


def test_a_run_reports_what_the_answers_say(tmp_path: Path) -> None:
    probes = write_probes(tmp_path / "mine.jsonl", 8)
    with Loopback(knows) as server:
        found = {r["language"]: r for r in records(run(server, probes, tmp_path / "c.db", "--json"))}
    assert set(found["en"]) >= FIELDS
    assert found["en"]["accuracy"] == 1.0
    # Gold is A for items 0 and 4 of 8, and German always says A: 2 of 8 right, both also right in English.
    assert found["de"]["accuracy"] == 0.25
    assert found["de"]["en_co"] == 0.25
    assert found["de"]["n"] == found["de"]["answered"] == 8
    assert found["de"]["coverage"] == 1.0
    assert found["de"]["no_answer_rate"] == 0.0


def test_the_second_run_sends_nothing_and_says_the_same(tmp_path: Path) -> None:
    probes = write_probes(tmp_path / "mine.jsonl")
    with Loopback(knows) as server:
        first = run(server, probes, tmp_path / "c.db", "--json")
        asked = len(server.seen)
        second = run(server, probes, tmp_path / "c.db", "--json")
        assert asked == 12
        assert len(server.seen) == asked
    assert records(first) == records(second)


def test_the_report_for_people_shows_languages_and_notes(tmp_path: Path) -> None:
    probes = write_probes(tmp_path / "mine.jsonl")
    with Loopback(knows) as server:
        shown = run(server, probes, tmp_path / "c.db").stdout
    for word in ("openai/test", "en", "de", "plain", "text"):
        assert word in shown
    assert "\x1b" not in shown


def test_limit_takes_the_same_items_in_every_language(tmp_path: Path) -> None:
    probes = write_probes(tmp_path / "mine.jsonl", 30, ("en", "de", "fr"))
    with Loopback(knows) as server:
        run(server, probes, tmp_path / "c.db", "--limit", 7, "--languages", "en,fr")
        asked: dict[str, set[str]] = {"en": set(), "fr": set()}
        for seen in server.seen:
            language, number = re.search(r"(\w\w): question number (\d+)", seen.body.decode()).groups()  # type: ignore[union-attr]
            asked[language].add(number)
    assert asked["en"] == asked["fr"]
    assert len(asked["en"]) == 7


def test_dry_run_counts_and_sends_nothing(tmp_path: Path) -> None:
    probes = write_probes(tmp_path / "mine.jsonl")
    with Loopback(knows) as server:
        run(server, probes, tmp_path / "c.db", "--languages", "en")
        sent = len(server.seen)
        (row,) = json.loads(run(server, probes, tmp_path / "c.db", "--dry-run", "--json").stdout)["plan"]
        assert len(server.seen) == sent
    assert (row["requests"], row["cached"], row["to_send"]) == (12, 6, 6)
    assert row["estimated_input_tokens"] > 0


def test_no_cache_keeps_nothing_and_refresh_asks_again(tmp_path: Path) -> None:
    probes = write_probes(tmp_path / "mine.jsonl")
    with Loopback(knows) as server:
        run(server, probes, tmp_path / "c.db", "--no-cache")
        assert not (tmp_path / "c.db").exists()
        run(server, probes, tmp_path / "c.db")
        run(server, probes, tmp_path / "c.db", "--refresh")
        assert len(server.seen) == 36
    assert count(tmp_path / "c.db") == 12


def test_cyclic_orders_show_every_choice_at_every_place(tmp_path: Path) -> None:
    probes = write_probes(tmp_path / "mine.jsonl", 2, ("en",))

    def first_option(seen: Seen) -> Answer:
        return Answer(body=chat("A"))

    with Loopback(first_option) as server:
        run(server, probes, tmp_path / "c.db", "--permute", "cyclic")
        firsts = {re.search(r"A\. (en choice 0-\d)", s.json()["messages"][-1]["content"]) for s in server.seen}
    assert {m[1] for m in firsts if m} == {f"en choice 0-{j}" for j in range(4)}


def test_a_killed_run_loses_nothing_that_had_arrived(tmp_path: Path) -> None:
    probes = write_probes(tmp_path / "mine.jsonl", 150)
    db = tmp_path / "c.db"

    def slow(seen: Seen) -> Answer:
        return Answer(body=chat("B"), delay_s=0.03)

    with Loopback(slow) as server:
        command = [
            *COMMAND,
            "run",
            probes,
            "-m",
            "openai/test",
            "--base-url",
            server.url,
            "--db",
            db,
            "--concurrency",
            "4",
        ]
        process = subprocess.Popen(
            map(str, command), stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL, env=os.environ
        )
        deadline = time.monotonic() + 300
        while server.server.answered < 60 and time.monotonic() < deadline:
            time.sleep(0.01)
        time.sleep(1.0)
        arrived_a_second_ago = server.server.answered - 1.0 / 0.03 * 4 - 4
        process.send_signal(signal.SIGKILL)
        process.wait()
        kept = count(db)
        assert kept >= arrived_a_second_ago
        assert kept >= 60
        before = len(server.seen)
        done = run(server, probes, db, "--json")
        assert len(server.seen) - before == 300 - kept
    assert all(r["coverage"] == 1.0 for r in records(done))
    assert count(db) == 300


def test_a_run_that_was_killed_can_be_scored_as_it_is(tmp_path: Path) -> None:
    probes = write_probes(tmp_path / "mine.jsonl", 40)
    with Loopback(knows, die_after=20) as server:
        run(server, probes, tmp_path / "c.db", "--timeout", 60, "--max-retries", 0, check=1)
    found = records(clika("score", "--db", tmp_path / "c.db", "--json", "--bootstrap", 0))
    assert sum(r["answered"] for r in found) == 20
    assert all(r["n"] == 40 for r in found)
    assert min(r["coverage"] for r in found) < 1


def test_a_dying_server_costs_only_what_it_did_not_answer(tmp_path: Path) -> None:
    probes = write_probes(tmp_path / "mine.jsonl", 50)
    db = tmp_path / "c.db"
    with Loopback(knows, die_after=60) as server:
        done = run(server, probes, db, "--timeout", 60, "--max-retries", 1, check=1)
    assert count(db) == 60
    assert "same command" in done.stderr
    with Loopback(knows) as server:
        # Another port is another address: the rest is asked of the same one.
        port = server.port
    with Loopback(knows, die_after=60, port=port) as server:
        run(server, probes, tmp_path / "d.db", "--timeout", 60, "--max-retries", 1, check=1)
    with Loopback(knows, port=port) as server:
        run(server, probes, tmp_path / "d.db")
        assert len(server.seen) == 40


def test_two_processes_on_one_file_both_end_well(tmp_path: Path) -> None:
    probes = write_probes(tmp_path / "mine.jsonl", 40)
    with Loopback(knows) as server:
        command = [
            *COMMAND, "run", probes, "-m", "openai/test", "--base-url", server.url, "--db", tmp_path / "c.db",
            "--bootstrap", 0, "--json",
        ]  # fmt: skip
        both = [
            subprocess.Popen(map(str, command), stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=os.environ)
            for _ in range(2)
        ]
        results = [p.communicate(timeout=600) for p in both]
    assert [p.returncode for p in both] == [0, 0], results
    first, second = (json.loads(stdout)["records"] for stdout, _ in results)
    assert first == second
    assert count(tmp_path / "c.db") == 80


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["{missing}", "-m", "openai/x"], 2, ["missing.jsonl"]),
        (["nosuchset", "-m", "openai/x"], 2, ["nosuchset", "atlas"]),
        (["{probes}", "-m", "nonsense"], 2, ["nonsense", "PROVIDER/MODEL"]),
        (["{probes}", "-m", "opnai/x"], 2, ["opnai", "openai/x"]),
        (["{probes}", "-m", "openai/x", "--languages", "xx"], 2, ["'xx'", "en, de"]),
        (["{empty}", "-m", "openai/x"], 2, ["empty"]),
        (["{probes}", "-m", "openai/x", "--prompt", "plan"], 2, ["plan", "plain"]),
        (["{probes}", "-m", "openai/x", "--ask", "tea"], 2, ["tea", "logprobs"]),
        (["{probes}", "-m", "openai/x", "--limit", "0"], 2, ["at least 1"]),
        (["{probes}", "-m", "gguf/{missing}.gguf"], 2, [".gguf"]),
        (["{probes}", "-m", "gguf/{broken}"], 2, ["broken.gguf"]),
        (["{probes}", "-m", "openai/x", "--db", "{corrupt}"], 2, ["corrupt.db", "--db"]),
        (["{probes}", "-m", "openai/x", "--db", "{probes}/c.db"], 2, ["c.db"]),
        (["{probes}", "-m", "openai/x", "--base-url", "not an address"], 2, ["not an address"]),
        (["{probes}", "-m", "openai/x", "--base-url", "http://127.0.0.1:9/v1"], 1, ["127.0.0.1:9"]),
    ],
)
def test_bad_input_is_named_with_its_cure(tmp_path: Path, arguments: list[str], code: int, words: list[str]) -> None:
    (tmp_path / "empty.jsonl").write_text("")
    (tmp_path / "corrupt.db").write_bytes(b"no database at all " * 500)
    (tmp_path / "broken.gguf").write_bytes(b"GGUF\x03\x00\x00\x00")
    names = {
        "probes": write_probes(tmp_path / "mine.jsonl"),
        "missing": tmp_path / "missing.jsonl",
        "empty": tmp_path / "empty.jsonl",
        "corrupt": tmp_path / "corrupt.db",
        "broken": tmp_path / "broken.gguf",
    }
    given = [a.format(**names) for a in arguments]
    if "--db" not in given:
        given += ["--db", str(tmp_path / "c.db")]
    done = clika("run", *given, "--timeout", 2, "--max-retries", 0, check=code)
    for word in words:
        assert word in done.stderr, done.stderr


def test_a_missing_key_names_its_variable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENAI_API_KEY")
    probes = write_probes(tmp_path / "mine.jsonl")
    done = clika("run", probes, "-m", "openai/x", "--db", tmp_path / "c.db", check=2)
    assert "OPENAI_API_KEY" in done.stderr


def test_a_refused_key_ends_the_run_and_is_written_nowhere(tmp_path: Path) -> None:
    probes = write_probes(tmp_path / "mine.jsonl", 30)

    def refuse(seen: Seen) -> Answer:
        said = f"Incorrect API key provided: {seen.headers['authorization'].split()[-1]}"
        return Answer(401, {"error": {"message": said, "code": "invalid_api_key"}})

    with Loopback(refuse) as server:
        done = run(server, probes, tmp_path / "c.db", "--concurrency", 4, check=2)
        assert len(server.seen) <= 4
    assert "OPENAI_API_KEY" in done.stderr
    everything = (
        done.stdout
        + done.stderr
        + "".join(p.read_bytes().decode("latin-1") for p in tmp_path.rglob("*") if p.is_file())
    )
    assert KEY not in everything
    assert KEY[3:] not in everything


def test_what_a_model_says_cannot_paint_the_terminal(tmp_path: Path) -> None:
    probes = write_probes(tmp_path / "mine.jsonl")
    evil = "\x1b[31m[bold red]B[/]\x07"

    def say(seen: Seen) -> Answer:
        return Answer(body=chat(evil, model=evil))

    with Loopback(say) as server:
        done = run(server, probes, tmp_path / "c.db")
        text = run(server, probes, tmp_path / "c.db", "--json").stdout
    assert "\x1b" not in done.stdout + done.stderr
    assert "\x07" not in done.stdout + done.stderr
    assert "\x1b" not in text
    stored = sqlite3.connect(tmp_path / "c.db").execute("SELECT text FROM completions LIMIT 1").fetchone()[0]
    assert stored == evil


def test_csv_is_written_whole_or_not_at_all(tmp_path: Path) -> None:
    probes = write_probes(tmp_path / "mine.jsonl")
    with Loopback(knows) as server:
        run(server, probes, tmp_path / "c.db", "--csv", tmp_path / "out.csv")
        done = run(server, probes, tmp_path / "c.db", "--csv", tmp_path / "no" / "out.csv", check=2)
    rows = (tmp_path / "out.csv").read_text().splitlines()
    assert len(rows) == 3
    assert rows[0].startswith("model,")
    assert "out.csv" in done.stderr
    assert sorted(p.name for p in tmp_path.iterdir() if "csv" in p.name) == ["out.csv"]


def test_ctrl_c_keeps_what_arrived_and_says_how_to_go_on(tmp_path: Path) -> None:
    probes = write_probes(tmp_path / "mine.jsonl", 150)
    with Loopback(lambda seen: Answer(body=chat("B"), delay_s=0.05)) as server:
        command = [*COMMAND, "run", probes, "-m", "openai/test", "--base-url", server.url, "--db", tmp_path / "c.db",
            "--concurrency", "4",
        ]  # fmt: skip
        process = subprocess.Popen(map(str, command), stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True)
        deadline = time.monotonic() + 300
        while server.server.answered < 40 and time.monotonic() < deadline:
            time.sleep(0.01)
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=600)
        answered = server.server.answered
    assert process.returncode == 3
    assert "same command resumes" in said
    # Four were in flight: the server may have counted them before they arrived.
    assert 36 <= count(tmp_path / "c.db") <= answered
    assert sqlite3.connect(tmp_path / "c.db").execute("SELECT status FROM runs").fetchall() == [("stopped",)]


def test_why_one_of_two_models_was_refused_is_said_once(tmp_path: Path) -> None:
    probes = write_probes(tmp_path / "mine.jsonl", 2)
    said = "The model `missing` does not exist"

    def answer(seen: Seen) -> Answer:
        lacks = seen.json()["model"] == "missing"
        return Answer(404, {"error": {"message": said}}) if lacks else Answer(body=chat("A"))

    with Loopback(answer) as server:
        done = run(server, probes, tmp_path / "c.db", "-m", "openai/missing", check=2)
    # Words may be broken over lines where they stand under a table.
    assert " ".join((done.stdout + done.stderr).split()).count(said) == 1
    assert "error: openai/missing: " in done.stderr
    # Under a later table nothing else says it.
    assert said not in clika("score", "--db", tmp_path / "c.db", "--bootstrap", 0).stdout


def test_an_empty_account_stops_the_run_at_once_and_resumably(tmp_path: Path) -> None:
    probes = write_probes(tmp_path / "mine.jsonl", 20)

    def until_empty(seen: Seen) -> Answer:
        if seen.number <= 10:
            return Answer(body=chat("B"))
        return Answer(429, {"error": {"message": "You exceeded your current quota", "code": "insufficient_quota"}})

    with Loopback(until_empty) as server:
        done = run(server, probes, tmp_path / "c.db", "--concurrency", 2, check=3)
        assert len(server.seen) <= 14
    assert count(tmp_path / "c.db") == 10
    assert "same command asks only the rest" in done.stderr


def test_a_price_table_of_ones_own_is_used(tmp_path: Path) -> None:
    probes = write_probes(tmp_path / "mine.jsonl")
    prices = tmp_path / "prices.toml"
    prices.write_text('[[price]]\nmodel = "openai/test"\ninput = 1000.0\noutput = 0.0\nsource = "mine"\n')
    with Loopback() as server:
        # 50 input tokens each, as the server counts: 5 cents a request at 1,000 dollars a million.
        done = run(
            server, probes, tmp_path / "c.db", "--prices", prices, "--max-cost", 0.5, "--concurrency", 1, check=3
        )
        paid = len(server.seen)
        assert 0 < paid * 0.05 <= 0.5
        assert "--max-cost" in done.stderr
        stored = sqlite3.connect(tmp_path / "c.db").execute("SELECT sum(cost) FROM completions").fetchone()[0]
        assert stored == pytest.approx(paid * 0.05)
        again = run(server, probes, tmp_path / "c.db", "--prices", prices, "--max-cost", 50)
        assert len(server.seen) == 12
    said = f"openai/test: {12 - paid} replies cost ${(12 - paid) * 0.05:.4f} ({(12 - paid) * 50:,} input"
    assert said in " ".join(again.stdout.split())
    assert said in clika("score", "--db", tmp_path / "c.db", "--json").stdout


def test_a_dry_run_leaves_nothing_behind_in_later_scores(tmp_path: Path) -> None:
    probes = write_probes(tmp_path / "mine.jsonl", 8)
    db = tmp_path / "c.db"
    with Loopback(knows) as server:
        run(server, probes, db, "--limit", 3)
        before = records(clika("score", "--db", db, "--bootstrap", 0, "--json"))
        planned = json.loads(run(server, probes, db, "--dry-run", "--json").stdout)["plan"][0]
        assert (planned["requests"], planned["cached"], planned["to_send"]) == (16, 6, 10)
        run(server, probes, db, "--dry-run", "-m", "openai/other")
        assert len(server.seen) == 6
    assert records(clika("score", "--db", db, "--bootstrap", 0, "--json")) == before
    assert count(db, "runs") == 1


def as_a_shell_leaves_them(in_background: bool) -> None:
    """The signals of a command; under `nohup` the tests themselves would hand on an ignored SIGHUP."""
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.SIG_IGN if in_background else signal.default_int_handler)


@pytest.mark.skipif(not hasattr(signal, "SIGHUP"), reason="this system has no SIGHUP")
@pytest.mark.parametrize(("name", "in_background"), [("SIGTERM", False), ("SIGHUP", False), ("SIGTERM", True)], ids=str)
def test_a_closed_terminal_and_a_job_manager_stop_a_run_as_gently_as_ctrl_c(
    tmp_path: Path, name: str, in_background: bool
) -> None:
    """In the background of a script (`clika ... &`) a shell has Ctrl-C ignored; `kill` has to work there too."""
    probes = write_probes(tmp_path / "mine.jsonl", 60)
    with Loopback(lambda seen: Answer(delay_s=0.2)) as server:
        command = [*COMMAND, "run", str(probes), "-m", "openai/test", "--base-url", server.url, "--concurrency", "2"]
        process = subprocess.Popen(
            [*command, "--db", str(tmp_path / "c.db"), "--bootstrap", "0"],
            stderr=subprocess.PIPE,
            text=True,
            preexec_fn=lambda: as_a_shell_leaves_them(in_background),
        )
        until = time.monotonic() + 300
        while len(server.seen) < 8 and time.monotonic() < until:
            time.sleep(0.05)
        if in_background:
            process.send_signal(signal.SIGINT)  # the Ctrl-C of somebody else's command: ignored, as before
            time.sleep(0.3)
            assert process.poll() is None
        process.send_signal(getattr(signal, name))
        _, said = process.communicate(timeout=600)
        assert process.returncode == 3, said
        assert "the same command resumes" in said
        # All but what was in flight.
        assert count(tmp_path / "c.db") >= len(server.seen) - 2


def test_limits_and_languages_that_say_nothing_are_refused(tmp_path: Path) -> None:
    probes = write_probes(tmp_path / "mine.jsonl")
    wrong = (
        ("--rpm", 0, "--rpm "),
        ("--tpm", -1, "--tpm "),
        ("--timeout", 0, "--timeout "),
        ("--max-cost", -2, "--max-cost "),
        ("--languages", ",", "',' names no language; write tags such as en,de"),
    )
    for option, value, said in wrong:
        done = run("http://127.0.0.1:9/v1", probes, tmp_path / "c.db", option, value, check=2)
        assert said in done.stderr


def test_a_fallback_that_does_not_exist_is_told_before_anything_is_asked(tmp_path: Path) -> None:
    probes = write_probes(tmp_path / "mine.jsonl")
    with Loopback(knows) as server:
        done = run(server, probes, tmp_path / "c.db", "--fallback", "gguf/none.gguf", check=2)
        assert "none.gguf" in done.stderr
        assert not server.seen
