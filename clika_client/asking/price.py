"""What a plan will cost before it is asked: a price per model, and how long replies are likely to be."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from clika_client.asking.plan import Plan
from clika_client.common.errors import UserError
from clika_providers import Request
from clika_providers.prices import Price, find_price


def estimate(
    plans: Sequence[Plan], max_cost: float | None, *, batch: bool = False, prices: Path | None = None
) -> Mapping[str, tuple[float, float] | None]:
    """Estimated US dollars per model as (low, high); raises UserError when a ceiling is set and a price is unknown.

    The two are one where a model answers with a letter; one that thinks may use all it is allowed.
    """
    costs: dict[str, tuple[float, float] | None] = {}
    for plan in plans:
        spec = plan.provider.spec
        price = price_of(plan, prices)
        if price is None and max_cost is not None and plan.missing:
            raise UserError(
                f"no price is known for {spec!r}, so --max-cost cannot be kept; add one to your price file "
                "(see docs/providers.md) or leave --max-cost out"
            )
        # Per request, never on totals: long requests have a price of their own.
        each = plan.input_tokens / max(plan.missing, 1)
        low, high = _reply_tokens(plan)
        costs[spec] = None
        if price is not None:
            costs[spec] = (
                plan.missing * price.estimate(each, low, batch=batch),
                plan.missing * price.estimate(each, high, batch=batch),
            )
    return costs


def _reply_tokens(plan: Plan) -> tuple[int, int]:
    """How many tokens a reply to this plan's questions takes, as a rule and at most."""
    asking = plan.asking
    usual = min(asking.max_tokens, 16 if asking.mode == "open" else 8)
    most = plan.provider.most_output(Request((), max_tokens=asking.max_tokens, thinking=asking.thinking))
    return usual, most if asking.thinking or most > asking.max_tokens else usual


def price_of(plan: Plan, prices: Path | None = None) -> Price | None:
    """The price of the model a plan asks, for the way it is asked; `prices` is the user's own table."""
    return find_price(plan.provider.spec, mode=plan.asking.request_mode, user_file=prices)
