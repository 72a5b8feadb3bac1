"""For people: unread replies grouped by what they look like, and where two readings disagree."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from clika_client.answers.rules.normalise import bounded, clean
from clika_client.answers.rules.result import Answer
from clika_client.answers.rules.words import UNSPACED

_NUMBER = re.compile(r"\d+")
_WORDS_SHOWN, _LETTERS_SHOWN = 3, 6


@dataclass(frozen=True, slots=True)
class UnreadGroup:
    """Replies without a choice that look alike."""

    pattern: str
    """The beginning they share: a few words, digits as 0, `…` where the replies go on."""
    reason: str
    count: int
    examples: tuple[str, ...]
    """Some of the replies, as received and shortened; untrusted text."""


def group_unread(replies: Iterable[tuple[str, Answer]], examples: int = 3) -> list[UnreadGroup]:
    """Group the replies that name no choice by reason and pattern, largest group first.

    `replies` are (text, answer) pairs; those with a choice are passed over.
    """
    counts: Counter[tuple[str, str]] = Counter()
    shown: dict[tuple[str, str], dict[str, None]] = {}
    for text, answer in replies:
        if answer.choice is not None:
            continue
        group = (answer.reason or "", pattern(text))
        counts[group] += 1
        some = shown.setdefault(group, {})
        if len(some) < examples:
            some[text if len(text) <= 200 else text[:199] + "…"] = None
    ordered = sorted(counts.items(), key=lambda entry: (-entry[1], entry[0]))
    return [UnreadGroup(shape, reason, count, tuple(shown[reason, shape])) for (reason, shape), count in ordered]


def pattern(text: str) -> str:
    """What a reply looks like from afar: its first words in lower case, numbers as 0."""
    plain = _NUMBER.sub("0", clean(bounded(text)).lower())
    line, _, more = plain.partition("\n")
    words = " ".join(line.split(" ")[:_WORDS_SHOWN])
    head = line[:_LETTERS_SHOWN] if UNSPACED.match(line[:1]) else words
    return head + ("…" if more or len(line) > len(head) else "")


KINDS = ("recovered", "withdrawn", "changed", "reason")


@dataclass(frozen=True, slots=True)
class ReadOtherwise:
    """One reply that two readings read differently."""

    at: int
    """Position in the sequences compared."""
    text: str
    first: Answer
    second: Answer
    kind: str
    """`recovered`: only the second names a choice; `withdrawn`: only the first; `changed`: another choice;
    `reason`: no choice in either, for different reasons."""
    gain: int | None
    """Correct by the second minus correct by the first: 1, 0 or -1; None when the gold is unknown."""


@dataclass(frozen=True, slots=True)
class Differences:
    """Where two readings of the same replies disagree."""

    rows: tuple[ReadOtherwise, ...]
    total: int
    """Replies compared."""

    def counts(self) -> dict[str, int]:
        """Rows by kind, every kind present."""
        found = Counter(row.kind for row in self.rows)
        return {kind: found[kind] for kind in KINDS}

    @property
    def gain(self) -> int:
        """Correct answers by the second reading minus by the first, over replies with a known gold."""
        return sum(row.gain or 0 for row in self.rows)


def differences(
    texts: Sequence[str | None],
    first: Sequence[Answer],
    second: Sequence[Answer],
    gold: Sequence[int] | None = None,
) -> Differences:
    """Compare two readings of the same replies, reply by reply; `gold` is the right choice of each, if known.

    Raises ValueError when the sequences differ in length.
    """
    rows = []
    golds: Sequence[int | None] = gold if gold is not None else [None] * len(texts)
    for at, (text, a, b, right) in enumerate(zip(texts, first, second, golds, strict=True)):
        if a.choice == b.choice and (a.choice is not None or a.reason == b.reason):
            continue
        gain = None if right is None else (b.choice == right) - (a.choice == right)
        rows.append(ReadOtherwise(at, text or "", a, b, _kind(a, b), gain))
    return Differences(tuple(rows), len(texts))


def _kind(first: Answer, second: Answer) -> str:
    if first.choice is None:
        return "reason" if second.choice is None else "recovered"
    return "withdrawn" if second.choice is None else "changed"
