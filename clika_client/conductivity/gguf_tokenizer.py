"""A Hugging Face tokenizer as GGUF metadata: sentencepiece ("llama") and byte-level BPE ("gpt2")."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from clika_client.common.errors import UserError

_NORMAL, _UNKNOWN, _CONTROL, _USER, _UNUSED, _BYTE = 1, 2, 3, 4, 5, 6

_CONTRACTIONS = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|"
_REST = r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
_UPPER, _LOWER = r"[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]", r"[\p{Ll}\p{Lm}\p{Lo}\p{M}]"
_SPLITS: Mapping[str, str] = {
    _CONTRACTIONS + r"\p{N}" + _REST: "qwen2",
    _CONTRACTIONS + r"\p{N}{1,3}" + _REST: "llama-bpe",
    rf"[^\r\n\p{{L}}\p{{N}}]?{_UPPER}*{_LOWER}+|[^\r\n\p{{L}}\p{{N}}]?{_UPPER}+{_LOWER}*"
    r"|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+": "tekken",
    r" ?[^(\s|[.,!?…。，、।۔،])]+": "bloom",
}
"""Pre-tokenizer expression → the name llama.cpp knows it by."""


@dataclass(frozen=True, slots=True)
class GgufTokenizer:
    """Everything of a tokenizer that GGUF holds, indexed by token id."""

    model: str
    pre: str
    tokens: Sequence[str]
    scores: Sequence[float]
    types: Sequence[int]
    merges: Sequence[str]
    special: Mapping[str, int]
    """bos, eos, unk, pad → id"""
    add_bos: bool
    add_space_prefix: bool
    chat_template: str | None

    def add_to(self, writer: Any) -> None:
        """Write the metadata to a gguf.GGUFWriter."""
        writer.add_tokenizer_model(self.model)
        writer.add_tokenizer_pre(self.pre)
        writer.add_token_list(self.tokens)
        writer.add_token_types(self.types)
        if self.model == "llama":
            writer.add_token_scores(self.scores)
            writer.add_add_space_prefix(self.add_space_prefix)
        else:
            writer.add_token_merges(self.merges)
        for name, index in self.special.items():
            getattr(writer, f"add_{name}_token_id")(index)
        writer.add_add_bos_token(self.add_bos)
        if self.chat_template:
            writer.add_chat_template(self.chat_template)


def read_tokenizer(model_dir: Path, vocab_size: int, adapter: Path | None = None) -> GgufTokenizer:
    """Read tokenizer.json (and tokenizer.model's scores where it exists).

    The chat template is the adapter's where it brings one: the one the model was taught with.
    Ids up to `vocab_size` without a token become unused tokens. Raises UserError for a tokenizer that
    llama.cpp would split differently.
    """
    path = model_dir / "tokenizer.json"
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UserError(f"{model_dir} has no tokenizer.json; save the tokenizer with save_pretrained") from None
    except (ValueError, RecursionError) as error:
        raise UserError(f"{path} is not valid JSON: {error}") from None
    model = document["model"]
    if model.get("type") != "BPE":
        raise UserError(f"{path}: tokenizer type {model.get('type')!r} cannot be converted; only BPE can")
    added = {entry["content"]: entry for entry in document.get("added_tokens") or []}
    vocab = {**model["vocab"], **{token: entry["id"] for token, entry in added.items()}}
    size = max(vocab_size, max(vocab.values()) + 1)
    if size > vocab_size:
        raise UserError(f"{path} has {size} tokens, but the model's vocab_size is {vocab_size}; resize the embeddings")
    sentencepiece = bool(model.get("byte_fallback"))
    tokens, types = _tokens(vocab, added, size, sentencepiece, model.get("unk_token"))
    merges = [m if isinstance(m, str) else " ".join(m) for m in model.get("merges") or []]
    settings = _settings(model_dir)
    return GgufTokenizer(
        model="llama" if sentencepiece else "gpt2",
        pre="default" if sentencepiece else _pre_tokenizer(document, path),
        tokens=tokens,
        scores=_scores(model_dir, tokens, merges) if sentencepiece else [],
        types=types,
        merges=merges,
        special=_special(model_dir, settings, vocab),
        add_bos=_adds_bos(document, settings),
        add_space_prefix=_adds_space(document),
        chat_template=(_chat_template(adapter, {}) if adapter else None) or _chat_template(model_dir, settings),
    )


def _tokens(
    vocab: Mapping[str, int], added: Mapping[str, Any], size: int, sentencepiece: bool, unknown: str | None
) -> tuple[list[str], list[int]]:
    tokens = [f"[PAD{i}]" for i in range(size)]
    types = [_UNUSED] * size
    for token, index in vocab.items():
        tokens[index] = token
        if sentencepiece and token == unknown:
            types[index] = _UNKNOWN
        elif token in added:
            types[index] = _CONTROL if added[token].get("special") else _USER
        elif sentencepiece and len(token) == 6 and token.startswith("<0x"):
            types[index] = _BYTE
        else:
            types[index] = _NORMAL
    return tokens, types


def _scores(model_dir: Path, tokens: Sequence[str], merges: Sequence[str]) -> list[float]:
    """Sentencepiece's scores; without tokenizer.model, the order of the merges says the same."""
    path = model_dir / "tokenizer.model"
    if path.is_file():
        import sentencepiece

        processor = sentencepiece.SentencePieceProcessor(model_file=str(path))
        known = {processor.id_to_piece(i): processor.get_score(i) for i in range(processor.get_piece_size())}
        return [known.get(token, -1000.0) for token in tokens]
    rank: dict[str, int] = {}
    for place, merge in enumerate(merges):
        left, _, right = merge.partition(" ")
        rank.setdefault(left + right, place)
    return [-float(rank.get(token, 0)) for token in tokens]


def _pre_tokenizer(document: Mapping[str, Any], path: Path) -> str:
    """llama.cpp's name for the way text is cut before merging."""
    step = document.get("pre_tokenizer") or {}
    steps = step.get("pretokenizers", [step])
    kinds = [s.get("type") for s in steps]
    if kinds == ["ByteLevel"] and steps[0].get("use_regex", True):
        return "gpt-2"
    if kinds == ["Digits", "ByteLevel"] and steps[0].get("individual_digits") and steps[1].get("use_regex", True):
        return "smollm"
    if kinds == ["Split", "ByteLevel"]:
        name = _SPLITS.get((steps[0].get("pattern") or {}).get("Regex", ""))
        if name:
            return name
    raise UserError(f"{path}: llama.cpp has no equal of this pre-tokenizer ({', '.join(map(str, kinds))})")


def _settings(model_dir: Path) -> dict[str, Any]:
    path = model_dir / "tokenizer_config.json"
    if not path.is_file():
        return {}
    try:
        settings = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise UserError(f"{path} is not valid JSON: {error}") from None
    return settings if isinstance(settings, dict) else {}


def _special(model_dir: Path, settings: Mapping[str, Any], vocab: Mapping[str, int]) -> dict[str, int]:
    """Ids of the special tokens: by the tokenizer's own names, else by the model's config."""
    config = json.loads((model_dir / "config.json").read_text(encoding="utf-8"))
    found: dict[str, int] = {}
    for name in ("bos", "eos", "unk", "pad"):
        token = settings.get(f"{name}_token")
        token = token.get("content") if isinstance(token, dict) else token
        index = vocab.get(token) if token else config.get(f"{name}_token_id")
        if isinstance(index, list):
            index = index[0]
        if index is not None:
            found[name] = int(index)
    return found


def _adds_bos(document: Mapping[str, Any], settings: Mapping[str, Any]) -> bool:
    if "add_bos_token" in settings:
        return bool(settings["add_bos_token"])
    bos = settings.get("bos_token")
    bos = bos.get("content") if isinstance(bos, dict) else bos
    return bool(bos) and f'"{bos}"' in json.dumps(document.get("post_processor") or {}, ensure_ascii=False)


def _adds_space(document: Mapping[str, Any]) -> bool:
    pre = document.get("pre_tokenizer") or {}
    if pre.get("type") == "Metaspace":
        return pre.get("prepend_scheme") != "never"
    normalizer = document.get("normalizer") or {}
    steps = normalizer.get("normalizers", [normalizer])
    return any(step.get("type") == "Prepend" for step in steps)


def _chat_template(model_dir: Path, settings: Mapping[str, Any]) -> str | None:
    path = model_dir / "chat_template.jinja"
    if path.is_file():
        return path.read_text(encoding="utf-8")
    template = settings.get("chat_template")
    if isinstance(template, list):
        template = next((t["template"] for t in template if t.get("name") == "default"), None)
    return template
