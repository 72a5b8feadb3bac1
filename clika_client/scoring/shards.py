"""Scores of Parquet shards that many runs exported: read once by DuckDB, shard by shard, then scored like a database.

What is kept of a reply (choice, reason for none, whether it was asked) lies in a temporary file, so that memory does
not grow with the replies. DuckDB reads shards, as it took less CPU and memory than Polars (docs/benchmarks.md).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from clika_client.answers.cells import REASONS, reading_for
from clika_client.answers.likelihood import NORMALISATIONS
from clika_client.answers.open.judged import judge_of
from clika_client.common.answer_codes import ELSEWHERE, NO_ANSWER, OTHER
from clika_client.common.errors import UserError
from clika_client.scoring.answer_grid import AnswerGrid, RowKey
from clika_client.scoring.chosen import Wanted, chosen_cells, display_names, facts_by_name, row_key, sets_of
from clika_client.scoring.load import LoadedAnswers
from clika_client.scoring.put_aside import Pages
from clika_client.scoring.records import Scores
from clika_client.scoring.score import Options, scored
from clika_client.scoring.set_versions import chosen_versions, distinct_names, version_notes, versions_of
from clika_client.scoring.shard_answers import GatheredAnswers, ReadCell
from clika_client.scoring.shard_footer import NAME, Footer, ShardCell, from_text
from clika_client.sets.packed import set_digest
from clika_client.sets.probes import MEASURES, ProbeSet
from clika_client.store.schema import SetInfo
from clika_providers.install import install_hint

_AT_ONCE = 200_000
"""Rows in memory at a time."""
_SHARED = ("model", "set", "set_version", "language", "prompt", "ask", "reading", "source", "settings", "rotation",
           "repeat")  # fmt: skip


def score_shards(paths: Sequence[Path], wanted: Wanted | None = None, options: Options | None = None) -> Scores:
    """Score what `clika export SHARD.parquet` wrote, one file or many, with the same figures as from their databases.

    A question that several shards answer counts once, with the reply of the shard that is named first. Raises UserError
    for a file that is no such shard, was changed, or holds nothing of what is wanted.
    """
    wanted, options = wanted or Wanted(), options or Options()
    if wanted.run_id is not None:
        raise UserError("shards do not know runs: export a run by itself (`clika export --run ID`), or score --db")
    known: dict[str, ProbeSet] = {}
    footers = {path: _footer(path, known) for path in paths}
    sets, infos, ids = _sets(footers)
    cells = _cells(footers, ids)
    everything = list(dict.fromkeys(cell for of_path in cells.values() for cell in of_path))
    names, versions = display_names(everything), versions_of(infos)
    chosen = _chosen(everything, wanted, names, sets, chosen_versions(versions, wanted.set_version))
    kept = sets_of(chosen, sets)
    pages = Pages()
    loaded = LoadedAnswers(
        _blocks(footers, cells, _by_row(chosen, names), sets, pages),
        distinct_names(kept, versions),
        versions,
        version_notes(versions, kept),
        facts_by_name(chosen, names),
        pages.release,
    )
    notes = dict.fromkeys(note for footer in footers.values() for note in footer.notes)
    return scored(loaded, options, notes=tuple(notes), stamps=_stamps(footers))


def _cells(footers: Mapping[Path, Footer], ids: Mapping[Path, Sequence[int]]) -> dict[Path, list[ReadCell]]:
    """Each shard's cells, under the numbers that their sets have among all shards."""
    return {
        path: [ReadCell(replace(c.key, set_id=ids[path][c.key.set_id]), c.reading) for c in footer.cells]
        for path, footer in footers.items()
    }


def _chosen(
    cells: Sequence[ReadCell],
    wanted: Wanted,
    names: Mapping[tuple[str, str], str],
    sets: Mapping[int, ProbeSet],
    shown: Set[int],
) -> list[ReadCell]:
    """The cells wanted, of the sets `shown`; raises UserError where there are none, or a shard cannot tell."""
    matching = chosen_cells(cells, wanted, names, sets)
    chosen = [cell for cell in matching if cell.key.set_id in shown and _read_so(cell, wanted)]
    if not chosen:
        held = ", ".join(sorted({cell.reading for cell in cells})) or "none"
        raise UserError(f"the shards hold no answers read as {', '.join(wanted.readings)}; they hold readings: {held}")
    _refuse(chosen, sets)
    return chosen


