"""A tokenised reply: its clauses and sentences, what it rejects, and what stands beside and is joined to what."""

from __future__ import annotations

from clika_client.answers.rules.labels import AMBIGUOUS
from clika_client.answers.rules.tokens import WORDY, Token, joined
from clika_client.answers.rules.words import Role

REJECT = Role.NOT | Role.WRONG
NEUTRAL = Role.FILL | Role.IS | Role.OPTION | Role.CORRECT | Role.FINAL | Role.ANSWER | Role.CHOOSE
JOINTS = frozenset(",/&+|-;~·・•×")


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
        named = judged = False  # in this clause: an option, and then a word that calls it wrong
        for at, token in enumerate(self.tokens):
            if self.clause and self.clause[-1] != clause:
                named = judged = False
            if judged and token.role & Role.AND and token.choice is None:
                clause += 1
                named = judged = False
            named = named or token.choice is not None
            judged = judged or (named and bool(token.role & Role.WRONG))
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
            else:
                denies_before = token.role & Role.NOT_BEFORE and not token.role & NEUTRAL
                clause += token.text == "," or bool(denies_before) or (token.text in "()" and self._aside(at))

    def _aside(self, at: int) -> bool:
        """Whether a bracket belongs to a remark of several words: `B (A is wrong)`."""
        step = 1 if self.tokens[at].text == "(" else -1
        other = ")" if step == 1 else "("
        words = 0
        for place in range(at + step, at + 40 * step, step):
            token = self.get(place)
            if token is None or token.kind == "line" or token.text == other:
                break
            words += token.kind == "word"
        return words > 2

    def _inside(self, at: int) -> bool:
        """A full stop within a word or abbreviation: `e.g`, `Ans. B`."""
        following = self.get(at + 1)
        if following is not None and following.start == self.tokens[at].end and following.kind in ("word", "number"):
            return following.choice is None and following.kind == "word" and following.text[:1].islower()
        before = self.get(at - 1)
        if before is None or following is None:
            return False
        return bool(before.role & Role.ANSWER) and len(before.text) <= 4

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
                elif role & Role.WRONG and place > mentions[0]:
                    rejected.update(self._listed_before(mentions[0]))
        return rejected

    def _listed_before(self, at: int) -> list[int]:
        """Mentions that a comma joins to the one at `at`: all of `A, C and D are wrong`."""
        found: list[int] = []
        while at >= 2 and self.tokens[at - 1].text == "," and self.tokens[at - 2].choice is not None:
            at -= 2
            found.append(at)
        return found

    def closes(self, at: int) -> bool:
        """Whether a mention ends where it should: at a sign, the end, or before a word that may follow a label."""
        token, after = self.tokens[at], self.get(at + 1)
        if after is None or after.kind in ("line", "sign"):
            return True
        if after.kind == "option":
            return after.choice == token.choice or token.text not in WORDY
        if (after.is_label and after.strict) or self._between_names(at + 1):
            return True
        if after.kind == "number":
            return False
        if token.is_label and token.text in WORDY:
            allowed = Role.IS | Role.BECAUSE | Role.AND | Role.OR | Role.NOT | Role.BUT | Role.NOT_BEFORE
            return (bool(after.role & allowed) and not after.role & (Role.FILL | Role.CORRECT)) or bool(
                after.role and after.start == token.end
            )
        return bool(after.role)

    def _between_names(self, at: int) -> bool:
        """Whether the word at a position stands between two names of options: `A x B`, in a language unknown."""
        beyond = self.get(at + 1)
        before = self.tokens[at - 1]
        if beyond is None or beyond.choice in (None, before.choice) or beyond.is_label != before.is_label:
            return False
        return beyond.strict or (beyond.kind == "number" and beyond.shown)

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
        if nxt.is_label and not nxt.strict and not signs:
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
            if (token.kind == "sign" and token.text in JOINTS) or self._alone_below(ahead):
                joint = joint or token.text
            elif token.role & (Role.AND | Role.OR) or self._may_join(ahead):
                joint = "and"
            elif not ((token.kind == "sign" and token.text in "()[]{}\"'.:") or token.role & (Role.OPTION | Role.FILL)):
                break
        return joint, None

    def _alone_below(self, at: int) -> bool:
        """Whether a line break leads to a line that is one mention and no more."""
        if self.tokens[at].kind != "line":
            return False
        mentions = 0
        for token in self.tokens[at + 1 : at + 10]:
            if token.kind == "line":
                break
            if token.choice is None and token.kind != "sign":
                return False
            mentions += token.choice is not None
        return mentions > 0

    def _may_join(self, at: int) -> bool:
        """Whether a word of unknown meaning stands between two names, as an unlisted `and` or `or` would."""
        token, before = self.tokens[at], self.get(at - 1)
        if token.kind != "word" or before is None or before.choice is None or not self._between_names(at):
            return False
        telling = NEUTRAL & ~Role.FILL | Role.BECAUSE | Role.NOT | Role.WRONG | Role.NOT_AFTER | Role.NOT_BEFORE
        return not token.role & telling and at + 1 not in self.rejected

    def joined_before(self, at: int) -> bool:
        """Whether another option stands before a mention and is joined to it: `A and C are right`."""
        joint = direct = False
        for back in range(at - 1, max(-1, at - 8), -1):
            token = self.tokens[back]
            if token.choice is not None and joint and (token.strict or (token.shown and direct)):
                return token.choice != self.tokens[at].choice and back not in self.rejected
            joins = bool(token.role & (Role.AND | Role.OR)) or self._may_join(back)
            if joins or self._alone_below(back) or (token.kind == "sign" and token.text in JOINTS):
                joint = direct = True
            elif token.role & (Role.OPTION | Role.FILL):
                direct = False
            elif not (token.kind == "sign" and token.text in "()[]{}\"'"):
                break
        return False

    def _list_end(self, at: int) -> bool:
        token = self.get(at)
        return token is None or token.kind == "line" or token.kind == "sign" or bool(token.role & (Role.AND | Role.OR))

    def named(self, labels: bool = True) -> set[int]:
        """Every option that the reply names without rejecting it; labels only in a form safe in running text."""
        found: set[int] = set()
        for at, token in enumerate(self.tokens):
            if token.choice is None or token.choice == AMBIGUOUS or at in self.rejected:
                continue
            if token.kind == "option" or (labels and token.strict and token.choice >= 0 and self.closes(at)):
                found.add(token.choice)
        return found
