"""The requests of a plan that have no reply yet, in the order in which they are sent."""

from __future__ import annotations

from collections.abc import Iterator
from heapq import merge
from itertools import groupby

from clika_client.asking.plan import Plan, PlannedCell
from clika_client.asking.settings import make_request
from clika_providers import Request


def missing_requests(plan: Plan) -> Iterator[tuple[PlannedCell, Request]]:
    """The requests to send, in the order they are worth most when asking ends before they do.

    Hosted models are asked item by item across all languages, so that what the money was enough for is a smaller table
    without gaps. Local ones are asked cell by cell: there neighbours share the beginning of their prompts.
    """
    for cell, position in _cell_by_cell(plan) if plan.provider.runs_here else _item_by_item(plan):
        yield (
            cell,
            make_request(
                cell.selection.probe_set, cell.language, position, plan.style, plan.asking, cell.rotation, cell.repeat
            ),
        )


def _cell_by_cell(plan: Plan) -> Iterator[tuple[PlannedCell, int]]:
    return ((cell, int(position)) for cell in plan.cells for position in cell.missing)


def _item_by_item(plan: Plan) -> Iterator[tuple[PlannedCell, int]]:
    for _, cells in groupby(plan.cells, key=lambda cell: id(cell.selection)):
        queues = [_queue(cell, number) for number, cell in enumerate(cells)]
        for position, _, cell in merge(*queues, key=lambda entry: entry[:2]):
            yield cell, position


def _queue(cell: PlannedCell, number: int) -> Iterator[tuple[int, int, PlannedCell]]:
    return ((int(position), number, cell) for position in cell.missing)
