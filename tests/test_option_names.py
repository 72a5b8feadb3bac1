"""One word for one thing on the command line, whichever command."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from clika_client.cli import app


def _options() -> Iterator[tuple[str, Any]]:
    def below(command: Any, path: str) -> Iterator[tuple[str, Any]]:
        yield from ((path, param) for param in command.params if any(o.startswith("--") for o in param.opts))
        for name, each in getattr(command, "commands", {}).items():
            yield from below(each, f"{path} {name}".strip())

    return below(app.command(), "")


def _long(param: Any) -> list[str]:
    return [option for option in param.opts if option.startswith("--")]


def test_an_option_has_one_long_name() -> None:
    assert [(command, _long(param)) for command, param in _options() if len(_long(param)) != 1] == []


def test_a_seed_says_what_it_is_the_seed_of() -> None:
    assert [command for command, param in _options() if "--seed" in param.opts] == []


def test_several_languages_are_named_alike_everywhere_and_one_language_otherwise() -> None:
    """`import` is told the one language of a file that does not say it; all others choose among languages."""
    assert [command for command, param in _options() if "--language" in param.opts] == ["import"]
    assert {"-l" in param.opts for _, param in _options() if "--languages" in param.opts} == {True}


def test_an_option_of_many_commands_is_described_for_what_it_is_everywhere() -> None:
    """Words that meant several things on one command line before: how a model is asked, how a reply is read."""
    texts = {
        word: [param.help or "" for _, param in _options() if word in param.opts] for word in ("--ask", "--reading")
    }
    assert texts["--ask"]
    assert all("likelihood" in text for text in texts["--ask"])
    assert texts["--reading"]
    assert all(text.startswith("Reading") for text in texts["--reading"])
    assert [command for command, param in _options() if "--read" in param.opts] == []
