"""What four options cost by likelihood beside one letter, on one thread, in one run.

Four ways over the same questions of atlas and over synthetic ones that share 60 % of their tokens: a plain loop of the
library that is sorted and asks for one token (nothing faster is to be had without reading logits), letters through the
provider, the options' likelihoods through the provider, and letters packed (`--n-sequences 8`). Figures are questions
per CPU second; the first question of each is a warm-up and not counted. Models: the demo model and the random model of
`benchmarks/local.py` (which measures letters and text only), or the GGUF files that are named. The goal: at 60 % shared
four options cost at most 1.5 letters. Prints a table, and last one JSON line with the ratios.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from local import CONTEXT, demo_model, random_model
from parts.local_prompts import LABELS

from clika_client.prompts.catalogue import get_style
from clika_client.prompts.likelihood import render_options
from clika_client.prompts.style import render
from clika_client.sets.catalogue import resolve
from clika_providers import Completion, Message, ProviderOptions, Request
from clika_providers.gguf import connect
from clika_providers.gguf import llama_cpp as native

PACKED = 8
WORDS = ("river", "stone", "window", "garden", "letter", "winter", "bridge", "candle", "market", "silver")


@dataclass(frozen=True, slots=True)
class Row:
    """One model on one set of questions; rates in questions per CPU second."""

    model: str
    questions: str
    loop: float
    letters: float
    likelihood: float
    packed: float
    tokens: int
    """Tokens in the prompts and options, each option counted whole."""
    evaluated: int
    """Tokens that were evaluated for them."""

    @property
    def four_options(self) -> float:
        """The cost of four options in letter readings."""
        return self.letters / self.likelihood


def same_prompts(items: int) -> tuple[list[Request], list[Request]]:
    """Questions that share a beginning of about 60 % of their tokens, for letters and for likelihoods.

    Both are asked after the same text, so that only the options are a difference: of one, two, two and three words, two
    of them beginning alike.
    """
    rng = random.Random(0)
    head = " ".join(rng.choices(WORDS, k=42)) + ".\n"
    letters, options = [], []
    for _ in range(items):
        text = f"{head}Question: {' '.join(rng.choices(WORDS, k=22))}?\nAnswer:"
        one, two, three, *more = rng.sample(WORDS, 7)
        texts = (f" {one} {two}", f" {one} {three}", f" {more[0]}", f" {' '.join(more[1:])}")
        letters.append(Request((Message("user", text),), "logprobs", LABELS[:4]))
        options.append(Request((Message("user", text),), "likelihood", options=texts))
    return letters, options


def atlas(items: int) -> tuple[list[Request], list[Request]]:
    """Questions of the built-in set as they are asked: letters see the options in the prompt, likelihoods do not."""
    found, style = resolve("atlas"), get_style("plain")
    letters, options = [], []
    for probe in found.probes["en"][:items]:
        prompt, bare = render(probe, style, found), render_options(probe, style, found)
        letters.append(Request(prompt.messages, "logprobs", prompt.labels))
        options.append(Request(bare.messages, "likelihood", options=bare.options))
    return letters, options


def timed(work: Sequence[Callable[[], Any]]) -> tuple[float, list[Any]]:
    """(pieces per CPU second, what they gave); the first is a warm-up."""
    work[0]()
    began = time.process_time()
    found = [piece() for piece in work[1:]]
    return len(found) / (time.process_time() - began), found


def ask(path: Path, requests: Sequence[Request], **options: Any) -> tuple[float, list[Completion]]:
    """(questions per CPU second, completions) through the provider, loading and the first question left out."""
    provider = connect(str(path), ProviderOptions(n_threads=1, **options))
    with asyncio.Runner() as runner:

        async def all_of(some: Sequence[Request]) -> list[Completion]:
            return list(await asyncio.gather(*map(provider.complete, some)))

        runner.run(all_of(requests[:1]))
        began = time.process_time()
        found = runner.run(all_of(requests[1:]))
        seconds = time.process_time() - began
        runner.run(provider.aclose())
    return len(found) / seconds, found


def fair_loop(path: Path, requests: Sequence[Request]) -> float:
    """The library's completion of one token over sorted prompts, which lets its own prefix reuse help."""
    llm = native.library().Llama(str(path), n_ctx=CONTEXT, n_threads=1, n_threads_batch=1, verbose=False)
    texts = sorted(request.messages[-1].content for request in requests)
    rate, _ = timed([lambda text=text: llm(text, max_tokens=1, temperature=0.0) for text in texts])
    llm.close()
    return rate


def measure(path: Path, name: str, questions: tuple[list[Request], list[Request]]) -> Row:
    """All four ways over one set of questions."""
    letters, options = questions
    rate, _ = ask(path, letters)
    likelihood, told = ask(path, options)
    packed, _ = ask(path, letters, n_sequences=PACKED)
    tokens = sum(one.usage.input_tokens or 0 for one in told)
    spared = sum(one.usage.cached_tokens or 0 for one in told)
    return Row(path.stem, name, fair_loop(path, letters), rate, likelihood, packed, tokens, tokens - spared)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("models", nargs="*", type=Path, help="GGUF files")
    parser.add_argument("--quick", action="store_true", help="few questions: about a minute")
    parser.add_argument("--items", type=int, help="questions per measurement")
    given = parser.parse_args()
    models = given.models or [path for path in (demo_model(None), random_model("Q4_K_M")) if path]
    items = given.items or (8 if given.quick else 40)
    asked = {"60 % shared": same_prompts(items), "atlas": atlas(items)}
    rows = [measure(model, name, questions) for model in models for name, questions in asked.items()]
    columns = (
        "model",
        "questions",
        "sorted loop",
        "letters",
        "four options",
        "× a letter",
        "packed letters",
        "evaluated",
    )
    print(f"| {' | '.join(columns)} |\n{'|---' * len(columns)}|")
    for r in rows:
        rates = " | ".join(f"{rate:.3g}" for rate in (r.loop, r.letters, r.likelihood))
        packed = f"{r.packed:.3g} ({r.packed / r.letters - 1:+.0%})"
        evaluated = f"{r.evaluated:,} of {r.tokens:,}"
        print(f"| {r.model} | {r.questions} | {rates} | {r.four_options:.2f} | {packed} | {evaluated} |")
    worst = max(row.four_options for row in rows if row.questions == "60 % shared")
    print(json.dumps({"four_options_at_60": round(worst, 2), "rows": [asdict(row) for row in rows]}))


if __name__ == "__main__":
    main()
