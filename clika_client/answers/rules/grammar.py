"""Rules over a tokenised reply: which mention is announced as the answer, leads it, or stands alone."""

from __future__ import annotations

from dataclasses import dataclass

from clika_client.answers.rules.labels import AMBIGUOUS
from clika_client.answers.rules.normalise import fold
from clika_client.answers.rules.reply import NEUTRAL, Reply
from clika_client.answers.rules.tokens import WORDY
from clika_client.answers.rules.words import FINAL_COPULA, Role, words

STOP = Role.NOT | Role.WRONG | Role.NOT_BEFORE | Role.NOT_AFTER | Role.BUT | Role.AND | Role.OR | Role.BECAUSE
ANNOUNCE = frozenset(":=-~|>")


@dataclass(frozen=True, slots=True)
class Hit:
    """A mention that a rule takes as the answer."""

    at: int
    choice: int
    """Index, NOT_SHOWN, or AMBIGUOUS when more than one option is named here."""
    strength: int
    """2: announced by a word for "answer"; 1: by "I choose", "option:", or called correct."""


def hits(reply: Reply) -> list[Hit]:
    """Mentions announced as the answer, in order; an AMBIGUOUS one names several options."""
    found: list[Hit] = []
    beyond = 0
    for at, token in enumerate(reply.tokens):
        if token.choice is None or at < beyond or at in reply.rejected:
            continue
        strength = _announced(reply, at)
        if strength and (not reply.closes(at) or reply.states(at) or _asked(reply, at)):
            strength = 0
        if strength and token.is_label and not token.strict and not _lower_label(reply, at):
            strength = 0
        if not strength and (token.strict or token.kind == "number") and not _asked(reply, at):
            strength = _called_correct(reply, at)
        if strength:
            choice, beyond = reply.coordinated(at)
            if reply.joined_before(at):
                choice = AMBIGUOUS
            found.append(Hit(at, choice, strength))
    return found


def _asked(reply: Reply, at: int) -> bool:
    """Whether the mention stands in a question and the reply goes on after it."""
    members = reply.sentences[reply.sentence[at]]
    return reply.tokens[members[-1]].text == "?" and members[-1] < len(reply.tokens) - 1


def _lower_label(reply: Reply, at: int) -> bool:
    """Whether a bare lower-case letter or a digit can be meant as a label here."""
    token = reply.tokens[at]
    if token.kind == "number":
        return True
    if token.text.upper() not in WORDY:
        return True
    before, after = reply.get(at - 1), reply.get(at + 1)
    ended = after is not None and (after.kind == "line" or after.text in ".!)")
    return ended or (before is not None and before.text == ":" and after is None)


def _announced(reply: Reply, at: int) -> int:
    """2 behind a word for answer, final or correct; 1 behind a verb of choosing or `option:`; else 0."""
    gathered, colon, gap = 0, False, False
    for back in range(at - 1, max(-1, at - 40), -1):
        token = reply.tokens[back]
        if token.kind == "sign":
            if token.text in ANNOUNCE:
                colon = True
            elif token.text == "," and not (colon or gathered or _links(reply, back - 1)):
                break  # "B is correct, A …" announces B, not A
            elif token.text in "!?;" or (token.text == "." and reply.sentence[back] != reply.sentence[at]):
                break
        elif token.kind == "line":
            before = reply.get(back - 1)
            if before is None or not (before.text in ANNOUNCE or before.role & (Role.ANSWER | Role.FINAL | Role.IS)):
                break
        elif token.choice is not None:
            break
        else:
            role = token.role
            if role & (Role.ANSWER | Role.FINAL) and not (gap and not (colon or gathered & Role.IS)):
                return 2
            if role & STOP and not role & NEUTRAL:
                break
            if not role:
                if not (colon or gathered & Role.IS):
                    break
                gap = True
            elif not gap:
                if role & Role.CHOOSE:
                    return 1
                gathered |= role
    if gathered & Role.CORRECT and (colon or gathered & (Role.IS | Role.OPTION)):
        return 2
    if gathered & Role.OPTION and (colon or gathered & Role.IS) and not gap:
        return 1
    if _after_colon(reply, at):
        return 1
    return 0


