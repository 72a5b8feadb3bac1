"""What the public names' types are, as a user's type checker sees them; `make check` runs mypy on this file."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, assert_type

import clika_client as clika
from clika_client import Asking, Comparison, ImportReport, MockProvider, Options, RunReport, Scores, Wanted
from clika_providers import Json


class House(clika.BaseProvider):
    """A provider of a user's own adds four members to the base class."""

    spec = "house/m"
    concurrency = 1

    @property
    def identity(self) -> Mapping[str, Json]:
        return {"provider": "house", "model": "m"}

    async def complete(self, request: clika.Request) -> clika.Completion:
        return clika.Completion("A")


async def functions(probes: clika.ProbeSet) -> None:
    assert_type(clika.run("atlas", "mock/say:A"), RunReport)
    assert_type(clika.run([probes, "atlas", Path("x.jsonl")], ["mock/say:A", House(), MockProvider("A")]), RunReport)
    assert_type(await clika.arun(probes, House(), asking=Asking(max_tokens=8), limit=3), RunReport)
    assert_type(clika.score("a.db", wanted=Wanted(models=("m",)), scoring=Options(anchor="de")), Scores)
    assert_type(clika.compare("a", "b", Path("a.db")), Comparison)
    assert_type(clika.import_replies("r.jsonl"), ImportReport)
    assert_type(clika.read_answer("A", ["A", "B"], ["x", "y"], "en"), clika.Answer)
    assert_type(clika.connect("mock/say:A", clika.ProviderOptions(concurrency=2)), clika.Provider)


def values(report: RunReport, answer: clika.Answer) -> None:
    assert_type(report.result, clika.RunResult)
    assert_type(report.result.outcomes, tuple[clika.Outcome, ...])
    assert_type(report.scores.records, tuple[clika.Record, ...])
    assert_type(report.scores.rows, tuple[clika.RowSummary, ...])
    assert_type(report.scores.to_records(), list[dict[str, Any]])
    assert_type(answer.choice, int | None)
    root: type[clika.ClikaError] = clika.UserError
    for root in (clika.CacheError, clika.ProviderError, clika.IncompleteRun, clika.StoppedRun):
        assert_type(root.exit_code, int)


def mistakes() -> None:
    clika.run("atlas", 3)  # type: ignore[arg-type]
    clika.run("atlas", object())  # type: ignore[arg-type]
    Asking(ask="guess")  # type: ignore[arg-type]
    clika.nonsense  # type: ignore[attr-defined]  # noqa: B018
