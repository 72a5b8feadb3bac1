"""Which items count: those with a tag or without, a sample of them, and the parts that a tag splits them into."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from clika_client.common.errors import UserError
from clika_client.sets.ambiguity import ADAPTED, AMBIGUOUS
from clika_client.sets.probes import ProbeSet, Tags

_NO = frozenset({"", "0", "no", "false", "none"})
_LISTED = 12
"""Values of a tag that a message names."""


@dataclass(frozen=True, slots=True)
class TagIs:
    """A tag, or a tag with one value, as `--only` and `--drop` name it."""

    tag: str
    value: str | None = None

    def holds(self, tags: Tags) -> bool:
        """Whether these tags have it; without a value, whether they have the tag and it is not a kind of no."""
        if self.value is not None:
            return tags.get(self.tag) == self.value
        return tags.get(self.tag, "").strip().lower() not in _NO

    def __str__(self) -> str:
        return self.tag if self.value is None else f"{self.tag}={self.value}"


def parse_tag(text: str) -> TagIs:
    """`TAG` or `TAG=VALUE`."""
    tag, equals, value = text.partition("=")
    return TagIs(tag.strip(), value.strip() if equals else None)


def kept_items(probe_set: ProbeSet, drop: Sequence[str], only: Sequence[str] = ()) -> npt.NDArray[np.int64]:
    """Positions of the items that carry none of `drop` and all of `only`; ascending.

    Both hold `TAG` or `TAG=VALUE`. An item that carries a dropped tag in one language is dropped in all: the languages
    must be asked the same things. For `only` it must carry the tag itself or in every language; several values of one
    tag are alternatives. Raises UserError where `drop` leaves nothing.
    """
    kept = np.ones(probe_set.n, np.bool_)
    for named in map(parse_tag, drop):
        kept &= ~_carrying(probe_set, named, everywhere=False)
        if not kept.any():
            raise UserError(_nothing_left(probe_set, named))
    wanted = list(map(parse_tag, only))
    for tag in dict.fromkeys(each.tag for each in wanted):
        masks = [_carrying(probe_set, each, everywhere=True) for each in wanted if each.tag == tag]
        kept &= np.any(masks, axis=0)
    return np.flatnonzero(kept)


def _carrying(probe_set: ProbeSet, named: TagIs, *, everywhere: bool) -> npt.NDArray[np.bool_]:
    """Which items carry a tag: themselves, or in some language, or `everywhere` they are asked."""
    own = np.array([named.holds(item.tags) for item in probe_set.items], np.bool_)
    if any(named.tag in item.tags for item in probe_set.items):
        return own
    versions = np.zeros(probe_set.n, np.int64)
    languages = np.zeros(probe_set.n, np.int64)
    for probes in probe_set.probes.values():
        for position, probe in enumerate(probes):
            languages[position] += not probe.absent
            versions[position] += named.holds(probe.tags)
    return np.asarray(versions == languages if everywhere else versions > 0)


def _nothing_left(probe_set: ProbeSet, named: TagIs) -> str:
    values = sorted(split_items(probe_set, named.tag))
    cure = f"name a value: {named.tag}={' or '.join(values[:5])}" if named.value is None and values else "drop less"
    return f"--drop {named} leaves no item of set {probe_set.name!r}; {cure}"


def sample(
    probe_set: ProbeSet, rows: Sequence[int], limit: int | None, seed: int, by: str | None = None
) -> Sequence[int]:
    """`limit` of the rows, drawn by a seed, ascending; with `by` each value of that tag has its share of them.

    In a set that is not parallel each language gets `limit` of its own. Raises UserError for a limit below one.
    """
    if limit is not None and limit < 1:
        raise UserError(f"--limit must be at least 1, got {limit}")
    if limit is None:
        return rows
    if probe_set.parallel:
        return _drawn(probe_set, rows, limit, seed, by)
    allowed = set(rows)
    each = [[i for i in probe_set.held(tag) if i in allowed] for tag in probe_set.languages]
    return tuple(sorted({i for own in each for i in _drawn(probe_set, own, limit, seed, by)}))


def _drawn(probe_set: ProbeSet, rows: Sequence[int], limit: int, seed: int, by: str | None) -> tuple[int, ...]:
    if limit >= len(rows):
        return tuple(rows)
    if by is None:
        return tuple(sorted(rows[i] for i in random.Random(seed).sample(range(len(rows)), limit)))
    chosen = set(rows)
    groups = {value: [i for i in part.tolist() if i in chosen] for value, part in split_items(probe_set, by).items()}
    groups[""] = sorted(chosen.difference(*groups.values()))
    # Largest remainder: whole shares first, then one more for those that lost most by rounding down.
    shares = {value: limit * len(own) / len(rows) for value, own in groups.items()}
    counts = {value: int(share) for value, share in shares.items()}
    for value in sorted(shares, key=lambda v: (counts[v] - shares[v], v))[: limit - sum(counts.values())]:
        counts[value] += 1
    drawn = [random.Random(f"{seed} {value}").sample(own, counts[value]) for value, own in groups.items()]
    return tuple(sorted(i for part in drawn for i in part))


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
    """Raise UserError for a tag, or a value of it, that no set carries: a slip must not silently change nothing.

    The tags that mark unclean items are always known: a set without such items is simply clean.
    """
    for named in map(parse_tag, wanted):
        if named.tag in (AMBIGUOUS, ADAPTED):
            continue
        values = {value for probe_set in sets for value in _values(probe_set, named.tag)}
        if not values:
            known = sorted({name for probe_set in sets for name in known_tags(probe_set)})
            listed = ", ".join(known) if known else "none"
            raise UserError(f"{option} {named.tag!r}: no item carries this tag; the sets have: {listed}")
        if named.value is not None and named.value not in values:
            some = ", ".join(sorted(values)[:_LISTED]) + (" …" if len(values) > _LISTED else "")
            raise UserError(f"{option} {named}: no item has this value; {named.tag} is one of: {some}")


def _values(probe_set: ProbeSet, tag: str) -> set[str]:
    """All values of a tag; those of a language's version are looked for where no item has it itself."""
    own = {item.tags[tag] for item in probe_set.items if tag in item.tags}
    return own or {p.tags[tag] for probes in probe_set.probes.values() for p in probes if tag in p.tags}
