"""Worked examples: from the set's own reserved questions, the same items in every language, part of the name."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from clika_client.common.errors import UserError
from clika_client.prompts.catalogue import get_style
from clika_client.prompts.style import Style, render, style_digest, with_shots
from clika_client.prompts.template import read_template
from clika_client.sets.packed import from_blocks, set_digest, to_blocks
from clika_client.sets.probes import CONTEXT, EXAMPLE_TAG, Item, Probe, ProbeSet, build


def questions(name: str, n: int, k: int = 3) -> ProbeSet:
    """`n` questions by subject in two languages; the right answer of number i is choice i mod k."""
    items = [Item(f"{name}{i}", {"subject": ("law", "art")[i % 2]}) for i in range(n)]
    probes = [
        Probe(f"{name}{i}", tag, f"{tag} {name} {i}?", tuple(f"{tag} {name} {i}-{j}" for j in range(k)), i % k)
        for tag in ("en", "zh")
        for i in range(n)
    ]
    return build(name, items, probes)


@pytest.fixture
def asked() -> ProbeSet:
    examples = replace(questions("dev", 6), meta={EXAMPLE_TAG: "subject"})
    return replace(questions("test", 4), examples=examples)


def text(probe_set: ProbeSet, style: Style, language: str = "en", position: int = 0) -> str:
    probe, item = probe_set.probes[language][position], probe_set.items[position]
    return render(probe, style, probe_set, tags=item.tags).messages[-1].content


def test_the_instruction_stands_once_and_each_example_has_the_questions_own_form(asked: ProbeSet) -> None:
    assert text(asked, with_shots(get_style("plain"), 2)) == (
        "Answer only with the letter of the correct choice.\n"
        "Question: en dev 0?\nA. en dev 0-0\nB. en dev 0-1\nC. en dev 0-2\nAnswer: A\n\n"
        "Question: en dev 2?\nA. en dev 2-0\nB. en dev 2-1\nC. en dev 2-2\nAnswer: C\n\n"
        "Question: en test 0?\nA. en test 0-0\nB. en test 0-1\nC. en test 0-2\nAnswer:"
    )


def test_examples_are_in_the_questions_language_with_its_own_spacing(asked: ProbeSet) -> None:
    shown = text(asked, with_shots(get_style("plain"), 1), "zh", 1)
    assert shown.count("zh dev 1?") == 1
    assert "答案：B\n\n" in shown
    assert "en " not in shown


def test_every_language_is_shown_the_same_items_and_none_is_asked(asked: ProbeSet) -> None:
    style = with_shots(get_style("plain"), 2)
    for position in range(asked.n):
        english, chinese = (text(asked, style, tag, position) for tag in ("en", "zh"))
        seen = [
            [i for i in range(6) if f"{tag} dev {i}?" in shown] for tag, shown in (("en", english), ("zh", chinese))
        ]
        assert seen[0] == seen[1] == [position % 2, position % 2 + 2]
        assert sum(f"test {i}?" in english for i in range(asked.n)) == 1


def test_without_a_tag_the_first_examples_are_taken(asked: ProbeSet) -> None:
    assert asked.examples is not None
    untagged = replace(asked, examples=replace(asked.examples, meta={}))
    shown = text(untagged, with_shots(get_style("plain"), 2), position=1)
    assert [f"en dev {i}?" in shown for i in range(3)] == [True, True, False]


def test_the_number_of_examples_is_part_of_the_name_and_the_digest() -> None:
    plain = get_style("plain")
    assert with_shots(plain, 0) is plain
    assert with_shots(plain, 5).name == "plain 5-shot"
    assert len({style_digest(with_shots(plain, n)) for n in (0, 1, 2)}) == 3


def test_mistakes_are_told_with_their_cure(asked: ProbeSet) -> None:
    plain = get_style("plain")
    with pytest.raises(UserError, match="no questions reserved for examples"):
        text(replace(asked, examples=None), with_shots(plain, 1))
    with pytest.raises(UserError, match="holds 3 in 'en' with subject=law; use --shots 3 or fewer"):
        text(asked, with_shots(plain, 4))
    with pytest.raises(UserError, match="has an example of its own"):
        with_shots(get_style("paper-one-shot"), 1)
    with pytest.raises(UserError, match="0 or more"):
        with_shots(plain, -1)


def test_a_users_template_says_where_examples_stand(asked: ProbeSet, tmp_path: Path) -> None:
    file = tmp_path / "quiz.txt"
    file.write_text("Choose.\n\n{examples}{question}\n{choices}\n=>", "utf-8")
    shown = text(asked, with_shots(read_template(file), 1))
    assert shown.startswith("Choose.\n\nen dev 0?\nA. en dev 0-0\n")
    assert "=> A\n\nen test 0?" in shown
    assert (
        text(asked, read_template(file)) == "Choose.\n\nen test 0?\nA. en test 0-0\nB. en test 0-1\nC. en test 0-2\n=>"
    )
    file.write_text("{question}\n{examples}{choices}", "utf-8")
    with pytest.raises(UserError, match="before"):
        read_template(file)


def test_the_paper_form_shows_label_and_text(asked: ProbeSet) -> None:
    assert "Answer:A. en dev 0-0\n\nQuestion:en test 0?" in text(asked, with_shots(get_style("paper-zero-shot"), 1))


def test_a_context_is_shown_by_every_style_before_its_question(asked: ProbeSet, tmp_path: Path) -> None:
    probe = replace(asked.probes["en"][0], fields={CONTEXT: "A long story."})
    bare, placed = tmp_path / "bare.txt", tmp_path / "placed.txt"
    bare.write_text("{question}\n{choices}", "utf-8")
    placed.write_text("Read:\n{context}Then: {question}\n{choices}", "utf-8")
    for style in (*map(get_style, ("plain", "plain-native", "paper-zero-shot", "paper-one-shot")), read_template(bare)):
        shown = render(probe, style, asked).messages[-1].content
        assert shown.count("A long story.\n") == 1, style.name
        assert shown.index("A long story.") < shown.index("en test 0?")
    assert "Read:\nA long story.\nThen: en test 0?" in render(probe, read_template(placed), asked).messages[-1].content


def test_examples_are_kept_with_the_set_and_change_what_it_is(asked: ProbeSet) -> None:
    again = from_blocks(to_blocks(asked))
    assert again == asked
    assert set_digest(asked) == set_digest(again) != set_digest(replace(asked, examples=None))
