"""Options that make a command fail where a figure is too low, and say so as continuous integration reads it."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from clika_client.cli.common import err, write_text
from clika_client.common.errors import BelowThreshold, UserError

if TYPE_CHECKING:
    from clika_client.scoring.records import Scores
    from clika_client.scoring.score_sets import Options
    from clika_client.store.store import Store

CHECKS = "Checks"
FailBelow = Annotated[
    list[str] | None,
    typer.Option(
        "--fail-below",
        help="End with 4 if a figure is lower: en_co.sw=.6, ra=.5 (each language), other_ra=.4; repeatable.",
        rich_help_panel=CHECKS,
    ),
]
Baseline = Annotated[
    str | None, typer.Option("--baseline", help="Compare with this run, by its id.", rich_help_panel=CHECKS)
]
FailIfWorse = Annotated[
    bool,
    typer.Option("--fail-if-worse", help="End with 4 if less accurate than the baseline.", rich_help_panel=CHECKS),
]
Junit = Annotated[
    Path | None, typer.Option("--junit", help="Also write the checks as JUnit XML.", rich_help_panel=CHECKS)
]
GithubSummary = Annotated[
    bool,
    typer.Option(
        "--github-summary", help="Also add checks and scores to the file $GITHUB_STEP_SUMMARY.", rich_help_panel=CHECKS
    ),
]


@dataclass(frozen=True, slots=True)
class Gates:
    """What was asked for; checked before anything is asked of a model, judged at the end."""

    fail_below: tuple[str, ...] = ()
    baseline: str | None = None
    fail_if_worse: bool = False
    junit: Path | None = None
    github_summary: bool = False

    def check(self) -> None:
        """Raises UserError for what can be known beforehand."""
        if self.fail_below:
            from clika_client.scoring.gates import parse_gate

            for text in self.fail_below:
                parse_gate(text)
        if self.fail_if_worse and not self.baseline:
            raise UserError("--fail-if-worse needs --baseline RUN; `clika runs list` names them")
        if self.github_summary and not os.environ.get("GITHUB_STEP_SUMMARY"):
            raise UserError("--github-summary writes to the file that GITHUB_STEP_SUMMARY names, and it is not set")

    def refuse_baseline(self) -> None:
        """Raise UserError where an earlier run is to be compared and no database holds it."""
        if self.baseline is not None or self.fail_if_worse:
            raise UserError("shards do not know runs: compare with an earlier run in a database (--db)")

    def judge(self, store: Store | None, scores: Scores, run_id: str | None, options: Options | None = None) -> None:
        """Say how the checks came out; raises BelowThreshold where one failed. A baseline needs a store."""
        if self == Gates():  # nothing was asked for; loading what judges would be a tenth of a run that is all stored
            return
        from clika_client.report.documents.checks import github_summary, junit
        from clika_client.scoring.gates import check_baseline, check_gates, parse_gate
        from clika_client.store.named_runs import find_run

        checks = check_gates(scores, [parse_gate(text) for text in self.fail_below])
        baseline = find_run(store, self.baseline).run_id if self.baseline and store else None
        compared = check_baseline(store, run_id, baseline, options) if baseline and store else []
        for check in compared:
            err().print(check.said, markup=False, soft_wrap=True)
        if self.fail_if_worse:
            checks += compared
        if self.junit is not None:
            write_text(self.junit, junit(checks))
        if self.github_summary:
            with Path(os.environ["GITHUB_STEP_SUMMARY"]).open("a", encoding="utf-8") as file:
                file.write(github_summary(checks, scores))
        failed = [f"{check.name} {check.said}" for check in checks if not check.passed]
        if failed:
            raise BelowThreshold("\n".join([f"{len(failed)} of {len(checks)} checks failed:", *failed]))
