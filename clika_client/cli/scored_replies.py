"""Answers that were read from probabilities, as `clika answers` shows them: each option with its share."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from clika_client.cli.common import out
from clika_client.common.safe_text import shown

if TYPE_CHECKING:
    from clika_client.scoring.chosen import Wanted
    from clika_client.store.store import Store


def scored_rows(store: Store, wanted: Wanted) -> Iterator[dict[str, Any]]:
    """One row per reply with a figure per option, as its reading ranks them.

    `options` are in the set's own order, with natural-log scores and the share of each among them; `label_mass` is the
    probability of any label at all, None where the options themselves were scored.
    """
    from clika_client.answers.cells import choice_scores, reading_for
    from clika_client.scoring.chosen import choose

    chosen = choose(store, wanted)
    for cell in chosen.cells:
        if cell.key.ask not in ("logprobs", "likelihood"):
            continue
        probe_set = chosen.sets[cell.key.set_id]
        for reading in dict.fromkeys(reading_for(cell.key.ask, name) for name in wanted.readings):
            scores = choice_scores(store, cell, probe_set, reading)
            for position in cell.asked():
                probe = probe_set.probes[cell.key.language][int(position)]
                row = [float(value) for value in scores[int(position)][: len(probe.choices)]]
                known = [value for value in row if not math.isnan(value)]
                if not known:
                    continue
                total = math.fsum(math.exp(value - max(known)) for value in known)
                shares = [0.0 if math.isnan(v) else math.exp(v - max(known)) / total for v in row]
                first, second = (*sorted(shares, reverse=True), 0.0)[:2]
                best = shares.index(first)
                yield {
                    "model": chosen.names[cell.key.model, cell.key.identity],
                    "set": probe_set.name,
                    "language": cell.key.language,
                    "item_id": probe.item_id,
                    "ask": cell.key.ask,
                    "reading": reading,
                    "order": cell.key.rotation,
                    "options": [
                        {"text": text, "score": None if math.isnan(score) else score, "share": share}
                        for text, score, share in zip(probe.choices, row, shares, strict=True)
                    ],
                    "choice": best,
                    "correct": best == probe.gold,
                    "margin": first - second,
                    "label_mass": math.fsum(map(math.exp, known)) if cell.key.ask == "logprobs" else None,
                }


def show_scored(rows: list[Mapping[str, Any]]) -> None:
    """Print rows: who was asked what, the options from likely to unlikely, and whether the first is right."""
    for row in rows:
        place = f"{row['model']} {row['set']} {row['language']} {row['item_id']}"
        ranked = sorted(row["options"], key=lambda option: -option["share"])
        options = ", ".join(f"{option['text']} {option['share']:.2f}" for option in ranked)
        mass = "" if row["label_mass"] is None else f", letters hold {row['label_mass']:.2f}"
        mark = "right" if row["correct"] else "wrong"
        line = f"{place}: {options} ({mark}, {row['ask']} by {row['reading']}{mass})"
        out().print(shown(line), markup=False, soft_wrap=True)
