"""Worked examples before a question: reserved questions of its set, in its language, that are never asked.

They are the same items in every language, the first of the set's examples, or, where the set says so, the first
that share the question's own value of a tag: a question of anatomy is preceded by questions of anatomy.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from clika_client.common.errors import UserError
from clika_client.prompts.layout import Layout
from clika_client.sets.probes import EXAMPLE_TAG, Probe, ProbeSet, Tags

Meta = Mapping[str, str]
MakeLayout = Callable[[str, int, Meta], Layout]
"""(language, number of choices, the set's `meta`) → Layout; raises UserError where the style cannot serve."""
_BETWEEN = "\n\n"


class Shots:
    """`n` examples for each question; their text is made once per set, language and value of the tag."""

    def __init__(self, n: int) -> None:
        self.n = n
        # The examples stand beside their text, so that no other set can come to have their address.
        self._made: dict[tuple[int, str, str | None], tuple[ProbeSet, str]] = {}

    def text(self, language: str, tags: Tags, probe_set: ProbeSet, make_layout: MakeLayout) -> str:
        """The examples for a question with these tags, ready to stand before it."""
        examples = reserved(probe_set)
        value = tags.get(examples.meta.get(EXAMPLE_TAG, ""))
        key = (id(examples), language, value)
        if key not in self._made:
            probes = chosen(examples, language, value, self.n)
            worked = [make_layout(language, len(p.choices), probe_set.meta).worked(p) + _BETWEEN for p in probes]
            self._made[key] = (examples, "".join(worked))
        return self._made[key][1]


def reserved(probe_set: ProbeSet) -> ProbeSet:
    """The questions that examples are taken from; raises UserError for a set that has none."""
    if probe_set.examples is None:
        raise UserError(
            f"set {probe_set.name!r} has no questions reserved for examples, so --shots cannot be used with it"
        )
    return probe_set.examples


def chosen(examples: ProbeSet, language: str, value: str | None, n: int) -> list[Probe]:
    """The first `n` examples with that value of the set's example tag; raises UserError where there are fewer."""
    tag = examples.meta.get(EXAMPLE_TAG)
    found: list[Probe] = []
    for item, probe in zip(examples.items, examples.probes[language], strict=True):
        if not probe.absent and (tag is None or {**item.tags, **probe.tags}.get(tag) == value):
            found.append(probe)
            if len(found) == n:
                return found
    where = "" if tag is None else f" with {tag}={value}"
    raise UserError(
        f"--shots {n}: {examples.name!r} holds {len(found)} in {language!r}{where}; use --shots {len(found)} or fewer"
    )
