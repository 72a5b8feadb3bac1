"""Which of the names offered each free reply of a cell gives: read once, and kept in the store like every reading."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from clika_client.answers.cells import AT_ONCE, REASONS
from clika_client.answers.open.named import Matcher, NamesOffered
from clika_client.common.answer_codes import MISSING, NO_ANSWER
from clika_client.store.store import Cell, Store


def names_given(store: Store, cell: Cell, n: int, offered: NamesOffered) -> list[str | None]:
    """The name that each reply gives, one per item of the set's `n`; None for none, for several, for no reply.

    Kept are places in `offered`, by a stamp that holds the reading's version, the language and the names: the same
    replies read for names in another language are another reading.
    """
    kept = store.reading(cell, offered.stamp)
    places = _read(store, cell, n, offered) if kept is None else kept[0]
    return [offered.names[place] if place >= 0 else None for place in places.tolist()]


def _read(store: Store, cell: Cell, n: int, offered: NamesOffered) -> npt.NDArray[np.int16]:
    asked, matcher = cell.asked(), Matcher(offered)
    places, why = np.full(n, MISSING, np.int16), np.zeros(n, np.uint8)
    for start in range(0, len(asked), AT_ONCE):
        replies = store.replies(cell, asked[start : start + AT_ONCE])
        for position, text in zip(replies.positions.tolist(), replies.texts, strict=True):
            found = matcher.match(text)
            places[position] = NO_ANSWER if found.index is None else found.index
            why[position] = REASONS.index(found.reason) if found.index is None else 0
    store.save_reading(cell, offered.stamp, places, why, REASONS)
    return places
