"""Logs that other tools really wrote, and tables in the layouts people keep: each with the figures they must give."""

from __future__ import annotations

import json
import shutil
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from clika import clika

from clika_client.common.errors import UserError
from clika_client.importers.common import ImportReport
from clika_client.importers.detect import ImportOptions, import_path
from clika_client.importers.finish import finish_of
from clika_client.scoring.chosen import Wanted
from clika_client.scoring.records import Record
from clika_client.scoring.score import score_store
from clika_client.sets.user import read_user_set
from clika_client.store.store import Store

DATA = Path(__file__).parent / "data"


@pytest.fixture(scope="module")
def logs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Logs of lm-evaluation-harness 0.4.4 and 0.4.13, and of inspect_ai 0.3.285, with models of known accuracy."""
    folder = tmp_path_factory.mktemp("logs")
    with tarfile.open(DATA / "other_logs.tar.xz") as archive:
        archive.extractall(folder, filter="data")
    return folder


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store(tmp_path / "clika.db") as made:
        yield made


def records(store: Store, **wanted: object) -> dict[str, Record]:
    """language → record of the only row."""
    found = score_store(store, wanted=Wanted(**wanted), bootstrap=0).records  # type: ignore[arg-type]
    by_language = {record.language: record for record in found}
    assert len(by_language) == len(found)
    return by_language


def accuracies(store: Store, **wanted: object) -> dict[str, tuple[int, float]]:
    return {tag: (record.n, round(record.accuracy, 4)) for tag, record in records(store, **wanted).items()}


def harness(folder: Path) -> dict[str, float]:
    """task → accuracy as the harness itself computed it."""
    results = json.loads(next(folder.rglob("results_*.json")).read_text("utf-8"))["results"]
    return {task: found["acc,none"] for task, found in results.items() if "acc,none" in found}


def left_out(report: ImportReport) -> int:
    return report.skipped_rows.total()


def test_every_language_of_belebele_is_understood_and_equals_the_harness(logs: Path, store: Store) -> None:
    report = import_path(store, logs / "lm_dummy")
    expected = harness(logs / "lm_dummy")
    tags = {"eng_Latn": "en", "deu_Latn": "de", "arb_Arab": "ar", "swh_Latn": "sw", "kor_Hang": "ko", "zho_Hans": "zh"}
    assert accuracies(store) == {tag: (24, round(expected[f"belebele_{code}"], 4)) for code, tag in tags.items()}
    assert (left_out(report), report.joined) == (0, {"belebele": "link+question_number"})


def test_options_that_are_digits_keep_their_right_choice(logs: Path, store: Store) -> None:
    report = import_path(store, logs / "lm_num80")
    assert accuracies(store) == {"en": (40, 0.8), "de": (40, 0.75)}
    assert left_out(report) == 0


def test_questions_are_joined_by_the_documents_own_id_where_languages_lost_different_ones(
    logs: Path, store: Store
) -> None:
    report = import_path(store, logs / "lm_hs")
    found = records(store)
    assert {tag: record.n for tag, record in found.items()} == {"en": 197, "de": 197}
    assert found["de"].en_co == 1.0
    assert report.skipped_rows == {"item is not in every language of the set": 3}
    assert report.replies == 2 * 197


@pytest.mark.parametrize("name", ["qid", "problem_id", "docId", "guid", "pair_key", "fact_nr"])
def test_an_id_of_any_name_joins_the_questions_and_one_that_no_two_languages_share_does_not(
    logs: Path, tmp_path: Path, store: Store, name: str
) -> None:
    folder = Path(shutil.copytree(logs / "lm_hs", tmp_path / "log"))
    for file in folder.rglob("samples_*.jsonl"):
        rows = [json.loads(line) for line in file.read_text("utf-8").splitlines()]
        for row in rows:
            known = row["doc"]["ind"]
            kept = {field: row["doc"][field] for field in ("ctx", "endings", "label") if field in row["doc"]}
            row["doc"] = {"id": f"{file.name}-{known}", "answer_index": known, name: f"q{known}", **kept}
        file.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    assert import_path(store, folder).joined == {"hsx": name}
    found = records(store)
    assert {tag: record.n for tag, record in found.items()} == {"en": 197, "de": 197}
    assert found["de"].en_co == 1.0


def test_questions_are_joined_by_several_fields_where_only_they_together_name_them(logs: Path, store: Store) -> None:
    report = import_path(store, logs / "lm_misal")
    found = records(store)
    assert accuracies(store) == {"en": (24, 0.7917), "de": (24, 0.8333)}
    assert round(found["de"].en_co, 3) == 0.773
    assert left_out(report) == 0


def test_questions_without_any_id_whose_right_choices_disagree_are_refused(
    logs: Path, tmp_path: Path, store: Store
) -> None:
    folder = tmp_path / "m"
    shutil.copytree(logs / "lm_misal" / "i82qcls7", folder)
    for file in folder.glob("samples_*.jsonl"):
        rows = [json.loads(line) for line in file.read_text("utf-8").splitlines()]
        for row in rows:
            del row["doc"]["link"], row["doc"]["question_number"]
        file.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    with pytest.raises(UserError, match=r"not parallel: joined by their place .* --map item_id=COLUMN"):
        import_path(store, folder)
    assert (store.cells(), store.set_infos()) == ([], [])


def test_a_field_can_be_named_as_the_documents_id(logs: Path, store: Store) -> None:
    report = import_path(store, logs / "lm_hs", ImportOptions(mapping=("item_id=idx|source_id",)))
    assert report.joined == {"hsx": "idx+source_id"}
    with pytest.raises(UserError, match="no 'nosuch' in the document"):
        import_path(store, logs / "lm_hs", ImportOptions(mapping=("item_id=nosuch",)))


def shots(folder: Path, shown: int, template: str | None = None) -> Path:
    """The log as another run of the harness would have written it, with so many examples before each question."""
    for results in folder.rglob("results_*.json"):
        document = json.loads(results.read_text("utf-8"))
        document["n-shot"] = dict.fromkeys(document["n-shot"], shown)
        document["chat_template"] = template
        results.write_text(json.dumps(document), "utf-8")
    for file in folder.rglob("samples_*.jsonl"):
        rows = [json.loads(line) for line in file.read_text("utf-8").splitlines()]
        for row in rows:
            for request in row["arguments"].values():
                request["arg_0"] = "An example.\n\n" * shown + request["arg_0"]
        file.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    return folder


def test_runs_with_other_examples_or_another_chat_template_are_rows_of_their_own(
    logs: Path, tmp_path: Path, store: Store
) -> None:
    for shown, template in ((0, None), (5, None), (5, "{% for m in messages %}")):
        folder = Path(shutil.copytree(logs / "lm_num80", tmp_path / f"{shown}{template is None}"))
        assert import_path(store, shots(folder, shown, template)).changed == 0
    prompts = {block.prompt for block in score_store(store, bootstrap=0).rows}
    assert len(prompts) == 3
    assert {"lm-eval 0-shot", "lm-eval 5-shot"} < prompts


def test_another_prompt_under_the_same_name_is_reported_and_what_is_stored_stays(
    logs: Path, tmp_path: Path, store: Store
) -> None:
    import_path(store, logs / "lm_lim")
    before = accuracies(store)
    folder = shots(Path(shutil.copytree(logs / "lm_lim", tmp_path / "again")), 1)
    assert import_path(store, folder).changed == sum(n for n, _ in before.values())
    assert accuracies(store) == before


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_a_limited_run_and_a_whole_one_each_keep_their_own_figures(
    logs: Path, tmp_path: Path, store: Store, order: tuple[int, int]
) -> None:
    limited = Path(shutil.copytree(logs / "lm_num80", tmp_path / "limited"))
    for file in limited.rglob("samples_*.jsonl"):
        lines = file.read_text("utf-8").splitlines(keepends=True)
        file.write_text("".join(lines[:12]), "utf-8")
    paths = [logs / "lm_num80", shots(limited, 5)]
    for i in order:
        import_path(store, paths[i])
    whole = accuracies(store, prompts=("lm-eval 0-shot",))
    assert whole == {"en": (40, 0.8), "de": (40, 0.75)}
    rows = [json.loads(line) for line in next(limited.rglob("samples_mmlunum_en*")).read_text().splitlines()]
    few = accuracies(store, prompts=("lm-eval 5-shot",))
    assert few["en"] == (12, round(sum(row["acc"] for row in rows) / 12, 4))


def test_languages_can_be_added_later_to_the_same_set(logs: Path, store: Store) -> None:
    files = {file.name.split("_")[2]: file for file in (logs / "lm_dummy").rglob("samples_*.jsonl")}
    for code in ("eng", "deu", "swh", "eng"):
        import_path(store, files[code])
    expected = harness(logs / "lm_dummy")
    codes = {"en": "eng_Latn", "de": "deu_Latn", "sw": "swh_Latn"}
    assert accuracies(store) == {tag: (24, round(expected[f"belebele_{code}"], 4)) for tag, code in codes.items()}
    found = records(store)
    assert found["sw"].en_co == found["sw"].en_co
    assert len(score_store(store, bootstrap=0).rows) == 1
    again = import_path(store, logs / "lm_dummy")
    assert (again.new, again.changed) == (3 * 24, 0)


def test_a_language_is_added_to_a_stored_set_by_its_name(logs: Path, tmp_path: Path) -> None:
    db = tmp_path / "c.db"
    files = {file.name.split("_")[2]: file for file in (logs / "lm_dummy").rglob("samples_*.jsonl")}
    clika("import", files["eng"], "--db", db)
    clika("import", files["arb"], "--set", "belebele", "--db", db)
    document = json.loads(clika("score", "--db", db, "--json").stdout)
    assert {(r["set"], r["language"], r["n"]) for r in document["records"]} == {
        ("belebele", "en", 24),
        ("belebele", "ar", 24),
    }


def test_choices_that_were_scored_without_the_question_too_are_counted_once(logs: Path, store: Store) -> None:
    import_path(store, logs / "lm_mi")
    found = records(store)["en"]
    assert (found.n, found.accuracy, found.chance) == (8, 0.25, 0.25)


def test_samples_are_known_by_their_content_under_any_name(logs: Path, tmp_path: Path, store: Store) -> None:
    source = next((logs / "lm_old044").rglob("samples_belebele_deu*"))
    rows = [json.loads(line) for line in source.read_text("utf-8").splitlines()]
    folder = tmp_path / "out"
    folder.mkdir()
    # 0.4.0 wrote one list under the name of the model's arguments, and results.json beside it.
    (folder / "pretrained__org__m_belebele_deu_Latn.jsonl").write_text(json.dumps(rows, indent=2), "utf-8")
    results = {"configs": {"belebele_deu_Latn": {"num_fewshot": 0}}, "config": {"model_args": "pretrained=org/m"}}
    (folder / "results.json").write_text(json.dumps(results), "utf-8")
    report = import_path(store, folder)
    assert (report.models, report.sets, report.languages) == ({"org/m"}, {"belebele"}, {"de"})
    assert accuracies(store) == {"de": (24, 0.8333)}


def test_the_scores_of_all_options_are_kept(logs: Path, store: Store) -> None:
    import_path(store, logs / "lm_misal")
    cell = store.cells()[0]
    assert all(row is not None and len(row) == 4 for row in store.replies(cell).logprobs)
    assert records(store)["de"].rankc == records(store)["de"].rankc


def test_options_shuffled_otherwise_in_each_language_are_refused(logs: Path, store: Store) -> None:
    with pytest.raises(UserError, match=r"not parallel: joined by 'sample id', 3 of 8") as error:
        import_path(store, logs / "inspect_shufdiff")
    assert "(16 x" in str(error.value), "each row once"
    assert store.cells() == []


def test_an_import_of_failed_requests_alone_leaves_nothing_behind(logs: Path, tmp_path: Path, store: Store) -> None:
    for file in (logs / "inspect_shufdiff").glob("*.json"):
        document = json.loads(file.read_text("utf-8"))
        document["eval"]["task_args"].pop("seed")
        for i, sample in enumerate(document["samples"]):
            sample.update(output={"choices": []}, error={"message": "no connection"})
            sample.update(target="A", choices=["x", "y"], id=f"q{i}")
        (tmp_path / file.name).write_text(json.dumps(document), "utf-8")
    with pytest.raises(UserError, match="all 16 requests had failed"):
        import_path(store, tmp_path)
    assert (store.cells(), store.set_infos()) == ([], [])


# ---- tables


def test_the_column_of_right_answers_is_not_taken_for_the_reply(tmp_path: Path) -> None:
    db = tmp_path / "c.db"
    said = clika("import", DATA / "layouts" / "tbl_gold_in_answer.jsonl", "--db", db).stdout
    assert "columns: reply from 'prediction', right choice from 'answer'" in said
    document = json.loads(clika("score", "--db", db, "--json").stdout)
    assert {record["accuracy"] for record in document["records"]} == {0.0}


def table(path: Path, rows: list[dict[str, object]]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    return path


@pytest.mark.parametrize(
    "name",
    [
        *("Response", "llm_answer", "raw_response", "predicted_answer", "gpt4_answer", "modelAnswer", "output_text"),
        *("filtered_resps", "assistant", "Predicted"),
    ],
)
@pytest.mark.parametrize("with_set", [True, False])
def test_a_column_named_like_a_reply_is_the_reply_and_never_answer_beside_it(
    tmp_path: Path, store: Store, name: str, with_set: bool
) -> None:
    """Every reply is wrong; `answer` holds what is right."""
    probes = write_capitals(tmp_path / "caps.jsonl", 4)
    rows = [
        {
            "id": f"cap{i}",
            "language": "en",
            "model": "m",
            "answer": "ABCD"[i],
            name: "BCDA"[i],
            "response_time": 1.5,
            "correct_response": "ABCD"[i],
            **({} if with_set else {"question": f"en {i}?", "choices": list("wxyz")}),
        }
        for i in range(4)
    ]
    options = ImportOptions(probe_set=read_user_set(probes)) if with_set else ImportOptions()
    report = import_path(store, table(tmp_path / "t.jsonl", rows), options)
    assert report.columns["reply"] == name
    assert accuracies(store) == {"en": (4, 0.0)}


def test_two_columns_named_like_replies_are_a_question(tmp_path: Path, store: Store) -> None:
    row = {**QUESTION, "id": 1, "gold": "A", "raw_response": "x", "final_response": "A"}
    with pytest.raises(UserError, match="'raw_response' and 'final_response' could both be the reply"):
        import_path(store, table(tmp_path / "t.jsonl", [row]))


@pytest.mark.parametrize("cell", ["", "NaN", "None", "null", "<NA>"])
def test_a_cell_of_a_csv_that_holds_no_reply_is_a_missing_answer(tmp_path: Path, store: Store, cell: str) -> None:
    file = tmp_path / "t.csv"
    file.write_text(f"id,language,model,question,choices,gold,reply\n1,en,m,Q?,r|w,A,{cell}\n2,en,m,Q?,r|w,B,B\n")
    report = import_path(store, file)
    assert (report.replies, report.missing) == (1, 1)
    assert records(store)["en"].accuracy == 1.0


QUESTION = {"language": "en", "model": "m", "question": "Q?", "choices": ["r", "w"]}


def test_a_null_reply_is_a_missing_answer_and_never_the_right_one(tmp_path: Path, store: Store) -> None:
    rows = [{**QUESTION, "id": i, "answer": "A", "response": None if i < 2 else "A"} for i in range(4)] + [
        {**QUESTION, "id": 4, "answer": "A", "response": float("nan")},
        {**QUESTION, "id": 5, "answer": "A"},
    ]
    report = import_path(store, table(tmp_path / "t.jsonl", rows))
    assert (report.replies, report.missing) == (2, 4)
    found = records(store)["en"]
    assert (found.n, found.coverage, found.accuracy) == (6, 2 / 6, 1.0)


@pytest.mark.parametrize(
    ("columns", "says"),
    [
        ({"answer": "A"}, "'answer' may be the model's reply or the right answer"),
        ({"response": "A", "prediction": "B", "gold": "A"}, "'response' and 'prediction' could both be the reply"),
        ({"gold": "A"}, "no column for 'text'"),
    ],
)
def test_a_table_that_leaves_open_which_column_is_the_reply_is_refused(
    tmp_path: Path, store: Store, columns: dict[str, object], says: str
) -> None:
    with pytest.raises(UserError, match=says):
        import_path(store, table(tmp_path / "t.jsonl", [{**QUESTION, "id": 1, **columns}]))


def test_right_choices_that_count_from_one_are_refused_or_mapped_in_tables_too(tmp_path: Path, store: Store) -> None:
    rows = [{**QUESTION, "id": i, "choices": ["a", "b", "c"], "label": i + 1, "reply": "ABC"[i]} for i in range(2)]
    file = table(tmp_path / "t.jsonl", rows)
    with pytest.raises(UserError, match="gold1=COLUMN"):
        import_path(store, file)
    import_path(store, file, ImportOptions(mapping=("gold1=label",)))
    assert records(store)["en"].accuracy == 1.0


def test_an_id_of_several_columns_and_options_in_columns_of_their_own_are_mapped(tmp_path: Path, store: Store) -> None:
    rows = [
        {
            "link": "u",
            "number": n,
            "lang": "swh_Latn",
            "model": "m",
            "q": "Q?",
            "a": "x",
            "b": "y",
            "right": "B",
            "reply": "B",
        }
        for n in (1, 2)
    ]
    mapping = ("item_id=link|number,question=q", "choices=a|b,gold=right")
    import_path(store, table(tmp_path / "t.jsonl", rows), ImportOptions(mapping=mapping))
    assert accuracies(store) == {"sw": (2, 1.0)}


# ---- batches


@pytest.mark.parametrize("name", ["batch_responses.jsonl", "batch_gemini.jsonl"])
def test_batches_of_other_endpoints_are_read_reply_by_reply(tmp_path: Path, store: Store, name: str) -> None:
    file = DATA / "layouts" / name
    rows = [json.loads(line) for line in file.read_text("utf-8").splitlines()]
    probes = write_capitals(tmp_path / "caps.jsonl", len(rows) // 2)
    report = import_path(store, file, ImportOptions(probe_set=read_user_set(probes)))
    assert (report.replies, report.missing, left_out(report)) == (16, 0, 0)
    # Both files answer what each question's place in the set asks for.
    assert {tag: (n, a) for tag, (n, a) in accuracies(store).items()} == {"en": (8, 1.0), "de": (8, 1.0)}


def write_capitals(path: Path, n: int) -> Path:
    """The set that the batches answer: item cap0, cap1, … with gold A, B, C, D in turn."""
    rows = [
        {"item_id": f"cap{i}", "language": tag, "question": f"{tag} {i}?", "choices": list("wxyz"), "gold": i % 4}
        for i in range(n)
        for tag in ("en", "de")
    ]
    return table(path, rows)  # type: ignore[arg-type]


def test_a_batch_of_gemini_that_begins_with_a_blocked_prompt_is_known(tmp_path: Path, store: Store) -> None:
    rows = [json.loads(line) for line in (DATA / "layouts" / "batch_gemini.jsonl").read_text("utf-8").splitlines()]
    rows[0]["response"] = {"promptFeedback": {"blockReason": "SAFETY"}, "modelVersion": "m"}
    probes = read_user_set(write_capitals(tmp_path / "caps.jsonl", len(rows) // 2))
    named = {row["response"].get("modelVersion") for row in rows[1:]}
    options = ImportOptions(probe_set=probes, model=named.pop())
    report = import_path(store, table(tmp_path / "b.jsonl", rows), options)
    assert (report.replies, left_out(report)) == (16, 0)
    assert sorted(record.accuracy for record in records(store).values()) == [7 / 8, 1.0]


def test_a_reply_in_a_shape_that_is_not_read_is_no_failed_request(tmp_path: Path, store: Store) -> None:
    body = {"object": "list", "data": [{"embedding": [0.1]}], "model": "m"}
    row = {"custom_id": "s-en-cap0", "response": {"status_code": 200, "body": body}, "error": None}
    probes = read_user_set(write_capitals(tmp_path / "caps.jsonl", 1))
    with pytest.raises(UserError, match="a reply that is not read: neither a chat completion nor a response"):
        import_path(store, table(tmp_path / "b.jsonl", [row]), ImportOptions(probe_set=probes))
    assert store.cells() == []


def test_words_for_how_a_reply_ended_are_understood_in_capitals() -> None:
    assert [finish_of(word) for word in ("MAX_TOKENS", "SAFETY", "STOP", "End_Turn", None, "?")] == [
        "length",
        "content_filter",
        "stop",
        "stop",
        None,
        None,
    ]


def test_examples_are_counted_in_the_prompts_where_no_results_file_tells_them(
    logs: Path, tmp_path: Path, store: Store
) -> None:
    for shown in (0, 5):
        folder = Path(shutil.copytree(logs / "lm_misal", tmp_path / str(shown)))
        for file in folder.rglob("results_*.json"):
            file.unlink()
        for file in folder.rglob("samples_*.jsonl"):
            rows = [json.loads(line) for line in file.read_text("utf-8").splitlines()]
            for row in rows[: 12 if shown else None]:
                for request in row["arguments"].values():
                    cue = request["arg_0"].splitlines()[-1]
                    request["arg_0"] = f"Another question.\n{cue} B\n\n" * shown + request["arg_0"]
            kept = rows[:12] if shown else rows
            file.write_text("".join(json.dumps(row) + "\n" for row in kept), "utf-8")
        assert import_path(store, folder, ImportOptions(model="m")).changed == 0
    assert accuracies(store, prompts=("lm-eval",)) == {"en": (24, 0.7917), "de": (24, 0.8333)}
    few = accuracies(store, prompts=("lm-eval 5-shot",))
    assert set(few) == {"en", "de"}
