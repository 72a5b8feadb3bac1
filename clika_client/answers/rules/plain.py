"""Sentences of nothing but known words and one option: `I'd say B`, `It's B!`."""

from __future__ import annotations

from clika_client.answers.rules.announced import asked, lower_label
from clika_client.answers.rules.labels import AMBIGUOUS
from clika_client.answers.rules.normalise import fold
from clika_client.answers.rules.reply import Reply
from clika_client.answers.rules.words import FINAL_COPULA, Role, words


def plain(reply: Reply, members: list[int]) -> int | None:
    """The choice of a sentence in which every word is known and the mentions agree; AMBIGUOUS if they do not."""
    choices: set[int] = set()
    if asked(reply, members[0]) or _initial(reply, members) or _dangles(reply, members):
        return None
    at = 0
    while at < len(members):
        place = members[at]
        token = reply.tokens[place]
        at += 1
        if token.choice is not None and reply.closes(place) and _may_answer(reply, place):
            if place in reply.rejected:
                continue
            choice, beyond = reply.coordinated(place)
            choices.add(AMBIGUOUS if reply.joined_before(place) else choice)
            while at < len(members) and members[at] < beyond:
                at += 1
        elif token.kind == "number" or (token.kind == "word" and not token.role):
            return None
    if not choices:
        return None
    return choices.pop() if len(choices) == 1 else AMBIGUOUS


def _dangles(reply: Reply, members: list[int]) -> bool:
    """Whether the reply breaks off behind a mention: `B is`, `A and`, `B The`."""
    if members[-1] != len(reply.tokens) - 1 or len(members) < 2 or reply.tokens[members[-2]].choice is None:
        return False
    token = reply.tokens[members[-1]]
    if token.kind != "word" or not token.role:
        return False
    if token.role & (Role.AND | Role.OR | Role.BUT | Role.BECAUSE) or fold(token.text) in words().articles:
        return token.start > reply.tokens[members[-2]].end
    languages = {tag for tag, roles in words().single.get(fold(token.text), ()) if roles & Role.IS}
    return bool(languages) and not languages & FINAL_COPULA


def _initial(reply: Reply, members: list[int]) -> bool:
    """Whether the "sentence" is a letter and a full stop within a line, as in `Dr. B. Smith`."""
    if members[0] == 0 or not reply.tokens[members[0]].is_label or len(members) > 2:
        return False
    title = reply.get(members[0] - 2)
    if title is not None and title.kind == "word" and not title.role and len(title.text) < 4:
        return True
    if len(members) != 2:
        return False
    after = reply.get(members[-1] + 1)
    return after is not None and after.kind != "line" and reply.tokens[members[0] - 1].kind != "line"


def _may_answer(reply: Reply, at: int) -> bool:
    """Whether a mention can be an answer by itself: a letter not shown only where a colon does not lead to it.

    `أين: إ` is the cut beginning of something; announced letters ("Answer: ב") were read before.
    """
    token, before = reply.tokens[at], reply.get(at - 1)
    if token.is_label and not token.shown and token.kind == "word" and before is not None and before.text == ":":
        head = reply.get(at - 2)
        return head is not None and bool(head.role & (Role.ANSWER | Role.FINAL | Role.OPTION | Role.CORRECT))
    return token.strict or lower_label(reply, at)
