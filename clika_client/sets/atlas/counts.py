"""Says what atlas holds, how hard and how guessable it is, as the Markdown that docs/atlas.md shows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from clika_client.sets.atlas.baselines import accuracies, asked
from clika_client.sets.atlas.wording import read
from clika_client.sets.probes import ProbeSet

TIERS = ("easy", "medium", "hard")


def counts(probe_set: ProbeSet) -> dict[str, dict[str, int]]:
    """Language → relation → number of questions."""
    relation_of = {item.item_id: item.tags["relation"] for item in probe_set.items}
    relations = list(dict.fromkeys(relation_of.values()))
    return {
        tag: {relation: found[relation] for relation in relations}
        for tag, probes in probe_set.probes.items()
        for found in [Counter(relation_of[probe.item_id] for probe in probes)]
    }


def markdown(facts: ProbeSet, controls: ProbeSet) -> str:
    """Three tables: relations with tiers and blind baselines, likeness to English, and languages."""
    blind = {**accuracies(asked(facts)), **accuracies(asked(controls))}
    relations = []
    for probe_set in (facts, controls):
        for relation in dict.fromkeys(item.tags["relation"] for item in probe_set.items):
            own = [item for item in probe_set.items if item.tags["relation"] == relation]
            held = Counter(item.tags["tier"] for item in own)
            shares = [f"{share:.2f}".removeprefix("0") for share in blind[relation].values()]
            if len(shares) < len(blind["all"]):  # where the region is the answer
                shares[1:1] = ["–", "–"]
            relations.append([f"`{relation}`", len(own), *(held[tier] for tier in TIERS), *shares])
    languages = []
    for tag, probes in facts.probes.items():
        wording = read(tag)
        like = Counter(probe.tags.get("subject_like_english", "") for probe in probes)
        answers = Counter(probe.tags.get("answer_like_english", "") for probe in probes)
        home = sum(probe.tags.get("home") == "yes" for probe in probes)
        row = [f"{found['same']} {found['near']} {found['far']}" for found in (like, answers)]
        languages.append([f"`{tag}`", wording.name, wording.script, len(probes), home, *row, wording.read_against])
    said = (
        f"{facts.n} items in atlas and {controls.n} in atlas-names, {len(facts.languages)} languages, "
        f"{facts.k} choices each, version {facts.version}; {_reserved(facts)} and {_reserved(controls)} items more are "
        "reserved for examples."
    )
    likeness = ("subject: same near far", "answer: same near far")
    header = ["language", "name", "script", "questions", "at home", *likeness, "names read against"]
    tables = (_table(["relation", "items", *TIERS, *blind["all"]], relations), _table(header, languages))
    return "\n".join([said, *(line for table in tables for line in ("", *table)), ""])


def _reserved(probe_set: ProbeSet) -> int:
    return 0 if probe_set.examples is None else probe_set.examples.n


def _table(header: Sequence[str], rows: Iterable[Sequence[object]]) -> list[str]:
    return [
        "| " + " | ".join(header) + " |",
        "|" + "---|" * len(header),
        *("| " + " | ".join(map(str, row)) + " |" for row in rows),
    ]
