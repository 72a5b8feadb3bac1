"""The form of a prompt in one language: text with named places, filled in by one pass over the text."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from clika_client.common.errors import UserError
from clika_client.sets.probes import Probe
from clika_client.sets.wording import FIELD, Text, compile_text
from clika_providers import Message

_LETTER_DOT = compile_text("{label}. {choice}")


@dataclass(frozen=True, slots=True)
class Layout:
    """A style in one language, for questions with `len(labels)` choices."""

    body: Text
    labels: tuple[str, ...]
    """The label shown at each position."""
    choice: Text = _LETTER_DOT
    """One line of the list of choices."""
    between: str = "\n"
    """What stands between two lines of the list of choices."""
    system: str | None = None
    """A system message before the question."""
    language: str = ""
    """What `{language}` stands for."""
    note: str | None = None
    """What a reader of scores should know, such as that the wording is another language's."""

    def messages(self, probe: Probe, choices: Sequence[str]) -> tuple[Message, ...]:
        """The messages for one probe with its choices in the order shown."""
        lines = [
            self.choice.fill({"label": label, "choice": choice})
            for label, choice in zip(self.labels, choices, strict=True)
        ]
        values = {
            "question": probe.question,
            "choices": self.between.join(lines),
            "labels": ", ".join(self.labels),
            "first_label": self.labels[0],
            "last_label": self.labels[-1],
            "language": self.language,
        }
        for name, value in probe.fields.items():
            values[FIELD + name] = value
        try:
            user = Message("user", self.body.fill(values))
        except KeyError as error:
            known = ", ".join(FIELD + name for name in probe.fields) or "none"
            raise UserError(
                f"item {probe.item_id!r} has nothing for the placeholder {{{error.args[0]}}} of the prompt; "
                f"fields of this item: {known}"
            ) from None
        return (user,) if self.system is None else (Message("system", self.system), user)
