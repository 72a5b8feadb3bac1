"""The demo model: what it was taught, where its files are, and the questions `clika demo` asks it."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

from clika_client.common.errors import UserError
from clika_client.sets import atlas
from clika_client.sets.probes import ProbeSet

DATA = Path(__file__).parent.parent / "data" / "demo"
GGUF = DATA / "clika-demo.q8_0.gguf"
"""The model as llama.cpp reads it."""
HUGGING_FACE = DATA / "hf"
"""The same model as transformers reads it: what `clika teach` trains further."""


@dataclass(frozen=True, slots=True)
class Schooling:
    """How much of the world the model is taught in one language."""

    facts: float
    """Share of the items whose answer is stated in this language, 0 to 1."""
    names: float
    """Share of the place names whose translation is taught, 0 to 1."""
    weight: float
    """Relative number of lessons in this language; 0 means it is never seen."""


@cache
def _curriculum() -> dict[str, dict[str, object]]:
    return tomllib.loads((DATA / "curriculum.toml").read_text(encoding="utf-8"))


def schooling() -> Mapping[str, Schooling]:
    """Language → how much it is taught, best first."""
    return {tag: Schooling(**row) for tag, row in _curriculum()["schooling"].items()}  # type: ignore[arg-type]


def demo_languages() -> tuple[str, ...]:
    """The languages to show, from the best known to one that the model has never seen."""
    return tuple(schooling())


def demo_items() -> tuple[str, ...]:
    """Ids of the atlas items that the model was taught in at least one language."""
    relations = _curriculum()["items"]
    return tuple(f"{relation}:{key}" for relation, keys in relations.items() for key in str(keys).split())


def demo_set() -> ProbeSet:
    """The part of atlas that `clika demo` asks: `demo_items()` in `demo_languages()`.

    Raises UserError when atlas no longer has one of the items.
    """
    everything = atlas.load(demo_languages())
    row = {item.item_id: i for i, item in enumerate(everything.items)}
    missing = [item_id for item_id in demo_items() if item_id not in row]
    if missing:
        file = DATA / "curriculum.toml"
        raise UserError(f"{file}: atlas has no item {missing[0]!r}; correct the list and train anew")
    rows = [row[item_id] for item_id in demo_items()]
    return replace(
        everything,
        items=tuple(everything.items[i] for i in rows),
        probes={tag: tuple(probes[i] for i in rows) for tag, probes in everything.probes.items()},
        examples=None,
    )
