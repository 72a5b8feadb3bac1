"""The open form of the demonstration: the same facts without options, put to a scripted model that knows some of them.

The model that comes with clika was taught letters alone and finds no words, so a script speaks here: it knows of each
language the share that the demo model was taught, else says the English name, another one, or that it does not know.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from clika_client.sets.demo import demo_set, schooling
from clika_client.sets.open_form import open_form

if TYPE_CHECKING:
    from clika_client.sets.probes import ProbeSet
    from clika_providers import MockProvider, Request


def open_demo() -> tuple[ProbeSet, MockProvider]:
    """(the questions in their open form, the scripted model that is asked)."""
    from clika_providers import MockProvider

    questions = open_form(demo_set())
    said = {probe.question: _reply(questions, tag, i) for tag in questions.languages
            for i, probe in enumerate(questions.probes[tag])}  # fmt: skip

    def speak(request: Request) -> str:
        lines = request.messages[-1].content.split("\n")
        return next((said[line] for line in lines if line in said), "")

    return questions, MockProvider(speak, name="demo-open")


def _reply(questions: ProbeSet, language: str, position: int) -> str:
    """What the script says to one question; the same every time."""
    probe, english = questions.probes[language][position], questions.probes["en"][position]
    digest = hashlib.blake2b(f"{language}/{probe.item_id}".encode(), digest_size=2).digest()
    draw = int.from_bytes(digest) / 65_536
    known = schooling()[language].facts
    if draw < known:
        return f"**{probe.choices[probe.gold]}**"
    rest = (draw - known) / (1 - known)
    if rest < 0.4:
        return f"It is {english.choices[english.gold]}."
    return probe.choices[probe.gold - 1] if rest < 0.8 else "I do not know."
