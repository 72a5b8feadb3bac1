"""Task names of other tools: which language they name, and what is left as the set's name.

Where a name holds subjects, prompts or variants beside the language, no general rule can tell `de_stem` (German,
science) from `deu_Latn`, so families of tasks that are written in many languages are listed one by one.
"""

from __future__ import annotations

import re
from pathlib import Path

from clika_client.common.errors import UserError
from clika_client.common.languages import canonical, is_script, known

_L2, _L3 = r"(?P<lang>[a-z]{2})", r"(?P<lang>[a-z]{3})"
# First match wins. `lang` is cut out of the set's name.
_FAMILIES = tuple(
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        r"belebele_(?P<lang>[a-z]{3}_[a-z]{4})(_.*)?",
        r"(global_mmlu)(_full|_lite)?_(?P<lang>[a-z]{2,3})(_.*)?",
        rf"mmlu_prox(_lite)?_{_L2}(_.*)?",
        r"(openai_)?mmmlu_(?P<lang>[a-z]{2}[_-][a-z]{2})(_.*)?",
        r"include_(base|lite|new)_44_(?P<lang>north[_ ]macedonian|dutch[_-]flemish|[a-z]+)(_.*)?",
        r"global_piqa_(non)?parallel_(cloze|generation)_(?P<lang>[a-z]{3}_[a-z]{4}(_[a-z]{4})?)(_.*)?",
        rf"(afri|nafri)\w*?_{_L3}(_prompt_\d+)?",
        rf"\w+_{_L3}_prompt_\d+",
        rf"mgsm_(direct|native_cot|en_cot)_{_L2}(_.*)?",
        rf"mmlu_{_L2}_llama(_.*)?",
        r"toksuite_(math_|stem_)?(?P<lang>english|chinese|farsi|italian|turkish)(_.*)?",
        r"(crows_pairs|uncheatable_eval_\w+)_(?P<lang>english|french)(_.*)?",
        r"mmlu_\w+_generative_(?P<lang>spanish)",
        rf"(eus_exams|pisa|bertaqa|xnli|careqa)_{_L2}_(\w|[-.])+",
        rf"(truthfulqa|arc|paws|copa|xnli|phrases|mgsm_direct|wnli|xstorycloze|openbookqa)_{_L2}"
        r"_(mc\d|gen|challenge|easy|spanish_bench|native|mt|light)",
        r"(?P<base>\w+?)_(?P<lang>nob|nno)_p\d+",
        r"(indicparam)_(?P<lang>[a-z]+?)(_mix)?",
        rf"(multiblimp)_{_L3}",
        r"bhs__(?P<lang>basque|hindi|swahili)__.*",
    )
)
# Families of one language whose names do not end in it; "" where the end only looks like a language.
_ONE_LANGUAGE = (
    (r"(.*_)?agieval_(jec_qa|gaokao)(?!_english).*", "zh"),
    (r"(.*_)?agieval_(?!logiqa).*", "en"),
    (r"uncheatable_eval_(arxiv|github)_.*", ""),
    (r"pisa_ch(_.*)?", "zh"),
    (r"matreshka_yes_no", "ru"),
    (r"AraDiCE_\w.*_egy(_.*)?|egymmlu.*|egyhellaswag.*", "arz"),
    (r"AraDiCE_\w.*_lev(_.*)?", "apc"),
    (r"darija(mmlu|hellaswag|_sentiment|_summarization).*", "ary"),
    (r"AraDiCE_.*|arabic_?mmlu.*|arabic_(leaderboard|mt)_.*|aexams_.*|arab_culture_.*|alghafa_.*", "ar"),
    (r"(k-?mmlu|kobest|haerae|csatqa|click|kbl|kormedmcqa)(_.*)?", "ko"),
    (r"hrm8k_\w+_en", "en"),
    (r"hrm8k(_.*)?", "ko"),
    (r"(cmmlu|ceval|ceval-valid|aclue|zhoblimp)(_.*)?", "zh"),
    (r"(tmmluplus|tmlu)(_.*)?", "zh-Hant"),
    (r"(turkishmmlu|turblimp)(_.*)?", "tr"),
    (r"greekmmlu(_.*)?", "el"),
    (r"evalita-(m|s)p_.*", "it"),
    (r"(french_bench_|histoires_morales).*", "fr"),
    (r"(cabbq|noticia).*|esbbq.*", "es"),
    (r"(ja_leaderboard|jfinqa)_.*", "ja"),
    (r"(eus_proficiency|eus_reading|eus_trivia)", "eu"),
    (r"ru_(entity|relation)_.*", "ru"),
    (r"blimp_nl_.*", "nl"),
    (r"polemo2_(in|out)", "pl"),
    (r"icelandic_winogrande", "is"),
    (r"bangla_.*", "bn"),
    (r"copal_id_.*", "id"),
)
# Two languages at once: neither is the language of the set.
_PAIR = re.compile(
    r"(mlqa)_(?P<a>[a-z]{2})_(?P<b>[a-z]{2})|.*flores.*|(wmt|iwslt|mafand|ntrex|salt|tatoeba|phrases|translation|doda).*",
    re.IGNORECASE,
)
_WORDS = {
    "in", "mac", "may", "per", "run", "her", "pan", "ban", "bug", "sat", "min", "lit", "sun", "war", "son", "sin",
    "bis", "man", "tin", "ton", "mal", "mad", "tat",
}  # fmt: skip
"""Last words of task names that are also codes of languages."""
_VARIANT = re.compile(r"_(prompt_?\d+|p\d+|mc\d|gen|generative|cot|light|mt|native|few_shot|\d+shot|chat|instruct)$")


