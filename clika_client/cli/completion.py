"""Completion of a word in a shell: hands what is offered to typer, and what bash cut apart back to it in one piece.

Typer speaks to bash, zsh, fish and PowerShell, and knows commands and options. Their values come from
`offered_where.py`. Whatever goes wrong is silent: a message would land in the middle of the line being typed.
"""

from __future__ import annotations

import contextlib
import io
import os
import re
import shlex
import sys
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

INSTRUCTION = "_CLIKA_COMPLETE"
"""Set by the scripts of `--install-completion`: `complete_SHELL` asks for words, `source_SHELL` for the script."""
_CUT = re.compile(r"[:=]+")
_SPECIAL = re.compile(r"[^\w@%+=:,./~{}-]")


def asked() -> bool:
    """Whether this process is to complete a word and do nothing else."""
    return os.environ.get(INSTRUCTION, "").startswith("complete_")


def complete(command_of: Callable[[list[str]], Any]) -> None:
    """Print what can follow, and leave. `command_of` makes the command line for the words after `clika`."""
    code: Any = 0
    said = io.StringIO()
    with contextlib.redirect_stdout(said), contextlib.redirect_stderr(io.StringIO()):
        try:
            before, word = _line()
            command = command_of(before)
            _teach(command, "", before, word)
            command(args=[], prog_name="clika", standalone_mode=False)
        except SystemExit as left:  # fish is told by the exit code whether there is anything
            code = left.code
        except Exception:
            said.truncate(0)
            said.seek(0)
            code = 1
    sys.stdout.write(said.getvalue())
    sys.exit(code)


def _line() -> tuple[list[str], str]:
    """The words before the one being typed, and that one as far as the shell will replace it."""
    if os.environ[INSTRUCTION] == "complete_bash":
        return _bash()
    words = os.environ.get("_TYPER_COMPLETE_ARGS", "")
    pieces = _split(words)[1:]
    return (pieces, "") if words.endswith(" ") or not pieces else (pieces[:-1], pieces[-1])


def _bash() -> tuple[list[str], str]:
    """Bash cuts words at `:` and `=` and replaces the last piece: joined for typer, with the piece remembered."""
    cut, at = os.environ.get("COMP_WORDS", "").split("\n"), int(os.environ.get("COMP_CWORD", "0"))
    cut = [*cut, *[""] * (at + 1 - len(cut))][: at + 1]
    words: list[str] = []
    follows = False
    for piece in cut:
        lone = bool(_CUT.fullmatch(piece))
        if words and len(words) > 1 and (lone or follows):
            words[-1] += piece
        else:
            words.append(piece)
        follows = lone
    os.environ["COMP_WORDS"], os.environ["COMP_CWORD"] = "\n".join(words), str(len(words) - 1)
    return [shown for word in words[1:-1] for shown in _split(word)], "" if _CUT.fullmatch(cut[-1]) else cut[-1]


def _split(text: str) -> list[str]:
    try:
        return shlex.split(text)
    except ValueError:  # a quote that is still open
        return text.replace('"', " ").replace("'", " ").split()


def _teach(command: Any, path: str, before: Sequence[str], word: str) -> None:
    """Let every option and argument answer with its values."""
    from clika_client.cli.offered_where import source_of

    for param in command.params:
        source = source_of(path, param.name)
        if source is not None and not getattr(param, "is_flag", False):
            param.shell_complete = partial(_answer, source, before, word)
    for name, below in getattr(command, "commands", {}).items():
        _teach(below, f"{path} {name}".strip(), before, word)


def _answer(source: Any, before: Sequence[str], word: str, context: Any, start: str) -> Sequence[Any]:
    from typer._click.shell_completion import CompletionItem

    from clika_client.cli.offered import Typed
    from clika_client.cli.offered_where import offers

    found = offers(source, Typed(start, _given(context, before)))
    pairs = [(offer, None) if isinstance(offer, str) else offer for offer in found]
    return [CompletionItem(_replacing(word, start, value), help=about) for value, about in pairs]


def _given(context: Any, before: Sequence[str]) -> dict[str, Any]:
    """What stands on the line already. An option that still waits for its value would hide the arguments before it."""
    names = context.command_path.split()[1:]
    own = list(before)
    for name in names:
        own = own[own.index(name) + 1 :]
    if own and own[-1].startswith("-"):
        own.pop()
    found = context.command.make_context(context.info_name, own, parent=context.parent, resilient_parsing=True)
    return dict(found.params)


def _replacing(word: str, start: str, value: str) -> str:
    """What takes the place of the word: of its last piece in bash, and with `--option=` before it in the others."""
    if os.environ[INSTRUCTION] != "complete_bash":
        return f"{word.removesuffix(start)}{value}" if word.startswith("--") else value
    quoted = word[:1] in ("'", '"')
    bare = word[1:] if quoted else word
    rest = value[max(len(start) - len(bare), 0) :]
    return rest if quoted else _SPECIAL.sub(r"\\\g<0>", rest)
