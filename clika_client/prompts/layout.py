"""The form of a prompt in one language: text with named places, filled in by one pass over the text.

A prompt is a lead (the instruction), examples where there are any, and the question in the body's form. What stands
before a question, such as a passage, is shown by every layout: at `{context}`, else in front of the question.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from clika_client.common.errors import UserError
from clika_client.sets.probes import CONTEXT, Probe
from clika_client.sets.wording import CONTEXT_PLACE, FIELD, Text, compile_text
from clika_providers import Message

_LETTER_DOT = compile_text("{label}. {choice}")
_SPACE_LABEL = compile_text(" {label}")
_NOTHING = compile_text("")


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
    lead: Text = _NOTHING
    """What stands once, before examples and question."""
    answer: Text = _SPACE_LABEL
    """How the answer of an example goes on from the body: a `{label}`, or the label and its `{choice}`."""

    def messages(self, probe: Probe, choices: Sequence[str], examples: str = "") -> tuple[Message, ...]:
        """The messages for one probe with its choices in the order shown, after worked examples."""
        values = self._values(probe, choices)
        user = Message("user", self._fill(self.lead, values, probe) + examples + self._fill(self.body, values, probe))
        return (user,) if self.system is None else (Message("system", self.system), user)

    def worked(self, probe: Probe) -> str:
        """A question with its right answer, in the form the question itself has."""
        answer = self.answer.fill({"label": self.labels[probe.gold], "choice": probe.choices[probe.gold]})
        return self._fill(self.body, self._values(probe, probe.choices), probe) + answer

    def _values(self, probe: Probe, choices: Sequence[str]) -> dict[str, str]:
        lines = self._lines(choices)
        context = probe.fields.get(CONTEXT, "")
        in_front = context and not {*self.lead.places, *self.body.places} & {CONTEXT_PLACE, FIELD + CONTEXT}
        values = {
            "question": f"{context}\n{probe.question}" if in_front else probe.question,
            CONTEXT_PLACE: f"{context}\n" if context else "",
            "choices": self.between.join(lines),
            "labels": ", ".join(self.labels),
            "first_label": self.labels[0],
            "last_label": self.labels[-1],
            "language": self.language,
        }
        for name, value in probe.fields.items():
            values[FIELD + name] = value
        return values

    def _lines(self, choices: Sequence[str]) -> list[str]:
        """The line of each choice; half of the time of planning a large set goes here, hence the usual case apart."""
        shown = zip(self.labels, choices, strict=True)
        if self.choice.places == _LETTER_DOT.places:
            before, between, after = self.choice.literals
            return [f"{before}{label}{between}{choice}{after}" for label, choice in shown]
        return [self.choice.fill({"label": label, "choice": choice}) for label, choice in shown]

    @staticmethod
    def _fill(text: Text, values: Mapping[str, str], probe: Probe) -> str:
        if not text.places:
            return text.literals[0]
        try:
            return text.fill(values)
        except KeyError as error:
            known = ", ".join(FIELD + name for name in probe.fields) or "none"
            raise UserError(
                f"item {probe.item_id!r} has nothing for the placeholder {{{error.args[0]}}} of the prompt; "
                f"fields of this item: {known}"
            ) from None
