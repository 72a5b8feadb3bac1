"""Replies as other tools logged them: what all log importers hand on, and how a logged right choice is read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from clika_providers import AskMode, Message

LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
POSITION = "position"
"""The id of a document that has none: where it stands in its data set."""


@dataclass(frozen=True, slots=True)
class ForeignReply:
    """One reply as another tool logged it."""

    where: str
    """File and line, for messages."""
    model: str
    language: str
    """BCP 47."""
    ids: Mapping[str, str]
    """Name of an id → id, best first: one of them joins the versions of a question in all languages."""
    text: str | None
    """None: the request failed, a missing answer."""
    set: str = "imported"
    file: str = ""
    messages: tuple[Message, ...] = ()
    finish: str | None = None
    logprobs: tuple[float | None, ...] | None = None
    """Natural-log probability per choice; then the row is read by probability, not by text."""
    repeat: int = 0
    prompt: str = "as-logged"
    """Name of the way of asking: rows of different names are never mixed."""
    question: str | None = None
    choices: tuple[str, ...] = ()
    gold: int | None = None
    tags: Mapping[str, str] = field(default_factory=dict)
    labels: tuple[str, ...] = ()
    cluster: str | None = None
    """Questions of one cluster are about one thing: intervals and tests allow for it."""

    @property
    def ask(self) -> AskMode:
        """How the answer was asked for."""
        return "text" if self.logprobs is None else "logprobs"


def gold_index(target: object, choices: Sequence[str], labels: Sequence[str] = ()) -> int | None:
    """Which choice a logged target means: an index, the text of exactly one choice, or a label; else None."""
    return next(iter(gold_readings(target, choices, labels).values()), None)


def gold_readings(target: object, choices: Sequence[str], labels: Sequence[str] = ()) -> dict[str, int]:
    """Every way to read a logged target, as `text`, `label` or `index` → choice, the usual way first."""
    if isinstance(target, list) and len(target) == 1:
        target = target[0]
    if isinstance(target, bool):
        return {}
    if isinstance(target, int):
        return {"index": target} if 0 <= target < len(choices) else {}
    if not isinstance(target, str):
        return {}
    text = target.strip()
    found: dict[str, int] = {}
    same = [i for i, choice in enumerate(choices) if choice.strip() == text]
    if len(same) == 1:
        found["text"] = same[0]
    for i, label in enumerate(labels or LETTERS[: len(choices)]):
        if text.upper() == label.upper():
            found.setdefault("label", i)
    if text.isdecimal() and int(text) < len(choices):
        found["index"] = int(text)
    return found
