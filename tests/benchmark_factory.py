"""Small look-alikes of public benchmarks: invented questions in each one's exact layout, with its known defects."""

from __future__ import annotations

import csv
import gzip
import io
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

LETTERS = "ABCDEFGHIJ"


@dataclass(frozen=True)
class Expected:
    """What a look-alike must become."""

    languages: tuple[str, ...]
    items: int
    choices: tuple[int, int]
    dropped: Mapping[tuple[str, str], Sequence[str]]
    """(language, reason) → keys."""


def jsonl(path: Path, rows: Iterable[Mapping[str, Any]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), "utf-8")


def table(path: Path, rows: Sequence[Sequence[object]], delimiter: str = ",", end: str = "\n") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    text = io.StringIO()
    csv.writer(text, delimiter=delimiter, lineterminator=end).writerows(rows)
    path.write_bytes(text.getvalue().encode())


def parquet(path: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    import pyarrow
    import pyarrow.parquet

    path.parent.mkdir(parents=True, exist_ok=True)
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(list(rows)), path)


def ask(language: str, i: int) -> str:
    return f"{language} question {i}?"


def choices(language: str, i: int, k: int) -> list[str]:
    return [f"{language} option {i}-{j}" for j in range(k)]


def belebele(root: Path, n: int = 8) -> Expected:
    """Golds are texts counted from 1, two questions share a passage, languages come in another order."""
    for code in ("eng_Latn", "deu_Latn", "swh_Latn", "ary_Arab"):
        rows = [
            {
                "link": f"https://x.example/{i // 2}",
                "question_number": i % 2 + 1,
                "flores_passage": f"{code} passage {i // 2}.",
                "question": ask(code, i),
                **{f"mc_answer{j + 1}": text for j, text in enumerate(choices(code, i, 4))},
                "correct_answer_num": str(i % 4 + 1),
                "dialect": code,
                "ds": "2023-05-03",
            }
            for i in range(n)
        ]
        jsonl(root / f"data/{code}.jsonl", rows if code != "swh_Latn" else rows[::-1])
    (root / "README.md").write_text("ary_arab\n", "utf-8")
    return Expected(("en", "ary", "de", "sw"), n, (4, 4), {})


