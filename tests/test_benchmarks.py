"""Public benchmarks by name: look-alikes in the exact layouts, known defects included, become what they should."""

from __future__ import annotations

import json
import os
import re
import shutil
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import benchmark_factory as factory
import pytest
from clika import clika

from clika_client.common.errors import UserError
from clika_client.sets.ambiguity import AMBIGUOUS
from clika_client.sets.benchmarks import kept
from clika_client.sets.benchmarks.blind import most_often_right
from clika_client.sets.benchmarks.files import match
from clika_client.sets.benchmarks.join import MENDED
from clika_client.sets.benchmarks.load import load
from clika_client.sets.benchmarks.table import benchmark, names, parse
from clika_client.sets.catalogue import resolve
from clika_client.sets.demo import GGUF
from clika_client.sets.probes import CONTEXT, Item, Probe, ProbeSet, build

GOLD: dict[str, Callable[[int, int], int]] = {
    "belebele": lambda i, k: i % 4,
    "global-mmlu": lambda i, k: i % 4,
    "global-mmlu-lite": lambda i, k: i % 4,
    "mmmlu": lambda i, k: i % 4,
    "mmlu-prox": lambda i, k: i % 3,
    "mmlu-prox-lite": lambda i, k: i % 3,
    "x-csqa": lambda i, k: i % 5,
    "x-codah": lambda i, k: i % 4,
    "m_arc": lambda i, k: i % k,
    "m_mmlu": lambda i, k: i % 4,
    "m_hellaswag": lambda i, k: i % 4,
    "global-piqa": lambda i, k: i % 4,
}
"""Which option of question i is right in the look-alike, where options are called `… option i-j`."""


def add(name: str, root: Path) -> ProbeSet:
    """A look-alike made and added under its name."""
    if name == "klar":
        factory.bmlama17(root / "for klar")
        kept.add("bmlama17", root / "for klar")
    factory.MAKERS[name](root / name)
    kept.add(name, root / name)
    return kept.read(name)


def test_every_benchmark_has_a_look_alike() -> None:
    lacking = ", ".join(sorted(set(names()) - set(factory.MAKERS)))
    assert not lacking, f"MAKERS of tests/benchmark_factory.py lacks a look-alike of {lacking}"
    assert set(factory.MAKERS) == set(names())


@pytest.mark.parametrize("name", factory.MAKERS)
def test_a_look_alike_becomes_the_set_it_should(name: str, tmp_path: Path) -> None:
    if name == "klar":
        add("bmlama17", tmp_path)
    expected = factory.MAKERS[name](tmp_path / "files")
    facts, loaded = kept.add(name, tmp_path / "files")
    found = kept.read(name)
    assert found == loaded.probe_set == resolve(name)
    assert (found.languages, found.n, facts.choices) == (expected.languages, expected.items, expected.choices)
    assert {place: list(keys) for place, keys in loaded.dropped.rows.items()} == dict(expected.dropped)
    assert (found.licence, found.meta["citation"]) == (benchmark(name).licence, benchmark(name).citation)
    for at in range(found.n) if found.parallel else ():
        versions = [found.probes[tag][at] for tag in found.languages]
        assert len({(p.item_id, len(p.choices), p.gold) for p in versions}) == 1


@pytest.mark.parametrize("name", GOLD)
def test_golds_are_read_as_the_benchmark_counts_them(name: str, tmp_path: Path) -> None:
    found = add(name, tmp_path)
    for tag in found.languages:
        for probe in found.probes[tag]:
            told = re.fullmatch(r".* option (\d+)-(\d+)", probe.choices[probe.gold])
            if told is not None:  # some options are called N/A or None
                assert int(told[2]) == GOLD[name](int(told[1]), len(probe.choices))


def test_options_called_none_and_na_are_options(tmp_path: Path) -> None:
    found = add("global-mmlu", tmp_path)
    assert found.probes["de"][0].choices[3] == "None"
    assert found.probes["de"][1].choices[0] == "N/A"


