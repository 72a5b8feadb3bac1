"""Why a reply ended, in this tool's words, from the words of every service and tool."""

from __future__ import annotations

_WORDS = {
    "stop": ("stop", "end_turn", "stop_sequence", "eos", "eos_token", "completed"),
    "length": ("length", "max_tokens", "max_output_tokens", "model_length"),
    "content_filter": ("content_filter", "safety", "prohibited_content", "recitation", "blocklist", "spii"),
    "refusal": ("refusal",),
}
_BY_WORD = {word: finish for finish, words in _WORDS.items() for word in words}


def finish_of(value: object) -> str | None:
    """`stop`, `length`, `content_filter`, `refusal`, or None for a word that says nothing; case does not matter."""
    return _BY_WORD.get(str(value).strip().lower()) if value else None
