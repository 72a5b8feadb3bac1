"""One llama.cpp model in memory: tokens in, logits out, with the shared prefix of prompts kept in the KV cache.

The bits of an answer depend on its prompt alone: not on what was asked before, in which order, or where a run
was interrupted. Kernels are chosen by batch size, so dividing a prompt in other places may give other bits.
When a model is loaded it is found out which divisions agree: all of them, those at multiples of 4 (kernels
that take tokens by fours) or of 8. A prefix is then reused up to such a border, and the rest is evaluated in one
go. Where none agree every prompt is divided at the multiples of 32, and reuse stops there: slower, and again
the same bits.

Not thread-safe: one thread owns an Engine from load to close.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from types import ModuleType
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from clika_providers.errors import ItemError, RunError
from clika_providers.gguf import llama_cpp as native
from clika_providers.gguf.context import FIRST_CONTEXT, MAX_OUTPUTS, Context, Settings
from clika_providers.gguf.divisions import BLOCK, LEAST, TRIED, smallest_step
from clika_providers.gguf.files import ModelFile, digest, weights_digest
from clika_providers.gguf.remembered import remembered

Found = TypeVar("Found")

ENGINE_VERSION = 2
"""Changes whenever the same weights and prompt may give other bits or another reading."""


@dataclass(frozen=True, slots=True)
class Node:
    """One token of a tree of continuations."""

    token: int
    depth: int
    """Tokens between it and the prompt's end."""
    branches: tuple[int, ...]
    """The continuations it belongs to."""