def test_passages_are_shown_and_keep_questions_together(tmp_path: Path) -> None:
    found = add("belebele", tmp_path)
    assert found.probes["de"][2].fields[CONTEXT] == "deu_Latn passage 1."
    assert [item.cluster for item in found.items[:3]] == [
        "https://x.example/0",
        "https://x.example/0",
        "https://x.example/1",
    ]


def test_languages_in_another_order_are_joined_by_key(tmp_path: Path) -> None:
    found = add("belebele", tmp_path)
    assert [p.question for p in found.probes["sw"]] == [f"swh_Latn question {i}?" for i in range(8)]


def test_tags_come_along_and_examples_are_of_the_questions_subject(tmp_path: Path) -> None:
    found = add("global-mmlu", tmp_path)
    assert found.items[0].tags["subject"] == "anatomy"
    assert [item.tags["cultural_sensitivity"] for item in found.items[:4]] == ["CA", "CA", "CS", "CS"]
    assert found.examples is not None
    assert not {item.item_id for item in found.items} & {item.item_id for item in found.examples.items}


def test_a_language_whose_rows_are_shifted_is_refused(tmp_path: Path) -> None:
    """One lost row moves all that follow, where nothing but the row's number says what belongs together."""
    factory.mmmlu(tmp_path, 12)
    file = tmp_path / "test/mmlu_AR-XY.csv"
    header, _, *rows = file.read_text("utf-8").splitlines()
    lines = [",".join(line.split(",")[1:]) for line in [header, *rows]]
    file.write_text("\n".join(lines) + "\n", "utf-8")
    with pytest.raises(UserError, match=r"most often in ar \(11\).*not parallel row by row.*--languages"):
        kept.add("mmmlu", tmp_path)
    facts, _ = kept.add("mmmlu", tmp_path, ("en", "pt-BR"))
    assert facts.items == 12


def test_cause_and_effect_go_by_majority_and_what_was_mended_is_tagged(tmp_path: Path) -> None:
    found = add("xcopa", tmp_path)
    assert [item.tags["asks"] for item in found.items] == ["cause", "effect"] * 4
    assert [probe.tags.get(MENDED) for probe in found.probes["th"]] == ["question", None] * 4
    assert not any(MENDED in probe.tags for probe in found.probes["it"])
    assert found.probes["th"][0].question == "สาเหตุของเรื่องนี้คืออะไร"
    assert found.probes["it"][1].question == "Che cosa è successo di conseguenza?"
    assert found.probes["et"][3].tags["adapted"] == "culture"
    assert found.probes["et"][3].fields[CONTEXT] == "et premise 3."


def test_english_texts_under_the_names_of_other_languages_are_refused(tmp_path: Path) -> None:
    factory.xcopa(tmp_path)
    with pytest.raises(UserError, match="data-gmt holds English machine translations"):
        kept.add("xcopa", tmp_path / "data-gmt")
    facts, _ = kept.add("xcopa", tmp_path / "data")
    assert facts.items == 8


@pytest.mark.skipif("CLIKA_XCOPA" not in os.environ, reason="CLIKA_XCOPA is not set: name a checkout of XCOPA")
def test_the_real_xcopa_is_mended_where_others_counted_it_wrong() -> None:
    """Counts of the published test files: rows whose question differs from the other languages, and 250 of each."""
    kept.add("xcopa", Path(os.environ["CLIKA_XCOPA"]))
    found = kept.read("xcopa")
    mended = {tag: sum(MENDED in p.tags for p in found.probes[tag]) for tag in found.languages}
    assert {tag: n for tag, n in mended.items() if n} == {"id": 4, "it": 4, "sw": 37, "th": 250, "tr": 51}
    adapted = {tag: sum("adapted" in p.tags for p in found.probes[tag]) for tag in ("qu", "ht", "tr", "zh", "id")}
    assert adapted == {"qu": 26, "ht": 18, "tr": 18, "zh": 17, "id": 0}
    assert [item.tags["asks"] for item in found.items].count("cause") == 250 == found.n / 2


