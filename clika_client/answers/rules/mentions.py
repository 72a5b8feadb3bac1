"""The last rungs: set phrases that choose nothing, an option's text in running text, and replies that break off."""

from __future__ import annotations

import re

from clika_client.answers.rules.inflected import inflected
from clika_client.answers.rules.labels import AMBIGUOUS
from clika_client.answers.rules.normalise import core, fold
from clika_client.answers.rules.question import Question
from clika_client.answers.rules.reply import Reply
from clika_client.answers.rules.result import Answer
from clika_client.answers.rules.token import Token
from clika_client.answers.rules.whole_reply import STATEMENTS, as_answer
from clika_client.answers.rules.words import UNSPACED, Role, openings, words


def statements(reply: Reply, text: str, question: Question, rule: str) -> Answer | None:
    """Replies that choose nothing on purpose, decline, or name all options."""
    folded = re.sub(r"\s+", " ", fold(text))
    alone = core(folded)
    opening = re.split(r"[.,;:!?\n]", folded, maxsplit=1)[0].strip(" \"'([-")
    index = words().statements
    likely = sorted(entry for start in openings(folded) for entry in index.get(start, ()))
    for rank, phrase, anywhere in likely:
        whole = phrase in (alone, opening)
        if whole or (anywhere and _stands(folded, phrase)):
            kind, reason = STATEMENTS[rank]
            if kind == "none" and len(reply.named(labels=False)) == 1 and not whole:
                continue
            return Answer(None, reason, rule or kind)
    mentions = {t.choice for t in reply.tokens if t.choice is not None and t.choice >= 0}
    if len(mentions) == len(question.cores) == len({reply.tokens[a].choice for a in reply.rejected} & mentions):
        return Answer(None, "none", rule or "none")
    return None


def _stands(text: str, phrase: str) -> bool:
    """Whether the phrase occurs between word boundaries, where its script has them."""
    at = text.find(phrase)
    while at >= 0:
        end = at + len(phrase)
        before = at == 0 or not text[at - 1].isalnum() or bool(UNSPACED.match(text[at]))
        after = end == len(text) or not text[end].isalnum() or bool(UNSPACED.match(text[end]))
        if before and (after or len(phrase) > 7):
            return True
        at = text.find(phrase, at + 1)
    return False


def contained(reply: Reply, text: str, question: Question, rule: str) -> Answer | None:
    """Exactly one option's text stands in the reply; or several options are named; or the reply breaks off."""
    named = reply.named()
    if len(named) > 1 or any(t.choice == AMBIGUOUS for t in reply.tokens):
        return Answer(None, "multiple", rule or "several")
    if _breaks_off(reply, text):
        return Answer(None, "truncated", rule or "cut")
    spans = [at for at, t in enumerate(reply.tokens) if t.kind == "option" and at not in reply.rejected]
    if len(named) == 1 and any(_freestanding(reply, at, question) for at in spans):
        return Answer(next(iter(named)), None, rule or "contained")
    form = inflected(reply, question)
    if form is not None and (not named or form in named):  # `Гора Кения находится в Кении`
        return as_answer(form, rule or "inflected")
    return None


def _freestanding(reply: Reply, at: int, question: Question) -> bool:
    """Whether an option's text is not part of a longer name or number: `York` in `New York`."""
    token = reply.tokens[at]
    if token.text in question.spelled.symbols:
        return True  # `The symbol is O.`
    if UNSPACED.match(token.text):
        if len(token.text) < 2:
            return False
    elif len(token.text) < 3 and (not token.text.isdecimal() or any(t.kind == "number" for t in reply.tokens)):
        return False
    for side in (reply.get(at - 1), reply.get(at + 1)):
        if side is not None and side.kind == "word" and not side.role and not side.hint & Role.KIND:
            if token.text.isdecimal() and len(token.text) > 2:
                continue  # `1643年`, `출생 연도는 1643년`
            if UNSPACED.match(side.text) and (side.end == token.start or side.start == token.end):
                return False
            if side.text[:1].isupper() and token.text[:1].isupper():
                return False
    return True


def _fragment(token: Token) -> bool:
    return token.kind == "word" and len(token.text) < 3


def _breaks_off(reply: Reply, text: str) -> bool:
    """Whether the reply ends while announcing an answer: `The correct answer i`."""
    if not text or text[-1] in ".!?)\"']}" or not reply.tokens:
        return False
    last = reply.sentences[max(reply.sentences)]
    roles = [reply.tokens[at].role for at in last]
    for place, role in enumerate(roles):
        if role & (Role.ANSWER | Role.CORRECT | Role.CHOOSE) and len(roles) - place <= 5:
            if any(r & Role.NOT for r in roles):
                return False
            # Whole words that mean nothing here are an answer nobody offered; a fragment is a cut.
            after = [reply.tokens[at] for at in last[place + 1 :]]
            known = all(t.role or t.kind == "sign" for t in after[:-1])
            return known and (not after or after[-1].role > 0 or after[-1].kind == "sign" or _fragment(after[-1]))
    return False
