"""The user's own files: what is read, and how every mistake is named with its place and its cure."""

from __future__ import annotations

import csv
import itertools
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clika_client.common.errors import UserError
from clika_client.prompts.catalogue import get_style
from clika_client.prompts.style import render, style_notes
from clika_client.sets.export import jsonl_lines
from clika_client.sets.filters import kept_items
from clika_client.sets.probes import Item, Probe, build
from clika_client.sets.user import read_user_set

CITY = {"item_id": "q1", "language": "en", "question": "Where is Oslo?", "choices": ["Peru", "Norway"], "gold": 1}
STADT = {"item_id": "q1", "language": "de", "question": "Wo liegt Oslo?", "choices": ["Peru", "Norwegen"], "gold": 1}


def jsonl(path: Path, *rows: Mapping[str, Any]) -> Path:
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), "utf-8")
    return path


def as_jsonl(folder: Path, rows: Sequence[Mapping[str, Any]]) -> Path:
    return jsonl(folder / "mine.jsonl", *rows)


def as_csv(folder: Path, rows: Sequence[Mapping[str, Any]]) -> Path:
    cells = [
        {k: v if isinstance(v, str) else json.dumps(v, ensure_ascii=False) for k, v in row.items()} for row in rows
    ]
    with (folder / "mine.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(cells[0]))
        writer.writeheader()
        writer.writerows(cells)
    return folder / "mine.csv"


def as_parquet(folder: Path, rows: Sequence[Mapping[str, Any]]) -> Path:
    pyarrow = pytest.importorskip("pyarrow", reason="the extra [parquet] is not installed")
    parquet = pytest.importorskip("pyarrow.parquet")
    parquet.write_table(pyarrow.Table.from_pylist(list(rows)), folder / "mine.parquet")
    return folder / "mine.parquet"


@pytest.mark.parametrize("write", [as_jsonl, as_csv, as_parquet])
def test_the_same_rows_make_the_same_set_in_every_format(
    tmp_path: Path, write: Callable[[Path, Sequence[Mapping[str, Any]]], Path]
) -> None:
    rows = [{**CITY, "tags": {"region": "EU", "spelled": "a"}}, {**STADT, "tags": {"region": "EU", "spelled": "b"}}]
    found = read_user_set(write(tmp_path, rows), reference=0.9)
    assert (found.name, found.n, found.k, found.languages, found.reference) == ("mine", 1, 2, ("en", "de"), 0.9)
    assert found.items == (Item("q1", {"region": "EU"}),)
    assert found.probes["de"] == (Probe("q1", "de", "Wo liegt Oslo?", ("Peru", "Norwegen"), 1, {"spelled": "b"}),)


@pytest.mark.parametrize(
    ("gold", "index"), [(0, 0), (2, 2), ("B", 1), ("b", 1), (" C ", 2), ("Rome", 2), ("0", 0), (1.0, 1)]
)
def test_gold_is_an_index_a_letter_or_a_text(tmp_path: Path, gold: object, index: int) -> None:
    row = {**CITY, "choices": ["Oslo", "Lima", "Rome"], "gold": gold}
    assert read_user_set(jsonl(tmp_path / "s.jsonl", row)).probes["en"][0].gold == index


@pytest.mark.parametrize(
    ("choices", "gold", "says"),
    [
        (["x", "y"], 2, "indices count from 0"),
        (["x", "y"], "2", "indices count from 0"),
        (["x", "y"], -1, "there are 2 choices"),
        (["x", "y"], "C", "names none of the 2 choices"),
        (["x", "y"], "z", "a letter from A to B"),
        (["x", "y"], "", "'gold' is ''"),
        (["x", "y"], None, "'gold' is None"),
        (["x", "y"], True, "'gold' is True"),
        (["B", "A", "O"], "A", "one choice's text and another's label"),
        (["1", "2", "0"], "2", "one choice's text and another's label or index"),
        (["x", "x", "y"], "x", "the text of 2 choices"),
    ],
)
def test_a_gold_that_is_wrong_or_can_be_read_in_two_ways_is_refused(
    tmp_path: Path, choices: list[str], gold: object, says: str
) -> None:
    file = jsonl(tmp_path / "s.jsonl", {**CITY, "choices": choices, "gold": gold})
    with pytest.raises(UserError, match=r"s\.jsonl, line 1") as error:
        read_user_set(file)
    assert says in str(error.value)


@pytest.mark.parametrize(
    ("rows", "line", "says"),
    [
        ([CITY, CITY], 2, "stands already in line 1"),
        ([CITY, {**CITY, "language": "EN"}], 2, "stands already in line 1"),
        ([CITY, {**STADT, "gold": 0}], 2, "same order in every language"),
        ([CITY, {**STADT, "choices": ["a", "b", "c"]}], 2, "an item needs the same choices in every language"),
        ([CITY, {**STADT, "language": "Germanic"}], 2, "write a tag"),
        ([CITY, {**STADT, "language": "de DE"}], 2, "not a language tag"),
        ([{**CITY, "question": "  "}], 1, "'question' is empty"),
        ([{**CITY, "question": 7}], 1, "'question' must be a text"),
        ([{**CITY, "choices": ["only"]}], 1, "needs two or more"),
        ([{**CITY, "choices": ["a", None]}], 1, "choice 2 is empty; fill it in"),
        ([{**CITY, "choices": 3}], 1, "must be a list"),
        ([{**CITY, "tags": ["a"]}], 1, "'tags' must be an object"),
        ([{**CITY, "tags": {"a": ["b"]}}], 1, "'tags' must hold texts"),
        ([{**CITY, "item_tags": 5}], 1, "'item_tags' must be a list of texts"),
        ([{**CITY, "item_tags": "region"}], 1, "must be a list of texts"),
        ([{**CITY, "item_tags": [["region"]]}], 1, "'item_tags' must be a list of texts"),
        ([{k: v for k, v in CITY.items() if k != "gold"}], 1, "--map gold=COLUMN"),
    ],
)
def test_mistakes_are_named_with_file_line_and_cure(
    tmp_path: Path, rows: list[Mapping[str, Any]], line: int, says: str
) -> None:
    file = jsonl(tmp_path / "s.jsonl", *rows)
    with pytest.raises(UserError) as error:
        read_user_set(file)
    assert f"s.jsonl, line {line}:" in str(error.value)
    assert says in str(error.value)


ODD = [5, True, -1.5, "x", "", "\ud800", [], [1], ["a"], [None], [[1]], {}, {"a": 1}, {"a": {"b": []}}, None, 1e400]
WHOLE = {**CITY, "tags": {"t": "u"}, "fields": {"f": "g"}, "cluster": "c", "item_tags": ["t"], "reserved": False}
OPEN = {**{k: v for k, v in WHOLE.items() if k not in ("choices", "gold")}, "answers": ["a"], "answer_kind": "name"}


@pytest.mark.parametrize("whole", [WHOLE, OPEN], ids=["choices", "open"])
def test_a_part_of_any_type_is_taken_or_refused_in_a_sentence(tmp_path: Path, whole: Mapping[str, Any]) -> None:
    file, refusals, tried = tmp_path / "s.jsonl", [], 0
    for part, odd in itertools.product(whole, ODD):
        tried += 1
        file.write_text(json.dumps({**whole, part: odd}) + "\n")
        try:
            read_user_set(file)
        except UserError as error:
            refusals.append(str(error))
    assert 0 < len(refusals) < tried
    assert all("s.jsonl" in said for said in refusals)


def test_items_missing_in_one_language_are_counted_and_named(tmp_path: Path) -> None:
    rows = [{**CITY, "item_id": f"q{i}"} for i in range(9)] + [{**STADT, "item_id": "q3"}]
    with pytest.raises(UserError, match="8 of 9 items are missing in language 'de': 'q0', 'q1', 'q2', 'q4', 'q5' …"):
        read_user_set(jsonl(tmp_path / "s.jsonl", *rows))


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "the file is empty"),
        (b" \n\n", "the file is empty"),
        (json.dumps(CITY).encode() + b'\n\n{"item', "line 3: not valid JSON"),
        (b'[{"item_id": 1}', "without brackets around them all"),
        (b"[1, 2]\n", "object 1: a JSON object is needed"),
        (b'{"item_id": "caf\xe9"}\n', "line 1: byte 0xe9 is not UTF-8"),
        (json.dumps(CITY).encode() + b'\n\n{"x": "\xff"}\n', "line 3: byte 0xff is not UTF-8"),
        (b'\xef\xbb\xbf{"x": "\xfe"}\n', "line 1: byte 0xfe is not UTF-8"),
        ("{}".encode("utf-16"), "this is UTF-16"),
        (b"[" * 100_000, "line 1: not valid JSON"),
        (json.dumps({**CITY, "question": "x"}).replace('"x"', '"\\ud800"').encode(), "holds half a character"),
    ],
)
def test_files_that_are_not_utf8_jsonl_are_refused_with_the_line(tmp_path: Path, content: bytes, says: str) -> None:
    file = tmp_path / "s.jsonl"
    file.write_bytes(content)
    with pytest.raises(UserError) as error:
        read_user_set(file)
    assert says in str(error.value)
    assert "s.jsonl" in str(error.value)