# ---- BMLAMA's traps, on invented rows


def test_quoted_fields_are_read_as_csv_and_their_answer_is_found(tmp_path: Path) -> None:
    found = add("bmlama17", tmp_path)
    assert '""' in (tmp_path / "bmlama17/1_easyrun/BMLAMA17/he.tsv").read_text("utf-8")
    probe = found.probes["he"][1]
    assert probe.choices[probe.gold] == 'he-"quoted"'


def test_columns_go_by_position_where_the_header_has_five_names(tmp_path: Path) -> None:
    header = (tmp_path / "bmlama17/1_easyrun/BMLAMA17/zh.tsv").parent
    found = add("bmlama17", tmp_path)
    assert (header / "zh.tsv").read_text("utf-8").splitlines()[0].count("\t") == 4
    assert found.probes["zh"][0].question == "zh-person0in____。"


def test_the_right_candidate_is_not_always_the_last_and_all_languages_show_one_order(tmp_path: Path) -> None:
    found = add("bmlama17", tmp_path)
    assert len({probe.gold for probe in found.probes["en"]}) > 2
    for english, japanese in zip(found.probes["en"], found.probes["ja"], strict=True):
        plain = [choice.removeprefix("en-") for choice in english.choices]
        assert plain == [choice.removeprefix("ja-") for choice in japanese.choices]


def test_the_order_of_candidates_does_not_depend_on_which_languages_are_there(tmp_path: Path) -> None:
    whole = add("bmlama17", tmp_path)
    kept.add("bmlama17", tmp_path / "bmlama17", ("en", "ja"))
    assert kept.read("bmlama17").probes["ja"] == whole.probes["ja"]


def test_a_subject_among_its_candidates_is_left_out_of_them_in_every_language(tmp_path: Path) -> None:
    found = add("bmlama17", tmp_path)
    for tag in found.languages:
        assert len(found.probes[tag][2].choices) == 9
        assert f"{tag}-person2" not in found.probes[tag][2].choices


def test_rows_without_knowledge_and_with_several_right_answers_are_tagged(tmp_path: Path) -> None:
    found = add("bmlama17", tmp_path)
    tagged = {
        name: [i for i, p in enumerate(found.probes["en"]) if name in p.tags]
        for name in ("knowledge_free", "several_answers")
    }
    assert tagged == {"knowledge_free": [3], "several_answers": [4, 5]}


def test_what_surrounds_the_gap_is_kept_with_its_spaces(tmp_path: Path) -> None:
    found = add("bmlama17", tmp_path)
    turkish, japanese = found.probes["tr"][0].fields, found.probes["ja"][0].fields
    assert (turkish["before"], turkish["after"]) == ("tr-person0 in ", " şehridir.")
    assert (japanese["before"], japanese["after"]) == ("ja-person0in", "に生まれました。")


def test_what_is_most_often_right_elsewhere_is_counted_without_the_questions_own_answer() -> None:
    # x is right in two of three: each of those two sees x once and y once, a tie; the third sees x twice.
    rows = [(("x", "y"), 0), (("y", "x"), 1), (("x", "y"), 1)]
    probes = [Probe(f"q{i}", "de", "?", choices, gold) for i, (choices, gold) in enumerate(rows)]
    assert most_often_right(build("s", [Item(p.item_id) for p in probes], probes)) == ("de", (0.5 + 0.5 + 0) / 3)
    # Where no answer is right twice, nothing is learnt: chance.
    other = [replace(p, choices=(f"a{i}", f"b{i}")) for i, p in enumerate(probes)]
    assert most_often_right(build("s", [Item(p.item_id) for p in other], other)) == ("de", 0.5)


# ---- facts without candidates of their own


