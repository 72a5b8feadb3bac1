"""The live display of a run, on stderr: a bar per model and language where there is a terminal, lines elsewhere."""

from __future__ import annotations

import time
from collections.abc import Sequence
from types import TracebackType

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from clika_client.asking.plan import Plan, PlannedCell
from clika_client.asking.workers import Event
from clika_client.common.safe_text import shown

LINE_SECONDS = 10.0
"""How often a run without a terminal says how far it is."""


class RunProgress:
    """Listens to a run and shows it; use as a context manager around `evaluate`."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._plans: list[Plan] = []
        self._bars: Progress | None = None
        self._tasks: dict[tuple[str, str], TaskID] = {}
        self._total: TaskID | None = None
        self._started = self._said = time.monotonic()
        self._done = self._failed = self._tokens = 0
        self._missing = 0
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
        if not plan.missing:
            return
        if not self._console.is_terminal:
            self._console.print(f"{escape(plan.provider.spec)}: asking {plan.missing} of {plan.total}", highlight=False)
            return
        if self._bars is None:
            self._bars = _bars(self._console)
            self._total = self._bars.add_task("total", total=0, note="")
            self._bars.start()
        assert self._total is not None
        self._bars.update(self._total, total=self._missing)
        for language in dict.fromkeys(cell.language for cell in plan.cells):
            total = sum(len(c.missing) for c in plan.cells if c.language == language)
            if total:
                name = f"{escape(plan.provider.spec)}  [dim]{escape(language)}[/]"
                self._tasks[plan.provider.spec, language] = self._bars.add_task(name, total=total, note="")

    def event(self, plan: Plan, event: Event) -> None:
        """One request ended: move its bar."""
        self._done += 1
        if event.shared:
            pass
        elif event.completion is None or not event.completion.is_answer:
            self._failed += 1
        else:
            usage = event.completion.usage
            self._tokens += (usage.input_tokens or 0) + (usage.output_tokens or 0)
        if self._bars is None:
            if time.monotonic() - self._said >= LINE_SECONDS:
                self._say()
            return
        self._move(plan, event.cell)

    def say(self, sentence: str) -> None:
        """A sentence for the user, above the bars where there are any."""
        self._console.print(shown(sentence), markup=False, highlight=False, soft_wrap=True)

    def _move(self, plan: Plan, cell: PlannedCell) -> None:
        assert self._bars is not None
        assert self._total is not None
        task = self._tasks.get((plan.provider.spec, cell.language))
        if task is not None:
            self._bars.advance(task)
            row = next(t for t in self._bars.tasks if t.id == task)
            if row.finished and len(self._tasks) > 12:
                self._bars.update(task, visible=False)
        self._bars.update(self._total, advance=1, note=self._rates())

    def _rates(self) -> str:
        seconds = max(time.monotonic() - self._started, 1e-6)
        failures = f", [red]{self._failed} failed[/]" if self._failed else ""
        return f"{self._done / seconds:.1f}/s, {self._tokens:,} tokens{failures}"

    def _say(self) -> None:
        self._said, self._spoken = time.monotonic(), self._done
        seconds = max(self._said - self._started, 1e-6)
        left = (self._missing - self._done) / max(self._done / seconds, 1e-9)
        ending = f", {self._failed} failed" if self._failed else ""
        self._console.print(
            f"{self._done}/{self._missing} asked, {self._done / seconds:.1f}/s, {self._tokens:,} tokens, "
            f"about {left:.0f} s left{ending}",
            highlight=False,
        )


def _bars(console: Console) -> Progress:
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(bar_width=28),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[note]}"),
        console=console,
        transient=True,
    )
