"""Which parameters a model takes: a table of rules, overridable by the user, extended by what servers reject."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields, replace
from functools import cache
from pathlib import Path
from typing import Any, Literal

from clika_providers.errors import RunError
from clika_providers.types import Json
from clika_providers.userfiles import builtin, user_table


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What may be sent to one model; the fields are explained in capabilities.toml."""

    max_tokens: str = "max_tokens"
    temperature: bool = True
    seed: bool = True
    seed_field: str = "seed"
    stop: bool = True
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


_FIELDS = {f.name for f in fields(Capabilities)}


@cache
def capabilities_for(server: str, model: str, user_file: Path | None = None) -> Capabilities:
    """The rules that match, applied in order; raises RunError naming the file and rule that is wrong."""
    found = Capabilities()
    for rule, origin in _rules(user_file):
        servers = rule.get("servers", ["*"])
        if server not in servers and "*" not in servers:
            continue
        try:
            matches = re.search(str(rule.get("models", "")), model, re.IGNORECASE)
        except re.error as error:
            raise RunError(f"{origin}: {rule['models']!r} is not a regular expression: {error}", code="setup") from None
        if matches:
            found = replace(found, **{k: v for k, v in rule.items() if k not in ("servers", "models")})
    return found


def _rules(user_file: Path | None) -> Iterator[tuple[dict[str, Any], str]]:
    name = "capabilities.toml"
    for table, origin in ((builtin(name), name), (user_table(name, user_file), str(user_file or name))):
        for number, rule in enumerate(table.get("rule", []), 1):
            unknown = sorted(rule.keys() - _FIELDS - {"servers", "models"})
            if unknown:
                raise RunError(f"{origin}: rule {number} has unknown fields: {', '.join(unknown)}", code="setup")
            yield rule, f"{origin}, rule {number}"


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
