"""Task names of other tools: which language they end in, and what is left as the set's name."""

from __future__ import annotations

import re

from clika_client.common.errors import UserError
from clika_client.common.languages import canonical, name


def split_task(task: str) -> tuple[str, str | None]:
    """(set name, language) of a task such as `xcopa_it` or `belebele_deu_Latn`; language None when none is named.

    Only the end of the name is looked at: words such as `is` or `it` inside a name are no languages.
    """
    pieces = [piece for piece in re.split(r"[_\-./]", task) if piece]
    for length in (2, 1):
        if len(pieces) <= length:
            continue
        tag = _known("-".join(pieces[-length:]))
        if tag is not None and (length == 1 or len(pieces[-1]) == 4 or pieces[-1].isupper()):
            return task[: -(len("_".join(pieces[-length:])) + 1)], tag
    return task, None


def _known(text: str) -> str | None:
    try:
        tag = canonical(text)
    except UserError:
        return None
    return _plain(tag) if name(tag) != tag else None


def _plain(tag: str) -> str:
    """Without a script that the language is usually written in anyway: `deu_Latn` is `de`."""
    from clika_client.common.languages import script

    language, _, rest = tag.partition("-")
    return language if rest and rest == script(language) else tag