def split_task(task: str) -> tuple[str, str | None]:
    """(set name, language) of a task such as `xcopa_it`, `belebele_deu_Latn` or `global_mmlu_de_stem`.

    The language is None when the name holds none, or two.
    """
    pair = _PAIR.fullmatch(task)
    if pair is not None:
        same = pair["a"] is not None and pair["a"] == pair["b"]
        return (pair[1], canonical(pair["a"])) if same else (task, None)
    for family, language in _ONE_LANGUAGE:
        if re.fullmatch(family, task, re.IGNORECASE):
            return task, language or None
    for pattern in _FAMILIES:
        match = pattern.fullmatch(task)
        if match is not None and _language(match["lang"]) is not None:
            return _without(task, match.start("lang"), match.end("lang")), _language(match["lang"])
    return _at_the_end(task)


def _at_the_end(task: str) -> tuple[str, str | None]:
    """By the general rule: the last words of the name, variants such as `_mc1` left aside."""
    stem = task
    while (variant := _VARIANT.search(stem)) is not None:
        stem = stem[: variant.start()]
    for match in (
        re.search(r"[_\-./](?P<lang>[a-z]{2,3}[_-][A-Za-z][a-z]{3})$", stem),
        re.search(r"[_\-./](?P<lang>(?:[a-z]{2}|[A-Z]{2})[_-][A-Z]{2})$", stem),
        re.search(r"[_\-./](?P<lang>[a-z]{2,3})$", stem),
    ):
        if match is None or match["lang"].lower() in _WORDS or not match.start():
            continue
        code, *script = re.split(r"[_-]", match["lang"].lower())
        if script and len(script[0]) == 4 and script[0].title() not in match["lang"] and not is_script(script[0]):
            continue  # a word of four letters
        if known(code) and (found := _language(match["lang"])) is not None:
            return _without(task, match.start("lang"), match.end("lang")), found
    return task, None


def _language(text: str) -> str | None:
    try:
        return canonical(text)
    except UserError:
        return None


def _without(task: str, start: int, end: int) -> str:
    """The name with its language cut out: `global_mmlu_de_stem` is `global_mmlu_stem`."""
    return (task[:start].rstrip("_-./") + "_" + task[end:].lstrip("_-./")).strip("_-./")


def language_of_file(path: Path) -> str | None:
    """The language that a file or its folder is named after: `mmmlu_DE-DE.csv`, `test.it.jsonl`, `deu_Latn/a.csv`."""
    stem = path.name.removesuffix(path.suffix)
    folder = path.resolve().parent.name
    for text, form in ((stem, _CODE), (stem.rpartition(".")[2], _CODE), (folder, _FOLDER)):
        if form.fullmatch(text) and known(re.split(r"[_-]", text.lower())[0]) and text.lower() not in _WORDS:
            return _language(text)
        if text == stem and (found := split_task(stem)[1]) is not None:
            return found
    return None


_CODE = re.compile(r"[A-Za-z]{2,3}([_-]([A-Za-z]{4}|[A-Za-z]{2}))*")
_FOLDER = re.compile(r"[a-z]{2}|[a-z]{2,3}[_-]([A-Z][a-z]{3}|[A-Z]{2})")
"""Folders have short names of their own (`src`, `bin`), which are codes of languages too."""