def test_a_byte_order_mark_blank_lines_and_line_separators_inside_texts_are_no_mistakes(tmp_path: Path) -> None:
    file = tmp_path / "s.jsonl"
    question = "Where\u2028is\x85Oslo?"
    row = json.dumps({**CITY, "question": question}, ensure_ascii=False)
    file.write_bytes(b"\xef\xbb\xbf\r\n" + row.encode() + b"\r\n\n")
    assert read_user_set(file).probes["en"][0].question == question


def test_language_tags_are_spelled_one_way(tmp_path: Path) -> None:
    rows = [{**CITY, "language": "EN"}, {**CITY, "language": "zh_cn"}, {**CITY, "language": "deu"}]
    assert read_user_set(jsonl(tmp_path / "s.jsonl", *rows)).languages == ("en", "zh-CN", "de")


def test_options_that_say_the_same_are_tagged_so_that_they_can_be_dropped(tmp_path: Path) -> None:
    rows = [CITY, {**STADT, "choices": ["Norwegen", "norwegen "]}, {**CITY, "item_id": "2"}, {**STADT, "item_id": "2"}]
    rows = [{**row, "gold0": row["gold"]} for row in rows]
    found = read_user_set(jsonl(tmp_path / "s.jsonl", *rows))
    assert found.probes["de"][0].tags == {"ambiguous": "gold-duplicated"}
    assert list(kept_items(found, ["ambiguous"])) == [1]


