"""Text replies as a reading reads them: one by one, those that name no choice, and where two readings differ."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from clika_client.cli.common import out, print_json
from clika_client.cli.open_replies import show_open_unread
from clika_client.common.errors import UserError
from clika_client.common.safe_text import shown

if TYPE_CHECKING:
    from clika_client.answers.rules.compare import Differences
    from clika_client.answers.rules.result import Answer
    from clika_client.scoring.chosen import Wanted
    from clika_client.sets.probes import Probe, ProbeSet
    from clika_client.store.store import Cell, Store, StoredReplies


@dataclass(frozen=True, slots=True)
class CellReplies:
    """The text replies of one cell, with what is needed to read them."""

    model: str
    set_name: str
    language: str
    labels: tuple[str, ...]
    probes: tuple[Probe, ...]
    rotation: int
    texts: list[str]
    finish: list[str | None]
    example: str
    """What the prompts showed before their questions."""
    kept: tuple[str, list[Answer]] | None = None
    """The answers that an earlier version of a reading left, with its name and version."""

    def choices(self) -> list[tuple[str, ...]]:
        """The options of each reply's question in the order they were shown."""
        from clika_client.answers.cells import as_shown

        return [as_shown(probe, self.rotation) for probe in self.probes]

    def gold(self) -> list[int]:
        """The position on screen of each question's right option."""
        return [(p.gold - self.rotation) % len(p.choices) for p in self.probes]

    def read(self, reading: str) -> list[Answer]:
        """Every reply as one reading reads it."""
        from clika_client.answers.cells import labels_shown
        from clika_client.answers.read import read_answers

        labels = labels_shown(self.labels, self.probes)
        found = read_answers(self.texts, labels, self.choices(), self.language, reading, self.finish, self.example)
        return [found.answer(i) for i in range(len(self.texts))]


def text_cells(store: Store, wanted: Wanted, before: str | None = None) -> Iterator[CellReplies]:
    """The text replies of every wanted cell; cells read from probabilities have none.

    With `before`, a reading, also what an earlier version of it made of them.
    """
    from clika_client.answers.cells import before_questions
    from clika_client.scoring.chosen import choose

    chosen = choose(store, wanted)
    for cell in chosen.cells:
        if cell.key.ask != "text":
            continue
        probe_set = chosen.sets[cell.key.set_id]
        replies = store.replies(cell)
        probes = probe_set.probes[cell.key.language]
        yield CellReplies(
            chosen.names[cell.key.model, cell.key.identity],
            probe_set.name,
            cell.key.language,
            cell.labels,
            tuple(probes[int(p)] for p in replies.positions),
            cell.key.rotation,
            replies.texts,
            replies.finish,
            before_questions(store.prompts(cell, replies.positions[[0, -1]])) if len(replies.texts) > 1 else "",
            None if before is None else _kept(store, cell, before, replies, probe_set),
        )


def _kept(
    store: Store, cell: Cell, before: str, replies: StoredReplies, probe_set: ProbeSet
) -> tuple[str, list[Answer]] | None:
    """A cell's answers by an earlier version, at the positions shown, one per reply."""
    from clika_client.answers.cells import REASONS, kept_before, rotate
    from clika_client.answers.rules.result import Answer

    found = kept_before(store, cell, before)
    if found is None:
        return None
    stamp, answers = found
    at = replies.positions
    shown_at = rotate(answers.choices[at], cell.key.rotation, probe_set.counts[at])
    reasons = [REASONS[code] or None for code in answers.reasons[at]]
    return stamp, [Answer(int(c) if c >= 0 else None, why, "kept") for c, why in zip(shown_at, reasons, strict=True)]


