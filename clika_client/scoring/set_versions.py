"""Sets that share a name: which version is which, which one a report shows, and names that never coincide."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from clika_client.common.errors import UserError
from clika_client.sets.probes import ProbeSet
from clika_client.store.store import SetInfo

ALL = "all"


@dataclass(frozen=True, slots=True)
class SetVersion:
    """One stored set among those of its name that have answers."""

    set_id: int
    name: str
    number: int
    """From 1, in the order they were first stored."""
    of: int
    n: int
    """Items."""
    since: float
    """Unix time of the first question or import."""

    def __str__(self) -> str:
        when = time.strftime("%Y-%m-%d %H:%M", time.gmtime(self.since))
        return f"version {self.number} of {self.of}, {self.n} items, since {when} UTC"


def versions_of(infos: Iterable[SetInfo]) -> dict[int, SetVersion]:
    """Set id → version, for the sets given."""
    infos = sorted(infos, key=lambda info: info.set_id)
    counts = Counter(info.name for info in infos)
    seen: Counter[str] = Counter()
    found = {}
    for info in infos:
        seen[info.name] += 1
        number, of = seen[info.name], counts[info.name]
        found[info.set_id] = SetVersion(info.set_id, info.name, number, of, info.n, info.created_at)
    return found


def chosen_versions(versions: Mapping[int, SetVersion], wanted: str | None) -> set[int]:
    """Ids of the versions to show: the newest of each name, `all`, or that of a number where a name has several.

    Raises UserError for a number that no name has.
    """
    if wanted == ALL:
        return set(versions)
    if wanted is None:
        return {i for i, version in versions.items() if version.number == version.of}
    if not wanted.isdecimal() or not any(version.number == int(wanted) for version in versions.values()):
        most = max((version.of for version in versions.values()), default=1)
        raise UserError(f"--set-version {wanted!r}: give a number from 1 to {most}, or {ALL!r}")
    return {i for i, version in versions.items() if version.number == int(wanted) or version.of == 1}


def version_notes(versions: Mapping[int, SetVersion], shown: Iterable[int]) -> tuple[str, ...]:
    """Which version of a set is shown, for the sets that have several."""
    shown = set(shown)
    said = []
    for name in dict.fromkeys(version.name for version in versions.values() if version.of > 1):
        mine = [version for version in versions.values() if version.name == name]
        here = [version for version in mine if version.set_id in shown]
        others = [version for version in mine if version.set_id not in shown]
        if here and others:
            listed = "; ".join(f"--set-version {version.number}: {version}" for version in others)
            said.append(f"Set {name}: shown is {'; '.join(map(str, here))}. Answers to others: {listed}.")
    return tuple(said)


def distinct_names(sets: Mapping[int, ProbeSet], versions: Mapping[int, SetVersion]) -> dict[int, ProbeSet]:
    """The sets under names that name one set each: two of one name are told apart by version, or by number."""
    counts = Counter(found.name for found in sets.values())
    return {
        i: replace(found, name=_told_apart(i, found, versions)) if counts[found.name] > 1 else found
        for i, found in sets.items()
    }


def _told_apart(set_id: int, found: ProbeSet, versions: Mapping[int, SetVersion]) -> str:
    version = versions.get(set_id)
    return f"{found.name} ({version or f'set {set_id}, {found.n} items'})"
