"""The label that opens a reply, and what later takes it back or puts another beside it."""

from __future__ import annotations

from clika_client.answers.rules.clauses import REJECT
from clika_client.answers.rules.labels import AMBIGUOUS
from clika_client.answers.rules.reply import Reply
from clika_client.answers.rules.token import WORDY, Token
from clika_client.answers.rules.words import Role


def leading(reply: Reply) -> int | None:
    """The choice of a label that opens the reply and is set off from what follows; AMBIGUOUS for a list."""
    at = _first(reply)
    token = reply.get(at)
    if token is None or not token.is_label or token.choice is None or not set_off(reply, at):
        return None
    choice, ahead = reply.coordinated(at)
    if _names_another(reply, at):
        return AMBIGUOUS
    own_text = ahead > at + 1 and choice == token.choice
    if at in reply.rejected and not own_text and _denied(reply, at):
        return None
    if own_text and _ends_line(reply, ahead) and _told_after(reply, ahead):
        listed: set[int | None] = set()  # `D. Jupiter\n\nIt is the largest.\n* A. Mercury: too small.`
    else:
        listed = {
            reply.tokens[other].choice
            for other in range(at + 1, len(reply.tokens))
            if other not in reply.rejected and _lists(reply, other)
        }
    return AMBIGUOUS if listed - {choice} or corrected(reply, at, choice) else choice


def _first(reply: Reply) -> int:
    """The position of the first token that counts: behind signs, emoji, and words such as `Option`."""
    at = 0
    while (token := reply.get(at)) is not None and (_ornament(token) or (_option_word(token) and at < 3)):
        at += 1
    return at


def _ornament(token: Token) -> bool:
    return token.kind == "sign" and (token.text in "([{\"'<-:=>~|" or not token.text.isascii())


def _option_word(token: Token) -> bool:
    return token.kind == "word" and bool(token.role & Role.OPTION) and token.choice is None


def _ends_line(reply: Reply, at: int) -> bool:
    while (token := reply.get(at)) is not None and token.kind == "sign" and token.text in ".)]\"'!":
        at += 1
    return token is None or token.kind == "line"


def _told_after(reply: Reply, at: int) -> bool:
    """Whether every line after position `at` tells more than the name of an option: a reason, not a list."""
    told: dict[int, bool] = {}
    line = 0
    for token in reply.tokens[at:]:
        line += token.kind == "line"
        if token.kind != "line":
            told[line] = told.get(line, False) or (token.kind == "word" and not token.role and token.choice is None)
    return len(told) > 1 and all(said for number, said in told.items() if number)


def _names_another(reply: Reply, at: int) -> bool:
    """Whether another label follows a leading one at once: `A: C`, `A → C`."""
    ahead = at + 1
    while (token := reply.get(ahead)) is not None and token.kind == "sign" and token.text in ".):]}>\"'([,;":
        ahead += 1
    if token is None or not token.shown or token.choice == reply.tokens[at].choice or reply.in_aside(ahead):
        return False
    plainly = token.strict or token.kind == "number"
    same_script = token.text.isascii() == reply.tokens[at].text.isascii()
    return plainly and same_script and ahead not in reply.rejected and reply.closes(ahead)


def _lists(reply: Reply, at: int) -> bool:
    """Whether a label introduces an option, as in a repeated list: at a line's start, or with its text."""
    token = reply.tokens[at]
    if not token.is_label or token.choice is None or reply.in_aside(at):
        return False
    if reply.enumerates(at):
        return set_off(reply, at)
    after = reply.get(at + 1)
    return after is not None and after.text in ".):" and reply.beside(at)[1] > at + 1


def corrected(reply: Reply, at: int, choice: int) -> bool:
    """Whether a later clause of known words names another label: `A. No wait, B.`, `Answer: A. Sorry, it's B.`"""
    clauses: dict[int, list[int]] = {}
    for place in range(at + 1, len(reply.tokens)):
        clauses.setdefault(reply.clause[place], []).append(place)
    return any(_names_other(reply, members, choice) for members in clauses.values())