def _global_mmlu_row(language: str, split: str, i: int) -> dict[str, Any]:
    subject = ("anatomy", "world_religions")[i % 2]
    return {
        "sample_id": f"{subject}/{split}/{i}",
        "subject": subject,
        "subject_category": ("STEM", "Humanities")[i % 2],
        "question": ask(language, i),
        **dict(zip(("option_a", "option_b", "option_c", "option_d"), choices(language, i, 4), strict=True)),
        "answer": LETTERS[i % 4],
        "required_knowledge": "['none']",
        "time_sensitive": "['No']",
        "reference": "[]",
        "culture": "[]",
        "region": "[]",
        "country": "[]",
        "cultural_sensitivity_label": ("CA", "CS")[i % 4 // 2],
        "is_annotated": True,
    }


def global_mmlu(root: Path, n: int = 8) -> Expected:
    """A parquet tree with `N/A` and `None` as options, and a row that one language lacks."""
    for language in ("en", "de", "fil"):
        rows = [_global_mmlu_row(language, "test", i) for i in range(n)]
        rows[0]["option_d"] = "None"
        rows[1]["option_a"] = "N/A"
        parquet(root / language / "test-00000-of-00001.parquet", rows if language != "fil" else rows[:-1])
        dev = [_global_mmlu_row(language, "dev", i) for i in range(6)]
        parquet(root / language / "dev-00000-of-00001.parquet", dev)
    last = f"{('anatomy', 'world_religions')[(n - 1) % 2]}/test/{n - 1}"
    return Expected(("en", "de", "fil"), n - 1, (4, 4), {("fil", "missing in this language"): [last]})


def mmmlu(root: Path, n: int = 8) -> Expected:
    """A column without a name, subjects in another case, English from a file that names no language."""
    for code, name in (("en", "mmlu.csv"), ("ar", "mmlu_AR-XY.csv"), ("pt-BR", "mmlu_PT-BR.csv")):
        rows: list[list[object]] = [["", "Question", "A", "B", "C", "D", "Answer", "Subject"]]
        for i in range(n):
            subject = "anatomy" if code == "en" else "Anatomy"
            rows.append([i, f'{code} "quoted", question {i}?', *choices(code, i, 4), LETTERS[i % 4], subject])
        table(root / "test" / name, rows)
    return Expected(("en", "ar", "pt-BR"), n, (4, 4), {})


def mmlu_prox(root: Path, n: int = 8) -> Expected:
    """Three to ten choices; one Chinese question has a hole among its options, another an option called N/A."""
    for language in ("en", "de", "zh"):
        rows = []
        for i in range(n):
            k = 3 + i
            options: list[str | None] = [*choices(language, i, k), *[None] * (10 - k)][:10]
            rows.append(
                {
                    "question_id": 100 + i,
                    "question": ask(language, i),
                    **{f"option_{j}": option for j, option in enumerate(options)},
                    "answer": LETTERS[i % 3],
                    "answer_index": i % 3,
                    "cot_content": "",
                    "category": ("law", "math")[i % 2],
                    "src": "f",
                    "question_id_src": 7 + i,
                }
            )
        rows[0]["option_2"] = "N/A"
        if language == "zh":
            rows[-1]["option_8"] = None
        parquet(root / language / "test-00000-of-00001.parquet", rows)
        parquet(
            root / language / "validation-00000-of-00001.parquet",
            [{**r, "question_id": 900 + j} for j, r in enumerate(rows[:4])],
        )
    return Expected(("en", "de", "zh"), n - 1, (3, 9), {("zh", "option_8 is empty, option_9 is not"): [str(99 + n)]})


def mmlu_prox_lite(root: Path) -> Expected:
    """Joined by (src, question_id_src)."""
    made = mmlu_prox(root)
    return Expected(made.languages, made.items, made.choices, {p: ["f|14"] for p in made.dropped})


def xcopa(root: Path, n: int = 8) -> Expected:
    """Thai says effect everywhere; data-gmt holds English under the same names."""
    for folder in ("data", "data-gmt"):
        for language in ("et", "it", "th", "zh"):
            for split in ("test", "val"):
                rows = [
                    {
                        "premise": f"{language if folder == 'data' else 'English'} premise {i}.",
                        "choice1": f"{language} one {i}.",
                        "choice2": f"{language} two {i}.",
                        "question": "effect" if language == "th" or i % 2 else "cause",
                        "label": i // 2 % 2,
                        "idx": i,
                        "changed": i == 3,
                    }
                    for i in range(n)
                ]
                jsonl(root / folder / language / f"{split}.{language}.jsonl", rows)
    return Expected(("et", "it", "th", "zh"), n, (2, 2), {})


def xstorycloze(root: Path, n: int = 8) -> Expected:
    """The right ending is a number from 1; names hold the split behind the language."""
    header = ["story_id", *(f"input_sentence_{i}" for i in range(1, 5)), "sentence_quiz1", "sentence_quiz2"]
    for language in ("en", "my", "zh"):
        for split in ("train", "eval"):
            rows: list[list[object]] = [[*header, "answer_right_ending"]]
            for i in range(n):
                story = [f'{language} "sentence" {i}-{j}.' for j in range(4)]
                rows.append([f"{split}-{i}", *story, f"{language} end {i}.", f"{language} other {i}.", i % 2 + 1])
            table(root / f"spring2016.val.{language}.tsv.split_20_80_{split}.tsv", rows, "\t")
    return Expected(("en", "my", "zh"), n, (2, 2), {})


def _xcsr(root: Path, name: str, k: int, n: int) -> Expected:
    """The original's nested rows for English, the hub's two lists for the others; `jap`, and an empty choice."""
    for code in ("en", "de", "jap"):
        rows: list[dict[str, Any]] = []
        for i in range(n):
            texts = choices(code, i, k)
            if code == "jap" and i == 1:
                texts[2] = ""
            labels = list(LETTERS[:k])
            listed: Any = [{"label": a, "text": b} for a, b in zip(labels, texts, strict=True)]
            stem = {"stem": ask(code, i), "choices": listed}
            rows.append({"id": f"q{i}", "lang": code, "question": stem, "answerKey": LETTERS[i % k]})
        if code == "en":
            jsonl(root / name / code / "dev.jsonl", rows)
            jsonl(root / name / code / "test.jsonl", [{**r, "answerKey": ""} for r in rows])
        else:
            for row in rows:
                each = row["question"]["choices"]
                row["question"]["choices"] = {"label": [c["label"] for c in each], "text": [c["text"] for c in each]}
            parquet(root / f"{name}-{code}" / "validation-00000-of-00001.parquet", rows)
    return Expected(("en", "de", "ja"), n - 1, (k, k), {("ja", "a choice is empty"): ["q1"]})


def x_csqa(root: Path, n: int = 8) -> Expected:
    return _xcsr(root, "X-CSQA", 5, n)


def x_codah(root: Path, n: int = 8) -> Expected:
    return _xcsr(root, "X-CODAH", 4, n)


def _okapi_row(language: str, i: int, k: int, letters: Sequence[str]) -> dict[str, Any]:
    options = dict(zip(letters, [*choices(language, i, k), None, None][: len(letters)], strict=True))
    return {"instruction": ask(language, i), **options, "answer": LETTERS[i % k]}


def m_arc(root: Path, n: int = 8) -> Expected:
    """Four or five choices, the fifth null; German lacks a question."""
    letters = [f"option_{c}" for c in "abcde"]
    for language in ("en", "de", "is"):
        rows = [{"id": f"arc_{i}", **_okapi_row(language, i, 4 + (i % 3 == 0), letters)} for i in range(n)]
        jsonl(root / f"data/{language}/test.jsonl", rows if language != "de" else rows[1:])
        jsonl(root / f"data/{language}/val.jsonl", [{**row, "id": f"v{row['id']}"} for row in rows[:3]])
    return Expected(("en", "de", "is"), n - 1, (4, 5), {("de", "missing in this language"): ["arc_0"]})


def m_mmlu(root: Path, n: int = 8) -> Expected:
    """Ids hold the subject; one German question has a fifth option."""
    letters = [f"option_{c}" for c in "abcde"]
    for language in ("en", "de", "nb"):
        rows = [{"id": f"law/test/{i}", **_okapi_row(language, i, 4, letters)} for i in range(n)]
        if language == "de":
            rows[2]["option_e"] = "de one too many"
        jsonl(root / f"data/{language}/test.jsonl", rows)
        jsonl(root / f"data/{language}/val.jsonl", [{**row, "id": f"law/val/{i}"} for i, row in enumerate(rows[3:6])])
    reason = "another number of choices than most languages"
    return Expected(("en", "de", "nb"), n - 1, (4, 4), {("de", reason): ["law/test/2"]})


def m_hellaswag(root: Path, n: int = 8) -> Expected:
    """Endings are a list, the label is a text; German lacks rows."""
    for language in ("en", "de", "hr"):
        rows = [
            {
                "ind": 10 * i,
                "activity_label": f"{language} label",
                "ctx_a": f"{language} begins {i}.",
                "ctx_b": "she" if i % 2 else "",
                "endings": choices(language, i, 4),
                "source_id": f"video~{i // 2}",
                "split": "val",
                "split_type": "indomain",
                "label": str(i % 4),
            }
            for i in range(n)
        ]
        jsonl(root / f"data/{language}/val.jsonl", rows if language != "de" else rows[2:])
    return Expected(("en", "de", "hr"), n - 2, (4, 4), {("de", "missing in this language"): ["0", "10"]})


def global_piqa(root: Path, n: int = 8) -> Expected:
    """Codes with script and region; quotation marks inside the texts."""
    for code in ("eng_latn", "por_latn_braz", "srp_cyrl_torl"):
        rows: list[list[object]] = [["prompt", *(f"solution{j}" for j in range(4)), "label"]]
        rows += [[f'{code} "how" {i}', *choices(code, i, 4), i % 4] for i in range(n)]
        table(root / f"data/parallel_{code}.tsv", rows, "\t")
    return Expected(("en", "pt-BR", "sr-x-torl"), n, (4, 4), {})


def global_piqa_nonparallel(root: Path, n: int = 4) -> Expected:
    """Each language its own questions."""
    for number, code in enumerate(("eng_latn", "swh_latn")):
        rows: list[list[object]] = [["prompt", "solution0", "solution1", "label"]]
        rows += [[f"{code} {i}", *choices(code, i, 2), (i + number) % 2] for i in range(n + number)]
        table(root / f"data/nonparallel_{code}.tsv", rows, "\t")
    return Expected(("en", "sw"), 2 * n + 1, (2, 2), {})


_BMLAMA_HEADER = ("Prompt", "Ans", "Candidate Ans", "Subject")
_SUFFIX = {"en": ".", "he": ".", "zh": "。", "tr": " şehridir.", "ja": "に生まれました。"}


def bmlama(root: Path, folder: str = "BMLAMA17", languages: Sequence[str] = ("en", "he", "ja", "tr", "zh")) -> None:
    """Eight invented facts with every trap of the real files.

    0 plain, ten candidates; 1 the Hebrew answer holds quotation marks, so that the file quotes it; 2 the subject is
    among the candidates; 3 the subject holds the answer; 4 and 5 share their prompt, 4's answer is among 5's
    candidates; 6 two candidates; 7 one candidate.
    """
    for language in languages:
        here = [f"{language}-town{j}" for j in range(10)]
        name = [f"{language}-person{i}" for i in range(8)]
        answer = [here[9]] * 8
        answer[1] = f'{language}-"quoted"' if language == "he" else f"{language}-quoted"
        name[3] = f"{here[9]} airport"
        name[4] = name[5] = f"{language}-couple"
        answer[5] = here[8]
        candidates = [[*here[:9], a] for a in answer]
        candidates[2] = [*here[:3], name[2], *here[4:9], answer[2]]
        candidates[5] = [here[0], here[1], here[9], here[8]]
        candidates[6] = [here[0], here[9]]
        candidates[7] = [here[9]]
        # The file of the real Chinese part has five names for four columns.
        header = _BMLAMA_HEADER if language != "zh" else ("Prompt", "Ans", "Candidate", "Ans", "Subject")
        rows: list[Sequence[object]] = [header]
        for i in range(8):
            space = "" if language in ("zh", "ja") else " "
            prompt = f"{name[i]}{space}in{space}<mask>{_SUFFIX[language]}"
            rows.append([prompt, answer[i], ", ".join(candidates[i]), name[i]])
        table(root / f"1_easyrun/{folder}/{language}.tsv", rows, "\t", "\r\n")


def bmlama17(root: Path) -> Expected:
    bmlama(root)
    return Expected(
        ("en", "he", "ja", "tr", "zh"),
        7,
        (2, 10),
        {("en", "fewer than two choices"): ["7"]}
        | {(tag, "fewer than two choices"): ["7"] for tag in ("he", "ja", "tr", "zh")},
    )


def bmlama53(root: Path) -> Expected:
    bmlama(root, "BMLAMA53", ("en", "he", "ja"))
    return Expected(
        ("en", "he", "ja"), 7, (2, 10), {(tag, "fewer than two choices"): ["7"] for tag in ("en", "he", "ja")}
    )


def mlama(root: Path, n: int = 14) -> Expected:
    """A folder of relations with their templates; German lacks a fact, and P17 has three objects in all."""
    for language in ("en", "de", "ja"):
        facts = [
            {
                "sub_label": f"{language} place {i}",
                "obj_label": f"{language} land {i % 12}",
                "sub_uri": f"Q{100 + i}",
                "obj_uri": f"Q{i % 12}",
                "lineid": i,
            }
            for i in range(n)
        ]
        jsonl(root / f"mlama1.1/{language}/P36.jsonl", facts if language != "de" else facts[1:])
        small = [
            {**fact, "obj_uri": f"Q{i % 3}", "obj_label": f"{language} land {i % 3}"}
            for i, fact in enumerate(facts[:4])
        ]
        jsonl(root / f"mlama1.1/{language}/P17.jsonl", small)
        jsonl(
            root / f"mlama1.1/{language}/templates.jsonl",
            [{"relation": r, "template": f"[X] {language} {r} [Y] ."} for r in ("P36", "P17", "P99")],
        )
    return Expected(("en", "de", "ja"), n - 1 + 4, (3, 10), {("de", "missing in this language"): ["P36|0"]})


def klar(root: Path) -> Expected:
    """Relations whose samples name rows of BMLAMA-17 (see `bmlama`), with masks in both spellings."""
    for language in ("en", "ja", "zh"):
        for relation, rows, mask in (("born", (0, 2), "<mask>"), ("lives", (3, 6), "<MASK>")):
            samples = []
            for i in rows:
                subject = f"{language}-town9 airport" if i == 3 else f"{language}-person{i}"
                edited = language == "zh" and i == 0
                samples.append({"subject": subject, "object": f"{language}-town9" + "!" * edited, "index": i})
            path = root / f"klar/{language}/{relation}.json"
            path.parent.mkdir(parents=True, exist_ok=True)
            document = {"prompt_templates": [f"<subject> {language} {mask}", "unused"], "samples": samples}
            path.write_text(json.dumps(document, ensure_ascii=False), "utf-8")
    return Expected(("en", "ja", "zh"), 4, (2, 10), {})


def include(root: Path, n: int = 6) -> Expected:
    """Languages by their English names, each with questions of its own and another number of them."""
    for name, many in (("German", n), ("North Macedonian", n - 2), ("Turkish", n - 1)):
        rows = [
            {
                "language": name,
                "country": name,
                "question": ask(name, i),
                **dict(zip(("option_a", "option_b", "option_c", "option_d"), choices(name, i, 4), strict=True)),
                "answer": (i + len(name)) % 4,
                "domain": "Law",
                "subject": "Driving licence",
                "regional_feature": "region explicit",
            }
            for i in range(many)
        ]
        parquet(root / name / "test-00000-of-00001.parquet", rows)
        parquet(root / name / "validation-00000-of-00001.parquet", rows[:2])
    return Expected(("de", "mk", "tr"), 3 * n - 3, (4, 4), {})


GONE = ["-7449157003522518866", "-7449157003522518865"]
"""Keys of MKQA's rows that accept nothing short."""


def mkqa(root: Path) -> Expected:
    """One compressed file whose rows hold all languages: six rows of every type, two of which accept nothing short."""
    rows = []
    kinds = ("entity", "date", "number", "binary", "unanswerable", "long_answer")
    texts = ("Oslo", "1814-05-17", "7.0", "yes", None, None)
    for i, (kind, text) in enumerate(zip(kinds, texts, strict=True)):
        answers: dict[str, Any] = {"type": kind, "entity": "", "text": text}
        if kind == "entity":
            answers |= {"entity": "Q585", "aliases": ["Christiania", "Kristiania"]}
        if kind == "number":
            answers["aliases"] = list("exploded")
        tags = ("en", "no", "zh_cn")
        rows.append(
            {
                "query": f"en question {i}",
                "queries": {tag: f"{tag} question {i}" for tag in tags},
                "example_id": -7449157003522518870 + i,
                "answers": {tag: [answers] for tag in tags},
            }
        )
    jsonl(root / "dataset" / "mkqa.jsonl", rows)
    path = root / "dataset" / "mkqa.jsonl"
    with gzip.open(root / "dataset" / "mkqa.jsonl.gz", "wb") as file:
        file.write(path.read_bytes())
    path.unlink()
    return Expected(
        ("en", "no", "zh-CN"), 4, (1, 1), {(tag, "no short answer is accepted"): GONE for tag in ("en", "no", "zh-CN")}
    )


def mkqa_all(root: Path) -> Expected:
    """The same file, of which nothing is left out."""
    return replace(mkqa(root), items=6, dropped={})


def eclektic(root: Path) -> Expected:
    """One row per fact with a column for each language, from a language of its own."""
    rows = [
        {
            "q_id": f"q{i}",
            "original_lang": source,
            "title": "t",
            "url": "u",
            "content": "c",
            "question": f"{source}_q",
            "answer": f"answer {i}",
            **{f"{tag}_{part}": f"{tag} {part} {i}" for tag in ("en", "de", "he") for part in "qac"},
        }
        for i, source in enumerate(("de", "he", "de"))
    ]
    jsonl(root / "eclektic_main.jsonl", rows)
    return Expected(("en", "de", "he"), 3, (1, 1), {})


def x_fakt(root: Path) -> Expected:
    """One CSV per language and model, parallel by line, whose golds are machine-translated."""
    for model in ("model-a", "model-b"):
        for name in ("English", "Turkish"):
            golds = ("Turkey", "France", "Kenya")
            rows = [["Question", "Predicted", "answers", "label", "llm_output"]]
            rows += [
                [f"{name} {i}?", "said", gold if name == "English" else "Hindi (kuş)", "cities", "[[1]]"]
                for i, gold in enumerate(golds)
            ]
            table(root / "results" / model / "without_system_prompt" / f"{name}.csv", rows, end="\r\n")
    return Expected(("en", "tr"), 3, (13, 13), {})


MAKERS: Mapping[str, Callable[[Path], Expected]] = {
    "belebele": belebele,
    "global-mmlu": global_mmlu,
    "global-mmlu-lite": global_mmlu,
    "mmmlu": mmmlu,
    "mmlu-prox": mmlu_prox,
    "mmlu-prox-lite": mmlu_prox_lite,
    "xcopa": xcopa,
    "xstorycloze": xstorycloze,
    "x-csqa": x_csqa,
    "x-codah": x_codah,
    "m_arc": m_arc,
    "m_mmlu": m_mmlu,
    "m_hellaswag": m_hellaswag,
    "global-piqa": global_piqa,
    "bmlama17": bmlama17,
    "bmlama53": bmlama53,
    "mlama": mlama,
    "klar": klar,
    "include": include,
    "global-piqa-nonparallel": global_piqa_nonparallel,
    "mkqa": mkqa,
    "mkqa-all": mkqa_all,
    "eclektic": eclektic,
    "x-fakt": x_fakt,
}
