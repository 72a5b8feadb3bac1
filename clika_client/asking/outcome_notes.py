"""What is noted of how a model was asked: what it cost, which model answered behind the name, why asking ended."""

from __future__ import annotations

from clika_client.asking.budget import BudgetReached
from clika_client.asking.workers import Outcome, Stopped
from clika_client.common.wording import counted

_SHOWN = 80
"""Characters of a served model's name that are kept."""


def about_the_answers(outcome: Outcome, before: str | None) -> list[str]:
    """What belongs under every later table; `before` is the model that served the latest reply of an earlier run."""
    if len(outcome.served) > 1:
        listed = ", ".join(f"{name} {count} times" for name, count in outcome.served.most_common(5))
        return [f"{outcome.spec}: the model behind the name changed during the run: {listed}"]
    if before and outcome.served and before[:_SHOWN] not in outcome.served:
        return [
            f"{outcome.spec}: the model behind the name changed since the last run: {before[:_SHOWN]} then, "
            f"{next(iter(outcome.served))} now; a row may hold answers of both"
        ]
    return []


def about_this_run(outcome: Outcome) -> list[str]:
    """What is no news under a later table."""
    told = []
    if outcome.cost:
        tokens = f"{outcome.input_tokens:,} input and {outcome.output_tokens:,} output tokens"
        useless = f", {outcome.useless} of them of no use" if outcome.useless else ""
        told.append(f"{outcome.spec}: {counted(outcome.replies, 'reply')} cost ${outcome.cost:.4f} ({tokens}){useless}")
    if outcome.shared:
        told.append(f"{outcome.spec}: {counted(outcome.shared, 'answer')} came from another process on this database")
    if isinstance(outcome.stop, BudgetReached):
        told.append(f"{outcome.spec}: stopped before exceeding --max-cost ({outcome.stop}); the row is partial")
    elif outcome.stop is not None and not isinstance(outcome.stop, Stopped):
        told.append(f"{outcome.spec}: asking stopped: {outcome.stop}")
    return told


def of_the_prompts(outcome: Outcome) -> str | None:
    """How much of the prompts was evaluated; None where nothing was spared, or nothing is known of it.

    In per cent: which prompts meet in one evaluation depends on when they come, and with it a token in a thousand.
    """
    if not outcome.cached_tokens:
        return None
    share = 1 - outcome.cached_tokens / outcome.input_tokens
    return (
        f"{outcome.spec}: {share:.0%} of the {outcome.input_tokens:,} tokens in the prompts were evaluated; the others "
        "were those of a prompt before"
    )
