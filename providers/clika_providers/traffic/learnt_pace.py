"""What replies and refusals teach: how many requests a server takes at once, and how many a second.

Refusals are judged in windows, each opened by a refusal. A bad window slows the pace to 85 % of what got through, from
where it grows again, by 5 % a second, then 10 %, and so on. Should the share of refusals stay the same at the slower
pace, they are not about our rate: they are tolerated, and the pace restored.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

from clika_providers.traffic.pacing import Pacer

Clock: TypeAlias = Callable[[], float]

# The figures below decide how soon a limit is found and how many requests are refused meanwhile; tests/test_flow.py
# holds them to at most a tenth of refused requests on token buckets of 400 a second with large and small bursts.
_START_SLOTS = 16
"""In flight at first: few enough that a small server is not flooded before it could refuse; each reply adds one."""
_CUT = 0.8
"""Of the slots, after a bad window: gentler than TCP's half, because the pace below is cut too."""
_PACE_OF_SUCCESS = 0.85
"""Of the rate that got through: below it, so that the server's bucket fills again while we go on."""
_GROWTH = 1.05, 1.0
"""Factor, and the seconds without refusal that earn it; as each step grows faster, five find a limit twice as high."""
_QUICK_GROWTH = 1.25, 0.25
"""The same where the rate was guessed from a handful of replies and may be far too low."""
_FASTEST_GROWTH = 1.5
"""Growth speeds up by 5 points a step, to this: from one request a second to a hundred in 16."""
_MEASURED_AT_ALL, _MEASURED_WELL = 5, 20
"""Replies in a window from which its rate is a measurement at all, and one to trust (standard error 1 / sqrt(n))."""
_MOST_TOLERATED = 0.25
"""Share of refusals that may be the server's mood; where more are refused, asking slower is right in any case."""
_WINDOW_REFUSALS, _WINDOW_OUTCOMES, _WINDOW_S = 8, 20, 0.5
"""A window is judged by so many refusals, or by so many outcomes after so long: less would judge one burst."""
_WINDOW_TOO_OLD_S = 5.0
"""What happened in so long a time outside closed gates is no burst, and says nothing about the present pace."""
_CLEAN_OUTCOMES = 30
"""Replies in a row without refusal that end a bad stretch: at a refusal share of a tenth, 4 % of stretches are so long
by chance."""
_SLOWEST_LEARNT = 1.0
"""A second: what refusals may slow us to, which are a guess."""
_METERED_S = 0.5
"""Over which successes are counted: as long as a window of refusals, whose rate stands beside it."""
_SHORTEST_OPENING_S = 0.02
"""Less than a turn of a busy loop: a window shut all along would divide by nothing and give no pace at all."""
_FEW = 3.0
"""Refusals that are noise however few the outcomes are, once noise is known: one window begins with them."""
_FASTER = 0.05
"""Added to the factor by each step without refusal: the 5 points named above."""
_PACE_WITHOUT_MEANING = 10_000.0
"""A second: more than one process can send, so the pace limits nothing and is forgotten."""


@dataclass(slots=True)
class _Window:
    since: float
    outcomes: int = 0
    refusals: int = 0
    gated_s: float = 0.0


