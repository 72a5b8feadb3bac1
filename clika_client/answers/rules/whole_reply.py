"""Replies that are nothing but a label, an option's text, both, or a set phrase, whatever the decoration."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from clika_client.answers.rules.labels import AMBIGUOUS, NOT_SHOWN
from clika_client.answers.rules.normalise import core, fold, loose, lower
from clika_client.answers.rules.question import Question
from clika_client.answers.rules.result import Answer
from clika_client.answers.rules.words import PHRASES, words

STATEMENTS = tuple(zip(PHRASES, ("none", "multiple", "none", "refusal"), strict=True))
"""Kinds of set phrases and the reason each gives."""
_LEAD = re.compile(r"[(\[\"']?([^\W_]{1,3})(\s?[.):\]\-,]{1,3}|(?=\s))\s*(\S[^\n]*)")


def as_answer(choice: int, rule: str) -> Answer:
    """An index, or AMBIGUOUS or NOT_SHOWN, as an Answer."""
    if choice == AMBIGUOUS:
        return Answer(None, "multiple", rule)
    if choice == NOT_SHOWN:
        return Answer(None, "none", rule)
    return Answer(choice, None, rule)


def read_whole(text: str, question: Question, rule: str = "") -> Answer | None:
    """The reply is nothing but an option's text or a label, whatever the decoration."""
    if len(text) > 2_000:
        return None
    bare = core(text)
    if not bare:
        return _signs(text, question, rule)
    for reader in _READERS:
        answer = reader(text, bare, question, rule)
        if answer is not None:
            return answer
    return None


def _signs(text: str, question: Question, rule: str) -> Answer | None:
    """An option that is signs alone: `+`, `...`."""
    found = question.by_core.get(text.strip().lower())
    return None if found is None else as_answer(found, rule or "option")


def _option(_: str, bare: str, question: Question, rule: str) -> Answer | None:
    """`paris`, `"Paris."`; `C` where one option's text is C and another's label is."""
    found = question.by_core.get(bare)
    if found is None:
        return None
    return as_answer(AMBIGUOUS if bare in question.clash else found, rule or "option")


def _label(text: str, bare: str, question: Question, rule: str) -> Answer | None:
    """`B`, `(B).`, `②`, `В`."""
    if len(bare) > 8 or " " in bare:
        return None
    written = _as_written(text, bare)  # letter case is evidence for look-alikes
    named = question.labels.resolve(written)
    if named is None or (named == NOT_SHOWN and len(bare) > 1 and not bare.isdecimal()):
        return None
    if named >= 0 and not question.labels.shows(written) and question.begins(bare):
        return None  # `ג'`: cut off within an option's text, or a label by position: no telling which
    return as_answer(AMBIGUOUS if bare in question.clash else named, rule or "label")


def _as_written(text: str, bare: str) -> str:
    start = text.lower().find(bare)
    return text[start : start + len(bare)] if start >= 0 else bare


def labelled(text: str, question: Question) -> tuple[int, str, str] | None:
    """(index, signs, rest) of a reply in one line that a label opens; None for another."""
    match = _LEAD.fullmatch(text)
    index = question.labels.resolve(match.group(1)) if match else None
    return (index, match.group(2), match.group(3)) if match and index is not None and index >= 0 else None


def _label_and_text(text: str, _: str, question: Question, rule: str) -> Answer | None:
    """`B. Paris`, `B Paris`, or `B. Par` where the reply was cut: a label and its own option's text, no more."""
    lead = labelled(text, question)
    if lead is None:
        return None
    index, joint, rest = lead
    said = core(rest)
    own = question.cores[index]
    listed = not joint or "," in joint or "-" in joint  # `C, B` is a list, `C. B` the start of Berlin
    if said and (own == said or (not listed and own.startswith(said))):
        return as_answer(index, rule or "label-text")
    return None


def loose_options(question: Question) -> Mapping[str, int]:
    """Each option's text without accents, articles and inner signs → its index."""
    if question.loose_cache is None:
        articles = words().articles
        table: dict[str, int] = {}
        for index, text in enumerate(question.cores):
            key = loose(text, articles)
            if key and not key.isdecimal():
                table[key] = AMBIGUOUS if key in table and question.cores[table[key]] != text else index
        question.loose_cache = table
    return question.loose_cache


def _loosely(_: str, bare: str, question: Question, rule: str) -> Answer | None:
    """`The Nile` for "Nile", `ile-de-france` for "Île de France": without accents, articles and inner signs."""
    found = loose_options(question).get(loose(bare, words().articles))
    if found is None or found == AMBIGUOUS or len(bare) < 2:
        return None
    if question.by_core.get(question.cores[found]) == AMBIGUOUS:
        return as_answer(AMBIGUOUS, rule or "option")
    return as_answer(found, rule or "option")


def in_angles(text: str, question: Question) -> Answer | None:
    """`<B>`, which looks like a tag and is a label."""
    index = question.labels.exact.get(text.strip(" \n<>"), AMBIGUOUS)
    return Answer(index, None, "label") if index >= 0 else None


def _alone(_: str, bare: str, question: Question, rule: str) -> Answer | None:
    """The reply is nothing but a set phrase: `none of the above`, `N/A`, `both`."""
    folded = fold(bare)
    for kind, reason in STATEMENTS:
        if folded in words().alone[kind]:
            return Answer(None, reason, rule or kind)
    return None


_READERS: tuple[Callable[[str, str, Question, str], Answer | None], ...] = (
    _option,
    _label,
    _label_and_text,
    _loosely,
    _alone,
)


def beginning(text: str, question: Question, counts: bool) -> Answer | None:
    """A reply cut off within an option's text: `He deleted the sp`, `上法兰`, `ג'`, `la c`.

    It names no option unless it `counts` and begins only one. A label as shown was read before this.
    """
    bare = lower(text).strip()
    if len(bare) < 2 or not question.begins(bare) or question.labels.shows(text.strip()):
        return None
    begun = [index for index, own in enumerate(question.cores) if own.startswith(bare) and own != bare]
    if counts and len(begun) == 1:
        return Answer(begun[0], None, "beginning")
    return Answer(None, "unreadable", "beginning")
