"""Rows of other tools' logs become cells.

Other tools know questions, not items in many languages. Rows of one set are brought together by the document's own
id; where the log carries the questions themselves, the probe set is built from them, and rows that cannot be parallel
are left out and counted, each once.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from clika_client.common.errors import UserError
from clika_client.importers.built_sets import build_set, joining_id
from clika_client.importers.cells import CellsToStore, gathered
from clika_client.importers.common import ImportReport, Progress, identity_of, sound
from clika_client.importers.foreign import LETTERS, ForeignReply
from clika_client.sets.probes import ProbeSet
from clika_client.store.store import CellKey, ImportedReply, Store
from clika_providers import AskMode, Message


def ingest(
    store: Store,
    rows: Iterable[ForeignReply],
    report: ImportReport,
    probe_set: ProbeSet | None = None,
    progress: Progress | None = None,
) -> None:
    """Store the rows; with `probe_set` they are matched to its items, else the sets are built from the rows.

    Raises UserError, with the commonest reasons, when nothing could be taken; nothing is stored then.
    """
    groups: dict[str, list[ForeignReply]] = {}
    for row in rows:
        groups.setdefault("" if probe_set is not None else row.set, []).append(row)
    with gathered(store, report) as cells:
        for number, (name, found) in enumerate(groups.items()):
            if progress is not None:
                progress(number, len(groups), name)
            if probe_set is not None:
                _store_rows(store, cells, probe_set, found, joining_id(found, probe_set), {}, report)
                continue
            built = build_set(store, name, found, report)
            if built.probe_set is None:
                for row in found:
                    report.skip_row(built.reason(row), row.where)
            else:
                _store_rows(store, cells, built.probe_set, found, built.joined_by, built.reasons, report, built.extends)
    if progress is not None:
        progress(len(groups), len(groups), "")
    if not report.replies:
        raise UserError(f"nothing could be imported: {_why(report)}")


def _why(report: ImportReport) -> str:
    if report.missing and not report.skipped_rows:
        return f"all {report.missing} requests had failed, so there is no reply to keep"
    reasons = (report.skipped_rows + report.skipped_files).most_common(3)
    said = [f"{reason} ({count} x, first at {report.examples.get(reason, '?')})" for reason, count in reasons]
    if report.missing:
        said.append(f"{report.missing} requests had failed")
    return "; ".join(said) or "no rows were found"


def _store_rows(
    store: Store,
    gathering: CellsToStore,
    probe_set: ProbeSet,
    rows: Sequence[ForeignReply],
    joined_by: str,
    reasons: Mapping[str, str],
    report: ImportReport,
    extends: int | None = None,
) -> None:
    """`reasons` says of items that are not in the set why not; `extends` is the version that the set grew from."""
    position_of = {item.item_id: i for i, item in enumerate(probe_set.items)}
    cells: dict[tuple[str, str, str, AskMode, int], dict[int, ImportedReply]] = {}
    labels: dict[tuple[str, str, str, AskMode, int], tuple[str, ...]] = {}
    for row in rows:
        item_id = row.ids.get(joined_by, "")
        position = position_of.get(item_id)
        reason = _misfit(row, probe_set, position, reasons.get(item_id))
        if position is None or reason:
            report.skip_row(reason, row.where)
            continue
        cell = (row.model, row.language, row.prompt, row.ask, row.repeat)
        held = cells.setdefault(cell, {})
        if position in held and held[position].text is not None:
            report.skip_row("second reply to a question", row.where)
            continue
        labels.setdefault(cell, row.labels or tuple(LETTERS[: probe_set.k]))
        messages = tuple(Message(m.role, sound(m.content)) for m in row.messages)
        text = None if row.text is None else sound(row.text)
        held[position] = ImportedReply(position, item_id, messages, text, row.finish, choice_logprobs=row.logprobs)
    if not any(reply.text is not None for held in cells.values() for reply in held.values()):
        report.missing += sum(map(len, cells.values()))
        return
    report.joined[probe_set.name] = joined_by
    set_id = store.add_set(probe_set)
    if extends is not None:
        gathering.store()  # cells of the older version are carried over too
        store.carry_over(extends, set_id)
    for cell, held in cells.items():
        model, language, prompt, ask, repeat = cell
        key = CellKey(
            model=model,
            identity=identity_of(report.source, model),
            set_id=set_id,
            language=language,
            prompt=prompt,
            ask=ask,
            source=report.source,
            repeat=repeat,
        )
        ordered = [held[position] for position in sorted(held)]
        gathering.add(key, labels[cell], ordered, probe_set)


def _misfit(row: ForeignReply, probe_set: ProbeSet, position: int | None, reason: str | None) -> str:
    """Why a row does not belong to the set, or nothing."""
    if row.language not in probe_set.probes:
        return f"set {probe_set.name} has no language {row.language}"
    if position is None:
        return reason or "item is not in the set, or not in every language of it"
    probe = probe_set.probes[row.language][position]
    if row.gold is not None and row.gold != probe.gold:
        return "gold differs from the set's"
    if row.choices and len(row.choices) != len(probe.choices):
        return "another number of choices than the set's"
    if row.logprobs is not None and len(row.logprobs) != len(probe.choices):
        return "another number of choice probabilities than choices"
    return ""