def show_unread(
    cells: Iterator[CellReplies], opened_rows: list[dict[str, Any]], reading: str, limit: int, as_json: bool
) -> None:
    """Print the replies that name no choice, grouped by pattern."""
    from clika_client.answers.rules.compare import group_unread
    from clika_client.scoring.language_scores import NO_ANSWERS

    total = 0
    pairs: list[tuple[str, Answer]] = []
    for cell in cells:
        total += len(cell.texts)
        pairs += [(t, a) for t, a in zip(cell.texts, cell.read(reading), strict=True) if a.choice is None]
    groups = group_unread(pairs)
    silent = [row for row in opened_rows if row["verdict"] in NO_ANSWERS]
    if as_json:
        parts = {"replies": total, "unread": len(pairs), "groups": [asdict(g) for g in groups]}
        print_json({**parts, "open_replies": len(opened_rows), "open_unread": silent})
        return
    if opened_rows:
        show_open_unread(silent, len(opened_rows), limit)
    if opened_rows and not total:
        return
    out().print(f"{len(pairs):,} of {total:,} replies name no choice ({reading})", markup=False)
    for group in groups[:limit]:
        out().print(f"{group.count:>8,}  {group.reason:<11} {shown(group.pattern)}", markup=False, soft_wrap=True)
        for example in group.examples[:1]:
            out().print(f"{'':>22}e.g. {shown(example)!r}", markup=False, soft_wrap=True)
    if len(groups) > limit:
        out().print(f"… and {len(groups) - limit} more groups; --limit shows more", markup=False)


def cell_differences(cell: CellReplies, first: str, second: str) -> tuple[CellReplies, Differences]:
    """Where two readings of one cell's replies differ."""
    from clika_client.answers.rules.compare import differences

    return cell, differences(cell.texts, cell.read(first), cell.read(second), cell.gold())


def show_changes(cells: list[CellReplies], reading: str, limit: int, as_json: bool) -> None:
    """What today's version of a reading makes of replies that an earlier version had read."""
    from clika_client.answers.cells import reading_stamp
    from clika_client.answers.rules.compare import differences

    read = [cell for cell in cells if cell.kept is not None]
    if not read:
        raise UserError(
            f"no reply was read by an earlier version of {reading!r}; scores are kept with the version "
            f"that read them, and {reading_stamp(reading)} is today's"
        )
    stamps = sorted({cell.kept[0] for cell in read if cell.kept is not None})
    found = [
        (cell, differences(cell.texts, cell.kept[1], cell.read(reading), cell.gold()))
        for cell in read
        if cell.kept is not None
    ]
    show_differences(iter(found), ", ".join(stamps), reading_stamp(reading), limit, as_json)
    if len(read) < len(cells) and not as_json:
        new = sum(len(cell.texts) for cell in cells if cell.kept is None)
        out().print(f"{new:,} more replies were read by no earlier version", markup=False)


def show_differences(
    compared: Iterator[tuple[CellReplies, Differences]], first: str, second: str, limit: int, as_json: bool
) -> None:
    """Print where two readings differ: what each read, cell by cell."""
    rows: list[dict[str, Any]] = []
    kinds: dict[str, int] = {}
    total = 0
    for cell, found in compared:
        total += found.total
        for kind, count in found.counts().items():
            kinds[kind] = kinds.get(kind, 0) + count
        for row in found.rows:
            where = {"model": cell.model, "set": cell.set_name, "language": cell.language}
            rows.append({**where, "item_id": cell.probes[row.at].item_id, **asdict(row)})
    if as_json:
        print_json({"replies": total, "first": first, "second": second, "kinds": kinds, "differences": rows})
        return
    said = ", ".join(f"{count:,} {kind}" for kind, count in kinds.items())
    out().print(f"{first} against {second}: {len(rows):,} of {total:,} replies differ ({said})", markup=False)
    for row_ in rows[:limit]:
        one, other = (_word(row_[which]) for which in ("first", "second"))
        place = f"{row_['model']} {row_['set']} {row_['language']} {row_['item_id']}"
        text = shown(row_["text"][:100])
        out().print(f"{shown(place)}: {row_['kind']}: {one} → {other}: {text!r}", markup=False, soft_wrap=True)
    if len(rows) > limit:
        out().print(f"… and {len(rows) - limit:,} more; --limit shows more, --json all", markup=False)


def _word(answer: dict[str, Any]) -> str:
    return answer["reason"] if answer["choice"] is None else f"option {answer['choice'] + 1}"
