"""`clika sets` and `clika prompt` as a user types them."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest
from clika import COMMAND, clika, write_probes
from hypothesis import given
from hypothesis import strategies as st

from clika_client.cli.app import run
from clika_client.common.safe_text import json_shown, shown


def test_a_set_is_added_listed_shown_exported_and_removed(tmp_path: Path) -> None:
    file = write_probes(tmp_path / "mine.jsonl", n=7)
    added = clika("sets", "add", "trivia", file, "--reference", "0.9")
    assert added.stdout == "trivia: 7 items, 4 choices, 2 languages (en, de)\n"
    listed = {row["set"]: row for row in json.loads(clika("sets", "list", "--json").stdout)["sets"]}
    assert list(listed) == ["atlas", "atlas-names", "fictional", "trivia"]
    assert (listed["trivia"]["items"], listed["trivia"]["reference"]) == (7, 0.9)
    assert listed["atlas"]["error"] is None
    exported = [json.loads(line) for line in clika("sets", "export", "trivia", "--languages", "de").stdout.splitlines()]
    assert [row["gold"] for row in exported] == [0, 1, 2, 3, 0, 1, 2]
    assert all(row["language"] == "de" and row["tags"]["relation"] in ("even", "odd") for row in exported)
    clika("sets", "remove", "trivia")
    assert "trivia" not in clika("sets", "list").stdout
    assert file.exists()


def test_show_prints_questions_with_the_right_choice_marked_and_counts_by_tag(tmp_path: Path) -> None:
    file = write_probes(tmp_path / "mine.jsonl", n=3)
    questions = clika("sets", "show", file, "--languages", "de", "--limit", "3").stdout
    assert "\nGerman (de, Latn)\n" in questions
    assert "[q1] relation=odd\nde: question number 1?\n   A. de choice 1-0\n * B. de choice 1-1\n" in questions
    facts = clika("sets", "show", file).stdout
    assert "3 items, 4 choices, chance .250" in facts
    assert "relation: even 2, odd 1" in facts
    as_json = json.loads(clika("sets", "show", file, "--json", "--limit", "2").stdout)
    assert as_json["tags"] == {"relation": {"even": 2, "odd": 1}}
    assert len(as_json["questions"]) == 4


def test_atlas_is_shown_in_hebrew_and_exported_as_jsonl() -> None:
    hebrew = clika("sets", "show", "atlas", "--languages", "he", "--limit", "5").stdout
    assert hebrew.count("\n * ") == 5
    assert "\nHebrew (he, Hebr, right to left)\n" in hebrew
    rows = [json.loads(line) for line in clika("sets", "export", "atlas", "--languages", "he,sw").stdout.splitlines()]
    assert {"item_id", "language", "question", "choices", "gold", "tags"} <= set(rows[0])
    assert {row["language"] for row in rows} == {"he", "sw"}


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["sets", "show", "atlsa"], "did you mean 'atlas'"),
        (["sets", "show", "gone.jsonl"], "gone.jsonl: no such file"),
        (["sets", "show", "atlas", "--languages", "xx"], "has no language 'xx'"),
        (["sets", "show", "atlas", "--languages", "Hebr"], "write a tag such as"),
        (["sets", "show", "atlas", "--limit", "0"], "--limit"),
        (["sets", "show", "x_geo"], "clika sets add clika-release FOLDER"),
        (["sets", "add", "clika-release", "."], "give the folder of your checkout"),
        (["sets", "remove", "trivia"], "is not a set you registered"),
        (["sets", "build", "x_geo"], "only atlas is"),
        (["prompt", "atlas", "--prompt", "plian"], "did you mean 'plain'"),
        (["prompt", "atlas", "--item", "q0"], "has no item 'q0'"),
        (["prompt", "atlas", "--template", "gone.txt"], "gone.txt: cannot read this prompt template"),
    ],
)
def test_mistakes_end_with_a_message_the_cure_and_exit_code_2(
    arguments: list[str], says: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as left:
        run(arguments)
    said = capsys.readouterr()
    assert left.value.code == 2
    assert says in said.err
    assert said.out == ""


def test_prompt_previews_what_is_sent_and_names_the_right_answer(tmp_path: Path) -> None:
    file = write_probes(tmp_path / "mine.jsonl", n=2)
    shown_ = clika("prompt", file, "--languages", "de", "--item", "q1", "--rotation", "1").stdout
    assert shown_ == (
        "── item q1, de; right answer: A\n"
        "Antworte nur mit dem Buchstaben der richtigen Antwort.\n"
        "Frage: de: question number 1?\n"
        "A. de choice 1-1\nB. de choice 1-2\nC. de choice 1-3\nD. de choice 1-0\nAntwort:\n──\n"
    )
    (prompt,) = json.loads(clika("prompt", file, "-l", "de", "--item", "q1", "--rotation", "1", "--json").stdout)[
        "prompts"
    ]
    assert prompt["choice_order"] == [1, 2, 3, 0]
    assert shown_.split("\n", 1)[1].removesuffix("\n──\n") == prompt["messages"][0]["content"]


def test_prompt_previews_the_users_own_template(tmp_path: Path) -> None:
    file = write_probes(tmp_path / "mine.jsonl", n=1, k=2)
    template = tmp_path / "quiz.txt"
    template.write_text("system: Quiz.\nchoice: {label}) {choice}\n---\n{question}\n{choices}", "utf-8")
    assert clika("prompt", file, "--template", template).stdout.splitlines()[1:] == [
        "── system",
        "Quiz.",
        "── user",
        "en: question number 0?",
        "A) en choice 0-0",
        "B) en choice 0-1",
        "──",
    ]


def test_prompt_without_a_set_lists_the_styles() -> None:
    listed = clika("prompt").stdout
    assert [line.split()[0] for line in listed.splitlines()] == [
        "plain",
        "plain-native",
        "paper-zero-shot",
        "paper-one-shot",
    ]


def test_what_a_file_holds_cannot_drive_the_terminal(tmp_path: Path) -> None:
    file = tmp_path / "mine.jsonl"
    row = {
        "item_id": "q\x1b]0;x\x07",
        "language": "en",
        "question": "a\x1b[2J\u202eb",
        "choices": ["\r1", "[red]2"],
        "gold": 0,
    }
    file.write_text(json.dumps(row) + "\n", "utf-8")
    for arguments in (["sets", "show", file, "--limit", "1"], ["prompt", file]):
        text = clika(*arguments).stdout
        assert not set(text) & set("\x1b\x07\r\u202e")
        assert "[red]2" in text


def test_joiners_and_marks_that_belong_to_a_script_are_kept() -> None:
    assert shown("می\u200cنویسد क\u094d\u200dष") == "می\u200cنویسد क\u094d\u200dष"
    assert shown("שלום (C++\u200e) עליכם") == "שלום (C++\u200e) עליכם"
    assert shown("٣ كم\u061c.") == "٣ كم\u061c."


OVERRIDES = "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u206a\u206f"
MARKS = "\u200e\u200f\u061c"


@given(st.text(st.sampled_from(OVERRIDES + MARKS + "ab1+ .אبx"), max_size=12))
def test_nothing_unseen_turns_what_is_shown_round(text: str) -> None:
    """Overrides never; a mark only beside letters that run to the left themselves, in sight."""
    seen = shown(text)
    assert not set(seen) & set(OVERRIDES)
    assert not set(seen) & set(MARKS) or set(text) & set("אب")
    assert len(seen) == len(text)
    for c, was in zip(seen, text, strict=True):
        assert c == was or (c == "\ufffd" and was in OVERRIDES + MARKS)
    told = json_shown(json.dumps(text, ensure_ascii=False))
    assert json.loads(told) == text
    assert not set(told) & set(OVERRIDES + MARKS)
    assert shown("a\nb", lines=True) == "a\nb"
    assert shown("a\nb") == "a�b"


def test_a_reader_that_leaves_early_is_no_failure() -> None:
    command = [*COMMAND, "sets", "export", "atlas"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as done:
        assert done.stdout is not None
        assert done.stderr is not None
        done.stdout.readline()
        done.stdout.close()
        assert done.stderr.read() == b""
        assert done.wait(60) == 0
