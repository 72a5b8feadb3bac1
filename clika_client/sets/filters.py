"""Which items count: dropping unclean ones in every language at once, and splitting results by a tag."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from clika_client.common.errors import UserError
from clika_client.sets.ambiguity import ADAPTED, AMBIGUOUS
from clika_client.sets.probes import ProbeSet, Tags

_NO = frozenset({"", "0", "no", "false", "none"})


def kept_items(probe_set: ProbeSet, drop: Sequence[str]) -> npt.NDArray[np.int64]:
    """Positions of the items that carry none of the `drop` tags, in any language; ascending.

    An item that is unclean in one language is dropped in all: the languages must be asked the same things.
    """
    dropped = {
        position
        for probes in probe_set.probes.values()
        for position, probe in enumerate(probes)
        if any(_has(probe.tags, tag) for tag in drop)
    }
    dropped |= {i for i, item in enumerate(probe_set.items) if any(_has(item.tags, tag) for tag in drop)}
    return np.array([i for i in range(probe_set.n) if i not in dropped], np.int64)


def split_items(probe_set: ProbeSet, tag: str) -> dict[str, npt.NDArray[np.int64]]:
    """Positions of the items per value of a tag, values in order of first appearance.

    Items without the tag are in no part; an item whose language versions differ in the tag takes part under each
    language's own value only when that value is the same everywhere. Empty when no item carries the tag.
    """
    parts: dict[str, list[int]] = {}
    for position, item in enumerate(probe_set.items):
        value = item.tags.get(tag)
        if value is None:
            found = {probes[position].tags.get(tag) for probes in probe_set.probes.values()}
            value = found.pop() if len(found) == 1 else None
        if value is not None:
            parts.setdefault(value, []).append(position)
    return {value: np.array(positions, np.int64) for value, positions in parts.items()}


def known_tags(probe_set: ProbeSet) -> list[str]:
    """Tag names that some item or probe of the set carries, sorted."""
    names = {name for item in probe_set.items for name in item.tags}
    names |= {name for probes in probe_set.probes.values() for probe in probes for name in probe.tags}
    return sorted(names)


def check_tags(sets: Sequence[ProbeSet], wanted: Sequence[str], option: str) -> None:
    """Raise UserError for a tag that no set carries: a misspelt tag must not silently change nothing.

    The tags that mark unclean items are always known: a set without such items is simply clean.
    """
    known = sorted({name for probe_set in sets for name in known_tags(probe_set)})
    for tag in wanted:
        if tag not in (*known, AMBIGUOUS, ADAPTED):
            listed = ", ".join(known) if known else "none"
            raise UserError(f"{option} {tag!r}: no item carries this tag; the sets scored have: {listed}")


def _has(tags: Tags, tag: str) -> bool:
    return tags.get(tag, "").strip().lower() not in _NO
