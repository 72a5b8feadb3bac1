"""A divided reply, and what stands beside a mention in it and is joined to it."""

from __future__ import annotations

from clika_client.answers.rules.clauses import NEUTRAL, Divided
from clika_client.answers.rules.labels import AMBIGUOUS
from clika_client.answers.rules.token import WORDY, Token, joined
from clika_client.answers.rules.words import Role

JOINTS = frozenset(",/&+|-;~·・•×")


class Reply(Divided):
    """A reply as the rules see it."""

    __slots__ = ()

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

    def opens_remark(self, at: int) -> bool:
        """Whether a dash, semicolon or bracket opens a remark that runs to the end of the sentence or bracket."""
        if self.tokens[at].text == "(":
            return self.aside(at)
        if self.tokens[at].text == ";":
            return True
        spaced = self.tokens[at].start > self.tokens[at - 1].end
        rest = [
            token.text for token, number in zip(self.tokens, self.sentence, strict=True) if number == self.sentence[at]
        ]
        return spaced and rest.count("-") == 1

    def judged_after(self, at: int) -> bool:
        """Whether a word right after a label prefers it and ends the clause: `A 更合理`, `A seçeneği daha olasıdır`."""
        ahead = at + 1
        while (token := self.get(ahead)) is not None and token.kind == "word" and token.choice is None and token.role:
            if token.role & Role.BETTER and self.concludes(ahead):
                return True
            ahead += 1
        return False

    def concludes(self, at: int) -> bool:
        """Whether nothing follows the word at `at` in its clause but fillers, `than …` and `because …`."""
        fillers = Role.FILL | Role.IS | Role.BETTER | Role.OPTION
        for place in range(at + 1, len(self.tokens)):
            token = self.tokens[place]
            if token.kind in ("line", "sign") or token.role & (Role.THAN | Role.BECAUSE | Role.BUT):
                return True
            if token.kind != "word" or not token.role & fillers:
                return False
        return True

    def in_aside(self, at: int) -> bool:
        """Whether the token stands in a bracketed remark of several words: `B. (A is only the longest.)`."""
        depth = 0
        for place in range(at - 1, max(-1, at - 40), -1):
            token = self.tokens[place]
            depth += (token.text == ")") - (token.text == "(")
            if depth < 0:
                return self.aside(place)
        return False

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

        An option's text outranks the label (`B) London` is London) when its line, sentence or reply ends with it.
        `C. Sydney, the largest city, is not the capital` goes on: there the text opens an explanation, and the
        label stays. Other contradictions are AMBIGUOUS.
        """
        token = self.tokens[at]
        choice = token.choice if token.choice is not None else AMBIGUOUS
        ahead, signs = self._past_signs(at)
        nxt = self.get(ahead)
        if nxt is not None and token.index >= 0 and (own := self._own_text(nxt.start, token.index)):
            while ahead < len(self.tokens) and self.tokens[ahead].start < own:
                ahead += 1
            return token.index, ahead
        if nxt is None or not self._second_name(token, nxt, signs):
            return choice, at + 1
        if nxt.choice == choice:
            return choice, ahead + 1
        if "," in signs:
            return AMBIGUOUS, ahead + 1  # `B, London`: two answers
        if not token.is_label and "(" not in signs and "[" not in signs:
            return choice, at + 1  # `London: B …`
        if not self._ends_with(ahead):
            return choice, at + 1  # `C. Sydney, the largest city, …`
        return (nxt.choice if nxt.kind == "option" and nxt.choice is not None else choice), ahead + 1

    def _past_signs(self, at: int) -> tuple[int, str]:
        """The position behind the signs after a mention, and those signs: `B) …`, `B - …`, `B, the …`, `B option …`."""
        ahead, signs = at + 1, ""
        while (nxt := self.get(ahead)) is not None:
            beyond = self.get(ahead + 1)
            if nxt.kind == "sign" and nxt.text in ".):]}-=\"'(,[>|":
                signs += nxt.text
            elif signs and nxt.is_article and beyond is not None and beyond.choice == self.tokens[at].choice:
                pass
            elif not (nxt.kind == "word" and nxt.role & Role.OPTION and not signs):
                break
            ahead += 1
        return ahead, signs

    @staticmethod
    def _second_name(token: Token, nxt: Token, signs: str) -> bool:
        """Whether `nxt` is a label beside an option's text, or a text beside a label, and not the next sentence."""
        if nxt.choice is None or nxt.is_label == token.is_label or nxt.kind == "line":
            return False
        if not signs and token.text in WORDY and token.is_label and nxt.choice != token.choice:
            return False  # `A bank might have one`
        return not nxt.is_label or nxt.strict or bool(signs)

    def _ends_with(self, at: int) -> bool:
        """Whether a line, a sentence or the reply ends with the token at `at`, signs aside: `B. Paris,` was cut."""
        at += 1
        while (token := self.get(at)) is not None and token.kind == "sign":
            if token.text in ".!?":
                return True
            at += 1
        return token is None or token.kind == "line"

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
            if token.choice is not None and joint and (token.strict or self._ends_with_sign(ahead)):
                return joint, ahead
            if token.choice is not None and token.choice >= 0 and token.strict:
                break  # the A of `B。A项…`, which is "and" in Czech
            if (token.kind == "sign" and token.text in JOINTS) or self._alone_below(ahead):
                joint = joint or token.text
            elif token.role & (Role.AND | Role.OR) or self._may_join(ahead):
                joint = "and"
            elif not ((token.kind == "sign" and token.text in "()[]{}\"'.:") or token.role & (Role.OPTION | Role.FILL)):
                break
        return joint, None

    def _ends_with_sign(self, at: int) -> bool:
        """Whether a shown letter can be meant as a label, written small: `b and a.`, but not `C - a lack of it`."""
        after = self.get(at + 1)
        token = self.tokens[at]
        return token.shown and (not token.is_article or after is None or after.kind in ("line", "sign"))

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
                return (
                    token.choice != self.tokens[at].choice and back not in self.rejected and not self._again(at, back)
                )
            joins = bool(token.role & (Role.AND | Role.OR)) or self._may_join(back)
            if joins or self._alone_below(back) or (token.kind == "sign" and token.text in JOINTS):
                joint = direct = True
            elif token.role & (Role.OPTION | Role.FILL):
                direct = False
            elif not (token.kind == "sign" and token.text in "()[]{}\"'"):
                break
        return False

    def _again(self, at: int, back: int) -> bool:
        """Whether a comma ends a list that held the mention already: `Between C and D, C is more plausible`."""
        commas = all(self.tokens[place].text == "," for place in range(back + 1, at))
        choice, first = self.tokens[at].choice, max(0, back - 6)
        return commas and any(self.tokens[place].choice == choice for place in range(first, back))

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
