"""Rows of other tools' logs, gathered into probe sets and cells: what all log importers have in common.

Other tools know questions, not items in many languages. Rows of one set are brought together by item id; where
the log carries the questions themselves, the probe set is built from them, and rows that cannot be parallel
(another number of choices, another order of choices, an item missing in some language) are left out and counted.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from clika_client.common.errors import UserError
from clika_client.importers.common import ImportReport, Progress, identity_of, sound, store_cell
from clika_client.sets.probes import Item, Probe, ProbeSet, build
from clika_client.store.store import CellKey, ImportedReply, Store
from clika_providers import AskMode, Message

LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"


@dataclass(frozen=True, slots=True)
class ForeignReply:
    """One reply as another tool logged it."""

    where: str
    """File and line, for messages."""
    model: str
    language: str
    """BCP 47."""
    item_id: str
    text: str | None
    """None: the request failed, a missing answer."""
    set: str = "imported"
    messages: tuple[Message, ...] = ()
    finish: str | None = None
    logprobs: tuple[float | None, ...] | None = None
    """Natural-log probability per choice; then the row is read by probability, not by text."""
    repeat: int = 0
    prompt: str = "as-logged"
    """Name of the way of asking: rows of different names are never mixed."""
    question: str | None = None
    choices: tuple[str, ...] = ()
    gold: int | None = None
    tags: Mapping[str, str] = field(default_factory=dict)
    labels: tuple[str, ...] = ()

    @property
    def ask(self) -> AskMode:
        """How the answer was asked for."""
        return "text" if self.logprobs is None else "logprobs"


def ingest(
    store: Store,
    rows: Iterable[ForeignReply],
    report: ImportReport,
    probe_set: ProbeSet | None = None,
    progress: Progress | None = None,
) -> None:
    """Store the rows; with `probe_set` they are matched to its items, else the sets are built from the rows.

    Raises UserError when nothing could be taken, with the commonest reason.
    """
    groups: dict[str, list[ForeignReply]] = {}
    for row in rows:
        groups.setdefault("" if probe_set is not None else row.set, []).append(row)
    with store.bulk():
        for number, (name, found) in enumerate(groups.items()):
            if progress is not None:
                progress(number, len(groups), name)
            target = probe_set if probe_set is not None else _build_set(name, found, report)
            if target is not None:
                _store_rows(store, target, found, report)
    if progress is not None:
        progress(len(groups), len(groups), "")
    if not report.replies:
        reasons = (report.skipped_rows + report.skipped_files).most_common(3)
        why = "; ".join(
            f"{reason} ({count} x, first at {report.examples.get(reason, '?')})" for reason, count in reasons
        )
        raise UserError(f"nothing could be imported: {why or 'no rows were found'}")


def _store_rows(store: Store, probe_set: ProbeSet, rows: Sequence[ForeignReply], report: ImportReport) -> None:
    set_id = store.add_set(probe_set)
    position_of = {item.item_id: i for i, item in enumerate(probe_set.items)}
    cells: dict[CellKey, dict[int, ImportedReply]] = {}
    labels: dict[CellKey, tuple[str, ...]] = {}
    for row in rows:
        position = position_of.get(row.item_id)
        reason = _misfit(row, probe_set, position)
        if position is None or reason:
            report.skip_row(reason or "item is not in every language of the set", row.where)
            continue
        key = CellKey(
            model=row.model,
            identity=identity_of(report.source, row.model),
            set_id=set_id,
            language=row.language,
            prompt=row.prompt,
            ask=row.ask,
            source=report.source,
            repeat=row.repeat,
        )
        held = cells.setdefault(key, {})
        if position in held and held[position].text is not None:
            report.skip_row("second reply to a question", row.where)
            continue
        labels.setdefault(key, row.labels or tuple(LETTERS[: probe_set.k]))
        messages = tuple(Message(m.role, sound(m.content)) for m in row.messages)
        held[position] = ImportedReply(
            position,
            row.item_id,
            messages,
            None if row.text is None else sound(row.text),
            row.finish,
            choice_logprobs=row.logprobs,
        )
    for key, held in cells.items():
        ordered = [held[position] for position in sorted(held)]
        store_cell(store, key, labels[key], ordered, probe_set, report)


def _misfit(row: ForeignReply, probe_set: ProbeSet, position: int | None) -> str:
    """Why a row does not belong to the set, or nothing."""
    if row.language not in probe_set.probes:
        return f"set {probe_set.name} has no language {row.language}"
    if position is None:
        return "item is not in the set, or not in every language of it"
    probe = probe_set.probes[row.language][position]
    if row.gold is not None and row.gold != probe.gold:
        return "gold differs from the set's"
    if row.choices and len(row.choices) != len(probe.choices):
        return "another number of choices than the set's"
    if row.logprobs is not None and len(row.logprobs) != len(probe.choices):
        return "another number of choice probabilities than choices"
    return ""


def _build_set(name: str, rows: Sequence[ForeignReply], report: ImportReport) -> ProbeSet | None:
    """A probe set from the questions in the rows: the items that every language of these logs has, alike."""
    asked = [row for row in rows if row.question is not None and row.choices and row.gold is not None]
    for row in rows:
        if row.question is None or not row.choices or row.gold is None:
            report.skip_row("no question, choices or gold in the log: name the probe set with --set", row.where)
    if not asked:
        return None
    k = Counter(len(row.choices) for row in asked).most_common(1)[0][0]
    probes: dict[str, dict[str, Probe]] = {}
    for row in asked:
        if len(row.choices) == k:
            probe = Probe(row.item_id, row.language, sound(row.question or ""), row.choices, row.gold or 0, row.tags)
            probes.setdefault(row.language, {}).setdefault(row.item_id, probe)
    shared = set.intersection(*(set(found) for found in probes.values()))
    first = next(iter(probes.values()))
    alike = [i for i in first if i in shared and len({found[i].gold for found in probes.values()}) == 1]
    for row in asked:
        if row.item_id in shared and row.item_id not in set(alike) and len(row.choices) == k:
            report.skip_row("the choices are not in the same order in every language", row.where)
    if not alike:
        return None
    return build(
        name,
        [Item(item_id) for item_id in alike],
        [found[item_id] for found in probes.values() for item_id in alike],
        source="questions found in imported logs",
    )


def gold_index(target: object, choices: Sequence[str], labels: Sequence[str] = ()) -> int | None:
    """Which choice a logged target means: an index, a label, or the text of exactly one choice; else None."""
    if isinstance(target, list) and len(target) == 1:
        target = target[0]
    if isinstance(target, bool):
        return None
    if isinstance(target, int):
        return target if 0 <= target < len(choices) else None
    if not isinstance(target, str):
        return None
    text = target.strip()
    same = [i for i, choice in enumerate(choices) if choice.strip() == text]
    if len(same) == 1:
        return same[0]
    for i, label in enumerate(labels or LETTERS[: len(choices)]):
        if text.upper() == label.upper():
            return i
    return int(text) if text.isdecimal() and int(text) < len(choices) else None
