"""What a set gives away without being read: the accuracy of choosing whatever is most often the right answer."""

from __future__ import annotations

from clika_client.sets.atlas.baselines import BlindItem, majority
from clika_client.sets.probes import ProbeSet

_FIRST = "en"


def most_often_right(probe_set: ProbeSet) -> tuple[str, float]:
    """(language, accuracy) of always choosing the option that is right most often in the other questions.

    A question's own answer does not count, and ties are broken by lot, so that a set whose answers are never the same
    gives chance. The language is English where the set has it, else its first.
    """
    language = _FIRST if _FIRST in probe_set.probes else probe_set.languages[0]
    seen = [BlindItem("", "", "", p.choices, p.gold) for p in probe_set.probes[language] if not p.absent]
    hits = majority(seen, lambda _: "", folds=0)
    return language, sum(hits) / len(hits)
