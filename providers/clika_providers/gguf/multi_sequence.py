"""Several prompts in one evaluation, packed by token budget: for GPUs, where single prompts leave most idle.

Batch-mates choose the kernels and the order of sums, so packed figures agree with single ones only within
about 0.05 in the logits. They are therefore another reading to the cache, and never the default.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from clika_providers.gguf.engine import Engine
from clika_providers.gguf.scorer import log_softmax


def first_token_logprobs(engine: Engine, prompts: Sequence[Sequence[int]]) -> list[NDArray[np.float64]]:
    """Log-probabilities of each prompt's next token, shape (n_vocab,); at most `n_sequences` prompts.

    The prefix that all share is evaluated once, then lent to every sequence.
    """
    shared = common_prefix(prompts)
    engine.room_for(shared + sum(len(prompt) - shared for prompt in prompts) + 1)
    if shared:
        engine.evaluate(prompts[0][:shared])
    return engine.evaluate_packed([prompt[shared:] for prompt in prompts], shared, log_softmax)


def common_prefix(prompts: Sequence[Sequence[int]]) -> int:
    """Tokens that all prompts begin with, leaving each at least one of its own."""
    first, longest = prompts[0], min(len(prompt) for prompt in prompts) - 1
    for at in range(longest):
        if any(prompt[at] != first[at] for prompt in prompts):
            return at
    return longest
