"""Commands that look at things: items that are lost in one language, models and servers, and the demo itself."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from clika import clika, records
from servers.loopback import Answer, Loopback, Seen

from clika_client.sets import demo
from clika_client.sets.demo import DATA, GGUF

N = 24
LOST = 5
"""The item that everybody has wrong in German, and right in English."""


@pytest.fixture(scope="module")
def answered(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four models' replies to 24 questions in two languages."""
    folder = tmp_path_factory.mktemp("items")
    rows = []
    for model in range(4):
        for item in range(N):
            for language in ("en", "de"):
                wrong = (item * 7 + model * 5 + (language == "de")) % 6 == 0 and item != LOST
                lost = item == LOST and language == "de"
                rows.append(
                    {
                        "model": f"lab/m{model}",
                        "set": "mine",
                        "item_id": f"q{item}",
                        "language": language,
                        "question": f"{language} question {item}?",
                        "choices": ["one", "two", "three"],
                        "gold": item % 3,
                        "text": "ABC"[(item + (wrong or lost)) % 3],
                    }
                )
    file = folder / "replies.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    clika("import", file, "--db", folder / "c.db")
    return folder / "c.db"


def test_an_item_that_is_lost_in_one_language_is_named_with_its_question(answered: Path) -> None:
    found = json.loads(clika("items", "mine", "--db", answered, "--json").stdout)["sets"][0]
    assert (found["set"], found["models"], len(found["difficulty"])) == ("mine", 4, N)
    assert [(item["item_id"], item["language"]) for item in found["lost_in_one_language"]] == [(f"q{LOST}", "de")]
    text = clika("items", "mine", "--db", answered).stdout
    assert f"{N} items, 4 models" in text
    assert re.search(rf"de +0 of 4 right, \d.\d expected, elsewhere 100%: item q{LOST} !  de question {LOST}\?", text)
    assert "no item carries this tag" in clika("items", "mine", "--db", answered, "--only", "tag=none", check=2).stderr


def test_the_servers_are_listed_and_the_models_of_one_with_the_day_they_end() -> None:
    rows = json.loads(clika("models", "list", "--json").stdout)["providers"]
    assert {"openai", "anthropic", "gguf", "ollama"} <= {row["name"] for row in rows}
    assert "clika models list PROVIDER" in clika("models", "list").stdout

    def behave(seen: Seen) -> Answer:
        return Answer(200, {"object": "list", "data": [{"id": "small", "object": "model"}, {"id": "large\x1b[31m"}]})

    with Loopback(behave) as server:
        offered = clika("models", "list", "ollama", "--base-url", server.url).stdout
        as_json = json.loads(clika("models", "list", "ollama", "--base-url", server.url, "--json").stdout)
    assert "ollama/small" in offered
    assert "\x1b" not in offered
    assert {model["id"] for model in as_json["models"]} == {"small", "large\x1b[31m"}


def test_the_demo_shows_its_table_and_asks_nothing_a_second_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("llama_cpp", reason="the demo needs llama-cpp-python: pip install '.[local]'")
    # The best and the worst language show what all twelve would; the session in README is made of all.
    few = demo.demo_set().select(["en", "sw"])
    monkeypatch.setattr(demo, "demo_set", lambda: few)
    first = clika("demo", "--db", tmp_path / "demo.db")
    assert "A demonstration, offline" in first.stderr
    assert GGUF.name in first.stdout
    again = clika("demo", "--db", tmp_path / "demo.db", "--json")
    assert "nothing to send" in again.stderr
    shown = {row["language"]: row["accuracy"] for row in records(again)}
    assert shown["en"] > 0.9 > shown["sw"]


def test_a_local_model_shows_the_text_it_is_given_and_a_server_does_not() -> None:
    pytest.importorskip("llama_cpp", reason="needs llama-cpp-python: pip install '.[local]'")
    arguments = ("prompt", "atlas", "-l", "en", "--limit", 1)
    shown = clika(*arguments, "--model", f"gguf/{DATA / GGUF.name}").stdout
    assert "── tokens" in shown
    assert re.search(r"\d+:['\"]", shown)
    refused = clika(*arguments, "--model", "openai/m", check=2).stderr
    assert "a server makes its own" in refused
