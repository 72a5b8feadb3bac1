"""clika_client: does a language model know the same things in every language?

The names below are the public API; each is imported when first used, so that starting stays fast. docs/python.md shows
them at work.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from clika_cache import CacheError
    from clika_client.answers.open.answer import Accepted, OpenAnswer
    from clika_client.answers.open.reader import read_open
    from clika_client.answers.read import read_answer
    from clika_client.answers.rules.result import Answer
    from clika_client.api import Rows, RunReport, arun, compare, export, import_replies, rows, run, score
    from clika_client.asking.plan import Items
    from clika_client.asking.run import RunResult
    from clika_client.asking.settings import Asking
    from clika_client.asking.workers import Outcome
    from clika_client.common.errors import ClikaError, IncompleteRun, StoppedRun, UserError
    from clika_client.importers.common import ImportReport
    from clika_client.importers.detect import ImportOptions
    from clika_client.scoring.answers_to_paper import Finding
    from clika_client.scoring.chosen import Wanted
    from clika_client.scoring.compare_groups import GroupChange
    from clika_client.scoring.differences import Comparison, Difference
    from clika_client.scoring.paired import PairedEstimate
    from clika_client.scoring.reading_differences import ReadingDifference
    from clika_client.scoring.records import Figure, Record, RowSummary, Scores, Tie
    from clika_client.scoring.reproduce import Reproduction, reproduce
    from clika_client.scoring.score import Options
    from clika_client.sets.probes import Item, Probe, ProbeSet
    from clika_client.store.store import Store
    from clika_providers import (
        BaseProvider,
        Completion,
        Message,
        MockProvider,
        Provider,
        ProviderError,
        ProviderOptions,
        Request,
        RunError,
        Usage,
        connect,
    )
    from clika_providers.cluster.settings import ClusterOptions

_HOME = {
    "Accepted": "clika_client.answers.open.answer",
    "Answer": "clika_client.answers.rules.result",
    "Asking": "clika_client.asking.settings",
    "BaseProvider": "clika_providers",
    "CacheError": "clika_cache",
    "ClikaError": "clika_client.common.errors",
    "ClusterOptions": "clika_providers.cluster.settings",
    "Comparison": "clika_client.scoring.differences",
    "Completion": "clika_providers",
    "Difference": "clika_client.scoring.differences",
    "Figure": "clika_client.scoring.records",
    "Finding": "clika_client.scoring.answers_to_paper",
    "GroupChange": "clika_client.scoring.compare_groups",
    "ImportOptions": "clika_client.importers.detect",
    "ImportReport": "clika_client.importers.common",
    "IncompleteRun": "clika_client.common.errors",
    "Item": "clika_client.sets.probes",
    "Items": "clika_client.asking.plan",
    "Message": "clika_providers",
    "MockProvider": "clika_providers",
    "OpenAnswer": "clika_client.answers.open.answer",
    "Options": "clika_client.scoring.score",
    "Outcome": "clika_client.asking.workers",
    "PairedEstimate": "clika_client.scoring.paired",
    "Probe": "clika_client.sets.probes",
    "ProbeSet": "clika_client.sets.probes",
    "Provider": "clika_providers",
    "ProviderError": "clika_providers",
    "ProviderOptions": "clika_providers",
    "ReadingDifference": "clika_client.scoring.reading_differences",
    "Record": "clika_client.scoring.records",
    "Reproduction": "clika_client.scoring.reproduce",
    "Request": "clika_providers",
    "RowSummary": "clika_client.scoring.records",
    "Rows": "clika_client.api",
    "RunError": "clika_providers",
    "RunReport": "clika_client.api",
    "RunResult": "clika_client.asking.run",
    "Scores": "clika_client.scoring.records",
    "StoppedRun": "clika_client.common.errors",
    "Store": "clika_client.store.store",
    "Tie": "clika_client.scoring.records",
    "Usage": "clika_providers",
    "UserError": "clika_client.common.errors",
    "Wanted": "clika_client.scoring.chosen",
    "arun": "clika_client.api",
    "compare": "clika_client.api",
    "connect": "clika_providers",
    "export": "clika_client.api",
    "import_replies": "clika_client.api",
    "read_answer": "clika_client.answers.read",
    "read_open": "clika_client.answers.open.reader",
    "reproduce": "clika_client.scoring.reproduce",
    "rows": "clika_client.api",
    "run": "clika_client.api",
    "score": "clika_client.api",
}

__all__ = [
    "Accepted",
    "Answer",
    "Asking",
    "BaseProvider",
    "CacheError",
    "ClikaError",
    "ClusterOptions",
    "Comparison",
    "Completion",
    "Difference",
    "Figure",
    "Finding",
    "GroupChange",
    "ImportOptions",
    "ImportReport",
    "IncompleteRun",
    "Item",
    "Items",
    "Message",
    "MockProvider",
    "OpenAnswer",
    "Options",
    "Outcome",
    "PairedEstimate",
    "Probe",
    "ProbeSet",
    "Provider",
    "ProviderError",
    "ProviderOptions",
    "ReadingDifference",
    "Record",
    "Reproduction",
    "Request",
    "RowSummary",
    "Rows",
    "RunError",
    "RunReport",
    "RunResult",
    "Scores",
    "StoppedRun",
    "Store",
    "Tie",
    "Usage",
    "UserError",
    "Wanted",
    "arun",
    "compare",
    "connect",
    "export",
    "import_replies",
    "read_answer",
    "read_open",
    "reproduce",
    "rows",
    "run",
    "score",
]


if not TYPE_CHECKING:  # a type checker sees the imports above, and tells names that do not exist

    def __getattr__(name: str) -> object:
        if name not in _HOME:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        return getattr(import_module(_HOME[name]), name)


def __dir__() -> list[str]:
    return [*__all__, "__doc__", "__file__", "__name__", "__path__"]
