"""One run as the command line does it: shows the plan, asks, reports, and ends with the right exit code."""

from __future__ import annotations

import dataclasses
import re
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from clika_client.cli.common import err, out, print_json, write_text
from clika_client.common.errors import IncompleteRun, StoppedRun, UserError

if TYPE_CHECKING:
    from clika_client.asking.config import RunConfig
    from clika_client.asking.plan import Plan
    from clika_client.asking.run import PreparedRun, RunResult
    from clika_client.cli.gate_options import Gates
    from clika_client.judging.judge import Judged
    from clika_client.scoring.records import Scores
    from clika_client.store.store import Store

_TOKENS = re.compile(r"\b\d+(?= tokens\b)")
"""What differs from prompt to prompt in an error that is the same."""


class RunJob:
    """A configured run against an open store."""

    def __init__(
        self,
        store: Store,
        config: RunConfig,
        *,
        dry_run: bool = False,
        as_json: bool = False,
        csv: Path | None = None,
        anchor: str = "en",
        bootstrap: int = 10_000,
        report: Callable[[RunResult], None] | None = None,
        gates: Gates | None = None,
    ) -> None:
        self.store = store
        self.config = config
        self.dry_run = dry_run
        self.as_json = as_json
        self.csv = csv
        self.anchor = anchor
        self.bootstrap = bootstrap
        self.report = report or self._report
        """What is done with a run that has ended, however it ended; the scores are shown unless it is given."""
        self.gates = gates
        self._scores: Scores | None = None
        self.batch = False
        self.judge: str | None = None
        """A model that judges the replies to open questions."""

    def ask(self) -> None:
        """Ask what is missing and report; raises IncompleteRun, StoppedRun or UserError at the end."""
        from clika_client.asking.run import PreparedRun
        from clika_client.cli.progress import RunProgress
        from clika_client.common.running import finish, seldom_collecting

        run = PreparedRun(self.store, self.config)
        if not self._shown(run):
            return
        with RunProgress(err()) as progress, seldom_collecting():
            progress.planned(run.plans)
            result = finish(lambda: run.ask(progress))
        self.report(result)
        self._finish(result)
        if self.gates is not None and self._scores is not None:
            self.gates.judge(self.store, self._scores, result.run_id)

    def submit_batches(self) -> None:
        """Send what is missing as batches and say how to collect them."""
        from clika_client.asking.batch import check_models, submit
        from clika_client.asking.run import PreparedRun

        self.batch = True
        if self.config.fallback:
            raise UserError("--batch and --fallback do not go together: a batch is either accepted or refused")
        check_models(self.config)
        run = PreparedRun(self.store, self.config)
        if not self._shown(run):
            return
        done = submit(run)
        if self.as_json:
            print_json({"submitted": [dataclasses.asdict(d) for d in done]})
        for d in done:
            waiting = f"; {d.waiting} more are in earlier batches" if d.waiting else ""
            err().print(
                f"{d.spec}: {d.requests} requests in {d.batches} batches{waiting}", markup=False, soft_wrap=True
            )
        err().print("Collect them with `clika batch collect`; this program need not stay open.", markup=False)

    def _shown(self, run: PreparedRun) -> bool:
        """Show the plan; whether asking is to begin. What is not asked is closed."""
        go_on = False
        try:
            self.show_plan(run.plans)
            go_on = not self.dry_run
        finally:
            if not go_on:
                run.close()
        return go_on

    def show_plan(self, plans: Sequence[Plan]) -> None:
        """Say on stderr (or as JSON, for a dry run) what will be asked and what it may cost."""
        from clika_client.asking.price import estimate

        costs = estimate(plans, self.config.max_cost, batch=self.batch, prices=self.config.prices)
        rows = [
            {
                "model": plan.provider.spec,
                "ask": plan.asking.ask,
                "requests": plan.total,
                "cached": plan.total - plan.missing,
                "to_send": plan.missing,
                "estimated_input_tokens": plan.input_tokens,
                **_cost_fields(costs[plan.provider.spec]),
            }
            for plan in plans
        ]
        if self.dry_run and self.as_json:
            print_json({"plan": rows})
            return
        console = out() if self.dry_run else err()
        for row in rows:
            console.print(_plan_line(row), markup=False, soft_wrap=True)

    def _report(self, result: RunResult) -> None:
        from clika_client.cli.judge_cmd import end, report
        from clika_client.report.scores_csv import to_csv
        from clika_client.report.terminal import render
        from clika_client.scoring.chosen import Wanted
        from clika_client.scoring.score import score_store

        judged = self._judged(result)
        wanted = None if judged is None else Wanted(readings=("open", f"judge:{judged.judge}"))
        scores = score_store(
            self.store, run_id=result.run_id, wanted=wanted, anchor=self.anchor, bootstrap=self.bootstrap
        )
        # What ends the run is its error, said once, at the end.
        last_word = str(result.fatal or result.out_of_money or "")
        under_table = tuple(note for note in scores.notes if not (last_word and last_word in note))
        if self.csv is not None:
            write_text(self.csv, to_csv(scores))
        if self.as_json:
            print_json(scores.to_json())
        elif scores.records:
            render(dataclasses.replace(scores, notes=under_table), out())
        if judged is not None:
            report(judged, None, False) if not self.as_json else None
            end(judged)
        said = under_table if scores.records and not self.as_json else ()
        for note in result.notes:
            if not (last_word and last_word in note) and not any(note in sentence for sentence in said):
                err().print(f"note: {note}", markup=False, soft_wrap=True)
        self._scores = scores

    def _judged(self, result: RunResult) -> Judged | None:
        """What the judge says of this run's replies; None without a judge, or where nothing was judged."""
        if self.judge is None:
            return None
        from clika_client.cli.judge_cmd import ask_judge, chosen_cases
        from clika_client.scoring.chosen import Wanted

        chosen = chosen_cases(self.store, Wanted(run_id=result.run_id))
        options, left = self.config.options, self.config.max_cost
        if left is not None:
            left = max(left - sum(outcome.cost for outcome in result.outcomes), 1e-9)
        found = ask_judge(self.store, self.judge, chosen, options, left, self.config.prices)
        return found if found is not None and found.cases else None

    def _finish(self, result: RunResult) -> None:
        from clika_client.asking.budget import BudgetReached

        lost = sum(o.lost for o in result.outcomes)
        left = sum(o.to_ask - o.answered - o.shared for o in result.outcomes)
        for outcome in result.outcomes:
            # What stopped the run has been said in a note.
            new = [(reason, n) for reason, n in _alike(outcome.reasons) if not any(reason in m for m in result.notes)]
            for reason, count in new[:3]:
                err().print(f"{outcome.spec}: {count} x {reason}", markup=False, soft_wrap=True)
        if result.fatal is not None:
            raise UserError(_last_word(result, result.fatal))
        if result.out_of_money is not None:
            raise StoppedRun(_last_word(result, result.out_of_money))
        if result.status == "stopped":
            why = next((f" ({o.stop})" for o in result.outcomes if isinstance(o.stop, BudgetReached)), "")
            raise StoppedRun(
                f"stopped before exceeding --max-cost{why}; what arrived is kept, and the same command resumes"
            )
        if result.status == "incomplete":
            raise IncompleteRun(
                f"{lost} requests got no answer; what arrived is kept. "
                f"Where a line above names a cure, follow it; then run the same command again to ask only the {left} "
                "that are missing"
            )


