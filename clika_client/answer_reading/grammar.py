"""Rules over the tokens of a reply: which mention is announced as the answer, leads it, or stands alone."""

from __future__ import annotations

from dataclasses import dataclass

from clika_client.answer_reading.labels import AMBIGUOUS
from clika_client.answer_reading.tokens import WORDY, Token, joined
from clika_client.answer_reading.words import Role

REJECT = Role.NOT | Role.WRONG
STOP = Role.NOT | Role.WRONG | Role.NOT_BEFORE | Role.NOT_AFTER | Role.BUT | Role.AND | Role.OR | Role.BECAUSE
NEUTRAL = Role.FILL | Role.IS | Role.OPTION | Role.CORRECT | Role.FINAL | Role.ANSWER | Role.CHOOSE
OPENERS = frozenset("([{\"'<-:=>~|")
JOINTS = frozenset(",/&+|-;~·・•×")
ANNOUNCE = frozenset(":=-~|>")


@dataclass(frozen=True, slots=True)
class Hit:
    """A mention that a rule takes as the answer."""

    at: int
    choice: int
    """Index, NOT_SHOWN, or AMBIGUOUS when more than one option is named here."""
    strength: int
    """2: announced by a word for "answer"; 1: by "I choose", "option:", or called correct."""


class Reply:
    """A tokenised reply, its clauses and sentences, and what is rejected in it."""

    __slots__ = ("clause", "cores", "low", "rejected", "sentence", "sentences", "tokens")

    def __init__(self, tokens: list[Token], low: str, cores: tuple[str, ...]) -> None:
        self.tokens = tokens
        self.low = low
        """The cleaned reply in lower case; tokens give positions in it."""
        self.cores = cores
        self.clause: list[int] = []
        self.sentence: list[int] = []
        self._divide()
        self.sentences: dict[int, list[int]] = {}
        for at, number in enumerate(self.sentence):
            self.sentences.setdefault(number, []).append(at)
        self.rejected = self._rejections()

    def _divide(self) -> None:
        clause = sentence = 0
        for at, token in enumerate(self.tokens):
            is_name = token.strict and token.choice is not None
            if token.role & (Role.BUT | Role.NOT_AFTER) and not token.role & NEUTRAL and not is_name:
                clause += 1
            self.clause.append(clause)
            self.sentence.append(sentence)
            if token.kind == "line" or (token.kind == "sign" and token.text in ".!?;"):
                if token.text == "." and (self.enumerates(at - 1) or self._inside(at)):
                    continue
                sentence += 1
                clause += 1
            elif (token.text in "()" and self._aside(at)) or token.text == "," or (token.role & Role.NOT_BEFORE and not token.role & NEUTRAL):
                clause += 1

    def _aside(self, at: int) -> bool:
        """Whether a bracket belongs to a remark of several words: `B (A is wrong)`."""
        step = 1 if self.tokens[at].text == "(" else -1
        other = ")" if step == 1 else "("
        words = 0
        while (token := self.get(at := at + step)) is not None and token.kind != "line" and token.text != other:
            words += token.kind == "word"
        return words > 2

    def _inside(self, at: int) -> bool:
        """A full stop within a word or abbreviation: `e.g`, `Ans. B`."""
        following = self.get(at + 1)
        if following is not None and following.start == self.tokens[at].end and following.kind in ("word", "number"):
            return following.choice is None and following.kind == "word" and following.text[:1].islower()
        before = self.get(at - 1)
        return before is not None and bool(before.role & Role.ANSWER) and len(before.text) <= 4 and following is not None

    def enumerates(self, at: int) -> bool:
        """Whether the token at `at` is a label that opens a line: `A. London`."""
        if at < 0 or not self.tokens[at].is_label:
            return False
        back = at - 1
        while back >= 0 and self.tokens[back].kind == "sign" and self.tokens[back].text in "([{\"'<-":
            back -= 1
        return back < 0 or self.tokens[back].kind == "line"

    def get(self, at: int) -> Token | None:
        """The token at a position, or None outside the reply."""
        return self.tokens[at] if 0 <= at < len(self.tokens) else None

    def _rejections(self) -> set[int]:
        """Mentions in a clause that denies, excludes or conditions them."""
        rejected: set[int] = set()
        by_clause: dict[int, list[int]] = {}
        for at, number in enumerate(self.clause):
            by_clause.setdefault(number, []).append(at)
        for members in by_clause.values():
            roles = [self.tokens[at].role for at in members]
            mentions = [at for at in members if self.tokens[at].choice is not None]
            if not mentions:
                continue
            if any(role & (REJECT | Role.NOT_AFTER) and not role & Role.NOT_BEFORE for role in roles):
                rejected.update(mentions)
            for place, role in zip(members, roles, strict=True):
                if role & Role.NOT_BEFORE:
                    rejected.update(at for at in mentions if at < place)
        return rejected

    # ---------------------------------------------------------------- one mention and its surroundings

    def closes(self, at: int) -> bool:
        """Whether a mention ends where it should: at a sign, the end, or before a word that may follow a label."""
        token, after = self.tokens[at], self.get(at + 1)
        if after is None or after.kind in ("line", "sign"):
            return True
        if after.kind == "option":
            return after.choice == token.choice or token.text not in WORDY
        if (after.is_label and after.strict) or self._labels_around(at + 1):
            return True
        if after.kind == "number":
            return False
        if token.is_label and token.text in WORDY:
            allowed = Role.IS | Role.BECAUSE | Role.AND | Role.OR | Role.NOT | Role.BUT | Role.NOT_BEFORE
            return (bool(after.role & allowed) and not after.role & (Role.FILL | Role.CORRECT)) or bool(
                after.role and after.start == token.end
            )
        return bool(after.role)

    def _labels_around(self, at: int) -> bool:
        """Whether the word at a position stands between two labels, joining them in a language unknown: `A x B`."""
        beyond = self.get(at + 1)
        return beyond is not None and beyond.is_label and beyond.strict and beyond.choice != self.tokens[at - 1].choice

    def states(self, at: int) -> bool:
        """Whether what follows describes the mention (`A is London`) rather than ending the statement."""
        after = self.get(at + 1)
        if after is None or after.kind != "word" or not after.role & Role.IS or after.role & (Role.AND | Role.OR):
            return False
        ahead = at + 2
        while (token := self.get(ahead)) is not None and token.kind == "word" and token.role & (Role.IS | Role.FILL):
            ahead += 1
        token = self.get(ahead)
        return not (token is None or token.kind in ("line", "sign") or token.role & Role.BECAUSE)

    def beside(self, at: int) -> tuple[int, int]:
        """The choice that a mention and the text or label right beside it name, and the position after both.

        An option's text outranks the label when it is all that stands beside it; other contradictions
        are AMBIGUOUS.
        """
        token = self.tokens[at]
        choice = token.choice if token.choice is not None else AMBIGUOUS
        ahead = at + 1
        signs = ""
        while (nxt := self.get(ahead)) is not None:
            if nxt.kind == "sign" and nxt.text in ".):]}-=\"'(,[>|":
                signs += nxt.text
            elif not (nxt.kind == "word" and nxt.role & Role.OPTION and not signs):
                break
            ahead += 1
        nxt = self.get(ahead)
        if token.index >= 0 and nxt is not None and (own := self._own_text(nxt.start, token.index)):
            while ahead < len(self.tokens) and self.tokens[ahead].start < own:
                ahead += 1
            return token.index, ahead
        if nxt is None or nxt.choice is None or nxt.is_label == token.is_label or nxt.kind == "line":
            return choice, at + 1
        if not signs and token.text in WORDY and token.is_label and nxt.choice != choice:
            return choice, at + 1
        if nxt.choice == choice:
            return choice, ahead + 1
        if "," in signs or (not token.is_label and "(" not in signs and "[" not in signs):
            return (AMBIGUOUS, ahead + 1) if "," in signs else (choice, at + 1)
        after = self.get(ahead + 1)
        if after is not None and after.kind not in ("line", "sign"):
            return choice, at + 1
        return (nxt.choice if nxt.kind == "option" else choice), ahead + 1

    def _own_text(self, start: int, choice: int) -> int:
        """Where the text of option `choice` ends if it stands at `start`, else 0."""
        text = self.cores[choice]
        end = start + len(text)
        return end if text and self.low.startswith(text, start) and not joined(self.low, end) else 0

    def coordinated(self, at: int) -> tuple[int, int]:
        """`beside`, with what is joined to it: `A and C`, `A, C`, `A/C` are AMBIGUOUS."""
        choice, ahead = self.beside(at)
        while True:
            joint, nxt = self._joint(ahead)
            if nxt is None:
                return choice, ahead
            following, beyond = self.beside(nxt)
            if following != choice:
                if joint == "," and not self._list_end(beyond):
                    return choice, ahead
                return AMBIGUOUS, beyond
            ahead = beyond

    def _joint(self, at: int) -> tuple[str, int | None]:
        """The connective at a position and the mention it leads to."""
        joint = ""
        for ahead in range(at, min(at + 8, len(self.tokens))):
            token = self.tokens[ahead]
            if token.choice is not None and joint and (token.strict or token.shown):
                return joint, ahead
            if token.kind == "sign" and token.text in JOINTS:
                joint = joint or token.text
            elif token.role & (Role.AND | Role.OR):
                joint = "and"
            elif not ((token.kind == "sign" and token.text in "()[]{}\"'.:") or token.role & (Role.OPTION | Role.FILL)):
                break
        return joint, None

    def _joined_before(self, at: int) -> bool:
        """Whether another option stands before a mention and is joined to it: `A and C are right`."""
        joint = False
        for back in range(at - 1, max(-1, at - 8), -1):
            token = self.tokens[back]
            if token.choice is not None and joint and (token.strict or token.shown):
                return token.choice != self.tokens[at].choice and back not in self.rejected
            if (token.kind == "sign" and token.text in JOINTS) or token.role & (Role.AND | Role.OR):
                joint = True
            elif not ((token.kind == "sign" and token.text in "()[]{}\"'") or token.role & Role.OPTION):
                break
        return False

    def _list_end(self, at: int) -> bool:
        token = self.get(at)
        return (
            token is None
            or token.kind == "line"
            or token.kind == "sign"
            or bool(token.role & (Role.AND | Role.OR))
        )

    # ---------------------------------------------------------------- announced answers

    def hits(self) -> list[Hit]:
        """Mentions announced as the answer, in order; an AMBIGUOUS one names several options."""
        found: list[Hit] = []
        beyond = 0
        for at, token in enumerate(self.tokens):
            if token.choice is None or at < beyond or at in self.rejected:
                continue
            strength = self._announced(at)
            if strength and (not self.closes(at) or self.states(at) or self._asked(at)):
                strength = 0
            if strength and token.is_label and not token.strict and not self._lower_label(at):
                strength = 0
            if not strength and token.strict and not self._asked(at):
                strength = self._called_correct(at)
            if strength:
                choice, beyond = self.coordinated(at)
                if self._joined_before(at):
                    choice = AMBIGUOUS
                found.append(Hit(at, choice, strength))
        return found

    def _asked(self, at: int) -> bool:
        """Whether the mention stands in a question and the reply goes on after it."""
        members = self.sentences[self.sentence[at]]
        return self.tokens[members[-1]].text == "?" and members[-1] < len(self.tokens) - 1

    def _lower_label(self, at: int) -> bool:
        """Whether a bare lower-case letter or a digit can be meant as a label here."""
        token = self.tokens[at]
        if token.kind == "number":
            return True
        if token.text.upper() not in WORDY:
            return True
        before, after = self.get(at - 1), self.get(at + 1)
        ended = after is not None and (after.kind == "line" or after.text in ".!)")
        return ended or (before is not None and before.text == ":" and after is None)

    def _announced(self, at: int) -> int:
        """2 behind a word for answer, final or correct; 1 behind a verb of choosing or `option:`; else 0."""
        gathered, colon, gap = 0, False, False
        for back in range(at - 1, max(-1, at - 40), -1):
            token = self.tokens[back]
            if token.kind == "sign":
                if token.text in ANNOUNCE:
                    colon = True
                elif not (token.text in "()[]{}\"'<,/" or (token.text == "." and self.sentence[back] == self.sentence[at])):
                    if token.text in ".!?;":
                        break
                    continue
            elif token.kind == "line":
                before = self.get(back - 1)
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
        if self._after_colon(at):
            return 1
        return 0

    def _after_colon(self, at: int) -> bool:
        """Whether the reply ends in a colon and this mention, whatever stands before: `By elimination: B`."""
        before = self.get(at - 1)
        while before is not None and before.kind == "sign" and before.text in "([\"'":
            at -= 1
            before = self.get(at - 1)
        if before is None or before.text != ":" or at < 2 or self.tokens[at - 2].choice is not None:
            return False
        rest = [token for token in self.tokens[at:] if token.kind not in ("sign", "line")]
        return len(rest) == 1

    def _called_correct(self, at: int) -> int:
        """1 when what follows calls the mention correct or the answer: `B is right`, `B が正解です`."""
        token = self.tokens[at]
        if token.text in WORDY and token.native and not self.closes(at):
            return 0
        _, ahead = self.beside(at)
        steps = 0
        told = False
        while (after := self.get(ahead)) is not None and steps < 8:
            if self.clause[ahead] != self.clause[at] and not self.enumerates(at):
                return 0
            if after.kind == "sign":
                if after.text not in ")]}\"'-":
                    return 0
            elif after.kind != "word" or not after.role or after.choice is not None:
                return 0
            elif after.role & (Role.CORRECT | Role.ANSWER):
                return 1 if told or after.role & Role.CORRECT or after.start == token.end else 0
            elif after.role & STOP and not after.role & NEUTRAL:
                return 0
            else:
                told = told or bool(after.role & Role.IS)
            ahead += 1
            steps += 1
        return 0

    # ---------------------------------------------------------------- leading label and plain sentences

    def leading(self) -> int | None:
        """The choice of a label that opens the reply and is set off from what follows; AMBIGUOUS for a list."""
        at = 0
        while (token := self.get(at)) is not None and (
            (token.kind == "sign" and (token.text in "([{\"'<-:=>~|" or not token.text.isascii()))
            or (token.kind == "word" and token.role & Role.OPTION and token.choice is None and at < 3)
        ):
            at += 1
        if token is None or not token.is_label or token.choice is None:
            return None
        if not self._set_off(at):
            return None
        choice, ahead = self.coordinated(at)
        own_text = ahead > at + 1 and choice == token.choice
        if self._names_another(at):
            return AMBIGUOUS
        if at in self.rejected and not own_text and self._denied(at):
            return None
        others = {
            self.tokens[other].choice
            for other in range(at + 1, len(self.tokens))
            if other not in self.rejected and self._lists(other)
        }
        if others - {choice}:
            return AMBIGUOUS
        return choice

    def _names_another(self, at: int) -> bool:
        """Whether another label follows a leading one at once: `A: C`, `A → C`."""
        ahead = at + 1
        while (token := self.get(ahead)) is not None and token.kind == "sign" and token.text in ".):]}>\"'([":
            ahead += 1
        return (
            token is not None
            and token.shown
            and token.strict
            and token.text.isascii() == self.tokens[at].text.isascii()
            and token.choice != self.tokens[at].choice
            and ahead not in self.rejected
            and self.closes(ahead)
        )

    def _lists(self, at: int) -> bool:
        """Whether a label introduces an option, as in a repeated list: at a line's start, or with its text."""
        token = self.tokens[at]
        if not token.is_label or token.choice is None:
            return False
        if self.enumerates(at):
            return self._set_off(at)
        after = self.get(at + 1)
        return after is not None and after.text in ".):" and self.beside(at)[1] > at + 1

    def _denied(self, at: int) -> bool:
        """Whether the clause around a leading label calls it wrong: `A: London is wrong`, `A is not correct`."""
        number = self.clause[at]
        members = [i for i, c in enumerate(self.clause) if c == number and i > at]
        if any(self.tokens[i].role & Role.WRONG for i in members):
            return True
        roles = [self.tokens[i].role for i in members[:4]]
        verdict = Role.CORRECT | Role.ANSWER | Role.IS
        return any(
            a & Role.NOT and b & verdict for n, a in enumerate(roles) for m, b in enumerate(roles) if n != m
        )

    def _set_off(self, at: int) -> bool:
        token, after = self.tokens[at], self.get(at + 1)
        if after is None or after.kind == "line":
            return True
        if after.kind == "sign":
            if after.text in ".):]}>;!\"":
                return True
            if after.text == "?":
                return at + 2 >= len(self.tokens)
            if after.text == ",":
                beyond = self.get(at + 2)
                if beyond is None or beyond.kind != "word" or token.text not in WORDY:
                    return True
                return beyond.choice is not None or bool(beyond.role & Role.BECAUSE)
            if after.text in "-=(|~":
                return after.start > token.end or after.text in "(=|"
            beyond = self.get(at + 2)
            return after.text not in "'&+/" and (beyond is None or beyond.choice is None)
        if after.kind == "option":
            return after.choice == token.choice or token.text not in WORDY
        return bool(after.role & Role.BECAUSE) and token.text not in WORDY

    def plain(self, members: list[int]) -> int | None:
        """The choice of a sentence in which every word is known and the mentions agree; AMBIGUOUS if they do not."""
        choices: set[int] = set()
        if self._asked(members[0]) or self._initial(members):
            return None
        at = 0
        while at < len(members):
            place = members[at]
            token = self.tokens[place]
            at += 1
            if token.choice is not None and self.closes(place) and (token.strict or self._lower_label(place)):
                if place in self.rejected:
                    continue
                choice, beyond = self.coordinated(place)
                choices.add(AMBIGUOUS if self._joined_before(place) else choice)
                while at < len(members) and members[at] < beyond:
                    at += 1
            elif token.kind == "number" or (token.kind == "word" and not token.role):
                return None
        if not choices:
            return None
        return choices.pop() if len(choices) == 1 else AMBIGUOUS

    def _initial(self, members: list[int]) -> bool:
        """Whether the "sentence" is a letter and a full stop within a line, as in `Dr. B. Smith`."""
        if members[0] == 0 or not self.tokens[members[0]].is_label or len(members) > 2:
            return False
        title = self.get(members[0] - 2)
        if title is not None and title.kind == "word" and not title.role and len(title.text) < 4:
            return True
        if len(members) != 2:
            return False
        after = self.get(members[-1] + 1)
        return after is not None and after.kind != "line" and self.tokens[members[0] - 1].kind != "line"

    def named(self, labels: bool = True) -> set[int]:
        """Every option that the reply names without rejecting it; labels only in a form safe in running text."""
        found: set[int] = set()
        for at, token in enumerate(self.tokens):
            if token.choice is None or token.choice == AMBIGUOUS or at in self.rejected:
                continue
            if token.kind == "option" or (labels and token.strict and token.choice >= 0 and self.closes(at)):
                found.add(token.choice)
        return found
