"""The live display of a run, on stderr: a line per model on a terminal, a sentence now and then elsewhere."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from types import TracebackType

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn

from clika_client.asking.plan import Plan
from clika_client.asking.workers import Event
from clika_client.common.ink import FAINT, WARNING
from clika_client.common.safe_text import shown
from clika_client.common.wording import counted

LINE_SECONDS = 10.0
"""How often a run without a terminal says how far it is."""

_WIDE = 110
"""Columns from which on a bar and the tokens have room."""

_NAME = 22
"""Characters of a model's name on a narrow terminal: its end, which tells models apart."""


@dataclass(slots=True)
class _Line:
    """One model: its bar, and what has come of it so far."""

    task: TaskID
    started: float
    work: float
    """Bytes of all prompts that are asked."""
    done: int = 0
    worked: float = 0.0
    """Bytes of those that came to their end."""
    failed: int = 0
    tokens: int = 0
    cost: float | None = None

    def note(self, language: str, brief: bool) -> str:
        """The language in work, the rate, and what it has cost and lost; `brief` where 80 columns must hold it."""
        seconds = max(time.monotonic() - self.started, 1e-6)
        said = [f"[{FAINT}]{escape(shown(language))}[/]", f"{self.done / seconds:.1f}/s"]
        said += [f"about {_lasting(_left(self.worked, self.work, seconds))} left"]
        said += [counted(self.tokens, "token")] if self.tokens and not brief else []
        said += [f"${self.cost:.4f}"] if self.cost else []
        said += [f"[{WARNING}]{self.failed} failed[/]"] if self.failed else []
        return ", ".join(said)


class RunProgress:
    """Listens to a run and shows it; use as a context manager around `evaluate`."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._plans: list[Plan] = []
        self._bars: Progress | None = None
        self._lines: dict[str, _Line] = {}
        self._started = self._said = time.monotonic()
        self._done = self._failed = self._tokens = 0
        self._missing = 0
        self._work = self._worked = 0.0
        self._spoken = 0

    def __enter__(self) -> RunProgress:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bars is not None:
            self._bars.stop()
        elif self._done > self._spoken:
            self._say()

    def planned(self, plans: Sequence[Plan]) -> None:
        """Start the display."""
        self._started = self._said = time.monotonic()
        for plan in plans:
            self.started(plan)

    def started(self, plan: Plan) -> None:
        """Add one model's bars."""
        self._plans.append(plan)
        self._missing += plan.missing
        work = _work(plan)
        self._work += work
        if not plan.missing:
            return
        if not self._console.is_terminal:
            self._console.print(f"{escape(plan.provider.spec)}: asking {plan.missing} of {plan.total}", highlight=False)
            return
        if self._bars is None:
            self._bars = _bars(self._console, self._narrow)
            self._bars.start()
        spec = plan.provider.spec
        name = shown(spec)
        if self._narrow and len(name) > _NAME:
            name = "…" + name[1 - _NAME :]
        task = self._bars.add_task(escape(name), total=plan.missing, note="")
        self._lines[spec] = _Line(task, time.monotonic(), work)

    def event(self, plan: Plan, event: Event) -> None:
        """One request ended: move its model's line."""
        self._done += 1
        self._worked += event.cell.bytes_each
        line = self._lines.get(plan.provider.spec)
        failed = not event.shared and (event.completion is None or not event.completion.is_answer)
        usage = None if failed or event.shared or event.completion is None else event.completion.usage
        tokens = 0 if usage is None else (usage.input_tokens or 0) + (usage.output_tokens or 0)
        self._failed += failed
        self._tokens += tokens
        if line is None or self._bars is None:
            if time.monotonic() - self._said >= LINE_SECONDS:
                self._say()
            return
        line.done, line.failed, line.tokens = line.done + 1, line.failed + failed, line.tokens + tokens
        line.worked += event.cell.bytes_each
        price = plan.provider.cost_of
        if usage is not None:
            line.cost = (line.cost or 0.0) + (price(usage) or 0.0)
        self._bars.update(line.task, advance=1, note=line.note(event.cell.language, self._narrow))

    @property
    def _narrow(self) -> bool:
        return self._console.width < _WIDE

    def say(self, sentence: str) -> None:
        """A sentence for the user, above the bars where there are any."""
        self._console.print(shown(sentence), markup=False, highlight=False, soft_wrap=True)

    def _say(self) -> None:
        self._said, self._spoken = time.monotonic(), self._done
        seconds = max(self._said - self._started, 1e-6)
        left = _left(self._worked, self._work, seconds)
        ending = f", {self._failed} failed" if self._failed else ""
        self._console.print(
            f"{self._done}/{self._missing} asked, {self._done / seconds:.1f}/s, {counted(self._tokens, 'token')}, "
            f"about {_lasting(left)} left{ending}",
            highlight=False,
        )


def _work(plan: Plan) -> float:
    """Bytes of the prompts that a model is asked: languages come one after the other, and one may be twice as long."""
    return sum(cell.bytes_each * len(cell.missing) for cell in plan.cells)


def _left(worked: float, work: float, seconds: float) -> float:
    """Seconds that the rest takes at the speed so far."""
    return max(0.0, work - worked) * seconds / max(worked, 1e-9)


def _lasting(seconds: float) -> str:
    """Seconds in the two words that a person waits by."""
    whole = round(seconds)
    if whole < 120:
        return f"{whole} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 120 else f"{minutes // 60} h {minutes % 60} min"


def _bars(console: Console, narrow: bool) -> Progress:
    # A bar is the first thing that a narrow terminal can do without: the counts beside it say the same.
    columns = [
        TextColumn("{task.description}"),
        *([] if narrow else [BarColumn(bar_width=28)]),
        MofNCompleteColumn(),
        TextColumn("{task.fields[note]}"),
    ]
    return Progress(*columns, console=console, transient=True)
