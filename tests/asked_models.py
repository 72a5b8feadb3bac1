"""A database of three scripted models, one reply of which is hostile: for exports, pages and question views."""

from __future__ import annotations

import re
from pathlib import Path

import clika_client
from clika_providers import Completion, MockProvider, Request, Usage

LANGUAGES = ("en", "de", "sw", "he")
HOSTILE = "<script>alert(1)</script> [x](javascript:1) \x1b[31m ‮evil =cmd()|x \\input{x} $1^2 **b**"
MIXED = "B) Paris היא התשובה (option B)."
"""A right answer in Hebrew that begins in Latin letters."""
N = 24
_QUESTION = re.compile(r"(\w+): question number (\d+)\?")
_LOSES = {"strong": {"sw": 4}, "middling": {"de": 4, "sw": 2, "he": 3}, "weak": {"en": 3, "de": 2, "sw": 2, "he": 2}}
"""Model → language → every so-manieth question is answered wrongly there."""
STRONG, MIDDLING, WEAK = (f"mock/{name}" for name in _LOSES)


def ask_three(db: Path, probes: Path) -> None:
    """Put the questions of `clika.write_probes(…, N, LANGUAGES)` to three models that lose some in some languages."""
    models = [MockProvider(_says(name), name=name) for name in _LOSES]
    clika_client.run(probes, models, db=db, scoring=clika_client.Options(bootstrap=0))


def _says(name: str):  # type: ignore[no-untyped-def]
    def say(request: Request) -> Completion:
        found = _QUESTION.findall(request.messages[-1].content)
        language, number = found[-1][0], int(found[-1][1])
        every = _LOSES[name].get(language, 0)
        gold = number % 4
        chosen = (gold + 1) % 4 if every and number % every == 0 else gold
        special = {("weak", "sw", 1): HOSTILE, ("weak", "he", 1): MIXED}
        text = special.get((name, language, number), "ABCD"[chosen])
        return Completion(text, "stop", usage=Usage(40, 1))

    return say