def test_mlama_draws_the_same_candidates_in_every_language_and_none_that_is_right_too(tmp_path: Path) -> None:
    found = add("mlama", tmp_path)
    for english, german in zip(found.probes["en"], found.probes["de"], strict=True):
        assert [c.removeprefix("en ") for c in english.choices] == [c.removeprefix("de ") for c in german.choices]
        assert len(set(english.choices)) == len(english.choices)
    by_id = dict(zip((item.item_id for item in found.items), found.probes["en"], strict=True))
    probe = by_id["P36|5"]
    assert (probe.question, probe.choices[probe.gold]) == ("en place 5 en P36 ____ .", "en land 5")
    assert {item.tags["relation"] for item in found.items} == {"P36", "P17"}


def test_mlama_as_one_table_with_a_language_column_is_the_same_set(tmp_path: Path) -> None:
    folders = add("mlama", tmp_path)
    rows = []
    for language in ("en", "de", "ja"):
        for relation in ("P17", "P36"):
            for line in (tmp_path / f"mlama/mlama1.1/{language}/{relation}.jsonl").read_text("utf-8").splitlines():
                template = f"[X] {language} {relation} [Y] ."
                rows.append({**json.loads(line), "predicate_id": relation, "language": language, "template": template})
    factory.parquet(tmp_path / "hub/data/test-00000-of-00001.parquet", rows)
    kept.add("mlama", tmp_path / "hub")
    assert kept.read("mlama") == folders


def test_klar_takes_its_candidates_from_the_rows_of_bmlama_that_it_names(tmp_path: Path) -> None:
    found = add("klar", tmp_path)
    candidates = kept.read("bmlama17")
    assert [item.item_id for item in found.items] == ["0", "2", "3", "6"]
    assert [p.choices for p in found.probes["ja"]] == [candidates.probes["ja"][i].choices for i in (0, 2, 3, 6)]
    assert found.probes["en"][2].question == "en-town9 airport en ____"


def test_klar_without_bmlama_and_with_another_bmlama_is_refused(tmp_path: Path) -> None:
    factory.klar(tmp_path / "klar")
    with pytest.raises(UserError, match=r"BMLAMA-17 .bmlama17. is not on this machine yet"):
        kept.add("klar", tmp_path / "klar")
    add("bmlama17", tmp_path)
    for file in (tmp_path / "klar").rglob("*.json"):
        document = json.loads(file.read_text("utf-8"))
        for sample in document["samples"]:
            sample["object"] = "elsewhere"
        file.write_text(json.dumps(document), "utf-8")
    with pytest.raises(UserError, match="4 of 4 answers are not those of the BMLAMA-17 rows"):
        kept.add("klar", tmp_path / "klar")


# ---- where the files lie


@pytest.mark.parametrize("name", ["belebele", "xcopa", "bmlama17"])
def test_a_zip_is_the_same_as_its_folder(name: str, tmp_path: Path) -> None:
    found = add(name, tmp_path)
    archive = shutil.make_archive(str(tmp_path / "packed"), "zip", tmp_path / name)
    kept.add(name, Path(archive))
    assert kept.read(name) == found
    with zipfile.ZipFile(archive, "a") as packed:
        packed.writestr("../../outside.txt", "no")
    kept.add(name, Path(archive))
    assert not (tmp_path.parent / "outside.txt").exists()


def test_a_damaged_archive_is_told_and_nothing_is_left_behind(tmp_path: Path) -> None:
    (tmp_path / "a.zip").write_bytes(b"PK\x03\x04 cut")
    with pytest.raises(UserError, match="download it again"):
        kept.add("belebele", tmp_path / "a.zip")
    assert not kept.folder().exists() or not list(kept.folder().iterdir())


def test_where_two_forms_of_a_language_lie_together_one_is_read(tmp_path: Path) -> None:
    paths = ["data/eng_Latn.jsonl", "eng_Latn/test-00000-of-00002.parquet", "eng_Latn/test-00001-of-00002.parquet"]
    assert list(match(benchmark("belebele"), paths).asked.values()) == [["data/eng_Latn.jsonl"]]
    assert list(match(benchmark("belebele"), paths[1:]).asked.values()) == [paths[1:]]


