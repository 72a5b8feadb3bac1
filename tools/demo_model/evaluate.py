"""Ask the demo model every demo question through llama.cpp and say what it knows in each language."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from clika_client.sets.probes import ProbeSet
from demo_model.corpus import LABELS, Render


@dataclass(frozen=True, slots=True)
class Result:
    """One language's result; all but the counts are fractions of 1."""

    language: str
    asked: int
    accuracy: float
    letters: float
    """Share of replies that are exactly one of the four letters."""
    unstated: int
    """Items whose answer was never stated in this language."""
    accuracy_unstated: float | None
    overlap: float
    """Right in this language and in English, over right in either (en-CO, Jaccard)."""


def evaluate(gguf: Path, questions: ProbeSet, stated: Mapping[str, set[str]], render: Render) -> list[Result]:
    """Greedy replies to `questions` in every language; `stated` maps language → ids of the items stated in it."""
    ask = _open(gguf)
    replies = {tag: [ask(render(probe)) for probe in probes] for tag, probes in questions.probes.items()}
    right = {
        tag: {p.item_id for p, reply in zip(questions.probes[tag], said, strict=True) if reply == LABELS[p.gold]}
        for tag, said in replies.items()
    }
    first = next(iter(right.values()))
    results = []
    for tag, said in replies.items():
        inferred = {item.item_id for item in questions.items} - stated.get(tag, set())
        results.append(
            Result(
                tag,
                len(said),
                len(right[tag]) / len(said),
                sum(reply in LABELS for reply in said) / len(said),
                len(inferred),
                len(right[tag] & inferred) / len(inferred) if inferred else None,
                len(right[tag] & first) / max(1, len(right[tag] | first)),
            )
        )
    return results


def table(results: list[Result]) -> str:
    """The results as the lines of a Markdown table."""
    lines = [
        "| language | accuracy | facts not stated in it | accuracy on those | en-CO | replies that are a letter |",
        "|---|---|---|---|---|---|",
    ]
    for r in results:
        unstated = "–" if r.accuracy_unstated is None else f"{r.accuracy_unstated:.2f}"
        inferred = f"{r.unstated} of {r.asked} | {unstated}"
        lines.append(f"| {r.language} | {r.accuracy:.2f} | {inferred} | {r.overlap:.2f} | {r.letters:.2f} |")
    return "\n".join(lines)


def _open(gguf: Path) -> Callable[[str], str]:
    from llama_cpp import Llama

    llama = Llama(str(gguf), n_ctx=512, n_threads=1, n_threads_batch=1, verbose=False)

    def ask(content: str) -> str:
        reply = llama.create_chat_completion([{"role": "user", "content": content}], max_tokens=4, temperature=0.0)
        return str(reply["choices"][0]["message"]["content"])

    return ask
