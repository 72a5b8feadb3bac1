"""Choice probabilities: how likely the model's answer is to begin with each label, read from one evaluation.

P(label) is the sum over the ways to write it at the start of an answer: bare ("B") and after a space (" B").
A way that is one token is read from the logits after the prompt, as log-softmax over the whole vocabulary. A
label of several tokens - letters of many scripts are two or three byte tokens - is scored by the chain rule:
each of its tokens given the ones before. The spaced way counts only if it is a single token for every label,
so that no label gets a way to be written that another lacks.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from math import inf
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from clika_providers.errors import ItemError
from clika_providers.gguf.engine import Engine

Path: TypeAlias = tuple[int, ...]
"""Token ids of one way to write a label."""


class LabelPaths:
    """The token paths of label sets, found once per set."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._known: dict[tuple[str, ...], list[list[Path]]] = {}

    def of(self, labels: tuple[str, ...]) -> list[list[Path]]:
        """The paths of each label, in order; raises ItemError for a label that cannot be written."""
        if labels not in self._known:
            self._known[labels] = self._find(labels)
        return self._known[labels]

    def _find(self, labels: tuple[str, ...]) -> list[list[Path]]:
        bare = [self._path(label) for label in labels]
        spaced = [self._path(" " + label) for label in labels]
        found = [[path] if path else [] for path in bare]
        if all(path is not None and len(path) == 1 for path in spaced):
            found = [[*paths, path] for paths, path in zip(found, spaced, strict=True) if path]
        for label, paths in zip(labels, found, strict=True):
            if not paths:
                raise ItemError(f"this model's vocabulary cannot write the label {label!r}; use other labels")
        return found

    def _path(self, text: str) -> Path | None:
        """The tokenizer's own way to write a text inside a line, or None."""
        wanted = text.encode()
        newline = self._tokens("\n")
        after_newline = self._tokens("\n" + text)
        candidates = [self._tokens(text)]
        if after_newline[: len(newline)] == newline:
            candidates.append(after_newline[len(newline) :])
        candidates.append(self._tokens(text.removeprefix(" ")))  # vocabularies that add the space themselves
        fitting = [c for c in candidates if b"".join(self._engine.piece(t) for t in c) == wanted]
        return tuple(sorted(fitting, key=len)[0]) if fitting else None

    def _tokens(self, text: str) -> list[int]:
        return self._engine.tokenize(text, add_special=False, parse_special=False)


def log_softmax(logits: NDArray[np.float32]) -> NDArray[np.float64]:
    """Natural-log probabilities over the vocabulary, shape (n_vocab,)."""
    shifted = logits.astype(np.float64)
    shifted -= shifted.max()
    shifted -= np.log(np.exp(shifted).sum())
    return shifted


def log_probabilities(logits: NDArray[np.float32], tokens: Iterable[int]) -> dict[int, float]:
    """Natural-log probability of a few tokens: the bits of `log_softmax`, without the rest of the vocabulary."""
    shifted = logits.astype(np.float64)
    top = shifted.max()
    shifted -= top
    np.exp(shifted, out=shifted)
    total = np.log(shifted.sum())
    return {token: float((np.float64(logits[token]) - top) - total) for token in tokens}


def score(engine: Engine, tokens: Sequence[int], paths: Sequence[Sequence[Path]]) -> tuple[float, ...]:
    """Natural-log probability of each label after a prompt; leaves only the prompt in the engine's cache."""
    longest = max(len(path) for ways in paths for path in ways)
    if longest > 1:
        engine.room_for(len(tokens) + longest)
    engine.evaluate(tokens)
    first = log_softmax(engine.logits())
    later = _conditionals(engine, tokens, {path for ways in paths for path in ways if len(path) > 1})
    return sums(first, later, paths)


def sums(
    first: NDArray[np.float64], later: dict[Path, NDArray[np.float64]], paths: Sequence[Sequence[Path]]
) -> tuple[float, ...]:
    """Each label's log-probability: chained over its tokens, summed over its ways.

    `later` holds the log-probabilities of the next token after each proper beginning of a path.
    """
    totals = []
    for ways in paths:
        total = -inf
        for path in ways:
            chain = first[path[0]] + sum(later[path[:n]][path[n]] for n in range(1, len(path)))
            total = float(np.logaddexp(total, chain))
        totals.append(total)
    return tuple(totals)


def _conditionals(engine: Engine, tokens: Sequence[int], long_paths: set[Path]) -> dict[Path, NDArray[np.float64]]:
    later: dict[Path, NDArray[np.float64]] = {}
    for path in sorted(long_paths, key=lambda path: (-len(path), path)):
        if path[:-1] in later:
            continue
        # Always the whole beginning in one batch from the prompt's end, longest first: what is asked
        # depends on the labels alone.
        engine.decode(path[:-1], len(tokens), last_only=False, all_logits=True)
        for n in range(1, len(path)):
            later.setdefault(path[:n], log_softmax(engine.logits(n - 1)))
        if not engine.forget_after(len(tokens)):
            engine.evaluate(tokens)
    return later
