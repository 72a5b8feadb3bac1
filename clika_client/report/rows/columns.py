"""The columns of the four relations that other tools are given: name, type and meaning, the same in every format."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, NamedTuple

from clika_client.scoring.metrics.catalogue import CELL_FIELDS

Kind = Literal["text", "int", "real", "flag", "time", "texts", "reals", "map"]


class Column(NamedTuple):
    """One column. `time` is a moment in UTC, `texts` and `reals` are lists, `map` holds a text per name."""

    name: str
    kind: Kind
    about: str


_ASKED = (
    Column("set", "text", "probe set"),
    Column("set_version", "int", "which of the sets of this name, from 1"),
    Column("language", "text", "BCP 47 tag"),
)
_CELL = (Column("model", "text", "name of the row, as scores show it"), *_ASKED)
_ITEM = Column("item", "text", "id of the question, the same in every language")
_HOW = (
    Column("prompt", "text", "prompt style"),
    Column("ask", "text", "how the model was asked: text, logprobs, likelihood, open"),
    Column("reading", "text", "how the reply was read as a choice"),
    Column("source", "text", "own, or the import it came with"),
    Column("settings", "text", "sampling settings other than the defaults, JSON"),
)
_QUESTION = (
    Column("question", "text", "the question in this language"),
    Column("context", "text", "what is shown before it: a passage, a premise; null without one"),
    Column("options", "texts", "the options in the set's own order"),
    Column("gold", "int", "place of the right option, from 0"),
    Column("answer", "text", "the right option"),
    Column("tags", "map", "tags of the item and of its version in this language"),
)

REPLIES = (
    *_CELL,
    _ITEM,
    *_QUESTION,
    *_HOW,
    Column("rotation", "int", "options were shown turned by so many places"),
    Column("repeat", "int", "which asking of the same question, from 0"),
    Column("reply", "text", "what the model said"),
    Column("choice", "int", "place of the chosen option in the set's own order; null: no answer"),
    Column("chosen", "text", "the chosen option"),
    Column("correct", "flag", "the chosen option is the right one; no answer is not correct"),
    Column("verdict", "text", "of an open question: right, right in another language, wrong, several, …; else null"),
    Column("answer_language", "text", "language of an answer that is right in another one than was asked"),
    Column("written", "text", "what an open reply wrote as its answer, shortened"),
    Column("reason", "text", "why there is no answer: refusal, truncated, …; null for an answer"),
    Column("logprobs", "reals", "natural-log probability of each option in the set's own order, where asked for"),
    Column("finish_reason", "text", "why the model stopped"),
    Column("thinking", "text", "thoughts that came apart from the reply"),
    Column("input_tokens", "int", "tokens of the prompt"),
    Column("output_tokens", "int", "tokens of the reply"),
    Column("cached_tokens", "int", "tokens of the prompt that the vendor had cached"),
    Column("reasoning_tokens", "int", "tokens of thought among the output"),
    Column("cost", "real", "US dollars, where a price is known"),
    Column("latency_s", "real", "seconds until the reply was there"),
    Column("model_served", "text", "the model that the server says it was"),
    Column("asked_at", "time", "when the reply was stored"),
)
ITEMS = (
    *_ASKED,
    _ITEM,
    *_QUESTION,
    Column("cluster", "text", "items that are judged together; null where it stands alone"),
)
SCORES = (
    *_CELL,
    *_HOW,
    Column("anchor", "text", "language that consistency is measured against"),
    Column("split", "text", "`tag=value` where the row covers only those items"),
    Column("n", "int", "items asked"),
    Column("answered", "int", "replies that hold an answer"),
    Column("coverage", "real", "share of the asked items that have a reply"),
    Column("chance", "real", "accuracy of blind guessing"),
    Column("ra_reference", "real", "accuracy that counts as RA = 1"),
    Column("no_answer", "map", "replies per reason of no answer"),
    Column("verdicts", "map", "replies per verdict, of open questions"),
    Column("answered_in", "map", "replies per language of the answers that are right in another language"),
    Column("flags", "texts", "what makes the figures hollow"),
    *(
        Column(field + end, "real", said)
        for field in CELL_FIELDS
        for end, said in (("", "see docs/metrics.md"), ("_low", "lower end, 95 %"), ("_high", "upper end, 95 %"))
    ),
)
RUNS = (
    Column("run", "text", "id of the run"),
    Column("started_at", "time", "when it began"),
    Column("finished_at", "time", "when it ended; null: never, or still going on"),
    Column("status", "text", "done, incomplete, stopped or running"),
    Column("models", "texts", "models asked"),
    Column("sets", "texts", "probe sets asked"),
    Column("languages", "texts", "languages asked for; null: all of each set"),
    Column("prompt", "text", "prompt style"),
    Column("ask", "text", "how models were to be asked"),
    Column("asked", "int", "questions it put, cached ones too"),
    Column("tag", "text", "a name you gave it (`clika runs tag`)"),
    Column("notes", "texts", "what a reader of its scores must know"),
    Column("events", "texts", "what happened: why it stopped, what it cost"),
    Column("config", "text", "all its settings, JSON"),
)

RELATIONS: Mapping[str, tuple[Column, ...]] = {"replies": REPLIES, "items": ITEMS, "scores": SCORES, "runs": RUNS}