def _by_row(cells: Iterable[ReadCell], names: Mapping[tuple[str, str], str]) -> dict[RowKey, list[ReadCell]]:
    """The cells of each row of the table."""
    grouped: dict[RowKey, list[ReadCell]] = {}
    for cell in cells:
        grouped.setdefault(row_key(cell, names, cell.reading), []).append(cell)
    return grouped


def _blocks(
    footers: Mapping[Path, Footer],
    cells: Mapping[Path, Sequence[ReadCell]],
    rows: Mapping[RowKey, list[ReadCell]],
    sets: Mapping[int, ProbeSet],
    pages: Pages,
) -> tuple[AnswerGrid, ...]:
    """The answers of each row, gathered shard by shard."""
    gathered = GatheredAnswers(rows.values(), sets, pages)
    for path, footer in footers.items():
        _read(path, footer, cells[path], gathered)
        pages.release()
    return tuple(gathered.block(key, row, sets[key.set_id]) for key, row in rows.items())


def _footer(path: Path, known: dict[str, ProbeSet]) -> Footer:
    try:
        import duckdb  # noqa: F401  asked for now, before anything is read
        import pyarrow as pa
        import pyarrow.parquet as pq
    except ImportError:
        raise UserError(f"scoring shards needs DuckDB and pyarrow: {install_hint('shards')}") from None
    try:
        held = pq.read_metadata(path).metadata or {}
        return from_text(held[NAME], known)
    except FileNotFoundError:
        raise UserError(f"{path}: there is no such file") from None
    except KeyError:
        raise UserError(f"{path} is no shard of replies: write it with `clika export {path.name}`") from None
    except (pa.ArrowException, OSError, ValueError, TypeError, IndexError, RecursionError) as error:
        raise UserError(f"{path} cannot be read as a shard of replies: {error}") from None


def _sets(footers: Mapping[Path, Footer]) -> tuple[dict[int, ProbeSet], list[SetInfo], dict[Path, list[int]]]:
    """(sets by number, what versions are told by, the number of each footer's sets); equal content is one set."""
    found: dict[str, tuple[ProbeSet, float]] = {}
    digests: dict[Path, list[str]] = {}
    digest_of = {id(s): "" for footer in footers.values() for s in footer.sets}
    for path, footer in footers.items():
        for probe_set in footer.sets:
            digest_of[id(probe_set)] = digest_of[id(probe_set)] or set_digest(probe_set)
        digests[path] = [digest_of[id(s)] for s in footer.sets]
        for digest, probe_set, since in zip(digests[path], footer.sets, footer.since, strict=True):
            first = found.get(digest, (probe_set, since))
            found[digest] = (first[0], min(first[1], since))
    ordered = sorted(found, key=lambda digest: found[digest][1])
    number = {digest: i for i, digest in enumerate(ordered, 1)}
    infos = [SetInfo(number[d], found[d][0].name, found[d][0].n, found[d][1]) for d in ordered]
    sets = {number[d]: found[d][0] for d in ordered}
    return sets, infos, {path: [number[d] for d in of_path] for path, of_path in digests.items()}


def _read_so(cell: ReadCell, wanted: Wanted) -> bool:
    return cell.reading in {reading_for(cell.key.ask, name) for name in wanted.readings}


def _refuse(cells: Sequence[ReadCell], sets: Mapping[int, ProbeSet]) -> None:
    """Raise UserError for readings that need more of a reply than a shard's columns hold."""
    for cell in cells:
        measured = sets[cell.key.set_id].meta.get(MEASURES) == "mkqa"
        if measured or cell.reading in NORMALISATIONS or judge_of(cell.reading) is not None:
            raise UserError(
                f"answers of {cell.key.model} to {sets[cell.key.set_id].name} read as {cell.reading!r} need more than "
                "a shard holds: score their database (`clika score --db`), or choose others with --model or --sets"
            )


def _stamps(footers: Mapping[Path, Footer]) -> dict[str, str]:
    """Reading → version; raises UserError where shards were read by different versions of one."""
    found: dict[str, str] = {}
    for path, footer in footers.items():
        for reading, stamp in footer.stamps.items():
            if found.setdefault(reading, stamp) != stamp:
                raise UserError(
                    f"{path} was read by {stamp}, other shards by {found[reading]}: their figures are not comparable; "
                    "export them again with one version of clika"
                )
    return found