def _links(reply: Reply, at: int) -> bool:
    token = reply.get(at)
    return token is not None and bool(token.role & Role.IS)


def _after_colon(reply: Reply, at: int) -> bool:
    """Whether the reply ends in a colon and this mention, whatever stands before: `By elimination: B`."""
    before = reply.get(at - 1)
    while before is not None and before.kind == "sign" and before.text in "([\"'":
        at -= 1
        before = reply.get(at - 1)
    if before is None or before.text != ":" or at < 2 or reply.tokens[at - 2].choice is not None:
        return False
    rest = [token for token in reply.tokens[at:] if token.kind not in ("sign", "line")]
    return len(rest) == 1


def _called_correct(reply: Reply, at: int) -> int:
    """1 when what follows calls the mention correct or the answer: `B is right`, `B が正解です`."""
    token = reply.tokens[at]
    if token.text in WORDY and token.native and not reply.closes(at):
        return 0
    _, ahead = reply.beside(at)
    steps = 0
    told = False
    while (after := reply.get(ahead)) is not None and steps < 8:
        if reply.clause[ahead] != reply.clause[at] and not reply.enumerates(at):
            return 0
        if after.kind == "sign":
            if after.text not in ")]}\"'-":
                return 0
        elif after.kind != "word" or not after.role or after.choice is not None:
            return 0
        elif after.role & (Role.CORRECT | Role.ANSWER):
            if token.kind == "number" and not token.strict:
                return int(told and token.shown)  # `2 is right`, but not `2 correct answers`
            return 1 if told or after.role & Role.CORRECT or after.start == token.end else 0
        elif after.role & STOP and not after.role & NEUTRAL:
            return 0
        else:
            told = told or bool(after.role & Role.IS)
        ahead += 1
        steps += 1
    return 0


def leading(reply: Reply) -> int | None:
    """The choice of a label that opens the reply and is set off from what follows; AMBIGUOUS for a list."""
    at = 0
    while (token := reply.get(at)) is not None and (
        (token.kind == "sign" and (token.text in "([{\"'<-:=>~|" or not token.text.isascii()))
        or (token.kind == "word" and token.role & Role.OPTION and token.choice is None and at < 3)
    ):
        at += 1
    if token is None or not token.is_label or token.choice is None:
        return None
    if not _set_off(reply, at):
        return None
    choice, ahead = reply.coordinated(at)
    own_text = ahead > at + 1 and choice == token.choice
    if _names_another(reply, at):
        return AMBIGUOUS
    if at in reply.rejected and not own_text and _denied(reply, at):
        return None
    others = {
        reply.tokens[other].choice
        for other in range(at + 1, len(reply.tokens))
        if other not in reply.rejected and _lists(reply, other)
    }
    if others - {choice} or corrected(reply, at, choice):
        return AMBIGUOUS
    return choice


def _names_another(reply: Reply, at: int) -> bool:
    """Whether another label follows a leading one at once: `A: C`, `A → C`."""
    ahead = at + 1
    while (token := reply.get(ahead)) is not None and token.kind == "sign" and token.text in ".):]}>\"'([,;":
        ahead += 1
    return (
        token is not None
        and token.shown
        and (token.strict or token.kind == "number")
        and token.text.isascii() == reply.tokens[at].text.isascii()
        and token.choice != reply.tokens[at].choice
        and ahead not in reply.rejected
        and reply.closes(ahead)
    )


