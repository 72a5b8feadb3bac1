"""The prompts of the CLiKA paper: zero-shot as ChatGPT was asked, one-shot as the open models were.

A set read from the authors' release carries its published texts in `ProbeSet.meta` under `meta_key`, and they
are used as they are, byte for byte. Every other set is asked in the same form with the English sentences that
the release uses for its questions of knowledge.
"""

from __future__ import annotations

from functools import lru_cache

from clika_client.common.errors import UserError
from clika_client.prompts.layout import Layout
from clika_client.prompts.shots import Meta
from clika_client.prompts.style import Style
from clika_client.sets.wording import compile_text, latin_labels, meta_key, problem_key

_QUESTION = "{context}Question:{question}\n{choices}\nAnswer:"
_ANSWER = compile_text("{label}. {choice}")
_CHOOSE = "Please choose the most reasonable one from the following options."
_ONE = f"The following is a multiple choice question. {_CHOOSE}\n"
_MANY = f"The following are multiple choice questions. {_CHOOSE}\n"
_BORROWED = "no published wording for this set; asked with the English wording that the paper's knowledge sets have"


@lru_cache(maxsize=1024)
def _published(template: str, k: int) -> Layout:
    return Layout(compile_text(template), latin_labels(k))


@lru_cache(maxsize=64)
def _zero_shot(k: int) -> Layout:
    return _borrowed(_ONE, k)


@lru_cache(maxsize=64)
def _one_shot(k: int) -> Layout:
    return _borrowed(_MANY + _sum(k) + "\n", k)


def _borrowed(lead: str, k: int) -> Layout:
    return Layout(compile_text(_QUESTION), latin_labels(k), note=_BORROWED, lead=compile_text(lead), answer=_ANSWER)


def _sum(k: int) -> str:
    """The paper's one example, a sum, with k options.

    The release shows it with four and five options; with fewer, the right one moves to the last place.
    """
    options = ["1", "2", "3", "5", *(str(n) for n in range(6, k + 2))]
    if k < 4:
        options = [*options[: k - 1], "5"]
    labels = latin_labels(k)
    lines = "".join(f"{label}. {option}\n" for label, option in zip(labels, options, strict=True))
    return f"Question:2+3=?\n{lines}Answer:{labels[options.index('5')]}. 5"


def _zero_shot_layout(language: str, k: int, meta: Meta) -> Layout:
    return _from_release("paper-zero-shot", language, k, meta) or _zero_shot(k)


def _one_shot_layout(language: str, k: int, meta: Meta) -> Layout:
    return _from_release("paper-one-shot", language, k, meta) or _one_shot(k)


def _from_release(style: str, language: str, k: int, meta: Meta) -> Layout | None:
    template = meta.get(meta_key(style, language))
    if template is not None:
        return _published(template, k)
    problem = meta.get(problem_key(style, language))
    if problem is not None:
        raise UserError(f"{style} cannot be reproduced in {language!r}: {problem}; get the release again, or use plain")
    return None


ZERO_SHOT = Style(
    name="paper-zero-shot",
    version="1",
    about="As the paper asked ChatGPT: no example; x_csqa with its instruction in the question's language.",
    make_layout=_zero_shot_layout,
    content=lambda: _ONE + _QUESTION,
)
ONE_SHOT = Style(
    name="paper-one-shot",
    version="1",
    about="As the paper asked the open models: English instruction and one English example.",
    make_layout=_one_shot_layout,
    content=lambda: _MANY + _sum(2) + _sum(3) + _sum(5) + _QUESTION,
    brings_example=True,
)
