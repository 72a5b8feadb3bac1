"""The part of a store that reads replies: those of a cell, of some of its items, with the prompts they answer."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable

import numpy as np
import numpy.typing as npt

from clika_cache import Database
from clika_cache import completions as cached
from clika_client.store.schema import Cell, CellKey, StoredReplies


class Replies:
    """The stored replies of one database file's cells."""

    database: Database
    _moment: float | None

    def find_cell(self, key: CellKey) -> Cell | None:
        """The cell of a key; None where there is none."""
        raise NotImplementedError

    def held_replies(self, key: CellKey) -> dict[int, tuple[str, str]]:
        """Position → (prompt, reply) of what a cell holds; empty where there is no such cell."""
        cell = self.find_cell(key)
        if cell is None:
            return {}
        at = dict(zip(cell.keys_at(cell.asked()), map(int, cell.asked()), strict=True))
        sql = "SELECT c.key, p.messages, c.text FROM completions c JOIN prompts p ON p.hash = c.prompt"
        rows = self.database.many(sql + " WHERE c.key IN ({marks})", list(at))
        return {at[row[0]]: (str(row[1]), str(row[2])) for row in rows}  # type: ignore[index]

    def answered(self, cells: Iterable[Cell]) -> set[int]:
        """Row numbers of the cells that have at least one reply."""
        return {cell.cell_id for cell in cells if self._has_reply(cell)}

    def _has_reply(self, cell: Cell) -> bool:
        # Most cells have all their replies: the first few questions tell.
        asked = cell.asked()
        for part in (asked[:8], asked[8:]):
            keys = cell.keys_at(part)
            found = self.database.many("SELECT key FROM completions WHERE key IN ({marks})", keys)
            if any(True for _ in found):
                return True
        return False

    def replies(self, cell: Cell, positions: npt.NDArray[np.int64] | None = None) -> StoredReplies:
        """The stored replies of a cell, or of some of its asked items, in item order; missing ones are absent."""
        positions = cell.asked() if positions is None else positions
        keys = cell.keys_at(positions)
        sql = "SELECT key, text, finish_reason, choice_logprobs, option_figures FROM completions WHERE key IN ({marks})"
        found = {row[0]: row for row in self.database.many(sql, keys)}
        if self._moment is not None:
            found |= {row[0]: row for row in cached.as_they_were(self.database, keys, self._moment)}
        held = [(int(p), found[k]) for p, k in zip(positions, keys, strict=True) if k in found]
        with self.database.understood():
            return StoredReplies(
                np.array([p for p, _ in held], dtype=np.int64),
                [str(row[1]) for _, row in held],
                [row[2] for _, row in held],  # type: ignore[misc]
                [None if row[3] is None else tuple(json.loads(row[3])) for _, row in held],  # type: ignore[arg-type]
                [row[4] for _, row in held],  # type: ignore[misc]
            )

    def texts(self, keys: Collection[bytes]) -> dict[bytes, str]:
        """Content key → text of the stored replies among these keys."""
        wanted = set(keys)
        with self.database.understood():
            rows = cached.columns_of(self.database, ("text",), wanted)
            found = {key: str(text) for key, text in rows if key in wanted}
            if self._moment is not None:
                replaced = cached.as_they_were(self.database, list(wanted), self._moment)
                found |= {bytes(row[0]): str(row[1]) for row in replaced}  # type: ignore[call-overload]
        return found

    def prompts(self, cell: Cell, positions: npt.NDArray[np.int64]) -> list[str]:
        """The last messages that some asked items of a cell were sent, as far as they are stored."""
        keys = cell.keys_at(positions)
        sql = "SELECT p.messages FROM completions c JOIN prompts p ON p.hash = c.prompt WHERE c.key IN ({marks})"
        with self.database.understood():
            found = [json.loads(str(row[0])) for row in self.database.many(sql, keys)]
            return [str(messages[-1][1]) for messages in found if messages]
