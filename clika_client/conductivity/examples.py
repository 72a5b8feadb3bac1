"""Teaching files: chat JSONL read into examples, and examples into tokens with the loss on the answer only."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from clika_client.common.errors import UserError
from clika_client.common.wording import counted

PLAIN_TEMPLATE = (
    "{{ bos_token }}{% for message in messages %}{{ message['content'] }}"
    "{% if message['role'] == 'assistant' %}{{ eos_token }}{% else %}{{ '\\n' }}{% endif %}{% endfor %}"
)
"""For base models without a chat template of their own: each turn on its line."""


@dataclass(frozen=True, slots=True)
class Example:
    """One conversation; the last turn is what the model is to say."""

    messages: tuple[tuple[str, str], ...]
    """(role, content) of each turn before the answer."""
    answer: str


@dataclass(frozen=True, slots=True)
class Tokens:
    """An example as token ids; the answer and its end token stand from `start` on."""

    ids: tuple[int, ...]
    start: int


def read_examples(path: Path) -> list[Example]:
    """Read chat JSONL, `{"messages": [{"role": …, "content": …}, …]}` a line.

    Raises UserError naming file and line of what is wrong.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        raise UserError(f"teaching file {path} does not exist; `clika teach build` writes one") from None
    except UnicodeDecodeError as error:
        raise UserError(f"{path} is not UTF-8: {error.reason} at byte {error.start}") from None
    examples = [_example(line, f"{path}:{number}") for number, line in enumerate(lines, 1) if line.strip()]
    if not examples:
        raise UserError(f"{path} holds no examples")
    return examples


def _example(line: str, where: str) -> Example:
    try:
        turns = [(turn["role"], turn["content"]) for turn in json.loads(line)["messages"]]
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise UserError(
            f'{where}: expected {{"messages": [{{"role": "user", "content": …}}, …]}}, got {line[:80]!r} ({error!r})'
        ) from None
    if len(turns) < 2 or turns[-1][0] != "assistant" or not all(isinstance(text, str) for _, text in turns):
        raise UserError(f"{where}: the last of at least two messages must be the assistant's answer")
    if not turns[-1][1].strip():
        raise UserError(f"{where}: the assistant's answer is empty")
    return Example(tuple(turns[:-1]), turns[-1][1])


def with_template(tokenizer: Any) -> Any:
    """The tokenizer, given PLAIN_TEMPLATE when it has no chat template."""
    if not tokenizer.chat_template:
        tokenizer.chat_template = PLAIN_TEMPLATE
    return tokenizer


def encode(example: Example, tokenizer: Any, max_length: int) -> Tokens:
    """Token ids by the tokenizer's chat template; raises UserError for an example over `max_length`."""
    turns = [{"role": role, "content": content} for role, content in example.messages]
    prompt = tokenizer.apply_chat_template(turns, tokenize=False, add_generation_prompt=True)
    whole = tokenizer.apply_chat_template([*turns, {"role": "assistant", "content": example.answer}], tokenize=False)
    # Some templates reword earlier turns; then the answer and its end stand by themselves.
    alone = example.answer + (tokenizer.eos_token or "")
    answer = whole[len(prompt) :] if whole.startswith(prompt) else alone
    head = tokenizer(prompt, add_special_tokens=False)["input_ids"]
    tail = tokenizer(answer, add_special_tokens=False)["input_ids"]
    size = len(head) + len(tail)
    if size > max_length:
        raise UserError(
            f"{example.messages[-1][1][:60]!r} has {counted(size, 'token')}, more than max_length {max_length}"
        )
    return Tokens((*head, *tail), len(head))


def collate(batch: Sequence[Tokens], *, whole: bool = False) -> dict[str, Any]:
    """A model's arguments for a batch, and `labels` (batch, 1 + n) for the n positions whose logits it is to give.

    Those are the ones from the first answer of the batch on, by `logits_to_keep`: on a large vocabulary the others are
    most of the memory. With `whole` they are all. `labels[:, 1 + i]` is the token that the i-th logits predict; -100 is
    no answer, as the first column is throughout: the Trainer takes labels to be unshifted, and does not count it.
    Padded on the right: causal attention never looks there, so no mask is needed.
    """
    import torch

    longest = max(len(tokens.ids) for tokens in batch)
    first = 0 if whole else min(tokens.start for tokens in batch) - 1
    ids = torch.zeros((len(batch), longest), dtype=torch.long)
    labels = torch.full((len(batch), 1 + longest - first), -100)
    for row, tokens in enumerate(batch):
        size = len(tokens.ids)
        ids[row, :size] = torch.tensor(tokens.ids)
        labels[row, tokens.start - first : size - first] = ids[row, tokens.start : size]
    kept = {} if whole else {"logits_to_keep": torch.arange(first, longest)}
    return {"input_ids": ids, "labels": labels, **kept}
