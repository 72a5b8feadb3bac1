"""The `standard` reading: a ladder of rules from the surest evidence to the weakest, and reasons for no answer."""

from __future__ import annotations

from collections.abc import Callable

from clika_client.answers.rules.announced import STRONG, Hit, hits
from clika_client.answers.rules.conclusion import conceded, concluding, last_line, opening
from clika_client.answers.rules.echo import answered, without_example, without_labels, without_sum
from clika_client.answers.rules.fields import fields, from_json
from clika_client.answers.rules.judged import judged
from clika_client.answers.rules.labels import AMBIGUOUS, NOT_SHOWN
from clika_client.answers.rules.leading import corrected, leading
from clika_client.answers.rules.mentions import contained, statements
from clika_client.answers.rules.next_question import counts_questions, headed, opens_with_question, unheaded
from clika_client.answers.rules.normalise import bounded, clean, lower, plain_letters, strip_thinking
from clika_client.answers.rules.plain import plain
from clika_client.answers.rules.question import Question
from clika_client.answers.rules.reply import Reply
from clika_client.answers.rules.result import Answer
from clika_client.answers.rules.tokens import tokenise
from clika_client.answers.rules.whole_reply import as_answer, beginning, in_angles, read_whole
from clika_client.answers.rules.words import base_language

RULES = (
    "empty",
    "thinking",
    "tag",
    "boxed",
    "echo",
    "option",
    "label",
    "label-text",
    "beginning",
    "json",
    "judged",
    "last-line",
    "conceded",
    "anchored",
    "leading",
    "chosen",
    "opening",
    "plain",
    "concluding",
    "none",
    "all",
    "unknown",
    "refusal",
    "several",
    "contained",
    "inflected",
    "cut",
    "unread",
    "finish",
    "first-letter",
)
"""Every rule id, in the ladder's order; `finish` and `first-letter` are given outside the ladder."""


def read_standard(
    text: str, question: Question, language: str | None = None, example: str = "", beginnings: bool = False
) -> Answer:
    """Read one reply; the rules and their order are in docs/answers.md.

    `example` is what the prompt showed before the question, such as a worked example. With `beginnings` a reply
    that is the cut beginning of exactly one option is that option.
    """
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
    plain_text = answered(without_sum(without_example(clean(said), clean(example))))
    if not plain_text:
        echoed = Answer(None, "unreadable", "echo") if clean(said) else Answer(None, "empty", "empty")
        return in_angles(said, question) or echoed
    return (
        read_whole(plain_text, question)
        or beginning(plain_text, question, beginnings)
        or from_json(plain_text, lambda text: _read(text, question, tag, "json"))
        or _this_question(plain_text, question, tag)
        or Answer(None, "unreadable", "unread")
    )


def _read(text: str, question: Question, language: str | None, rule: str) -> Answer | None:
    return read_whole(text, question, rule) or _sentences(text, question, language, rule)


def bounded_thinking(text: str) -> str:
    """The text without its middle if it is enormous: reasoning ends near the end, the answer stands at one of them."""
    if len(text) <= 200_000:
        return text
    return text[:100_000] + text[-100_000:]


def _this_question(text: str, question: Question, language: str | None) -> Answer | None:
    """Read without what a base model invents behind its answer: `B\\n\\nQuestion: …`, `C\\n\\n2. Which city …?`."""
    heading = headed(text)
    by_number = not question.labels.letters
    if not by_number and (opens_with_question(text) or (heading and counts_questions(text, heading))):
        return None
    if heading:
        text = text[:heading]
    for cut in unheaded(text):
        if not by_number and counts_questions(text, cut):
            return None
        head = text[:cut].strip()
        answer = head and (read_whole(head, question) or _sentences(head, question, language))
        if answer and answer.choice is not None:
            return answer
    return _sentences(text, question, language)


