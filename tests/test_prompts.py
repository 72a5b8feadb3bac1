"""Prompt styles: what is sent in each language, which label stands for which choice, and the user's own templates."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clika_client.common.errors import UserError
from clika_client.prompts.catalogue import builtin_styles, get_style
from clika_client.prompts.style import render, style_digest, style_notes
from clika_client.sets.probes import Item, Probe, ProbeSet, build
from clika_client.sets.wording import compile_text, escape

WORDING = Path(__file__).parent.parent / "clika_client" / "data" / "atlas" / "wording"


def make(language: str = "en", choices: tuple[str, ...] = ("Peru", "Norway", "Chad"), **fields: str) -> ProbeSet:
    probe = Probe("q1", language, "Where is Oslo?", choices, 1, fields=fields)
    return build("mine", [Item("q1")], [probe])


def sent(probe_set: ProbeSet, style: str, rotation: int = 0) -> str:
    (probe,) = next(iter(probe_set.probes.values()))
    return render(probe, get_style(style), probe_set, rotation=rotation).messages[-1].content


def template(folder: Path, text: str, name: str = "mine.txt") -> str:
    (folder / name).write_text(text, "utf-8")
    return str(folder / name)


# ---- styles that come with the tool


def test_plain_asks_in_the_language_of_the_question() -> None:
    assert sent(make("en"), "plain") == (
        "Answer only with the letter of the correct choice.\n"
        "Question: Where is Oslo?\nA. Peru\nB. Norway\nC. Chad\nAnswer:"
    )
    assert sent(make("zh"), "plain").startswith("请只回答正确选项的字母。\n问题：Where is Oslo?\nA. Peru\n")
    assert sent(make("he"), "plain").endswith("\nA. Peru\nB. Norway\nC. Chad\nתשובה:")


def test_every_language_with_a_wording_table_is_asked_in_its_own_words() -> None:
    tags = sorted(file.stem for file in WORDING.glob("*.toml"))
    assert len(tags) >= 30
    for tag in tags:
        words = tomllib.loads((WORDING / f"{tag}.toml").read_text("utf-8"))["prompt"]
        text = sent(make(tag), "plain")
        assert text.startswith(words["instruction"] + "\n" + words["question"])
        assert text.endswith("\n" + words["answer"])
        assert style_notes(get_style("plain"), make(tag)) == ()


def test_a_region_is_asked_in_the_words_of_its_language() -> None:
    assert sent(make("pt-BR"), "plain") == sent(make("pt"), "plain")


def test_a_language_without_wording_is_asked_in_english_and_the_report_is_told() -> None:
    odd = make("tlh")
    assert sent(odd, "plain") == sent(make("en"), "plain")
    (note,) = style_notes(get_style("plain"), odd)
    assert "English" in note
    assert "tlh" in note


@pytest.mark.parametrize(
    ("language", "labels"),
    [
        ("ar", "أ ب ج د"),
        ("he", "א ב ג ד"),
        ("ru", "А Б В Г"),
        ("bn", "ক খ গ ঘ"),
        ("th", "ก ข ค ง"),
        ("ko", "가 나 다 라"),
        ("el", "Α Β Γ Δ"),
        ("de", "A B C D"),
        ("zh", "A B C D"),
        ("tlh", "A B C D"),
    ],
)
def test_native_labels_are_those_of_the_language(language: str, labels: str) -> None:
    probe_set = make(language, ("p", "q", "r", "s"))
    (probe,) = probe_set.probes[language]
    prompt = render(probe, get_style("plain-native"), probe_set)
    assert prompt.labels == tuple(labels.split())
    for label, choice in zip(prompt.labels, probe.choices, strict=True):
        assert f"\n{label}. {choice}\n" in prompt.messages[0].content


def test_instructions_beside_native_labels_do_not_ask_for_a_latin_letter() -> None:
    assert "アルファベット" in sent(make("ja"), "plain")
    assert "アルファベット" not in sent(make("ja"), "plain-native")
    assert "알파벳" in sent(make("ko"), "plain")
    assert "알파벳" not in sent(make("ko"), "plain-native")


def test_more_choices_than_letters_are_refused() -> None:
    with pytest.raises(UserError, match="27 choices runs out of letters"):
        sent(make("en", tuple(f"c{i}" for i in range(27))), "plain")
    with pytest.raises(UserError, match="use plain"):
        sent(make("he", tuple(f"c{i}" for i in range(9))), "plain-native")


@pytest.mark.parametrize(("k", "shot"), [
    (2, "A. 1\nB. 5\nAnswer:B. 5"),
    (3, "A. 1\nB. 2\nC. 5\nAnswer:C. 5"),
    (4, "A. 1\nB. 2\nC. 3\nD. 5\nAnswer:D. 5"),
    (5, "A. 1\nB. 2\nC. 3\nD. 5\nE. 6\nAnswer:D. 5"),
    (6, "A. 1\nB. 2\nC. 3\nD. 5\nE. 6\nF. 7\nAnswer:D. 5"),
])  # fmt: skip
def test_other_sets_are_asked_one_shot_with_an_example_of_as_many_options(k: int, shot: str) -> None:
    probe_set = make("he", tuple(f"c{i}" for i in range(k)))
    text = sent(probe_set, "paper-one-shot")
    assert text.startswith("The following are multiple choice questions. Please choose the most reasonable one")
    assert f"\nQuestion:2+3=?\n{shot}\nQuestion:Where is Oslo?\nA. c0\n" in text
    assert text.endswith("\nAnswer:")
    (note,) = style_notes(get_style("paper-one-shot"), probe_set)
    assert "no published wording" in note


def test_zero_shot_is_one_shot_without_the_example() -> None:
    assert sent(make(), "paper-zero-shot") == (
        "The following is a multiple choice question. "
        "Please choose the most reasonable one from the following options.\n"
        "Question:Where is Oslo?\nA. Peru\nB. Norway\nC. Chad\nAnswer:"
    )


# ---- labels and order

_choices = st.lists(st.text(min_size=1, max_size=8), min_size=2, max_size=8).map(tuple)


@given(choices=_choices, rotation=st.integers(0, 20), style=st.sampled_from([s.name for s in builtin_styles()]))
def test_a_rotated_prompt_maps_every_label_back_to_its_choice(
    choices: tuple[str, ...], rotation: int, style: str
) -> None:
    probe_set = make("he", choices)
    (probe,) = probe_set.probes["he"]
    prompt = render(probe, get_style(style), probe_set, rotation=rotation)
    assert sorted(prompt.choice_order) == list(range(len(choices)))
    lines = "\n".join(
        f"{label}. {choices[index]}" for label, index in zip(prompt.labels, prompt.choice_order, strict=True)
    )
    assert lines in prompt.messages[0].content
    assert prompt.choice_order == tuple((p + rotation) % len(choices) for p in range(len(choices)))


def test_all_rotations_show_every_choice_once_at_every_position() -> None:
    probe_set = make()
    (probe,) = probe_set.probes["en"]
    orders = [render(probe, get_style("plain"), probe_set, rotation=r).choice_order for r in range(3)]
    assert orders[0] == (0, 1, 2)
    assert all(len(set(column)) == 3 for column in zip(*orders, strict=True))


@given(question=st.text(), choice=st.text())
def test_braces_and_placeholders_inside_a_question_are_only_text(question: str, choice: str) -> None:
    probe = Probe("1", "en", f"{question}{{choices}}{{{{", (choice, "{question}"), 0)
    probe_set = build("mine", [Item("1")], [probe])
    text = render(probe, get_style("plain"), probe_set).messages[0].content
    assert f"Question: {question}{{choices}}{{{{\nA. {choice}\nB. {{question}}\nAnswer:" in text


@given(text=st.text())
def test_escaped_text_is_a_template_for_itself(text: str) -> None:
    if "\0" not in text and "\1" not in text:
        assert compile_text(escape(text)).fill({}) == text


# ---- names, digests, templates


def test_an_unknown_style_lists_those_there_are_and_the_nearest() -> None:
    with pytest.raises(UserError, match="did you mean 'paper-one-shot'") as error:
        get_style("paper-oneshot")
    assert "plain-native" in str(error.value)


def test_styles_differ_in_their_digests_and_keep_them() -> None:
    digests = [style_digest(style) for style in builtin_styles()]
    assert len(set(digests)) == len(digests)
    assert digests == [style_digest(style) for style in builtin_styles()]
    assert all(len(digest) == 16 for digest in digests)


def test_a_template_is_filled_in_and_named_after_its_file_and_content(tmp_path: Path) -> None:
    path = template(tmp_path, "{question} [{labels}; {first_label}-{last_label}, {language}] {{x}}\n{choices}\n?\n")
    assert sent(make("de"), path) == "Where is Oslo? [A, B, C; A-C, German] {x}\nA. Peru\nB. Norway\nC. Chad\n?"
    style = get_style(path)
    assert style.name.startswith("mine@")
    Path(path).write_text("{question}\n{choices}\nOther:", "utf-8")
    assert get_style(path).name != style.name


def test_settings_of_a_template_change_labels_lines_and_roles(tmp_path: Path) -> None:
    settings = "labels: 1 2 3 4\nchoice: ({label}) {choice}\nbetween: ; \nsystem: One digit.\n"
    text = settings + "---\n{question}\n---\n{choices}\n"
    probe_set = make()
    (probe,) = probe_set.probes["en"]
    prompt = render(probe, get_style(template(tmp_path, text)), probe_set)
    assert [(m.role, m.content) for m in prompt.messages] == [
        ("system", "One digit."),
        ("user", "Where is Oslo?\n---\n(1) Peru;(2) Norway;(3) Chad"),
    ]
    assert prompt.labels == ("1", "2", "3")


def test_a_template_can_ask_for_each_languages_own_letters(tmp_path: Path) -> None:
    path = template(tmp_path, "labels: native\n---\n{question}\n{choices}")
    assert "\nא. Peru\nב. Norway" in sent(make("he"), path)
    assert "\nA. Peru\nB. Norway" in sent(make("sw"), path)


def test_a_template_can_ask_a_question_by_its_parts(tmp_path: Path) -> None:
    path = template(tmp_path, "{field:premise} So?\n{choices}")
    assert sent(make(premise="It rained."), path).startswith("It rained. So?\nA. Peru")
    with pytest.raises(UserError, match=r"item 'q1' has nothing for the placeholder \{field:premise\}.*fields.*: none"):
        sent(make(), path)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (
            "{question} {choises}",
            r"unknown placeholder \{choises\}; placeholders: \{question\}, \{context\}, \{choices\}",
        ),
        ("{question} {label}", r"unknown placeholder \{label\} \(it belongs in the `choice:` line"),
        ("{question}", r"the placeholder \{choices\} is missing"),
        ("{choices}", r"the placeholder \{question\} is missing"),
        ("{question} {choices} {", r"a brace stands alone near '\{'"),
        ("a }\n{question} {choices}", r"a brace stands alone near 'a \}'"),
        ("{} {question} {choices}", r"unknown placeholder \{\}"),
        ("labels: A\n---\n{question} {choices}", "two or more different labels"),
        ("labels: A A\n---\n{question} {choices}", "two or more different labels"),
        ("labels: A B\nlabels: A B\n---\n{question} {choices}", "line 2: 'labels' is set twice"),
        ("choice: {label}\n---\n{question} {choices}", r"the placeholder \{choice\} is missing"),
    ],
)
def test_a_mistake_in_a_template_is_named_with_its_file(tmp_path: Path, text: str, says: str) -> None:
    with pytest.raises(UserError, match=says) as error:
        get_style(template(tmp_path, text))
    assert "mine.txt" in str(error.value)


def test_a_template_with_too_few_labels_is_refused_when_it_is_used(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="2 labels, but the questions have 3 choices"):
        sent(make(), template(tmp_path, "labels: x y\n---\n{question} {choices}"))


def test_a_template_that_is_missing_or_no_text_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"gone\.txt: cannot read this prompt template: .*; check its path"):
        get_style(str(tmp_path / "gone.txt"))
    (tmp_path / "mine.txt").write_bytes(b"{question} \xff {choices}")
    with pytest.raises(UserError, match=r"mine\.txt: not UTF-8 text \(byte 11\)"):
        get_style(str(tmp_path / "mine.txt"))
