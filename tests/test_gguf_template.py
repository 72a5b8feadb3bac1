"""Prompts are rendered as the model's own template has them, thinking off, and the same tomorrow as today."""

from __future__ import annotations

import gguf_factory as factory
import pytest
from heavy import later

from clika_providers import ItemError, Message
from clika_providers.gguf.generate import split_thinking
from clika_providers.gguf.hardware import cores, free_cores
from clika_providers.gguf.template import THINKING, ChatTemplate, PlainText, digest, merge_system

later("llama_cpp", "local")

USER = (Message("user", "Which?\nAnswer:"),)
SYSTEM = (Message("system", "Be brief."), *USER)


def chat(source: str) -> ChatTemplate:
    return ChatTemplate(source, bos="<s>", eos="</s>")


def test_templates_render_as_written() -> None:
    body = "<|system|>\nBe brief.<|end|>\n<|user|>\nWhich?\nAnswer:<|end|>\n<|assistant|>\n"
    assert chat(factory.WITH_BOS).render(SYSTEM, thinking=False).text == "<s>" + body
    assert chat(factory.WITHOUT_BOS).render(SYSTEM, thinking=False).text == body
    assert chat(factory.WITH_BOS).render(SYSTEM, thinking=False).add_special is False


@pytest.mark.parametrize("source", [factory.NO_SYSTEM, factory.DROPS_SYSTEM], ids=["refuses", "drops"])
def test_system_words_are_never_lost(source: str) -> None:
    text = chat(source).render(SYSTEM, thinking=False).text
    assert text == "<s><|user|>\nBe brief.\n\nWhich?\nAnswer:<|end|>\n<|assistant|>\n"


def test_system_words_come_before_the_first_example() -> None:
    turns = (Message("system", "S"), Message("user", "1"), Message("assistant", "2"), Message("user", "3"))
    assert [(m.role, m.content) for m in merge_system(turns)] == [("user", "S\n\n1"), ("assistant", "2"), ("user", "3")]


def test_plain_text_is_left_alone() -> None:
    rendered = PlainText().render(SYSTEM, thinking=False)
    assert rendered.text == "Be brief.\n\nWhich?\nAnswer:"
    assert rendered.add_special is True
    assert rendered.parse_special is False


def test_thinking_is_off_by_template_where_there_is_a_switch() -> None:
    off = chat(factory.SWITCHED_THINKING).render(USER, thinking=False)
    assert off.text.endswith("<|assistant|>\n<think>\n\n</think>\n\n")
    assert off.marks is None
    assert off.answering() is off
    on = chat(factory.SWITCHED_THINKING).render(USER, thinking=True)
    assert on.text.endswith("<|assistant|>\n")
    assert on.marks is THINKING[0]


def test_thinking_without_a_switch_is_closed_where_the_first_token_must_answer() -> None:
    inside = chat(factory.ALWAYS_THINKING).render(USER, thinking=False)
    assert inside.inside
    assert inside.answering().text.endswith("<|assistant|>\n<think>\n\n</think>\n\n")
    assert inside.answering().marks is None
    unprompted = chat(factory.ALWAYS_THINKING.replace("<think>\n", "")).render(USER, thinking=False)
    assert not unprompted.inside
    assert unprompted.answering().text.endswith("<|assistant|>\n<think>\n\n</think>\n\n")


@pytest.mark.parametrize(
    ("said", "inside", "answer", "thought"),
    [
        ("<think>\nfirst\n</think>\n\nB", False, "B", "first"),
        ("well then</think>B.", True, "B.", "well then"),
        ("<think>never ends", False, "", "never ends"),
        ("never ends", True, "", "never ends"),
        ("B", False, "B", None),
        ("[THINK]hm[/THINK]C", False, "C", "hm"),
        ("<|channel|>analysis<|message|>so<|end|><|start|>assistant<|channel|>final<|message|>D", False, "D", None),
    ],
)
def test_thinking_is_told_from_the_answer(said: str, inside: bool, answer: str, thought: str | None) -> None:
    marks = THINKING[0] if inside else None
    text, thinking = split_thinking(said, marks, inside)
    assert text == answer
    if thought is not None:
        assert thinking == thought


def test_a_date_in_the_template_does_not_change_the_prompt_overnight(monkeypatch: pytest.MonkeyPatch) -> None:
    source = "Today: {{ strftime_now('%d %b %Y') }}\n" + factory.WITH_BOS
    assert chat(source).render(USER, thinking=False).text.startswith("Today: 01 Jan 2026\n")
    assert digest(source) != digest(factory.WITH_BOS)


def test_a_template_that_refuses_or_is_broken_says_so() -> None:
    with pytest.raises(ItemError, match="only poems"):
        chat("{{ raise_exception('only poems') }}").render(USER, thinking=False)
    with pytest.raises(ItemError, match="broken"):
        chat("{% if %}")


def test_a_template_cannot_reach_out_of_its_sandbox() -> None:
    with pytest.raises(ItemError):
        chat("{{ messages.__class__.__mro__[1].__subclasses__() }}").render(USER, thinking=False)


def test_threads_never_exceed_the_cores_and_are_at_least_one() -> None:
    assert 1 <= free_cores() <= cores()