class _View:
    """One reply as the rules see it: its tokens, and what several rules ask about them, found once."""

    def __init__(self, text: str, question: Question, language: str | None, rule: str) -> None:
        self.text, self.question, self.rule = text, question, rule
        self.reply = Reply(*tokenise(text, question, language), plain_letters(lower(text)), question.spelled.plain)
        tokens = self.reply.tokens
        self.hits: list[Hit] = [h for h in hits(self.reply) if not (h.choice == NOT_SHOWN and tokens[h.at].role)]

    @property
    def first_line(self) -> int | None:
        """The choice that the first line names, if it is a mention alone and more lines follow."""
        mention = None
        for at, token in enumerate(self.reply.tokens):
            if token.kind == "line":
                if mention is not None:
                    return mention
                continue  # `(\nA\nB are correct\n)`: a line of signs alone is not the first
            if token.choice is not None and mention is None and at not in self.reply.rejected:
                mention = token.choice
            elif token.kind != "sign":
                return None
        return None

    def answer(self, choice: int | None, rule: str) -> Answer | None:
        return None if choice is None else as_answer(choice, self.rule or rule)


def _judged(view: _View) -> Answer | None:
    return view.answer(judged(view.reply), "judged")


def _last_line(view: _View) -> Answer | None:
    return view.answer(last_line(view.reply, view.hits), "last-line")


def _conceded(view: _View) -> Answer | None:
    return view.answer(conceded(view.reply, view.hits), "conceded")


def _anchored(view: _View) -> Answer | None:
    """The last announcement, unless something later, its own clause, or the first line says otherwise."""
    strong = [hit for hit in view.hits if hit.strength == STRONG]
    if not strong:
        return None
    last = strong[-1]
    later = {hit.choice for hit in view.hits if hit.at > last.at and hit.choice >= 0}
    same = {hit.choice for hit in strong if view.reply.clause[hit.at] == view.reply.clause[last.at]}
    contradicted = (
        bool(later - {last.choice})
        or len(same) > 1
        or len({hit.choice for hit in strong}) > 2  # `The answer is B.\nThe answer is C.\nThe answer is D.`
        or view.first_line not in (None, last.choice)
        or corrected(view.reply, last.beyond - 1, last.choice)
    )
    return view.answer(AMBIGUOUS if contradicted else last.choice, "anchored")


def _leading(view: _View) -> Answer | None:
    """The label that opens the reply, unless "I choose" or the like names another."""
    lead = leading(view.reply)
    if lead is None:
        return None
    weak = {hit.choice for hit in view.hits if hit.choice != NOT_SHOWN}
    return view.answer(AMBIGUOUS if weak - {lead} and lead >= 0 else lead, "leading")


def _chosen(view: _View) -> Answer | None:
    """What the reply chooses or calls correct, where all that is chosen agrees."""
    if not view.hits:
        return None
    choices = {hit.choice for hit in view.hits} | ({view.first_line} if view.first_line is not None else set())
    return view.answer(choices.pop() if len(choices) == 1 else AMBIGUOUS, "chosen")


def _opening(view: _View) -> Answer | None:
    return view.answer(opening(view.reply, view.hits), "opening")


def _plain(view: _View) -> Answer | None:
    """Sentences of known words only (`I'd say B`, `It's B!`); they must agree, and nothing else be named."""
    said = (plain(view.reply, members) for members in view.reply.sentences.values())
    choices = {choice for choice in said if choice is not None}
    if not choices:
        return None
    choice = choices.pop()
    if choices or (choice >= 0 and view.reply.named() - {choice}):
        return view.answer(AMBIGUOUS, "plain")
    return view.answer(choice, "plain")


def _concluding(view: _View) -> Answer | None:
    return view.answer(concluding(view.reply), "concluding")


def _statements(view: _View) -> Answer | None:
    return statements(view.reply, view.text, view.question, view.rule)


def _contained(view: _View) -> Answer | None:
    return contained(view.reply, view.text, view.question, view.rule)


_LADDER: tuple[Callable[[_View], Answer | None], ...] = (
    _judged,
    _last_line,
    _conceded,
    _anchored,
    _leading,
    _chosen,
    _opening,
    _plain,
    _concluding,
    _statements,
    _contained,
)


def _sentences(text: str, question: Question, language: str | None, rule: str = "") -> Answer | None:
    """The first rule of the ladder that decides."""
    view = _View(without_labels(text, question), question, language, rule)
    for step in _LADDER:
        answer = step(view)
        if answer is not None:
            return answer
    return None
