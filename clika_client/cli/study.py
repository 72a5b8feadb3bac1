"""Study files: the options of `clika run` as TOML, so that a run can be kept, shared and repeated."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from clika_client.cli.grouped_help import Grouped
from clika_client.common.errors import UserError
from clika_client.common.wording import did_you_mean

SUFFIX = ".toml"
_NAMES = {"models": "model", "map": "columns", "json": "as_json"}
"""Keys of a study that are not the option's own name."""
_NOT_KEPT = frozenset(
    {"db", "as_json", "csv", "dry_run", "no_cache", "junit", "github_summary", "baseline", "fail_if_worse", "context"}
)
"""Where results go is no part of what was asked."""


class Studied(Grouped):
    """A command that takes a study file in the place of its arguments; options beside it override the file's."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Put the file's options before those of the command line."""
        return super().parse_args(ctx, _expanded(self, args))


def _expanded(command: Any, args: Sequence[str]) -> list[str]:
    places = [i for i, word in enumerate(args) if word.endswith(SUFFIX) and not (i and args[i - 1].startswith("-"))]
    if len(places) != 1 or args[places[0]].startswith("-"):
        return list(args)
    rest = [word for i, word in enumerate(args) if i != places[0]]
    return study_arguments(command, read_study(Path(args[places[0]])), rest)


def read_study(path: Path) -> dict[str, Any]:
    """The settings of a study file. Raises UserError with the line that is wrong."""
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror}; `clika init {path}` writes one") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UserError(f"{path}: not a study file: {error}") from error


def study_arguments(command: Any, settings: Mapping[str, Any], rest: Sequence[str] = ()) -> list[str]:
    """The command line of some settings; what `rest` gives is left out of them."""
    params = {param.name: param for param in command.params}
    given = {word.partition("=")[0] for word in rest if word.startswith("-")}
    words: list[str] = []
    for key, value in settings.items():
        name = _NAMES.get(key, key.replace("-", "_"))
        if name not in params or name in _NOT_KEPT:
            known = sorted({*params, "models", "map"} - _NOT_KEPT - {"model", "columns"})
            raise UserError(
                f"{key!r} is no setting of a study; {did_you_mean(key, known) or 'there are ' + ', '.join(known)}"
            )
        param = params[name]
        if given.isdisjoint((*param.opts, *param.secondary_opts)):
            words += _words(param, key, value)
    return [*words, *rest]


def _words(param: Any, key: str, value: Any) -> Iterator[str]:
    several = param.multiple or param.nargs == -1
    values = list(value) if isinstance(value, list) else [value]
    if isinstance(value, list) and not several:
        values = [",".join(map(str, value))]
    for each in values:
        if isinstance(each, dict):
            raise UserError(f"{key!r} must be a text, a number, true, false or a list, not a table")
        if param.param_type_name == "argument":
            yield str(each)
        elif isinstance(each, bool):
            named = param.opts if each else param.secondary_opts
            yield from named[-1:]
        else:
            yield from (max(param.opts, key=len), str(each))


def given_settings(context: Any) -> dict[str, Any]:
    """What a command line set, as plain values that `study_arguments` takes; keys are never among them."""
    from clika_providers.keys import redact

    found: dict[str, Any] = {}
    for param in context.command.params:
        value = context.params.get(param.name)
        source = context.get_parameter_source(param.name)
        if param.name in _NOT_KEPT or value is None or source is None or source.name.startswith("DEFAULT"):
            continue
        found[param.name] = _plain(value, redact)
    return found


def _plain(value: Any, redact: Any) -> Any:
    if isinstance(value, list | tuple):
        return [_plain(each, redact) for each in value]
    return value if isinstance(value, bool | int | float) else redact(str(value))


def study_text(settings: Mapping[str, Any], head: str = "") -> str:
    """A study file of some settings."""
    back = {name: key for key, name in _NAMES.items()}
    lines = [f"{back.get(name, name)} = {json.dumps(value, ensure_ascii=False)}" for name, value in settings.items()]
    return "\n".join([*(f"# {line}".rstrip() for line in head.splitlines()), *lines]) + "\n"
