"""The `standard` reading: a ladder of rules from the surest evidence to the weakest, and reasons for no answer."""

from __future__ import annotations

import re

from clika_client.answers.rules.fields import fields, from_json
from clika_client.answers.rules.grammar import corrected, hits, leading, plain
from clika_client.answers.rules.labels import AMBIGUOUS, NOT_SHOWN
from clika_client.answers.rules.mentions import contained, statements
from clika_client.answers.rules.normalise import bounded, clean, fold, lower, strip_thinking
from clika_client.answers.rules.question import Question
from clika_client.answers.rules.reply import Reply
from clika_client.answers.rules.result import Answer
from clika_client.answers.rules.tokens import tokenise
from clika_client.answers.rules.whole_reply import as_answer, in_angles, read_whole
from clika_client.answers.rules.words import Role, base_language, words

RULES = (
    "empty",
    "thinking",
    "tag",
    "boxed",
    "option",
    "label",
    "label-text",
    "json",
    "anchored",
    "leading",
    "chosen",
    "plain",
    "none",
    "all",
    "unknown",
    "refusal",
    "several",
    "contained",
    "cut",
    "unread",
    "finish",
    "first-letter",
)
"""Every rule id, in the ladder's order; `finish` and `first-letter` are given outside the ladder."""
_NEXT_QUESTION = re.compile(r"\n\s*([^\W\d_][^\n:.]{0,24}?)\s*\d{0,3}\s*[:.]")


def read_standard(text: str, question: Question, language: str | None = None) -> Answer:
    """Read one reply; the rules and their order are in docs/answers.md."""
    if not text or not text.strip():
        return Answer(None, "empty", "empty")
    said = strip_thinking(bounded_thinking(text))
    if said is None:
        return Answer(None, "truncated", "thinking")
    said = bounded(said)
    tag = base_language(language)
    for field, rule in fields(said):
        answer = _read(clean(field), question, tag, rule)
        if answer is not None and (answer.choice is not None or answer.reason in ("multiple", "none")):
            return answer
    plain_text = clean(said)
    if not plain_text:
        return in_angles(said, question) or Answer(None, "empty", "empty")
    return (
        read_whole(plain_text, question)
        or from_json(plain_text, lambda text: _read(text, question, tag, "json"))
        or _sentences(_this_question_only(plain_text), question, tag)
        or Answer(None, "unreadable", "unread")
    )


def _read(text: str, question: Question, language: str | None, rule: str) -> Answer | None:
    return read_whole(text, question, rule) or _sentences(text, question, language, rule)


def bounded_thinking(text: str) -> str:
    """The text without its middle if it is enormous: reasoning ends near the end, the answer stands at one of them."""
    if len(text) <= 200_000:
        return text
    return text[:100_000] + text[-100_000:]


def _sentences(text: str, question: Question, language: str | None, rule: str = "") -> Answer | None:
    text = _without_echo(text, question)
    reply = Reply(tokenise(text, question, language), lower(text), question.cores)
    lead, first = leading(reply), _first_line(reply)
    found = [hit for hit in hits(reply) if not (hit.choice == NOT_SHOWN and reply.tokens[hit.at].role)]
    strong = [hit for hit in found if hit.strength == 2]
    if strong:
        last = strong[-1].choice
        later = {hit.choice for hit in found if hit.at > strong[-1].at and hit.choice >= 0}
        contradicted = bool(later - {last}) or first not in (None, last) or corrected(reply, strong[-1].at, last)
        same = {h.choice for h in strong if reply.clause[h.at] == reply.clause[strong[-1].at]}
        return as_answer(AMBIGUOUS if contradicted or len(same) > 1 else last, rule or "anchored")
    if lead is not None:
        weak = {hit.choice for hit in found if hit.choice != NOT_SHOWN}
        return as_answer(AMBIGUOUS if weak - {lead} and lead >= 0 else lead, rule or "leading")
    if found:
        choices = {hit.choice for hit in found} | ({first} if first is not None else set())
        return as_answer(choices.pop() if len(choices) == 1 else AMBIGUOUS, rule or "chosen")
    return _plain(reply, rule) or statements(reply, text, question, rule) or contained(reply, text, rule)


def _first_line(reply: Reply) -> int | None:
    """The choice that the first line names, if it is a mention alone and more lines follow."""
    mention = None
    for at, token in enumerate(reply.tokens):
        if token.kind == "line":
            return mention
        if token.choice is not None and mention is None and at not in reply.rejected:
            mention = token.choice
        elif token.kind != "sign":
            return None
    return None


def _plain(reply: Reply, rule: str) -> Answer | None:
    """Sentences of known words only: `I'd say B`, `It's B!`; they must agree."""
    choices = [c for members in reply.sentences.values() if (c := plain(reply, members)) is not None]
    if not choices:
        return None
    distinct = set(choices)
    if len(distinct) > 1 or AMBIGUOUS in distinct:
        return Answer(None, "multiple", rule or "plain")
    choice = choices[0]
    if choice >= 0 and reply.named() - {choice}:
        return Answer(None, "multiple", rule or "plain")
    return as_answer(choice, rule or "plain")


def _this_question_only(text: str) -> str:
    """Cut where a base model goes on to invent the next question: `B\\n\\nQuestion: …`."""
    for match in _NEXT_QUESTION.finditer(text):
        word = fold(match.group(1))
        if any(role & Role.QUESTION for _, role in words().single.get(word, ())) and match.start() > 0:
            return text[: match.start()]
    return text


def _without_echo(text: str, question: Question) -> str:
    """Drop a repeated list of all labels before a colon: `A/B/C/D: B`."""
    head, tail = ([*re.split(r"[:?\n]|\.\s", text, maxsplit=1), ""])[:2]
    if len(head) > 80 or not tail.strip():
        return text
    rest = re.sub(r"[()\[\]{}]", " ", head)
    listed = re.search(r"[\s,/|]*(?:and|or|-)?[\s,/|]*".join(map(re.escape, question.labels.shown)), rest)
    if listed is None and len(question.labels.shown) > 2:
        listed = re.search(rf"{re.escape(question.labels.shown[0])}\s*-\s*{re.escape(question.labels.shown[-1])}", rest)
    if listed is None or listed.end() == listed.start():
        return text
    return (rest[: listed.start()] + rest[listed.end() :]).strip() + ":" + tail