class Engine(Context):
    """A loaded model with one context."""

    def __init__(self, model: ModelFile, settings: Settings, *, weights_of: Engine | None = None) -> None:
        """Load a model, or make a second context beside that of `weights_of`, which must outlive this one."""
        self.model_file = model
        self.settings = settings
        self.lib: ModuleType = native.library()
        self._context: Any = None
        self._adapter: Any = None
        self._batch: Any = None
        self._cached: list[int] = []
        """Tokens of sequence 0 whose keys and values are in the cache and may be reused."""
        self.evaluated = 0
        """Tokens evaluated so far, those of the division test left out."""
        self._branches = 0
        """Sequences beside the first that the context has room for."""
        self.step = BLOCK
        self.stopping = False
        """Set from another thread to end at the next batch."""
        self._lends = weights_of
        self._model: Any = weights_of._model if weights_of else native.load_model(model.path, settings.n_gpu_layers)
        try:
            self._vocabulary = self.lib.llama_model_get_vocab(self._model)
            self.n_vocab: int = self.lib.llama_vocab_n_tokens(self._vocabulary)
            if weights_of is not None:
                self._adapter = weights_of._adapter
            elif settings.adapter is not None:
                self._adapter = native.load_adapter(self._model, settings.adapter)
            self.open_context(min(FIRST_CONTEXT * settings.n_sequences, settings.n_ctx_limit))
            self.step = weights_of.step if weights_of else self._remembered_step()
            self.evaluated = 0
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Release the memory; may be called twice."""
        self.close_context()
        if self._lends is None:
            if self._adapter is not None:
                self.lib.llama_adapter_lora_free(self._adapter)
            if self._model is not None:
                self.lib.llama_model_free(self._model)
        self._adapter = self._model = None

    def evaluate(self, tokens: Sequence[int]) -> None:
        """Evaluate a prompt, leaving the logits of its last token ready; raises ItemError when it is too long."""
        if not tokens:
            raise ItemError("the prompt is empty")
        self.room_for(len(tokens))
        start = self._keep(tokens)
        self._cached = list(tokens[:start])
        for begin, end in self._blocks(start, len(tokens)):
            self.decode(tokens[begin:end], begin, last_only=end == len(tokens))
        # A prompt of a few tokens went through the kernels of small batches: nothing to build on.
        self._cached = list(tokens) if len(tokens) >= LEAST else []

    def shared(self, tokens: Sequence[int]) -> int:
        """How many leading tokens agree with what is in the cache."""
        n = min(len(tokens), len(self._cached))
        for at in range(n):
            if tokens[at] != self._cached[at]:
                return at
        return n

    def _keep(self, tokens: Sequence[int]) -> int:
        """Cut the cache back to what may be reused for these tokens; returns where evaluation starts."""
        spare = 1 if self.step == BLOCK else LEAST
        start = max(0, min(self.shared(tokens), len(tokens) - spare)) // self.step * self.step
        if start and not self.lib.llama_memory_seq_rm(self._memory, 0, start, -1):
            start = 0  # recurrent models cannot go back
        if not start:
            self.lib.llama_memory_clear(self._memory, False)
        return start

    def _blocks(self, start: int, end: int) -> list[tuple[int, int]]:
        fixed = self.step == BLOCK
        size = BLOCK if fixed else self.n_batch - BLOCK
        borders = [start, *range((start // size + 1) * size, end, size), end]
        if not fixed and len(borders) > 2 and end - borders[-2] < LEAST:
            del borders[-2]
        if not fixed and len(borders) > 2 and borders[1] - start < LEAST:
            del borders[1]
        return list(pairwise(borders))

    def decode(self, tokens: Sequence[int], at: int, *, last_only: bool, all_logits: bool = False) -> None:
        """Evaluate tokens of sequence 0 at position `at`; the caller keeps count of what the cache holds."""
        self._batch.fill_one(tokens, at, last=last_only, every=all_logits)
        self._run(self._batch)

    def _run(self, batch: native.Batch) -> None:
        if self.stopping:
            raise RunError("the model was stopped")
        self.evaluated += batch.raw.n_tokens
        code = self.lib.llama_decode(self._context, batch.raw)
        if code:
            self._cached = []
            self.lib.llama_memory_clear(self._memory, True)
            raise RunError(f"llama.cpp failed to evaluate {batch.raw.n_tokens} tokens (code {code})")

    def evaluate_packed(
        self, suffixes: Sequence[Sequence[int]], shared: int, read: Callable[[NDArray[np.float32]], Found]
    ) -> list[Found]:
        """Evaluate continuations of sequence 0's first `shared` tokens together; `read` of each one's last logits."""
        lib, memory = self.lib, self._memory
        if not shared:
            lib.llama_memory_clear(memory, False)
            self._cached = []
        for number in range(1, len(suffixes) + 1):
            if shared:
                lib.llama_memory_seq_cp(memory, 0, number, -1, -1)
        rows = [
            (token, shared + at, number, at == len(suffix) - 1)
            for number, suffix in enumerate(suffixes, 1)
            for at, token in enumerate(suffix)
        ]
        found: dict[int, Found] = {}
        for begin in range(0, len(rows), self.n_batch):  # the token budget of one call
            self._batch.clear()
            ends = {}
            for token, position, number, last in rows[begin : begin + self.n_batch]:
                index = self._batch.add(token, position, number, last)
                if last:
                    ends[number] = index
            self._run(self._batch)
            found |= {number: read(self.logits(index)) for number, index in ends.items()}
        for number in range(1, len(suffixes) + 1):
            lib.llama_memory_seq_rm(memory, number, -1, -1)
        return [found[number] for number in range(1, len(suffixes) + 1)]

    @property
    def branches(self) -> bool:
        """Whether sequences can share a beginning token by token; recurrent models keep one state a sequence."""
        lib = self.lib
        return not (lib.llama_model_is_recurrent(self._model) or lib.llama_model_is_hybrid(self._model))

    def evaluate_tree(
        self, nodes: Sequence[Node], n_branches: int, at: int, read: Callable[[NDArray[np.float32]], Found]
    ) -> list[Found]:
        """Evaluate continuations of sequence 0's `at` tokens as one tree; `read` of every node's logits.

        `nodes` come depth first; branch b is llama.cpp's sequence b + 1. What is evaluated together depends on the
        nodes alone, so the bits do too. Only sequence 0 stays in the cache. Kernels take rows by fours and three cost
        more than four: one that is missing is a node once more, in a sequence of its own that nothing sees.
        """
        lib, memory, found = self.lib, self._memory, []
        for branch in range(1, n_branches + 1):
            lib.llama_memory_seq_cp(memory, 0, branch, -1, -1)
        size = min(MAX_OUTPUTS, self.n_batch)
        for begin in range(0, len(nodes), size):
            self._batch.clear()
            part = nodes[begin : begin + size]
            for node in part:
                first, *others = (branch + 1 for branch in node.branches)
                self._batch.add(node.token, at + node.depth, first, True, others)
            if len(part) % 4 == 3 and n_branches < self._branches:
                self._batch.add(part[-1].token, at, n_branches + 1, True)
            self._run(self._batch)
            found += [read(self.logits(index)) for index in range(len(part))]
        for branch in range(1, min(n_branches + 1, self._branches) + 1):
            lib.llama_memory_seq_rm(memory, branch, -1, -1)
        return found

    def forget_after(self, n_tokens: int) -> bool:
        """Drop what was evaluated after the first `n_tokens`; False where the model cannot go back."""
        self._cached = self._cached[:n_tokens]
        if not self.lib.llama_memory_seq_rm(self._memory, 0, n_tokens, -1):
            self._cached = []
            return False
        return True

    def logits(self, index: int = -1) -> NDArray[np.float32]:
        """Unnormalised scores over the vocabulary, shape (n_vocab,): a view that the next evaluation overwrites."""
        raw = self.lib.llama_get_logits_ith(self._context, index)
        return np.ctypeslib.as_array(raw, (self.n_vocab,))

    def _remembered_step(self) -> int:
        """The step that was found for these weights with these kernels, or that is found now and kept."""
        s = self.settings
        parts = (
            ENGINE_VERSION, weights_digest(self.model_file.parts), native.package_version(), native.instruction_set(),
            s.n_gpu_layers, s.n_sequences, self.n_batch, s.adapter and digest(s.adapter),
        )  # fmt: skip
        return remembered("gguf-steps", " ".join(map(str, parts)), self._find_step)

    def _find_step(self) -> int:
        """The smallest step at whose multiples a prompt may be divided without changing a bit; BLOCK if none."""
        if self.n_ctx <= TRIED:
            return BLOCK
        step = smallest_step(self.n_vocab, self._bits)
        self.lib.llama_memory_clear(self._memory, True)
        return step

    def _bits(self, tokens: Sequence[int], borders: Sequence[int]) -> bytes:
        """The last token's logits, with the prompt evaluated in parts."""
        self.lib.llama_memory_clear(self._memory, True)
        for begin, end in pairwise(borders):
            self.decode(tokens[begin:end], begin, last_only=end == len(tokens))
        return self.logits().tobytes()
