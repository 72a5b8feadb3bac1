"""Which column of a table of replies is the reply, told by the names of all of them, once for a file."""

from __future__ import annotations

import re
from collections.abc import Sequence

from clika_client.common.errors import UserError
from clika_client.sets.mapping import GOLDS, Mapped

_REPLIES = (
    "text", "response", "res", "reply", "completion", "output", "prediction", "pred", "generation", "generated_text",
    "model_output", "model_answer", "model_response",
)  # fmt: skip
"""Names of columns that hold what a model said. `answer` is in many data sets the right answer instead."""
# Words in the names of other columns that are likely what a model said, as in `raw_response`.
_OF_REPLIES = {
    "response", "responses", "reply", "replies", "prediction", "predictions", "predicted", "pred", "preds",
    "completion", "output", "outputs", "generation", "generated", "resp", "resps", "assistant", "hypothesis",
}  # fmt: skip
# Words that make an answer a model's.
_OF_MODELS = {
    "model", "llm", "bot", "gpt", "chatgpt", "claude", "gemini", "predicted", "generated", "given", "chosen",
}  # fmt: skip
# Words that say that a column is something about a reply, or the reply that was wanted.
_OF_OTHERS = {
    "token", "tokens", "time", "length", "len", "id", "ids", "cost", "price", "ms", "seconds", "latency",
    "logprob", "logprobs", "prob", "probs", "probability", "score", "correct", "is", "count", "usage", "reason",
    "status", "format", "type", "expected", "reference", "target", "gold", "ideal", "true", "right", "key",
    "index", "parsed", "max", "finish", "stop",
}  # fmt: skip


def reply_column(where: str, columns: Sequence[str], mapped: Mapped, golds: Sequence[str]) -> str | None:
    """The one column that can be the reply: never `answer` where it may be the right answer; None without any.

    `golds` are the usual names of the right answer. Raises UserError where it stays open.
    """
    taken = {column for source in mapped.values() for column in source.columns}
    likely = [column for column in _REPLIES if column in columns and column not in taken]
    if len(likely) > 1:
        raise UserError(
            f"{where}: {' and '.join(map(repr, likely))} could both be the reply; name it with --map text={likely[0]}"
        )
    if likely:
        return likely[0]
    others = [column for column in columns if column not in taken and _like_a_reply(column)]
    if len(others) > 1:
        raise UserError(
            f"{where}: {' and '.join(map(repr, others))} could both be the reply; name it with --map text={others[0]}"
        )
    if others:
        return others[0]
    if "answer" not in columns or "answer" in taken:
        return None
    gold_known = any(gold in mapped for gold in GOLDS) or any(c in columns for c in golds if c != "answer")
    if not gold_known and {"choices", "question"} & set(columns):
        raise UserError(
            f"{where}: 'answer' may be the model's reply or the right answer; say which with --map text=answer or "
            "--map gold=answer, and name the other"
        )
    return "answer"


def _like_a_reply(column: str) -> bool:
    """Whether a column's name says that it holds what a model said: `raw_response`, `Prediction`, `llmAnswer`."""
    words = set(re.findall(r"[a-z]+", re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", column).lower()))
    if words & _OF_OTHERS:
        return False
    return bool(words & _OF_REPLIES or ("answer" in words and words & _OF_MODELS))
