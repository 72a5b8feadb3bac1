"""Which parameters a model takes: a table of rules, overridable by the user, extended by what servers reject."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any, Literal

from clika_providers.errors import RunError
from clika_providers.types import Json
from clika_providers.userfiles import UserFile, builtin, checked


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What may be sent to one model; the fields are explained in capabilities.toml."""

    max_tokens: str = "max_tokens"
    temperature: bool = True
    seed: bool = True
    seed_field: str = "seed"
    stop: bool = True
    stop_field: str = "stop"
    logprobs: bool = True
    thinking: Literal["absent", "switchable", "always"] = "absent"
    thinking_off: Mapping[str, Json] = field(default_factory=dict)
    thinking_sampling: bool = True
    min_output: int = 2048
    grammar: Literal["", "json_schema", "structured_outputs", "gbnf"] = ""
    system: bool = True
    api_version: str = ""

    def thinks(self, wanted: bool) -> bool:
        """Whether the model will think, given whether the request wants it to."""
        return self.thinking == "always" or (wanted and self.thinking == "switchable")

    def most_output(self, max_tokens: int, thinking: bool) -> int:
        """The output cap that is sent: what was asked for, or enough for a model that thinks."""
        return max(max_tokens, self.min_output) if self.thinks(thinking) else max_tokens


@dataclass(frozen=True, slots=True)
class _CapabilityRule(Capabilities):
    """One row of the table: whom it is about, and what it says."""

    servers: tuple[str, ...] = ("*",)
    models: str = ""


def capabilities_for(server: str, model: str, user_file: Path | None = None) -> Capabilities:
    """The rules that match, applied in order; raises RunError naming the file and rule that is wrong."""
    found = Capabilities()
    for pattern, servers, said in _rules(UserFile.now("capabilities.toml", user_file)):
        if (server in servers or "*" in servers) and pattern.search(model):
            found = replace(found, **said)
    return found


@cache
def _rules(mine: UserFile) -> tuple[tuple[re.Pattern[str], tuple[str, ...], dict[str, Any]], ...]:
    """(pattern of model names, servers, fields that are set) of each rule, the built-in ones first."""
    made = []
    for table, origin in ((builtin("capabilities.toml"), "capabilities.toml"), (mine.table(), str(mine.path))):
        rules = table.get("rule", [])
        if not isinstance(rules, list):
            raise RunError(f"{origin}: rules are written as [[rule]], not [rule]", code="setup")
        for number, row in enumerate(rules, 1):
            where = f"{origin}: rule {number}"
            said = checked(_CapabilityRule, row, where)
            servers, models = said.pop("servers", ("*",)), said.pop("models", "")
            try:
                made.append((re.compile(models, re.IGNORECASE), servers, said))
            except re.error as error:
                raise RunError(f"{where}: {models!r} is not a regular expression: {error}", code="setup") from None
    return tuple(made)


_REJECTS = re.compile(
    r"unsupported|not supported|does ?n[o']t support|unknown|unrecognized|unrecognised|unexpected|not permitted"
    r"|not allowed|extra (inputs|fields)|deprecated|invalid param|does not accept|cannot be (used|set)|not available"
    r"|only the default|removed",
    re.IGNORECASE,
)


def rejected_parameter(message: str, named: str | None, sent: Mapping[str, Json]) -> str | None:
    """The field of the request body that a 400 or 422 answer objects to, or None.

    `named` is the error's own `param` field. Only fields that were sent count, and never the ones without which there
    is no question.
    """
    essential = {"model", "messages", "input", "questions"}
    candidates = [name for name in sent if name not in essential]
    if not _REJECTS.search(message):
        return None
    if named:
        top = named.split(".")[0].split("[")[0]
        return top if top in candidates else None
    mentioned = [
        (m.start(), name) for name in candidates if (m := re.search(rf"(?<!\w){re.escape(name)}(?!\w)", message))
    ]
    return min(mentioned)[1] if mentioned else None
