"""clika_client: does a language model know the same things in every language?

The names below are the public API; each is imported when first used, so that starting stays fast.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from clika_client.answers.read import read_answer
    from clika_client.api import RunReport, compare, import_replies, run, score
    from clika_client.asking.plan import Asking
    from clika_client.common.errors import ClikaError, IncompleteRun, StoppedRun, UserError
    from clika_client.scoring.load import Wanted
    from clika_client.scoring.records import Record, Scores
    from clika_client.scoring.reproduce import reproduce
    from clika_client.scoring.score import Options
    from clika_client.sets.probes import Item, Probe, ProbeSet
    from clika_client.store.store import Store

_HOME = {
    "Asking": "asking.plan",
    "ClikaError": "common.errors",
    "IncompleteRun": "common.errors",
    "Item": "sets.probes",
    "Options": "scoring.score",
    "Probe": "sets.probes",
    "ProbeSet": "sets.probes",
    "Record": "scoring.records",
    "RunReport": "api",
    "Scores": "scoring.records",
    "StoppedRun": "common.errors",
    "Store": "store.store",
    "UserError": "common.errors",
    "Wanted": "scoring.load",
    "compare": "api",
    "import_replies": "api",
    "read_answer": "answers.read",
    "reproduce": "scoring.reproduce",
    "run": "api",
    "score": "api",
}

__all__ = [
    "Asking",
    "ClikaError",
    "IncompleteRun",
    "Item",
    "Options",
    "Probe",
    "ProbeSet",
    "Record",
    "RunReport",
    "Scores",
    "StoppedRun",
    "Store",
    "UserError",
    "Wanted",
    "compare",
    "import_replies",
    "read_answer",
    "reproduce",
    "run",
    "score",
]


def __getattr__(name: str) -> object:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
