"""From a database to the answer blocks that scoring takes: cells gathered into rows, replies read as answers."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol, TypeVar

import numpy as np
import numpy.typing as npt

from clika_client.answers.cells import (
    PROBABILITIES,
    CellAnswers,
    choice_scores,
    mean_over_orders,
    read_cell,
    reading_for,
    rotate,
)
from clika_client.answers.likelihood import NORMALISATIONS
from clika_client.answers.open.cell import OPEN, Acceptance
from clika_client.answers.open.judged import judge_of
from clika_client.answers.open.mkqa import exact_match, token_f1
from clika_client.common.answer_codes import ELSEWHERE, MISSING, NO_ANSWER, Answers, Floats
from clika_client.common.errors import UserError
from clika_client.scoring.answer_grid import AnswerGrid, RowKey, plurality
from clika_client.scoring.model_facts import facts_of
from clika_client.scoring.set_versions import (
    SetVersion,
    chosen_versions,
    distinct_names,
    version_notes,
    versions_of,
)
from clika_client.sets.probes import MEASURES, ProbeSet
from clika_client.store import judgements
from clika_client.store.schema import CellKey
from clika_client.store.store import Cell, Store


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which part of a database to load; empty means all."""

    run_id: str | None = None
    models: tuple[str, ...] = ()
    sets: tuple[str, ...] = ()
    languages: tuple[str, ...] = ()
    readings: tuple[str, ...] = ("standard",)
    sources: tuple[str, ...] = ()
    prompts: tuple[str, ...] = ()
    set_version: str | None = None
    """Which version of sets that share a name: its number, `all`, or None for the newest (or what the run asked)."""


class OfCell(Protocol):
    """Anything that belongs to a cell."""

    @property
    def key(self) -> CellKey:
        """The cell's."""
        ...


C = TypeVar("C", bound=OfCell)
C_contra = TypeVar("C_contra", bound=OfCell, contravariant=True)


class AnswerSource(Protocol[C_contra]):
    """Where the answers of cells come from: a database, or shards of many."""

    def answers(self, cell: C_contra, reading: str, probe_set: ProbeSet) -> CellAnswers:
        """Choices and reasons, one per item of the set."""
        ...

    def asked(self, cell: C_contra) -> npt.NDArray[np.integer]:
        """Positions of the items that were put to the model."""
        ...

    def scores(self, cell: C_contra, probe_set: ProbeSet, reading: str) -> Floats:
        """(items, choices): see `answers.cells.choice_scores`."""
        ...

    def matches(
        self, key: RowKey, cells: Sequence[C_contra], probe_set: ProbeSet, languages: Sequence[str]
    ) -> Floats | None:
        """See AnswerGrid.matches."""
        ...


@dataclass(frozen=True, slots=True)
class StoredAnswers:
    """The answers in a database; see AnswerSource."""

    store: Store
    positions: Mapping[int, npt.NDArray[np.int32]]
    """Number of a cell → what one run asked of it; a cell that is not here counts whole."""

    def answers(self, cell: Cell, reading: str, probe_set: ProbeSet) -> CellAnswers:
        """From the store when already read, else read now and kept."""
        return read_cell(self.store, cell, reading, probe_set)

    def asked(self, cell: Cell) -> npt.NDArray[np.integer]:
        """By the run, or ever."""
        return self.positions[cell.cell_id] if cell.cell_id in self.positions else cell.asked()

    def scores(self, cell: Cell, probe_set: ProbeSet, reading: str) -> Floats:
        """See `answers.cells.choice_scores`."""
        return choice_scores(self.store, cell, probe_set, reading)

    def matches(
        self, key: RowKey, cells: Sequence[Cell], probe_set: ProbeSet, languages: Sequence[str]
    ) -> Floats | None:
        """MKQA's measures."""
        return _matches(self.store, key, cells, probe_set, languages)


class NothingStored(UserError):
    """There is no reply to look at, whatever was asked for."""


@dataclass(frozen=True, slots=True)
class LoadedAnswers:
    """Rows and their probe sets."""

    blocks: tuple[AnswerGrid, ...]
    sets: Mapping[int, ProbeSet]
    """Under names that name one set each."""
    versions: Mapping[int, SetVersion] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    """Which versions are shown, and what was asked for and has no reply at all."""
    models: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """Name of a local model, as shown → what answered (see `model_facts`)."""


