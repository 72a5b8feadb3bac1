"""Compares the frozen facts and names of atlas with the releases that are installed now, and says what has changed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from clika_client.sets.atlas import cldr, curated, sources, wording
from clika_client.sets.atlas.curated import DATA
from clika_client.sets.atlas.frozen import names, rows
from clika_client.sets.atlas.row import AtlasItem


@dataclass(frozen=True, slots=True)
class SourceChange:
    """One fact or name that the installed sources give otherwise."""

    key: str
    """Of the fact, `currency:BG`, or of a name and its language, `de territory:TR`."""
    frozen: str
    now: str
    items: tuple[str, ...]
    """Ids of the items that rest on it; none if it is not asked."""


_USED = {
    "currency": ("shared-currency", "city-currency"),
    "official": ("official-language", "city-language"),
    "de-facto-official": ("official-language", "city-language"),
    "script": ("language-script",),
    "neighbours": ("country-border",),
    "speakers": ("language-home",),
    "calling-code": ("calling-code", "city-code"),
    "offset": ("utc-offset",),
    "national-day": ("national-day",),
    "area": ("largest-area",),
    "population": ("largest-population",),
    "latitude": ("farthest-north",),
}
"""Kind of fact → the relations that ask for it; other kinds only help to choose."""
TOLERANCE = 0.1
"""Areas, inhabitants and speakers are counted anew every year: a smaller change than this is none."""


def changes() -> Iterator[SourceChange]:
    """Every difference, facts first; raises UserError where a source is not installed."""
    frozen = read_facts()
    now = sources.facts(curated.read())
    asked = rows()
    for key in sorted(frozen.keys() | now.keys()):
        kind = key.partition(":")[0]
        before, after = frozen.get(key, ""), now.get(key, "")
        if kind in _USED and not _same(kind, before, after):
            yield SourceChange(key, before, after, tuple(_items(key, asked)))
    for tag in wording.languages():
        spelling = wording.read(tag).spelling
        for key, name in names(tag)[0].items():
            if key not in spelling and (found := cldr.entity_name(tag, key)) != name:
                yield SourceChange(f"{tag} {key}", name, found or "", ())


def read_facts() -> Mapping[str, str]:
    """The facts that the frozen items were built from."""
    lines = (DATA / "facts.tsv").read_text("utf-8").splitlines()[1:]
    return dict(line.split("\t") for line in lines)


def _same(kind: str, before: str, after: str) -> bool:
    if before == after:
        return True
    if kind == "speakers":
        return before.partition("=")[0] == after.partition("=")[0]
    if kind in ("area", "population", "latitude") and before and after:
        old, new = float(before), float(after)
        return abs(new - old) <= TOLERANCE * abs(old)
    return False


def _items(key: str, asked: Sequence[AtlasItem]) -> Iterator[str]:
    """The items whose subject, country or choices the fact is about."""
    kind, _, code = key.partition(":")
    for row in asked:
        about = {row.country, *(one.partition(":")[2] for one in (row.subject, *row.choices, *row.more) if one)}
        if row.relation in _USED[kind] and code in about:
            yield row.item_id
