"""Which mentions a reply announces as its answer, before them (`The answer is B`) or after (`B is correct`)."""

from __future__ import annotations

from dataclasses import dataclass

from clika_client.answers.rules.clauses import NEUTRAL
from clika_client.answers.rules.labels import AMBIGUOUS
from clika_client.answers.rules.reply import Reply
from clika_client.answers.rules.token import WORDY, Token
from clika_client.answers.rules.words import Role

STOP = Role.NOT | Role.WRONG | Role.NOT_BEFORE | Role.NOT_AFTER | Role.BUT | Role.AND | Role.OR | Role.BECAUSE
ANNOUNCE = frozenset(":=-~|>")
STRONG, WEAK = 2, 1
_REACH = 40
"""Tokens looked back over for an announcement; longer ones were not met."""


@dataclass(frozen=True, slots=True)
class Hit:
    """A mention that a rule takes as the answer."""

    at: int
    beyond: int
    """The position after the mention and what belongs to it."""
    choice: int
    """Index, NOT_SHOWN, or AMBIGUOUS when more than one option is named here."""
    strength: int
    """STRONG: announced by a word for "answer", or left over by elimination; WEAK: by "I choose", "option:", or
    called correct."""


def hits(reply: Reply) -> list[Hit]:
    """Mentions announced as the answer, in order; an AMBIGUOUS one names several options."""
    found: list[Hit] = []
    beyond = 0
    for at, token in enumerate(reply.tokens):
        if token.choice is None or at < beyond or at in reply.rejected:
            continue
        strength = _announced_before(reply, at) or _called_after(reply, at)
        if strength:
            choice, beyond = reply.coordinated(at)
            if reply.joined_before(at):
                choice = AMBIGUOUS
            found.append(Hit(at, beyond, choice, strength))
    return found


def asked(reply: Reply, at: int) -> bool:
    """Whether the mention stands in a question and the reply goes on after it."""
    members = reply.sentences[reply.sentence[at]]
    return reply.tokens[members[-1]].text == "?" and members[-1] < len(reply.tokens) - 1


def lower_label(reply: Reply, at: int) -> bool:
    """Whether a bare lower-case letter or a digit can be meant as a label here."""
    token = reply.tokens[at]
    if token.kind == "number":
        return True
    if token.text.upper() not in WORDY:
        return True
    before, after = reply.get(at - 1), reply.get(at + 1)
    ended = after is not None and (after.kind == "line" or after.text in ".!)")
    return ended or (before is not None and before.text == ":" and after is None)


def _announced_before(reply: Reply, at: int) -> int:
    """How strongly what stands before a mention announces it, where the mention can be one."""
    token = reply.tokens[at]
    walk = _Walk(reply, at)
    strength = walk.strength()
    if not strength or not reply.closes(at) or reply.states(at) or asked(reply, at):
        return 0
    if token.is_label and not token.strict and not lower_label(reply, at):
        return 0
    after = reply.get(at + 1)
    if after is not None and after.is_article and not walk.linked and token.is_label:
        return 0  # `answer choice C a river in Asia`
    return strength


class _Walk:
    """The way back from a mention to what announces it, and what was passed on it."""

    def __init__(self, reply: Reply, at: int) -> None:
        self.reply, self.at = reply, at
        self.gathered = 0
        """Roles of the words passed, up to the first unknown one."""
        self.colon = False
        self.gap = False
        """Whether an unknown word was passed: `The answer *to this riddle* is B`."""
        self.unknown = 0

    @property
    def linked(self) -> bool:
        """Whether "is", a colon or the like ties the mention to what stands before."""
        return self.colon or bool(self.gathered & (Role.IS | Role.REMAINS | Role.CHOOSE))

    def strength(self) -> int:
        """STRONG, WEAK or 0."""
        for back in range(self.at - 1, max(-1, self.at - _REACH), -1):
            token = self.reply.tokens[back]
            if token.kind == "sign":
                goes_on = self._past_sign(token, back)
            elif token.kind == "line":
                goes_on = self._past_line(back)
            elif token.choice is not None:
                goes_on = False
            else:
                found = self._word(token, back)
                if found:
                    return found
                goes_on = found is None
            if not goes_on:
                break
        return self._settled()

    def _past_sign(self, token: Token, back: int) -> bool:
        if token.text in ANNOUNCE:
            self.colon = True
        elif token.text == ",":
            # `The answer, I think, is B`, but `B is correct, A …` and `선택지 A는 강이고, 선택지 C는 …`
            return self.colon or bool(self.gathered & Role.IS) or _links(self.reply, back - 1)
        elif token.text in "!?;" or (token.text == "." and self.reply.sentence[back] != self.reply.sentence[self.at]):
            return False
        return True

    def _past_line(self, back: int) -> bool:
        before = self.reply.get(back - 1)  # `The answer is\nB`, `Answer:\nB`
        if before is None:
            return False
        return before.text in ANNOUNCE or bool(before.role & (Role.ANSWER | Role.FINAL | Role.IS))

    def _word(self, token: Token, back: int) -> int | None:
        """A strength; None to go on; 0 to stop here."""
        role = token.role
        tied = self.colon or self.gathered & Role.IS
        if role & (Role.ANSWER | Role.FINAL) and (tied or not self.gap):
            return STRONG
        if role & Role.REMAINS and not self.gap:
            return STRONG  # `That leaves C`
        if role & STOP and not role & NEUTRAL:
            return 0
        if not role:
            if not tied:
                return 0
            self.gap = True
            self.unknown += 1
        elif not self.gap:
            if role & Role.CHOOSE:
                return 0 if _unknown(self.reply, back - 1) else WEAK  # `I choose B`, not `Students often choose A`
            self.gathered |= role
        elif self.unknown == 1 and role & (Role.CORRECT | Role.BETTER) and tied:
            return WEAK  # `the most likely place is a department store`
        return None

    def _settled(self) -> int:
        tied = self.colon or self.gathered & Role.IS
        if self.gathered & (Role.CORRECT | Role.BETTER) and (tied or self.gathered & Role.OPTION):
            return STRONG if self.gathered & Role.CORRECT else WEAK  # `Correct: B`, `More plausible: B`
        if self.gathered & Role.OPTION and tied and not self.gap:
            return WEAK  # `Option: B`
        return WEAK if _after_colon(self.reply, self.at) else 0