@dataclass(frozen=True, slots=True)
class Chosen:
    """The cells that were asked for, with what is needed to speak of them."""

    cells: tuple[Cell, ...]
    names: Mapping[tuple[str, str], str]
    """(model spec, identity) → the name shown."""
    sets: Mapping[int, ProbeSet]
    versions: Mapping[int, SetVersion]
    notes: tuple[str, ...]


def choose(store: Store, wanted: Wanted) -> Chosen:
    """The cells of `wanted` that have a reply; raises UserError when a name matches nothing.

    A cell without any reply, as a command leaves it that could not ask, is no row and takes no name.
    """
    planned = store.cells(wanted.run_id)
    answered = store.answered(planned)
    cells = [cell for cell in planned if cell.cell_id in answered]
    if not cells:
        what = f"run {wanted.run_id!r} has no answers" if wanted.run_id else "the database holds no answers yet"
        raise NothingStored(f"{what}; ask some with `clika run`, or bring some in with `clika import`")
    everywhere = cells
    if wanted.run_id is not None:
        everywhere = store.cells()
        known = store.answered(everywhere)
        everywhere = [cell for cell in everywhere if cell.cell_id in known]
    names = display_names(everywhere)
    store.name_models(names)
    of = {cell.key.set_id for cell in everywhere}
    versions = versions_of(info for info in store.set_infos() if info.set_id in of)
    sets = {i: store.probe_set(i) for i in dict.fromkeys(cell.key.set_id for cell in cells)}
    renamed = _renamed(store, wanted.models, {name for pair in names.items() for name in (pair[0][0], pair[1])})
    stored = tuple(dict.fromkeys(renamed.get(model, model) for model in wanted.models))
    chosen = chosen_cells(cells, replace(wanted, models=stored), names, sets)
    if wanted.run_id is None or wanted.set_version is not None:
        ids = chosen_versions({i: versions[i] for i in sets}, wanted.set_version)
        chosen = [cell for cell in chosen if cell.key.set_id in ids]
    if not chosen:
        raise NothingStored("the sets named have no answers in that version; leave --set-version out")
    kept = {i: s for i, s in sets.items() if any(cell.key.set_id == i for cell in chosen)}
    silent = [cell for cell in planned if cell.cell_id not in answered]
    notes = (*version_notes(versions, kept), *_without_reply(silent, chosen, names))
    notes += tuple(
        f"{new} is the same model as {old}, under which its answers are kept." for new, old in renamed.items()
    )
    return Chosen(tuple(chosen), names, distinct_names(kept, versions), versions, notes)


def _renamed(store: Store, models: Sequence[str], known: set[str]) -> dict[str, str]:
    """The stored name of each model that a run asked under another one: a file that was renamed has one set of answers.

    A run keeps what was asked for, and its cells the name they were first asked under.
    """
    found: dict[str, str] = {}
    for run in store.runs() if set(models) - known else ():
        listed = run.config.get("models")
        specs = [spec for spec in listed if isinstance(spec, str)] if isinstance(listed, list) else []
        asked = {row: spec for spec in specs for row in (spec, _file_name(spec))}
        kept = {cell.key.model for cell in store.cells(run.run_id)}
        new = {spec for spec in asked.values() if not {spec, _file_name(spec)} & kept}
        old = kept - set(asked)
        if len(new) == len(old) == 1:
            (stored,), names = old, {name for name, spec in asked.items() if spec in new}
            found |= {model: stored for model in models if model in names - known}
    return found


def _file_name(spec: str) -> str:
    """A local model's row is called after its file, wherever it lies."""
    provider, _, rest = spec.partition("/")
    return f"{provider}/{rest.rpartition('/')[2]}" if provider == "gguf" else spec


