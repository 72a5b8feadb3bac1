"""Properties of the `standard` reading that hold for every reply, not only for the listed cases."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from clika_client.answers.read import REASONS, read_answer
from clika_client.answers.rules.option_free import read_option_free
from clika_client.answers.rules.question import question
from clika_client.answers.rules.shortcut import read_fast
from clika_client.answers.rules.standard import RULES, read_standard
from clika_client.answers.rules.words import tables

LABELS = ("A", "B", "C", "D")
CITIES = ("London", "Paris", "Berlin", "Madrid")
SETS = {
    "latin": (LABELS, CITIES),
    "cyrillic": (("А", "Б", "В", "Г"), ("Лондон", "Париж", "Берлин", "Мадрид")),
    "arabic": (("أ", "ب", "ج", "د"), ("لندن", "باريس", "برلين", "مدريد")),
    "hebrew": (("א", "ב", "ג", "ד"), ("לונדון", "פריז", "ברלין", "מדריד")),
    "han": (LABELS, ("伦敦", "巴黎", "柏林", "马德里")),
    "digits": (("1", "2", "3", "4"), CITIES),
    "devanagari": (("क", "ख", "ग", "घ"), ("लंदन", "पेरिस", "बर्लिन", "मैड्रिड")),
    "thai": (("ก", "ข", "ค", "ง"), ("ลอนดอน", "ปารีส", "เบอร์ลิน", "มาดริด")),
}
ALPHABET = "ABCDEabcde12 .,:;()[]{}<>*_`$\\|/&+-'\"\n\u200f\u200bАБВабвאבأبক们はถ가🅱②Ｂ"
WORDS = (
    *("answer", "the", "is", "not", "and", "or", "correct", "Paris", "London", "A", "B", "C", "<think>", "</think>"),
    *("{", '"answer":', "}", "\\boxed{", "**", "\n", "Ответ", "答案", "是", "不是", "または", "정답은", "입니다"),
    "none of the above",
)
LANGUAGES = (None, "en", "ru", "zh", "he", "xx-Latn")
texts = st.one_of(
    st.text(max_size=200),
    st.text(alphabet=ALPHABET, max_size=60),
    st.lists(st.sampled_from(WORDS), max_size=25).map(" ".join),
    st.lists(st.sampled_from(WORDS), max_size=25).map("".join),
)


@given(text=texts, shown=st.sampled_from(list(SETS)), language=st.sampled_from(LANGUAGES))
@settings(max_examples=400, deadline=None)
@example(text="\ud800", shown="latin", language=None)
@example(text="{" * 3000, shown="latin", language=None)
def test_no_text_makes_reading_fail(text: str, shown: str, language: str | None) -> None:
    answer = read_answer(text, *SETS[shown], language)
    assert (answer.choice is None) == (answer.reason is not None)
    assert answer.choice in (None, 0, 1, 2, 3)
    assert answer.reason is None or answer.reason in REASONS[1:]
    assert answer.rule in RULES


@given(
    text=texts,
    labels=st.lists(st.text(max_size=4), min_size=1, max_size=6),
    data=st.data(),
)
@settings(max_examples=300, deadline=None)
def test_no_labels_or_options_make_reading_fail(text: str, labels: list[str], data: st.DataObject) -> None:
    options = data.draw(st.lists(st.text(max_size=12), min_size=len(labels), max_size=len(labels)))
    answer = read_answer(text, labels, options)
    assert answer.choice is None or 0 <= answer.choice < len(options)


DECORATIONS = (
    "**{}**",
    "*{}*",
    "__{}__",
    "`{}`",
    "```\n{}\n```",
    "```text\n{}\n```",
    "({})",
    "[{}]",
    '"{}"',
    "“{}”",
    "«{}»",
    "「{}」",
    "『{}』",
    "„{}“",
    "‘{}’",
    "$\\boxed{{{}}}$",
    "\\boxed{{\\text{{{}}}}}",
    "\\({}\\)",
    "\\[{}\\]",
    "$\\text{{{}}}$",
    "{}.",
    "{}!",
    "{}。",
    "{} .",
    "{},",
    "{}…",
    "\u200f{}\u200f",
    "\u202b{}\u202c",
    "\u2067{}\u2069",
    "\ufeff{}",
    "\u200b{}",
    " {} \n",
    "\n\n{}\n\n",
    "> {}",
    "# {}",
    "- {}",
    "{}</s>",
    "{}<|im_end|>",
    "<answer>{}</answer>",
    "<think>A? no, C. The answer is C.</think>\n{}",
    "<|channel|>analysis<|message|>C?<|end|><|start|>assistant<|channel|>final<|message|>{}",
    '{{"answer": "{}"}}',
)
SAYINGS = ("{}", "Answer: {}", "The answer is {}", "I think it's {}", "The correct option is {}", "Final answer: {}")


@given(
    shown=st.sampled_from(list(SETS)),
    index=st.integers(0, 3),
    as_text=st.booleans(),
    both=st.booleans(),
    saying=st.sampled_from(SAYINGS),
    layers=st.lists(st.sampled_from(DECORATIONS), max_size=3),
)
@settings(max_examples=500, deadline=None)
def test_decorating_a_right_answer_never_changes_it(
    shown: str, index: int, as_text: bool, both: bool, saying: str, layers: list[str]
) -> None:
    labels, options = SETS[shown]
    said = options[index] if as_text else labels[index]
    if both:
        said = f"{labels[index]}) {options[index]}"
    text = saying.format(said)
    assert read_answer(text, labels, options).choice == index
    # A JSON or code wrapper is a reply's outermost layer, and JSON needs its text free of quotes and backslashes.
    inner = [layer for layer in layers if not layer.startswith(("{{", "```", "<"))]
    outer = [layer for layer in layers if layer.startswith(("{{", "```", "<"))][:1]
    for layer in inner:
        text = layer.format(text)
    for layer in outer:
        assume(not layer.startswith("{{") or not set(text) & set('"\\\n'))
        text = layer.format(text)
    assert read_answer(text, labels, options).choice == index, text


JOINTS = sorted(
    {(tag, word) for tag, table in tables().items() for key in ("and", "or") for word in table.get(key, ())}
)
SAYINGS_OF_TWO = ("Both {}", "Either {}", "I'm torn between {}", "{} are correct", "Ответ: {}", "答案：{}")
PUNCTUATED = (", ", "/", " / ", " & ", " + ", "; ", "\n", " | ", "、", " and/or ", ", and ", " or maybe ")


@pytest.mark.parametrize("frame", ["{0} {j} {1}", "Answer: {0} {j} {1}", "({0}) {j} ({1})", "**{0}** {j} **{1}**"])
def test_two_labels_joined_in_any_language_are_never_one(frame: str) -> None:
    read = {}
    for tag, word in JOINTS:
        answer = read_answer(frame.format("A", "C", j=word), LABELS, CITIES)
        if answer.choice is not None:
            read[tag, word] = answer
    assert read == {}


@given(
    shown=st.sampled_from(list(SETS)),
    pair=st.permutations(range(4)).map(lambda p: p[:2]),
    joint=st.one_of(st.sampled_from([f" {word} " for _, word in JOINTS]), st.sampled_from(PUNCTUATED)),
    as_text=st.booleans(),
    saying=st.sampled_from((*SAYINGS, *SAYINGS_OF_TWO)),
    layers=st.lists(st.sampled_from(DECORATIONS[:36]), max_size=2),
)
@settings(max_examples=500, deadline=None)
def test_a_reply_that_names_two_options_is_never_read_as_one(
    shown: str, pair: list[int], joint: str, as_text: bool, saying: str, layers: list[str]
) -> None:
    labels, options = SETS[shown]
    names = options if as_text else labels
    text = saying.format(f"{names[pair[0]]}{joint}{names[pair[1]]}")
    for layer in layers:
        text = layer.format(text)
    assert read_answer(text, labels, options).choice is None, text


@given(
    index=st.integers(0, 3),
    saying=st.sampled_from(
        (
            "It's not {}.",
            "Not {}",
            "{} is wrong.",
            "The answer is not {}",
            "Die Antwort ist nicht {}.",
            "Ce n'est pas {}",
            "La respuesta no es {}",
            "Ответ не {}",
            "{} - неправильный ответ",
            "答案不是{}",
            "{}是错误的",
            "{}ではありません",
            "정답은 {}가 아닙니다",
            "Cevap {} değil",
            "उत्तर {} नहीं है",
            "الإجابة ليست {}",
            "התשובה אינה {}",
            "คำตอบไม่ใช่ {}",
            "Đáp án không phải là {}",
            "Jawabannya bukan {}",
            "Vastaus ei ole {}",
        )
    ),
    as_text=st.booleans(),
)
def test_a_denied_option_is_never_the_answer(index: int, saying: str, as_text: bool) -> None:
    text = saying.format(CITIES[index] if as_text else LABELS[index])
    assert read_answer(text, LABELS, CITIES).choice is None


@given(
    text=st.one_of(
        texts,
        st.tuples(
            st.sampled_from(["", " ", "(", "**", '"']),
            st.sampled_from("ABCDE12"),
            st.sampled_from(["", ".", ")", ":", ". ", ") ", "</s>", ".**"]),
            st.one_of(st.just(""), st.sampled_from(CITIES), st.text(alphabet="Parislondn 1896.", max_size=8)),
        ).map("".join),
    ),
    options=st.one_of(
        st.just(CITIES),
        st.lists(st.text(alphabet="ABCDabcd1896 .Paris", max_size=8), min_size=4, max_size=4).map(tuple),
    ),
)
@settings(max_examples=500, deadline=None)
def test_the_fast_path_agrees_with_the_ladder(text: str, options: tuple[str, ...]) -> None:
    asked = question(LABELS, options)
    fast = read_fast(text, asked)
    if fast is not None:
        assert fast == read_standard(text, asked)


CASES = [
    json.loads(line)
    for name in ("answer_cases", "answer_cases_2", "answer_cases_kinds")
    for line in (Path(__file__).parent / "data" / f"{name}.jsonl").read_text("utf-8").splitlines()
]


def test_a_reply_met_at_another_question_is_read_as_if_it_were_new() -> None:
    """Whatever the other question's options, also those that share words with the reply or go on where it ends."""
    draw = random.Random(4)
    taken = 0
    for case in draw.sample(CASES, 900):
        labels, own = tuple(case["labels"]), tuple(case["options"])
        begun = f"{case['text'].strip()} and more"
        strangers = [other["options"] for other in draw.sample(CASES, 12) if len(other["options"]) == len(labels)]
        for options in (own, *map(tuple, strangers), (begun, *own[1:]), (*own[:-1], labels[0]), own):
            asked = question(labels, options)
            short = read_option_free(case["text"], asked, case.get("language"), "")
            if short is not None:
                taken += 1
                assert short == read_standard(case["text"], asked, case.get("language")), (case["text"], options)
    assert taken > 500


def test_an_option_in_a_remembered_reply_is_seen() -> None:
    """The reply reads the same at every question until one has an option that stands in it."""
    for options in (CITIES, ("Rome", "Oslo", "Bern", "Riga"), ("Kyiv", "Lima", "Doha", "Male")):
        assert read_answer("The answer to this riddle is B.", LABELS, options).choice == 1
    assert read_answer("The answer to this riddle is B.", LABELS, ("B", "C", "D", "A")).reason == "multiple"
    for options in (CITIES, ("Rome", "Oslo", "Bern", "Riga")):
        assert read_answer("I think it is Kyiv", LABELS, options).choice is None
    assert read_answer("I think it is Kyiv", LABELS, ("Rome", "Kyiv", "Lima", "Doha")).choice == 1
