"""A console that breaks long lines at words on a terminal, and leaves them whole in a file or pipe."""

from __future__ import annotations

from typing import Any

from rich.cells import cell_len
from rich.console import Console


class WordConsole(Console):
    """Prints as `Console` does, but a line printed with `soft_wrap` ends at a word on a terminal."""

    def print(self, *objects: Any, **options: Any) -> None:
        """Print; a line that holds a word wider than the terminal, such as an address to copy, stays whole."""
        # The file says whether a person reads: colours forced into a pipe must not bring line breaks with them.
        if options.get("soft_wrap") and self.file.isatty() and self._fits(objects):
            options["soft_wrap"] = False
        super().print(*objects, **options)

    def _fits(self, objects: tuple[Any, ...]) -> bool:
        return all(cell_len(word) <= self.width for shown in objects for word in str(shown).split())