class _Meter:
    """Successes per second over the last half second or so."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._since, self._count, self._rate = clock(), 0, 0.0

    def add(self) -> None:
        self._count += 1
        elapsed = self._clock() - self._since
        if elapsed >= _METERED_S:
            self._rate = self._count / elapsed
            self._since, self._count = self._since + elapsed, 0

    def per_s(self) -> float:
        elapsed = self._clock() - self._since
        return self._rate if elapsed < _METERED_S else self._count / elapsed


class LearntPace:
    """Slots and pace of one server and key, as its replies and refusals have taught them; `clock` gives seconds.

    An era is the time between two judgements: outcomes of what started in an older one say nothing about this pace.
    """

    def __init__(self, cap: int, clock: Clock) -> None:
        self._clock = clock
        self.slots: float = min(cap, _START_SLOTS)
        self.pace = Pacer()
        self.era = 0
        self._slow_start = True
        self._window: _Window | None = None
        self._tolerated = 0.0
        self._before_cut: float | None = None  # share of refusals at the last slowing, until a clean stretch
        self._growth = _GROWTH
        self._meter = _Meter(clock)
        self._changed_at = 0.0
        self._clean = 0

    def passed(self, era: int, cap: int) -> None:
        """A request that started in `era` got its reply; `cap` is the most slots there may be."""
        self._meter.add()
        self._grow(cap)
        self._count(era, refused=False)

    def refused(self, era: int) -> None:
        """A request that started in `era` was one too many for the server."""
        self._slow_start = self._slow_start and self._tolerated > 0
        self._count(era, refused=True)

    def gate_closed(self, seconds: float) -> None:
        """Nothing starts for so long, more than was known before."""
        if self._window is not None:
            self._window.gated_s += seconds

    def start_again(self, cap: int) -> None:
        """Forget what refusals taught."""
        self.slots = min(cap, max(self.slots, _START_SLOTS))
        self._slow_start = True
        self._window = self._before_cut = self.pace.rate = None
        self.era += 1

    def _count(self, era: int, *, refused: bool) -> None:
        if era != self.era:
            return
        now = self._clock()
        if self._window is None:
            if not refused:
                self._clean += 1
                return
            self._clean = 0
            self._window = _Window(now)
            return
        window = self._window
        window.outcomes += 1
        window.refusals += refused
        enough = _WINDOW_OUTCOMES * (2 if self._tolerated else 1)
        age = now - window.since
        if window.refusals >= _WINDOW_REFUSALS or (window.outcomes >= enough and age >= _WINDOW_S):
            self._window = None
            self._judge(window, age)
        elif age - window.gated_s >= _WINDOW_TOO_OLD_S:
            self._window = None  # too little happened to tell anything

    def _judge(self, window: _Window, seconds: float) -> None:
        share = window.refusals / window.outcomes
        if share <= 2 * self._tolerated or not share:
            return
        if self._before_cut is not None and share <= _MOST_TOLERATED and share > self._before_cut / 2:
            self._tolerated, self._slow_start = share, True
            self.pace.rate = self._before_cut = None
        else:
            passed = window.outcomes - window.refusals
            # The server's allowance fills up while the gate is closed, so closed time counts for nothing at first. If
            # refusals go on, each opening lets only a few through, and those over the whole time are the rate.
            open_s = seconds - window.gated_s if self._before_cut is None else seconds
            rate = passed / max(open_s, _SHORTEST_OPENING_S)
            if passed < _MEASURED_AT_ALL:
                rate = max(rate, self._meter.per_s() / 2)
            self.pace.rate = max(_SLOWEST_LEARNT, _PACE_OF_SUCCESS * rate)
            self._growth = _GROWTH if passed >= _MEASURED_WELL else _QUICK_GROWTH
            self._before_cut = share
            self.slots = max(1.0, self.slots * _CUT)
        self._changed_at = self._clock()
        self._clean = 0
        self.era += 1

    def is_noise(self) -> bool:
        """Whether a refusal just now is one of those that come at any pace, and concern one request only."""
        if not self._tolerated:
            return False
        window = self._window
        return window is None or window.refusals <= max(_FEW, 2 * self._tolerated * window.outcomes)

    def _grow(self, cap: int) -> None:
        if self._slow_start:
            self.slots = min(cap, self.slots + 1)
            return
        factor, every_s = self._growth
        now = self._clock()
        if self._window is not None or now - self._changed_at < every_s:
            return
        self._changed_at = now
        self._growth = min(factor + _FASTER, _FASTEST_GROWTH), every_s
        if self._clean >= _CLEAN_OUTCOMES:
            self._before_cut = None
        self.slots = min(cap, self.slots * factor + 0.5)
        if self.pace.rate is not None:
            self.pace.rate *= factor
            if self.pace.rate > _PACE_WITHOUT_MEANING:
                self.pace.rate = None
