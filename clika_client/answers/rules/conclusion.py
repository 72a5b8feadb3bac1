"""Where a reply of several sentences gives its answer: in its first sentence, its last clause, or its last line."""

from __future__ import annotations

from clika_client.answers.rules.announced import Hit
from clika_client.answers.rules.labels import AMBIGUOUS
from clika_client.answers.rules.plain import plain
from clika_client.answers.rules.reply import Reply
from clika_client.answers.rules.words import Role

_PROSE = 3
"""Words of a line that is more than a name."""


def last_line(reply: Reply, found: list[Hit]) -> int | None:
    """The label that stands alone on the last line after a text: `…, but the capital is Canberra.\\n\\n**C**`.

    AMBIGUOUS when the text announced another. A line that only goes on with a list (`A. …\\nB. …\\nC`, cut off
    there) is none.
    """
    lines = reply.lines
    if len(lines) < 2:
        return None
    choice = _alone(reply, lines[-1])
    if choice is None or not any(_prose(reply, line) for line in lines[:-1]) or _goes_on(reply, lines):
        return None
    last = reply.sentence[lines[-1][0]]
    others = {hit.choice for hit in found} | {_alone(reply, line) for line in lines[:-1]}
    others |= {plain(reply, members) for number, members in reply.sentences.items() if number < last}
    others.add(reply.tokens[lines[-2][-1]].choice)  # `I'm torn between A\nB`: a list over two lines
    return AMBIGUOUS if others - {choice, None} else choice


def _alone(reply: Reply, members: list[int]) -> int | None:
    """The choice of a line that is a label, with its text or a word for "option" at most."""
    choices = {reply.tokens[at].choice for at in members if reply.tokens[at].choice is not None}
    labels = [at for at in members if reply.tokens[at].is_label and reply.tokens[at].strict and reply.tokens[at].shown]
    if len(choices) != 1 or not labels:
        return None
    others = (reply.tokens[at] for at in members if reply.tokens[at].choice is None)
    plainly = all(token.kind == "sign" or token.role & Role.OPTION for token in others)
    choice = choices.pop()
    return choice if plainly and choice is not None and choice >= 0 else None


def _prose(reply: Reply, members: list[int]) -> bool:
    return sum(1 for at in members if reply.tokens[at].kind == "word" and reply.tokens[at].choice is None) >= _PROSE


def _goes_on(reply: Reply, lines: list[list[int]]) -> bool:
    """Whether the last line is the label that comes next in a list that the lines before it make."""
    opened = [at for line in lines[:-1] for at in line if reply.enumerates(at) and reply.tokens[at].choice is not None]
    last = next(at for at in lines[-1] if reply.tokens[at].choice is not None)
    return len(opened) > 1 and reply.tokens[opened[-1]].index + 1 == reply.tokens[last].index


def opening(reply: Reply, found: list[Hit]) -> int | None:
    """The choice of a first sentence that says no more, where the rest explains: `It's the Amazon. The Nile is …`.

    None when the rest takes it back (`Sydney. Wait, …`) or names another just as plainly.
    """
    end = _opening_end(reply)
    members = list(range(end))
    if not members or any(reply.tokens[at].hint & Role.HEDGE for at in members):
        return None
    choice = plain(reply, members)
    if choice is None or choice < 0 or not _tells(reply, end) or _taken_back(reply, end):
        return None
    others = {hit.choice for hit in found}
    for sentence in reply.sentences.values():
        if sentence[0] >= end:
            others.add(said if (said := plain(reply, sentence)) is not None else choice)
    return None if others - {choice} else choice


def _opening_end(reply: Reply) -> int:
    """Where the first statement ends: at a full stop, a line break, a dash, a bracketed remark, or a reason."""
    named = False
    for at, token in enumerate(reply.tokens):
        if token.kind == "line" or reply.sentence[at] != reply.sentence[0]:
            return at
        if named and token.role & Role.BECAUSE and not token.hint & Role.RELATIVE:
            return at
        if named and token.kind == "sign" and token.text in "-;(" and reply.opens_remark(at):
            return at
        named = named or token.choice is not None
    return len(reply.tokens)


def _tells(reply: Reply, start: int) -> bool:
    """Whether words that no table knows follow: an explanation, not a second answer."""
    return any(token.kind == "word" and not token.role and token.choice is None for token in reply.tokens[start:])


def _taken_back(reply: Reply, start: int) -> bool:
    """Whether a later clause begins with a word that corrects: `Wait, …`, `No, …`, `实际上 …`."""
    clauses: dict[int, list[int]] = {}
    for at in range(start, len(reply.tokens)):
        if reply.tokens[at].kind == "word" and len(clauses.setdefault(reply.clause[at], [])) < 2:
            clauses[reply.clause[at]].append(at)
    return any(reply.tokens[at].hint & Role.RETRACT for first in clauses.values() for at in first)


def concluding(reply: Reply) -> int | None:
    """The choice of a last clause of known words after others: `Not sure, but I think B`, `…, so D it is`.

    Other options may have been named before only where the clause concludes ("so", "but").
    """
    if not reply.tokens:
        return None
    number = max(reply.clause[at] for at, token in enumerate(reply.tokens) if token.kind != "sign" or at == 0)
    members = [at for at, clause in enumerate(reply.clause) if clause == number]
    if len(members) == len(reply.tokens) or any(reply.tokens[at].hint & Role.HEDGE for at in members):
        return None
    choice = plain(reply, members)
    if choice is None or choice < 0:
        return None
    concludes = any(reply.tokens[at].hint & Role.SO or reply.tokens[at].role & Role.BUT for at in members)
    return None if reply.named() - {choice} and not concludes else choice


def conceded(reply: Reply, found: list[Hit]) -> int | None:
    """The choice after "but" of a sentence that granted another: `You might think it's A, but it's actually C.`"""
    choice = concluding(reply)
    if choice is None:
        return None
    number = max(reply.clause)
    members = [at for at, clause in enumerate(reply.clause) if clause == number]
    but = next((at for at in members if reply.tokens[at].role & Role.BUT), None)
    if but is None or any(hit.choice != choice and reply.sentence[hit.at] != reply.sentence[but] for hit in found):
        return None
    granted = [
        at for at, token in enumerate(reply.tokens[:but]) if token.choice is not None and (token.strict or token.shown)
    ]
    stated = any(reply.tokens[at].role & (Role.IS | Role.ANSWER | Role.CHOOSE) for at in members)
    here = all(reply.sentence[at] == reply.sentence[but] for at in granted)
    return choice if granted and stated and here else None
