"""A loaded model answering: prompts prepared, scored or generated, and made into completions.

Belongs to the one thread that loaded it.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

from clika_providers.gguf.context import Settings
from clika_providers.gguf.engine import Engine
from clika_providers.gguf.files import ModelFile
from clika_providers.gguf.generate import draw_label, generate
from clika_providers.gguf.likelihood import OptionTokens, score_options, tokenize
from clika_providers.gguf.multi_sequence import first_token_logprobs
from clika_providers.gguf.scorer import LabelPaths, score, sums
from clika_providers.gguf.template import ChatTemplate, Marks, PlainText
from clika_providers.types import Completion, Request, Usage


@dataclass(frozen=True, slots=True)
class Tokenized:
    """A request as the model sees it."""

    request: Request
    tokens: tuple[int, ...]
    marks: Marks | None = None
    inside: bool = False
    continuations: OptionTokens | None = None
    """For `likelihood`: the options, after `tokens`."""


class ModelSession:
    """One loaded model with its template and the tokens of the labels it has met."""

    def __init__(self, model: ModelFile, settings: Settings, version: str) -> None:
        self.engine = Engine(model, settings)
        self._beside: Engine | None = None
        """A second context on the same weights, so that what neighbours share stays in the first."""
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
        if self._beside is not None:
            self._beside.close()
        self.engine.close()

    def prepare(self, request: Request) -> Tokenized:
        """Render and tokenize; raises ItemError.

        Likelihoods are those of plain text whatever the model: what a chat template adds is no part of the language.
        """
        if request.mode == "likelihood":
            text = PlainText().render(request.messages, thinking=False).text
            asked = tokenize(self.engine, text, request.options)
            return Tokenized(request, asked.prompt, continuations=asked)
        rendered = self._template.render(request.messages, thinking=request.thinking)
        if request.mode == "logprobs" or request.grammar:
            rendered = rendered.answering()
        tokens = self.engine.tokenize(
            rendered.text, add_special=rendered.add_special, parse_special=rendered.parse_special
        )
        return Tokenized(request, tuple(tokens), rendered.marks, rendered.inside)

    def answer(self, prompt: Tokenized) -> Completion:
        """Answer one prompt by itself; raises ItemError or RunError."""
        began, before = time.perf_counter(), self._evaluated()
        request = prompt.request
        if prompt.continuations is not None:
            return self._likelihood(prompt, prompt.continuations, began, before)
        if request.mode == "logprobs":
            figures = score(self.engine, prompt.tokens, self._labels.of(request.labels))
            return self._choice(prompt, figures, time.perf_counter() - began, self._evaluated() - before)
        if request.grammar:
            figures = score(self.engine, prompt.tokens, self._labels.of(request.labels))
            label = request.labels[draw_label(request, figures)]
            spared = _spared(len(prompt.tokens), self._evaluated() - before)
            return Completion(
                text=label,
                finish_reason="stop",
                usage=Usage(len(prompt.tokens), 1, spared),
                model_served=self._label,
                latency_s=time.perf_counter() - began,
                fingerprint=self._fingerprint,
            )
        made = generate(self.engine, prompt.tokens, request, prompt.marks, prompt.inside)
        return Completion(
            text=made.text,
            finish_reason=made.finish_reason,
            thinking=made.thinking,
            usage=Usage(
                input_tokens=len(prompt.tokens),
                output_tokens=made.n_tokens,
                cached_tokens=_spared(len(prompt.tokens) + made.n_tokens - 1, self._evaluated() - before),
                reasoning_tokens=made.n_thinking or None,
            ),
            model_served=self._label,
            latency_s=time.perf_counter() - began,
            fingerprint=self._fingerprint,
        )

    def can_pack(self, prompt: Tokenized) -> bool:
        """Whether a prompt is answered by one evaluation, so that others can ride along; raises ItemError."""
        if prompt.request.mode != "logprobs":
            return False
        return all(len(path) == 1 for ways in self._labels.of(prompt.request.labels) for path in ways)

    def answer_packed(self, prompts: Sequence[Tokenized]) -> list[Completion]:
        """Answer several prompts that can be packed, in one go; raises ItemError or RunError for all of them."""
        began, before = time.perf_counter(), self._evaluated()
        rows = first_token_logprobs(self.engine, [prompt.tokens for prompt in prompts])
        seconds = (time.perf_counter() - began) / len(prompts)
        evaluated = (self._evaluated() - before) // len(prompts)
        return [
            self._choice(prompt, sums(row, {}, self._labels.of(prompt.request.labels)), seconds, evaluated)
            for prompt, row in zip(prompts, rows, strict=True)
        ]

    def _likelihood(self, prompt: Tokenized, asked: OptionTokens, began: float, before: int) -> Completion:
        request = prompt.request
        figures = score_options(self.engine, asked)
        neutral, n_tokens = None, asked.n_tokens
        if request.neutral:
            if self._beside is None:
                self._beside = Engine(self.engine.model_file, self.engine.settings, weights_of=self.engine)
            text = PlainText().render(request.neutral, thinking=False).text
            unasked = tokenize(self._beside, text, request.options)
            neutral, n_tokens = score_options(self._beside, unasked), n_tokens + unasked.n_tokens
        best = max(range(len(figures)), key=figures.__getitem__)
        return Completion(
            text=request.options[best].strip(),
            finish_reason="stop",
            choice_logprobs=figures,
            option_tokens=tuple(map(len, asked.paths)),
            neutral_logprobs=neutral,
            usage=Usage(n_tokens, 0, _spared(n_tokens, self._evaluated() - before)),
            model_served=self._label,
            latency_s=time.perf_counter() - began,
            fingerprint=self._fingerprint,
        )

    def _evaluated(self) -> int:
        return self.engine.evaluated + (self._beside.evaluated if self._beside is not None else 0)

    def _choice(self, prompt: Tokenized, figures: tuple[float, ...], seconds: float, evaluated: int) -> Completion:
        best = max(range(len(figures)), key=figures.__getitem__)
        return Completion(
            text=prompt.request.labels[best],
            finish_reason="stop",
            choice_logprobs=figures,
            usage=Usage(len(prompt.tokens), 1, _spared(len(prompt.tokens), evaluated)),
            model_served=self._label,
            latency_s=seconds,
            fingerprint=self._fingerprint,
        )


def _spared(n_tokens: int, evaluated: int) -> int:
    """Tokens that a neighbour had already paid for."""
    return max(0, n_tokens - evaluated)