def test_a_table_with_a_misspelt_key_names_the_keys_there_are() -> None:
    with pytest.raises(UserError, match=r"its keys: title, about"):
        parse("mine", 'titel = "x"\nfiles = []\n[columns]\nkey = [["id"]]\nchoices = [["a"]]\n')


@pytest.mark.parametrize(
    ("line", "changed", "told"),
    [
        ('hub = "owner/name"', "", "says not where its files are to be had: hub or get"),
        ("items = 500", 'items = "500"', "items must be a whole number, not '500'"),
        ('licence = "CC BY 4.0"', "", "lacks licence"),
        ('gold = "answer"', "", "lacks gold"),
        ("files = [", "file = [", "lacks files"),
        ("[columns]", "codes = { Tagalog = 'nobody speaks it' }\n[columns]", "codes: .*nobody speaks it"),
    ],
)
def test_what_a_table_lacks_or_has_wrong_is_named(line: str, changed: str, told: str) -> None:
    page = (Path(__file__).parent.parent / "docs/public-benchmarks.md").read_text("utf-8")
    (text,) = re.findall(r"```toml\n(.*?)```", page, re.DOTALL)
    assert line in text
    with pytest.raises(UserError, match=f"table of benchmark 'mine'.*{told}"):
        parse("mine", text.replace(line, changed, 1))


def test_another_benchmarks_columns_are_named(tmp_path: Path) -> None:
    factory.jsonl(tmp_path / "data/eng_Latn.jsonl", [{"q": "?", "a": "b"}])
    with pytest.raises(UserError, match=r"eng_Latn.jsonl, line 1: not the layout of Belebele: no column"):
        kept.add("belebele", tmp_path)


def test_a_repeated_key_is_left_out_with_its_reason(tmp_path: Path) -> None:
    factory.global_mmlu(tmp_path)
    rows = [factory._global_mmlu_row("de", "test", i) for i in (*range(8), 3)]
    factory.parquet(tmp_path / "de/test-00000-of-00001.parquet", rows)
    _, loaded = kept.add("global-mmlu", tmp_path)
    assert loaded.dropped.rows["de", "its key stands there twice"] == ["world_religions/test/3"]


def test_ambiguous_options_are_tagged(tmp_path: Path) -> None:
    factory.global_piqa(tmp_path)
    file = next((tmp_path / "data").glob("*eng*"))
    file.write_text(file.read_text("utf-8").replace("eng_latn option 0-1", "eng_latn option 0-2"), "utf-8")
    kept.add("global-piqa", tmp_path)
    assert kept.read("global-piqa").probes["en"][0].tags[AMBIGUOUS] == "duplicate"


def test_the_documents_example_of_a_table_loads_a_benchmark(tmp_path: Path) -> None:
    """The walk "add a benchmark": the table in the docs, and a folder in the layout it describes."""
    page = (Path(__file__).parent.parent / "docs/public-benchmarks.md").read_text("utf-8")
    (text,) = re.findall(r"```toml\n(.*?)```", page, re.DOTALL)
    mine = parse("mine", text)
    for code in ("eng_Latn", "swh_Latn"):
        for split, n in (("test", 3), ("dev", 1)):
            rows = [
                {
                    "id": f"{split}{i}",
                    "passage": f"{code} passage",
                    "question": factory.ask(code, i),
                    **dict(
                        zip(("option_a", "option_b", "option_c", "option_d"), factory.choices(code, i, 4), strict=True)
                    ),
                    "answer": "ABCD"[i],
                    "subject": "law",
                }
                for i in range(n)
            ]
            factory.parquet(tmp_path / code / f"{split}-00000-of-00001.parquet", rows)
    found = load(mine, tmp_path, kept.read).probe_set
    assert (found.languages, found.n, found.examples is not None) == (("en", "sw"), 3, True)
    assert [p.gold for p in found.probes["sw"]] == [0, 1, 2]
    assert found.probes["sw"][0].fields[CONTEXT] == "swh_Latn passage"


