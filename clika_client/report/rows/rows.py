"""The rows of the four relations, one dictionary each, made cell by cell so that a million replies fit in memory."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import numpy as np

from clika_cache import canonical
from clika_client.answers.cells import REASONS, CellAnswers, read_cell, reading_for, reading_stamp
from clika_client.answers.open.cell import OPEN, Acceptance, verdict_of
from clika_client.answers.open.reader import read_open
from clika_client.common.answer_codes import ELSEWHERE, NO_ANSWER
from clika_client.report.rows.columns import REPLIES
from clika_client.scoring.chosen import Chosen, Wanted, choose
from clika_client.scoring.records import Scores
from clika_client.sets.probes import CONTEXT, Probe, ProbeSet
from clika_client.store.details import ReplyDetails, reply_details
from clika_client.store.store import Cell, Store

Row = dict[str, Any]
_AT_ONCE = 5_000


@dataclass(frozen=True, slots=True)
class CellRows:
    """What the replies of one cell, read in one way, have in common, and the place of each among the set's items."""

    cell: Cell
    shared: Row
    probe_set: ProbeSet
    positions: Sequence[int]


def reply_cells(store: Store, wanted: Wanted, chosen: Chosen | None = None) -> Iterator[CellRows]:
    """Every wanted cell in every reading; raises UserError when a name matches nothing."""
    chosen = chosen or choose(store, wanted)
    asked_by_run = store.run_positions(wanted.run_id) if wanted.run_id else {}
    for cell in chosen.cells:
        key = cell.key
        positions = np.sort(asked_by_run.get(cell.cell_id, np.zeros(0, np.int32))) if wanted.run_id else cell.asked()
        for reading in dict.fromkeys(reading_for(key.ask, name) for name in wanted.readings):
            shared = {
                "model": chosen.names[key.model, key.identity],
                "set": chosen.sets[key.set_id].name,
                "set_version": chosen.versions[key.set_id].number,
                "language": key.language,
                "prompt": key.prompt,
                "ask": key.ask,
                "reading": reading,
                "source": key.source,
                "settings": key.settings,
                "rotation": key.rotation,
                "repeat": key.repeat,
            }
            yield CellRows(cell, shared, chosen.sets[key.set_id], [int(p) for p in positions])


def replies_of(store: Store, part: CellRows, found: CellAnswers | None = None) -> Iterator[tuple[int, Row]]:
    """(position of the item, what is said of the reply alone), in item order; a question without a reply has none.

    `found` are the cell's answers where they have been read already.
    """
    found = found or read_cell(store, part.cell, part.shared["reading"], part.probe_set)
    languages, asked_in = part.probe_set.languages, part.cell.key.language
    probes = part.probe_set.probes[asked_in]
    accepts = Acceptance(part.probe_set, asked_in) if part.cell.key.ask == OPEN else None
    written = store.written_answers(part.cell, reading_stamp(OPEN)) if accepts is not None else {}
    for start in range(0, len(part.positions), _AT_ONCE):
        positions = part.positions[start : start + _AT_ONCE]
        keys = part.cell.keys_at(positions)
        details = reply_details(store, keys)
        for position, key in zip(positions, keys, strict=True):
            if key in details:
                choice, code = int(found.choices[position]), int(found.reasons[position])
                reason = REASONS[code] or None if choice == NO_ANSWER else None
                said = _reply(details[key], probes[position], choice, reason, part.cell.key.rotation)
                if accepts is not None:
                    said["verdict"] = verdict_of(choice, probes[position].gold, reason)
                    said["answer_language"] = languages[code - 1] if choice == ELSEWHERE and code else None
                    if position not in written:  # judged, or in a file that cannot be written to
                        written[position] = read_open(details[key].text, accepts.at(position)).written
                    said["written"] = written[position]
                yield position, said


def _reply(reply: ReplyDetails, probe: Probe, choice: int, reason: str | None, rotation: int) -> Row:
    named = choice >= 0
    k = len(probe.choices)
    logprobs = None
    if reply.logprobs is not None and len(reply.logprobs) == k:
        logprobs = [reply.logprobs[(place - rotation) % k] for place in range(k)]
    return {
        "reply": reply.text,
        "choice": choice if named else None,
        "chosen": probe.choices[choice] if named else None,
        "correct": named and choice == probe.gold,
        "verdict": None,
        "answer_language": None,
        "written": None,
        "reason": reason,
        "logprobs": logprobs,
        "finish_reason": reply.finish_reason,
        "thinking": reply.thinking,
        "input_tokens": reply.input_tokens,
        "output_tokens": reply.output_tokens,
        "cached_tokens": reply.cached_tokens,
        "reasoning_tokens": reply.reasoning_tokens,
        "cost": reply.cost,
        "latency_s": reply.latency_s,
        "model_served": reply.model_served,
        "asked_at": moment(reply.created_at),
    }


def reply_rows(store: Store, wanted: Wanted | None = None) -> Iterator[Row]:
    """One row per reply and reading."""
    for part in reply_cells(store, wanted or Wanted()):
        questions: dict[int, Row] = {}
        for position, said in replies_of(store, part):
            if position not in questions:
                questions[position] = question(part.probe_set, part.cell.key.language, position)
            row = {**part.shared, **questions[position], **said}
            yield {column.name: row[column.name] for column in REPLIES}


def question(probe_set: ProbeSet, language: str, position: int) -> Row:
    """What is asked: one item in one language."""
    item, probe = probe_set.items[position], probe_set.probes[language][position]
    return {
        "item": item.item_id,
        "question": probe.question,
        "context": probe.fields.get(CONTEXT),
        "options": list(probe.choices),
        "gold": probe.gold,
        "answer": probe.choices[probe.gold],
        "tags": {**item.tags, **probe.tags},
    }


def item_rows(store: Store, wanted: Wanted | None = None) -> Iterator[Row]:
    """One row per item and language that was asked."""
    done: dict[tuple[int, str], set[int]] = {}
    for part in reply_cells(store, wanted or Wanted()):
        seen = done.setdefault((part.cell.key.set_id, part.cell.key.language), set())
        yield from (item_row(part, position) for position in part.positions if position not in seen)
        seen.update(part.positions)


def item_row(part: CellRows, position: int) -> Row:
    """One question of a cell."""
    return {
        **{name: part.shared[name] for name in ("set", "set_version", "language")},
        **question(part.probe_set, part.cell.key.language, position),
        "cluster": part.probe_set.items[position].cluster,
    }


def score_rows(scores: Scores) -> Iterator[Row]:
    """One row per cell of the scores."""
    return iter(scores.to_records())


def run_rows(store: Store) -> Iterator[Row]:
    """One row per run, oldest first."""
    for run in store.runs():
        config: Mapping[str, Any] = run.config
        yield {
            "run": run.run_id,
            "started_at": moment(run.created_at),
            "finished_at": None if run.finished_at is None else moment(run.finished_at),
            "status": run.status,
            "models": config.get("models"),
            "sets": config.get("sets"),
            "languages": config.get("languages"),
            "prompt": config.get("prompt"),
            "ask": config.get("ask"),
            "asked": sum(len(positions) for positions in store.run_positions(run.run_id).values()),
            "tag": config.get("tag"),
            "notes": list(run.notes),
            "events": list(run.events),
            "config": canonical(dict(run.config)),
        }


def moment(seconds: float) -> datetime:
    """A Unix time as a moment in UTC."""
    return datetime.fromtimestamp(seconds, UTC)
