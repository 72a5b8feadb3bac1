"""Scores options as continuations of a prompt on one server, in the form that it is found to know."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from clika_providers.errors import ProviderError, RunError
from clika_providers.hosted.continuations import FORMS, Form, NotTold, ServedLikelihoods, ServedModel
from clika_providers.types import Completion, Request, Usage

_REFUSALS = (400, 404, 405, 415, 422, 500, 501)
"""Statuses by which a server says that it does not know a form; llama-server has 500 for `echo`."""
_EXAMPLE = "One, two, three, four, five"


class ContinuationScorer:
    """Scores options as continuations on one server, in the form that it knows."""

    def __init__(self, spec: str, tried: ServedModel, asked: ServedModel) -> None:
        """`tried` is asked which form it knows, where a refusal is news; `asked` is asked questions."""
        self._spec, self._tried, self._asked = spec, tried, asked
        self._form: str | None = None
        self._neutral: dict[tuple[str, tuple[str, ...]], ServedLikelihoods] = {}

    async def form(self) -> str:
        """The name of the form that the server knows, found by trying; raises RunError where it knows none."""
        if self._form is None:
            said = ""
            for name, ask in FORMS.items():
                try:
                    await ask(self._tried, _EXAMPLE, (", six", ", red"))
                except NotTold:
                    continue
                except ProviderError as error:
                    if error.code in ("likelihood", "logprobs", "key", "quota") or error.status not in _REFUSALS:
                        raise
                    said = said or str(error)
                    continue
                self._form = name
                break
            else:
                raise RunError(
                    f"{self._spec}: this server tells no probabilities of texts that its model did not write "
                    f"(tried {', '.join(FORMS)}{f'; it said: {said}' if said else ''}): use --ask text, or run the "
                    "model in this process (gguf/FILE)",
                    code="likelihood",
                )
        return self._form

    async def complete(self, request: Request) -> Completion:
        """The likelihood of each option, as a Completion; raises ProviderError."""
        ask = FORMS[await self.form()]
        try:
            found = await ask(self._asked, _text(request.messages), request.options)
            neutral = await self._after_neutral(ask, request)
        except NotTold:
            raise RunError(f"{self._spec}: a reply lacks the probabilities of others", code="likelihood") from None
        best = max(range(len(found.logprobs)), key=found.logprobs.__getitem__)
        return Completion(
            text=request.options[best].strip(),
            finish_reason="stop",
            choice_logprobs=found.logprobs,
            option_tokens=found.tokens,
            neutral_logprobs=neutral.logprobs if neutral else None,
            usage=Usage(found.evaluated + (neutral.evaluated if neutral else 0), 0),
            raw=json.dumps({"form": self._form, "logprobs": found.logprobs, "tokens": found.tokens}),
        )

    async def _after_neutral(self, ask: Form, request: Request) -> ServedLikelihoods | None:
        """The same options after the neutral prompt; the same question for many items, and asked once."""
        if not request.neutral:
            return None
        key = (_text(request.neutral), request.options)
        if key not in self._neutral:
            self._neutral[key] = await ask(self._asked, *key)
        return self._neutral[key]


def _text(messages: Sequence[Any]) -> str:
    return "\n\n".join(message.content for message in messages)
