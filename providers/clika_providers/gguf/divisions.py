"""Where a prompt may be divided without changing a bit of its answer, found by trying."""

from __future__ import annotations

from collections.abc import Callable, Sequence

BLOCK = 32
LEAST = 8
"""Fewest tokens evaluated at once where borders are free: batches of one or two take other kernels."""
TRIED = 45
"""Tokens of the prompt that divisions are tried on."""
_DIVISIONS = {
    1: ((0, 45), (0, 9, 45), (0, 22, 35, 45)),
    4: ((0, 45), (0, 12, 45), (0, 20, 36, 45)),
    8: ((0, 45), (0, 8, 24, 45)),
}
"""Ways to divide them at multiples of a step, tried against the division at BLOCK."""


def smallest_step(n_vocab: int, bits: Callable[[Sequence[int], Sequence[int]], bytes]) -> int:
    """The smallest step at whose multiples a prompt may be divided; BLOCK if none.

    `bits` of a prompt's tokens and the borders it is divided at are the bytes of its last logits.
    """
    spread = max(1, n_vocab // 64)
    tokens = [(17 + 31 * at * spread) % n_vocab for at in range(TRIED)]
    wanted = bits(tokens, (0, BLOCK, TRIED))
    found = (
        step for step, divisions in _DIVISIONS.items() if all(bits(tokens, borders) == wanted for borders in divisions)
    )
    return next(found, BLOCK)