# ---- asked and scored


def test_every_benchmark_is_asked_on_the_demo_model_and_scored(tmp_path: Path) -> None:
    for name in factory.MAKERS:
        add(name, tmp_path / name)
    options = ("--limit", "2", "--bootstrap", "0", "--db", tmp_path / "a.db", "--json")
    asked_openly = [name for name in factory.MAKERS if benchmark(name).open]
    written = clika("run", *asked_openly, "-m", f"gguf/{GGUF}", *options, "--max-tokens", "4")
    openly = json.loads(written.stdout)["records"]
    assert {(record["set"], record["ask"]) for record in openly} == {(name, "open") for name in asked_openly}
    assert all(sum(record["verdicts"].values()) == record["n"] for record in openly)
    choosing = [name for name in factory.MAKERS if name not in asked_openly]
    done = clika("run", *choosing, "-m", f"gguf/{GGUF}", *options)
    records = json.loads(done.stdout)["records"]
    assert {record["set"] for record in records} == set(choosing)
    assert all(record["answered"] > 0 for record in records)
    consistent = {r["set"] for r in records if r["en_co"] is not None}
    assert {"belebele", "x-csqa", "global-mmlu", "mmmlu", "bmlama17", "klar"} <= consistent
    assert not consistent & {"include", "global-piqa-nonparallel"}
    said = clika("score", "--db", tmp_path / "a.db", "--bootstrap", "0", "--sets", "include,mmlu-prox").stdout
    assert "No consistency: this set is not parallel (each language has exam questions of its own country)" in said
    asked = [r for r in records if r["set"] == "mmlu-prox"]
    counts = [len(p.choices) for p in kept.read("mmlu-prox").select(["en"], 2).probes["en"]]
    assert [r["chance"] for r in asked] == [pytest.approx(sum(1 / k for k in counts) / 2)] * len(asked)
    assert f"{min(counts)}–{max(counts)} choices, chance ." in said


def test_the_list_says_what_is_here_and_the_first_command_how_to_get_the_rest(tmp_path: Path) -> None:
    missing = clika("run", "belebele", "-m", "mock/any", check=2).stderr
    assert "Belebele (belebele) is not on this machine yet; get it with: clika sets fetch belebele" in missing
    factory.xcopa(tmp_path / "x")
    added = clika("sets", "add", "xcopa", tmp_path / "x")
    assert added.stdout == "xcopa: 8 items, 2 choices, chance .500, 4 languages (et, it, th, zh)\n"
    listed = {row["set"]: row for row in json.loads(clika("sets", "list", "--json").stdout)["benchmarks"]}
    assert set(listed) == set(names())
    assert (listed["xcopa"]["here"], listed["xcopa"]["items"], listed["xcopa"]["languages"]) == (True, 8, 4)
    assert (listed["belebele"]["here"], listed["belebele"]["licence"]) == (False, "CC BY-SA 4.0")
    assert "git clone" in listed["bmlama17"]["get"]
    text = clika("sets", "list")
    assert re.search(r"xcopa +8 +2 +4 +CC BY 4.0 +here", text.stdout)
    shown = clika("sets", "show", "xcopa").stdout
    assert "asks: cause 4, effect 4" in shown
    assert "known      data-gmt holds English machine translations" in shown
    clika("sets", "remove", "xcopa")
    assert "xcopa" not in [row["set"] for row in json.loads(clika("sets", "list", "--json").stdout)["sets"]]


def test_rows_that_were_left_out_are_told_by_language_and_reason(tmp_path: Path) -> None:
    factory.m_hellaswag(tmp_path)
    done = clika("sets", "add", "m_hellaswag", tmp_path)
    assert "left out for de: 2 (missing in this language): 0, 10" in done.stderr
    as_json = json.loads(clika("sets", "add", "m_hellaswag", tmp_path, "--json").stdout)
    assert as_json["dropped"] == [
        {"language": "de", "reason": "missing in this language", "rows": 2, "keys": ["0", "10"]}
    ]
