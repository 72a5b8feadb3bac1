"""What a small model knows, asked for a letter and asked by the likelihood of the answer itself: one table per model.

Accuracy with Wilson's 95 % interval on the same items in every language, letters and likelihoods, without and with
worked examples where the set reserves some; likelihoods under every normalisation, from the same replies. Name GGUF
files of your own; `--quick` asks 8 items. Replies are kept in `--db`, so that an interrupted benchmark goes on.
Prints Markdown, and last one JSON line.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from clika_client.answers.likelihood import NORMALISATIONS
from clika_client.asking.config import RunConfig
from clika_client.asking.plan import Asking, Items
from clika_client.asking.run import SilentListener, evaluate
from clika_client.prompts.catalogue import get_style
from clika_client.scoring.chosen import Wanted
from clika_client.scoring.metrics.intervals import wilson
from clika_client.scoring.records import Record
from clika_client.scoring.score import score_store
from clika_client.sets.catalogue import resolve
from clika_client.store.store import Store
from clika_providers import ProviderOptions

LANGUAGES = ("en", "de", "fr", "ru", "zh", "sw")


def rows(db: Path, gguf: Path, languages: tuple[str, ...], limit: int, shots: tuple[int, ...]) -> dict[str, Any]:
    """Label of a way of asking → language → record."""
    atlas = resolve("atlas")
    found: dict[str, dict[str, Record]] = {}
    for n in shots if atlas.examples is not None else (0,):
        for ask in ("logprobs", "likelihood"):
            config = RunConfig(
                (atlas,),
                (f"gguf/{gguf}",),
                get_style("plain", n),
                Asking(ask),
                languages=languages,
                items=Items(limit=limit),
                options=ProviderOptions(n_threads=1),
            )
            with Store(db) as store:
                result = evaluate(store, config, SilentListener())
                readings = tuple(NORMALISATIONS) if ask == "likelihood" else ("standard",)
                scores = score_store(store, run_id=result.run_id, wanted=Wanted(readings=readings), bootstrap=0)
            for record in scores.records:
                how = "letters" if ask == "logprobs" else f"likelihood, {record.reading}"
                found.setdefault(f"{how}, {n} examples", {})[record.language] = record
    return found


def markdown(name: str, found: dict[str, dict[str, Record]], languages: Sequence[str]) -> str:
    """The table of one model."""
    lines = [f"| {name} | {' | '.join(languages)} |", "|---" * (len(languages) + 1) + "|"]
    for how, cells in found.items():
        said = [_figure(cell) for cell in map(cells.get, languages) if cell]
        lines.append(f"| {how} | {' | '.join(said)} |")
    return "\n".join(lines)


def _figure(cell: Record) -> str:
    low, high = wilson(round(cell.accuracy * cell.n), cell.n)
    return f"{cell.accuracy:.2f} [{low:.2f}, {high:.2f}]"


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("gguf", nargs="*", type=Path, help="GGUF files; without any there is nothing to do")
    parser.add_argument("--languages", default=",".join(LANGUAGES))
    parser.add_argument("--items", type=int, default=120)
    parser.add_argument("--shots", default="0,1,5")
    parser.add_argument("--db", type=Path)
    parser.add_argument("--quick", action="store_true")
    given = parser.parse_args()
    if not given.gguf:
        print("skipped: no GGUF file was named")
        return
    languages = tuple(given.languages.split(","))
    shots = tuple(int(n) for n in given.shots.split(","))
    document = {}
    with tempfile.TemporaryDirectory() as folder:
        for gguf in given.gguf:
            db = given.db or Path(folder) / "replies.db"
            found = rows(db, gguf, languages, 8 if given.quick else given.items, shots)
            print(markdown(gguf.name, found, languages), end="\n\n", flush=True)
            document[gguf.name] = {
                how: {language: [c.n, c.accuracy] for language, c in cells.items()} for how, cells in found.items()
            }
    print(json.dumps(document))


if __name__ == "__main__":
    main()