# ---- tables with columns of other names


def table(path: Path, text: str) -> Path:
    path.write_text(text, "utf-8")
    return path


def test_columns_are_mapped_one_by_one_and_may_be_fixed_for_all_rows(tmp_path: Path) -> None:
    file = table(tmp_path / "s.csv", "id;q;a;b;right;topic\n1;Where?;here;there;B;place\n2;When?;now;then;now;time\n")
    mapping = ["item_id=id,question=q", "choices=a|b", "gold=right,tags=topic,language==it"]
    found = read_user_set(file, mapping=mapping)
    assert found.languages == ("it",)
    assert [p.choices for p in found.probes["it"]] == [("here", "there"), ("now", "then")]
    assert [p.gold for p in found.probes["it"]] == [1, 0]
    assert [item.tags for item in found.items] == [{"topic": "place"}, {"topic": "time"}]


@pytest.mark.parametrize("cell", ["here|there", " here | there ", '["here", "there"]'])
def test_choices_in_one_cell_are_a_json_list_or_separated_by_bars(tmp_path: Path, cell: str) -> None:
    quoted = '"' + cell.replace('"', '""') + '"'
    file = table(tmp_path / "s.tsv", f"item_id\tlanguage\tquestion\tchoices\tgold\n1\ten\tWhere?\t{quoted}\tA\n")
    assert read_user_set(file).probes["en"][0].choices == ("here", "there")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("item_id,language\n1,en,more\n", "line 2: 3 cells under 2 columns"),
        ("item_id,item_id\n1,2\n", "column 'item_id' stands twice"),
        ('item_id,language\n1,"en\n', "not valid CSV"),
        ("item_id,language\n", "holds no item"),
        (
            "item_id,language,q\n1,en,Where?\n",
            "no 'question', no 'choices', no 'gold' in this row, which has: item_id",
        ),
    ],
)
def test_mistakes_of_tables_are_named_with_file_and_line(tmp_path: Path, text: str, says: str) -> None:
    with pytest.raises(UserError) as error:
        read_user_set(table(tmp_path / "s.csv", text))
    assert "s.csv" in str(error.value)
    assert says in str(error.value)


def test_every_column_that_is_missing_is_named_at_once_with_one_mapping_for_all(tmp_path: Path) -> None:
    file = jsonl(tmp_path / "s.jsonl", {"lang": "en", "q": "Where?", "a": "x", "b": "y", "right": "1"})
    with pytest.raises(UserError) as error:
        read_user_set(file, mapping=["choices=a|c"])
    assert "--map item_id=COLUMN,language=COLUMN,question=COLUMN,choices=COLUMN,gold=COLUMN" in str(error.value)
    assert "no 'c' for 'choices'" in str(error.value)


def test_a_passage_is_a_context_that_stands_before_each_question(tmp_path: Path) -> None:
    row = {**CITY, "story": "Olaf was born in Oslo."}
    found = read_user_set(jsonl(tmp_path / "s.jsonl", row), mapping=["context=story"])
    asked = render(found.probes["en"][0], get_style("plain"), found).messages[-1].content
    assert asked.index("Olaf was born in Oslo.") < asked.index(CITY["question"])
    assert style_notes(get_style("plain"), found) == ()


