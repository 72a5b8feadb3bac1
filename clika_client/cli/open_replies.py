"""The replies to open questions as `clika answers` shows them: what was written as the answer, and how it was read."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from clika_client.cli.common import out
from clika_client.common.safe_text import shown

if TYPE_CHECKING:
    from clika_client.scoring.chosen import Wanted
    from clika_client.store.store import Store


def open_rows(store: Store, wanted: Wanted) -> Iterator[dict[str, Any]]:
    """One row per reply to an open question, in the order of the cells."""
    from clika_client.answers.open.cell import OPEN, Acceptance
    from clika_client.answers.open.reader import read_open
    from clika_client.scoring.chosen import choose

    chosen = choose(store, wanted)
    for cell in chosen.cells:
        if cell.key.ask != OPEN:
            continue
        probe_set = chosen.sets[cell.key.set_id]
        accepts = Acceptance(probe_set, cell.key.language)
        replies = store.replies(cell)
        for position, text, finish in zip(replies.positions, replies.texts, replies.finish, strict=True):
            accepted = accepts.at(int(position))
            found = read_open(text, accepted, finish)
            yield {
                "model": chosen.names[cell.key.model, cell.key.identity],
                "set": probe_set.name,
                "language": cell.key.language,
                "item_id": probe_set.items[int(position)].item_id,
                "text": text,
                "written": found.written,
                "verdict": found.verdict,
                "answer_language": found.language,
                "rule": found.rule,
                "accepted": accepted.names[0].rstrip("*"),
                "correct": found.right,
            }


def show_open(rows: Sequence[dict[str, Any]], limit: int) -> None:
    """One line per reply: verdict, what was written, what is accepted, and the rule that decided."""
    for row in rows[:limit]:
        place = f"{row['model']} {row['set']} {row['language']} {row['item_id']}"
        which = f" ({row['answer_language']})" if row["answer_language"] else ""
        said = f"{row['verdict']}{which}: wrote {row['written']!r}, accepted {row['accepted']!r} ({row['rule']})"
        out().print(shown(f"{place}: {said}"), markup=False, soft_wrap=True)


def show_open_unread(rows: Sequence[dict[str, Any]], total: int, limit: int) -> None:
    """The replies without an answer, most frequent kind first."""
    out().print(f"{len(rows):,} of {total:,} replies to open questions hold no answer", markup=False)
    kinds = Counter(row["verdict"] for row in rows)
    for verdict, count in kinds.most_common(limit):
        example = next(row["text"] for row in rows if row["verdict"] == verdict)
        out().print(f"{count:>8,}  {verdict:<11} e.g. {shown(example[:100])!r}", markup=False, soft_wrap=True)
