"""A tokenised reply in lines, sentences and clauses, and the mentions that a clause rejects."""

from __future__ import annotations

from clika_client.answers.rules.token import Token
from clika_client.answers.rules.words import Role

REJECT = Role.NOT | Role.WRONG
NEUTRAL = Role.FILL | Role.IS | Role.OPTION | Role.CORRECT | Role.FINAL | Role.ANSWER | Role.CHOOSE


class _Judging:
    """Within one clause: whether an option was named, and then a word that calls it wrong."""

    def __init__(self) -> None:
        self.named = self.judged = False

    def ends_before(self, token: Token) -> bool:
        """Whether a word opens a clause of its own: `A is wrong and B is right`, `A è sbagliata: resta la C`."""
        opens = token.role & (Role.AND | Role.REMAINS) or token.hint & Role.SO
        return self.judged and bool(opens) and token.choice is None

    def take(self, token: Token) -> None:
        self.named = self.named or token.choice is not None
        self.judged = self.judged or (self.named and bool(token.role & Role.WRONG))


def _contrasts(token: Token) -> bool:
    """Whether a word opens a clause of its own: `but`, `instead of`; a label that looks like one does not."""
    is_name = token.strict and token.choice is not None
    return bool(token.role & (Role.BUT | Role.NOT_AFTER)) and not token.role & NEUTRAL and not is_name


def _point(token: Token) -> bool:
    return token.kind == "sign" and token.text == "."


class Divided:
    """A tokenised reply, its clauses and sentences, and what is rejected in it."""

    __slots__ = ("clause", "cores", "languages", "lines", "low", "rejected", "sentence", "sentences", "tokens")

    def __init__(self, tokens: list[Token], languages: frozenset[str], low: str, cores: tuple[str, ...]) -> None:
        self.tokens = tokens
        self.languages = languages
        """Those that most of its words belong to."""
        self.low = low
        """The cleaned reply in lower case and plain letters; tokens give positions in it."""
        self.cores = cores
        self.clause: list[int] = []
        self.sentence: list[int] = []
        self.lines = self._lines()
        """Positions of the tokens of each line that has any."""
        self._divide()
        self.sentences: dict[int, list[int]] = {}
        for at, number in enumerate(self.sentence):
            self.sentences.setdefault(number, []).append(at)
        self.rejected = self._rejections()

    def _lines(self) -> list[list[int]]:
        lines: list[list[int]] = [[]]
        for at, token in enumerate(self.tokens):
            if token.kind != "line":
                lines[-1].append(at)
            elif lines[-1]:
                lines.append([])
        return lines if lines[-1] else lines[:-1]

    def _divide(self) -> None:
        """Number the clauses and sentences: what denies an option rejects those in its own clause."""
        clause = sentence = 0
        judging = _Judging()
        for at, token in enumerate(self.tokens):
            if self.clause and self.clause[-1] != clause:
                judging = _Judging()
            if judging.ends_before(token) or _contrasts(token):
                clause += 1
                judging = _Judging()
            judging.take(token)
            self.clause.append(clause)
            self.sentence.append(sentence)
            if self._ends_sentence(at):
                sentence += 1
                clause += 1
            elif not _point(token) and self._ends_clause(at):
                clause += 1

    def _ends_sentence(self, at: int) -> bool:
        """Whether a sentence ends here: not at the point of `A. London`, `e.g.`, `Ans. B`."""
        token = self.tokens[at]
        if token.kind == "line":
            return True
        if token.kind != "sign" or token.text not in ".!?;":
            return False
        return not (token.text == "." and (self.enumerates(at - 1) or self._inside(at)))

    def _ends_clause(self, at: int) -> bool:
        """Whether a clause ends at a comma, after a word that denies what stood before, or at a bracketed remark."""
        token = self.tokens[at]
        denies_before = bool(token.role & Role.NOT_BEFORE) and not token.role & NEUTRAL
        return token.text == "," or denies_before or (token.text in "()" and self.aside(at))

    def aside(self, at: int) -> bool:
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
            mentions = [at for at in members if self.tokens[at].choice is not None]
            if mentions:
                rejected.update(self._denied(members, mentions))
                rejected.update(self._surpassed(members, mentions))
        return rejected

    def _denied(self, members: list[int], mentions: list[int]) -> set[int]:
        """Mentions that their clause denies: `not A`, `A is wrong`, `instead of A`, `A değil`."""
        roles = [self._denying_role(at, members) for at in members]
        rejected: set[int] = set()
        if any(role & (REJECT | Role.NOT_AFTER) and not role & Role.NOT_BEFORE for role in roles):
            rejected.update(mentions)
        for place, role in zip(members, roles, strict=True):
            if role & Role.NOT_BEFORE:
                rejected.update(at for at in mentions if at < place)
            if role & (Role.NOT_BEFORE | Role.WRONG) and place > mentions[0]:
                rejected.update(self._listed_before(mentions[0]))
        return rejected

    def _denying_role(self, at: int, members: list[int]) -> int:
        """A word's role, without denial where "if" means "than": `A on tõenäolisem kui B`."""
        token = self.tokens[at]
        if token.role & Role.THAN and any(self.tokens[other].role & Role.BETTER for other in members if other < at):
            return token.role & ~(REJECT | Role.NOT_AFTER)
        return token.role

    def _surpassed(self, members: list[int], mentions: list[int]) -> set[int]:
        """Mentions that another is preferred to: `B is a better answer than A`, `A比B更合理`, `AよりBの方が …`."""
        rejected: set[int] = set()
        preferring = [at for at in members if self.tokens[at].role & (Role.BETTER | Role.CORRECT | Role.CHOOSE)]
        for place in members:
            role = self.tokens[place].role
            if role & Role.THAN and preferring:
                rejected.update(self._after_than(place, preferring, mentions))
            elif role & Role.THAN_BEFORE and any(at >= place for at in preferring):
                rejected.update([at for at in mentions if at < place and self._reaches(at, place)][-1:])
        return rejected

    def _after_than(self, place: int, preferring: list[int], mentions: list[int]) -> list[int]:
        behind = [at for at in mentions if at > place]
        if preferring[0] < place:
            named = any(at < place for at in mentions)
            if named:
                return behind
            # `acho que é a B`: a word that is "that" as well as "than" needs something preferred before it.
            return [] if self.tokens[place].role & (Role.FILL | Role.BECAUSE) else behind[:1]
        return [at for at in behind if at < preferring[0]]

    def _reaches(self, at: int, place: int) -> bool:
        """Whether only words for "option" and fillers stand between a mention and the word at `place`."""
        between = self.tokens[at + 1 : place]
        return all(token.kind == "sign" or token.role & (Role.OPTION | Role.FILL) for token in between)

    def _listed_before(self, at: int) -> list[int]:
        """Mentions that a comma joins to the one at `at`: all of `A, C and D are wrong`."""
        found: list[int] = []
        while at >= 2 and self.tokens[at - 1].text == "," and self.tokens[at - 2].choice is not None:
            at -= 2
            found.append(at)
        return found