def _without_reply(silent: Sequence[Cell], chosen: Sequence[Cell], names: Mapping[tuple[str, str], str]) -> list[str]:
    """Languages that a shown row was asked in too, without any reply."""
    shown: dict[RowKey, set[str]] = {}
    for cell in chosen:
        shown.setdefault(row_key(cell, names, ""), set()).add(cell.key.language)
    found: dict[RowKey, list[str]] = {}
    for cell in silent:
        if (cell.key.model, cell.key.identity) in names:
            key = row_key(cell, names, "")
            if key in shown and cell.key.language not in shown[key]:
                found.setdefault(key, []).append(cell.key.language)
    return [
        f"No reply yet to any question: {key.model} in {', '.join(dict.fromkeys(languages))}."
        for key, languages in found.items()
    ]


def load(store: Store, wanted: Wanted | None = None) -> LoadedAnswers:
    """Gather the stored answers into rows; raises UserError when a name matches nothing."""
    wanted = wanted or Wanted()
    chosen = choose(store, wanted)
    cells, names, sets = chosen.cells, chosen.names, chosen.sets
    positions = store.run_positions(wanted.run_id) if wanted.run_id else {}
    grouped: dict[RowKey, list[Cell]] = {}
    for cell in cells:
        for reading in dict.fromkeys(reading_for(cell.key.ask, name) for name in wanted.readings):
            judge = judge_of(reading)
            if judge is None or judgements.of_cell(store, judge, cell):
                grouped.setdefault(row_key(cell, names, reading), []).append(cell)
    if not grouped:
        known = ", ".join(judgements.judges(store)) or "nobody yet"
        raise UserError(f"no reply was judged by {', '.join(wanted.readings)}; judgements here are by: {known}")
    source = StoredAnswers(store, positions)
    blocks = [block_from(source, key, rows, sets[key.set_id]) for key, rows in grouped.items()]
    identities = {names[(cell.key.model, cell.key.identity)]: cell.key.identity for cell in cells}
    models = {name: facts for name, identity in identities.items() if (facts := facts_of(identity))}
    return LoadedAnswers(tuple(blocks), sets, chosen.versions, chosen.notes, models)


def row_key(cell: OfCell, names: Mapping[tuple[str, str], str], reading: str) -> RowKey:
    """The row of a table that a cell's answers belong to; `names` as display_names gives them."""
    key = cell.key
    name = names[(key.model, key.identity)]
    return RowKey(name, key.set_id, key.prompt, key.ask, reading, key.source, key.settings)


def display_names(cells: Iterable[OfCell]) -> dict[tuple[str, str], str]:
    """A name per (spec, identity); one spec with several identities (other weights, other server) gets suffixes."""
    identities: dict[str, list[str]] = {}
    for cell in cells:
        known = identities.setdefault(cell.key.model, [])
        if cell.key.identity not in known:
            known.append(cell.key.identity)
    return {
        (spec, identity): name
        for spec, known in identities.items()
        for identity, name in zip(known, told_apart(spec, known), strict=True)
    }


def told_apart(spec: str, identities: Sequence[str]) -> list[str]:
    """The names of what was asked under one name: by quantization where that differs, else by a digest."""
    if len(identities) == 1:
        return [spec]
    weights = [str(facts_of(identity).get("quantization", "")) for identity in identities]
    names = [f"{spec} {quantization}" if quantization else spec for quantization in weights]
    return [
        name if quantization and weights.count(quantization) == 1 else f"{name} #{_short(identity)}"
        for name, quantization, identity in zip(names, weights, identities, strict=True)
    ]


def _short(identity: str) -> str:
    return hashlib.blake2b(identity.encode("utf-8", "surrogatepass"), digest_size=2).hexdigest()


def chosen_cells(
    cells: Sequence[C], wanted: Wanted, names: Mapping[tuple[str, str], str], sets: Mapping[int, ProbeSet]
) -> list[C]:
    """The cells that match every filter; a filter word that matches nothing is a mistake worth naming."""
    kept = list(cells)
    filters = (
        ("model", wanted.models, lambda c: (names[(c.key.model, c.key.identity)], c.key.model)),
        ("set", wanted.sets, lambda c: (sets[c.key.set_id].name,)),
        ("language", wanted.languages, lambda c: (c.key.language,)),
        ("source", wanted.sources, lambda c: (c.key.source,)),
        ("prompt style", wanted.prompts, lambda c: (c.key.prompt,)),
    )
    for word, values, names_of in filters:
        known = {name for cell in cells for name in names_of(cell)}
        for value in values:
            if value not in known:
                listed = ", ".join(sorted(known)) or "none"
                raise UserError(f"the database holds no answers for {word} {value!r}; it has: {listed}")
        if values:
            kept = [cell for cell in kept if set(names_of(cell)) & set(values)]
    return kept


