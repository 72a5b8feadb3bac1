"""The card of atlas as texts: as of when, how hard, how guessable, read by what reference; frozen with the items."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from clika_client.common.wording import counted
from clika_client.sets.atlas import sources, tiers
from clika_client.sets.atlas.baselines import GROUPS, BlindItem, by_length, majority
from clika_client.sets.atlas.curated import Curated
from clika_client.sets.atlas.row import AtlasItem
from clika_client.sets.atlas.wording import FACTS


def texts(
    rows: Sequence[AtlasItem], tables: Curated, names: Mapping[str, Mapping[str, str]], put_right: int
) -> dict[str, dict[str, str]]:
    """Set → heading → text. `names` maps language → entity → name; `put_right` of them are not as in CLDR."""
    asked = [row for row in rows if row.relation in FACTS and not row.reserved]
    held = sum(row.relation in FACTS and row.reserved for row in rows)
    as_of = "; ".join(f"{package} {sources.PINNED[package]}: {when}" for package, when in sources.AS_OF.items())
    return {
        "atlas": {
            "as of": as_of,
            "difficulty": _measured(tables),
            "tiers": ", ".join(f"{tier} {n}" for tier, n in tiers.counts(row.tier for row in asked).items()),
            "blind baselines": _blind(asked),
            "blind baselines, hard": _blind([row for row in asked if row.tier == "hard"]),
            "blind by length": _by_length(asked, names),
            "names": "read to the end in all languages, held against GeoNames, GNOME's places, iso-codes and "
            f"i18n-iso-countries, {put_right} put right; not by native speakers",
            "reserved": f"{counted(held, 'item')} more are never asked: examples for prompts are taken from them",
        },
        "atlas-names": {
            "as of": as_of,
            "reading": "controls, never a headline: translate-* asks Latin-script languages another question",
        },
    }


def _measured(tables: Curated) -> str:
    shares = ", ".join(f"{relation} {share:.2f}" for relation, share in tables.measured.items() if relation in FACTS)
    return f"gemma-3-270m in English, by the likelihood of the option, share right: {shares}"


def _blind(rows: Iterable[AtlasItem]) -> str:
    """The share that each majority gets right, of four choices."""
    items = [BlindItem(row.relation, row.region, row.subregion, row.choices, row.gold) for row in rows]
    return ", ".join(f"{name} {sum(hits) / len(hits):.3f}" for name, hits in _majorities(items)) + " (chance .25)"


def _by_length(rows: Sequence[AtlasItem], names: Mapping[str, Mapping[str, str]]) -> str:
    """The most that the longest or the shortest choice gets right of a relation in a language."""
    worst, where = 0.0, ""
    for tag, known in names.items():
        for relation in FACTS:
            items = [
                BlindItem(relation, "", "", tuple(known[key] for key in row.choices), row.gold)
                for row in rows
                if row.relation == relation
            ]
            for longest in (True, False):
                hits = by_length(items, longest=longest)
                if sum(hits) / len(hits) > worst:
                    worst, where = sum(hits) / len(hits), f"{relation} in {tag}"
    return f"the longest or the shortest choice is right in at most {worst:.3f} of a relation ({where}; chance .25)"


def _majorities(items: Sequence[BlindItem]) -> Iterable[tuple[str, list[float]]]:
    for name, group in GROUPS.items():
        fair = [one for one in items if one.relation != "country-continent" or name == "majority of the relation"]
        yield name, majority(fair, group)