def _read(path: Path, footer: Footer, cells: Sequence[ReadCell], gathered: GatheredAnswers) -> None:
    """One pass over one shard."""
    for cell, held in zip(cells, footer.cells, strict=True):
        if gathered.start(cell) >= 0:
            gathered.ask(cell, held.asked)
    rows = 0
    starts = [gathered.start(cell) for cell in cells]
    for batch in _batches(path, footer, starts, gathered.scores_wanted):
        rows += len(batch)
        at = batch["at"].to_numpy()
        mine = at >= 0
        new = gathered.put(at[mine], batch["choice"].to_numpy()[mine], batch["reason"].to_numpy()[mine])
        if gathered.scores_wanted:
            _keep_scores(gathered, at, np.flatnonzero(mine)[new], batch["logprobs"])
    expected = _row_count(path)
    if rows != expected:
        raise UserError(
            f"{path}: {expected - rows:,} of {expected:,} rows are of no cell that it speaks of; it was changed or put "
            "together after it was exported. Give the shards as `clika export` wrote them"
        )


def _row_count(path: Path) -> int:
    import pyarrow.parquet as pq

    return int(pq.read_metadata(path).num_rows)


def _keep_scores(gathered: GatheredAnswers, at: npt.NDArray[Any], new: npt.NDArray[Any], column: Any) -> None:
    """The lists of a batch's new rows, those of one length at a time."""
    lists = column.take(new)
    lengths = lists.value_lengths().fill_null(0).to_numpy()
    for k in np.unique(lengths[lengths > 0]):
        those = np.flatnonzero(lengths == k)
        values = lists.take(those).flatten().fill_null(np.nan).to_numpy()
        gathered.put_scores(at[new[those]], values.reshape(-1, int(k)))


_QUERY = f"""
    SELECT CASE WHEN c.start < 0 THEN -1 ELSE c.start + i.position END AS at,
           CAST(CASE WHEN r.choice IS NOT NULL THEN r.choice WHEN r.verdict = 'wrong' THEN {OTHER}
                     WHEN r.verdict = 'right in another language' THEN {ELSEWHERE} ELSE {NO_ANSWER} END
                AS TINYINT) AS choice,
           CAST(CASE WHEN r.choice IS NOT NULL THEN 0
                     WHEN r.answer_language IS NOT NULL THEN coalesce(list_position(c.languages, r.answer_language), 0)
                     ELSE coalesce(w.code, 0) END AS UTINYINT) AS reason
           {{more}}
    FROM read_parquet($path) r
    JOIN cells c USING ({", ".join(f'"{name}"' for name in _SHARED)})
    JOIN items i ON i.of_set = c.of_set AND i.item = r.item
    LEFT JOIN reasons w ON w.name = r.reason
"""


def _batches(path: Path, footer: Footer, starts: Sequence[int], scores: bool) -> Iterator[Any]:
    """Record batches of flat place, choice and reason (and figures per option) of a shard's rows."""
    import duckdb
    import pyarrow as pa

    with duckdb.connect() as connection:
        connection.execute("SET preserve_insertion_order = false")
        connection.register("cells", _cell_table(footer, starts))
        connection.register("items", _item_table(footer))
        codes = {name: code for code, name in reversed(list(enumerate(REASONS))) if name}
        connection.register("reasons", pa.table({"name": list(codes), "code": pa.array(codes.values(), pa.uint8())}))
        query = _QUERY.format(more=", r.logprobs AS logprobs" if scores else "")
        try:
            reader = connection.sql(query, params={"path": str(path)}).to_arrow_reader(_AT_ONCE)
            yield from reader
        except (duckdb.Error, pa.ArrowException) as error:
            raise UserError(f"{path} cannot be read as a shard of replies: {error}") from None


def _cell_table(footer: Footer, starts: Sequence[int]) -> Any:
    import pyarrow as pa

    def shared(cell: ShardCell, name: str) -> Any:
        return getattr(cell, name) if name in ("model", "set", "set_version", "reading") else getattr(cell.key, name)

    columns = {name: [shared(cell, name) for cell in footer.cells] for name in _SHARED}
    return pa.table(
        {
            **columns,
            "of_set": [cell.key.set_id for cell in footer.cells],
            "languages": [list(footer.sets[cell.key.set_id].languages) for cell in footer.cells],
            "start": pa.array(starts, pa.int64()),
        }
    )


def _item_table(footer: Footer) -> Any:
    import pyarrow as pa

    items = [(number, item.item_id, at) for number, s in enumerate(footer.sets) for at, item in enumerate(s.items)]
    return pa.table({name: [row[i] for row in items] for i, name in enumerate(("of_set", "item", "position"))})
