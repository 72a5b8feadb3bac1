"""What a model was seen to reject: each field is dropped once, remembered for the run, and reported."""

from __future__ import annotations

import re
from collections.abc import Mapping

from clika_providers.errors import ErrorCode, RunError
from clika_providers.hosted.capabilities import rejected_parameter
from clika_providers.keys import redact
from clika_providers.traffic.http_errors import Failure, quoted
from clika_providers.types import Json

_SWAPS = {"max_tokens": "max_completion_tokens", "max_completion_tokens": "max_tokens"}
_AS_TEXT: tuple[ErrorCode, str] = ("logprobs", "ask it with --ask text")
_FREELY: tuple[ErrorCode, str] = ("grammar", "run without constrained output")
_NEEDED = {
    "logprobs": _AS_TEXT,
    "top_logprobs": _AS_TEXT,
    "structured_outputs": _FREELY,
    "grammar": _FREELY,
    "response_format": _FREELY,
}
"""Fields that a run is about → code and cure of their rejection."""
_LIMIT = re.compile(r"logprobs.*?(?:max allowed|maximum|at most|less than or equal to|limit)\D*(\d+)", re.IGNORECASE)


class RejectedFields:
    """Rejected fields and the notes about them, for one model during one run."""

    def __init__(self, model: str) -> None:
        self._model = model
        self.dropped: set[str] = set()
        self.swapped: str | None = None
        self.top_logprobs: int | None = None
        """As many alternatives per token as the server allows, where it allows fewer than are asked for."""
        self.notes: list[str] = []

    def note(self, sentence: str) -> None:
        """Tell the user something once."""
        sentence = redact(sentence)
        if sentence not in self.notes:
            self.notes.append(sentence)

    def learn(self, failure: Failure, sent: Mapping[str, Json]) -> bool:
        """Whether a 400 named a field that can be left out, so that the request is worth sending again without it.

        Raises RunError when the field is what the run is about: an answer read without it would be another measurement.
        """
        if self._learn_limit(failure, sent):
            return True
        name = rejected_parameter(failure.message, failure.param, sent)
        if name is None:
            return False
        if name in _NEEDED:
            code, cure = _NEEDED[name]
            raise RunError(f"{self._model!r} rejects {name}: {quoted(failure.message)}; {cure}", status=400, code=code)
        other = _SWAPS.get(name)
        if other and self.swapped is None:
            self.swapped = other
            self.note(f"{other} is sent instead of {name}: the model asks for it")
        elif name in self.dropped or other:
            return False
        else:
            self.dropped.add(name)
            self.note(f"{name} was dropped: the model rejects it ({quoted(failure.message, 120)})")
        return True

    def _learn_limit(self, failure: Failure, sent: Mapping[str, Json]) -> bool:
        """Whether a server named a smaller number of alternatives that it allows (vLLM: 5, unless told otherwise)."""
        found = _LIMIT.search(failure.message)
        asked = sent.get("top_logprobs")
        if found is None or not isinstance(asked, int) or not 2 <= int(found[1]) < asked:
            return False
        self.top_logprobs = int(found[1])
        self.note(f"the server gives {found[1]} alternatives per token, not {asked}: other labels have no probability")
        return True
