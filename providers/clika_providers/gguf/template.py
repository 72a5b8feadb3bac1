"""Renders messages as the text a model was trained to continue: its own chat template, or plain text.

Chat templates are rendered by llama-cpp-python's own formatter and tokenized without adding anything, exactly
as `create_chat_completion` does. The beginning-of-sequence token is there if and only if the template writes
it: adding it again, or where it is not written, changes answers.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from clika_providers.errors import ItemError, RunError
from clika_providers.time_limit import time_limit
from clika_providers.types import Message

_MOST_S = 5.0
"""Seconds that one prompt may take a template; the slowest known takes a hundredth."""
DATE = "2026-01-01"
"""What templates that write today's date are told: the tokens of a prompt must not change overnight."""


@dataclass(frozen=True, slots=True)
class Marks:
    """How a reasoning model opens and closes its thinking, and what stands for thinking nothing."""

    opened: str
    closed: str
    empty: str


THINKING = (
    Marks("<think>", "</think>", "<think>\n\n</think>\n\n"),
    Marks("[THINK]", "[/THINK]", "[THINK][/THINK]"),
    Marks("<seed:think>", "</seed:think>", "<seed:think></seed:think>"),
    Marks("<|channel|>analysis<|message|>", "<|channel|>final<|message|>", "<|channel|>final<|message|>"),
)


@dataclass(frozen=True, slots=True)
class Rendered:
    """A prompt's text and how to tokenize it."""

    text: str
    add_special: bool
    """Let the vocabulary add its BOS: only for plain text."""
    parse_special: bool
    marks: Marks | None = None
    """Set when the model will think before it answers, and the template cannot turn that off."""
    inside: bool = False
    """The text ends inside an opened thinking block."""

    def answering(self) -> Rendered:
        """The same prompt with the thinking closed, so that the next token is the answer's first."""
        if self.marks is None:
            return self
        if self.inside:
            text = self.text.rstrip() + self.marks.empty.removeprefix(self.marks.opened)
        else:
            text = self.text + self.marks.empty
        return Rendered(text, self.add_special, self.parse_special)


class PlainText:
    """For base models: the messages' text, nothing added but what separates turns."""

    def render(self, messages: Sequence[Message], *, thinking: bool) -> Rendered:
        """Turns separated by blank lines; an example's answer stays on the line that asks for it."""
        text = ""
        for message in messages:
            if message.role == "assistant":
                text += ("" if text[-1:].isspace() or not text else " ") + message.content
            else:
                text += ("\n\n" if text else "") + message.content
        return Rendered(text, add_special=True, parse_special=False)


class ChatTemplate:
    """The chat template in the model's file."""

    def __init__(self, source: str, *, bos: str, eos: str) -> None:
        from llama_cpp.llama_chat_format import Jinja2ChatFormatter

        self.source = source
        try:
            self._formatter: Any = Jinja2ChatFormatter(template=source, eos_token=eos, bos_token=bos)
        except Exception as error:  # whatever Jinja finds wrong with foreign text
            raise ItemError(f"the model's chat template is broken: {error}") from None
        self._formatter.strftime_now = datetime.fromisoformat(DATE).strftime

    def render(self, messages: Sequence[Message], *, thinking: bool) -> Rendered:
        """The prompt up to where the answer starts; raises ItemError when the template refuses the messages."""
        text = self._text(messages, thinking)
        marks = self._marks(messages, text)
        inside = marks is not None and text.rstrip().endswith(marks.opened)
        return Rendered(text, add_special=False, parse_special=True, marks=marks, inside=inside)

    def _text(self, messages: Sequence[Message], thinking: bool) -> str:
        try:
            text = self._try(messages, thinking)
            system = next((m.content.strip() for m in messages if m.role == "system"), "")
            if system in text:
                return text
        except RunError:
            raise
        except Exception as error:  # templates raise what they like
            if not any(m.role == "system" for m in messages):
                raise ItemError(f"the model's chat template refuses these messages: {error}") from None
        try:
            return self._try(merge_system(messages), thinking)
        except RunError:
            raise
        except Exception as error:
            raise ItemError(f"the model's chat template refuses these messages: {error}") from None

    def _try(self, messages: Sequence[Message], thinking: bool) -> str:
        turns = [{"role": m.role, "content": m.content} for m in messages]
        effort = {} if thinking else {"reasoning_effort": "low"}
        with time_limit(_MOST_S, "the model's chat template"):
            text: str = self._formatter(messages=turns, enable_thinking=thinking, thinking=thinking, **effort).prompt
        return text

    def _marks(self, messages: Sequence[Message], text: str) -> Marks | None:
        for marks in THINKING:
            if marks.closed in self.source or marks.opened in self.source:
                # A closed block after the question: thinking is off.
                after = text.rpartition(messages[-1].content)[2]
                return None if marks.closed in after else marks
        return None


def merge_system(messages: Sequence[Message]) -> list[Message]:
    """The same conversation with the system's words at the head of the first user turn."""
    system = "\n\n".join(m.content for m in messages if m.role == "system")
    rest = [m for m in messages if m.role != "system"]
    for at, message in enumerate(rest):
        if message.role == "user":
            rest[at] = Message("user", f"{system}\n\n{message.content}")
            return rest
    return [Message("user", system), *rest]


def digest(source: str | None) -> str | None:
    """A short name for a template, for the model's identity; None for plain text."""
    if source is None:
        return None
    dated = f"{DATE}\0{source}" if "strftime_now" in source else source
    return hashlib.sha256(dated.encode("utf-8", "replace")).hexdigest()[:16]
