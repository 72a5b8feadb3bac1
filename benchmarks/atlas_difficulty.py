"""How hard is each relation of atlas for a small model? The table from which the tiers of atlas are set.

Asks GGUF files of your own by the likelihood of the options' text (the sum of its tokens' log probabilities, no
examples) a stratified sample: as many items of each relation, and of each tier of a comparison, as `--items` says,
drawn by a fixed hash, so that every model and language gets the same. Prints Markdown: right answers of items asked.
"""

from __future__ import annotations

import argparse
import hashlib
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from clika_client.asking.config import RunConfig
from clika_client.asking.run import SilentListener, evaluate
from clika_client.asking.settings import Asking
from clika_client.prompts.catalogue import get_style
from clika_client.scoring.chosen import Wanted
from clika_client.scoring.load import load
from clika_client.sets import atlas
from clika_client.sets.atlas.wording import NAMELESS
from clika_client.sets.probes import Item, ProbeSet
from clika_client.store.store import Store
from clika_providers import ProviderOptions


def stratum(item: Item) -> str:
    """The row of the table: the relation, and the tier where that is set by a rule."""
    relation = item.tags["relation"]
    return f"{relation}, {item.tags['tier']}" if relation in NAMELESS else relation


def sample(whole: ProbeSet, size: int) -> ProbeSet:
    """At most `size` items of each stratum."""
    rows: dict[str, list[int]] = {}
    for i, item in enumerate(whole.items):
        rows.setdefault(stratum(item), []).append(i)
    chosen = sorted(
        i
        for part in rows.values()
        for i in sorted(part, key=lambda i: hashlib.blake2b(whole.items[i].item_id.encode()).digest())[:size]
    )
    return replace(
        whole,
        items=tuple(whole.items[i] for i in chosen),
        probes={tag: tuple(probes[i] for i in chosen) for tag, probes in whole.probes.items()},
        examples=None,
    )


def right(gguf: Path, asked: ProbeSet, db: Path) -> Mapping[str, tuple[int, int]]:
    """Stratum → (right, asked), over the languages of `asked`."""
    config = RunConfig(
        (asked,),
        (f"gguf/{gguf}",),
        get_style("plain", 0),
        Asking("likelihood"),
        languages=asked.languages,
        options=ProviderOptions(n_threads=1),
    )
    with Store(db) as store:
        result = evaluate(store, config, SilentListener())
        loaded = load(store, Wanted(run_id=result.run_id, readings=("sum",)))
    (block,) = loaded.blocks
    kept = loaded.sets[block.key.set_id]
    found: dict[str, tuple[int, int]] = {}
    for language, answers in zip(block.languages, block.answers.tolist(), strict=True):
        for item, probe, answer in zip(kept.items, kept.probes[language], answers, strict=True):
            hits, n = found.get(stratum(item), (0, 0))
            found[stratum(item)] = (hits + (answer == probe.gold), n + 1)
    return found


def table(columns: Mapping[str, Mapping[str, tuple[int, int]]]) -> str:
    """A row per stratum, a column per model and language."""
    strata = list(dict.fromkeys(name for column in columns.values() for name in column))
    lines = ["| relation | " + " | ".join(columns) + " |", "|" + "---|" * (len(columns) + 1)]
    lines += [
        f"| {name} | " + " | ".join(_cell(column.get(name)) for column in columns.values()) + " |" for name in strata
    ]
    return "\n".join(lines)


def _cell(counts: tuple[int, int] | None) -> str:
    return "–" if counts is None else f"{counts[0] / counts[1]:.2f} ({counts[0]} of {counts[1]})"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("gguf", nargs="*", type=Path, help="GGUF files; without any there is nothing to do")
    parser.add_argument("--languages", default="en")
    parser.add_argument("--items", type=int, default=30)
    parser.add_argument("--relations", help="comma-separated; all where nothing is said")
    parser.add_argument("--db", type=Path, help="keep the replies here, so that an interrupted benchmark goes on")
    given = parser.parse_args()
    if not given.gguf:
        print("skipped: no GGUF file was named")
        return
    columns: dict[str, Mapping[str, tuple[int, int]]] = {}
    with tempfile.TemporaryDirectory() as folder:
        for language in given.languages.split(","):
            only = given.relations.split(",") if given.relations else None
            names = ("atlas", "atlas-names") if only is None else ("atlas",)
            parts: Sequence[ProbeSet] = [atlas.load([language], relations=only, name=name) for name in names]
            for gguf in given.gguf:
                column: dict[str, tuple[int, int]] = {}
                for part in parts:
                    db = given.db or Path(folder) / "replies.db"
                    column |= right(gguf, sample(part, given.items), db)
                columns[f"{gguf.stem} {language}"] = column
                print(table(columns), end="\n\n", flush=True)


if __name__ == "__main__":
    main()
