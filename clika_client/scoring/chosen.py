"""Which stored cells are asked for, and under which names their models, sets and rows are shown."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol, TypeVar

from clika_client.common.errors import UserError
from clika_client.common.wording import instead
from clika_client.scoring.answer_grid import RowKey
from clika_client.scoring.model_facts import facts_of
from clika_client.scoring.set_versions import SetVersion, chosen_versions, distinct_names, version_notes, versions_of
from clika_client.sets.probes import ProbeSet
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


class NothingStored(UserError):
    """There is no reply to look at, whatever was asked for."""


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
    answered, silent = _by_reply(store, wanted.run_id)
    if not answered:
        what = f"run {wanted.run_id!r} has no answers" if wanted.run_id else "the database holds no answers yet"
        raise NothingStored(f"{what}; ask some with `clika run`, or bring some in with `clika import`")
    everywhere = answered if wanted.run_id is None else _by_reply(store, None)[0]
    names = display_names(everywhere)
    store.name_models(names)
    versions = _versions(store, everywhere)
    sets = {i: store.probe_set(i) for i in dict.fromkeys(cell.key.set_id for cell in answered)}
    renamed = _renamed(store, wanted.models, {name for pair in names.items() for name in (pair[0][0], pair[1])})
    stored = tuple(dict.fromkeys(renamed.get(model, model) for model in wanted.models))
    matching = chosen_cells(answered, replace(wanted, models=stored), names, sets)
    chosen = _of_version(matching, wanted, {i: versions[i] for i in sets})
    kept = sets_of(chosen, sets)
    notes = (
        *version_notes(versions, kept),
        *_without_reply(silent, chosen, names),
        *(f"{new} is the same model as {old}, under which its answers are kept." for new, old in renamed.items()),
    )
    return Chosen(tuple(chosen), names, distinct_names(kept, versions), versions, notes)


def _by_reply(store: Store, run_id: str | None) -> tuple[list[Cell], list[Cell]]:
    """(cells with a reply, cells without any) of a run, or of all."""
    planned = store.cells(run_id)
    known = store.answered(planned)
    return [c for c in planned if c.cell_id in known], [c for c in planned if c.cell_id not in known]


def _versions(store: Store, cells: Sequence[Cell]) -> Mapping[int, SetVersion]:
    """Of the sets that were answered: a set that nobody answered takes no number."""
    of = {cell.key.set_id for cell in cells}
    return versions_of(info for info in store.set_infos() if info.set_id in of)


def _of_version(cells: list[Cell], wanted: Wanted, versions: Mapping[int, SetVersion]) -> list[Cell]:
    """The cells of the version wanted; a run's own are all shown unless one is named."""
    if wanted.run_id is not None and wanted.set_version is None:
        return cells
    ids = chosen_versions(versions, wanted.set_version)
    chosen = [cell for cell in cells if cell.key.set_id in ids]
    if not chosen:
        raise NothingStored("the sets named have no answers in that version; leave --set-version out")
    return chosen


def sets_of(cells: Iterable[OfCell], sets: Mapping[int, ProbeSet]) -> dict[int, ProbeSet]:
    """Those of the sets that a cell belongs to, in their order."""
    used = {cell.key.set_id for cell in cells}
    return {i: probe_set for i, probe_set in sets.items() if i in used}


def _renamed(store: Store, models: Sequence[str], known: set[str]) -> dict[str, str]:
    """The stored name of each model that a run asked under another one: a file that was renamed has one set of answers.

    A run keeps what was asked for, and its cells the name they were first asked under.
    """
    found: dict[str, str] = {}
    for run in store.runs() if set(models) - known else ():
        listed = run.config.get("models")
        specs = [spec for spec in listed if isinstance(spec, str)] if isinstance(listed, list) else []
        asked = {row: spec for spec in specs for row in (spec, _file_name(spec))}
        kept = dict.fromkeys((cell.key.model, cell.key.identity) for cell in store.cells(run.run_id))
        new = {spec for spec in asked.values() if not {spec, _file_name(spec)} & {model for model, _ in kept}}
        old = {model for model, identity in kept if facts_of(identity)} - set(asked)
        if len(new) == len(old) == 1:
            (stored,), names = old, {name for name, spec in asked.items() if spec in new}
            found |= {model: stored for model in models if model in names - known}
    return found


def _file_name(spec: str) -> str:
    """The row of a model that is a file: it is called after the file, wherever that lies."""
    provider, _, rest = spec.partition("/")
    return f"{provider}/{rest.rpartition('/')[2]}"


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


def facts_by_name(cells: Iterable[OfCell], names: Mapping[tuple[str, str], str]) -> dict[str, Mapping[str, Any]]:
    """The name shown of each local model → what answered (see `model_facts`)."""
    identities = {names[cell.key.model, cell.key.identity]: cell.key.identity for cell in cells}
    return {name: facts for name, identity in identities.items() if (facts := facts_of(identity))}


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
                raise UserError(f"the database holds no answers for {word} {value!r}; {instead(value, known)}")
        if values:
            kept = [cell for cell in kept if set(names_of(cell)) & set(values)]
    return kept
