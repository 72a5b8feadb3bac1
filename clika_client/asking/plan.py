"""What a run will ask: cells of requests, which of them are already answered, and what the rest costs.

Planning renders every prompt once to learn its key and keeps only the positions that are missing, so a
million probes need a few bytes each; asking renders the missing ones again, one at a time.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from clika_cache import CachedProvider, canonical
from clika_client.prompts.style import Style, render, style_digest
from clika_client.sets.probes import ProbeSet
from clika_client.store.store import CellKey, Store
from clika_providers import AskMode, Json, Request

_BLOCK = 1000


@dataclass(frozen=True, slots=True)
class Asking:
    """How each question is asked; the same for every model of a run."""

    ask: AskMode | Literal["auto"] = "auto"
    """`auto`: label probabilities from local models, text from all others."""
    max_tokens: int = 32
    temperature: float = 0.0
    seed: int | None = None
    thinking: bool = False
    grammar: bool = False
    permute: bool = False
    """Ask every cyclic order of the options, k requests per question, instead of the order given."""
    repeats: int = 1

    @property
    def mode(self) -> AskMode:
        """How questions are asked, once `auto` has been decided for a model."""
        if self.ask == "auto":
            raise ValueError("how to ask is not decided yet: replace `auto` by a mode first")
        return self.ask

    def settings(self, style: Style) -> str:
        """Canonical JSON of what differs from the defaults: part of a row's identity.

        A user's template is named by its digest too: the same file name may hold another text tomorrow.
        """
        usual = Asking(ask=self.ask)
        named = ("max_tokens", "temperature", "seed", "thinking", "grammar")
        changed = {n: getattr(self, n) for n in named if getattr(self, n) != getattr(usual, n)}
        if not style.builtin:
            changed["template"] = style_digest(style)
        return canonical(changed)


@dataclass(frozen=True, slots=True)
class Selection:
    """Which part of a stored set is asked: the languages, and item positions in the full set."""

    set_id: int
    probe_set: ProbeSet
    languages: tuple[str, ...]
    positions: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class PlannedCell:
    """One cell of a plan."""

    cell_id: int
    selection: Selection
    language: str
    rotation: int
    repeat: int
    positions: Sequence[int]
    """Item positions that the cell stands for: those of the selection that this language and this order have."""
    missing: npt.NDArray[np.int32]
    """Item positions that have no stored answer; shape (missing,)."""
    prompt_bytes: int
    """UTF-8 bytes of the missing prompts, from which tokens are estimated."""


@dataclass(frozen=True, slots=True)
class Plan:
    """All that one model is asked in one run."""

    provider: CachedProvider
    style: Style
    asking: Asking
    cells: tuple[PlannedCell, ...]

    @property
    def total(self) -> int:
        """Requests the run stands for, cached ones included."""
        return sum(len(c.positions) for c in self.cells)

    @property
    def missing(self) -> int:
        """Requests that will be sent."""
        return sum(len(c.missing) for c in self.cells)

    @property
    def input_tokens(self) -> int:
        """Rough prompt tokens of the missing requests: about one per 3.5 bytes of UTF-8."""
        return int(sum(c.prompt_bytes for c in self.cells) / 3.5) + 8 * self.missing


def select(
    store: Store, probe_set: ProbeSet, languages: Sequence[str] | None, limit: int | None, seed: int
) -> Selection:
    """The chosen part of a set, in the full set's positions; raises UserError for unknown languages."""
    part = probe_set.select(languages, limit, seed)
    if part.n == probe_set.n:
        positions = tuple(range(probe_set.n))
    else:
        chosen = {item.item_id for item in part.items}
        positions = tuple(i for i, item in enumerate(probe_set.items) if item.item_id in chosen)
    return Selection(store.add_set(probe_set), probe_set, part.languages, positions)


def make_plan(
    store: Store, provider: CachedProvider, selections: Sequence[Selection], style: Style, asking: Asking
) -> Plan:
    """Lay out one model's cells and store their keys, so that even a killed run can be scored."""
    cells = []
    for selection in selections:
        for language in selection.languages:
            for rotation in range(selection.probe_set.k if asking.permute else 1):
                for repeat in range(asking.repeats):
                    cells.append(_plan_cell(store, provider, selection, language, style, asking, rotation, repeat))
    return Plan(provider, style, asking, tuple(cells))


def _plan_cell(
    store: Store,
    provider: CachedProvider,
    selection: Selection,
    language: str,
    style: Style,
    asking: Asking,
    rotation: int,
    repeat: int,
) -> PlannedCell:
    keys: dict[int, bytes] = {}
    missing: list[int] = []
    size = 0
    probe_set = selection.probe_set
    labels = style.make_layout(language, probe_set.k, probe_set.meta).labels
    positions = _positions(selection, language, rotation)
    for start in range(0, len(positions), _BLOCK):
        block: list[tuple[int, bytes, int]] = []
        for position in positions[start : start + _BLOCK]:
            request = make_request(probe_set, language, position, style, asking, rotation, repeat)
            length = sum(len(m.content.encode("utf-8", "replace")) for m in request.messages)
            block.append((position, provider.key(request), length))
        have = provider.present([key for _, key, _ in block])
        for position, key, length in block:
            keys[position] = key
            if key not in have:
                missing.append(position)
                size += length
    cell = CellKey(
        model=provider.spec,
        identity=canonical(dict(provider.identity)),
        set_id=selection.set_id,
        language=language,
        prompt=style.name,
        ask=asking.mode,
        rotation=rotation,
        repeat=repeat,
        settings=asking.settings(style),
    )
    cell_id = store.add_cell(cell, labels, keys)
    left = np.asarray(missing, dtype=np.int32)
    return PlannedCell(cell_id, selection, language, rotation, repeat, positions, left, size)


def _positions(selection: Selection, language: str, rotation: int) -> Sequence[int]:
    """What a cell asks: a question of two choices has no third order, and a set may lack it in a language."""
    probe_set, chosen = selection.probe_set, selection.positions
    if rotation:
        counts = probe_set.counts
        chosen = tuple(i for i in chosen if rotation < counts[i])
    if probe_set.parallel:
        return chosen
    held = set(probe_set.held(language))
    return tuple(i for i in chosen if i in held)


def make_request(
    probe_set: ProbeSet, language: str, position: int, style: Style, asking: Asking, rotation: int, repeat: int
) -> Request:
    """The request for one probe; the same arguments always give the same request."""
    probe, tags = probe_set.probes[language][position], probe_set.items[position].tags
    prompt = render(probe, style, probe_set, rotation=rotation, tags=tags)
    extra: tuple[tuple[str, Json], ...] = ()
    return Request(
        messages=prompt.messages,
        mode=asking.mode,
        labels=prompt.labels,
        max_tokens=asking.max_tokens,
        temperature=asking.temperature,
        seed=asking.seed,
        grammar=asking.grammar,
        thinking=asking.thinking,
        repeat=repeat,
        extra=extra,
    )


def missing_requests(plan: Plan) -> Iterator[tuple[PlannedCell, Request]]:
    """The requests to send, cell by cell, so that neighbours share their prompt's beginning."""
    for cell in plan.cells:
        for position in cell.missing:
            yield (
                cell,
                make_request(
                    cell.selection.probe_set,
                    cell.language,
                    int(position),
                    plan.style,
                    plan.asking,
                    cell.rotation,
                    cell.repeat,
                ),
            )