def _lists(reply: Reply, at: int) -> bool:
    """Whether a label introduces an option, as in a repeated list: at a line's start, or with its text."""
    token = reply.tokens[at]
    if not token.is_label or token.choice is None:
        return False
    if reply.enumerates(at):
        return _set_off(reply, at)
    after = reply.get(at + 1)
    return after is not None and after.text in ".):" and reply.beside(at)[1] > at + 1


def corrected(reply: Reply, at: int, choice: int) -> bool:
    """Whether a later clause of known words names another label: `A. No wait, B.`, `Answer: A. Sorry, it's B.`"""
    clauses: dict[int, list[int]] = {}
    for place in range(at + 1, len(reply.tokens)):
        clauses.setdefault(reply.clause[place], []).append(place)
    for members in clauses.values():
        labels = [p for p in members if reply.tokens[p].shown and reply.tokens[p].strict and p not in reply.rejected]
        others = [p for p in labels if reply.tokens[p].choice != choice and reply.closes(p)]
        if all(_with_text(reply, p) or _denied_later(reply, p) for p in others):
            continue
        known = (reply.tokens[p].role or reply.tokens[p].choice is not None for p in members if _is_word(reply, p))
        if all(known) and not any(reply.states(p) for p in labels):
            return True
    return False


def _denied_later(reply: Reply, at: int) -> bool:
    """Whether the sentence goes on to deny what it lists: `A、C、D均不正确`."""
    members = reply.sentences[reply.sentence[at]]
    return any(place > at and reply.tokens[place].role & (Role.WRONG | Role.NOT) for place in members)


def _with_text(reply: Reply, at: int) -> bool:
    """Whether a label introduces its own option's text: an option repeated, not chosen."""
    choice, ahead = reply.beside(at)
    told = any(token.kind == "option" for token in reply.tokens[at + 1 : ahead])
    return told and choice == reply.tokens[at].choice


def _is_word(reply: Reply, at: int) -> bool:
    return reply.tokens[at].kind in ("word", "number")


def _denied(reply: Reply, at: int) -> bool:
    """Whether the clause around a leading label calls it wrong: `A: London is wrong`, `A is not correct`."""
    number = reply.clause[at]
    members = [i for i, c in enumerate(reply.clause) if c == number and i > at]
    if any(reply.tokens[i].role & Role.WRONG for i in members):
        return True
    roles = [reply.tokens[i].role for i in members[:4]]
    verdict = Role.CORRECT | Role.ANSWER | Role.IS
    return any(a & Role.NOT and b & verdict for n, a in enumerate(roles) for m, b in enumerate(roles) if n != m)


def _set_off(reply: Reply, at: int) -> bool:
    token, after = reply.tokens[at], reply.get(at + 1)
    if after is None or after.kind == "line":
        return True
    if after.kind == "sign":
        if after.text in '.):]}>;!"':
            return True
        if after.text == "?":
            return at + 2 >= len(reply.tokens)
        if after.text == ",":
            beyond = reply.get(at + 2)
            if beyond is None or beyond.kind != "word" or token.text not in WORDY:
                return True
            return beyond.choice is not None or bool(beyond.role & Role.BECAUSE)
        if after.text in "-=(|~":
            return after.start > token.end or after.text in "(=|"
        beyond = reply.get(at + 2)
        return after.text not in "'&+/" and (beyond is None or beyond.choice is None)
    if after.kind == "option":
        return after.choice == token.choice or token.text not in WORDY
    return bool(after.role & Role.BECAUSE) and token.text not in WORDY


def plain(reply: Reply, members: list[int]) -> int | None:
    """The choice of a sentence in which every word is known and the mentions agree; AMBIGUOUS if they do not."""
    choices: set[int] = set()
    if _asked(reply, members[0]) or _initial(reply, members) or _dangles(reply, members):
        return None
    at = 0
    while at < len(members):
        place = members[at]
        token = reply.tokens[place]
        at += 1
        if token.choice is not None and reply.closes(place) and (token.strict or _lower_label(reply, place)):
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
