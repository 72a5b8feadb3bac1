"""A loaded model's context: the memory that llama.cpp evaluates in, made as large as prompts and branches need."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from clika_providers.errors import ItemError, RunError
from clika_providers.gguf import llama_cpp as native
from clika_providers.gguf.divisions import BLOCK
from clika_providers.gguf.files import ModelFile
from clika_providers.gguf.hardware import UBATCH, refuse_if_too_big
from clika_providers.gguf.vocabulary import Vocabulary
from clika_providers.types import Json

FIRST_CONTEXT = 1024
MAX_OUTPUTS = 32


@dataclass(frozen=True, slots=True)
class Settings:
    """How a model is run; of these only adapter and sampling change what it answers."""

    n_ctx_limit: int
    n_threads: int
    n_gpu_layers: int = 0
    n_sequences: int = 1
    adapter: Path | None = None
    sampling: tuple[tuple[str, Json], ...] = ()
    """`top_k`, `top_p` and `min_p` for text drawn at a temperature."""


class Context(Vocabulary):
    """One context of a loaded model; what was evaluated is lost when it is made anew."""

    model_file: ModelFile
    settings: Settings
    n_ctx: int
    n_batch: int
    _model: Any
    _adapter: Any
    _memory: Any
    _context: Any = None
    _batch: Any = None
    _branches: int = 0
    """Sequences beside the first that the context has room for."""
    _cached: list[int]
    """Tokens of sequence 0 whose keys and values are in the cache and may be reused."""

    def open_context(self, n_ctx: int) -> None:
        """Make a context of so many tokens in the place of the one that is there; raises RunError."""
        lib, settings = self.lib, self.settings
        self.close_context()
        params = lib.llama_context_default_params()
        params.n_ctx = n_ctx
        widest = UBATCH if settings.n_sequences == 1 else 4 * UBATCH  # a GPU wants more at once
        params.n_batch = params.n_ubatch = max(2 * BLOCK, min(widest, n_ctx))
        packed = settings.n_sequences if settings.n_sequences > 1 else 0
        params.n_seq_max = 1 + max(packed, self._branches)
        params.kv_unified = True
        params.n_outputs_max = min(max(MAX_OUTPUTS, settings.n_sequences), params.n_batch)
        params.n_threads = params.n_threads_batch = settings.n_threads
        # Explicit: the library's own default chooses by device, and logits then differ by up to 0.1.
        params.flash_attn_type = lib.LLAMA_FLASH_ATTN_TYPE_DISABLED
        params.no_perf = True
        with native.listening() as said:
            self._context = lib.llama_init_from_model(self._model, params)
        if not self._context:
            raise RunError(f"llama.cpp cannot make a context of {n_ctx} tokens: {said.reason()}")
        if self._adapter is not None:
            native.use_adapter(self._context, self._adapter)
        self._memory = lib.llama_get_memory(self._context)
        self.n_ctx = n_ctx
        self.n_batch = int(params.n_batch)
        self._batch = native.Batch(self.n_batch, max(1, self._branches))

    def close_context(self) -> None:
        """Release the context's memory; may be called twice."""
        if self._batch is not None:
            self._batch.free()
        if self._context is not None:
            self.lib.llama_free(self._context)
        self._batch = self._context = None
        self._cached = []

    def room_for(self, n_tokens: int) -> None:
        """Make the context large enough; raises ItemError where the limit or the memory does not allow it."""
        if n_tokens <= self.n_ctx:
            return
        limit = self.settings.n_ctx_limit
        if n_tokens > limit:
            trained = self.model_file.header.context_length
            cure = (
                f"raise --n-ctx (this model allows {trained})" if trained > limit else "use a model with a longer one"
            )
            raise ItemError(
                f"the prompt and its answer need {n_tokens} tokens, the context holds {limit}: shorten it, or {cure}"
            )
        size = self.n_ctx
        while size < n_tokens:
            size = min(2 * size, limit)
        refuse_if_too_big(self.model_file, size)
        self.open_context(size)

    @property
    def context(self) -> Any:
        """llama.cpp's handle of the context."""
        return self._context

    def room_for_branches(self, n_branches: int) -> None:
        """Make the context take this many sequences and a spare one beside the first; raises ItemError for too many."""
        most = self.lib.llama_max_parallel_sequences() - 1
        if n_branches > most:
            raise ItemError(f"a question with {n_branches} options is too wide: llama.cpp takes {most} at once")
        if min(n_branches + 1, most) > self._branches:
            self._branches = min(most, max(n_branches + 1, 8))
            self.open_context(self.n_ctx)
