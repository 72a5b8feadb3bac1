"""Which words and numbers of a reply are labels, and which option each names."""

from __future__ import annotations

from clika_client.answers.rules.labels import AMBIGUOUS, NOT_SHOWN, LabelSet, key
from clika_client.answers.rules.neighbours import embedded
from clika_client.answers.rules.normalise import fold_word
from clika_client.answers.rules.question import Question
from clika_client.answers.rules.token import Token
from clika_client.answers.rules.words import UNSPACED, Role, words

_NOUNS = frozenset(("one",))
"""Words that stand for "option" only behind an ordinal: `the second one`."""


def assign_labels(text: str, tokens: list[Token], question: Question, languages: frozenset[str]) -> None:
    """Mark the tokens that are labels, or mean an option by its number."""
    for at, token in enumerate(tokens):
        if token.kind == "option":
            _numbered_option(tokens, at, question)
        elif token.kind in ("word", "number"):
            _word(text, tokens, at, question)
    openings = words().ordinal_openings
    for at, token in enumerate(tokens):
        if token.kind == "word" and not token.is_label and fold_word(token.text) in openings:
            _ordinal(tokens, at, len(question.labels.shown))
    for at, token in enumerate(tokens):
        if token.is_label:
            _article(tokens, at, languages)


def _numbered_option(tokens: list[Token], at: int, question: Question) -> None:
    """`option 4`: the fourth, or the option that says 4? Neither, unless `Option 2: 4` says both."""
    token, labels = tokens[at], question.labels
    if not (token.text.isdecimal() and at and tokens[at - 1].role & Role.OPTION):
        return
    ordinal = int(token.text) - 1 if len(token.text) < 3 and not labels.digits else token.choice
    if ordinal == token.choice or ordinal not in range(len(labels.shown)):
        return
    both = at + 2 < len(tokens) and tokens[at + 1].text == ":" and tokens[at + 2].choice == ordinal
    token.choice = ordinal if both else AMBIGUOUS


def _word(text: str, tokens: list[Token], at: int, question: Question) -> None:
    token, labels = tokens[at], question.labels
    if _counted(tokens, at) and at and tokens[at - 1].text == "第":
        tokens[at - 1].role |= Role.FILL  # `第3个`
    choice = labels.resolve(token.text) if len(token.text) <= 8 else None
    if choice is None:
        if labels.runs(token.text):  # `AC`: two answers
            token.choice, token.is_label, token.strict = AMBIGUOUS, True, True
        return
    if embedded(text, tokens, at, labels):
        return
    own = question.by_core.get(token.text.lower())
    if choice == NOT_SHOWN and own is not None and (not token.native or token.text in question.spelled.symbols):
        token.kind, token.choice, token.strict = "option", own, True  # `The symbol is O.`
        return
    token.shown = labels.shows(token.text)
    bracketed = _bracketed(tokens, at)
    right_case = _right_case(token, labels)
    if not bracketed and not token.shown:
        right_case = right_case or _counted(tokens, at)
        if not _means_hidden(token, right_case, choice):
            return
    token.index = choice
    token.choice = AMBIGUOUS if key(token.text) in question.clash else choice
    token.is_label = True
    token.strict = bracketed or right_case


def _means_hidden(token: Token, right_case: bool, choice: int) -> bool:
    """Whether a letter or number that is not as shown is a label all the same: `2` for B, `E` of four options.

    Not `я` or `I`, words of the reply's own language, nor a letter of an unspaced script that is a known word, nor `d`
    where labels are capitals.
    """
    if token.native or (UNSPACED.match(token.text) and token.role):
        return False
    return right_case or (token.kind == "number" and choice >= 0)


def _right_case(token: Token, labels: LabelSet) -> bool:
    """Whether a letter is written as the labels are: where they are capitals, `b` in running text is none."""
    if token.kind != "word":
        return False
    return not (labels.cased and token.text.isalpha() and labels.upper) or token.text == token.text.upper()


