"""Writes a set as JSONL that others can use and `read_user_set` reads back as the same items and probes."""

from __future__ import annotations

import json
from collections.abc import Iterator

from clika_client.sets.probes import ACCEPTED, EXAMPLE_TAG, Probe, ProbeSet


def jsonl_lines(probe_set: ProbeSet) -> Iterator[str]:
    """One JSON object with its line break per question and language; `gold` is an index that counts from 0.

    Where no right choice is the first, `gold0` repeats it: such a `gold` alone would be taken to count from 1.

    `tags` holds the item's and the version's tags; `item_tags` names those that are the item's. `fields` and
    `cluster` are there only where the set has them. Questions that are kept for examples follow those that are asked,
    with `reserved`: the tag by which examples are chosen, or true.
    """
    yield from _rows(probe_set)
    if probe_set.examples is not None:
        yield from _rows(probe_set.examples, probe_set.examples.meta.get(EXAMPLE_TAG, True))


def _rows(probe_set: ProbeSet, reserved: str | bool = False) -> Iterator[str]:
    golds = {probe.gold for probe in next(iter(probe_set.probes.values()))}
    seems_from_one = 0 not in golds
    for language in probe_set.languages:
        for item, probe in zip(probe_set.items, probe_set.probes[language], strict=True):
            if probe.absent:
                continue
            row: dict[str, object] = {
                "item_id": item.item_id,
                "language": language,
                "question": probe.question,
                **_answers(probe, probe_set),
                "tags": {**item.tags, **probe.tags},
            }
            if seems_from_one and "gold" in row:
                row["gold0"] = probe.gold
            if item.tags or probe.tags:
                row["item_tags"] = list(item.tags)
            if probe.fields:
                row["fields"] = dict(probe.fields)
            if item.cluster is not None:
                row["cluster"] = item.cluster
            if reserved:
                row["reserved"] = reserved
            yield json.dumps(row, ensure_ascii=False) + "\n"


def _answers(probe: Probe, probe_set: ProbeSet) -> dict[str, object]:
    """The options and the right one; of a question without options its right answers."""
    if probe_set.open and len(probe.choices) == 1:
        return {"answers": [*probe.choices, *filter(None, probe.fields.get(ACCEPTED, "").split("\n"))]}
    return {"choices": list(probe.choices), "gold": probe.gold}
