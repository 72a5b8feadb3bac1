"""clika_client: does a language model know the same things in every language?

The names below are the public API; each is imported when first used, so that starting stays fast.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from clika_client.answers import read_answer
    from clika_client.api import RunReport, compare, import_replies, run, score
    from clika_client.errors import ClikaError, IncompleteRun, StoppedRun, UserError
    from clika_client.loading import Wanted
    from clika_client.plan import Asking
    from clika_client.probes import Item, Probe, ProbeSet
    from clika_client.records import Record, Scores
    from clika_client.reproduce import reproduce
    from clika_client.scoring import Options
    from clika_client.store import Store

_HOME = {
    "Asking": "plan",
    "ClikaError": "errors",
    "IncompleteRun": "errors",
    "Item": "probes",
    "Options": "scoring",
    "Probe": "probes",
    "ProbeSet": "probes",
    "Record": "records",
    "RunReport": "api",
    "Scores": "records",
    "StoppedRun": "errors",
    "Store": "store",
    "UserError": "errors",
    "Wanted": "loading",
    "compare": "api",
    "import_replies": "api",
    "read_answer": "answers",
    "reproduce": "reproduce",
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
