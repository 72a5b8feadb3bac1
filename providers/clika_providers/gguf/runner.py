"""A loaded model answering: prompts prepared, scored or generated, and made into completions.

Belongs to the one thread that loaded it.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

from clika_providers.gguf.engine import Engine, Settings
from clika_providers.gguf.files import ModelFile
from clika_providers.gguf.generate import generate
from clika_providers.gguf.multi_sequence import first_token_logprobs
from clika_providers.gguf.scorer import LabelPaths, score, sums
from clika_providers.gguf.template import ChatTemplate, Marks, PlainText
from clika_providers.types import Completion, Request, Usage


@dataclass(frozen=True, slots=True)
class Prompt:
    """A request as the model sees it."""

    request: Request
    tokens: tuple[int, ...]
    marks: Marks | None
    inside: bool


class Session:
    """One loaded model with its template and the tokens of the labels it has met."""

    def __init__(self, model: ModelFile, settings: Settings, version: str) -> None:
        self.engine = Engine(model, settings)
        self._label = model.label
        self._fingerprint = f"llama-cpp-python {version}"
        self._labels = LabelPaths(self.engine)
        source = model.header.chat_template
        engine = self.engine
        self._template = (
            ChatTemplate(source, bos=engine.special_text("bos"), eos=engine.special_text("eos"))
            if source
            else PlainText()
        )

    def close(self) -> None:
        """Release the model's memory."""
        self.engine.close()

    def prepare(self, request: Request) -> Prompt:
        """Render and tokenize; raises ItemError."""
        rendered = self._template.render(request.messages, thinking=request.thinking)
        if request.mode == "logprobs" or request.grammar:
            rendered = rendered.answering()
        tokens = self.engine.tokenize(
            rendered.text, add_special=rendered.add_special, parse_special=rendered.parse_special
        )
        return Prompt(request, tuple(tokens), rendered.marks, rendered.inside)

    def answer(self, prompt: Prompt) -> Completion:
        """Answer one prompt by itself; raises ItemError or RunError."""
        began = time.perf_counter()
        request = prompt.request
        if request.mode == "logprobs":
            figures = score(self.engine, prompt.tokens, self._labels.of(request.labels))
            return self._choice(prompt, figures, time.perf_counter() - began)
        made = generate(self.engine, prompt.tokens, request, prompt.marks, prompt.inside)
        return Completion(
            text=made.text,
            finish_reason=made.finish_reason,
            thinking=made.thinking,
            usage=Usage(
                input_tokens=len(prompt.tokens),
                output_tokens=made.n_tokens,
                reasoning_tokens=made.n_thinking or None,
            ),
            model_served=self._label,
            latency_s=time.perf_counter() - began,
            fingerprint=self._fingerprint,
        )

    def can_pack(self, prompt: Prompt) -> bool:
        """Whether a prompt is answered by one evaluation, so that others can ride along; raises ItemError."""
        if prompt.request.mode != "logprobs":
            return False
        return all(len(path) == 1 for ways in self._labels.of(prompt.request.labels) for path in ways)

    def answer_packed(self, prompts: Sequence[Prompt]) -> list[Completion]:
        """Answer several prompts that can be packed, in one go; raises ItemError or RunError for all of them."""
        began = time.perf_counter()
        rows = first_token_logprobs(self.engine, [prompt.tokens for prompt in prompts])
        seconds = (time.perf_counter() - began) / len(prompts)
        return [
            self._choice(prompt, sums(row, {}, self._labels.of(prompt.request.labels)), seconds)
            for prompt, row in zip(prompts, rows, strict=True)
        ]

    def _choice(self, prompt: Prompt, figures: tuple[float, ...], seconds: float) -> Completion:
        best = max(range(len(figures)), key=figures.__getitem__)
        return Completion(
            text=prompt.request.labels[best],
            finish_reason="stop",
            choice_logprobs=figures,
            usage=Usage(input_tokens=len(prompt.tokens), output_tokens=1),
            model_served=self._label,
            latency_s=seconds,
            fingerprint=self._fingerprint,
        )
