"""Importing other tools' logs. The rows have the shape that lm-eval 0.4 and inspect_ai 0.3 wrote when run."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest
from clika import clika, write_probes

from clika_client.common.errors import UserError
from clika_client.common.task_names import split_task
from clika_client.importers.common import ImportReport
from clika_client.importers.detect import ImportOptions, detect, import_path
from clika_client.scoring.load import load
from clika_client.scoring.score import score_store
from clika_client.sets.catalogue import resolve
from clika_client.store.store import Store

QUESTIONS = {
    "en": [("Capital of France?", ["Paris", "Rome"], 0), ("Capital of Italy?", ["Paris", "Rome"], 1)],
    "de": [("Hauptstadt von Frankreich?", ["Paris", "Rom"], 0), ("Hauptstadt von Italien?", ["Paris", "Rom"], 1)],
}


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "clika.db")


def write_lines(path: Path, rows: list[dict[str, Any]]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def lm_eval_sample(language: str, i: int, scores: list[float]) -> dict[str, Any]:
    question, choices, gold = QUESTIONS[language][i]
    best = scores.index(max(scores))
    return {
        "doc_id": i,
        "doc": {"id": f"q{i}", "question": question, "choices": choices, "answer": gold},
        "target": str(gold),
        "arguments": {
            f"gen_args_{c}": {"arg_0": f"Question: {question}\nAnswer:", "arg_1": f" {text}"}
            for c, text in enumerate(choices)
        },
        "resps": [[[str(score), "False"]] for score in scores],
        "filtered_resps": [[str(score), "False"] for score in scores],
        "filter": "none",
        "metrics": ["acc"],
        "acc": float(best == gold),
    }


def lm_eval_folder(tmp_path: Path) -> Path:
    folder = tmp_path / "out" / "vendor__model"
    scores = {"en": ([-0.1, -2.0], [-3.0, -0.2]), "de": ([-0.1, -2.0], [-0.3, -0.9])}
    for language, pair in scores.items():
        rows = [lm_eval_sample(language, i, list(row)) for i, row in enumerate(pair)]
        write_lines(folder / f"samples_caps_{language}_2026-01-02T03-04-05.678.jsonl", rows)
    return tmp_path / "out"


def test_choice_likelihoods_of_lm_eval_become_answers_read_by_probability(tmp_path: Path, store: Store) -> None:
    report = import_path(store, lm_eval_folder(tmp_path))
    assert (report.source, report.replies, report.models, report.sets) == ("lm-eval", 4, {"vendor/model"}, {"caps"})
    block = load(store).blocks[0]
    assert (block.key.ask, block.key.reading, block.languages) == ("logprobs", "probabilities", ("de", "en"))
    assert block.answers.tolist() == [[0, 0], [0, 1]]
    assert block.scores is not None
    assert block.scores[0, 1].tolist() == [-0.3, -0.9]
    record = next(r for r in score_store(store, bootstrap=0).records if r.language == "de")
    assert (record.accuracy, record.en_co) == (0.5, 0.5)
    assert not math.isnan(record.rankc)


def test_questions_with_one_choice_are_left_out_and_named_and_the_others_are_scored(
    tmp_path: Path, store: Store
) -> None:
    folder = lm_eval_folder(tmp_path)
    for language in QUESTIONS:
        row = lm_eval_sample(language, 0, [-0.1])
        row["doc"]["choices"] = row["doc"]["choices"][:1]
        row["arguments"] = {"gen_args_0": row["arguments"]["gen_args_0"]}
        write_lines(folder / "vendor__model" / f"samples_alone_{language}_2026-01-02T03-04-05.678.jsonl", [row])
    report = import_path(store, folder)
    assert report.sets == {"caps"}
    assert any("one choice" in reason for reason in report.skipped_rows)
    assert {r.accuracy for r in score_store(store, bootstrap=0).records} == {0.5, 1.0}


def test_the_model_s_name_is_taken_from_the_results_beside_the_samples(tmp_path: Path, store: Store) -> None:
    folder = lm_eval_folder(tmp_path)
    results = folder / "vendor__model" / "results_2026-01-02T03-04-05.678.json"
    results.write_text(json.dumps({"model_name": "Vendor/Model-1B"}))
    assert import_path(store, folder).models == {"Vendor/Model-1B"}


def test_a_sample_log_named_from_within_its_folder_still_has_a_model(
    tmp_path: Path, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(lm_eval_folder(tmp_path) / "vendor__model")
    log = Path("samples_caps_en_2026-01-02T03-04-05.678.jsonl")
    assert import_path(store, log).models == {"vendor/model"}


def test_the_older_shape_of_lm_eval_s_arguments_is_read_too(tmp_path: Path, store: Store) -> None:
    row = lm_eval_sample("en", 0, [-0.1, -2.0])
    row["arguments"] = [["Question: …", " Paris"], ["Question: …", " Rome"]]
    row["doc"].pop("choices")
    write_lines(tmp_path / "m" / "samples_caps_en.jsonl", [row])
    import_path(store, tmp_path / "m")
    assert load(store).sets[1].probes["en"][0].choices == ("Paris", "Rome")


def test_generated_text_of_lm_eval_is_read_as_text_once_per_reply(tmp_path: Path, store: Store) -> None:
    rows = []
    for filter_name in ("strict", "flexible"):
        row = lm_eval_sample("de", 1, [0.0, 0.0])
        row |= {"resps": [["Rom"]], "filtered_resps": ["B"], "filter": filter_name}
        del row["acc"]
        row["arguments"] = {"gen_args_0": {"arg_0": "Frage", "arg_1": {"until": ["\n"]}}}
        rows.append(row)
    write_lines(tmp_path / "m" / "samples_gen_de.jsonl", rows)
    report = import_path(store, tmp_path / "m")
    assert report.skipped_rows == {"the same reply under another filter": 1}
    block = load(store).blocks[0]
    assert (block.key.ask, block.answers.tolist()) == ("text", [[1]])


def test_a_target_that_the_logged_accuracy_contradicts_is_not_trusted(tmp_path: Path, store: Store) -> None:
    row = lm_eval_sample("en", 0, [-0.1, -2.0])
    write_lines(tmp_path / "m" / "samples_caps_en.jsonl", [row, lm_eval_sample("en", 1, [-0.1, -9.0]) | {"acc": 1.0}])
    report = import_path(store, tmp_path / "m")
    assert report.skipped_rows == {"the logged accuracy contradicts the target": 1}


def test_a_task_that_names_no_language_asks_for_one(tmp_path: Path, store: Store) -> None:
    write_lines(tmp_path / "m" / "samples_arc_easy.jsonl", [lm_eval_sample("en", 0, [-0.1, -2.0])])
    with pytest.raises(UserError, match="--language"):
        import_path(store, tmp_path / "m")
    assert import_path(store, tmp_path / "m", ImportOptions(language="en")).replies == 1


@pytest.mark.parametrize(
    ("task", "expected"),
    [
        ("xcopa_it", ("xcopa", "it")),
        ("belebele_deu_Latn", ("belebele", "de")),
        ("belebele_zho_Hant", ("belebele", "zh-Hant")),
        ("m_mmlu_pt-BR", ("m_mmlu", "pt-BR")),
        ("capitals-de", ("capitals", "de")),
        ("arc_easy", ("arc_easy", None)),
        ("hellaswag", ("hellaswag", None)),
        ("it", ("it", None)),
    ],
)
def test_the_language_stands_at_the_end_of_a_task_s_name(task: str, expected: tuple[str, str | None]) -> None:
    assert split_task(task) == expected


def inspect_log(language: str, replies: list[str | None], epochs: int = 1) -> dict[str, Any]:
    samples = []
    for epoch in range(1, epochs + 1):
        for i, reply in enumerate(replies):
            question, choices, gold = QUESTIONS[language][i]
            message = {
                "role": "assistant",
                "content": [{"type": "reasoning", "reasoning": "A?"}, {"type": "text", "text": reply}],
            }
            output = {"model": "vendor/m", "choices": [{"message": message, "stop_reason": "stop"}]}
            samples.append(
                {
                    "id": f"q{i}", "epoch": epoch, "input": question, "choices": choices, "target": "AB"[gold],
                    "messages": [{"role": "user", "content": f"…{question}…"}, message], "metadata": {},
                    "output": output if reply is not None else {"model": "vendor/m", "choices": []},
                }
            )  # fmt: skip
    header = {"task": f"capitals_{language}", "model": "vendor/m", "task_args": {}, "dataset": {}}
    return {"version": 2, "status": "success", "eval": header, "samples": samples}


def test_inspect_logs_in_json_are_imported_and_a_failed_sample_is_missing_not_wrong(
    tmp_path: Path, store: Store
) -> None:
    folder = tmp_path / "logs"
    folder.mkdir()
    (folder / "a.json").write_text(json.dumps(inspect_log("en", ["ANSWER: A", "ANSWER: B"])))
    (folder / "b.json").write_text(json.dumps(inspect_log("de", ["ANSWER: A", None])))
    (folder / "other.json").write_text('{"something": "else"}')
    report = import_path(store, folder)
    assert (report.source, report.replies, report.sets, report.models) == ("inspect", 3, {"capitals"}, {"vendor/m"})
    assert report.missing == 1
    records = {r.language: r for r in score_store(store, bootstrap=0).records}
    assert (records["de"].n, records["de"].coverage, records["de"].accuracy) == (2, 0.5, 1.0)
    assert records["en"].coverage == 1.0


def test_epochs_of_inspect_are_repeats_of_a_question(tmp_path: Path, store: Store) -> None:
    path = tmp_path / "a.json"
    path.write_text(json.dumps(inspect_log("en", ["ANSWER: A", "ANSWER: B"], epochs=3)))
    import_path(store, path)
    block = load(store).blocks[0]
    assert (block.repeats, block.answers.tolist()) == (3, [[0, 1]])


def test_eval_logs_are_read_with_inspect_s_own_reader_or_its_absence_is_explained(tmp_path: Path, store: Store) -> None:
    path = tmp_path / "a.eval"
    path.write_bytes(b"PK")
    try:
        import inspect_ai  # type: ignore[import-not-found]  # noqa: F401
    except ImportError:
        with pytest.raises(UserError, match=r"inspect log convert"):
            import_path(store, path)
    else:
        pytest.skip("inspect_ai is installed: its reader is used")


def openai_result(custom_id: str, text: str | None) -> dict[str, Any]:
    if text is None:
        return {"id": "b", "custom_id": custom_id, "response": None, "error": {"code": "batch_expired"}}
    choice = {"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}
    body = {"object": "chat.completion", "model": "gpt-x", "choices": [choice]}
    return {"id": "b", "custom_id": custom_id, "response": {"status_code": 200, "body": body}, "error": None}


def anthropic_result(custom_id: str, text: str | None) -> dict[str, Any]:
    if text is None:
        return {"custom_id": custom_id, "result": {"type": "expired"}}
    message = {"model": "claude-x", "content": [{"type": "text", "text": text}], "stop_reason": "end_turn"}
    return {"custom_id": custom_id, "result": {"type": "succeeded", "message": message}}


@pytest.mark.parametrize(
    ("make", "kind", "model"),
    [(openai_result, "openai-batch", "gpt-x"), (anthropic_result, "anthropic-batch", "claude-x")],
)
def test_batch_results_are_matched_by_custom_id(tmp_path: Path, store: Store, make: Any, kind: str, model: str) -> None:
    probe_set = resolve(str(write_probes(tmp_path / "mine.jsonl")))
    rows = [make(f"mine|{tag}|q{i}", "ABCD"[i % 4]) for tag in ("en", "de") for i in range(6)]
    rows[3] = make("mine|en|q3", None)
    rows.append(make("unrelated", "A"))
    path = write_lines(tmp_path / "out.jsonl", rows)
    assert detect(path) == kind
    report = import_path(store, path, ImportOptions(probe_set=probe_set))
    assert (report.replies, report.missing, report.models, report.skipped_rows.total()) == (11, 1, {model}, 1)
    records = {r.language: r for r in score_store(store, bootstrap=0).records}
    assert (records["en"].n, records["en"].coverage) == (6, 5 / 6)
    assert (records["en"].accuracy, records["de"].accuracy) == (1.0, 1.0)


def test_a_second_batch_fills_in_what_failed_in_the_first(tmp_path: Path, store: Store) -> None:
    options = ImportOptions(probe_set=resolve(str(write_probes(tmp_path / "mine.jsonl"))))
    import_path(
        store, write_lines(tmp_path / "1.jsonl", [openai_result("en|q0", "A"), openai_result("en|q1", None)]), options
    )
    assert score_store(store, bootstrap=0).records[0].coverage == 0.5
    import_path(store, write_lines(tmp_path / "2.jsonl", [openai_result("en|q1", "B")]), options)
    record = score_store(store, bootstrap=0).records[0]
    assert (record.n, record.coverage, record.accuracy) == (2, 1.0, 1.0)


def test_batch_results_without_a_named_set_ask_for_one(tmp_path: Path, store: Store) -> None:
    path = write_lines(tmp_path / "out.jsonl", [openai_result("x", "A")])
    with pytest.raises(UserError, match="--set"):
        import_path(store, path)


def test_a_pattern_describes_custom_ids_that_cannot_be_guessed(tmp_path: Path, store: Store) -> None:
    probe_set = resolve(str(write_probes(tmp_path / "mine.jsonl")))
    path = write_lines(tmp_path / "out.jsonl", [openai_result("run7~q1~~de", "B")])
    with pytest.raises(UserError, match="--custom-id"):
        import_path(store, path, ImportOptions(probe_set=probe_set))
    pattern = ImportOptions(probe_set=probe_set, custom_id="run7~{item_id}~~{language}")
    assert import_path(store, path, pattern).replies == 1
    with pytest.raises(UserError, match="must hold"):
        import_path(store, path, ImportOptions(probe_set=probe_set, custom_id="{item}"))


def test_prompts_are_kept_when_the_batch_s_input_is_given(tmp_path: Path, store: Store) -> None:
    probe_set = resolve(str(write_probes(tmp_path / "mine.jsonl")))
    requests = write_lines(
        tmp_path / "in.jsonl",
        [{"custom_id": "en|q1", "params": {"system": "Answer.", "messages": [{"role": "user", "content": "Which?"}]}}],
    )
    path = write_lines(tmp_path / "out.jsonl", [anthropic_result("en|q1", "B")])
    import_path(store, path, ImportOptions(probe_set=probe_set, requests=requests))
    ((messages,),) = store.database.connection.execute("SELECT messages FROM prompts").fetchall()
    assert json.loads(messages) == [["system", "Answer."], ["user", "Which?"]]


TABLE = """qid,lang,llm,answer,question,options,right
1,en,m1,A,Capital of France?,Paris|Rome,0
1,de,m1,Rom,Hauptstadt von Frankreich?,Paris|Rom,0
2,en,m1,B,Capital of Italy?,Paris|Rome,1
2,de,m1,B,Hauptstadt von Italien?,Paris|Rom,1
"""
MAP = ("item_id=qid,language=lang,model=llm,text=answer", "choices=options,gold=right")


def test_a_plain_table_with_a_mapping_carries_its_own_questions(tmp_path: Path, store: Store) -> None:
    path = tmp_path / "mine.csv"
    path.write_text(TABLE)
    report = import_path(store, path, ImportOptions(mapping=MAP))
    assert (report.replies, report.sets, report.languages) == (4, {"mine"}, {"en", "de"})
    records = {r.language: r.accuracy for r in score_store(store, bootstrap=0).records}
    assert records == {"en": 1.0, "de": 0.5}


def test_a_tables_cluster_column_reaches_the_intervals(tmp_path: Path, store: Store) -> None:
    lines = ["item_id,language,model,text,question,choices,gold,cluster"]
    for i in range(12):
        said = "AB"[i // 4 % 2]
        lines += [f'q{i},{t},m,{said},Question {i}?,"[""x"", ""y""]",0,passage {i // 4}' for t in ("en", "de")]
    path = tmp_path / "passages.csv"
    path.write_text("\n".join(lines) + "\n")
    import_path(store, path)
    scores = score_store(store, bootstrap=10)
    assert {row.clusters for row in scores.rows} == {3}
    # Wilson for 8 of 12 single items would be .39 to .86; three passages that stand or fall together tell far less.
    record = next(r for r in scores.records if r.language == "en")
    assert record.accuracy == pytest.approx(2 / 3)
    assert record.accuracy_low < 0.2


def test_a_table_without_questions_is_matched_to_a_set(tmp_path: Path, store: Store) -> None:
    probe_set = resolve(str(write_probes(tmp_path / "set.jsonl")))
    rows = [{"item_id": f"q{i}", "language": "en", "response": "ABCD"[i % 4]} for i in range(6)]
    rows += [{"item_id": "q9", "language": "en", "response": "A"}, {"item_id": "q1", "language": "xx", "response": "A"}]
    path = write_lines(tmp_path / "mine.jsonl", rows)
    report = import_path(store, path, ImportOptions(probe_set=probe_set, model="mine"))
    assert report.replies == 6
    assert sorted(report.skipped_rows.values()) == [1, 1]


def test_a_missing_column_is_named_with_the_cure(tmp_path: Path, store: Store) -> None:
    path = tmp_path / "mine.csv"
    path.write_text(TABLE)
    with pytest.raises(UserError, match=r"line 2: no column for 'item_id'.*--map item_id=COLUMN"):
        import_path(store, path)
    with pytest.raises(UserError, match="no part 'qid'"):
        import_path(store, path, ImportOptions(mapping=("qid=item_id",)))


def test_items_whose_choices_are_not_parallel_are_left_out_of_every_language(tmp_path: Path, store: Store) -> None:
    path = tmp_path / "mine.csv"
    path.write_text(TABLE.replace("2,de,m1,B,Hauptstadt von Italien?,Paris|Rom,1", "2,de,m1,B,Italien?,Rom|Paris,0"))
    report = import_path(store, path, ImportOptions(mapping=MAP))
    assert report.replies == 2
    assert report.skipped_rows == {"the right choice, or the number of choices, differs between languages": 2}


def test_a_column_called_prompt_is_the_text_that_was_sent_not_a_way_of_asking(tmp_path: Path, store: Store) -> None:
    probe_set = resolve(str(write_probes(tmp_path / "set.jsonl")))
    rows = [{"item_id": f"q{i}", "language": "en", "text": "A", "prompt": f"Which is {i}?"} for i in range(6)]
    import_path(store, write_lines(tmp_path / "m.jsonl", rows), ImportOptions(probe_set=probe_set, model="m"))
    assert len(store.cells()) == 1


def test_two_sources_of_one_model_stay_two_rows(tmp_path: Path, store: Store) -> None:
    path = tmp_path / "mine.csv"
    path.write_text(TABLE)
    for source in ("ann", "bob"):
        import_path(store, path, ImportOptions(mapping=MAP, source=source))
    assert {block.key.source for block in load(store).blocks} == {"ann", "bob"}


def test_importing_a_table_twice_changes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "mine.csv"
    path.write_text(TABLE)
    arguments = [
        "import",
        path,
        "--db",
        tmp_path / "a.db",
        *(part for text in MAP for part in ("--map", text)),
        "--json",
    ]
    first, second = (json.loads(clika(*arguments).stdout) for _ in range(2))
    assert (first["new"], second["new"], second["replies"]) == (4, 0, 4)


def test_a_report_counts_reasons_and_keeps_the_first_place_of_each() -> None:
    report = ImportReport("x")
    report.skip_row("odd", "a, line 1")
    report.skip_row("odd", "a, line 9")
    assert report.to_json()["examples"] == {"odd": "a, line 1"}
    assert report.to_json()["skipped_rows"] == {"odd": 2}
