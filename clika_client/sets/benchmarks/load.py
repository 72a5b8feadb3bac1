"""A benchmark's set from its files: found, read, joined over its languages, with what was left out and why."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from clika_client.common.errors import UserError
from clika_client.sets.benchmarks import x_fakt
from clika_client.sets.benchmarks.facts import reader
from clika_client.sets.benchmarks.files import Files, opened
from clika_client.sets.benchmarks.join import DroppedRows, Joined
from clika_client.sets.benchmarks.table import Benchmark
from clika_client.sets.probes import EXAMPLE_TAG, MEASURES, NOT_PARALLEL, OPEN, ProbeSet

_FIRST = "en"
"""The language whose order of questions is the set's, where it is there."""


@dataclass(frozen=True, slots=True)
class LoadedBenchmark:
    """A set with what a reader of its scores should know of its making."""

    probe_set: ProbeSet
    dropped: DroppedRows
    notes: tuple[str, ...]


def load(
    benchmark: Benchmark,
    path: Path,
    kept: Callable[[str], ProbeSet],
    languages: Sequence[str] | None = None,
) -> LoadedBenchmark:
    """The benchmark in a folder, a zip or a file as downloaded, in all its languages or in some.

    `kept` gives another benchmark's set, which some are made from. Raises UserError naming the file and the cure.
    """
    with opened(benchmark, path, languages) as found:
        missing = [tag for tag in languages or () if tag not in found.asked]
        if missing:
            raise UserError(
                f"{path}: {benchmark.title} is not here in {', '.join(missing)}; here are: {', '.join(found.asked)}"
            )
        tags = _ordered(found.asked)
        joined = Joined(benchmark, reader(benchmark.layout, found.asked, kept), tags)
        meta = {"citation": benchmark.citation, "about": benchmark.about}
        if benchmark.not_parallel:
            meta[NOT_PARALLEL] = benchmark.not_parallel
        if benchmark.open:
            meta |= x_fakt.meta() if benchmark.layout == x_fakt.NAME else {OPEN: "questions without options"}
            meta |= {MEASURES: benchmark.measures} if benchmark.measures else {}
        made = joined.probe_set(benchmark.name, licence=benchmark.licence, source=benchmark.source, meta=meta)
        notes = [f"not understood as a language, left out: {spelt}" for spelt in found.unknown]
        examples = _examples(benchmark, found.examples, tags, kept, notes)
    return LoadedBenchmark(replace(made, examples=examples), joined.dropped, tuple(notes))


def _ordered(files: Files) -> list[str]:
    return sorted(files, key=lambda tag: (tag != _FIRST, tag))


def _examples(
    benchmark: Benchmark, files: Files, tags: Sequence[str], kept: Callable[[str], ProbeSet], notes: list[str]
) -> ProbeSet | None:
    """The questions that examples may be taken from, where every language has them."""
    if not benchmark.examples:
        return None
    lacking = [tag for tag in tags if tag not in files]
    if lacking:
        what = "any language" if len(lacking) == len(tags) else ", ".join(lacking)
        notes.append(f"no {' or '.join(benchmark.examples)} file in {what}: --shots cannot be used")
        return None
    joined = Joined(benchmark, reader(benchmark.layout, {tag: files[tag] for tag in tags}, kept), tags)
    if not joined.kept:
        notes.append("no question for examples is held by all languages: --shots cannot be used")
        return None
    meta = {EXAMPLE_TAG: benchmark.example_tag} if benchmark.example_tag else {}
    if benchmark.not_parallel:
        meta[NOT_PARALLEL] = benchmark.not_parallel
    return joined.probe_set(f"{benchmark.name} examples", meta=meta)
