"""Which language a task's name tells, and which set's name is left."""

from __future__ import annotations

from pathlib import Path

import pytest

from clika_client.common.task_names import language_of_file, split_task


@pytest.mark.parametrize(
    ("task", "base", "language"),
    [
        ("belebele_arb_Arab", "belebele", "ar"),
        ("belebele_swh_Latn", "belebele", "sw"),
        ("belebele_kor_Hang", "belebele", "ko"),
        ("belebele_pes_Arab", "belebele", "fa"),
        ("global_mmlu_de_stem", "global_mmlu_stem", "de"),
        ("global_mmlu_full_am_prehistory", "global_mmlu_full_prehistory", "am"),
        ("global_mmlu_full_fil_sociology", "global_mmlu_full_sociology", "fil"),
        ("mmlu_prox_de_math", "mmlu_prox_math", "de"),
        ("mmlu_prox_lite_yo_law", "mmlu_prox_lite_law", "yo"),
        ("mmmlu_ar_xy_prehistory", "mmmlu_prehistory", "ar"),
        ("mmmlu_es_la_nutrition", "mmmlu_nutrition", "es-419"),
        ("include_base_44_persian_few_shot_en_stem", "include_base_44_few_shot_en_stem", "fa"),
        ("include_base_44_north macedonian_stem", "include_base_44_stem", "mk"),
        ("global_piqa_parallel_cloze_por_latn_braz", "global_piqa_parallel_cloze", "pt-BR"),
        ("global_piqa_completions_swh_latn", "global_piqa_completions", "sw"),
        ("some_task_de_easy", "some_task_de_easy", None),
        ("mgsm_en_cot_sw", "mgsm_en_cot", "sw"),
        ("mgsm_direct_es_spanish_bench", "mgsm_direct_spanish_bench", "es"),
        ("mlqa_de_de", "mlqa", "de"),
        ("mlqa_de_es", "mlqa_de_es", None),
        ("wmt16-en-de", "wmt16-en-de", None),
        ("afrimmlu_direct_orm_prompt_3", "afrimmlu_direct_prompt_3", "om"),
        ("afrixnli_manual_direct_hau", "afrixnli_manual_direct", "ha"),
        ("mmlu_hi_llama_virology", "mmlu_llama_virology", "hi"),
        ("toksuite_farsi_dialects", "toksuite_dialects", "fa"),
        ("truthfulqa_hi_mc1", "truthfulqa_mc1", "hi"),
        ("xwinograd_jp", "xwinograd", "ja"),
        ("xcopa_it", "xcopa", "it"),
        ("arc_challenge_mt_is", "arc_challenge_mt", "is"),
        ("kmmlu_direct_law", "kmmlu_direct_law", "ko"),
        ("tmmluplus_physics", "tmmluplus_physics", "zh-Hant"),
        ("darijammlu_philosophy_ar", "darijammlu_philosophy_ar", "ary"),
        ("csatqa_li", "csatqa_li", "ko"),
        ("agieval_lsat_ar", "agieval_lsat_ar", "en"),
        ("agieval_sat_math", "agieval_sat_math", "en"),
        ("polemo2_in", "polemo2_in", "pl"),
        ("uncheatable_eval_arxiv_cs", "uncheatable_eval_arxiv_cs", None),
        ("lm_syneval__agreement__subj_rel__sing_MS_EV_MV_sing_ES", None, None),
        ("mmlu_abstract_algebra", "mmlu_abstract_algebra", None),
        ("mc_taco", "mc_taco", None),
    ],
)
def test_a_task_s_name_tells_its_language_or_none(task: str, base: str | None, language: str | None) -> None:
    assert split_task(task) == (base or task, language)


@pytest.mark.parametrize(
    ("path", "language"),
    [
        ("mmmlu_DE-DE.csv", "de-DE"),
        ("eng_Latn.jsonl", "en"),
        ("test.it.jsonl", "it"),
        ("swh_Latn/test.parquet", "sw"),
        ("de/dev.jsonl", "de"),
        ("src/quiz.csv", None),
        ("bin/mine.csv", None),
    ],
)
def test_a_file_s_language_is_the_one_it_is_named_after(tmp_path: Path, path: str, language: str | None) -> None:
    assert language_of_file(tmp_path / path) == language
