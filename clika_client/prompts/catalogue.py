"""The list of prompt styles: the built-in ones by name, the user's own templates by path."""

from __future__ import annotations

import os
from difflib import get_close_matches
from pathlib import Path

from clika_client.common.errors import UserError
from clika_client.prompts import paper, plain
from clika_client.prompts.style import Style, with_shots
from clika_client.prompts.template import read_template


def builtin_styles() -> tuple[Style, ...]:
    """The styles that come with the tool, in the order they are listed."""
    return (plain.PLAIN, plain.NATIVE, paper.ZERO_SHOT, paper.ONE_SHOT)


def get_style(name: str, shots: int = 0) -> Style:
    """The style of that name, or the user's template in the file of that path, with `shots` examples a question.

    Raises UserError with the cure.
    """
    return with_shots(_found(name), shots)


def _found(name: str) -> Style:
    styles = {style.name: style for style in builtin_styles()}
    if name in styles:
        return styles[name]
    path = Path(name).expanduser()
    if path.suffix or os.sep in name or path.exists():
        return read_template(path)
    close = get_close_matches(name, styles, n=1)
    hint = f"did you mean {close[0]!r}? " if close else ""
    raise UserError(f"no prompt style {name!r}; {hint}styles: {', '.join(styles)}, or the path of your own template")
