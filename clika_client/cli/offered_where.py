"""Which option or argument of which command has which values: the table behind completion in a shell.

The first table goes by name, as one name means one thing in most commands; the second has what differs in single ones.
A test refuses an option that takes a text and stands in neither.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from clika_client.cli.offered import (
    Offer,
    Source,
    Typed,
    benchmarks,
    figures,
    gates,
    holding,
    known_in,
    languages_stored,
    languages_taught,
    languages_to_ask,
    local_models,
    providers,
    readings,
    runs,
    sets,
    sets_removable,
    sets_to_add,
    several,
    specs,
    stored,
    styles,
    tag_names,
    tags,
    tiers,
    words,
)

FREE = frozenset({
    "base_url", "before", "columns", "custom_id", "extra", "group", "key_command", "map_", "ray", "revision", "suffix",
    "table", "targets",
})  # fmt: skip
"""Texts that only their writer knows."""
OFFERED: Mapping[str, Source] = {
    "anchor": languages_stored,
    "ask": known_in("clika_client.cli.run_cmd", "ASKS"),
    "baseline": runs,
    "device": known_in("clika_client.conductivity.presets", "DEVICES"),
    "differ": several(readings),
    "drop": several(tags),
    "dtype": known_in("clika_client.conductivity.presets", "Dtype"),
    "en_co": known_in("clika_client.scoring.metrics.consistency", "VARIANTS"),
    "experiment": holding("experiment.json", "asked.json"),
    "experiments": holding("experiment.json", "asked.json"),
    "fail_below": gates,
    "fallback": local_models,
    "form": words("text", "choice"),
    "item": stored("items"),
    "judge": specs,
    "languages": several(languages_stored),
    "limit_by": tag_names,
    "lost_in": languages_stored,
    "material": holding("build.json"),
    "method": known_in("clika_client.conductivity.presets", "Method"),
    "model": stored("models"),
    "models": stored("models"),
    "name": sets,
    "names": known_in("clika_client.sets.fictional.names", "NAME_KINDS"),
    "number": stored("batches"),
    "only": several(tags),
    "permute": words("none", "cyclic"),
    "preset": known_in("clika_client.conductivity.presets", "PRESETS"),
    "probe_set": sets,
    "prompt": stored("prompts"),
    "provider": providers,
    "quantization": known_in("clika_client.conductivity.convert", "QUANTIZATIONS"),
    "reading": several(readings),
    "reference": stored("models"),
    "run": runs,
    "a": runs,
    "b": runs,
    "set_version": words("all"),
    "sets": several(stored("sets")),
    "show": several(figures),
    "source": several(stored("sources")),
    "split": tag_names,
    "style": styles,
    "tier": several(tiers),
    "what": known_in("clika_client.report.rows.columns", "RELATIONS"),
    "when": words("before", "after"),
}
"""Name of an option or argument → where its values come from."""
IN_COMMAND: Mapping[tuple[str, str], Source | None] = {
    ("run", "sets"): sets,
    ("run", "model"): specs,
    ("run", "languages"): several(languages_to_ask),
    ("run", "anchor"): languages_to_ask,
    ("run", "prompt"): styles,
    ("run", "reference"): None,
    ("init", "sets"): several(sets),
    ("init", "models"): several(specs),
    ("init", "languages"): several(languages_to_ask),
    ("cite", "sets"): sets,
    ("export", "format_"): words("sqlite", "parquet", "csv", "jsonl"),
    ("items", "probe_set"): stored("sets"),
    ("power", "languages"): several(languages_to_ask),
    ("power", "anchor"): languages_to_ask,
    ("import", "format"): known_in("clika_client.importers.detect", "FORMATS"),
    ("import", "language"): languages_to_ask,
    ("import", "name"): None,
    ("import", "prompt"): None,
    ("import", "source"): None,
    ("import", "model"): None,
    ("report", "format_"): words("html", "md", "latex", "csv", "json", "parquet"),
    ("reproduce", "drop"): None,
    ("prompt", "item"): None,
    ("prompt", "languages"): several(languages_to_ask),
    ("prompt", "model"): local_models,
    ("prompt", "ask"): words("logprobs", "likelihood", "open"),
    ("models check", "model"): specs,
    ("cache prune", "model"): stored("specs"),
    ("runs tag", "name"): None,
    ("sets fetch", "name"): benchmarks,
    ("sets add", "name"): sets_to_add,
    ("sets add", "languages"): several(languages_to_ask),
    ("sets fetch", "languages"): several(languages_to_ask),
    ("sets show", "languages"): several(languages_to_ask),
    ("sets export", "languages"): several(languages_to_ask),
    ("sets remove", "name"): sets_removable,
    ("sets build", "name"): words("atlas"),
    ("sets check", "name"): words("atlas"),
    ("teach build", "languages"): several(languages_taught),
    ("teach run", "model"): None,
    ("teach run", "form"): words("text", "choice", "both"),
    ("teach ask", "form"): words("text", "choice", "both"),
    ("teach ask", "model"): specs,
    ("teach in-context", "model"): specs,
    ("teach in-context", "languages"): several(languages_taught),
    ("teach upload", "model"): None,
}
"""What differs in a command; None: a text that only its writer knows, or a path, which the shell completes itself."""


def source_of(command: str, name: str) -> Source | None:
    """Where the values of an option or argument of a command come from; None where the shell is left to complete."""
    return IN_COMMAND[command, name] if (command, name) in IN_COMMAND else OFFERED.get(name)


def offers(source: Source, typed: Typed) -> Sequence[Offer]:
    """The values that begin as the word does."""
    return [o for o in source(typed) if (o if isinstance(o, str) else o[0]).startswith(typed.start)]
