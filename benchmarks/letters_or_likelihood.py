"""What a small model knows, asked for a letter and asked by the likelihood of the answer itself: one table per model.

Accuracy with Wilson's 95 % interval on the same items in every language, letters and likelihoods, without and with
worked examples where the set reserves some; likelihoods under every normalisation, from the same replies. Name GGUF
files of your own; `--quick` asks 8 items. Replies are kept in `--db`, so that an interrupted benchmark goes on.
`--atlas-1` asks the first version of atlas instead (kept for this in six languages: `parts/atlas-1.jsonl.xz`) and
sets beside its figures those that raw llama.cpp gave for gemma-3-270m on 120 of its items, outside of this project.
Prints Markdown, and last one JSON line.
"""

from __future__ import annotations

import argparse
import json
import lzma
import tempfile
from collections.abc import Sequence
from pathlib import Path

from clika_client.answers.likelihood import NORMALISATIONS
from clika_client.asking.config import RunConfig
from clika_client.asking.plan import Items
from clika_client.asking.run import SilentListener, evaluate
from clika_client.asking.settings import Asking
from clika_client.prompts.catalogue import get_style
from clika_client.scoring.chosen import Wanted
from clika_client.scoring.metrics.intervals import wilson
from clika_client.scoring.records import Record
from clika_client.scoring.score import score_store
from clika_client.sets.catalogue import resolve
from clika_client.sets.probes import ProbeSet
from clika_client.store.store import Store
from clika_providers import ProviderOptions

LANGUAGES = ("en", "de", "fr", "ru", "zh", "sw")
ATLAS_1 = Path(__file__).parent / "parts" / "atlas-1.jsonl.xz"
RAW_ITEMS = 120
RAW = {
    "letters, 0 examples": dict(zip(LANGUAGES, (0.28, 0.24, 0.25, 0.23, 0.23, 0.31), strict=True)),
    "likelihood, sum, 0 examples": dict(zip(LANGUAGES, (0.77, 0.63, 0.53, 0.48, 0.50, 0.33), strict=True)),
}
"""gemma-3-270m Q4_K_M on atlas 1, asked through raw llama.cpp."""


def rows(
    db: Path, gguf: Path, atlas: ProbeSet, languages: tuple[str, ...], limit: int, shots: tuple[int, ...]
) -> dict[str, dict[str, Record]]:
    """Label of a way of asking → language → record."""
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
    return _with_interval(cell.accuracy, cell.n)


def _with_interval(share: float, n: int) -> str:
    low, high = wilson(round(share * n), n)
    return f"{share:.2f} [{low:.2f}, {high:.2f}]"


def beside_raw(found: dict[str, dict[str, Record]], languages: Sequence[str]) -> str:
    """Ours and raw llama.cpp's, and whether ours lies in the interval of theirs."""
    lines = [f"| gemma-3-270m on atlas 1 | {' | '.join(languages)} |", "|---" * (len(languages) + 1) + "|"]
    for how, raw in RAW.items():
        ours = found[how]
        bounds = {language: wilson(round(raw[language] * RAW_ITEMS), RAW_ITEMS) for language in languages}
        inside = {language: low <= ours[language].accuracy <= high for language, (low, high) in bounds.items()}
        told = {
            f"{how}, here": [_figure(ours[language]) for language in languages],
            f"{how}, raw llama.cpp": [_with_interval(raw[language], RAW_ITEMS) for language in languages],
            "ours in the interval of theirs": ["yes" if inside[language] else "**no**" for language in languages],
        }
        lines += [f"| {name} | {' | '.join(cells)} |" for name, cells in told.items()]
    return "\n".join(lines)


def atlas_1(folder: Path) -> ProbeSet:
    """The first version of atlas, in the languages of this benchmark."""
    path = folder / "atlas-1.jsonl"
    path.write_bytes(lzma.decompress(ATLAS_1.read_bytes()))
    return resolve(str(path))


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("gguf", nargs="*", type=Path, help="GGUF files; without any there is nothing to do")
    parser.add_argument("--languages", default=",".join(LANGUAGES))
    parser.add_argument("--items", type=int, default=120)
    parser.add_argument("--shots", default="0,1,5")
    parser.add_argument("--atlas-1", action="store_true", help="ask atlas 1, and set raw llama.cpp's figures beside")
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
        atlas = atlas_1(Path(folder)) if given.atlas_1 else resolve("atlas")
        items = 8 if given.quick else given.items
        for gguf in given.gguf:
            db = given.db or Path(folder) / "replies.db"
            found = rows(db, gguf, atlas, languages, items, shots)
            print(markdown(gguf.name, found, languages), end="\n\n", flush=True)
            if given.atlas_1:
                print(beside_raw(found, languages), end="\n\n", flush=True)
            document[gguf.name] = {
                how: {language: [c.n, c.accuracy] for language, c in cells.items()} for how, cells in found.items()
            }
    print(json.dumps(document))


if __name__ == "__main__":
    main()
