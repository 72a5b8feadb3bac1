"""The tokens of a loaded model: text to tokens and back, and what a few of them mean."""

from __future__ import annotations

import ctypes
from types import ModuleType
from typing import Any

from clika_providers.errors import ItemError


class Vocabulary:
    """The vocabulary of one model; valid as long as the model is loaded."""

    lib: ModuleType
    _vocabulary: Any

    def tokenize(self, text: str, *, add_special: bool, parse_special: bool) -> list[int]:
        """Token ids of a text; `add_special` lets the vocabulary add BOS as it says it wants."""
        data = text.encode("utf-8", "replace")
        room = len(data) + 8
        tokens = (ctypes.c_int32 * room)()
        n = self.lib.llama_tokenize(self._vocabulary, data, len(data), tokens, room, add_special, parse_special)
        if n < 0:
            raise ItemError(f"llama.cpp cannot tokenize a text of {len(data)} bytes ({n})")
        return list(tokens[:n])

    def piece(self, token: int) -> bytes:
        """The bytes a token stands for, control tokens included."""
        room = 256
        buffer = ctypes.create_string_buffer(room)
        n = self.lib.llama_token_to_piece(self._vocabulary, token, buffer, room, 0, True)
        return buffer.raw[:n] if n >= 0 else b""

    def is_end(self, token: int) -> bool:
        """Whether a token ends the model's turn."""
        return bool(self.lib.llama_vocab_is_eog(self._vocabulary, token))

    @property
    def vocabulary(self) -> Any:
        """llama.cpp's handle of the vocabulary."""
        return self._vocabulary

    def special_text(self, name: str) -> str:
        """The text of the `bos` or `eos` token, empty where the vocabulary has none."""
        token = getattr(self.lib, f"llama_vocab_{name}")(self._vocabulary)
        return "" if token < 0 else self.lib.llama_vocab_get_text(self._vocabulary, token).decode("utf-8", "replace")

    def boundary(self) -> int:
        """The token between texts: BOS, or EOS in a vocabulary without one; raises ItemError where there is neither."""
        for name in ("bos", "eos"):
            token = int(getattr(self.lib, f"llama_vocab_{name}")(self._vocabulary))
            if token >= 0:
                return token
        raise ItemError("this model's vocabulary marks no beginning of a text: put something before the answer")
