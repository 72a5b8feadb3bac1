"""Files in the layouts of public data sets and office programs: read as a person would read them, or refused."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from clika import clika

from clika_client.common.errors import UserError
from clika_client.prompts.catalogue import builtin_styles
from clika_client.prompts.style import render
from clika_client.sets.probes import ProbeSet
from clika_client.sets.user import read_user_set

DATA = Path(__file__).parent / "data" / "layouts"
BELEBELE = [
    "item_id=link|question_number",
    "language=dialect",
    "question=flores_passage|question",
    "choices=mc_answer1|mc_answer2|mc_answer3|mc_answer4",
]
GERMAN_TABLE = ["item_id=id,language=lang,question=frage", "choices=a|b|c", "gold=richtig"]


def golds(found: ProbeSet, language: str) -> list[str]:
    return [probe.choices[probe.gold] for probe in found.probes[language]]


@pytest.mark.parametrize("name", ["belebele_small.jsonl", "belebele_with4.jsonl"])
def test_golds_that_count_from_one_are_read_when_the_mapping_says_so(name: str) -> None:
    found = read_user_set(DATA / name, mapping=[*BELEBELE, "gold1=correct_answer_num"])
    assert "en" in found.languages
    for line in (DATA / name).read_text("utf-8").splitlines():
        row = json.loads(line)
        at = [item.item_id for item in found.items].index(f"{row['link']}|{row['question_number']}")
        right = [probes[at] for probes in found.probes.values() if probes[at].question.endswith(row["question"])]
        assert row[f"mc_answer{row['correct_answer_num']}"] in [probe.choices[probe.gold] for probe in right]
        assert row["flores_passage"] in right[0].question


@pytest.mark.parametrize("name", ["belebele_small.jsonl", "belebele_with4.jsonl"])
def test_golds_that_count_from_one_are_never_taken_to_count_from_zero(name: str) -> None:
    with pytest.raises(UserError, match="gold1=COLUMN"):
        read_user_set(DATA / name, mapping=[*BELEBELE, "gold=correct_answer_num"])


def test_golds_without_a_zero_are_taken_when_the_mapping_says_that_they_count_from_zero(tmp_path: Path) -> None:
    file = tmp_path / "s.csv"
    file.write_text("id,q,a,b,c,right\n1,One?,x,y,z,1\n2,Two?,x,y,z,2\n")
    mapping = ["item_id=id,question=q,choices=a|b|c,language==en"]
    with pytest.raises(UserError, match=r"s\.csv: no right choice is number 0"):
        read_user_set(file, mapping=[*mapping, "gold=right"])
    assert golds(read_user_set(file, mapping=[*mapping, "gold0=right"]), "en") == ["y", "z"]
    assert golds(read_user_set(file, mapping=[*mapping, "gold1=right"]), "en") == ["x", "y"]


def test_one_number_all_along_that_is_not_zero_is_not_guessed_at(tmp_path: Path) -> None:
    file = tmp_path / "s.jsonl"
    rows = [{"item_id": str(i), "language": "en", "question": f"{i}?", "choices": ["x", "y"]} for i in range(3)]
    for name, expected in (("gold", None), ("gold0", "y"), ("gold1", "x")):
        file.write_text("".join(json.dumps({**row, name: 1}) + "\n" for row in rows))
        if expected is None:
            with pytest.raises(UserError, match=r"gold1=COLUMN .* gold0=COLUMN"):
                read_user_set(file)
        else:
            assert golds(read_user_set(file), "en") == [expected] * 3


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ("x,NaN", "line 2: choice 2 is NaN, as pandas writes an empty cell"),
        ("x,#N/A", "line 2: choice 2 is #N/A, which a spreadsheet writes for an error"),
        ("x,#NAME?", "a spreadsheet writes for an error"),
        ("x, ", "line 2: choice 2 is empty"),
    ],
)
def test_cells_that_hold_no_option_are_refused(tmp_path: Path, options: str, says: str) -> None:
    file = tmp_path / "s.csv"
    file.write_text(f"item_id,language,question,a,b,gold\n1,en,?,{options},A\n")
    with pytest.raises(UserError, match=re.escape(says)):
        read_user_set(file, mapping=["choices=a|b"])


@pytest.mark.parametrize("choices", [{"A": "x", "B": "y"}, {"1": "x", "2": "y"}, {"a": "x", "b": "y"}])
def test_options_named_by_their_labels_are_read_and_the_right_one_is_a_label(
    tmp_path: Path, choices: dict[str, str]
) -> None:
    file = tmp_path / "s.jsonl"
    row = {"item_id": 1.0, "language": "en", "question": "?", "choices": choices, "gold": list(choices)[1]}
    file.write_text(json.dumps(row))
    found = read_user_set(file).probes["en"][0]
    assert (found.item_id, found.choices, found.gold) == ("1", ("x", "y"), 1)
    file.write_text(json.dumps({**row, "choices": {"first": "x", "second": "y"}}))
    with pytest.raises(UserError, match="'choices' must be a list of texts"):
        read_user_set(file)


def test_files_of_one_language_each_make_one_set_named_by_their_files(tmp_path: Path) -> None:
    german, french = DATA / "mmmlu_DE-DE.csv", tmp_path / "mmmlu_FR-FR.csv"
    french.write_text(german.read_text("utf-8").replace("Welches Organ", "Quel organe"), "utf-8")
    mapping = ["--map", "item_id=column 1,question=Question,choices=A|B|C|D,gold=Answer,tags=Subject"]
    done = clika("sets", "add", "my-mmmlu", german, french, *mapping)
    assert "my-mmmlu: 3 items, 4 choices, 2 languages (de-DE, fr-FR)" in done.stdout
    shown = json.loads(clika("sets", "show", "my-mmmlu", "-l", "fr-FR", "--limit", "3", "--json").stdout)
    assert [row["gold"] for row in shown["questions"]] == [2, 1, 1]
    assert shown["questions"][1]["question"].startswith("Quel organe")


def test_several_columns_of_an_id_never_make_two_questions_one(tmp_path: Path) -> None:
    file = tmp_path / "s.jsonl"
    rows = [{"a": "x|", "b": "y"}, {"a": "x", "b": "|y"}, {"a": "x\\", "b": "|y"}]
    whole = [{**row, "language": "en", "question": "Q", "choices": ["r", "w"], "gold": 0} for row in rows]
    file.write_text("".join(json.dumps(row) + "\n" for row in whole))
    assert read_user_set(file, mapping=["item_id=a|b"]).n == 3


def test_options_with_labels_inside_the_question_are_found_by_their_path() -> None:
    mapping = ["item_id=id,language=lang,question=question.stem,choices=question.choices,gold=answerKey"]
    found = read_user_set(DATA / "xcsqa_official.jsonl", mapping=mapping)
    assert (found.n, found.k) == (1, 5)
    assert {tag: golds(found, tag) for tag in found.languages} == {"en": ["fridge"], "de": ["Kühlschrank"]}


def test_what_an_item_asks_for_can_be_part_of_its_question() -> None:
    found = read_user_set(
        DATA / "xcopa.jsonl",
        mapping=[
            "item_id=idx,language=lang,question=premise|question,choices=choice1|choice2,gold=label,fields=premise"
        ],
    )
    plain = next(style for style in builtin_styles() if style.name == "plain")
    prompt = render(found.probes["it"][0], plain, found).messages[-1].content
    assert "L'uomo aprì il rubinetto.\neffect" in prompt
    assert found.probes["it"][0].fields == {"premise": "L'uomo aprì il rubinetto."}


@pytest.mark.parametrize(
    ("name", "says"),
    [("gold_is_empty.csv", "line 2: choice 5 is empty"), ("nan_choice.jsonl", "line 1: choice 4 is nan")],
)
def test_options_that_are_empty_or_no_number_are_refused(name: str, says: str) -> None:
    with pytest.raises(UserError, match=says):
        read_user_set(DATA / name, mapping=["choices=a|b|c|d|e"] if name.endswith(".csv") else ())


@pytest.mark.parametrize("name", ["excel_sep_line.csv", "excel_trailing_cols.csv"])
def test_tables_as_excel_writes_them_are_read(name: str) -> None:
    found = read_user_set(DATA / name, mapping=GERMAN_TABLE)
    assert {tag: golds(found, tag) for tag in found.languages} == {"de": ["Wien"], "en": ["Vienna"]}


def test_lines_are_counted_from_the_separator_line_of_excel(tmp_path: Path) -> None:
    file = tmp_path / "s.csv"
    file.write_text((DATA / "excel_sep_line.csv").read_text("utf-8-sig").replace("Linz;B", "Linz;D", 1), "utf-8")
    with pytest.raises(UserError, match=r"s\.csv, line 3: 'gold' is 'D'"):
        read_user_set(file, mapping=GERMAN_TABLE)


def test_lists_as_pandas_prints_them_are_read() -> None:
    found = read_user_set(DATA / "pandas_list.csv")
    assert found.probes["de"][0].choices == ("Oslo", "Wien", "N'Djamena")


def test_arrays_as_numpy_prints_them_are_refused_with_the_cure(tmp_path: Path) -> None:
    file = tmp_path / "s.csv"
    file.write_text("item_id,language,question,choices,gold\n1,en,Q?,\"['Oslo' 'Vienna']\",0\n")
    with pytest.raises(UserError, match="line 2: 'choices' needs two or more, got 1; write a JSON list"):
        read_user_set(file)


@pytest.mark.parametrize("suffix", [".json", ".jsonl"])
def test_one_json_list_of_objects_is_read(tmp_path: Path, suffix: str) -> None:
    file = tmp_path / f"s{suffix}"
    row = {"item_id": "1", "question": "Q?", "choices": ["r", "w"], "gold": 0}
    file.write_text(json.dumps([{**row, "language": tag} for tag in ("eng_Latn", "swh_Latn")], indent=1))
    assert read_user_set(file).languages == ("en", "sw")


@pytest.mark.parametrize(
    ("choices", "gold", "right"),
    [
        (["TRUE", "FALSE"], "True", 0),
        (["no", "yes"], "1.0", 1),
        (["cafe\u0301", "the\u0301"], "caf\u00e9", 0),
        (["caf\u00e9", "th\u00e9"], "the\u0301", 1),
        (["False", "True"], True, 1),
    ],
)
def test_a_gold_is_found_however_programs_spell_it(
    tmp_path: Path, choices: list[str], gold: str | bool, right: int
) -> None:
    file = tmp_path / "s.jsonl"
    file.write_text(
        json.dumps({"item_id": "1", "language": "en", "question": "Q?", "choices": choices, "gold": gold}) + "\n"
    )
    assert read_user_set(file).probes["en"][0].gold == right
