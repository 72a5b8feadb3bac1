"""Reading the authors' release: from a checkout of our own invention, and from the real one where it is at hand."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from clika_client.common.errors import UserError
from clika_client.prompts.catalogue import get_style
from clika_client.prompts.style import render
from clika_client.sets.filters import kept_items
from clika_client.sets.release import CHOICES, REFERENCES, RELEASE_SETS, read_release
from clika_client.sets.release_layout import FOLDERS, response_files

OFFICIAL = os.environ.get("CLIKA_OFFICIAL_DATA")
needs_official = pytest.mark.skipif(not OFFICIAL, reason="CLIKA_OFFICIAL_DATA names no checkout of the CLiKA release")


def write_rows(path: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")


def copa_row(number: int, **changes: Any) -> dict[str, Any]:
    row = {
        "id": number,
        "premise": f"It rained {number} times.",
        "choice1": "Streets got wet.",
        "choice2": "It was dry.",
    }
    return {**row, "question": "effect", "label": 0, **changes}


def csqa_row(number: int, texts: Sequence[str], gold: str = "A") -> dict[str, Any]:
    choices = {"label": list("ABCDE"), "text": list(texts)}
    return {
        "id": f"{number:016x}",
        "lang": "en",
        "question": {"stem": f"Where is {number}?", "choices": choices},
        "answerKey": gold,
    }


def response(number: int, prompt: str) -> dict[str, Any]:
    return {"id": number, "input": prompt, "res": "A", "label": "A", "uuid": number}


@pytest.fixture
def copa(tmp_path: Path) -> Path:
    """A checkout with three items of x_copa in three languages; Italian asks one of them the other way round."""
    tmp_path = tmp_path / "above" / "checkout"
    for language in ("en", "de", "it"):
        rows = [copa_row(501), copa_row(502, question="cause", label=1), copa_row(503)]
        if language == "it":
            rows[2] = copa_row(503, question="cause")
            rows[0]["changed"] = True
        write_rows(tmp_path / "x_copa" / FOLDERS["x_copa"][language] / "test.jsonl", rows)
    return tmp_path


def test_versions_that_ask_the_other_way_round_are_found_by_vote(copa: Path) -> None:
    found = read_release(copa, "x_copa")
    assert found.languages == ("en", "de", "it")
    assert [dict(p.tags) for p in found.probes["it"]] == [{"adapted": "culture"}, {}, {"adapted": "flipped"}]
    assert all(not p.tags for tag in ("en", "de") for p in found.probes[tag])
    assert list(kept_items(found, ["adapted"])) == [1]


def test_copa_is_asked_in_the_language_of_the_premise_and_keeps_its_parts(copa: Path) -> None:
    probe = read_release(copa, "x_copa").probes["de"][1]
    assert probe.question == "It rained 502 times. Was war die Ursache dafür?"
    assert probe.fields["premise"] == "It rained 502 times."
    assert (probe.gold, probe.choices) == (1, ("Streets got wet.", "It was dry."))


def test_the_published_wording_is_cut_out_of_the_response_files(copa: Path) -> None:
    """The braces, the repeated words and the odd spaces are traps for a careless cut."""
    asks = {"cause": "Why {so}?", "effect": "And then?"}

    def sent(row: Mapping[str, Any]) -> str:
        example = "P:It rained 501 times.\nQ: Why {so}?\nA. Streets got wet.\nB. It was dry.\n=>A\n\n"
        asked = f"P:{row['premise']}\nQ: {asks[row['question']]}\nA. Streets got wet.\nB. It was dry.\n=>"
        return f"Choose {{one}}.\n{example}{asked}"

    expected = {}
    for language in ("en", "de", "it"):
        folder = copa / "x_copa" / FOLDERS["x_copa"][language]
        expected[language] = [sent(json.loads(row)) for row in (folder / "test.jsonl").read_text("utf-8").splitlines()]
        replies = [response(i, text) for i, text in enumerate(expected[language])]
        write_rows(folder / "some_model_res_bf16_add_simple_example.jsonl", replies)
    found = read_release(copa, "x_copa")
    for language, texts in expected.items():
        prompts = [render(p, get_style("paper-one-shot"), found) for p in found.probes[language]]
        assert [p.messages[0].content for p in prompts] == texts


@pytest.mark.parametrize(
    ("inputs", "says"),
    [
        (None, "x_copa/en of the checkout has no file of responses"),
        ([], "the file is empty"),
        (["Something else altogether."] * 3, "row '501' does not hold its own question"),
        (
            [f"P:It rained {n} times.\nQ:So?\nA. Streets got wet.\nB. It was dry.\n{end}" for n, end in
             ((501, "Answer:"), (502, "Answer:"), (503, "answer: "))],
            "not all of one form (row '503')",
        ),
    ],
)  # fmt: skip
def test_a_style_whose_wording_cannot_be_found_refuses_to_be_used_and_the_questions_stay_good(
    copa: Path, inputs: list[str] | None, says: str
) -> None:
    if inputs is not None:
        rows = [response(i, prompt) for i, prompt in enumerate(inputs)]
        write_rows(copa / "x_copa" / "en" / "chatgpt_res.jsonl", rows)
    found = read_release(copa, "x_copa")
    assert found.n == 3
    with pytest.raises(UserError, match="paper-zero-shot cannot be reproduced in 'en'") as error:
        render(found.probes["en"][0], get_style("paper-zero-shot"), found)
    assert says in str(error.value)
    assert render(found.probes["en"][0], get_style("plain"), found).labels == ("A", "B")


def test_one_damaged_file_of_responses_is_passed_over_for_the_next(copa: Path) -> None:
    folder = copa / "x_copa" / "en"
    (folder / "a_res_bf16_add_simple_example.jsonl").write_text("{", "utf-8")
    sent = [f"P:It rained {n} times.\nQ:So?\nA. Streets got wet.\nB. It was dry.\nAnswer:" for n in (501, 502, 503)]
    write_rows(folder / "b_res_bf16_add_simple_example.jsonl", [response(i, text) for i, text in enumerate(sent)])
    found = read_release(copa, "x_copa")
    prompts = [render(probe, get_style("paper-one-shot"), found) for probe in found.probes["en"]]
    assert [prompt.messages[0].content for prompt in prompts] == sent


def test_duplicate_and_empty_options_are_tagged_in_their_language_only(tmp_path: Path) -> None:
    clean = ["park", "lake", "road", "shop", "hall"]
    german = [clean, ["Park", "See", "park ", "Laden", "Halle"], ["Park", "", "Weg", "Laden", "Halle"]]
    write_rows(tmp_path / "x_csqa/en/validation.jsonl", [csqa_row(i, clean, "B") for i in range(3)])
    write_rows(
        tmp_path / "x_csqa/DE_trans/validation.jsonl", [csqa_row(i, texts, "B") for i, texts in enumerate(german)]
    )
    found = read_release(tmp_path, "x_csqa")
    assert [p.tags.get("ambiguous") for p in found.probes["de"]] == [None, "duplicate", "empty"]
    assert all(not p.tags for p in found.probes["en"])
    assert list(kept_items(found, ["ambiguous"])) == [0]


def test_birth_and_death_of_one_person_are_one_cluster(tmp_path: Path) -> None:
    people = ["Ada King", "Bo Li", "King Otto II", "Otto II", *(f"Person {chr(97 + i)}" for i in range(12))]
    questions = [f"In what year was {who} born?" for who in people] + [f"In what year did {who} die?" for who in people]
    rows = [
        {"id": i, "questions": q, "answers": ["1", "2", "3", "4"], "label": 0, "original_lang": "de", "sent_lang": "en"}
        for i, q in enumerate(questions)
    ]
    write_rows(tmp_path / "x_name/en/en_name_data_generate.jsonl", rows)
    found = read_release(tmp_path, "x_name")
    clusters = [item.cluster for item in found.items]
    assert clusters[:16] == clusters[16:]
    assert len(set(clusters)) == 16
    assert {item.tags["original_lang"] for item in found.items} == {"de"}


def test_a_row_that_is_no_row_is_named_with_file_and_line(copa: Path) -> None:
    file = copa / "x_copa" / "DE" / "test.jsonl"
    file.write_text(file.read_text("utf-8") + '{"premise": "no more"}\n', "utf-8")
    with pytest.raises(UserError, match=r"DE/test.jsonl, line 4"):
        read_release(copa, "x_copa")


@pytest.mark.parametrize(("where", "says"), [("missing", "no such folder"), (".", "holds none of the folders")])
def test_a_folder_that_is_no_checkout_is_refused_with_the_cure(tmp_path: Path, where: str, says: str) -> None:
    with pytest.raises(UserError, match=says) as error:
        read_release(tmp_path / where, "x_geo")
    assert "give the folder of your checkout" in str(error.value)


def test_the_sets_are_found_from_folders_above_and_from_a_set_itself(copa: Path) -> None:
    for folder in (copa / "x_copa", copa, copa.parent, copa.parent.parent):
        assert read_release(folder, "x_copa").n == 3


def test_response_files_are_told_by_name_and_all_others_counted_by_reason(tmp_path: Path) -> None:
    folder = tmp_path / "x_geo" / "en"
    names = [
        "chatgpt_res.jsonl",
        "a_7b_res_bf16_add_simple_example.jsonl",
        "a_7b_res_bf16.jsonl",
        "chatgpt_res_visual.jsonl",
        "chatgpt_res_without_uuid.jsonl",
        "chatgpt_res_fixed_en_prompt.jsonl",
        "generate_input.jsonl",
        "en_geo_data.jsonl",
        "notes.txt",
    ]
    for name in names:
        write_rows(folder / name, [])
    write_rows(tmp_path / "x_geo" / "xx" / "chatgpt_res.jsonl", [])
    found = response_files(tmp_path)
    assert [(f.set, f.language, f.model, f.style) for f in found.files] == [
        ("x_geo", "en", "a_7b", "paper-one-shot"),
        ("x_geo", "en", "chatgpt", "paper-zero-shot"),
    ]
    assert sum(found.skipped.values()) == len(names) - 2 + 1
    assert found.skipped["alternate runs"] == 3
    assert found.skipped["charts, not replies"] == 1
    assert found.skipped["outside the languages' folders"] == 1


@needs_official
@pytest.mark.parametrize("name", RELEASE_SETS)
def test_the_real_release_has_the_papers_shape(name: str) -> None:
    found = read_release(Path(str(OFFICIAL)), name)
    items = {"x_csqa": 1000, "x_copa": 500, "x_geo": 200, "x_name": 180}[name]
    assert (found.n, found.k, found.reference) == (items, CHOICES[name], REFERENCES[name])
    assert sorted(found.languages) == ["ar", "de", "en", "fr", "he", "it", "ja", "pl", "ru", "zh"]
    assert found.languages[0] == "en"


@needs_official
def test_the_known_flaws_of_the_real_release_are_all_found() -> None:
    """Counts as the release's own documentation of its traps gives them."""
    csqa = read_release(Path(str(OFFICIAL)), "x_csqa")
    kinds: dict[str, set[str]] = {}
    for probes in csqa.probes.values():
        for probe in probes:
            if "ambiguous" in probe.tags:
                kinds.setdefault(probe.tags["ambiguous"], set()).add(probe.item_id)
    assert len(kinds["gold-duplicated"]) == 49
    assert len(kinds["gold-duplicated"] | kinds["duplicate"]) == 118
    english = [i for i, p in enumerate(csqa.probes["en"]) if p.tags.get("ambiguous") == "gold-duplicated"]
    assert english == [264, 285, 465, 508, 620, 973, 978]
    assert kinds["empty"] == {csqa.items[428].item_id}

    copa = read_release(Path(str(OFFICIAL)), "x_copa")
    flipped = [p.item_id for p in copa.probes["it"] if p.tags.get("adapted") == "flipped"]
    assert flipped == ["585", "612", "937", "955"]
    adapted = {tag: sum(p.tags.get("adapted") == "culture" for p in copa.probes[tag]) for tag in copa.languages}
    assert {tag: n for tag, n in adapted.items() if n} == {"it": 15, "zh": 17}

    geo = read_release(Path(str(OFFICIAL)), "x_geo")
    assert sum("answer_in_question" in item.tags for item in geo.items) == 13

    people = [item.cluster for item in read_release(Path(str(OFFICIAL)), "x_name").items]
    assert people[:90] == people[90:]
    assert len(set(people)) == 90


@needs_official
def test_every_response_file_of_the_real_release_is_placed() -> None:
    found = response_files(Path(str(OFFICIAL)))
    per_model: dict[str, int] = {}
    for file in found.files:
        per_model[file.model] = per_model.get(file.model, 0) + 1
    assert len(per_model) >= 17
    assert set(per_model.values()) == {40}
    assert "other files" not in found.skipped or found.skipped["other files"] < len(found.files)


def test_questions_of_x_geo_come_in_the_countries_they_are_about(official_data: Path) -> None:
    clusters = [item.cluster for item in read_release(official_data, "x_geo").items]
    assert None not in clusters
    assert len(set(clusters)) == 13
    assert clusters.count("Japan") == 20