def block_from(source: AnswerSource[C], key: RowKey, cells: Sequence[C], probe_set: ProbeSet) -> AnswerGrid:
    """One row's answers, gathered from its cells."""
    order = {language: i for i, language in enumerate(probe_set.languages)}
    languages = sorted(dict.fromkeys(cell.key.language for cell in cells), key=lambda t: order[t])
    shape = (len(languages), probe_set.n)
    answers, shown = np.full(shape, MISSING, np.int8), np.full(shape, MISSING, np.int8)
    asked, reasons = np.zeros(shape, np.bool_), np.zeros(shape, np.uint8)
    scored = key.reading == PROBABILITIES or key.reading in NORMALISATIONS
    scores = np.full((*shape, probe_set.k), np.nan) if scored else None
    orders = repeats = 1
    again = np.full((2, *shape), MISSING, np.int8)
    for i, language in enumerate(languages):
        mine = sorted((c for c in cells if c.key.language == language), key=lambda c: (c.key.rotation, c.key.repeat))
        read = [source.answers(cell, key.reading, probe_set) for cell in mine]
        votes = np.stack([r.choices for r in read])
        answers[i] = votes[0] if len(mine) == 1 else plurality(votes, probe_set.k)
        again[: min(len(votes), 2), i] = votes[:2]
        if not probe_set.open:
            shown[i] = rotate(votes[0], mine[0].key.rotation, probe_set.counts)
        reasons[i] = read[0].reasons
        for cell in mine:
            asked[i, source.asked(cell)] = True
        orders = max(orders, len({c.key.rotation for c in mine}))
        repeats = max(repeats, len({c.key.repeat for c in mine}))
        if scores is not None:
            scores[i], answers[i] = _from_scores(source, key, mine, probe_set, answers[i])
    answers = np.where(asked, answers, MISSING).astype(np.int8)
    shown = np.where(asked, shown, MISSING).astype(np.int8)
    return AnswerGrid(
        key,
        tuple(languages),
        answers,
        asked,
        np.where(np.isin(answers, (NO_ANSWER, ELSEWHERE)), reasons, 0).astype(np.uint8),
        None if orders == repeats == 1 and not probe_set.open else shown,
        orders,
        repeats,
        scores,
        None if orders == repeats == 1 else (again[0], again[1]),
        source.matches(key, cells, probe_set, languages),
    )


def _matches(
    store: Store, key: RowKey, cells: Sequence[Cell], probe_set: ProbeSet, languages: Sequence[str]
) -> Floats | None:
    """MKQA's measures of each language's replies, first askings only; None for a set that is not measured so."""
    if probe_set.meta.get(MEASURES) != "mkqa" or key.ask != OPEN:
        return None
    found = np.full((len(languages), 2), np.nan)
    for cell in cells:
        if cell.key.repeat == 0 and len(texts := (replies := store.replies(cell)).texts):
            accepts = Acceptance(probe_set, cell.key.language)
            golds = [accepts.at(int(position)).names for position in replies.positions]
            rows = [
                (exact_match(t, g, cell.key.language), token_f1(t, g, cell.key.language))
                for t, g in zip(texts, golds, strict=True)
            ]
            found[languages.index(cell.key.language)] = np.mean(rows, axis=0)
    return found


def _from_scores(
    source: AnswerSource[C], key: RowKey, cells: Sequence[C], probe_set: ProbeSet, answers: Answers
) -> tuple[Floats, Answers]:
    """(scores, answers) of one language whose replies carry a figure per option; several orders count by their mean."""
    each = [source.scores(cell, probe_set, key.reading) for cell in cells]
    if len(each) == 1:
        return each[0], answers
    scores = mean_over_orders(each)
    best = np.where(np.isnan(scores).all(-1), answers, np.nanargmax(np.nan_to_num(scores, nan=-np.inf), -1))
    return scores, best.astype(np.int8)