def _last_word(result: RunResult, stop: Exception) -> str:
    """What ended a run, and of which models where several were asked."""
    stopped = [outcome.spec for outcome in result.outcomes if str(outcome.stop) == str(stop)]
    who = f"{', '.join(stopped)}: " if stopped and len(result.outcomes) > 1 else ""
    return f"{who}{stop}\nWhat arrived is kept; the same command asks only the rest."


def _alike(reasons: Counter[str]) -> list[tuple[str, int]]:
    """Most frequent first; those that differ only in a number of tokens are one, told with the largest."""
    groups: dict[str, list[str]] = {}
    for reason in reasons:
        groups.setdefault(_TOKENS.sub("", reason), []).append(reason)
    told: Counter[str] = Counter()
    for group in groups.values():
        most = max(group, key=_tokens)
        told[most if len(group) == 1 else _TOKENS.sub(r"up to \g<0>", most)] = sum(reasons[one] for one in group)
    return told.most_common()


def _tokens(reason: str) -> list[int]:
    return [int(number) for number in _TOKENS.findall(reason)]


def _cost_fields(cost: tuple[float, float] | None) -> dict[str, float | None]:
    low, high = (None, None) if cost is None else cost
    return {"estimated_cost_usd": low, "estimated_cost_high_usd": high}


def _dollars(cost: float) -> str:
    if cost == 0:
        return "free"
    return f"about ${cost:.4f}" if cost >= 0.0001 else "under $0.0001"


def _plan_line(row: dict[str, Any]) -> str:
    low, high = row["estimated_cost_usd"], row["estimated_cost_high_usd"]
    price = "price unknown" if low is None else _dollars(low)
    if low is not None and high > low:
        price = f"from ${low:.4f} to ${high:.4f}, by how long the model thinks before it answers"
    if row["to_send"] == 0:
        return f"{row['model']}: all {row['requests']} replies are stored; nothing to send"
    return (
        f"{row['model']}: {row['requests']} requests, {row['cached']} cached, {row['to_send']} to send, "
        f"about {row['estimated_input_tokens']:,} input tokens, {price}"
    )
