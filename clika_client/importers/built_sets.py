"""Probe sets built from the questions in other tools' logs: joined by the documents' own ids, and grown by later logs.

A later log of the same questions, in another language or on more items, makes a new version of the set that holds
both; what was answered on the older one is carried over. Logs whose right choices disagree are not parallel.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from clika_client.importers.common import ImportReport, sound
from clika_client.importers.foreign import POSITION, ForeignReply
from clika_client.sets.probes import Item, Probe, ProbeSet, build
from clika_client.store.store import Store

BUILT = "questions found in imported logs"
"""The `source` of a set built here."""
_MANY = 0.1
"""Share of questions whose right choice differs between languages above which two files are not parallel."""
_Probes = dict[str, dict[str, Probe]]
"""language → item id → probe."""


@dataclass(frozen=True, slots=True)
class BuiltSet:
    """A set, or why there is none; `reasons` says of item ids that are not in it why not."""

    probe_set: ProbeSet | None
    joined_by: str
    extends: int | None = None
    """The stored set whose cells belong to this one too."""
    reasons: Mapping[str, str] = field(default_factory=dict)
    problem: str = ""

    def reason(self, row: ForeignReply) -> str:
        """Why a row was left out of a set that could not be built."""
        return _incomplete(row) or self.problem


def joining_id(rows: Sequence[ForeignReply], probe_set: ProbeSet | None = None) -> str:
    """The name of the id that joins the rows: the first that all of them have and that names one question a file.

    An id that no two languages share, such as `de-17`, joins nothing: another is taken where there is one. With
    `probe_set`, the one that names most of its items.
    """
    names = list(dict.fromkeys(name for row in rows for name in row.ids))
    if probe_set is not None:
        items = {item.item_id for item in probe_set.items}
        return max(names, key=lambda name: sum(row.ids.get(name) in items for row in rows), default=POSITION)
    fit = [name for name in names if all(name in row.ids for row in rows) and _unique(rows, name)]
    joins = [name for name in fit if name != POSITION and _shared(rows, name)]
    return next(iter([*joins, *fit]), POSITION)


def _shared(rows: Sequence[ForeignReply], name: str) -> bool:
    """Whether every language has a question under an id that all have; true for one language."""
    found: dict[str, set[str]] = {}
    for row in rows:
        found.setdefault(row.language, set()).add(row.ids[name])
    return bool(set.intersection(*found.values()))


def _unique(rows: Sequence[ForeignReply], name: str) -> bool:
    """Whether an id names one document of a file, but for a few that are there twice."""
    seen: dict[tuple[str, str, str, int], str | None] = {}
    twice = sum(
        seen.setdefault((row.file, row.language, row.ids[name], row.repeat), row.question) != row.question
        for row in rows
    )
    return twice <= _MANY * len(rows)


def build_set(store: Store, name: str, rows: Sequence[ForeignReply], report: ImportReport) -> BuiltSet:
    """A probe set from the questions in the rows, and in the stored logs of the same name and kind."""
    asked = [row for row in rows if not _incomplete(row)]
    if not asked:
        return BuiltSet(None, POSITION)
    joined_by = joining_id(asked)
    probes: _Probes = {}
    for row in asked:
        item_id = row.ids[joined_by]
        probe = Probe(item_id, row.language, sound(row.question or ""), row.choices, row.gold or 0, row.tags)
        probes.setdefault(row.language, {}).setdefault(item_id, probe)
    problem = _not_parallel(probes, joined_by)
    if problem:
        return BuiltSet(None, joined_by, problem=problem)
    clusters = {row.ids[joined_by]: row.cluster for row in reversed(asked) if row.cluster is not None}
    extends = None
    for set_id, stored in _stored(store, name):
        held: _Probes = {tag: {probe.item_id: probe for probe in found} for tag, found in stored.probes.items()}
        united = _united(held, probes)
        if united is not None and not _not_parallel(united, joined_by):
            probes, extends = united, set_id
            clusters |= {item.item_id: item.cluster for item in stored.items if item.cluster is not None}
            break
    built = _assembled(name, probes, clusters, joined_by, extends, store)
    told = {row.ids.get(joined_by, ""): why for row in rows if (why := _incomplete(row))}
    return replace(built, reasons={**told, **built.reasons})


def _incomplete(row: ForeignReply) -> str:
    if row.question is None or not row.choices or row.gold is None:
        return "no question, choices or gold in the log: name the probe set with --set"
    if len(row.choices) == 1:
        return "a question with one choice, which tells nothing"
    return ""


def _stored(store: Store, name: str) -> Iterator[tuple[int, ProbeSet]]:
    """Sets of that name that imports built, newest first."""
    for info in reversed(store.set_infos()):
        if info.name == name:
            found = store.probe_set(info.set_id)
            if found.source == BUILT:
                yield info.set_id, found


def _united(old: _Probes, new: _Probes) -> _Probes | None:
    """Both together; None where they hold different questions under one id, or no question in common."""
    if not _alike(old) & set().union(*new.values()):
        return None
    united = {tag: dict(found) for tag, found in old.items()}
    for tag, found in new.items():
        held = united.setdefault(tag, {})
        for item_id, probe in found.items():
            known = held.setdefault(item_id, probe)
            if (known.question, known.choices, known.gold) != (probe.question, probe.choices, probe.gold):
                return None
    return united


def _alike(probes: _Probes) -> set[str]:
    """The items that every language has, with as many choices and the same right one."""
    shared = set.intersection(*(set(found) for found in probes.values()))
    return {
        item for item in shared if len({(found[item].gold, len(found[item].choices)) for found in probes.values()}) == 1
    }


def _not_parallel(probes: _Probes, joined_by: str) -> str:
    """Why the languages cannot be the same questions, or nothing."""
    first, *others = probes
    for other in others:
        shared = set(probes[first]) & set(probes[other])
        differ = sum(probes[first][item].gold != probes[other][item].gold for item in shared)
        uneven = joined_by == POSITION and len(probes[first]) != len(probes[other])
        if differ and (uneven or (differ > 1 and differ > _MANY * len(shared))):
            by = "their place in the file, as they have no id" if joined_by == POSITION else repr(joined_by)
            return (
                f"{first} and {other} are not parallel: joined by {by}, {differ} of {len(shared)} questions have "
                "another right choice; the same questions with their options in the same order are needed "
                "(name another id with --map item_id=COLUMN)"
            )
    return ""


def _assembled(
    name: str, probes: _Probes, clusters: Mapping[str, str], joined_by: str, extends: int | None, store: Store
) -> BuiltSet:
    alike = _alike(probes)
    everywhere = set.intersection(*(set(found) for found in probes.values()))
    reasons = {
        item: "the right choice, or the number of choices, differs between languages"
        if item in everywhere
        else "item is not in every language of the set"
        for item in set().union(*probes.values()) - alike
    }
    if not alike:
        missing = ", ".join(probes)
        return BuiltSet(None, joined_by, problem=f"no question is in every language ({missing})", reasons=reasons)
    first = next(iter(probes.values()))
    ordered = [item for item in first if item in alike]
    built = build(
        name,
        [Item(item, cluster=clusters.get(item)) for item in ordered],
        [found[item] for found in probes.values() for item in ordered],
        source=BUILT,
    )
    if extends is not None and built == store.probe_set(extends):
        return BuiltSet(store.probe_set(extends), joined_by, reasons=reasons)
    return BuiltSet(built, joined_by, extends, reasons)
