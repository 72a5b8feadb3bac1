"""The open form of a set of choices: the same questions without their options, under a name of its own.

The options stay with the questions, because a known wrong answer is read with more certainty than an unknown one. What
cannot be asked without options ("which of these …") is left out.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Sequence
from dataclasses import replace

from clika_client.common.errors import UserError
from clika_client.sets.probes import ANSWER_KIND, OPEN, Item, Probe, ProbeSet

SUFFIX = "-open"
"""What the open form adds to a set's name."""
NAMES = "names:"
"""`names:LANGUAGE` in an open set's `meta`: JSON of an answer → its other names, `*` ending a stem."""
KINDS = ("number", "date", "yes-no")
"""Values of the tag `answer_kind`; without one the answer is a name."""
NO_ANSWER_KIND = "none"
"""Value of the tag `answer_kind` of a question that has no answer; right is a reply that gives none."""
NEEDS_OPTIONS = "needs_options"
"""Tag of an item that cannot be asked without its options, whatever its wording."""
_POINTS = re.compile(
    r"\b(?:of|among|between|from|in) (?:these|those|the following|the options|the choices)\b|\bfollowing\b", re.I
)
_NUMBER = re.compile(r"[+\-\u2212]?\d+(?:[.,]\d+)?")
_DAY = re.compile(
    r"(?:January|February|March|April|May|June|July|August|September|October|November|December) \d{1,2}"
    r"|\d{1,2} (?:January|February|March|April|May|June|July|August|September|October|November|December)"
)
_YES_NO = frozenset(("yes", "no"))


def open_form(probe_set: ProbeSet) -> ProbeSet:
    """The set asked openly; one that is open already as it is. Raises UserError where nothing can be asked so.

    Its reference is none: the published accuracies are those of multiple choice.
    """
    if probe_set.open:
        return probe_set
    rows = [i for i in range(probe_set.n) if not _needs_options(probe_set, i)]
    if not rows:
        raise UserError(
            f"set {probe_set.name!r} cannot be asked openly: every question speaks of its options; use --ask text"
        )
    part = probe_set.part(probe_set.languages, rows)
    items = tuple(_open_item(part, i) for i in range(part.n))
    examples = probe_set.examples
    if examples is not None:
        kept = [i for i in range(examples.n) if not _needs_options(examples, i)]
        examples = open_form(examples) if kept else None
    about = {**part.meta, OPEN: f"the open form of {probe_set.name}"}
    if len(rows) < probe_set.n:
        about["about:open form"] = f"{probe_set.n - len(rows)} of {probe_set.n} items speak of their options: left out"
    return replace(part, name=probe_set.name + SUFFIX, items=items, meta=about, reference=None, examples=examples)


def other_names(probe_set: ProbeSet, language: str) -> dict[str, list[str]]:
    """An answer → its further names in one language; empty where the set holds none."""
    found: dict[str, list[str]] = json.loads(probe_set.meta.get(NAMES + language, "{}"))
    return found


def _needs_options(probe_set: ProbeSet, position: int) -> bool:
    if NEEDS_OPTIONS in probe_set.items[position].tags:
        return True
    english = probe_set.probes.get("en")
    return english is not None and _POINTS.search(english[position].question) is not None


def _open_item(probe_set: ProbeSet, position: int) -> Item:
    item = probe_set.items[position]
    kind = _kind([probes[position] for probes in probe_set.probes.values()])
    return item if kind is None or ANSWER_KIND in item.tags else replace(item, tags={**item.tags, ANSWER_KIND: kind})


def _kind(versions: Sequence[Probe]) -> str | None:
    """`number` where every option is one number in every language, `date` where they are days in English.

    `yes-no` where the options are those words.
    """
    texts = [unicodedata.normalize("NFKC", choice) for probe in versions for choice in probe.choices]
    if texts and all(_NUMBER.fullmatch(text.strip()) for text in texts):
        return "number"
    english = next((probe.choices for probe in versions if probe.language == "en"), ())
    if english and all(map(_DAY.fullmatch, english)):
        return "date"
    if texts and {text.strip().casefold() for text in texts} == _YES_NO:
        return "yes-no"
    return None


def refuse_options(probe_set: ProbeSet) -> None:
    """Raise UserError for an open set that is to be asked with options, of which it has none."""
    if probe_set.open:
        raise UserError(f"set {probe_set.name!r} has no options to choose from; ask it with --ask open")