def _links(reply: Reply, at: int) -> bool:
    token = reply.get(at)
    return token is not None and bool(token.role & Role.IS)


def _after_colon(reply: Reply, at: int) -> bool:
    """Whether the reply ends in a colon and this mention, whatever stands before: `By elimination: B`.

    Not `Question:2 +`, the echo of a question, nor `أين: إ`, a letter that is none of those shown.
    """
    token, before = reply.tokens[at], reply.get(at - 1)
    while before is not None and before.kind == "sign" and before.text in "([\"'":
        at -= 1
        before = reply.get(at - 1)
    if before is None or before.text != ":" or at < 2:
        return False
    head = reply.tokens[at - 2]
    if head.choice is not None or head.role & Role.QUESTION or (token.is_label and not token.shown):
        return False
    rest = [other for other in reply.tokens[at:] if other.kind not in ("sign", "line")]
    return len(rest) == 1


def _called_after(reply: Reply, at: int) -> int:
    """WEAK when what follows calls the mention correct, better or the answer: `B is right`, `B が正解です`."""
    token = reply.tokens[at]
    if not (token.strict or token.kind == "number") or asked(reply, at):
        return 0
    if token.text in WORDY and token.native and not reply.closes(at) and not reply.judged_after(at):
        return 0  # `A good answer is …`
    _, ahead = reply.beside(at)
    told = related = False
    listed = reply.enumerates(at)
    for place in range(ahead, ahead + 8):
        after = reply.get(place)
        if after is None or (reply.clause[place] != reply.clause[at] and not (listed or related)):
            return 0  # a clause of its own is about B only after `B. …` as in a list, or `B, which …`
        if after.kind == "sign":
            related = related or _relative(reply, place)
            if after.text not in ")]}\"'-" and not related:
                return 0  # `B: correct` is a list of verdicts (see `judged`)
            continue
        if after.kind != "word" or not after.role or after.choice is not None:
            return 0  # `B is a city …`, `B and C are right`
        verdict = _verdict(reply, at, place, told)
        if verdict is not None:
            return verdict
        told = told or bool(after.role & Role.IS)
    return 0


def _verdict(reply: Reply, at: int, place: int, told: bool) -> int | None:
    """What one word after a mention says of it: WEAK, 0 to stop, None to go on."""
    token, after = reply.tokens[at], reply.tokens[place]
    if after.role & (Role.CORRECT | Role.ANSWER):
        if token.kind == "number" and not token.strict:
            return WEAK if told and token.shown else 0  # `2 is right`, but not `2 correct answers`
        # `B is the answer`, `B 正解`; `B answer` is left to `plain`
        return WEAK if told or after.role & Role.CORRECT or after.start == token.end else 0
    if after.role & Role.BETTER and (told or reply.concludes(place)):
        # `B is more likely`, `B is better than A`; but not `B is more expensive`
        return WEAK if reply.concludes(place) or not _unknown(reply, place + 1) else 0
    if after.role & Role.REMAINS and reply.concludes(place):
        return WEAK  # `Only C remains.`
    relative = after.role & Role.BECAUSE and after.hint & Role.RELATIVE
    return 0 if after.role & STOP and not after.role & NEUTRAL and not relative else None


def _unknown(reply: Reply, at: int) -> bool:
    token = reply.get(at)
    return token is not None and token.kind == "word" and not token.role


def _relative(reply: Reply, at: int) -> bool:
    """Whether a comma opens a relative clause: `B, which is the answer`."""
    after = reply.get(at + 1)
    return reply.tokens[at].text == "," and after is not None and bool(after.role & Role.BECAUSE)
