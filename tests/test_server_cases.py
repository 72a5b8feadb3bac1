"""What servers were reported to do, met with the command: a sentence with the cure, and figures of what was said."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from clika import KEY, clika, write_probes
from servers.loopback import Answer, Loopback, Seen, chat


@pytest.fixture(autouse=True)
def key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)


@pytest.fixture
def probes(tmp_path: Path) -> Path:
    return write_probes(tmp_path / "mine.jsonl", 8)


def run(server: Loopback, probes: Path, db: Path, *more: object, check: int | None = 0) -> tuple[dict[str, Any], str]:
    """(JSON document, what was said beside it) of a run."""
    done = clika(
        *("run", probes, "-m", "openai/m", "--base-url", server.url, "--db", db, "--bootstrap", 0, "--json"),
        *("--max-retries", 0, *more),
        check=check,
    )
    return json.loads(done.stdout) if done.stdout else {}, done.stderr


def right(seen: Seen) -> str:
    """The label of the right answer: the gold of question i is i mod 4."""
    number = re.search(r"question number (\d+)", seen.json()["messages"][-1]["content"])
    assert number is not None
    return "ABCD"[int(number[1]) % 4]


def figures(document: dict[str, Any]) -> set[tuple[str, float, float]]:
    return {(r["language"], r["coverage"], r["accuracy"]) for r in document["records"]}


PERFECT = {("en", 1.0, 1.0), ("de", 1.0, 1.0)}


def told(document: dict[str, Any], said: str = "") -> str:
    return json.dumps(document) + said


# ---- which model answered


def served(name: Callable[[Seen], str]) -> Callable[[Seen], Answer]:
    return lambda seen: Answer(body=chat(right(seen), model=name(seen)))


def test_another_snapshot_behind_the_name_in_mid_run_is_told(tmp_path: Path, probes: Path) -> None:
    db = tmp_path / "c.db"
    with Loopback(served(lambda seen: "gpt-old" if seen.number < 10 else "gpt-new")) as server:
        document, _ = run(server, probes, db)
    expected = "the model behind the name changed during the run: gpt-old 9 times, gpt-new 7 times"
    assert expected in told(document)
    assert expected in clika("score", "--db", db, "--bootstrap", 0).stdout.replace("\n", " ")


def test_another_snapshot_behind_the_name_in_a_later_run_is_told(tmp_path: Path, probes: Path) -> None:
    db, now = tmp_path / "c.db", ["gpt-old"]
    with Loopback(served(lambda seen: now[0])) as server:
        first, _ = run(server, probes, db, "-l", "en")
        same, _ = run(server, probes, db, "-l", "en,de", "--limit", 4)
        now[0] = "gpt-new"
        other, _ = run(server, probes, db)
    assert "the model behind the name changed" not in told(first) + told(same)
    assert "changed since the last run: gpt-old then, gpt-new now" in told(other)


# ---- addresses


@pytest.mark.parametrize(
    "refusal",
    [
        Answer(200, {"error": "Unexpected endpoint or method. (POST /chat/completions)"}),
        Answer(404, None, raw=b"HTTP/1.1 404 Not Found\r\nContent-Length: 18\r\n\r\n404 page not found"),
        Answer(404, {"detail": "Not Found"}),
        Answer(404, {"error": "Not Found"}),
        Answer(404, {"error": {"message": "File Not Found", "type": "not_found_error", "code": 404}}),
        Answer(404, None, raw=b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"),
        Answer(404, None, raw=b"HTTP/1.1 404 Not Found\r\nContent-Length: 22\r\n\r\n<html><h1>404</h1>nope"),
        Answer(405, {"detail": "Method Not Allowed"}),
    ],
)
def test_an_address_without_v1_stops_at_once_with_the_cure(tmp_path: Path, probes: Path, refusal: Answer) -> None:
    with Loopback(lambda seen: refusal) as server:
        bare = server.url.removesuffix("/v1")
        done = clika(
            *("run", probes, "-m", "openai/m", "--base-url", bare, "--db", tmp_path / "c.db", "--max-retries", 0),
            check=None,
        )
        assert len(server.seen) < 16
    assert done.returncode == 2
    assert "does it end in /v1" in done.stderr
    assert "--base-url" in done.stderr


# ---- probabilities


def labels(seen: Seen, first: list[tuple[str, float]], text: str) -> Answer:
    top = [{"token": token, "logprob": value, "bytes": None} for token, value in first]
    body = chat(text)
    body["choices"][0]["logprobs"] = {"content": [{**top[0], "top_logprobs": top}]}
    return Answer(body=body)


def test_a_server_that_gives_fewer_alternatives_is_asked_for_so_many(tmp_path: Path, probes: Path) -> None:
    def behave(seen: Seen) -> Answer:
        if seen.json().get("top_logprobs", 0) > 5:
            said = "Requested sample logprobs of 20, which is greater than max allowed: 5"
            return Answer(400, {"object": "error", "message": said, "type": "BadRequestError", "code": 400})
        label = right(seen)
        other = "ABCD"[("ABCD".index(label) + 1) % 4]
        return labels(seen, [(label, -0.1), (other, -3.0)], label)

    with Loopback(behave) as server:
        document, said = run(server, probes, tmp_path / "c.db", "--ask", "logprobs")
    assert figures(document) == PERFECT
    assert "5 alternatives per token" in told(document, said)


def test_labels_that_hold_little_of_the_first_token_are_said_beside_the_figure(tmp_path: Path, probes: Path) -> None:
    def behave(seen: Seen) -> Answer:
        label = right(seen)
        wrong = "ABCD"[("ABCD".index(label) + 1) % 4]
        return labels(seen, [("The", -0.01), (wrong, -6.0), (label, -9.0)], f"The answer is {label}")

    db = tmp_path / "c.db"
    with Loopback(behave) as server:
        by_labels, _ = run(server, probes, db, "--ask", "logprobs")
        by_text, _ = run(server, probes, db, "--ask", "text")
    found = {r["ask"]: r for r in by_text["records"]} | {r["ask"]: r for r in by_labels["records"]}
    # e^-6 + e^-9, as the server says.
    assert found["logprobs"]["label_mass"] == pytest.approx(0.0026, abs=1e-4)
    assert (found["logprobs"]["accuracy"], found["text"]["accuracy"]) == (0.0, 1.0)
    printed = " ".join(clika("score", "--db", db, "--bootstrap", 0).stdout.split())
    assert "The labels hold less than half" in printed
    assert "0.3%" in printed
    assert "--ask text" in printed


# ---- replies that are not where one looks


def message(content: object, finish: str = "stop", **more: object) -> Callable[[str], dict[str, Any]]:
    def made(label: str) -> dict[str, Any]:
        filled = json.loads(json.dumps([content, more]).replace("LABEL", label))
        spoken = {"role": "assistant", "content": filled[0], **filled[1]}
        return chat(label, choices=[{"index": 0, "message": spoken, "finish_reason": finish}])

    return made


@pytest.mark.parametrize(
    "body",
    [
        message(None, reasoning_content="LABEL"),
        message("", reasoning_content="LABEL"),
        message(None, reasoning="LABEL", tool_calls=[]),
        message("\n\n", reasoning="LABEL"),
        message(None, reasoning_details=[{"type": "reasoning.text", "text": "LABEL"}]),
        message([{"type": "text", "text": "LABEL"}]),
        message([{"type": "thinking", "thinking": "A or B?"}, {"type": "text", "text": "LABEL"}]),
        message("LABEL", finish="STOP"),
        message("LABEL", finish="eos"),
        message("<think>A or B?</think>LABEL"),
        message("A or B?</think>LABEL"),
        message("LABEL", reasoning_content="It cannot be A or B."),
    ],
)
def test_a_reply_is_read_wherever_the_server_puts_it(
    tmp_path: Path, probes: Path, body: Callable[[str], dict[str, Any]]
) -> None:
    with Loopback(lambda seen: Answer(body=body(right(seen)))) as server:
        document, _ = run(server, probes, tmp_path / "c.db")
    assert figures(document) == PERFECT


@pytest.mark.parametrize(
    "body",
    [
        message("<think>\nOkay, the options one by one. A is", finish="length"),
        message(None, finish="length", reasoning_content="Let me look at the options. A is"),
        message("", finish="MAX_TOKENS", reasoning="The user asks for A"),
    ],
)
def test_a_thought_that_was_cut_is_no_answer_and_the_cure_is_said(
    tmp_path: Path, probes: Path, body: Callable[[str], dict[str, Any]]
) -> None:
    with Loopback(lambda seen: Answer(body=body(right(seen)))) as server:
        document, said = run(server, probes, tmp_path / "c.db", check=None)
    assert not any(r["accuracy"] for r in document.get("records", ()))
    assert "--max-tokens" in told(document, said) + clika("score", "--db", tmp_path / "c.db", check=None).stdout
