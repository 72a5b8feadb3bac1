"""The probability of each answer label, from the list of likeliest first tokens."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

_AROUND = " \t\r\n\u00a0▁ĠĊ*_`\"'“”‘’«»()[]{}<>（）【】.,:;!。：．、\\$#-"


def of_labels(logprobs: Any, labels: tuple[str, ...]) -> tuple[float | None, ...] | None:
    """Natural-log probability per label at the first token that says something; None when none were given.

    Tokens that differ only in surrounding space, punctuation and letter case (`B`, ` B`, `**B`, `b`) count together,
    unless case tells two labels apart. A label outside the list the server gives has no figure (None), not zero.
    """
    first = _first_top_list(logprobs)
    if first is None:
        return None
    fold = len({label.casefold() for label in labels}) == len(labels)
    sums = dict.fromkeys(labels, 0.0)
    wanted = {_bare(label, fold): label for label in labels}
    for token, value in first:
        label = wanted.get(_bare(token, fold))
        if label is not None:
            sums[label] += math.exp(min(0.0, value))
    return tuple(min(0.0, math.log(sums[label])) if sums[label] > 0 else None for label in labels)


def _bare(token: str, fold: bool) -> str:
    said = token.strip(_AROUND)
    return said.casefold() if fold else said


def _first_top_list(logprobs: Any) -> list[tuple[str, float]] | None:
    if not isinstance(logprobs, Mapping):
        return None
    content = logprobs.get("content")
    if isinstance(content, list):
        return _from_chat(content)
    tokens, tops = logprobs.get("tokens"), logprobs.get("top_logprobs")
    if isinstance(tokens, list) and isinstance(tops, list):
        return _from_legacy(tokens, tops)
    return None


def _from_chat(content: list[Any]) -> list[tuple[str, float]] | None:
    """OpenAI's shape: one entry per generated token, each with its own top list."""
    for entry in content:
        if not isinstance(entry, Mapping):
            return None
        if not str(entry.get("token") or "").strip(_AROUND) and entry is not content[-1]:
            continue  # a space or a bracket before the answer; the next token decides
        listed = entry.get("top_logprobs")
        top = listed if isinstance(listed, list) and listed else [entry]
        return _pairs((t.get("token"), t.get("logprob")) for t in top if isinstance(t, Mapping))
    return None


def _from_legacy(tokens: list[Any], tops: list[Any]) -> list[tuple[str, float]] | None:
    """The completions shape, which some servers use for chat: lists side by side, tops as mappings."""
    for token, top in zip(tokens, tops, strict=False):
        if str(token or "").strip(_AROUND) and isinstance(top, Mapping):
            return _pairs(top.items())
    return None


def _pairs(pairs: Iterable[tuple[Any, Any]]) -> list[tuple[str, float]] | None:
    good = [(t, v) for t, v in ((t, _figure(v)) for t, v in pairs) if isinstance(t, str) and v is not None]
    return good or None


def _figure(value: Any) -> float | None:
    """A log-probability; servers write a token that cannot come as minus infinity or as a very low number."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        number = float(value)
    except OverflowError:  # an integer of hundreds of digits
        return None
    return None if math.isnan(number) else number