def _counted(tokens: list[Token], at: int) -> bool:
    """Whether a word for "option" stands beside a number: `Option 2`, `第2个选项`."""
    before = at > 0 and tokens[at - 1].role & Role.OPTION
    after = at + 1 < len(tokens) and tokens[at + 1].role & Role.OPTION
    return tokens[at].kind == "number" and bool(before or after)


def _bracketed(tokens: list[Token], at: int) -> bool:
    after = tokens[at + 1].text if at + 1 < len(tokens) and tokens[at + 1].start == tokens[at].end else ""
    before = tokens[at - 1].text if at and tokens[at - 1].end == tokens[at].start else ""
    return after in (")", "]", "}") or (bool(before) and before in "\"'" and after == before)


def _ordinal(tokens: list[Token], at: int, shown: int) -> None:
    """`the second option`, `الخيار الثاني`, `두 번째 선택지`: a label in words."""
    ordinals = words().ordinals
    for length in (2, 1):
        part = tokens[at : at + length]
        place = ordinals.get(tuple(fold_word(token.text) for token in part))
        if place is None or len(part) < length or any(token.choice is not None for token in part):
            continue
        if not (_means_option(tokens, at - 1, -1) or _means_option(tokens, at + length, 1)):
            continue
        for token in part:
            token.role = Role.FILL
        first = part[0]
        first.choice = first.index = place if place < shown else NOT_SHOWN
        first.is_label = first.strict = first.shown = True
        return


def _means_option(tokens: list[Token], at: int, step: int) -> bool:
    """Whether a word for "option" stands at `at`, or behind one small word (`chaguo la pili`)."""
    for place in (at, at + step):
        if not 0 <= place < len(tokens) or tokens[place].kind != "word":
            return False
        if tokens[place].role & (Role.OPTION | Role.ANSWER) or (step > 0 and tokens[place].text in _NOUNS):
            return True
        if tokens[place].role != Role.FILL or len(tokens[place].text) > 3:
            return False
    return False


def _article(tokens: list[Token], at: int, languages: frozenset[str]) -> None:
    """Take a letter that stands before a name for the article or title it is, not for a label."""
    if at + 1 < len(tokens) and any(condition(tokens, at, languages) for condition in _NO_LABELS):
        tokens[at].choice, tokens[at].is_label, tokens[at].strict = None, False, False


def _small_article(tokens: list[Token], at: int, _: frozenset[str]) -> bool:
    """`A resposta é a B`, `az a B`, `la c`."""
    token, after = tokens[at], tokens[at + 1]
    named = after.choice is not None and after.strict and after.start == token.end + 1
    return named and not token.strict and bool(token.role)


def _before_ordinal(tokens: list[Token], at: int, _: frozenset[str]) -> bool:
    """`A segunda opção`, `A doua opțiune`."""
    after = tokens[at + 1]
    return bool(tokens[at].role) and after.kind == "word" and after.is_label and len(after.text) > 2


def _before_name(tokens: list[Token], at: int, _: frozenset[str]) -> bool:
    """`A Nílus a leghosszabb`, `A bank might have one`."""
    token = tokens[at]
    return token.is_article and token.native and tokens[at + 1].kind == "option" and _word_at(tokens, at + 2)


def _hungarian(tokens: list[Token], at: int, languages: frozenset[str]) -> bool:
    """`A B a helyes`, "the B is right"; elsewhere two labels."""
    return tokens[at].text == "A" and languages == {"hu"} and tokens[at + 1].is_label and _word_at(tokens, at + 2)


def _title(tokens: list[Token], at: int, _: frozenset[str]) -> bool:
    """`د. أحمد زويل هو من …`: Dr Zewail, where د is a label, too."""
    token, name = tokens[at], tokens[at + 2] if at + 2 < len(tokens) else None
    named = name is not None and name.kind == "option" and name.choice != token.choice
    titled = token.hint & Role.TITLE and token.native and tokens[at + 1].text == "."
    return named and bool(titled) and _word_at(tokens, at + 3)


_NO_LABELS = (_small_article, _before_ordinal, _before_name, _hungarian, _title)


def _word_at(tokens: list[Token], at: int) -> bool:
    return at < len(tokens) and tokens[at].kind == "word"