def _names_other(reply: Reply, members: list[int], choice: int) -> bool:
    labels = [p for p in members if reply.tokens[p].shown and reply.tokens[p].strict and p not in reply.rejected]
    others = [p for p in labels if reply.tokens[p].choice != choice and reply.closes(p) and not reply.in_aside(p)]
    if all(_with_text(reply, p) or _denied_later(reply, p) or _discussed(reply, p) for p in others):
        return False
    words = [p for p in members if reply.tokens[p].kind in ("word", "number")]
    known = all(reply.tokens[p].role or reply.tokens[p].choice is not None for p in words)
    return known and not any(reply.states(p) for p in labels)


def _denied_later(reply: Reply, at: int) -> bool:
    """Whether the sentence goes on to deny what it lists: `A、C、D均不正确`."""
    members = reply.sentences[reply.sentence[at]]
    return any(place > at and reply.tokens[place].role & (Role.WRONG | Role.NOT) for place in members)


def _with_text(reply: Reply, at: int) -> bool:
    """Whether a label introduces its own option's text: an option repeated, not chosen."""
    choice, ahead = reply.beside(at)
    told = any(token.kind == "option" for token in reply.tokens[at + 1 : ahead])
    return told and choice == reply.tokens[at].choice


def _discussed(reply: Reply, at: int) -> bool:
    """Whether the label's sentence goes on with words of its own: `A의 나일강은 가장 긴 강이지만 …`."""
    members = [place for place in reply.sentences[reply.sentence[at]] if place > at]
    first = next((reply.tokens[p] for p in members if reply.tokens[p].kind != "sign"), None)
    if first is None or first.kind != "word" or first.role & (Role.CORRECT | Role.ANSWER | Role.BETTER):
        return False
    unknown = [p for p in members if reply.tokens[p].kind == "word" and not reply.tokens[p].role]
    return len(unknown) > 1 and reply.tokens[at].kind != "number"


def _denied(reply: Reply, at: int) -> bool:
    """Whether the clause around a leading label calls it wrong: `A: London is wrong`, `A is not correct`."""
    number = reply.clause[at]
    members = [i for i, c in enumerate(reply.clause) if c == number and i > at]
    if any(reply.tokens[i].role & Role.WRONG for i in members):
        return True
    if not any(reply.tokens[i].role & (REJECT | Role.NOT_BEFORE) for i in members):
        return True  # rejected as one of a list: `A、B、Dは間違い`
    roles = [reply.tokens[i].role for i in members[:4]]
    verdict = Role.CORRECT | Role.ANSWER | Role.IS
    return any(a & Role.NOT and b & verdict for n, a in enumerate(roles) for m, b in enumerate(roles) if n != m)


def set_off(reply: Reply, at: int) -> bool:
    """Whether a label stands apart from what follows: `B. …`, `B) …`, `B: …`, `B\\n…`, `B because …`."""
    token, after = reply.tokens[at], reply.get(at + 1)
    if after is None or after.kind == "line":
        return True
    if after.kind == "sign":
        return _set_off_by(reply, at, after)
    if after.kind == "option":
        return after.choice == token.choice or token.text not in WORDY
    return bool(after.role & Role.BECAUSE) and token.text not in WORDY


def _set_off_by(reply: Reply, at: int, sign: Token) -> bool:
    """Whether the sign after a label sets it off."""
    token, beyond = reply.tokens[at], reply.get(at + 2)
    if sign.text in '.):]}>;!"':
        return True
    if sign.text == "?":
        return beyond is None  # `B?` may be the answer, `A? No …` is not
    if sign.text == ",":
        if beyond is None or beyond.kind != "word" or token.text not in WORDY:
            return True  # `B, Paris`
        return beyond.choice is not None or bool(beyond.role & Role.BECAUSE)  # not `A, then`
    if sign.text in "-=(|~":
        return sign.start > token.end or sign.text in "(=|"  # `B - Paris`, not `B-vitamin`
    return sign.text not in "'&+/" and (beyond is None or beyond.choice is None)