def test_a_field_that_no_prompt_shows_is_told(tmp_path: Path) -> None:
    row = {**CITY, "story": "Olaf was born in Oslo."}
    found = read_user_set(jsonl(tmp_path / "s.jsonl", row), mapping=["fields=story"])
    assert any("fields story" in note and "context=COLUMN" in note for note in style_notes(get_style("plain"), found))


def test_a_folder_is_answered_with_how_its_files_are_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"is a folder; name its files"):
        read_user_set(tmp_path)


def test_lines_are_counted_in_the_file_when_a_cell_spans_several(tmp_path: Path) -> None:
    good = 'a,en,"Where\nis\nit?",x|y,A\n'
    file = table(tmp_path / "s.csv", "item_id,language,question,choices,gold\n" + good + "b,en,Where?,x|y,Q\n")
    with pytest.raises(UserError, match=r"s\.csv, line 5: 'gold' is 'Q'"):
        read_user_set(file)


@pytest.mark.parametrize(
    ("mapping", "says"),
    [
        ("question", "is not PART=COLUMN"),
        ("=q", "is not PART=COLUMN"),
        ("answer=a", "no part 'answer'; the parts: item_id, language, context, question, choices, gold"),
        ("gold=a,gold=b", "names 'gold' twice"),
    ],
)
def test_a_mapping_that_makes_no_sense_is_refused(tmp_path: Path, mapping: str, says: str) -> None:
    with pytest.raises(UserError, match=says):
        read_user_set(jsonl(tmp_path / "s.jsonl", CITY), mapping=[mapping])


@pytest.mark.parametrize("name", ["s.txt", "s", "s.xlsx"])
def test_other_kinds_of_files_are_refused_with_the_kinds_there_are(tmp_path: Path, name: str) -> None:
    with pytest.raises(UserError, match=r"a probe set is a file ending in \.jsonl"):
        read_user_set(table(tmp_path / name, "x"))


def test_a_damaged_parquet_file_is_refused_by_name(tmp_path: Path) -> None:
    pytest.importorskip("pyarrow", reason="the extra [parquet] is not installed")
    (tmp_path / "s.parquet").write_bytes(b"PAR1 not really")
    with pytest.raises(UserError, match=r"s\.parquet: not a readable Parquet file"):
        read_user_set(tmp_path / "s.parquet")


# ---- export

_words = st.text(st.characters(exclude_categories=("Cs",)), min_size=1, max_size=12).filter(
    lambda word: word.strip() and not word.strip().startswith("#")  # what spreadsheets write for an error is refused
)
_tags = st.dictionaries(_words.filter(lambda w: w != "ambiguous"), st.text("abc ", max_size=4), max_size=2)


@st.composite
def _sets(draw: st.DrawFn) -> Any:
    k = draw(st.integers(2, 4))
    ids = draw(st.lists(_words, min_size=1, max_size=4, unique=True))
    languages = draw(
        st.lists(st.sampled_from(["en", "de", "he", "zh-Hant", "pt-BR"]), min_size=1, max_size=3, unique=True)
    )
    items = [Item(i, draw(_tags), draw(st.none() | _words)) for i in ids]
    probes = []
    for item in items:
        gold = draw(st.integers(0, k - 1))
        for language in languages:
            choices = draw(st.lists(_words, min_size=k, max_size=k, unique_by=lambda c: c.strip().casefold()))
            own = {key: value for key, value in draw(_tags).items() if key not in item.tags}
            fields = draw(st.dictionaries(_words, _words, max_size=2))
            probes.append(Probe(item.item_id, language, draw(_words), tuple(choices), gold, own, fields))
    return build("mine", items, probes)


@given(made=_sets())
def test_an_exported_set_reads_back_as_the_same_items_and_probes(
    made: Any, tmp_path_factory: pytest.TempPathFactory
) -> None:
    file = tmp_path_factory.mktemp("export") / "mine.jsonl"
    file.write_bytes("".join(jsonl_lines(made)).encode())
    again = read_user_set(file)
    assert (again.items, dict(again.probes)) == (made.items, dict(made.probes))


def test_exported_rows_hold_the_documented_keys(tmp_path: Path) -> None:
    found = read_user_set(
        jsonl(tmp_path / "s.jsonl", {**CITY, "tags": {"region": "EU"}}, {**STADT, "tags": {"region": "EU"}})
    )
    row = json.loads(next(jsonl_lines(found)))
    assert {key: row[key] for key in ("item_id", "language", "question", "choices", "gold", "tags")} == {
        **CITY,
        "tags": {"region": "EU"},
    }
