"""The demo model's tokenizer: sentencepiece BPE with byte fallback, in the form transformers loads."""

from __future__ import annotations

import io
from collections.abc import Iterable
from typing import Any

SPECIAL = ("<unk>", "<s>", "<|end|>", "<|user|>", "<|assistant|>", "<|system|>")
CHAT_TEMPLATE = (
    "{{ bos_token }}{% for message in messages %}"
    "{{ '<|' + message['role'] + '|>' + message['content'] + eos_token }}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<|assistant|>' }}{% endif %}"
)
"""Begins with the BOS token: chat formatters that render it do not add one of their own."""


def train_pieces(lines: Iterable[str], size: int) -> list[str]:
    """The vocabulary, most frequent merges first: specials, 256 bytes, merges, characters."""
    import sentencepiece

    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(lines),
        model_writer=model,
        model_type="bpe",
        vocab_size=size,
        byte_fallback=True,
        character_coverage=1.0,
        normalization_rule_name="identity",
        add_dummy_prefix=False,
        remove_extra_whitespaces=False,
        unk_id=0,
        bos_id=1,
        eos_id=2,
        pad_id=-1,
        eos_piece="<|end|>",
        control_symbols=list(SPECIAL[3:]),
        required_chars="ABCDEFGHIJKLMNOPQRSTUVWXYZ",
        hard_vocab_limit=False,
        num_threads=1,
        minloglevel=2,
    )
    processor = sentencepiece.SentencePieceProcessor(model_proto=model.getvalue())
    return [processor.id_to_piece(i) for i in range(processor.get_piece_size())]


def build(pieces: list[str]) -> Any:
    """A transformers fast tokenizer over `pieces`, merging in the order of the vocabulary."""
    from tokenizers import AddedToken, Tokenizer, decoders, normalizers
    from tokenizers.models import BPE
    from transformers import PreTrainedTokenizerFast

    vocab = {piece: i for i, piece in enumerate(pieces)}
    tokenizer = Tokenizer(BPE(vocab, merges_of(vocab), unk_token="<unk>", fuse_unk=True, byte_fallback=True))
    tokenizer.normalizer = normalizers.Replace(" ", "▁")
    tokenizer.decoder = decoders.Sequence([decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse()])
    tokenizer.add_special_tokens([AddedToken(t, normalized=False, special=True) for t in SPECIAL])
    fast = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        bos_token="<s>",
        eos_token="<|end|>",
        unk_token="<unk>",
        pad_token="<|end|>",
        clean_up_tokenization_spaces=False,
        model_max_length=512,
    )
    fast.chat_template = CHAT_TEMPLATE
    return fast


def merges_of(vocab: dict[str, int]) -> list[tuple[str, str]]:
    """The merges that a sentencepiece BPE vocabulary implies: an earlier piece is merged first."""
    merges: list[tuple[int, int, int, str, str]] = []
    for piece, index in vocab.items():
        for cut in range(1, len(piece)):
            left, right = vocab.get(piece[:cut]), vocab.get(piece[cut:])
            if left is not None and right is not None:
                merges.append((index, left, right, piece[:cut], piece[cut:]))
    return [(left, right) for *_, left, right in sorted(merges)]
