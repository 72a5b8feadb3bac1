"""What was asked and how: models, sets, prompt styles, dates, cost, and one prompt in full."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from clika_client.common.languages import direction_in
from clika_client.common.safe_text import shown
from clika_client.report.page.used import Used, used
from clika_client.report.rows.rows import moment
from clika_client.scoring.chosen import Chosen
from clika_client.sets.probes import ProbeSet
from clika_client.store.details import messages_of
from clika_client.store.store import Cell, Store


@dataclass(frozen=True, slots=True)
class SetAsked:
    """One probe set."""

    name: str
    version: str
    items: int
    choices: str
    languages: int
    licence: str
    source: str
    citation: str


@dataclass(frozen=True, slots=True)
class ModelAsked:
    """One model: how it was asked, and what its replies took."""

    name: str
    how: str
    replies: int
    since: str
    until: str
    tokens: int
    cost: float | None
    """US dollars, None where no price is known."""


@dataclass(frozen=True, slots=True)
class AskedSection:
    """The section as values."""

    models: tuple[ModelAsked, ...]
    sets: tuple[SetAsked, ...]
    example_of: str
    example_in: str
    example: tuple[tuple[str, str, str], ...]
    """(role, text, direction) of the messages of one prompt."""


def what_was_asked(store: Store, chosen: Chosen) -> AskedSection:
    """Gather it from the stored replies."""
    of: dict[str, list[Cell]] = {}
    for cell in chosen.cells:
        of.setdefault(chosen.names[cell.key.model, cell.key.identity], []).append(cell)
    label, language, example = _example(store, chosen)
    return AskedSection(
        tuple(map(_model, of, of.values(), used(store, list(of.values())))),
        tuple(_set(s, [c for c in chosen.cells if c.key.set_id == i], chosen, i) for i, s in chosen.sets.items()),
        label,
        language,
        tuple((shown(role), shown(text, lines=True), direction_in(text, language)) for role, text in example),
    )


def _model(name: str, cells: Sequence[Cell], took: Used) -> ModelAsked:
    how = dict.fromkeys(
        f"{c.key.prompt}, {c.key.ask}" + ("" if c.key.source == "own" else f", {c.key.source}") for c in cells
    )
    since, until = (moment(t).strftime("%Y-%m-%d %H:%M") if np.isfinite(t) else "" for t in (took.first, took.last))
    return ModelAsked(shown(name), shown("; ".join(how)), took.replies, since, until, took.tokens, took.cost)


def _set(probe_set: ProbeSet, cells: Sequence[Cell], chosen: Chosen, set_id: int) -> SetAsked:
    fewest, most = probe_set.k_range
    version = chosen.versions[set_id]
    return SetAsked(
        shown(probe_set.name),
        str(version) if version.of > 1 else shown(probe_set.version),
        len(np.unique(np.concatenate([cell.asked() for cell in cells]))),
        str(most) if fewest == most else f"{fewest}–{most}",
        len({cell.key.language for cell in cells}),
        shown(probe_set.licence),
        shown(probe_set.source),
        shown(probe_set.meta.get("citation", "")),
    )


def _example(store: Store, chosen: Chosen) -> tuple[str, str, list[tuple[str, str]]]:
    """One prompt as it was sent; of a language other than the anchor's usual English where there is one."""
    ordered = sorted(chosen.cells, key=lambda cell: cell.key.language == "en")
    for cell in ordered:
        for position in cell.asked()[:20]:
            found = messages_of(store, cell.key_at(int(position)))
            if found:
                name = chosen.names[cell.key.model, cell.key.identity]
                label = shown(f"{name}, {chosen.sets[cell.key.set_id].name}, {cell.key.language}")
                return label, shown(cell.key.language), found
    return "", "", []
