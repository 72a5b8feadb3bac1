"""Prints how many questions atlas has per relation and language, as the Markdown that docs/atlas.md holds."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from clika_client.sets.atlas.frozen import load
from clika_client.sets.atlas.wording import RELATIONS, read
from clika_client.sets.probes import ProbeSet


def counts(probe_set: ProbeSet) -> dict[str, dict[str, int]]:
    """Language → relation → number of questions; a relation that is absent counts 0."""
    relation_of = {item.item_id: item.tags["relation"] for item in probe_set.items}
    return {
        tag: {relation: found[relation] for relation in RELATIONS}
        for tag, probes in probe_set.probes.items()
        for found in [Counter(relation_of[probe.item_id] for probe in probes)]
    }


def markdown(probe_set: ProbeSet) -> str:
    """Two tables: relations with where their right answers stand, and languages with their questions."""
    gold_of = {probe.item_id: probe.gold for probe in next(iter(probe_set.probes.values()))}
    relations = []
    for relation in RELATIONS:
        ids = [item.item_id for item in probe_set.items if item.tags["relation"] == relation]
        regions = {item.tags["region"] for item in probe_set.items if item.tags["relation"] == relation}
        places = Counter(gold_of[item_id] for item_id in ids)
        relations.append([f"`{relation}`", len(ids), len(regions), *(places[i] for i in range(probe_set.k))])
    languages = []
    for tag, found in counts(probe_set).items():
        wording = read(tag)
        same = sum(probe.tags["name_as_in_english"] == "yes" for probe in probe_set.probes[tag])
        languages.append([f"`{tag}`", wording.name, wording.script, *found.values(), sum(found.values()), same])
    return "\n".join(
        [
            f"{probe_set.n} items, {len(probe_set.languages)} languages, {probe_set.k} choices each, "
            f"version {probe_set.version}.",
            "",
            *_table(["relation", "items", "continents", *(f"right at {label}" for label in "ABCD")], relations),
            "",
            *_table(["language", "name", "script", *RELATIONS, "all", "name as in English"], languages),
            "",
        ]
    )


def _table(header: Sequence[str], rows: Iterable[Sequence[object]]) -> list[str]:
    return [
        "| " + " | ".join(header) + " |",
        "|" + "---|" * len(header),
        *("| " + " | ".join(map(str, row)) + " |" for row in rows),
    ]


if __name__ == "__main__":
    print(markdown(load()), end="")
