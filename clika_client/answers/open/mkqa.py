"""MKQA's own measures: exact match and token F1 of a reply, best over its accepted answers.

After Longpre et al., "MKQA" (TACL 2021), and its published script: lower case, ASCII punctuation and, in fourteen
languages, articles are taken off; in Chinese, Japanese, Thai and Khmer every character is a token. A question without
an answer accepts the empty text.
"""

from __future__ import annotations

import math
import re
import string
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

_BY_CHARACTER = ("zh", "ja", "th", "km")
_PUNCTUATION = str.maketrans("", "", string.punctuation)
# As the script has them, slips included: French and Italian articles are also taken off the beginning of longer words,
# and the Arabic one from anywhere.
_ARTICLES: Mapping[str, str] = {
    "en": r"\b(?:a|an|the)\b",
    "es": r"\b(?:un|una|unos|unas|el|la|los|las)\b",
    "vi": r"\b(?:của|là|cái|chiếc|những)\b",
    "de": r"\b(?:ein|eine|einen|einem|eines|einer|der|die|das|den|dem|des)\b",
    "ar": r"\sال^|ال",
    "nl": r"\b(?:de|het|een|des|der|den)\b",
    "sv": r"\b(?:en|ett)\b",
    "da": r"\b(?:en|et)\b",
    "no": r"\b(?:en|et|ei)\b",
    "fr": r"\b(?:le|la|l'|les|du|de|d'|des|un|une|des)",
    "pt": r"\b(?:o|a|os|as|um|uma|uns|umas)\b",
    "it": r"\b(?:il|lo|la|l'|i|gli|le|del|dello|della|dell'|dei|degli|degl'|delle|un'|uno|una|un)",
    "fi": r"\b(?:se|yks|yksi)\b",
    "hu": r"\b(?:a|az|egy)\b",
}


def tokens(text: str, language: str) -> list[str]:
    """What is compared of a text in a language (BCP 47; MKQA's own `zh_cn` too)."""
    bare = language.replace("_", "-").split("-")[0].lower()
    bare = "no" if bare == "nb" else bare
    plain = text.lower().translate(_PUNCTUATION)
    if bare in _ARTICLES:
        plain = re.sub(_ARTICLES[bare], " ", plain)
    return [char for char in plain if char.strip()] if bare in _BY_CHARACTER else plain.split()


def exact_match(reply: str, accepted: Sequence[str], language: str) -> float:
    """1 where a reply is one of the accepted answers, 0 else; raises ValueError without any accepted answer."""
    said = tokens(reply, language)
    return float(any(said == tokens(answer, language) for answer in _some(accepted)))


def token_f1(reply: str, accepted: Sequence[str], language: str) -> float:
    """The harmonic mean of token precision and recall, 0 to 1; raises ValueError without any accepted answer."""
    said = tokens(reply, language)
    return max(_f1(said, tokens(answer, language)) for answer in _some(accepted))


def _some(accepted: Sequence[str]) -> Sequence[str]:
    if not accepted:
        raise ValueError("a question needs an accepted answer; the empty text stands for none")
    return accepted


def _f1(said: Sequence[str], answer: Sequence[str]) -> float:
    if not said or not answer:
        return float(said == answer)
    common = sum((Counter(said) & Counter(answer)).values())
    if not common:
        return 0.0
    recall, precision = common / len(answer), common / len(said)
    return 2.0 * precision * recall / (precision + recall)


@dataclass(frozen=True, slots=True)
class Summary:
    """Percentages, rounded to two places as the script prints them."""

    exact_match: float
    f1: float
    answerable_exact_match: float
    answerable_f1: float
    unanswerable_exact_match: float


def best_with_threshold(
    scores: Sequence[float], answerable: Sequence[bool], said: Sequence[str], no_answer: Sequence[float]
) -> tuple[float, float]:
    """(best mean score, threshold) where a reply whose `no_answer` score lies above the threshold counts as none."""
    best_at, now = 0.0, float(sum(not can for can in answerable))
    best = now
    for i in sorted(range(len(scores)), key=lambda i: no_answer[i]):
        now += scores[i] if answerable[i] else -1.0 if said[i] else 0.0
        if now > best:
            best, best_at = now, no_answer[i]
    return best / len(scores), best_at


def summary(exact: Sequence[float], f1: Sequence[float], answerable: Sequence[bool]) -> Summary:
    """Means over all questions, and over those that have an answer or none; NaN for none of a kind."""

    def mean(values: Sequence[float]) -> float:
        return round(100.0 * sum(values) / len(values), 2) if values else math.nan

    have = [exact[i] for i, can in enumerate(answerable) if can]
    lack = [exact[i] for i, can in enumerate(answerable) if not can]
    overlap = [value for value, can in zip(f1, answerable, strict=True) if can]
    return Summary(mean(exact), mean(f1), mean(have), mean(overlap), mean(lack))
